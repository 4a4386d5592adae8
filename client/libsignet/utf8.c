/*
 * Is this text UTF-8? The table of well-formed sequences [RFC 3629, 4]: no
 * overlong form, no surrogate, nothing above U+10FFFF; and no NUL, which no
 * string of the wire may hold.
 *
 * jansson has such a check too, but a PIN must not go through jansson.
 */
#include "conn.h"

static bool
within(uint8_t c, uint8_t low, uint8_t high)
{
	return c >= low && c <= high;
}

/* Length of the sequence at p, 0 if it is none. `left` >= 1. */
static size_t
sequence(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n, i;

	if (within(p[0], 0x01, 0x7f))
		return 1;
	n = within(p[0], 0xc2, 0xdf) ? 2 : within(p[0], 0xe0, 0xef) ? 3 : within(p[0], 0xf0, 0xf4) ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (!within(p[1], low, high))
		return 0;
	for (i = 2; i < n; i++) {
		if (!within(p[i], 0x80, 0xbf))
			return 0;
	}
	return n;
}

bool
utf8_valid(const void *text, size_t n)
{
	const uint8_t *p = text;
	size_t len;

	for (; n > 0; p += len, n -= len) {
		len = sequence(p, n);
		if (len == 0)
			return false;
	}
	return true;
}
