/*
 * Text that came from a token, a driver or the dynamic loader, made fit for a
 * frame: UTF-8 without control characters, cut where the field ends. What is
 * not text is shown as question marks rather than dropped, so that two tokens
 * with odd labels still look different from one without.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "token/worker.h"

/* Bytes of the UTF-8 character at `s`, 0 if there is none. */
static size_t
character(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	json_t *checked;

	if (c < 0x80)
		return 1;
	checked = strnlen(s, n) < n ? NULL : json_stringn(s, n); /* NULL unless strict UTF-8 */
	json_decref(checked);
	return checked == NULL ? 0 : n;
}

void
text_clean(char *s)
{
	while (*s != '\0') {
		size_t n = character(s);

		if (n == 0 || (unsigned char)*s < ' ' || *s == 0x7f) {
			*s = '?';
			n = 1;
		}
		s += n;
	}
}

void
text_field(char *out, size_t size, const unsigned char *field, size_t n)
{
	/* blanks are the padding of the standard, NULs that of some vendors */
	n = strnlen((const char *)field, n);
	while (n > 0 && field[n - 1] == ' ')
		n--;
	if (n >= size)
		n = size - 1;
	memcpy(out, field, n);
	out[n] = '\0';
	text_clean(out);
}

void
text_printf(char *out, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(out, size, fmt, args);
	va_end(args);
	text_clean(out);
}
