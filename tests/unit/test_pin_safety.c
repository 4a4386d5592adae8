/*
 * The broker's rules for PINs where whole calls show them: PIN pads, who may ask
 * for the last try, who helps with a blocked one.
 */
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "broker_case.h"
#include "signetd/clock.h"
#include "signetd/token_lease.h"
#include "unit.h"

#define CALL_UNLOCK_AT_PAD "{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"a\",\"uses\":2}}"
#define CALL_UNLOCK_LAST                                                                                     \
	"{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"a\",\"pin\":\"1234\",\"lastTry\":true}}"

static struct broker_case one;

static int
make(void **state)
{
	case_make(&one);
	*state = &one;
	return 0;
}

static int
teardown(void **state)
{
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

static void
start(struct broker_case *c)
{
	case_start(c);
	case_until_state(c, "a", TOKEN_LOCKED);
	case_until_state(c, "b", TOKEN_LOCKED);
	case_quiet(c);
}

static void
start_with_pad(struct broker_case *c)
{
	c->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	start(c);
	c->no_answers = true;
}

static struct token *
a(struct broker_case *c)
{
	return broker_token(&c->b, "a");
}

static void
answer_login(struct broker_case *c, enum wire_login login)
{
	struct wire_result r = case_result(c, 0);

	r.login = (uint8_t)login;
	r.logged_in = login == WIRE_LOGIN_OK && (c->jobs[0].flags & WIRE_THEN_LOGOUT) == 0;
	r.err = login == WIRE_LOGIN_OK ? SIGNET_OK : SIGNET_ERR_PIN_INCORRECT;
	if (login != WIRE_LOGIN_OK)
		snprintf(r.stage, sizeof(r.stage), "login");
	if (login == WIRE_LOGIN_OK && c->jobs[0].type == WIRE_SIGN)
		memset(r.sig, 0x5a, r.sig_len = 64);
	case_answer(c, 0, &r);
}

static void
unlocks_at_the_pad_without_any_pin(void **state)
{
	struct broker_case *c = *state;
	struct client alice;
	uint64_t left;

	start_with_pad(c);
	client_connect(c, &alice, CASE_ALICE);
	client_send(&alice, CALL_UNLOCK_AT_PAD);
	case_until_jobs(c, 1);
	assert_int_equal(c->jobs[0].type, WIRE_LOGIN);
	assert_string_equal(c->jobs[0].pin, "");
	assert_true(a(c)->pin->note[PIN_CALL].pending);
	left = a(c)->worker->lanes[0].deadline_ms - uv_now(&c->b.loop);
	assert_true(left > 60000 && left <= 120000);
	answer_login(c, WIRE_LOGIN_OK);
	assert_string_equal(client_error(c, &alice), "");
	assert_int_equal(a(c)->lease.uses, 2);
	assert_int_equal(pin_failures(a(c)->pin), 0);
	client_send(&alice, CALL_SIGN, "k", case_digest(1));
	case_until_jobs(c, 1);
	assert_int_equal(c->jobs[0].flags & WIRE_WITH_PIN, 0); /* by the lease */
	c->flags &= ~(uint32_t)CKF_LOGIN_REQUIRED; /* the case's worker signs */
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &alice), "");
	client_close(&alice);
}

static void
signs_once_at_the_pad(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	start_with_pad(c);
	client_connect(c, &alice, CASE_ALICE);
	client_send(&alice, CALL_SIGN, "k", case_digest(1));
	case_until_jobs(c, 1);
	assert_int_equal(c->jobs[0].flags, WIRE_WITH_PIN | WIRE_THEN_LOGOUT);
	assert_string_equal(c->jobs[0].pin, "");
	answer_login(c, WIRE_LOGIN_OK);
	assert_string_equal(client_error(c, &alice), "");
	assert_false(a(c)->lease.stands);
	client_close(&alice);
}

static void
counts_what_was_wrong_at_the_pad(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	start_with_pad(c);
	client_connect(c, &alice, CASE_ALICE);
	for (unsigned i = 1; i <= 2; i++) {
		client_send(&alice, CALL_UNLOCK_AT_PAD);
		a(c)->pin->note[PIN_CALL].last_us -= 2 * PIN_PAUSE_US; /* the pause is over */
		case_until_jobs(c, 1);
		answer_login(c, WIRE_LOGIN_REJECTED);
		assert_string_equal(client_error(c, &alice), "PinIncorrect");
		assert_int_equal(pin_failures(a(c)->pin), i);
		a(c)->pin->note[PIN_CALL].last_us -= 2 * PIN_PAUSE_US;
	}
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK_AT_PAD), "PinLastTry");
	assert_int_equal(c->job_count, 0);
	client_close(&alice);
}

