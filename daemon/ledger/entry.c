/*
 * An entry is one compact JSON object: head, body, tail. The head is composed
 * here, when index and time are known; body and tail come as finished members
 * from the broker.
 *
 * Invariant: an entry is written whole or not at all, and never over
 * SIGNET_ENTRY_MAX bytes [C2SP tlog-tiles: entry bundles].
 */
#include "ledger/entry.h"

#include <assert.h>
#include <signet/log.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEAD_KIND "{\"v\":1,\"kind\":\""
#define HEAD_TIME "\",\"time\":\""
#define HEAD_BOOT "\",\"boot\":\""
#define HEAD_INDEX "\",\"index\":"
#define HEAD_CLOCK ",\"clock\":\""

enum {
	TIME_LEN = ENTRY_TIME - 1,
	SECOND_LEN = sizeof("2026-11-21T19:26:41.") - 1,
	BOOT_LEN = 32,
	INDEX_LEN_MAX = 20,
	CLOCK_LEN_MAX = sizeof("unsynchronised") - 1,
};

static const int64_t SECOND_US = 1000000;
static const int64_t LAST_SECOND = 253402300799; /* 9999-12-31T23:59:59Z */

static int64_t
within_years(int64_t us)
{
	int64_t last = LAST_SECOND * SECOND_US + SECOND_US - 1;

	return us < 0 ? 0 : us > last ? last : us;
}

static void
format_second(struct entry_clock *c, int64_t second)
{
	time_t t = (time_t)second;
	struct tm tm;

	struct tm *ok = gmtime_r(&t, &tm);
	assert(ok != NULL); /* the year was bounded */
	size_t n = strftime(c->text, sizeof(c->text), "%Y-%m-%dT%H:%M:%S.", &tm);
	assert(n == SECOND_LEN);
	c->second = second;
}

void
entry_time(struct entry_clock *c, int64_t us, char out[ENTRY_TIME])
{
	int64_t second, rest;

	us = within_years(us);
	second = us / SECOND_US;
	rest = us % SECOND_US;
	if (second != c->second || c->text[0] == '\0')
		format_second(c, second);
	memcpy(out, c->text, SECOND_LEN);
	for (size_t i = TIME_LEN - 2; i >= SECOND_LEN; i--) {
		out[i] = (char)('0' + rest % 10);
		rest /= 10;
	}
	out[TIME_LEN - 1] = 'Z';
	out[TIME_LEN] = '\0';
}

static size_t
digits(uint64_t v)
{
	size_t n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

/* Length of the whole entry. Body and tail are bounded first, so that nothing wraps. */
static size_t
entry_len(size_t kind, size_t boot, size_t index, size_t clock, size_t body, size_t tail)
{
	size_t fixed = sizeof(HEAD_KIND HEAD_TIME HEAD_BOOT HEAD_INDEX HEAD_CLOCK "\"}") - 1;

	if (body > SIGNET_ENTRY_MAX || tail > SIGNET_ENTRY_MAX)
		return SIGNET_ENTRY_MAX + 1;
	return fixed + kind + TIME_LEN + boot + index + clock + (body > 0 ? 1 + body : 0) +
	       (tail > 0 ? 1 + tail : 0);
}

bool
entry_fits(const char *kind, size_t body_len, size_t tail_len)
{
	return entry_len(strlen(kind), BOOT_LEN, INDEX_LEN_MAX, CLOCK_LEN_MAX, body_len, tail_len) <=
	       SIGNET_ENTRY_MAX;
}

static void
put_members(struct buf *out, const char *members, size_t len)
{
	if (len == 0)
		return;
	buf_chr(out, ',');
	buf_put(out, members, len);
}

signet_err
entry_write(struct buf *out, const struct entry_head *head, const char *body, size_t body_len,
    const char *tail, size_t tail_len)
{
	size_t len = entry_len(strlen(head->kind), strlen(head->boot), digits(head->index),
	    strlen(head->clock), body_len, tail_len);

	if (len > SIGNET_ENTRY_MAX)
		return SIGNET_ERR_LIMIT;
	if (buf_room(out, len) == NULL)
		return SIGNET_ERR_MEMORY;
	buf_str(out, HEAD_KIND);
	buf_str(out, head->kind);
	buf_str(out, HEAD_TIME);
	buf_str(out, head->time);
	buf_str(out, HEAD_BOOT);
	buf_str(out, head->boot);
	buf_str(out, HEAD_INDEX);
	buf_dec(out, head->index);
	buf_str(out, HEAD_CLOCK);
	buf_str(out, head->clock);
	buf_chr(out, '"');
	put_members(out, body, body_len);
	put_members(out, tail, tail_len);
	buf_chr(out, '}');
	assert(!out->failed && out->len == len);
	return SIGNET_OK;
}

bool
entry_time_of(const uint8_t *entry, size_t len, char out[ENTRY_TIME])
{
	const size_t kind_at = sizeof(HEAD_KIND) - 1, mark_len = sizeof(HEAD_TIME) - 1;
	const uint8_t *kind_end;
	size_t at;

	if (len < kind_at || memcmp(entry, HEAD_KIND, kind_at) != 0)
		return false;
	kind_end = memchr(entry + kind_at, '"', len - kind_at);
	if (kind_end == NULL)
		return false;
	at = (size_t)(kind_end - entry);
	if (len - at < mark_len + TIME_LEN || memcmp(kind_end, HEAD_TIME, mark_len) != 0)
		return false;
	memcpy(out, kind_end + mark_len, TIME_LEN);
	out[TIME_LEN] = '\0';
	return true;
}
