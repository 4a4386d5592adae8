/*
 * Who may send which PIN to a token now: our own count of PIN tries. Pure
 * state, no clock and no I/O: the caller brings the time and makes each note
 * durable before C_Login is sent. The promise: a machine never spends a try
 * that no person entered, and never the last one unasked.
 *
 *  - a stored PIN goes out only with no note at all on the token and no
 *    warning flag on it;
 *  - a person's PIN waits PIN_PAUSE_US after a failure;
 *  - at two failures, or when the token says so itself, only `lastTry` goes on;
 *  - a note that is still pending when the daemon starts counts as a failure.
 */
#ifndef SIGNET_SIGNETD_PIN_H
#define SIGNET_SIGNETD_PIN_H

#include "base/base.h"

#define PIN_PAUSE_US INT64_C(5000000)
#define PIN_SETTLED_US INT64_C(-1)
enum { PIN_LAST_AT = 2 }; /* failures after which only lastTry goes on */

enum pin_source { PIN_CALL, PIN_AGENT, PIN_STORED, PIN_SOURCES };
const char *pin_source_name(enum pin_source s);

struct pin_note {
	bool pending;
	unsigned failures;
	int64_t last_us;
};

struct pin_state { /* of one token, by serial */
	struct pin_note note[PIN_SOURCES];
	bool count_low, final_try, locked; /* the token's own flags, as last read */
};

enum pin_verdict {
	PIN_GO,
	PIN_WAIT,      /* *wait_us until it may go */
	PIN_ASK_LAST,  /* only with lastTry */
	PIN_NEVER,     /* a stored PIN with a note or a flag: a person must enter it once */
	PIN_IS_LOCKED,
};

enum pin_verdict pin_may(const struct pin_state *p, enum pin_source s, bool last_try, int64_t now_us, int64_t *wait_us);
/* Each changes note[s]; the caller makes it durable: before C_Login for `sending`, with the record for the others. */
void pin_sending(struct pin_state *p, enum pin_source s);
/*
 * A person's success settles every try that was spent; the stored PIN's clears its own note only. A stored PIN that
 * was refused stays back even then, because nothing says that it is right: its note goes on with last_us ==
 * PIN_SETTLED_US and counts no more as a try, until pin_proved.
 */
void pin_accepted(struct pin_state *p, enum pin_source s);
void pin_rejected(struct pin_state *p, enum pin_source s, int64_t now_us);
/* A person's PIN was accepted, and it is the stored one. */
void pin_proved(struct pin_state *p);
/* No try was spent (length refused, token gone before C_Login). */
void pin_unsent(struct pin_state *p, enum pin_source s);
/* Wrong PINs since the last right one of a person, for people. */
unsigned pin_failures(const struct pin_state *p);
/* Flags of CK_TOKEN_INFO as the worker reported them. */
void pin_flags(struct pin_state *p, uint32_t ck_flags);

#endif
