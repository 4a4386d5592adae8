/*
 * The count of PIN tries of one token.
 *
 * Invariant: whatever the order of events, a note with a failure, or one still
 * pending, is only ever cleared by a PIN that the token accepted; and the stored PIN
 * never goes out while there is one, nor after a refusal of its own until it was proved right. A pending note weighs as much as a
 * failure: nobody knows whether its try was spent.
 *
 * Flags: CK_TOKEN_INFO [PKCS #11 v2.40, 3.2].
 */
#include <assert.h>
#include <limits.h>

#include <p11-kit/pkcs11.h>

#include "pin.h"

static const char *const source_names[PIN_SOURCES] = {
    [PIN_CALL] = "call",
    [PIN_AGENT] = "agent",
    [PIN_STORED] = "stored",
};

const char *
pin_source_name(enum pin_source s)
{
	return (unsigned)s < PIN_SOURCES ? source_names[s] : NULL;
}

static void
count_failure(struct pin_note *n)
{
	if (n->failures < UINT_MAX)
		n->failures++;
}

/* A stored PIN that was refused before a person's right one: no try that counts, but never sent again. */
static bool
is_settled(const struct pin_note *n)
{
	return n->failures > 0 && n->last_us == PIN_SETTLED_US;
}

/* Tries that were spent, or may have been, since a person's PIN was last accepted; counted no further than needed. */
static unsigned
spent(const struct pin_state *p)
{
	unsigned i, sum = 0;

	for (i = 0; i < PIN_SOURCES; i++) {
		if (!is_settled(&p->note[i]))
			sum += p->note[i].failures < PIN_LAST_AT ? p->note[i].failures : PIN_LAST_AT;
		sum += p->note[i].pending;
	}
	return sum;
}

/* What is left of the pause after the latest failure; 0 if nothing. */
static int64_t
pause_left(const struct pin_state *p, int64_t now_us)
{
	int64_t left = 0, until, rest;
	unsigned i;

	for (i = 0; i < PIN_SOURCES; i++) {
		if (p->note[i].failures == 0 || is_settled(&p->note[i]))
			continue;
		if (__builtin_add_overflow(p->note[i].last_us, PIN_PAUSE_US, &until) ||
		    __builtin_sub_overflow(until, now_us, &rest))
			continue;
		/* a failure far in the future is a clock set back: nobody waits for hours */
		if (rest > 2 * PIN_PAUSE_US)
			continue;
		if (rest > left)
			left = rest;
	}
	return left;
}

enum pin_verdict
pin_may(const struct pin_state *p, enum pin_source s, bool last_try, int64_t now_us, int64_t *wait_us)
{
	bool warned = p->count_low || p->final_try;
	int64_t left;

	assert((unsigned)s < PIN_SOURCES);
	*wait_us = 0;
	if (p->locked)
		return PIN_IS_LOCKED;
	if (s == PIN_STORED)
		return spent(p) > 0 || p->note[s].failures > 0 || warned ? PIN_NEVER : PIN_GO;
	if ((spent(p) >= PIN_LAST_AT || warned) && !last_try)
		return PIN_ASK_LAST;
	left = pause_left(p, now_us);
	if (left > 0) {
		*wait_us = left;
		return PIN_WAIT;
	}
	return PIN_GO;
}

void
pin_sending(struct pin_state *p, enum pin_source s)
{
	struct pin_note *n = &p->note[s];

	/* the try before this one never got an answer: it counts as spent for good */
	if (n->pending)
		count_failure(n);
	n->pending = true;
}

void
pin_accepted(struct pin_state *p, enum pin_source s)
{
	struct pin_note stored = p->note[PIN_STORED];
	unsigned i;

	if (s == PIN_STORED) {
		p->note[s] = (struct pin_note){0};
		return;
	}
	for (i = 0; i < PIN_SOURCES; i++)
		p->note[i] = (struct pin_note){0};
	if (stored.failures > 0 || stored.pending)
		p->note[PIN_STORED] = (struct pin_note){.failures = 1, .last_us = PIN_SETTLED_US};
}

void
pin_proved(struct pin_state *p)
{
	p->note[PIN_STORED] = (struct pin_note){0};
}

void
pin_rejected(struct pin_state *p, enum pin_source s, int64_t now_us)
{
	struct pin_note *n = &p->note[s];

	n->pending = false;
	count_failure(n);
	n->last_us = now_us;
}

void
pin_unsent(struct pin_state *p, enum pin_source s)
{
	p->note[s].pending = false;
}

unsigned
pin_failures(const struct pin_state *p)
{
	unsigned i, sum = 0;

	for (i = 0; i < PIN_SOURCES; i++)
		if (!is_settled(&p->note[i]) && __builtin_add_overflow(sum, p->note[i].failures, &sum))
			return UINT_MAX;
	return sum;
}

void
pin_flags(struct pin_state *p, uint32_t ck_flags)
{
	p->count_low = (ck_flags & CKF_USER_PIN_COUNT_LOW) != 0;
	p->final_try = (ck_flags & CKF_USER_PIN_FINAL_TRY) != 0;
	p->locked = (ck_flags & CKF_USER_PIN_LOCKED) != 0;
}
