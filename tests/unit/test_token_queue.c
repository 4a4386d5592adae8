/* daemon/signetd/token_queue.c, token_lease.c, token.c: claims, leases, PINs and workers that die */
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "unit.h"

static int
teardown(void **state)
{
	struct broker_case *c = *state;

	c->log_full = c->hold_claims = c->hold_records = c->no_answers = false;
	case_release(c);
	while (c->job_count > 0)
		case_answer_ok(c, 0);
	case_quiet(c);
	for (uid_t uid = CASE_ADMIN; uid <= CASE_STRANGER; uid++) /* the books balance */
		if (case_used(c, uid, QUOTA_JOBS) != 0)
			return -1;
	case_stop(c);
	case_remove_dir(c);
	return 0;
}

static const char token_a[] = "[token a]\nmodule = /usr/bin/env\nlabel = a\n%s"
			      "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n%s";

/* Start again with this in the section of token `a`, and a credential `pin` that says `pin`. */
static void
start_with(struct broker_case *c, const char *more, const char *pin)
{
	char text[4096], path[128];
	FILE *f;

	case_stop(c);
	snprintf(text, sizeof(text), token_a, more, case_rules);
	case_configure(c, text);
	snprintf(path, sizeof(path), "%s/pin", c->dir);
	setenv("CREDENTIALS_DIRECTORY", c->dir, 1);
	if (pin != NULL) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(pin, f);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(chmod(path, 0600), 0);
	}
	c->logins = 0;
	case_start(c);
}

static void
unlock(struct broker_case *c, struct client *k, const char *token, int uses)
{
	assert_string_equal(client_call(c, k, CALL_UNLOCK, token, CASE_PIN, uses), "");
}

struct wanted_worker {
	const char *token;
	uint64_t starts;
};

static bool
has_started(const struct broker_case *c, const void *arg)
{
	const struct wanted_worker *w = arg;

	return broker_token(&c->b, w->token)->worker_starts >= w->starts;
}

/* Until this token's n-th worker has been started. */
static void
case_until_worker(struct broker_case *c, const char *token, uint64_t n)
{
	struct wanted_worker w = {token, n};

	case_until(c, has_started, &w, "the next worker");
}

static uint8_t
job_type(const struct broker_case *c, unsigned n)
{
	assert_true(n < c->job_count);
	return c->jobs[n].type;
}

/* --- order --- */

static void
locks_after_what_was_claimed_before(void **state)
{
	struct broker_case *c = *state;
	struct client signer, locker;

	client_connect(c, &signer, CASE_ALICE);
	client_connect(c, &locker, CASE_ALICE);
	broker_token(&c->b, "a")->measured = 10; /* known to be fast: claims run ahead */
	unlock(c, &signer, "a", 5);
	c->no_answers = c->hold_claims = true;
	client_send(&signer, CALL_SIGN, "k", case_digest(1));
	case_until_held(c, 1);
	client_send(&locker, CALL_LOCK, "a");
	case_quiet(c);
	assert_int_equal(c->job_count, 0); /* locked now, the signature would fail */
	c->hold_claims = false;
	case_release(c);
	case_until_jobs(c, 1);
	case_quiet(c);
	assert_int_equal(c->job_count, 1);
	assert_int_equal(job_type(c, 0), WIRE_SIGN);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	assert_int_equal(job_type(c, 0), WIRE_LOGOUT);
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &signer), "");
	assert_string_equal(client_error(c, &locker), "");
	client_close(&signer);
	client_close(&locker);
}

static void
nothing_is_claimed_behind_a_login_until_it_is_recorded(void **state)
{
	struct broker_case *c = *state;
	struct client a, b;

	client_connect(c, &a, CASE_ALICE);
	client_connect(c, &b, CASE_ALICE);
	c->hold_records = true;
	client_send(&a, CALL_UNLOCK, "a", CASE_PIN, 5);
	case_until_held(c, 1);
	c->hold_claims = true;
	client_send(&b, CALL_SIGN, "k", case_digest(1));
	case_quiet(c);
	assert_int_equal(c->held_count, 1);
	c->hold_records = c->hold_claims = false;
	case_release(c);
	assert_string_equal(client_error(c, &a), "");
	assert_string_equal(client_error(c, &b), "");
	client_close(&a);
	client_close(&b);
}

