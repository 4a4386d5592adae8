/* daemon/signetd/health.c: the device's health signature, and what its loss stops */
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "signetd/health.h"
#include "unit.h"

static struct broker_case one;

static const char device[] = "[device d]\nmodule = /usr/bin/env\nlabel = d\nkeeper = Bà Lan\n%s"
			     "[token a]\nmodule = /usr/bin/env\nlabel = a\n"
			     "[key s]\ntoken = d\nuri = pkcs11:token=d;id=%%01\nuse = log\n"
			     "[key h]\ntoken = d\nuri = pkcs11:token=d;id=%%02\nuse = log\nprobe = yes\n"
			     "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n%s";

static int
make(void **state)
{
	char path[128];
	FILE *f;

	case_make(&one);
	snprintf(path, sizeof(path), "%s/pin", one.dir);
	setenv("CREDENTIALS_DIRECTORY", one.dir, 1);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(CASE_PIN, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	*state = &one;
	return 0;
}

static int
teardown(void **state)
{
	one.no_answers = false;
	while (one.job_count > 0)
		case_answer_ok(&one, 0);
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

static void
start(struct broker_case *c, const char *more)
{
	char text[8192];

	snprintf(text, sizeof(text), device, more, case_rules);
	case_configure(c, text);
	case_start(c);
	case_until_state(c, "a", TOKEN_LOCKED);
}

static struct token *
d(struct broker_case *c)
{
	return broker_token(&c->b, "d");
}

static void
check_now(struct broker_case *c)
{
	d(c)->health_due_ms = 0;
	health_tick(d(c), uv_now(&c->b.loop));
}

static void
start_unlocked(struct broker_case *c)
{
	start(c, "lease = shared\ncredential = pin\nprobe-interval = 2min\n");
	case_until_state(c, "d", TOKEN_READY);
	case_quiet(c);
	while (d(c)->checking)
		case_turn(c);
	case_quiet(c);
}

/* The last entry of this operation, as its outcome; "" if there is none. */
static const char *
outcome_of(struct broker_case *c, const char *operation)
{
	static char outcome[64];
	struct client admin;
	json_t *reply, *entry;

	outcome[0] = '\0';
	client_connect(c, &admin, CASE_ADMIN);
	client_send(&admin, "{\"method\":\"org.signetd.Log.Read\",\"more\":true,\"parameters\":{\"filter\":{\"operation\":\"%s\"}}}",
	    operation);
	for (;;) {
		reply = client_reply(c, &admin);
		entry = json_object_get(json_object_get(json_object_get(reply, "parameters"), "entry"), "entry");
		if (!json_is_string(entry))
			break;
		{
			json_t *e = NULL;

			assert_int_equal(json_read(&e, json_string_value(entry), json_string_length(entry), NULL), SIGNET_OK);
			assert_string_equal(json_member_str(e, "key"), "h");
			snprintf(outcome, sizeof(outcome), "%s", json_member_str(e, "outcome"));
			json_decref(e);
		}
		json_decref(reply);
	}
	json_decref(reply);
	client_close(&admin);
	return outcome;
}

static void
signs_by_itself_and_says_so_in_the_log(void **state)
{
	struct broker_case *c = *state;

	start_unlocked(c);
	check_now(c);
	while (d(c)->checking)
		case_turn(c);
	assert_false(d(c)->unhealthy);
	assert_true(d(c)->health_due_ms > uv_now(&c->b.loop) + 60000);
	assert_true(d(c)->health_due_ms <= uv_now(&c->b.loop) + 120000);
	assert_string_equal(outcome_of(c, "health"), "ok");
	assert_true(d(c)->lease.stands);
}

static void
answer_badly(struct broker_case *c)
{
	struct wire_result r = {.job = c->jobs[0].number, .logged_in = 1, .flags = c->flags, .err = SIGNET_ERR_TOKEN_FAILED,
	    .rv = CKR_SIGNATURE_INVALID};

	snprintf(r.stage, sizeof(r.stage), "verify");
	case_answer(c, 0, &r);
}

static void
fails_for_everybody_until_it_is_right_again(void **state)
{
	struct broker_case *c = *state;
	struct client alice;
	json_t *reply;

	start_unlocked(c);
	client_connect(c, &alice, CASE_ALICE);
	c->no_answers = true;
	check_now(c);
	case_until_jobs(c, 1);
	assert_int_equal(c->jobs[0].key, 1);
	answer_badly(c);
	while (d(c)->checking)
		case_turn(c);
	assert_true(d(c)->unhealthy);
	assert_string_equal(token_state_name(d(c)), "failed");
	assert_non_null(strstr(d(c)->reason, "health signature failed: verify CKR_SIGNATURE_INVALID"));
	client_send(&alice, CALL_UNLOCK, "d", CASE_PIN, 1);
	reply = client_reply(c, &alice);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Token.TokenFailed");
	assert_non_null(strstr(json_member_str(json_object_get(reply, "parameters"), "message"), "personal signing goes on"));
	json_decref(reply);
	c->no_answers = false;
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), ""); /* it does */
	assert_string_equal(outcome_of(c, "health"), "failed");
	check_now(c);
	while (d(c)->checking)
		case_turn(c);
	assert_false(d(c)->unhealthy);
	assert_string_equal(token_state_name(d(c)), "ready");
	assert_string_equal(d(c)->reason, "");
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "d", CASE_PIN, 1), "");
	client_close(&alice);
}

