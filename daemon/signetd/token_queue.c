/*
 * Claim, lane, record. Decisions about PINs and leases are made at the claim
 * and take effect in the same order, because after an exclusive job (one that
 * logs in or out) nothing is claimed until it is recorded, and it is sent when
 * all that was claimed before it has its result.
 *
 * Claims run ahead of the lanes while the token is fast, so that many share a
 * commit; a slow token claims what its lanes can take.
 */
#include "token_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "journal.h"
#include "permit.h"
#include "replay.h"
#include "scheme.h"
#include "stamp.h"
#include "token/ckr.h"
#include "token_fair.h"
#include "token_lease.h"
#include "trust.h"

enum { FAST_WINDOW = 64 };

static bool
is_fast(const struct token *t)
{
	return t->measured >= 4 && t->mean_us < WORKER_FAST_US;
}

static unsigned
lane_depth(const struct token *t)
{
	return is_fast(t) ? WORKER_FAST_DEPTH : 1;
}

static unsigned
claim_window(const struct token *t)
{
	return is_fast(t) ? t->conf->lanes * WORKER_FAST_DEPTH + FAST_WINDOW : t->conf->lanes;
}

static void
say_where(const struct token *t, struct fault *f)
{
	fault_set_holder(f, t->conf->holder);
	if (t->seen_us != 0)
		clock_format(t->seen_us, f->last_seen);
}

void
token_fault(const struct token *t, struct fault *f)
{
	const char *name = t->conf->name;

	if (t->state != TOKEN_ABSENT) {
		fault_set(f, SIGNET_ERR_TOKEN_FAILED, name, "%s %s does not work: %s%s", t->conf->device ? "the secure device" : "token",
		    name, t->reason, t->conf->device ? "; sealing and time-stamps stop, personal signing goes on" : "");
		fault_set_reason(f, "%s", t->reason);
		return;
	}
	if (t->conf->device) {
		fault_set(f, SIGNET_ERR_TOKEN_ABSENT, name, "the secure device %s is not there: sealing and time-stamps stop until "
		    "%s connects it; personal signing goes on", name, t->conf->holder != NULL ? t->conf->holder : "its keeper");
		say_where(t, f);
		return;
	}
	fault_set(f, SIGNET_ERR_TOKEN_ABSENT, name, "token %s is not there: insert it%s%s", name,
	    t->conf->holder != NULL ? "; it is kept by " : "", t->conf->holder != NULL ? t->conf->holder : "");
	say_where(t, f);
}

void
token_blocked(const struct token *t, struct fault *f)
{
	const char *contact = t->config->contact;

	fault_set(f, SIGNET_ERR_PIN_BLOCKED, t->conf->name, "the token's PIN is blocked; %s can help",
	    contact != NULL ? contact : "whoever issued the token");
	snprintf(f->contact, sizeof(f->contact), "%s", contact != NULL ? contact : "");
}

void
token_refusal(const struct token *t, struct fault *f)
{
	if (t->removed)
		fault_set(f, SIGNET_ERR_BUSY, NULL, "the daemon is stopping or its configuration has changed; try again");
	else
		fault_set(f, SIGNET_ERR_BUSY, NULL, "too many requests wait for this token (queue-per-token)");
	if (!t->removed)
		f->retry_after_ms = fair_retry_after_ms(t);
}

/* --- the end of a job --- */

static void
finish(struct job *j)
{
	if (j->finished != NULL)
		j->finished(j);
	job_free(j);
}

static void
finish_all(struct job_list *l)
{
	while (l->first != NULL) {
		struct job *j = l->first;

		job_list_remove(l, j);
		finish(j);
	}
}

void
token_fail_queued(struct token *t, const struct fault *f)
{
	struct job_list failed = t->queued;

	memset(&t->queued, 0, sizeof(t->queued));
	for (struct job *j = failed.first; j != NULL; j = j->next) {
		j->state = JOB_RECORDING; /* no longer in the queue: a detach must not look for it there */
		j->fault = *f;
	}
	finish_all(&failed);
}

/* --- record --- */