static void
one_token_waits_for_nobody_elses(void **state)
{
	struct broker_case *c = *state;
	struct client a, b;

	client_connect(c, &a, CASE_ALICE);
	client_connect(c, &b, CASE_ALICE);
	unlock(c, &b, "b", 5);
	c->no_answers = true;
	client_send(&a, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	client_send(&b, CALL_SIGN, "m", case_digest(2));
	case_until_jobs(c, 2);
	case_answer_ok(c, 1);
	assert_string_equal(client_error(c, &b), "");
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &a), "");
	client_close(&a);
	client_close(&b);
}

/* --- leases --- */

static void
use_comes_back_if_the_claim_is_not_written(void **state)
{
	struct broker_case *c = *state;
	struct client k, other;

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &other, CASE_BOB);
	unlock(c, &k, "a", 1);
	c->hold_claims = true;
	client_send(&k, CALL_SIGN, "k", case_digest(1));
	case_until_held(c, 1);
	c->hold_claims = false;
	case_refuse(c, SIGNET_ERR_LOG_UNAVAILABLE);
	assert_string_equal(client_error(c, &k), "LogUnavailable");
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "");
	assert_string_equal(
	    client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "PinRequired"); /* it was one */
	assert_string_equal(client_call(c, &other, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "");
	client_close(&k);
	client_close(&other);
}

static void
a_lease_is_its_owners_and_others_pins_wait(void **state)
{
	struct broker_case *c = *state;
	struct client alice, bob;
	unsigned logins;

	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	unlock(c, &alice, "a", 2);
	logins = c->logins;
	assert_string_equal(client_call(c, &bob, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	assert_string_equal(client_call(c, &bob, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "Busy");
	assert_string_equal(client_call(c, &bob, CALL_UNLOCK, "a", "0000", 1), "Busy");
	assert_int_equal(c->logins, logins);
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "");
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "");
	assert_int_equal(
	    broker_token(&c->b, "a")->state, TOKEN_LOCKED); /* spent: logged out with the last one */
	assert_string_equal(client_call(c, &bob, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "");
	client_close(&alice);
	client_close(&bob);
}

/* The end of one unlocking was on its way while the next one began. */
static void
renewed_lease_outlives_the_end_of_the_one_before(void **state)
{
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	unlock(c, &k, "a", 5);
	c->hold_claims = true;
	client_send(&k, CALL_UNLOCK, "a", CASE_PIN, 5);
	case_until_held(c, 1);
	t->lease.until_ms = 1; /* its time is over */
	token_tick(t, uv_now(&c->b.loop));
	assert_true(t->locking);
	c->hold_claims = false;
	case_release(c);
	assert_string_equal(client_error(c, &k), "");
	case_quiet(c);
	assert_false(t->locking);
	assert_true(t->lease.stands);
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "");
	client_close(&k);
}

static void
expired_lease_is_ended_by_a_logout(void **state)
{
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	unlock(c, &k, "a", 5);
	c->no_answers = true;
	t->lease.until_ms = 1;
	client_send(&k, CALL_SIGN, "k", case_digest(1));
	case_until_jobs(c, 1);
	assert_int_equal(job_type(c, 0), WIRE_LOGOUT);
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &k), "PinRequired");
	case_quiet(c);
	assert_false(t->lease.stands);
	client_close(&k);
}

static void
token_that_forgets_its_login_is_locked(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	struct wire_result r;

	client_connect(c, &k, CASE_ALICE);
	unlock(c, &k, "a", 5);
	c->no_answers = true;
	client_send(&k, CALL_SIGN, "k", case_digest(1));
	case_until_jobs(c, 1);
	r = case_result(c, 0);
	r.logged_in = 0;
	r.err = SIGNET_ERR_PIN_REQUIRED;
	r.rv = CKR_USER_NOT_LOGGED_IN;
	r.sig_len = 0;
	case_answer(c, 0, &r);
	assert_string_equal(client_error(c, &k), "PinRequired");
	assert_false(broker_token(&c->b, "a")->lease.stands);
	assert_int_equal(broker_token(&c->b, "a")->state, TOKEN_LOCKED);
	client_close(&k);
}