static void
stays_failed_with_a_new_worker_until_it_has_signed(void **state)
{
	struct broker_case *c = *state;
	struct client alice;
	uint64_t generation;

	start_unlocked(c);
	c->no_answers = true;
	check_now(c);
	case_until_jobs(c, 1);
	answer_badly(c);
	while (d(c)->checking)
		case_turn(c);
	c->no_answers = false;
	generation = d(c)->generation;
	case_worker_dies(c, case_worker(c, "d"));
	while (d(c)->generation == generation)
		case_turn(c);
	case_until_state(c, "d", TOKEN_READY);
	assert_string_equal(token_state_name(d(c)), "failed");
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "d", CASE_PIN, 1), "TokenFailed");
	client_close(&alice);
}

/* A hung one is killed at its deadline: it was late. */
static void
calls_a_late_one_what_it_is(void **state)
{
	struct broker_case *c = *state;

	start_unlocked(c);
	c->no_answers = true;
	check_now(c);
	case_until_jobs(c, 1);
	d(c)->worker->lanes[0].deadline_ms = 0;
	while (d(c)->checking)
		case_turn(c);
	assert_true(d(c)->unhealthy);
	assert_non_null(strstr(d(c)->health_reason, "it was late"));
	assert_string_equal(outcome_of(c, "health"), "unknown");
}

static void
uses_up_no_persons_unlocking(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	start(c, "lease = shared\n");
	case_until_state(c, "d", TOKEN_LOCKED);
	check_now(c);
	assert_false(d(c)->checking);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "d", CASE_PIN, 1), "");
	check_now(c);
	assert_false(d(c)->checking);
	assert_int_equal(d(c)->lease.uses, 1);
	client_close(&alice);
}

static void
tells_what_its_absence_stops(void **state)
{
	struct broker_case *c = *state;
	struct client alice;
	json_t *reply, *params;

	start_unlocked(c);
	case_unplug(c, "d");
	case_until_state(c, "d", TOKEN_ABSENT);
	client_connect(c, &alice, CASE_ALICE);
	client_send(&alice, CALL_UNLOCK, "d", CASE_PIN, 1);
	reply = client_reply(c, &alice);
	params = json_object_get(reply, "parameters");
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Token.TokenAbsent");
	assert_string_equal(json_member_str(params, "holder"), "Bà Lan");
	assert_non_null(strstr(json_member_str(params, "message"), "sealing and time-stamps stop until Bà Lan connects it"));
	json_decref(reply);
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "");
	client_close(&alice);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    CASE(signs_by_itself_and_says_so_in_the_log),
	    CASE(fails_for_everybody_until_it_is_right_again),
	    CASE(stays_failed_with_a_new_worker_until_it_has_signed),
	    CASE(calls_a_late_one_what_it_is),
	    CASE(uses_up_no_persons_unlocking),
	    CASE(tells_what_its_absence_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
