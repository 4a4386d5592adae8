/*
 * The way of one unlocking. Whoever says the PIN, each try goes the whole way
 * again: permit, queue, claim. A PIN that cannot go on at once is wiped, and
 * asked for again when it can.
 */
#include "unlocking.h"

#include "broker.h"
#include "dispatch.h"
#include "inbox.h"
#include "permit.h"
#include "signing.h"
#include "token.h"
#include "token_queue.h"

static void
end(struct unlocking *u)
{
	secret_free(u->pin);
	u->pin = NULL;
	answer_done(&u->answer);
	u->done(u);
}

static void
on_prompted(struct prompt *p)
{
	struct unlocking *u = p->owner;

	u->prompt = NULL;
	if (prompt_take(p, &u->answer, &u->fault))
		unlocking_start(u);
	else
		end(u);
}

/* False: nobody can help. The rule is asked for anew: it may have changed while the token was tried. */
static bool
ask(struct unlocking *u, struct token *t, const struct key *k)
{
	struct broker *b = u->r->broker;
	struct verdict v = k != NULL ? permit_again(b, u->r->who, u->r->method->verb, k->conf->name)
				     : permit_on_token(b, u->r->who, u->r->method->verb, t);
	struct asking a = {.r = u->r,
	    .token = t,
	    .key = k,
	    .mode = v.permitted ? v.prompt : POLICY_PROMPT_NO,
	    .caller_only = k == NULL,
	    .done = on_prompted,
	    .owner = u};

	answer_done(&u->answer);
	if (u->by_call || (u->fault.err == SIGNET_ERR_TOKEN_ABSENT && u->fault.index >= 0))
		return false;
	u->prompt = inbox_ask(&a, &u->fault);
	return u->prompt != NULL;
}

/* NULL and the fault. */
static struct token *
permit(struct unlocking *u, struct key **k)
{
	struct request *r = u->r;

	*k = NULL;
	if (u->key_name == NULL)
		return permit_token(r->broker, r->who, r->method, u->token_name, &u->fault);
	*k = permit_key(r->broker, r->who, r->method, u->key_name, &u->fault);
	return *k != NULL && signing_check_use(*k, &u->fault) ? (*k)->token : NULL;
}

static void
on_unlocked(struct job *j)
{
	struct unlocking *u = j->owner;
	struct token *t;
	struct key *k;

	u->job = NULL;
	u->fault = j->fault;
	u->got_uses = j->lease_uses;
	u->until_us = j->lease_until_us;
	if (u->fault.err != SIGNET_OK) {
		struct fault told = u->fault;

		t = permit(u, &k);
		u->fault = told;
		if (t != NULL && ask(u, t, k))
			return;
	}
	end(u);
}

static bool
charge(struct job *j, struct request *r)
{
	if (!quota_charge(&r->broker->quota, r->user, QUOTA_JOBS, 1))
		return false;
	j->user = quota_user_get(&r->broker->quota, r->user->uid);
	return true;
}

static void
fill(struct unlocking *u, struct job *j)
{
	bool by_person = u->answer.pin != NULL;

	/* the right to a PIN is that of the person who enters it; the caller's own is that to his method */
	j->verb = by_person ? u->r->method->verb : VERB_UNLOCK;
	j->source = by_person ? PIN_AGENT : PIN_CALL;
	j->pin = by_person ? u->answer.pin : u->pin;
	j->last_try = by_person ? u->answer.last_try : u->last_try;
	if (by_person) {
		j->agent_uid = u->answer.by->peer.uid;
		u->answer.pin = NULL;
	} else {
		u->pin = NULL;
	}
	j->uses = u->uses;
	j->seconds = u->seconds;
	j->batch = u->batch;
	j->finished = on_unlocked;
	j->owner = u;
}

static bool
submit(struct unlocking *u, struct token *t)
{
	struct job *j = job_new(JOB_UNLOCK, t, u->r->who);

	if (j == NULL) {
		fault_set(&u->fault, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return false;
	}
	fill(u, j);
	if (u->batch == 0 && !charge(j, u->r)) {
		fault_set(
		    &u->fault, SIGNET_ERR_BUSY, NULL, "you have too many requests waiting (jobs-per-uid)");
		job_free(j);
		return false;
	}
	u->job = j;
	if (token_submit(t, j) == SIGNET_OK)
		return true;
	u->job = NULL;
	job_free(j);
	token_refusal(t, &u->fault);
	return false;
}

/* What a try without a PIN would have said. */
static void
set_lack(struct unlocking *u, const struct token *t)
{
	if (t->state == TOKEN_ABSENT || t->state == TOKEN_FAILED)
		token_fault(t, &u->fault);
	else if (t->state == TOKEN_BLOCKED)
		token_blocked(t, &u->fault);
	else
		fault_set(&u->fault, SIGNET_ERR_PIN_REQUIRED, t->conf->name,
		    "a PIN is needed: give it with the call");
}

/* The person enters the PIN at the token itself: no program and no agent sees it. */
static bool
by_pad(const struct unlocking *u, const struct token *t)
{
	return token_has_pad(t) && t->state != TOKEN_BLOCKED &&
	       permit_on_token(u->r->broker, u->r->who, VERB_UNLOCK, t).permitted;
}

void
unlocking_start(struct unlocking *u)
{
	struct request *r = u->r;
	struct key *k;
	struct token *t = permit(u, &k);
	bool goes_on;

	if (t == NULL) {
		end(u);
		return;
	}
	if (u->pin != NULL || by_pad(u, t))
		u->by_call = true;
	if (u->pin == NULL && u->answer.pin == NULL && by_pad(u, t)) {
		goes_on = submit(u, t);
	} else if (u->pin == NULL && u->answer.pin == NULL) {
		set_lack(u, t);
		goes_on = ask(u, t, k);
	} else {
		goes_on = (u->answer.pin != NULL || permit_pin(r->broker, r->who, r->method, t, &u->fault)) &&
			  submit(u, t);
	}
	if (!goes_on)
		end(u);
}

void
unlocking_leave(struct unlocking *u)
{
	if (u->job != NULL)
		job_detach(u->job);
	prompt_withdraw(u->prompt);
	u->job = NULL;
	u->prompt = NULL;
	secret_free(u->pin);
	u->pin = NULL;
	answer_done(&u->answer);
}
