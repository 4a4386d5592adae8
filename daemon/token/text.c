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

void
text_clean(char *s)
{
	json_t *checked = json_string(s); /* NULL unless strict UTF-8 */

	for (char *p = s; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < ' ' || c == 0x7f || (c >= 0x80 && checked == NULL))
			*p = '?';
	}
	json_decref(checked);
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
