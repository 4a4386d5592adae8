/*
 * Growable bytes with a hard maximum. Writes fail stickily: after the first
 * write that would pass `max` (or finds no memory) the buffer stays `failed`
 * and unchanged, so a sequence of writes is checked once, at its end.
 * A cursor reads with the same rule: past the end it yields zeroes and fails.
 * Integers are little-endian.
 */
#ifndef SIGNET_BASE_BUF_H
#define SIGNET_BASE_BUF_H

#include <stdarg.h>

#include "base/base.h"

struct buf {
	uint8_t *data;
	size_t len, cap, max; /* cap: bytes that fit at `data` */
	size_t gone;	      /* consumed bytes that still lie before `data` */
	bool failed;
	bool secret; /* every byte given back to the heap is wiped first */
};

void buf_init(struct buf *b, size_t max);
/* As buf_init, for bytes that may hold a PIN. */
void buf_init_secret(struct buf *b, size_t max);
void buf_done(struct buf *b);
/* Forget the content (wiped if secret) and the failure; keep the memory. */
void buf_reset(struct buf *b);
/* Drop the first n bytes: `data` now points behind them. They are wiped if secret. Cheap for any n. */
void buf_consume(struct buf *b, size_t n);
/* Give memory above `keep` bytes back, as far as the content allows. */
void buf_shrink(struct buf *b, size_t keep);
/* Room for n more bytes at data + len, or NULL (and failed). */
uint8_t *buf_room(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_chr(struct buf *b, char c);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
/* u16 length, then the bytes; fails above 65535. */
void buf_bytes16(struct buf *b, const void *bytes, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
/* Decimal, faster than buf_printf. */
void buf_dec(struct buf *b, uint64_t v);
void buf_hex(struct buf *b, const uint8_t *bytes, size_t n);
void buf_base64(struct buf *b, const uint8_t *bytes, size_t n);
/* A JSON string with its quotes; n bytes of valid UTF-8, any of which may be a control character. */
void buf_json(struct buf *b, const char *s, size_t n);

struct cursor {
	const uint8_t *p, *end;
	bool failed;
};

void cur_init(struct cursor *c, const void *bytes, size_t n);
uint8_t cur_u8(struct cursor *c);
uint16_t cur_u16(struct cursor *c);
uint32_t cur_u32(struct cursor *c);
uint64_t cur_u64(struct cursor *c);
/* Borrow n bytes, or NULL (and failed). */
const uint8_t *cur_take(struct cursor *c, size_t n);
/* u16 length and that many bytes, borrowed; *n = 0 on failure. */
const uint8_t *cur_bytes16(struct cursor *c, size_t *n);
/* u16 length and bytes into a NUL-terminated `out`; fails if longer than size - 1 or holding a NUL. */
void cur_str16(struct cursor *c, char *out, size_t size);
/* All read, nothing failed. */
bool cur_done(const struct cursor *c);

#endif