static void
shared_lease_survives_a_wrong_pin(void **state)
{
	struct broker_case *c = *state;
	struct client alice, bob;

	start_with(c, "lease = shared\n", NULL);
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	unlock(c, &alice, "a", 5);
	assert_string_equal(client_call(c, &bob, CALL_SIGN_PIN, "k", case_digest(1), "0000"), "PinIncorrect");
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(2)), "");
	assert_string_equal(client_call(c, &bob, CALL_SIGN, "k", case_digest(2)), "");
	client_close(&alice);
	client_close(&bob);
}

static void
token_is_locked_although_the_log_cannot_be_written(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	unlock(c, &k, "a", 5);
	c->log_full = true;
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "LogUnavailable");
	assert_string_equal(client_call(c, &k, CALL_LOCK, "a"), "");
	assert_int_equal(broker_token(&c->b, "a")->state, TOKEN_LOCKED);
	client_close(&k);
}

/* --- PINs --- */

static void
pin_of_impossible_length_costs_no_try_and_says_so(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	struct wire_result r;
	json_t *reply;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&k, CALL_UNLOCK, "a", "1", 1);
	case_until_jobs(c, 1);
	r = case_result(c, 0);
	r.login = WIRE_LOGIN_INVALID;
	r.rv = CKR_PIN_LEN_RANGE;
	case_answer(c, 0, &r);
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Token.PinIncorrect");
	assert_non_null(
	    strstr(json_member_str(json_object_get(reply, "parameters"), "message"), "no try was spent"));
	assert_int_equal(broker_token(&c->b, "a")->pin->note[PIN_CALL].failures, 0);
	assert_false(broker_token(&c->b, "a")->pin->note[PIN_CALL].pending);
	json_decref(reply);
	client_close(&k);
}

/* The durable half of a note, as the next start will find it. */
static void
find_note(void *arg, const struct ledger_tried *tried)
{
	struct ledger_tried *found = arg;

	if (strcmp(tried->serial, found->serial) == 0)
		*found = *tried;
}

static struct ledger_tried
durable_note(struct broker_case *c, const char *serial)
{
	struct ledger_tried found = {.set = false};

	snprintf(found.serial, sizeof(found.serial), "%s", serial);
	case_quiet(c);
	assert_int_equal(ledger_each_tried(c->b.log, find_note, &found), SIGNET_OK);
	return found;
}

static void
wrong_pin_is_noted_for_good_and_a_right_one_clears_it(void **state)
{
	struct broker_case *c = *state;
	struct ledger_tried note;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, CALL_UNLOCK, "a", "0000", 1), "PinIncorrect");
	note = durable_note(c, "serial-a");
	assert_true(note.set);
	assert_int_equal(note.failures, 1);
	assert_false(note.pending);
	broker_token(&c->b, "a")->pin->note[PIN_CALL].last_us -= PIN_PAUSE_US; /* the pause is over */
	unlock(c, &k, "a", 1);
	assert_false(durable_note(c, "serial-a").set);
	client_close(&k);
}

/* Each way in which a job with a PIN can end without an answer to it. */
static void
no_note_stays_pending_whatever_ends_the_job(void **state)
{
	struct broker_case *c = *state;
	struct pin_state *pin = broker_token(&c->b, "a")->pin;
	struct ledger_tried note;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->hold_claims = true; /* the claim is not written */
	client_send(&k, CALL_UNLOCK, "a", CASE_PIN, 1);
	case_until_held(c, 1);
	assert_true(pin->note[PIN_CALL].pending);
	case_refuse(c, SIGNET_ERR_LOG_UNAVAILABLE);
	assert_string_equal(client_error(c, &k), "LogUnavailable");
	assert_false(pin->note[PIN_CALL].pending);
	assert_false(durable_note(c, "serial-a").set);

	client_send(&k, CALL_UNLOCK, "a", CASE_PIN, 1); /* the worker dies before the claim is written */
	case_until_held(c, 1);
	case_worker_dies(c, case_worker(c, "a"));
	case_quiet(c);
	c->hold_claims = false;
	case_release(c);
	assert_string_equal(client_error(c, &k), "TokenFailed");
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_false(pin->note[PIN_CALL].pending);
	assert_int_equal(pin->note[PIN_CALL].failures, 0);
	assert_false(durable_note(c, "serial-a").set);

	c->no_answers = true; /* the worker dies with the PIN: the try counts */
	client_send(&k, CALL_UNLOCK, "a", CASE_PIN, 1);
	case_until_jobs(c, 1);
	case_worker_dies(c, case_worker(c, "a"));
	assert_string_equal(client_error(c, &k), "TokenFailed");
	c->no_answers = false;
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_false(pin->note[PIN_CALL].pending);
	assert_int_equal(pin->note[PIN_CALL].failures, 1);
	note = durable_note(c, "serial-a");
	assert_int_equal(note.failures, 1);
	assert_false(note.pending);
	client_close(&k);
}

