/*
 * base64 [RFC 4648, 4] in its one canonical form: padded, nothing but the
 * alphabet, unused bits zero [RFC 4648, 3.5]. So two texts that decode to the
 * same bytes are the same text.
 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { NOT_BASE64 = 0x80 }; /* no six-bit value has this bit: errors can be gathered with | */

/* Value + 1, so that what is not listed is 0: no digit. */
#define D(c, v) [c] = (v) + 1
/* clang-format off */
static const uint8_t digit_plus_one[256] = {
	D('A', 0), D('B', 1), D('C', 2), D('D', 3), D('E', 4), D('F', 5), D('G', 6), D('H', 7), D('I', 8),
	D('J', 9), D('K', 10), D('L', 11), D('M', 12), D('N', 13), D('O', 14), D('P', 15), D('Q', 16),
	D('R', 17), D('S', 18), D('T', 19), D('U', 20), D('V', 21), D('W', 22), D('X', 23), D('Y', 24),
	D('Z', 25), D('a', 26), D('b', 27), D('c', 28), D('d', 29), D('e', 30), D('f', 31), D('g', 32),
	D('h', 33), D('i', 34), D('j', 35), D('k', 36), D('l', 37), D('m', 38), D('n', 39), D('o', 40),
	D('p', 41), D('q', 42), D('r', 43), D('s', 44), D('t', 45), D('u', 46), D('v', 47), D('w', 48),
	D('x', 49), D('y', 50), D('z', 51), D('0', 52), D('1', 53), D('2', 54), D('3', 55), D('4', 56),
	D('5', 57), D('6', 58), D('7', 59), D('8', 60), D('9', 61), D('+', 62), D('/', 63),
};
/* clang-format on */
#undef D

static uint32_t
digit(char c)
{
	return (uint32_t)(uint8_t)(digit_plus_one[(uint8_t)c] - 1) & 0xff;
}

void
base64_encode(char *out, const uint8_t *bytes, size_t n)
{
	uint32_t v;

	for (; n >= 3; n -= 3, bytes += 3, out += 4) {
		v = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
		out[0] = alphabet[v >> 18];
		out[1] = alphabet[v >> 12 & 63];
		out[2] = alphabet[v >> 6 & 63];
		out[3] = alphabet[v & 63];
	}
	if (n == 0)
		return;
	v = (uint32_t)bytes[0] << 16 | (n == 2 ? (uint32_t)bytes[1] << 8 : 0);
	out[0] = alphabet[v >> 18];
	out[1] = alphabet[v >> 12 & 63];
	out[2] = n == 2 ? alphabet[v >> 6 & 63] : '=';
	out[3] = '=';
}

/* Four characters without padding into three bytes; the digits' error bits are returned. */
static uint32_t
decode_whole(const char *t, uint8_t *out)
{
	uint32_t a = digit(t[0]), b = digit(t[1]), c = digit(t[2]), d = digit(t[3]);

	out[0] = (uint8_t)(a << 2 | b >> 4);
	out[1] = (uint8_t)(b << 4 | c >> 2);
	out[2] = (uint8_t)(c << 6 | d);
	return a | b | c | d;
}

/* The last four characters, of which `pad` (1 or 2) are '='. True if canonical. */
static bool
decode_padded(const char *t, size_t pad, uint8_t *out)
{
	uint32_t a = digit(t[0]), b = digit(t[1]), c = pad == 1 ? digit(t[2]) : 0;

	if (((a | b | c) & NOT_BASE64) != 0)
		return false;
	out[0] = (uint8_t)(a << 2 | b >> 4);
	if (pad == 2)
		return (b & 15) == 0;
	out[1] = (uint8_t)(b << 4 | c >> 2);
	return (c & 3) == 0;
}

signet_err
base64_decode(const char *text, size_t len, uint8_t *out, size_t *n)
{
	size_t pad = 0, whole, size, i;
	uint32_t bad = 0;

	if (len % 4 != 0)
		return SIGNET_ERR_ARGUMENT;
	if (len > 0 && text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	size = len / 4 * 3 - pad;
	if (size > *n)
		return SIGNET_ERR_LIMIT;
	whole = pad > 0 ? len / 4 - 1 : len / 4;
	for (i = 0; i < whole; i++)
		bad |= decode_whole(text + 4 * i, out + 3 * i);
	if ((bad & NOT_BASE64) != 0)
		return SIGNET_ERR_ARGUMENT;
	if (pad > 0 && !decode_padded(text + 4 * whole, pad, out + 3 * whole))
		return SIGNET_ERR_ARGUMENT;
	*n = size;
	return SIGNET_OK;
}
