/*
 * daemon/signetd/token_lease.c: who may use a login and which PIN goes out, as
 * a table. Each row sets the token's state, asks once, and names the whole
 * answer.
 */
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker_case.h"
#include "signetd/clock.h"
#include "signetd/identity.h"
#include "signetd/token_lease.h"
#include "unit.h"

static int
setup(void **state)
{
	int failed = case_setup(state);

	case_quiet(*state);
	return failed;
}

static int
teardown(void **state)
{
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

enum { ALICE = CASE_ALICE, BOB = CASE_BOB, BATCH = 7, OTHER_BATCH = 8 };

enum lease_is { NONE, OF_ALICE, LAST_USE, SPENT, EXPIRED, SHARED, STORED, OF_BATCH };
enum pin_is { CLEAN, FAILED_NOW, FAILED_LONG_AGO, FAILED_TWICE, PENDING, COUNT_LOW, FINAL_TRY, IS_LOCKED };
enum asks {
	SIGN,
	SIGN_WITH_PIN,
	SIGN_LAST_TRY,
	UNLOCK,
	UNLOCK_LAST_TRY,
	BATCH_SIGN,
	OTHER_BATCH_SIGN,
	BATCH_UNLOCK,
	STORE,
	LOCK
};

enum { W = WIRE_WITH_PIN, K = WIRE_KEEP_PIN, O = WIRE_THEN_LOGOUT, R = WIRE_RESTORE };

struct row {
	enum lease_is lease;
	enum pin_is pin;
	uid_t uid;
	enum asks asks;
	/* wanted */
	enum lease_verdict verdict;
	signet_err err; /* of LEASE_FAIL */
	unsigned flags;
	bool exclusive, note;
	const char *proof;
};

#define GO(flags, exclusive, note, proof) LEASE_GO, SIGNET_OK, flags, exclusive, note, proof
#define NO(err) LEASE_FAIL, SIGNET_ERR_##err, 0, false, false, NULL
#define LATER LEASE_WAIT, SIGNET_OK, 0, false, false, NULL

static const struct row rows[] = {
    /* nobody is logged in */
    {NONE, CLEAN, ALICE, SIGN, NO(PIN_REQUIRED)},
    {NONE, CLEAN, ALICE, SIGN_WITH_PIN, GO(W | O, true, true, "pin")},
    {NONE, CLEAN, ALICE, UNLOCK, GO(K, true, true, "pin")},
    {NONE, CLEAN, ALICE, BATCH_SIGN, NO(PIN_REQUIRED)},
    {NONE, CLEAN, ALICE, BATCH_UNLOCK, GO(K, true, true, "pin")},
    {NONE, CLEAN, 0, STORE, GO(K, true, true, "credential")},
    {NONE, CLEAN, 0, LOCK, GO(0, true, false, NULL)},
    /* Alice's lease: hers without a PIN, nobody else's with one */
    {OF_ALICE, CLEAN, ALICE, SIGN, GO(0, false, false, "pin")},
    {OF_ALICE, CLEAN, BOB, SIGN, NO(PIN_REQUIRED)},
    {OF_ALICE, CLEAN, BOB, SIGN_WITH_PIN, NO(BUSY)},
    {OF_ALICE, CLEAN, BOB, SIGN_LAST_TRY, NO(BUSY)},
    {OF_ALICE, CLEAN, BOB, UNLOCK, NO(BUSY)},
    {OF_ALICE, CLEAN, BOB, BATCH_UNLOCK, NO(BUSY)},
    {OF_ALICE, CLEAN, ALICE, SIGN_WITH_PIN, GO(W | K, true, true, "pin")},
    {OF_ALICE, CLEAN, ALICE, UNLOCK, GO(K, true, true, "pin")},
    {OF_ALICE, CLEAN, 0, STORE, NO(BUSY)},
    {OF_ALICE, CLEAN, BOB, LOCK, GO(0, true, false, NULL)}, /* who may lock was asked before */
    /* the last use ends it */
    {LAST_USE, CLEAN, ALICE, SIGN, GO(O, true, false, "pin")},
    {LAST_USE, CLEAN, BOB, SIGN, NO(PIN_REQUIRED)},
    {SPENT, CLEAN, ALICE, SIGN, NO(PIN_REQUIRED)},
    /* its time is over, the logout has not come yet */
    {EXPIRED, CLEAN, ALICE, SIGN, NO(PIN_REQUIRED)},
    {EXPIRED, CLEAN, BOB, SIGN_WITH_PIN, GO(W | O, true, true, "pin")},
    {EXPIRED, CLEAN, BOB, UNLOCK, GO(K, true, true, "pin")},
    /* shared: everyone's; a wrong PIN of anyone must not end it */
    {SHARED, CLEAN, BOB, SIGN, GO(0, false, false, "uid")},
    {SHARED, CLEAN, BOB, SIGN_WITH_PIN, GO(W | K | R, true, true, "pin")},
    {SHARED, CLEAN, BOB, UNLOCK, GO(K | R, true, true, "pin")},
    {STORED, CLEAN, BOB, SIGN, GO(0, false, false, "uid")},
    {STORED, CLEAN, BOB, SIGN_WITH_PIN, GO(W | K | R, true, true, "pin")},
    {STORED, CLEAN, BOB, BATCH_SIGN, GO(0, false, false, "uid")},
    {STORED, CLEAN, BOB, BATCH_UNLOCK, GO(K | R, true, true, "pin")},
    /* a batch's: that batch's, and not even its owner's other calls' */
    {OF_BATCH, CLEAN, ALICE, BATCH_SIGN, GO(0, false, false, "pin")},
    {OF_BATCH, CLEAN, ALICE, OTHER_BATCH_SIGN, NO(PIN_REQUIRED)},
    {OF_BATCH, CLEAN, ALICE, SIGN, NO(PIN_REQUIRED)},
    {OF_BATCH, CLEAN, ALICE, SIGN_WITH_PIN, NO(BUSY)},
    {OF_BATCH, CLEAN, BOB, UNLOCK, NO(BUSY)},
    /* tries: one failure pauses, two ask for lastTry */
    {NONE, FAILED_NOW, ALICE, SIGN_WITH_PIN, LATER},
    {NONE, FAILED_NOW, ALICE, UNLOCK, LATER},
    {NONE, FAILED_NOW, 0, STORE, NO(PIN_REQUIRED)},
    {NONE, FAILED_LONG_AGO, ALICE, SIGN_WITH_PIN, GO(W | O, true, true, "pin")},
    {NONE, FAILED_LONG_AGO, 0, STORE, NO(PIN_REQUIRED)},
    {NONE, FAILED_TWICE, ALICE, SIGN_WITH_PIN, NO(PIN_LAST_TRY)},
    {NONE, FAILED_TWICE, ALICE, SIGN_LAST_TRY, GO(W | O, true, true, "pin")},
    {NONE, FAILED_TWICE, ALICE, UNLOCK_LAST_TRY, GO(K, true, true, "pin")},
    {NONE, PENDING, 0, STORE, NO(PIN_REQUIRED)},
    {NONE, PENDING, ALICE, UNLOCK, GO(K, true, true, "pin")},
    {NONE, COUNT_LOW, ALICE, UNLOCK, NO(PIN_LAST_TRY)},
    {NONE, COUNT_LOW, 0, STORE, NO(PIN_REQUIRED)},
    {NONE, FINAL_TRY, ALICE, UNLOCK, NO(PIN_LAST_TRY)},
    {NONE, FINAL_TRY, ALICE, UNLOCK_LAST_TRY, GO(K, true, true, "pin")},
    {NONE, IS_LOCKED, ALICE, UNLOCK_LAST_TRY, NO(PIN_BLOCKED)},
    {NONE, IS_LOCKED, ALICE, SIGN_LAST_TRY, NO(PIN_BLOCKED)},
    {NONE, IS_LOCKED, 0, STORE, NO(PIN_BLOCKED)},
    /* without a PIN nothing of that matters */
    {OF_ALICE, FAILED_TWICE, ALICE, SIGN, GO(0, false, false, "pin")},
    {SHARED, FAILED_NOW, BOB, SIGN, GO(0, false, false, "uid")},
    {STORED, COUNT_LOW, BOB, SIGN, GO(0, false, false, "uid")},
    /* a failure while a lease stands: the next PIN waits all the same */
    {STORED, FAILED_NOW, BOB, SIGN_WITH_PIN, LATER},
    {OF_ALICE, FAILED_NOW, ALICE, UNLOCK, LATER},
    {OF_ALICE, FAILED_NOW, BOB, SIGN_WITH_PIN, NO(BUSY)},
};

static void
set_lease(struct token *t, enum lease_is is)
{
	uint64_t now = uv_now(&t->broker->loop);
	struct lease *l = &t->lease;

	memset(l, 0, sizeof(*l));
	if (is == NONE)
		return;
	*l = (struct lease){.stands = true, .number = 1, .owner = ALICE, .uses = 5, .until_ms = now + 60000};
	l->shared = is == SHARED || is == STORED;
	l->stored = is == STORED;
	l->batch = is == OF_BATCH ? BATCH : 0;
	if (is == LAST_USE)
		l->uses = 1;
	if (is == SPENT)
		l->uses = 0;
	if (is == EXPIRED)
		l->until_ms = now;
	if (is == STORED) {
		l->uses = UINT64_MAX;
		l->until_ms = 0;
	}
}

static void
set_pin(struct token *t, enum pin_is is)
{
	int64_t now = clock_now_us(NULL);
	struct pin_note *n = &t->pin->note[PIN_CALL];

	memset(t->pin, 0, sizeof(*t->pin));
	n->last_us = now - (is == FAILED_NOW ? 0 : 2 * PIN_PAUSE_US);
	n->failures = is == FAILED_TWICE ? 2 : is == FAILED_NOW || is == FAILED_LONG_AGO;
	n->pending = is == PENDING;
	t->pin->count_low = is == COUNT_LOW;
	t->pin->final_try = is == FINAL_TRY;
	t->pin->locked = is == IS_LOCKED;
}

static struct job *
make_job(struct token *t, const struct row *r)
{
	bool unlock =
	    r->asks == UNLOCK || r->asks == UNLOCK_LAST_TRY || r->asks == BATCH_UNLOCK || r->asks == STORE;
	bool with_pin = unlock || r->asks == SIGN_WITH_PIN || r->asks == SIGN_LAST_TRY;
	struct identity who = {.refs = 1, .peer.uid = r->uid};
	struct job *j;
	char pin[] = "1234";

	buf_init(&who.members, 16);
	j = job_new(r->asks == LOCK ? JOB_LOCK : unlock ? JOB_UNLOCK : JOB_SIGN, t, &who);
	assert_non_null(j);
	j->who = calloc(1, sizeof(*j->who));
	assert_non_null(j->who);
	*j->who = who;
	j->who->refs = 1; /* the job's own: it goes with the job */
	j->key = &t->keys[0];
	j->source = r->asks == STORE ? PIN_STORED : PIN_CALL;
	j->last_try = r->asks == SIGN_LAST_TRY || r->asks == UNLOCK_LAST_TRY;
	if (r->asks == BATCH_SIGN || r->asks == BATCH_UNLOCK)
		j->batch = BATCH;
	if (r->asks == OTHER_BATCH_SIGN)
		j->batch = OTHER_BATCH;
	if (with_pin)
		assert_int_equal(secret_take(&j->pin, pin, 4), SIGNET_OK);
	return j;
}

static void
check_row(struct token *t, size_t n, const struct row *r)
{
	struct job *j = make_job(t, r);
	struct pin_note before;
	enum lease_verdict got;
	bool same;

	set_lease(t, r->lease);
	set_pin(t, r->pin);
	before = t->pin->note[j->source];
	got = lease_decide(t, j);
	same = got == r->verdict && j->fault.err == r->err && j->exclusive == r->exclusive &&
	       j->note == r->note && (got != LEASE_GO || j->flags == r->flags) &&
	       (r->proof == NULL ? j->proof == NULL : j->proof != NULL && strcmp(j->proof, r->proof) == 0);
	if (!same)
		fail_msg("row %zu: verdict %d, %s, flags %x, exclusive %d, note %d, proof %s", n, got,
		    err_wire_name(j->fault.err) != NULL ? err_wire_name(j->fault.err) : "OK", j->flags,
		    j->exclusive, j->note, j->proof != NULL ? j->proof : "none");
	/* a try is noted exactly where one goes out */
	if (r->note)
		assert_true(t->pin->note[j->source].pending);
	else
		assert_memory_equal(&t->pin->note[j->source], &before, sizeof(before));
	if (got == LEASE_WAIT)
		assert_true(j->not_before_ms > uv_now(&t->broker->loop));
	job_free(j);
}

static void
every_row_of_the_table_holds(void **state)
{
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");

	for (size_t i = 0; i < array_len(rows); i++)
		check_row(t, i, &rows[i]);
	set_lease(t, NONE);
	set_pin(t, CLEAN);
}

static void
token_without_login_asks_for_nothing(void **state)
{
	static const struct row row = {NONE, CLEAN, BOB, SIGN, GO(0, false, false, "uid")};
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");

	t->flags &= ~(uint32_t)CKF_LOGIN_REQUIRED;
	check_row(t, 0, &row);
	t->flags |= CKF_LOGIN_REQUIRED;
}

static void
blocked_token_says_so_without_a_pin_too(void **state)
{
	static const struct row row = {NONE, IS_LOCKED, BOB, SIGN, NO(PIN_BLOCKED)};
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");

	t->state = TOKEN_BLOCKED;
	check_row(t, 0, &row);
	t->state = TOKEN_LOCKED;
	set_pin(t, CLEAN);
}

static void
use_is_taken_once_and_given_back_once(void **state)
{
	static const struct row row = {LAST_USE, CLEAN, ALICE, SIGN, GO(O, true, false, "pin")};
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");
	struct job *j = make_job(t, &row);

	set_pin(t, CLEAN);
	set_lease(t, LAST_USE);
	assert_int_equal(lease_decide(t, j), LEASE_GO);
	assert_int_equal(t->lease.uses, 0);
	lease_unsent(t, j);
	assert_int_equal(t->lease.uses, 1);
	assert_int_equal(lease_decide(t, j), LEASE_GO);
	t->lease.number++; /* another lease stands by then: not its use */
	t->lease.uses = 3;
	lease_unsent(t, j);
	assert_int_equal(t->lease.uses, 3);
	job_free(j);
	set_lease(t, NONE);
}

static void
end_of_another_lease_is_nothing_to_do(void **state)
{
	static const struct row row = {OF_ALICE, CLEAN, 0, LOCK, GO(0, true, false, NULL)};
	struct broker_case *c = *state;
	struct token *t = broker_token(&c->b, "a");
	struct job *j = make_job(t, &row);

	set_lease(t, OF_ALICE);
	j->lease = t->lease.number;
	assert_int_equal(lease_decide(t, j), LEASE_GO);
	j->lease = t->lease.number + 1;
	assert_int_equal(lease_decide(t, j), LEASE_FAIL);
	assert_int_equal(j->fault.err, SIGNET_OK);
	job_free(j);
	set_lease(t, NONE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_of_the_table_holds),
	    cmocka_unit_test(token_without_login_asks_for_nothing),
	    cmocka_unit_test(blocked_token_says_so_without_a_pin_too),
	    cmocka_unit_test(use_is_taken_once_and_given_back_once),
	    cmocka_unit_test(end_of_another_lease_is_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
