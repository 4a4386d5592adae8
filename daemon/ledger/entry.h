/*
 * The bytes of an entry, as they are hashed and stored [include/signet/log.h].
 */
#ifndef SIGNET_LEDGER_ENTRY_H
#define SIGNET_LEDGER_ENTRY_H

#include "base/buf.h"

enum { ENTRY_TIME = 28 }; /* "2026-11-21T19:26:41.123456Z" and its NUL */

/* Formats times; the text of the second before the last call is kept. Zero-initialised. */
struct entry_clock {
	int64_t second;
	char text[ENTRY_TIME];
};

/* RFC 3339 UTC with microseconds. Years 1970 to 9999: what lies outside becomes the nearest of them. */
void entry_time(struct entry_clock *c, int64_t us, char out[ENTRY_TIME]);

/* What every entry begins with. */
struct entry_head {
	const char *kind;
	const char *time;
	const char *boot;
	uint64_t index;
	const char *clock;
};

/*
 * Write the entry into `out`, which is empty and initialised. `body` and `tail` are members without
 * outer commas; either may have no bytes.
 *
 * SIGNET_ERR_LIMIT   the entry would pass SIGNET_ENTRY_MAX
 * SIGNET_ERR_MEMORY
 */
must_check signet_err entry_write(struct buf *out, const struct entry_head *head, const char *body,
    size_t body_len, const char *tail, size_t tail_len);
/* Whether an entry of this kind, body and tail fits whatever its index and clock state turn out to be. */
bool entry_fits(const char *kind, size_t body_len, size_t tail_len);
/* Copy the time out of an entry's bytes; false if they do not begin like an entry. */
bool entry_time_of(const uint8_t *entry, size_t len, char out[ENTRY_TIME]);

#endif
