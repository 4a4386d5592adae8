/*
 * The characters of a note [C2SP signed-note, "Format"]: well-formed UTF-8
 * [RFC 3629, 4], and no control character but the newline. Names and numbers
 * have one form only, so that equal things are equal bytes.
 */
#include "base/note_text.h"

#include <string.h>

#include "base/note.h"

static uint8_t
byte_at(const char *p)
{
	return (uint8_t)*p;
}

/* Length of the sequence at p and its code point; 0 if it is none. `left` >= 1. */
static size_t
sequence(const char *p, size_t left, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = byte_at(p);
	uint32_t v;
	size_t n, i;

	if (first < 0x80) {
		*point = first;
		return 1;
	}
	n = first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	v = first & (0x7fU >> n);
	for (i = 1; i < n; i++) {
		if (byte_at(p + i) >> 6 != 2)
			return 0;
		v = v << 6 | (byte_at(p + i) & 0x3fU);
	}
	if (v < least[n] || v > 0x10ffff || v >> 11 == 0x1b) /* overlong, past the end, a surrogate */
		return 0;
	*point = v;
	return n;
}

/* White_Space of the Unicode character database. */
static bool
is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	       c == 0x3000;
}

bool
note_text_ok(const char *text, size_t len)
{
	uint32_t c;
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = sequence(text, len, &c);
		if (n == 0 || (c < 0x20 && c != '\n'))
			return false;
	}
	return true;
}

bool
note_name_ok(const char *name, size_t len)
{
	uint32_t c;
	size_t n;

	if (len == 0 || len > NOTE_NAME_MAX)
		return false;
	for (; len > 0; name += n, len -= n) {
		n = sequence(name, len, &c);
		if (n == 0 || c < 0x20 || c == '+' || is_space(c))
			return false;
	}
	return true;
}

bool
note_number(const char *text, size_t len, uint64_t *value)
{
	uint64_t v = 0;

	if (len == 0 || (len > 1 && text[0] == '0'))
		return false;
	for (; len > 0; text++, len--) {
		unsigned digit = (unsigned)(byte_at(text) - '0');

		if (digit > 9 || v > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		v = 10 * v + digit;
	}
	*value = v;
	return true;
}

bool
note_line(const char **text, size_t *len, const char **line, size_t *line_len)
{
	const char *end = *len == 0 ? NULL : memchr(*text, '\n', *len);

	if (end == NULL)
		return false;
	*line = *text;
	*line_len = (size_t)(end - *text);
	*len -= *line_len + 1;
	*text = end + 1;
	return true;
}
