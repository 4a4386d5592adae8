/*
 * Leases and PINs [DESIGN: tokens and PINs]. A lease belongs to the person who
 * entered the PIN; only his calls use it up. While it stands another person's
 * PIN is Busy, because a token that is logged in may call any PIN right.
 */
#include "token_lease.h"

#include <p11-kit/pkcs11.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "credential.h"
#include "permit.h"
#include "token_queue.h"

bool
token_lease_needed(const struct token *t)
{
	return (t->flags & CKF_LOGIN_REQUIRED) != 0;
}

bool
lease_expired(const struct token *t, uint64_t now_ms)
{
	return t->lease.stands && t->lease.until_ms != 0 && now_ms >= t->lease.until_ms;
}

static bool
lease_is_mine(const struct token *t, uid_t uid, uint64_t batch)
{
	const struct lease *l = &t->lease;

	if (!l->stands || lease_expired(t, uv_now(&t->broker->loop)))
		return false;
	if (l->batch != 0)
		return l->batch == batch;
	return l->shared || l->owner == uid;
}

bool
token_lease_serves(const struct token *t, uid_t uid, uint64_t batch)
{
	return !token_lease_needed(t) || (lease_is_mine(t, uid, batch) && t->lease.uses > 0);
}

static enum lease_verdict
fail(struct job *j, signet_err err, const char *sentence)
{
	fault_set(&j->fault, err, j->token->conf->name, "%s", sentence);
	return LEASE_FAIL;
}

static enum lease_verdict
busy_until_lease_ends(struct token *t, struct job *j)
{
	uint64_t now = uv_now(&t->broker->loop);

	fail(j, SIGNET_ERR_BUSY, t->lease.batch != 0 ? "the token is unlocked for a batch; try again when that is done"
						     : "the token is unlocked for another person; try again when that ends");
	/* a batch ends with its last item, long before its time */
	j->fault.retry_after_ms = t->lease.batch == 0 && t->lease.until_ms > now ? (int)(t->lease.until_ms - now) : 1000;
	return LEASE_FAIL;
}

/* A C_Login of this job goes out, or went: from here on its note is settled by what the worker says, or by its end. */
static void
note_try(struct token *t, struct job *j, enum pin_source source)
{
	j->note = true;
	j->source = source;
	j->tries = t->pin;
	snprintf(j->tries_of, sizeof(j->tries_of), "%.63s", t->pin_name);
}

/* Is a PIN of this source let out now? Makes the note. */
static enum lease_verdict
ask_pin_rules(struct token *t, struct job *j)
{
	int64_t wait_us = 0;
	uid_t person = j->source == PIN_AGENT ? j->agent_uid : j->who->peer.uid;
	bool last_try = j->last_try && token_is_held_by(t, person);

	switch (pin_may(t->pin, j->source, last_try, clock_now_us(NULL), &wait_us)) {
	case PIN_GO:
		pin_sending(t->pin, j->source);
		note_try(t, j, j->source);
		return LEASE_GO;
	case PIN_WAIT:
		j->not_before_ms = uv_now(&t->broker->loop) + (uint64_t)wait_us / 1000 + 1;
		return LEASE_WAIT;
	case PIN_ASK_LAST:
		return fail(j, SIGNET_ERR_PIN_LAST_TRY, j->last_try && !last_try
		    ? "one more wrong PIN may block the token: only its holder (holder-user) can ask for that"
		    : "one more wrong PIN may block the token; its holder, sure of the PIN, repeats with lastTry");
	case PIN_IS_LOCKED:
		token_blocked(t, &j->fault);
		return LEASE_FAIL;
	case PIN_NEVER:
		break;
	}
	return fail(j, SIGNET_ERR_PIN_REQUIRED,
	    "the stored PIN is not sent again after a failure; a person must enter the right PIN once");
}

/* How the person is known whose PIN came this way. */
static const char *
proof_of(enum pin_source source)
{
	static const char *const proofs[PIN_SOURCES] = {
	    [PIN_CALL] = "pin", [PIN_AGENT] = "agent", [PIN_STORED] = "credential"};

	return proofs[source];
}

/* Does a login that others rely on have to survive this PIN, should it be wrong? */
static void
keep_standing_lease(const struct token *t, struct job *j)
{
	j->flags |= WIRE_KEEP_PIN;
	if (t->lease.stands && t->lease.shared)
		j->flags |= WIRE_RESTORE;
}

