/*
 * Growable bytes and the cursor that reads them back.
 *
 * Invariant: len <= cap, gone + cap <= what malloc gave minus one, and no block
 * of a secret buffer reaches the heap unwiped. The one byte more is where
 * printf puts its NUL, so that text may fill a buffer to its last byte. What is
 * consumed stays before `data` until room is needed: a peer that sends
 * thousands of small messages at once costs no memmove for each.
 */
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"

enum { BUF_MIN = 256 }; /* first block: most replies without a certificate fit */

void
buf_init(struct buf *b, size_t max)
{
	assert(max < SIZE_MAX / 2);
	*b = (struct buf){.max = max};
}

void
buf_init_secret(struct buf *b, size_t max)
{
	buf_init(b, max);
	b->secret = true;
}

static uint8_t *
buf_base(const struct buf *b)
{
	return b->data == NULL ? NULL : b->data - b->gone;
}

void
buf_done(struct buf *b)
{
	if (b->secret && b->data != NULL)
		wipe(buf_base(b), b->gone + b->cap + 1);
	free(buf_base(b));
	*b = (struct buf){.max = b->max, .secret = b->secret};
}

/* Bring the content back to the start of its block. */
static void
buf_slide(struct buf *b)
{
	uint8_t *base = buf_base(b);

	if (b->gone == 0)
		return;
	memmove(base, b->data, b->len);
	/* the part of the old place that the new one does not cover */
	if (b->secret)
		wipe(base + b->len, b->gone);
	b->cap += b->gone;
	b->data = base;
	b->gone = 0;
}

void
buf_reset(struct buf *b)
{
	if (b->secret && b->data != NULL)
		wipe(b->data, b->len);
	b->len = 0;
	b->failed = false;
	buf_slide(b);
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	if (b->secret)
		wipe(b->data, n);
	b->data += n;
	b->gone += n;
	b->len -= n;
	b->cap -= n;
	if (b->len == 0)
		buf_slide(b);
}

/* Move the content into a block for `cap` bytes; false if there is none. */
static bool
buf_resize(struct buf *b, size_t cap)
{
	uint8_t *block;

	if (!b->secret) {
		buf_slide(b);
		block = realloc(b->data, cap + 1);
		if (block == NULL)
			return false;
	} else {
		/* not realloc: it gives the old block back as it is */
		block = malloc(cap + 1);
		if (block == NULL)
			return false;
		if (b->data != NULL) {
			memcpy(block, b->data, b->len);
			wipe(buf_base(b), b->gone + b->cap + 1);
			free(buf_base(b));
		}
	}
	b->data = block;
	b->cap = cap;
	b->gone = 0;
	return true;
}

void
buf_shrink(struct buf *b, size_t keep)
{
	if (keep < b->len)
		keep = b->len;
	if (b->gone + b->cap <= keep)
		return;
	if (keep == 0) {
		bool failed = b->failed;

		buf_done(b);
		b->failed = failed;
		return;
	}
	(void)buf_resize(b, keep); /* without memory for a smaller block the larger one stays */
}

/* The slow half of buf_room. */
static bool
buf_grow(struct buf *b, size_t n)
{
	size_t cap;

	if (n > b->max || b->len > b->max - n)
		return false;
	/* sliding pays if it moves no more than was consumed since the last time */
	if (b->gone >= b->len && b->gone + b->cap - b->len >= n && b->data != NULL) {
		buf_slide(b);
		return true;
	}
	cap = b->cap + b->gone < BUF_MIN / 2 ? BUF_MIN : 2 * (b->cap + b->gone);
	if (cap < b->len + n)
		cap = b->len + n;
	if (cap > b->max)
		cap = b->max;
	return buf_resize(b, cap);
}

uint8_t *
buf_room(struct buf *b, size_t n)
{
	if (b->failed)
		return NULL;
	if (b->data == NULL || b->cap - b->len < n) {
		if (!buf_grow(b, n)) {
			b->failed = true;
			return NULL;
		}
	}
	return b->data + b->len;
}

void
buf_put(struct buf *b, const void *bytes, size_t n)
{
	uint8_t *p = buf_room(b, n);

	if (p == NULL || n == 0)
		return;
	memcpy(p, bytes, n);
	b->len += n;
}

void
buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_chr(struct buf *b, char c)
{
	buf_u8(b, (uint8_t)c);
}

void
buf_u8(struct buf *b, uint8_t v)
{
	uint8_t *p = buf_room(b, 1);

	if (p == NULL)
		return;
	*p = v;
	b->len++;
}

void
buf_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_put(b, &v, sizeof(v));
}

void
buf_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_put(b, &v, sizeof(v));
}

void
buf_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_put(b, &v, sizeof(v));
}

void
buf_bytes16(struct buf *b, const void *bytes, size_t n)
{
	if (n > UINT16_MAX) {
		b->failed = true;
		return;
	}
	/* room for both first: a length without its bytes must not stay behind */
	if (buf_room(b, 2 + n) == NULL)
		return;
	buf_u16(b, (uint16_t)n);
	buf_put(b, bytes, n);
}

static int
print_at(uint8_t *p, size_t room, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* checked where buf_printf is called */
	n = vsnprintf((char *)p, room + 1, fmt, again);
#pragma GCC diagnostic pop
	va_end(again);
	return n;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	uint8_t *p = buf_room(b, 0);
	size_t room = b->cap - b->len;
	va_list args;
	int n;

	if (p == NULL)
		return;
	va_start(args, fmt);
	n = print_at(p, room, fmt, args);
	if (n >= 0 && (size_t)n > room) {
		if (b->secret)
			wipe(p, room);
		p = buf_room(b, (size_t)n);
		if (p != NULL)
			n = print_at(p, (size_t)n, fmt, args);
	}
	va_end(args);
	if (n < 0)
		b->failed = true;
	if (!b->failed)
		b->len += (size_t)n;
}

void
cur_init(struct cursor *c, const void *bytes, size_t n)
{
	c->p = bytes;
	c->end = n == 0 ? c->p : c->p + n;
	c->failed = false;
}

const uint8_t *
cur_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->failed || (size_t)(c->end - c->p) < n) {
		c->failed = true;
		return NULL;
	}
	if (n > 0)
		c->p += n;
	return p;
}

uint8_t
cur_u8(struct cursor *c)
{
	const uint8_t *p = cur_take(c, 1);

	return p == NULL ? 0 : *p;
}

uint16_t
cur_u16(struct cursor *c)
{
	const uint8_t *p = cur_take(c, 2);
	uint16_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

uint32_t
cur_u32(struct cursor *c)
{
	const uint8_t *p = cur_take(c, 4);
	uint32_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

uint64_t
cur_u64(struct cursor *c)
{
	const uint8_t *p = cur_take(c, 8);
	uint64_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

const uint8_t *
cur_bytes16(struct cursor *c, size_t *n)
{
	size_t len = cur_u16(c);
	const uint8_t *p = cur_take(c, len);

	*n = p == NULL ? 0 : len;
	return p;
}

void
cur_str16(struct cursor *c, char *out, size_t size)
{
	size_t n;
	const uint8_t *p = cur_bytes16(c, &n);

	assert(size > 0);
	out[0] = '\0';
	if (p == NULL)
		return;
	if (n >= size || memchr(p, 0, n) != NULL) {
		c->failed = true;
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

bool
cur_done(const struct cursor *c)
{
	return !c->failed && c->p == c->end;
}
