/*
 * Refusals in the log, folded: the first one of a kind is an entry at once,
 * repeats are counted and written as one entry every ten minutes; a uid that
 * still makes too many entries in a day is only counted. Nobody can fill the
 * log by being refused.
 */
#ifndef SIGNET_SIGNETD_REFUSAL_H
#define SIGNET_SIGNETD_REFUSAL_H

#include "policy.h"

struct broker;
struct identity;
struct method;

enum { REFUSAL_FOLD_MS = 600000, REFUSAL_KINDS_MAX = 4096 };

struct refusal;

struct refusals {
	struct refusal *first;
	size_t count;
	struct refusal_day *days; /* entries per uid today */
	int64_t day;
};

/* `key`: a configured name or NULL; names that a peer made up are not distinguished. */
void refusal_note(struct broker *b, const struct identity *who, const struct method *m, enum verb verb, const char *key);
/* Write what was counted; at_end: all of it, because the daemon stops. */
void refusals_flush(struct broker *b, uint64_t now_ms, bool at_end);
void refusals_done(struct refusals *r);

#endif
