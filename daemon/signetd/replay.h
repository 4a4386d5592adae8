/*
 * What each requestId of each user is bound to, in memory; the durable half is
 * kept with the entries and read back at start. Same id and same input: the
 * first reply again, without PIN or lease. Same id, other input: an error.
 * Outcome unknown: an error for ever. Kept 30 days or 100,000 rows per uid,
 * whichever ends first.
 */
#ifndef SIGNET_SIGNETD_REPLAY_H
#define SIGNET_SIGNETD_REPLAY_H

#include "ledger/ledger.h"

enum { REPLAY_PER_UID = 100000 };
#define REPLAY_AGE_US (INT64_C(30) * 24 * 3600 * 1000000)

enum replay_state { REPLAY_RUNNING, REPLAY_DONE, REPLAY_UNKNOWN };

struct replay_waiter { /* someone who sent the same request while the first one runs */
	struct replay_waiter *next, **at;
	void (*done)(struct replay_waiter *w); /* look again: the binding has changed or is gone */
};

struct replay_user;

struct replay {
	struct replay *hash_next;
	struct replay *older, *newer; /* of the same user */
	struct replay_user *user;
	enum replay_state state;
	uint64_t index;
	int64_t bound_us;
	uint8_t input[LEDGER_HASH];
	struct replay_waiter *waiters;
	char request_id[];
};

struct replay_map {
	struct replay **slots;
	size_t slot_count, count;
	struct replay_user *users;
};

must_check signet_err replay_init(struct replay_map *m);
void replay_done(struct replay_map *m);
/* NULL: not bound. */
struct replay *replay_find(struct replay_map *m, uid_t uid, const char *request_id);
/* Bind, state RUNNING; the oldest ones of this uid go when there are too many. NULL without memory. */
struct replay *replay_bind(struct replay_map *m, uid_t uid, const char *request_id, const uint8_t *input, int64_t now_us);
/* Durable: DONE or UNKNOWN at this entry. Waiters are called. */
void replay_settle(struct replay_map *m, struct replay *r, bool unknown, uint64_t index);
/* Nothing was signed: the id is free again. Waiters are called. */
void replay_release(struct replay_map *m, struct replay *r);
void replay_wait(struct replay *r, struct replay_waiter *w);
/* The waiter goes away before it is called: also while others are, and when the binding has gone already. */
void replay_leave(struct replay_waiter *w);

#endif