static enum lease_verdict
decide_with_pin(struct token *t, struct job *j)
{
	bool mine = lease_is_mine(t, j->who->peer.uid, j->batch);
	enum lease_verdict v;

	if (t->lease.stands && !mine && !lease_expired(t, uv_now(&t->broker->loop)))
		return busy_until_lease_ends(t, j);
	if (j->pin != NULL && j->source != PIN_STORED && t->conf->credential != NULL && t->pin->note[PIN_STORED].failures > 0)
		j->is_stored_pin = credential_is(t->conf->credential, j->pin);
	v = ask_pin_rules(t, j);
	if (v != LEASE_GO)
		return v;
	j->exclusive = true;
	j->proof = proof_of(j->source);
	if (j->kind == JOB_UNLOCK) {
		keep_standing_lease(t, j);
	} else {
		j->flags |= WIRE_WITH_PIN;
		if (mine)
			keep_standing_lease(t, j);
		else
			j->flags |= WIRE_THEN_LOGOUT;
	}
	return LEASE_GO;
}

static enum lease_verdict
blocked(const struct token *t, struct job *j)
{
	token_blocked(t, &j->fault);
	return LEASE_FAIL;
}

/* The person is at the token and may unlock it: its pad asks him, and nothing of that passes us. */
static bool
goes_by_pad(const struct token *t, const struct job *j)
{
	return token_has_pad(t) && j->batch == 0 && j->user != NULL &&
	       permit_on_token(t->broker, j->who, VERB_UNLOCK, t).permitted;
}

static enum lease_verdict
decide_without_pin(struct token *t, struct job *j)
{
	if (!token_lease_needed(t)) {
		j->proof = "uid";
		return LEASE_GO;
	}
	if (t->state == TOKEN_BLOCKED)
		return blocked(t, j);
	if (t->storing || lease_wants_stored(t))
		return LEASE_WAIT; /* the stored PIN is about to go out, or just has */
	if ((!lease_is_mine(t, j->who->peer.uid, j->batch) || t->lease.uses == 0) && goes_by_pad(t, j))
		return decide_with_pin(t, j);
	if (!lease_is_mine(t, j->who->peer.uid, j->batch) || t->lease.uses == 0)
		return fail(j, SIGNET_ERR_PIN_REQUIRED, "the token is locked: unlock it (`signetctl token unlock`) "
							"or give its PIN with the call");
	j->proof = t->lease.shared ? "uid" : proof_of(t->lease.source);
	j->lease = t->lease.number;
	if (t->lease.uses == UINT64_MAX)
		return LEASE_GO;
	j->took_use = true;
	if (--t->lease.uses == 0 && t->lease.batch == 0) {
		j->flags |= WIRE_THEN_LOGOUT; /* spent: logged out before the reply */
		j->exclusive = true;
	}
	return LEASE_GO;
}

enum lease_verdict
lease_decide(struct token *t, struct job *j)
{
	if (j->kind == JOB_LOCK && j->lease != 0 && j->lease != t->lease.number)
		return LEASE_FAIL; /* without a fault: what it was to end has ended, and another may stand */
	if (j->kind == JOB_LOCK || j->kind == JOB_PROBE) {
		j->exclusive = true;
		return LEASE_GO;
	}
	if (j->kind == JOB_UNLOCK && j->pin == NULL && !token_has_pad(t)) /* it lost its pad while this waited */
		return fail(j, SIGNET_ERR_PIN_REQUIRED, "the token needs its PIN");
	return j->pin != NULL || j->kind == JOB_UNLOCK ? decide_with_pin(t, j) : decide_without_pin(t, j);
}

static void
grant_lease(struct token *t, struct job *j)
{
	struct lease *l = &t->lease;
	uint64_t now = uv_now(&t->broker->loop);

	if (l->stands && l->stored && j->source != PIN_STORED) { /* the PIN was right; the standing lease goes on */
		j->lease_uses = j->uses;
		j->lease_until_us = clock_now_us(NULL) + (int64_t)j->seconds * 1000000;
		return;
	}
	memset(l, 0, sizeof(*l));
	t->hand_locked = false;
	l->stands = true;
	l->number = ++t->leases;
	l->source = j->source;
	l->owner = j->who->peer.uid;
	l->batch = j->batch;
	if (j->source == PIN_STORED) {
		l->stored = l->shared = true;
		l->uses = UINT64_MAX;
		return;
	}
	l->shared = t->conf->lease_shared && j->batch == 0;
	l->uses = j->uses;
	l->until_ms = now + j->seconds * 1000;
	if (j->batch != 0 && j->finished == NULL) /* the batch has gone: nobody else would end it */
		l->until_ms = now;
	j->lease_uses = j->uses;
	j->lease_until_us = clock_now_us(NULL) + (int64_t)j->seconds * 1000000;
}