static void
log_fault(const struct token *t, struct fault *f, const char *sentence)
{
	fault_set(f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", sentence);
	fault_set_reason(f, "%s", ledger_why(t->broker->log));
}

static void
settle_replay(struct job *j)
{
	struct replay *r = j->replay;

	if (r == NULL)
		return;
	j->replay = NULL;
	if (j->unknown || j->fault.err == SIGNET_OK)
		replay_settle(&j->token->broker->replay, r, j->unknown, j->op.index);
	else
		replay_release(&j->token->broker->replay, r);
}

static void
on_recorded(struct ledger_op *op)
{
	struct job *j = op->owner;
	struct token *t = j->token;

	t->recording--;
	if (j->exclusive)
		t->barrier = false;
	if (op->err != SIGNET_OK) { /* the log keeps its own copy; what is not durable is not released */
		if (j->unknown || j->fault.err == SIGNET_OK)
			j->replay = NULL; /* stays bound as running: the record will come, a second signature must not */
		log_fault(t, &j->fault, j->kind == JOB_LOCK && j->fault.err == SIGNET_OK
		    ? "the token is locked, but the log cannot say so" : "");
		wipe(j->sig, sizeof(j->sig));
		j->sig_len = j->cms_len = 0;
	} else {
		j->fault.index = (int64_t)op->index;
		settle_replay(j);
	}
	finish(j);
	token_run(t);
}

static void
submit_record(struct token *t, struct job *j)
{
	bool claimed = j->kind != JOB_LOCK;

	j->state = JOB_RECORDING;
	t->recording++;
	j->op.what = claimed ? LEDGER_RECORD : LEDGER_APPEND;
	j->op.kind = job_entry_kind(j);
	j->op.body = (const char *)j->body.data;
	j->op.body_len = j->body.len;
	j->op.tail = (const char *)j->tail.data;
	j->op.tail_len = j->tail.len;
	j->op.openings = j->openings;
	j->op.opening_count = j->opening_count;
	j->op.kept.unknown = j->unknown;
	if (j->fault.err != SIGNET_OK && !j->unknown)
		j->op.kept.request_id = NULL; /* nothing was signed: the id may be used again */
	j->op.kept.value = j->cms_len > 0 ? j->cms : j->sig;
	j->op.kept.value_len = j->cms_len > 0 ? j->cms_len : j->sig_len;
	lease_note(j, &j->op.tried);
	j->op.done = on_recorded;
	assert(!j->body.failed && !j->tail.failed);
	ledger_submit(t->broker->log, &j->op);
}

void
token_record_failed(struct token *t, struct job *j, bool unknown, const char *detail)
{
	j->unknown = unknown;
	j->sig_len = j->cms_len = 0;
	if (j->kind == JOB_PROBE) { /* leaves no entry */
		if (j->exclusive)
			t->barrier = false;
		finish(j);
		return;
	}
	job_compose_tail(j, unknown ? "unknown" : "failed", detail);
	submit_record(t, j);
}

/* --- result --- */

/* What the caller gets and what the log keeps. Without memory the signature is lost, as if its worker had died. */
static bool
take_signature(struct job *j, const struct wire_result *res)
{
	memcpy(j->sig, res->sig, res->sig_len);
	j->sig_len = res->sig_len;
	if (res->cms_len == 0)
		return true;
	j->cms = malloc(res->cms_len);
	if (j->cms == NULL)
		return false;
	memcpy(j->cms, res->cms, res->cms_len);
	j->cms_len = res->cms_len;
	return true;
}

static void
measure(struct token *t, const struct wire_result *res)
{
	if (res->err != SIGNET_OK)
		return;
	t->mean_us = t->measured == 0 ? res->work_us : (t->mean_us * 15 + res->work_us) / 16;
	if (t->measured < 1000)
		t->measured++;
}

static void
fault_of_result(struct token *t, struct job *j, const struct wire_result *res, char *detail, size_t size)
{
	signet_err err = res->err < SIGNET_ERR_COUNT ? (signet_err)res->err : SIGNET_ERR_TOKEN_FAILED;
	const char *name = t->conf->name;

	snprintf(detail, size, "%s %s", res->stage, ckr_name(res->rv));
	if (j->kind != JOB_SIGN && (err == SIGNET_ERR_PIN_REQUIRED || err == SIGNET_ERR_UNSUPPORTED))
		err = SIGNET_ERR_TOKEN_FAILED; /* these are about keys */
	switch (err) {
	case SIGNET_ERR_PIN_INCORRECT:
		fault_set(&j->fault, err, name, res->login == WIRE_LOGIN_INVALID
		    ? "the token takes no such PIN (its length or characters); no try was spent"
		    : "the token refused the PIN: check it before the next try, wrong ones block the token");
		break;
	case SIGNET_ERR_PIN_BLOCKED:
		token_blocked(t, &j->fault);
		break;
	case SIGNET_ERR_PIN_REQUIRED:
		fault_set(&j->fault, err, name, "the token is locked: unlock it or give its PIN with the call");
		break;
	case SIGNET_ERR_KEY_NOT_FOUND:
		fault_set(&j->fault, SIGNET_ERR_TOKEN_FAILED, name, "the token no longer shows this key");
		fault_set_reason(&j->fault, "key not found");
		break;
	case SIGNET_ERR_TOKEN_ABSENT:
		fault_set(&j->fault, err, name, "the token was removed; insert it and try again");
		say_where(t, &j->fault);
		break;
	case SIGNET_ERR_UNSUPPORTED:
		if (strcmp(res->stage, "format") == 0)
			fault_set(&j->fault, err, "format", "this key makes no such signature: it needs a certificate, "
			    "and an RSA or ECDSA key");
		else
			fault_set(&j->fault, err, "scheme", "the token does not offer this scheme for this key");
		break;
	default:
		fault_set(&j->fault, SIGNET_ERR_TOKEN_FAILED, name, "the token failed at \"%s\" (%s)", res->stage, ckr_name(res->rv));
		fault_set_reason(&j->fault, "%s %s", res->stage, ckr_name(res->rv));
		break;
	}
}

static void
free_note(struct ledger_op *op)
{
	free(op);
}

/* A person's right PIN clears what was noted of other sources; losing this in a crash is safe. */
static void
clear_other_notes(struct token *t, const struct job *j)
{
	for (int s = 0; s < PIN_SOURCES; s++) {
		struct ledger_op *op;

		if (s == (int)j->source || (op = calloc(1, sizeof(*op))) == NULL)
			continue;
		op->what = LEDGER_TRIED;
		op->tried.set = true;
		snprintf(op->tried.serial, sizeof(op->tried.serial), "%.63s", t->pin_name);
		snprintf(op->tried.source, sizeof(op->tried.source), "%s", pin_source_name((enum pin_source)s));
		op->tried.failures = t->pin->note[s].failures;
		op->tried.last_us = t->pin->note[s].last_us;
		op->done = free_note;
		ledger_submit(t->broker->log, op);
	}
}

void
token_on_result(struct token *t, struct job *j, const struct wire_result *res)
{
	char detail[64] = "";

	t->claimed--;
	if (j->kind == JOB_SIGN)
		measure(t, res);
	lease_result(t, j, res);
	if (res->login == WIRE_LOGIN_OK && j->note && j->source != PIN_STORED)
		clear_other_notes(t, j);
	if (res->fatal)
		t->retire = true;
	if (j->kind == JOB_PROBE && res->err == SIGNET_OK) {
		t->barrier = false;
		finish(j);
		return;
	}
	if (res->err != SIGNET_OK) {
		t->failures++;
		fault_of_result(t, j, res, detail, sizeof(detail));
		token_record_failed(t, j, false, detail);
		return;
	}
	t->failures_in_a_row = 0;
	if (j->kind == JOB_SIGN) {
		t->signatures++;
		if (!take_signature(j, res)) {
			fault_set(&j->fault, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
			token_record_failed(t, j, false, "memory");
			return;
		}
	}
	job_compose_tail(j, "ok", NULL);
	submit_record(t, j);
}

/* --- claim --- */

/* Locking and looking take nothing from the key. */
static bool
needs_claim(const struct job *j)
{
	return j->kind == JOB_SIGN || j->kind == JOB_UNLOCK;
}

static void
on_claimed(struct ledger_op *op)
{
	struct job *j = op->owner;
	struct token *t = j->token;

	if (op->err == SIGNET_OK && j->generation != t->generation) { /* the worker it was decided for is gone */
		t->claimed--;
		lease_unsent(t, j);
		token_fault(t, &j->fault);
		token_record_failed(t, j, false, "driver ended");
		return;
	}
	if (op->err == SIGNET_OK) {
		j->state = JOB_READY;
		job_list_push(&t->ready, j);
		token_run(t);
		return;
	}
	t->claimed--;
	lease_unsent(t, j);
	if (j->exclusive)
		t->barrier = false;
	if (op->err == SIGNET_ERR_LIMIT) {
		fault_set(&j->fault, SIGNET_ERR_INVALID_PARAMETER, "document", "the texts do not fit into one log entry");
	} else {
		log_fault(t, &j->fault, "");
	}
	finish(j);
	token_run(t);
}

static void
submit_claim(struct token *t, struct job *j)
{
	j->state = JOB_CLAIMING;
	j->op.what = LEDGER_CLAIM;
	j->op.kind = job_entry_kind(j);
	j->op.body = (const char *)j->body.data;
	j->op.body_len = j->body.len;
	j->op.openings = j->openings;
	j->op.opening_count = j->opening_count;
	j->op.kept.uid = j->who->peer.uid;
	j->op.kept.request_id = j->request_id[0] != '\0' ? j->request_id : NULL;
	memcpy(j->op.kept.input, j->input, sizeof(j->op.kept.input));
	lease_note(j, &j->op.tried);
	j->op.done = on_claimed;
	j->op.owner = j;
	ledger_submit(t->broker->log, &j->op);
}

/* The second permit: this one counts, and its rule is logged. */
static bool
permit_now(struct token *t, struct job *j, const char **rule)
{
	struct verdict v;

	*rule = NULL;
	if (j->verb == VERB_NONE)
		return true; /* our own */
	if (j->kind == JOB_SIGN && !permit_enabled(t->broker, j->who, NULL, j->key, &j->fault))
		return false;
	if (j->kind == JOB_SIGN) /* a time-stamp is asked of the daemon, not of the key that makes it */
		v = permit_again(t->broker, j->who, j->verb, j->format == WIRE_TST ? NULL : j->key->conf->name);
	else
		v = permit_on_token(t->broker, j->who, j->verb, t);
	*rule = v.rule;
	if (!v.permitted)
		fault_set(&j->fault, SIGNET_ERR_NOT_PERMITTED, NULL, "the policy has changed: no rule permits this any more");
	return v.permitted;
}

/* What needs no claim goes on without the log: a token must always be lockable. */
static bool
log_takes_it(struct token *t, struct job *j)
{
	if (!needs_claim(j) || ledger_available(t->broker->log))
		return true;
	log_fault(t, &j->fault, "");
	return false;
}

static bool
scheme_known(struct job *j)
{
	if (j->format == WIRE_TST && !stamp_claim(j, &j->fault))
		return false;
	return j->kind != JOB_SIGN || (scheme_resolve(j->key, j->wanted, &j->scheme, &j->fault) &&
					  format_check(j->key, j->format, &j->fault));
}

/* The certificate first: a PIN is not spent on what would be refused. */
static enum lease_verdict
certificate_allows(struct token *t, struct job *j)
{
	switch (j->kind == JOB_SIGN ? trust_decide(j) : TRUST_GO) {
	case TRUST_WAIT:
		return LEASE_WAIT;
	case TRUST_FAIL:
		return LEASE_FAIL;
	default:
		return lease_decide(t, j);
	}
}

/* Our own jobs go on: they may show that it works again. */
static bool
is_healthy(const struct token *t, struct job *j)
{
	if (!t->unhealthy || j->verb == VERB_NONE)
		return true;
	token_fault(t, &j->fault);
	return false;
}

/* False: the job stays in the queue. A job that failed is moved to `failed`. */
static bool
claim(struct token *t, struct job *j, struct job_list *failed)
{
	const char *rule = NULL;
	enum lease_verdict v = LEASE_FAIL;

	if (j->not_before_ms > uv_now(&t->broker->loop))
		return false;
	if (permit_now(t, j, &rule) && is_healthy(t, j) && log_takes_it(t, j) && scheme_known(j))
		v = certificate_allows(t, j);
	if (v == LEASE_WAIT)
		return false;
	job_list_remove(&t->queued, j);
	fair_served(t, j);
	if (v == LEASE_FAIL) {
		j->state = JOB_RECORDING;
		job_list_push(failed, j);
		return true;
	}
	if (j->format != WIRE_RAW)
		j->time_us = clock_now_us(NULL);
	if (j->kind != JOB_PROBE)
		job_compose_body(j, rule);
	if (j->body.failed) {
		lease_unsent(t, j);
		fault_set(&j->fault, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		j->state = JOB_RECORDING;
		job_list_push(failed, j);
		return true;
	}
	t->claimed++;
	j->generation = t->generation;
	t->barrier = j->exclusive;
	if (needs_claim(j)) {
		submit_claim(t, j);
	} else {
		j->op.owner = j;
		j->state = JOB_READY;
		job_list_push(&t->ready, j);
	}
	return true;
}

static bool
can_send(const struct token *t)
{
	return t->worker != NULL && t->worker->informed && !t->retire && !t->leaving &&
	       t->state != TOKEN_ABSENT && t->state != TOKEN_FAILED && t->state != TOKEN_STARTING;
}

static void
claim_some(struct token *t, struct job_list *failed)
{
	struct job *j = t->queued.first, *next;

	for (; j != NULL && !t->barrier && t->claimed < claim_window(t); j = next) {
		next = j->next;
		claim(t, j, failed);
	}
}

/* --- lanes --- */

/* A person types, where the token has keys of its own and no PIN came with the job. */
static bool
at_the_pad(const struct token *t, const struct job *j)
{
	return token_has_pad(t) && j->pin == NULL && (j->kind == JOB_UNLOCK || j->kind == JOB_SIGN);
}

static unsigned
timeout_of(const struct token *t, const struct job *j)
{
	unsigned ms = j->kind == JOB_SIGN ? t->conf->sign_timeout_ms : 0;

	if (j->kind != JOB_SIGN || (j->flags & WIRE_WITH_PIN) != 0)
		ms += at_the_pad(t, j) ? t->conf->pinpad_timeout_ms : t->conf->login_timeout_ms;
	return ms;
}

/*
 * The exclusive one was claimed last, but may be ready first: a locking needs no commit. It goes when it is the only
 * one that is claimed and not recorded.
 */
static struct job *
next_ready(const struct token *t)
{
	struct job *j = t->ready.first;

	if (j->exclusive && t->claimed > 1)
		return j->next;
	return j;
}

static void
send_some(struct token *t)
{
	struct worker *w = t->worker;

	while (t->ready.first != NULL && can_send(t)) {
		struct job *j = next_ready(t);
		struct lane *l = worker_free_lane(w, lane_depth(t));

		if (j == NULL || l == NULL)
			break;
		if (j->exclusive)
			l = &w->lanes[0];
		job_list_remove(&t->ready, j);
		j->state = JOB_SENT;
		worker_send(w, l, j, timeout_of(t, j));
	}
	if (w != NULL && t->worker == w)
		worker_flush(w);
}

/* Nothing can be done now: those who wait are told, unless a worker is just coming up. */
static void
refuse_some(struct token *t)
{
	struct fault f;

	if (t->queued.first == NULL || t->removed || (t->state != TOKEN_ABSENT && t->state != TOKEN_FAILED))
		return;
	token_fault(t, &f);
	token_fail_queued(t, &f);
}

void
token_run(struct token *t)
{
	struct job_list failed = {.count = 0};

	if (t->running) { /* from a `finished` callback: the loop below goes round once more */
		t->again = true;
		return;
	}
	t->running = true;
	do {
		t->again = false;
		if (can_send(t)) {
			if (!t->removed) /* what is claimed is finished, nothing new begins */
				claim_some(t, &failed);
			send_some(t);
		} else {
			refuse_some(t);
		}
		finish_all(&failed);
	} while (t->again);
	t->running = false;
	if (token_busy(t))
		broker_tick_on(t->broker);
	token_settle(t);
}

signet_err
token_submit(struct token *t, struct job *j)
{
	if (t->removed || !fair_queue(t, j))
		return SIGNET_ERR_BUSY;
	j->state = JOB_QUEUED;
	token_run(t);
	return SIGNET_OK;
}

void
token_submit_own(struct token *t, struct job *j)
{
	j->state = JOB_QUEUED;
	j->round = t->round;
	job_list_push_front(&t->queued, j);
	token_run(t);
}