static void
asks_nobody_to_the_pad_who_may_not_unlock(void **state)
{
	struct broker_case *c = *state;
	struct client guest;

	start_with_pad(c);
	client_connect(c, &guest, CASE_GUEST);
	assert_string_equal(client_call(c, &guest, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	assert_string_equal(client_call(c, &guest, CALL_UNLOCK_AT_PAD), "NotPermitted");
	assert_int_equal(c->job_count, 0);
	assert_false(a(c)->pin->note[PIN_CALL].pending);
	client_close(&guest);
}

static void
takes_the_last_try_from_the_holder_only(void **state)
{
	struct broker_case *c = *state;
	struct client alice, bob;
	char text[8192];

	snprintf(text, sizeof(text),
	    "[token a]\nmodule = /usr/bin/env\nlabel = a\nholder-user = %d\n"
	    "[token b]\nmodule = /usr/bin/env\nlabel = b\n"
	    "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n"
	    "[key m]\ntoken = b\nuri = pkcs11:token=b;id=%%03\n%s",
	    CASE_ALICE, case_rules);
	case_configure(c, text);
	start(c);
	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	a(c)->pin->note[PIN_CALL].failures = 2;
	assert_string_equal(client_call(c, &bob, CALL_UNLOCK_LAST), "PinLastTry");
	assert_int_equal(c->logins, 0);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK_LAST), "");
	assert_int_equal(c->logins, 1);
	client_close(&alice);
	client_close(&bob);
}

static void
says_who_can_help_with_a_blocked_pin(void **state)
{
	struct broker_case *c = *state;
	struct client alice;
	char text[8192];
	json_t *reply, *params;

	snprintf(text, sizeof(text), "[contact]\ntext = phòng 3, số 113\n%s%s", case_tokens, case_rules);
	case_configure(c, text);
	c->flags |= CKF_USER_PIN_LOCKED;
	case_start(c);
	case_until_state(c, "a", TOKEN_BLOCKED);
	client_connect(c, &alice, CASE_ALICE);
	client_send(&alice, CALL_UNLOCK, "a", CASE_PIN, 1);
	reply = client_reply(c, &alice);
	params = json_object_get(reply, "parameters");
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Token.PinBlocked");
	assert_string_equal(json_member_str(params, "contact"), "phòng 3, số 113");
	assert_non_null(strstr(json_member_str(params, "message"), "phòng 3, số 113"));
	json_decref(reply);
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "PinBlocked");
	assert_int_equal(c->logins, 0);
	client_close(&alice);
}

/* Anyone's wrong PIN on a shared lease: the lease's own is sent again, and if that fails it was a try as well. */
static void
counts_a_repeated_pin_that_failed(void **state)
{
	struct broker_case *c = *state;
	struct job *j;

	start(c);
	for (unsigned still = 0; still <= 1; still++) {
		struct wire_result r = {
		    .login = WIRE_LOGIN_REJECTED, .logged_in = still == 1, .flags = CKF_LOGIN_REQUIRED};
		char pin[] = "9999";

		memset(a(c)->pin, 0, sizeof(*a(c)->pin));
		a(c)->lease = (struct lease){.stands = true, .shared = true, .number = 7, .uses = 5, .until_ms = UINT64_MAX};
		j = job_new(JOB_UNLOCK, a(c), c->b.self);
		assert_non_null(j);
		assert_int_equal(secret_take(&j->pin, pin, 4), SIGNET_OK);
		assert_int_equal(lease_decide(a(c), j), LEASE_GO);
		assert_true((j->flags & WIRE_RESTORE) != 0);
		r.err = SIGNET_ERR_PIN_INCORRECT;
		lease_result(a(c), j, &r);
		assert_int_equal(pin_failures(a(c)->pin), still == 1 ? 1 : 2);
		assert_int_equal(a(c)->lease.stands, still == 1);
		job_free(j);
	}
	memset(&a(c)->lease, 0, sizeof(a(c)->lease));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    CASE(unlocks_at_the_pad_without_any_pin),
	    CASE(signs_once_at_the_pad),
	    CASE(counts_what_was_wrong_at_the_pad),
	    CASE(asks_nobody_to_the_pad_who_may_not_unlock),
	    CASE(takes_the_last_try_from_the_holder_only),
	    CASE(says_who_can_help_with_a_blocked_pin),
	    CASE(counts_a_repeated_pin_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