/* Another token lies in the slot when the claim comes back: the note belongs to the one before. */
static bool
worker_is_gone(const struct broker_case *c, const void *generation)
{
	return broker_token(&c->b, "a")->generation != *(const uint64_t *)generation;
}

static void
note_stays_with_the_token_it_was_made_for(void **state)
{
	struct broker_case *c = *state;
	uint64_t generation = broker_token(&c->b, "a")->generation;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->hold_claims = true;
	client_send(&k, CALL_UNLOCK, "a", CASE_PIN, 1);
	case_until_held(c, 1);
	c->serial = "another";
	case_worker_dies(c, case_worker(c, "a"));
	case_until(c, worker_is_gone, &generation, "the end of the worker");
	case_until_state(c, "a", TOKEN_LOCKED);
	c->hold_claims = false;
	case_release(c);
	assert_string_equal(client_error(c, &k), "TokenFailed");
	assert_false(broker_pin_state(&c->b, "serial-a")->note[PIN_CALL].pending);
	assert_false(durable_note(c, "serial-a").set);
	assert_false(durable_note(c, "another").set);
	client_close(&k);
}

static void
tokens_name_is_no_serial_number(void **state)
{
	struct broker_case *c = *state;

	for (const struct pin_row *row = c->b.pins; row != NULL; row = row->next)
		assert_string_not_equal(row->serial, "a");
}

/* Its tokens all give the same serial number, of zeroes: wrong PINs of one are not those of another. */
static void
pins_of_a_tpms_tokens_are_counted_by_label(void **state)
{
	struct broker_case *c = *state;
	uint64_t generation = broker_token(&c->b, "a")->generation;
	char name[80];

	c->serial = "0000000000000000";
	case_worker_dies(c, case_worker(c, "a"));
	case_until(c, worker_is_gone, &generation, "the end of the worker");
	case_until_state(c, "a", TOKEN_LOCKED);
	snprintf(name, sizeof(name), "label:%s", broker_token(&c->b, "a")->label);
	assert_string_not_equal(name, "label:");
	assert_string_equal(broker_token(&c->b, "a")->pin_name, name);
	assert_ptr_equal(broker_token(&c->b, "a")->pin, broker_pin_state(&c->b, name));
}

/* --- the stored PIN --- */

static void
stored_pin_unlocks_for_everyone(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	start_with(c, "lease = shared\ncredential = pin\n", CASE_PIN);
	case_until_state(c, "a", TOKEN_READY);
	client_connect(c, &k, CASE_BOB);
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "");
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(1), "0000"), "PinIncorrect");
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "");
	assert_int_equal(c->logins, 2);
	client_close(&k);
}

static void
stored_pin_waits_for_the_log(void **state)
{
	struct broker_case *c = *state;

	c->log_full = true;
	start_with(c, "lease = shared\ncredential = pin\n", CASE_PIN);
	case_until_state(c, "a", TOKEN_LOCKED);
	case_quiet(c);
	assert_int_equal(c->logins, 0);
	c->log_full = false;
	case_until_state(c, "a", TOKEN_READY); /* by the upkeep, within two seconds */
}

static void
stored_pin_that_was_refused_is_not_sent_again(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	start_with(c, "lease = shared\ncredential = pin\n", "0000");
	case_until_state(c, "a", TOKEN_LOCKED);
	case_quiet(c);
	assert_int_equal(c->logins, 1);
	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	token_tick(broker_token(&c->b, "a"), uv_now(&c->b.loop));
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_STARTING);
	case_until_state(c, "a", TOKEN_LOCKED);
	case_quiet(c);
	assert_int_equal(c->logins, 1);
	client_close(&k);
}