static void
end_lease(struct token *t)
{
	memset(&t->lease, 0, sizeof(t->lease));
	if (t->state == TOKEN_READY && token_lease_needed(t))
		t->state = TOKEN_LOCKED;
}

static void
count_pin(struct token *t, struct job *j, const struct wire_result *res)
{
	int64_t now = clock_now_us(NULL);

	switch (res->login) {
	case WIRE_LOGIN_OK:
		pin_accepted(j->tries, j->source);
		if (j->is_stored_pin)
			pin_proved(j->tries);
		if (j->source != PIN_STORED)
			t->store_failed = false;
		break;
	case WIRE_LOGIN_NONE:
	case WIRE_LOGIN_INVALID:
		pin_unsent(j->tries, j->source);
		break;
	case WIRE_LOGIN_BLOCKED:
		pin_rejected(j->tries, j->source, now);
		pin_flags(j->tries, res->flags | CKF_USER_PIN_LOCKED);
		break;
	default: /* rejected, or not known whether a try was spent: counts as one */
		pin_rejected(j->tries, j->source, now);
		if ((j->flags & WIRE_RESTORE) != 0 && !res->logged_in) /* nor was the lease's PIN taken any more */
			pin_rejected(j->tries, j->source, now);
		break;
	}
	if (res->login != WIRE_LOGIN_NONE && res->login != WIRE_LOGIN_BLOCKED) {
		t->flags = res->flags;
		pin_flags(j->tries, res->flags);
	}
	if (j->tries->locked)
		t->state = TOKEN_BLOCKED;
}

static bool
repeated_pin_failed(const struct wire_result *res)
{
	return res->login == WIRE_LOGIN_REJECTED || res->login == WIRE_LOGIN_BLOCKED || res->login == WIRE_LOGIN_ERROR;
}

void
lease_result(struct token *t, struct job *j, const struct wire_result *res)
{
	if (!j->note && repeated_pin_failed(res)) { /* a key that wants the PIN each time got the lease's, and refused it */
		note_try(t, j, t->lease.source);
		end_lease(t);
	}
	if (j->note)
		count_pin(t, j, res);
	if (j->kind == JOB_UNLOCK && res->err == SIGNET_OK)
		grant_lease(t, j);
	if (j->kind == JOB_LOCK && j->user != NULL)
		t->hand_locked = true;
	if (!res->logged_in) /* also where nobody asked for it: the token has forgotten */
		end_lease(t);
	if (res->logged_in && t->state == TOKEN_LOCKED)
		t->state = TOKEN_READY;
}

void
lease_unsent(struct token *t, struct job *j)
{
	if (j->note)
		pin_unsent(j->tries, j->source);
	if (j->took_use && t->lease.stands && t->lease.number == j->lease)
		t->lease.uses++;
}

void
lease_lost(struct job *j)
{
	if (j->note)
		pin_rejected(j->tries, j->source, clock_now_us(NULL));
}

void
lease_note(const struct job *j, struct ledger_tried *tried)
{
	const struct pin_note *n;

	memset(tried, 0, sizeof(*tried));
	if (!j->note)
		return;
	n = &j->tries->note[j->source];
	tried->set = true;
	snprintf(tried->serial, sizeof(tried->serial), "%s", j->tries_of);
	snprintf(tried->source, sizeof(tried->source), "%s", pin_source_name(j->source));
	tried->pending = n->pending;
	tried->failures = n->failures;
	tried->last_us = n->last_us;
}

bool
lease_wants_stored(const struct token *t)
{
	int64_t wait_us;

	if (t->conf->credential == NULL || t->removed || t->hand_locked || t->store_failed || !token_lease_needed(t) ||
	    t->lease.stands || t->state != TOKEN_LOCKED)
		return false;
	if (uv_now(&t->broker->loop) < t->store_after_ms || !ledger_available(t->broker->log))
		return false;
	return pin_may(t->pin, PIN_STORED, false, clock_now_us(NULL), &wait_us) == PIN_GO;
}
