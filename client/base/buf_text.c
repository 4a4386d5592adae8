/*
 * Text forms of bytes, numbers and strings, written straight into a buffer:
 * the replies of the daemon and the entries of its log are made of these.
 *
 * Invariant: each call reserves once and exactly, and writes all or nothing.
 */
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"

void
buf_dec(struct buf *b, uint64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
				    "34353637383940414243444546474849505152535455565758596061626364656667"
				    "6869707172737475767778798081828384858687888990919293949596979899";
	char digits[20]; /* of UINT64_MAX */
	size_t at = sizeof(digits);

	while (v >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * v, 2);
	} else {
		digits[--at] = (char)('0' + v);
	}
	buf_put(b, digits + at, sizeof(digits) - at);
}

void
buf_hex(struct buf *b, const uint8_t *bytes, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t *p;
	size_t i;

	/* a length that would wrap is past every maximum */
	p = buf_room(b, n > SIZE_MAX / 2 ? SIZE_MAX : 2 * n);
	if (p == NULL)
		return;
	for (i = 0; i < n; i++) {
		p[2 * i] = (uint8_t)hex[bytes[i] >> 4];
		p[2 * i + 1] = (uint8_t)hex[bytes[i] & 15];
	}
	b->len += 2 * n;
}

void
buf_base64(struct buf *b, const uint8_t *bytes, size_t n)
{
	uint8_t *p = buf_room(b, n > SIZE_MAX / 2 ? SIZE_MAX : BASE64_LEN(n));

	if (p == NULL)
		return;
	base64_encode((char *)p, bytes, n);
	b->len += BASE64_LEN(n);
}

/*
 * What a byte becomes inside a JSON string [RFC 8259, 7]: 0 itself, 'u' \u00xx,
 * any other letter a backslash and that letter.
 */
/* clang-format off */
static const uint8_t escapes[256] = {
	[0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u', [0x05] = 'u', [0x06] = 'u',
	[0x07] = 'u', [0x08] = 'b', [0x09] = 't', [0x0a] = 'n', [0x0b] = 'u', [0x0c] = 'f', [0x0d] = 'r',
	[0x0e] = 'u', [0x0f] = 'u', [0x10] = 'u', [0x11] = 'u', [0x12] = 'u', [0x13] = 'u', [0x14] = 'u',
	[0x15] = 'u', [0x16] = 'u', [0x17] = 'u', [0x18] = 'u', [0x19] = 'u', [0x1a] = 'u', [0x1b] = 'u',
	[0x1c] = 'u', [0x1d] = 'u', [0x1e] = 'u', [0x1f] = 'u', ['"'] = '"', ['\\'] = '\\',
};
/* clang-format on */

#define EACH_BYTE(v) (0x0101010101010101U * (v))

/* Does one of eight bytes need an escape? High bits may hide behind a borrow only after a true hit. */
static bool
word_needs_escape(uint64_t w)
{
	uint64_t quote = w ^ EACH_BYTE('"'), backslash = w ^ EACH_BYTE('\\');
	uint64_t below = (w - EACH_BYTE(0x20)) & ~w;

	quote = (quote - EACH_BYTE(1)) & ~quote;
	backslash = (backslash - EACH_BYTE(1)) & ~backslash;
	return ((below | quote | backslash) & EACH_BYTE(0x80)) != 0;
}

/* Length of the front of s that stands for itself. */
static size_t
plain_prefix(const char *s, size_t n)
{
	size_t i = 0;
	uint64_t w;

	for (; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, s + i, sizeof(w));
		if (word_needs_escape(w))
			break;
	}
	while (i < n && escapes[(uint8_t)s[i]] == 0)
		i++;
	return i;
}

/* Bytes that escaping adds. */
static size_t
escape_cost(const char *s, size_t n)
{
	size_t i, cost = 0;

	for (i = 0; i < n; i++) {
		uint8_t e = escapes[(uint8_t)s[i]];

		cost += e == 0 ? 0 : e == 'u' ? 5 : 1;
	}
	return cost;
}

static uint8_t *
escape(uint8_t *p, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		if (escapes[c] == 0) {
			*p++ = c;
			continue;
		}
		*p++ = '\\';
		*p++ = escapes[c];
		if (escapes[c] == 'u') {
			*p++ = '0';
			*p++ = '0';
			*p++ = (uint8_t)hex[c >> 4];
			*p++ = (uint8_t)hex[c & 15];
		}
	}
	return p;
}

void
buf_json(struct buf *b, const char *s, size_t n)
{
	size_t plain = plain_prefix(s, n);
	size_t cost = plain == n ? 0 : escape_cost(s + plain, n - plain);
	uint8_t *p = buf_room(b, n + cost + 2);

	if (p == NULL)
		return;
	*p++ = '"';
	if (plain > 0)
		memcpy(p, s, plain);
	p += plain;
	if (plain < n)
		p = escape(p, s + plain, n - plain);
	*p = '"';
	b->len += n + cost + 2;
}