/* It cost no try, so no note is left; all the same it was sent once a loop turn, with two entries each time. */
static void
stored_pin_of_impossible_length_is_not_sent_again(void **state)
{
	struct broker_case *c = *state;
	struct wire_result r;

	c->no_answers = true;
	start_with(c, "lease = shared\ncredential = pin\n", "1");
	case_until_jobs(c, 1);
	r = case_result(c, 0);
	r.login = WIRE_LOGIN_INVALID;
	r.rv = CKR_PIN_LEN_RANGE;
	case_answer(c, 0, &r);
	case_quiet(c);
	assert_int_equal(c->job_count, 0);
	assert_int_equal(c->logins, 1);
	assert_false(broker_token(&c->b, "a")->storing);
}

static void
missing_credential_lets_nobody_wait(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	start_with(c, "lease = shared\ncredential = nosuch\n", NULL);
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "");
	client_close(&k);
}

static void
callers_wait_for_the_stored_pin_after_the_worker_died(void **state)
{
	struct broker_case *c = *state;
	struct client k[3];

	start_with(c, "lease = shared\ncredential = pin\nlanes = 2\n", CASE_PIN);
	case_until_state(c, "a", TOKEN_READY);
	for (unsigned i = 0; i < array_len(k); i++)
		client_connect(c, &k[i], CASE_ALICE);
	c->hold_claims = true;
	client_send(&k[0], CALL_SIGN, "k", case_digest(1));
	case_until_held(c, 1);
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_STARTING);
	client_send(&k[1], CALL_SIGN, "k", case_digest(2));
	case_until_state(c, "a", TOKEN_LOCKED);
	client_send(&k[2], CALL_SIGN, "k", case_digest(3));
	case_quiet(c);
	c->hold_claims = false;
	case_release(c);
	assert_string_equal(client_error(c, &k[0]), "TokenFailed"); /* in flight */
	assert_string_equal(client_error(c, &k[1]), "");
	assert_string_equal(client_error(c, &k[2]), "");
	for (unsigned i = 0; i < array_len(k); i++)
		client_close(&k[i]);
}

static void
person_who_locks_keeps_the_stored_pin_away(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	start_with(c, "lease = shared\ncredential = pin\n", CASE_PIN);
	case_until_state(c, "a", TOKEN_READY);
	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, CALL_LOCK, "a"), "");
	case_quiet(c);
	assert_int_equal(c->logins, 1);
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	client_close(&k);
}

/* --- workers that die or lie --- */

enum stage { CLAIMING, READY, SENT, RECORDED, STAGES };

/* Bring an exclusive job so far, then kill the worker; afterwards the token must work. */
static void
lose_worker_at(struct broker_case *c, enum stage stage)
{
	struct client k, other;

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &other, CASE_ALICE);
	c->hold_claims = stage == CLAIMING;
	c->hold_records = stage == RECORDED;
	if (stage == READY) { /* behind one that is at work, on a token that is known to be fast */
		broker_token(&c->b, "a")->measured = 10;
		unlock(c, &k, "a", 5);
		c->no_answers = true;
		client_send(&other, CALL_SIGN, "k", case_digest(7));
		case_until_jobs(c, 1);
	}
	c->no_answers = stage == SENT || stage == READY;
	client_send(&k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	if (stage == CLAIMING || stage == RECORDED)
		case_until_held(c, 1);
	else
		case_until_jobs(c, 1);
	case_quiet(c);
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_STARTING);
	c->hold_claims = c->hold_records = c->no_answers = false;
	case_release(c);
	assert_string_equal(client_error(c, &k), stage == RECORDED ? "" : "TokenFailed");
	if (stage == READY)
		assert_string_equal(client_error(c, &other), "TokenFailed");
	case_until_state(c, "a", TOKEN_LOCKED);
	case_quiet(c);
	assert_false(broker_token(&c->b, "a")->barrier);
	assert_int_equal(broker_token(&c->b, "a")->claimed, 0);
	broker_token(&c->b, "a")->pin->note[PIN_CALL].last_us -= PIN_PAUSE_US;
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN), "");
	client_close(&k);
	client_close(&other);
}

static void
token_works_again_whenever_its_worker_died_before_the_claim(void **state)
{
	lose_worker_at(*state, CLAIMING);
}

static void
token_works_again_whenever_its_worker_died_before_the_job_was_sent(void **state)
{
	lose_worker_at(*state, READY);
}

static void
token_works_again_whenever_its_worker_died_with_the_job(void **state)
{
	lose_worker_at(*state, SENT);
}

static void
token_works_again_whenever_its_worker_died_before_the_record(void **state)
{
	lose_worker_at(*state, RECORDED);
}

static void
result_that_was_sent_before_death_is_a_result(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	for (unsigned i = 0; i < 5; i++) {
		struct case_worker *w;

		c->no_answers = true;
		case_until_state(c, "a", TOKEN_LOCKED);
		client_send(&k, CALL_SIGN_PIN, "k", case_digest(i), CASE_PIN);
		case_until_jobs(c, 1);
		w = c->jobs[0].worker;
		case_answer_ok(c, 0);
		case_worker_dies(c, w);
		assert_string_equal(client_error(c, &k), "");
		case_until_worker(c, "a", i + 2);
	}
	client_close(&k);
}

static void
signature_without_bytes_ends_the_worker(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	struct wire_result r;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	r = case_result(c, 0);
	r.sig_len = 0;
	case_answer(c, 0, &r);
	assert_string_equal(client_error(c, &k), "TokenFailed");
	assert_int_equal(broker_token(&c->b, "a")->worker_starts, 2);
	client_close(&k);
}

static void
second_information_ends_the_worker(void **state)
{
	struct broker_case *c = *state;
	struct case_worker *w = case_worker(c, "a");
	struct wire_info *info = calloc(1, sizeof(*info));
	struct buf b;

	assert_non_null(info);
	info->presence = WIRE_PRESENT;
	info->key_count = 2;
	buf_init(&b, WIRE_FRAME_MAX);
	wire_put_info(&b, info);
	assert_int_equal(write(w->lane[0], b.data, b.len), b.len);
	case_until_state(c, "a", TOKEN_STARTING);
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_false(w->alive);
	assert_int_equal(broker_token(&c->b, "a")->worker_starts, 2);
	buf_done(&b);
	free(info);
}

static void
answer_to_another_job_ends_the_worker(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	struct wire_result r;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	r = case_result(c, 0);
	r.job++;
	case_answer(c, 0, &r);
	assert_string_equal(client_error(c, &k), "TokenFailed");
	client_close(&k);
}

static void
hung_worker_is_replaced_and_its_caller_told(void **state)
{
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	token_tick(t, uv_now(&c->b.loop) + t->conf->sign_timeout_ms + t->conf->login_timeout_ms - 1);
	assert_int_equal(t->worker_starts, 1);
	token_tick(t, uv_now(&c->b.loop) + t->conf->sign_timeout_ms + t->conf->login_timeout_ms);
	assert_string_equal(client_error(c, &k), "Timeout");
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_int_equal(t->worker_starts, 2);
	client_close(&k);
}

static void
absent_token_says_where_and_when_it_was_seen(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *reply, *params;

	start_with(c, "holder = Bà Lan\n", NULL);
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ALICE);
	c->presence = WIRE_ABSENT;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_ABSENT);
	client_send(&k, CALL_SIGN, "k", case_digest(1));
	reply = client_reply(c, &k);
	params = json_object_get(reply, "parameters");
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.TokenAbsent");
	assert_string_equal(json_member_str(params, "holder"), "Bà Lan");
	assert_non_null(json_member_str(params, "lastSeen"));
	json_decref(reply);
	client_close(&k);
}

/* --- the queue --- */

static void
queue_takes_its_limit_and_refuses_one_more(void **state)
{
	struct broker_case *c = *state;
	struct client k[4];

	c->b.config->queue_per_token = 2;
	c->no_answers = true;
	for (unsigned i = 0; i < array_len(k); i++)
		client_connect(c, &k[i], CASE_ALICE);
	client_send(&k[0], CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN); /* at work */
	case_until_jobs(c, 1);
	for (unsigned i = 1; i < array_len(k); i++)
		client_send(&k[i], CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_quiet(c);
	assert_false(client_has_reply(&k[1]));
	assert_false(client_has_reply(&k[2]));
	assert_string_equal(client_error(c, &k[3]), "Busy");
	c->no_answers = false;
	case_answer_ok(c, 0);
	for (unsigned i = 0; i < array_len(k); i++) {
		if (i < 3)
			assert_string_equal(client_error(c, &k[i]), "");
		client_close(&k[i]);
	}
}

/* Alice signs with k, Bob with l. */
static void
users_take_turns_however_much_one_has_waiting(void **state)
{
	struct broker_case *c = *state;
	struct client alice[6], bob[2];
	static const uint16_t turns[] = {0, 0, 1, 0, 1, 0, 0, 0};

	c->no_answers = true;
	broker_token(&c->b, "a")->flags &= ~(uint32_t)CKF_LOGIN_REQUIRED;
	for (unsigned i = 0; i < array_len(alice); i++) {
		client_connect(c, &alice[i], CASE_ALICE);
		client_send(&alice[i], CALL_SIGN, "k", case_digest(i));
	}
	case_until_jobs(c, 1);
	case_quiet(c);
	for (unsigned i = 0; i < array_len(bob); i++) {
		client_connect(c, &bob[i], CASE_BOB);
		client_send(&bob[i], CALL_SIGN, "l", case_digest(i));
	}
	case_quiet(c);
	for (unsigned i = 0; i < array_len(turns); i++) {
		struct wire_result r;

		case_until_jobs(c, 1);
		assert_int_equal(c->job_count, 1);
		assert_int_equal(c->jobs[0].key, turns[i]);
		r = case_result(c, 0);
		r.err = SIGNET_OK;
		r.work_us = 5000; /* no token to run ahead of */
		memset(r.sig, 0x5a, r.sig_len = 64);
		case_answer(c, 0, &r);
	}
	for (unsigned i = 0; i < array_len(alice); i++) {
		assert_string_equal(client_error(c, &alice[i]), "");
		client_close(&alice[i]);
	}
	for (unsigned i = 0; i < array_len(bob); i++) {
		assert_string_equal(client_error(c, &bob[i]), "");
		client_close(&bob[i]);
	}
}

static void
one_user_cannot_fill_the_queue(void **state)
{
	struct broker_case *c = *state;
	struct client alice[5], bob;
	struct token *a = broker_token(&c->b, "a");

	c->b.config->queue_per_token = 4; /* three of them for one user */
	c->no_answers = true;
	for (unsigned i = 0; i < array_len(alice); i++)
		client_connect(c, &alice[i], CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	client_send(&alice[0], CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN); /* at work */
	case_until_jobs(c, 1);
	for (unsigned i = 1; i < array_len(alice); i++)
		client_send(&alice[i], CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	assert_string_equal(client_error(c, &alice[4]), "Busy");
	assert_int_equal(a->queued.count, 3);
	client_send(&bob, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_quiet(c);
	assert_false(client_has_reply(&bob));
	assert_int_equal(a->queued.count, 4);
	c->no_answers = false;
	case_answer_ok(c, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(client_error(c, &alice[i]), "");
	assert_string_equal(client_error(c, &bob), "");
	for (unsigned i = 0; i < array_len(alice); i++)
		client_close(&alice[i]);
	client_close(&bob);
}

static void
says_when_to_come_back(void **state)
{
	struct broker_case *c = *state;
	struct token *a = broker_token(&c->b, "a");
	struct fault f;

	a->mean_us = 2000000;
	a->queued.count = 3;
	token_refusal(a, &f);
	assert_int_equal(f.retry_after_ms, 6000);
	a->queued.count = 1000;
	token_refusal(a, &f);
	assert_int_equal(f.retry_after_ms, 60000);
	a->queued.count = 0;
	token_refusal(a, &f);
	assert_int_equal(f.retry_after_ms, 100);
	a->mean_us = 0;
}

static void
user_at_his_limit_of_jobs_is_refused_and_others_are_not(void **state)
{
	struct broker_case *c = *state;
	struct client first, second, bob;

	c->b.quota.limit[QUOTA_JOBS] = 1;
	c->no_answers = true;
	client_connect(c, &first, CASE_ALICE);
	client_connect(c, &second, CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	client_send(&first, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	assert_string_equal(client_call(c, &second, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "Busy");
	assert_string_equal(client_call(c, &second, CALL_UNLOCK, "a", CASE_PIN, 1), "Busy");
	client_send(&bob, CALL_SIGN_PIN, "m", case_digest(1), CASE_PIN);
	case_until_jobs(c, 2);
	c->no_answers = false;
	while (c->job_count > 0)
		case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &first), "");
	assert_string_equal(client_error(c, &bob), "");
	client_close(&first);
	client_close(&second);
	client_close(&bob);
}

static void
caller_who_leaves_before_the_claim_costs_nothing(void **state)
{
	struct broker_case *c = *state;
	struct client busy, gone;
	uint64_t size;

	client_connect(c, &busy, CASE_ALICE);
	client_connect(c, &gone, CASE_BOB);
	c->no_answers = true;
	client_send(&busy, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	client_send(&gone, CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN);
	case_quiet(c);
	assert_int_equal(broker_token(&c->b, "a")->queued.count, 1);
	client_close(&gone);
	case_quiet(c);
	assert_int_equal(broker_token(&c->b, "a")->queued.count, 0);
	size = ledger_size(c->b.log);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &busy), "");
	assert_int_equal(ledger_size(c->b.log), size + 1);
	assert_int_equal(c->logins, 1);
	client_close(&busy);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, teardown)

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    CASE(locks_after_what_was_claimed_before),
	    CASE(nothing_is_claimed_behind_a_login_until_it_is_recorded),
	    CASE(one_token_waits_for_nobody_elses),
	    CASE(use_comes_back_if_the_claim_is_not_written),
	    CASE(a_lease_is_its_owners_and_others_pins_wait),
	    CASE(renewed_lease_outlives_the_end_of_the_one_before),
	    CASE(expired_lease_is_ended_by_a_logout),
	    CASE(token_that_forgets_its_login_is_locked),
	    CASE(shared_lease_survives_a_wrong_pin),
	    CASE(token_is_locked_although_the_log_cannot_be_written),
	    CASE(pin_of_impossible_length_costs_no_try_and_says_so),
	    CASE(wrong_pin_is_noted_for_good_and_a_right_one_clears_it),
	    CASE(no_note_stays_pending_whatever_ends_the_job),
	    CASE(note_stays_with_the_token_it_was_made_for),
	    CASE(tokens_name_is_no_serial_number),
	    CASE(pins_of_a_tpms_tokens_are_counted_by_label),
	    CASE(stored_pin_unlocks_for_everyone),
	    CASE(stored_pin_waits_for_the_log),
	    CASE(stored_pin_that_was_refused_is_not_sent_again),
	    CASE(stored_pin_of_impossible_length_is_not_sent_again),
	    CASE(missing_credential_lets_nobody_wait),
	    CASE(callers_wait_for_the_stored_pin_after_the_worker_died),
	    CASE(person_who_locks_keeps_the_stored_pin_away),
	    CASE(token_works_again_whenever_its_worker_died_before_the_claim),
	    CASE(token_works_again_whenever_its_worker_died_before_the_job_was_sent),
	    CASE(token_works_again_whenever_its_worker_died_with_the_job),
	    CASE(token_works_again_whenever_its_worker_died_before_the_record),
	    CASE(result_that_was_sent_before_death_is_a_result),
	    CASE(signature_without_bytes_ends_the_worker),
	    CASE(second_information_ends_the_worker),
	    CASE(answer_to_another_job_ends_the_worker),
	    CASE(hung_worker_is_replaced_and_its_caller_told),
	    CASE(absent_token_says_where_and_when_it_was_seen),
	    CASE(queue_takes_its_limit_and_refuses_one_more),
	    CASE(users_take_turns_however_much_one_has_waiting),
	    CASE(one_user_cannot_fill_the_queue),
	    CASE(says_when_to_come_back),
	    CASE(user_at_his_limit_of_jobs_is_refused_and_others_are_not),
	    CASE(caller_who_leaves_before_the_claim_costs_nothing),
	};

	if (argc > 1) /* one by name */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
