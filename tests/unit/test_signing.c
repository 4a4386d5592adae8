/* daemon/signetd/signing.c, method_sign.c, method_collect.c: one request, asked for more than once */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "broker_case.h"
#include "unit.h"

static int
teardown(void **state)
{
	struct broker_case *c = *state;

	case_quiet(c);
	if (case_used(c, CASE_ALICE, QUOTA_JOBS) != 0)
		return -1;
	case_stop(c);
	case_remove_dir(c);
	return 0;
}

/* Sign with requestId `id`; `more` is further parameters, beginning with a comma. */
static void
send_sign(struct client *k, const char *id, unsigned digest, const char *more)
{
	client_send(k,
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"%s\","
	    "\"requestId\":\"%s\"%s}}",
	    case_digest(digest), id, more);
}

static const char *
sign(struct broker_case *c, struct client *k, const char *id, unsigned digest, const char *more)
{
	send_sign(k, id, digest, more);
	return client_error(c, k);
}

#define PIN ",\"pin\":\"" CASE_PIN "\""
#define COLLECT_ID "{\"method\":\"org.signetd.Signer.Collect\",\"parameters\":{\"requestId\":\"%s\"}}"
#define COLLECT_INDEX "{\"method\":\"org.signetd.Signer.Collect\",\"parameters\":{\"index\":%d}}"

static json_t *
parameters_of(json_t *reply)
{
	return json_object_get(reply, "parameters");
}

static void
first_reply_comes_again_without_pin_and_token(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *first, *again;

	client_connect(c, &k, CASE_ALICE);
	send_sign(&k, "r", 1, PIN);
	first = client_reply(c, &k);
	case_worker_dies(c, case_worker(c, "a"));
	c->presence = WIRE_ABSENT;
	send_sign(&k, "r", 1, ",\"timeoutMs\":1234");
	again = client_reply(c, &k);
	assert_true(json_equal(first, again));
	assert_int_equal(c->logins, 1);
	json_decref(first);
	json_decref(again);
	client_close(&k);
}

static void
first_reply_comes_again_after_a_restart(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *first, *again;

	client_connect(c, &k, CASE_ALICE);
	send_sign(&k, "r", 1, PIN);
	first = client_reply(c, &k);
	client_close(&k);
	case_stop(c);
	case_start(c);
	client_connect(c, &k, CASE_ALICE);
	send_sign(&k, "r", 1, "");
	again = client_reply(c, &k);
	assert_true(json_equal(first, again));
	json_decref(first);
	json_decref(again);
	client_close(&k);
}

static void
each_part_of_the_request_tells_it_from_another(void **state)
{
	static const char *const other[] = {",\"scheme\":\"ecdsa\"", ",\"capacity\":\"x\"",
	    ",\"onBehalfOf\":\"x\"", ",\"document\":{\"number\":\"x\"}", ",\"document\":{\"title\":\"x\"}",
	    ",\"document\":{\"date\":\"x\"}", ",\"document\":{\"id\":\"x\"}",
	    ",\"document\":{\"mediaType\":\"a/b\"}"};
	static const char *const same[] = {",\"format\":\"raw\"", ",\"level\":\"b\"", ",\"timeoutMs\":5",
	    ",\"proof\":false", ",\"lastTry\":true", ",\"pin\":\"any\"", ",\"document\":{}",
	    ",\"document\":null"};
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(sign(c, &k, "r", 1, PIN), "");
	assert_string_equal(sign(c, &k, "r", 2, ""), "RequestIdReused");
	for (size_t i = 0; i < array_len(other); i++)
		assert_string_equal(sign(c, &k, "r", 1, other[i]), "RequestIdReused");
	for (size_t i = 0; i < array_len(same); i++)
		assert_string_equal(sign(c, &k, "r", 1, same[i]), "");
	assert_int_equal(c->logins, 1);
	client_close(&k);
}

/* The member's own error, not "out of memory". */
static void
text_too_long_is_said_to_be_so_with_a_request_id_too(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	static char more[40000];
	int n = snprintf(more, sizeof(more), ",\"document\":{\"title\":\"");

	memset(more + n, 'x', 30000);
	strcpy(more + n + 30000, "\"}");
	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(sign(c, &k, "r", 1, more), "InvalidParameter");
	assert_string_equal(sign(c, &k, "r", 1, PIN), "");
	client_close(&k);
}

static void
second_caller_waits_for_the_first_and_gets_his_reply(void **state)
{
	struct broker_case *c = *state;
	struct client first, second;
	json_t *a, *b;

	client_connect(c, &first, CASE_ALICE);
	client_connect(c, &second, CASE_ALICE);
	c->no_answers = true;
	send_sign(&first, "r", 1, PIN);
	case_until_jobs(c, 1);
	send_sign(&second, "r", 1, "");
	case_quiet(c);
	assert_false(client_has_reply(&second));
	case_answer_ok(c, 0);
	a = client_reply(c, &first);
	b = client_reply(c, &second);
	assert_true(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	client_close(&first);
	client_close(&second);
}

static void
second_caller_is_served_although_the_first_has_gone(void **state)
{
	struct broker_case *c = *state;
	struct client first, second;

	client_connect(c, &first, CASE_ALICE);
	client_connect(c, &second, CASE_ALICE);
	c->hold_claims = true;
	send_sign(&first, "r", 1, PIN);
	case_until_held(c, 1);
	send_sign(&second, "r", 1, "");
	case_quiet(c);
	client_close(&first);
	case_quiet(c);
	c->hold_claims = false;
	case_release(c);
	assert_string_equal(client_error(c, &second), "");
	client_close(&second);
}

static void
what_was_refused_before_the_token_is_tried_anew(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(sign(c, &k, "r", 1, ""), "PinRequired");
	assert_string_equal(sign(c, &k, "r", 1, ",\"pin\":\"0000\""), "PinIncorrect");
	broker_token(&c->b, "a")->pin->note[PIN_CALL].last_us -= PIN_PAUSE_US;
	assert_string_equal(sign(c, &k, "r", 2, PIN), ""); /* and for another digest: nothing was bound */
	client_close(&k);
}

static void
outcome_that_nobody_knows_stays_so(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *reply;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	send_sign(&k, "r", 1, PIN);
	case_until_jobs(c, 1);
	case_worker_dies(c, case_worker(c, "a"));
	assert_string_equal(client_error(c, &k), "TokenFailed");
	c->no_answers = false;
	case_until_state(c, "a", TOKEN_LOCKED);
	send_sign(&k, "r", 1, PIN);
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.OutcomeUnknown");
	assert_true(json_is_integer(json_object_get(parameters_of(reply), "index")));
	json_decref(reply);
	client_send(&k, COLLECT_ID, "r");
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(parameters_of(reply), "state"), "unknown");
	json_decref(reply);
	assert_int_equal(c->logins, 1);
	client_close(&k);
}

/* The disk did not take the record of a refusal: nothing was signed, so the id is free, now and not "some time". */
static void
refusal_that_could_not_be_recorded_frees_its_id(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->hold_records = true;
	send_sign(&k, "r", 1, ",\"pin\":\"0000\"");
	case_until_held(c, 1);
	c->hold_records = false;
	case_refuse(c, SIGNET_ERR_LOG_UNAVAILABLE);
	assert_string_equal(client_error(c, &k), "LogUnavailable");
	broker_token(&c->b, "a")->pin->note[PIN_CALL].last_us -= PIN_PAUSE_US;
	assert_string_equal(sign(c, &k, "r", 1, PIN), "");
	client_close(&k);
}

/* A signature whose record is still to come must not be made a second time. */
static void
signature_that_could_not_be_recorded_is_not_released(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *reply;

	client_connect(c, &k, CASE_ALICE);
	c->hold_records = true;
	send_sign(&k, "r", 1, PIN);
	case_until_held(c, 1);
	c->hold_records = false;
	case_refuse(c, SIGNET_ERR_LOG_UNAVAILABLE);
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.LogUnavailable");
	assert_null(json_object_get(parameters_of(reply), "signature"));
	json_decref(reply);
	send_sign(&k, "r", 1, PIN);
	case_quiet(c);
	assert_false(client_has_reply(&k)); /* waits for the log */
	assert_int_equal(c->logins, 1);
	client_close(&k);
}

static void
collect_finds_ones_own_and_nothing_else(void **state)
{
	struct broker_case *c = *state;
	struct client alice, bob;
	json_t *reply;
	int index;

	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	send_sign(&alice, "r", 1, PIN);
	reply = client_reply(c, &alice);
	index = (int)json_integer_value(
	    json_object_get(json_object_get(parameters_of(reply), "receipt"), "index"));
	json_decref(reply);
	client_send(&alice, COLLECT_INDEX, index);
	reply = client_reply(c, &alice);
	assert_string_equal(json_member_str(parameters_of(reply), "state"), "done");
	json_decref(reply);
	client_send(&alice, COLLECT_ID, "r");
	reply = client_reply(c, &alice);
	assert_string_equal(json_member_str(parameters_of(reply), "state"), "done");
	json_decref(reply);
	assert_string_equal(client_call(c, &bob, COLLECT_INDEX, index), "RequestNotFound");
	assert_string_equal(client_call(c, &bob, COLLECT_INDEX, 0), "RequestNotFound"); /* not a signature */
	assert_string_equal(client_call(c, &bob, COLLECT_INDEX, 1 << 30), "RequestNotFound");
	assert_string_equal(client_call(c, &bob, COLLECT_ID, "r"), "RequestNotFound");
	assert_string_equal(client_call(c, &bob, COLLECT_ID, "not an id!"), "RequestNotFound");
	client_close(&alice);
	client_close(&bob);
}

static void
collect_says_that_it_is_still_running(void **state)
{
	struct broker_case *c = *state;
	struct client k, other;
	json_t *reply;

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &other, CASE_ALICE);
	c->no_answers = true;
	send_sign(&k, "r", 1, PIN);
	case_until_jobs(c, 1);
	client_send(&other, COLLECT_ID, "r");
	reply = client_reply(c, &other);
	assert_string_equal(json_member_str(parameters_of(reply), "state"), "waiting");
	json_decref(reply);
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &k), "");
	client_close(&k);
	client_close(&other);
}

static void
bad_digests_and_ids_are_refused_by_name(void **state)
{
	static const char *const digests[] = {"", "sha256:", "sha256:00",
	    "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
	    "SHA256:0000000000000000000000000000000000000000000000000000000000000001",
	    "sha256:000000000000000000000000000000000000000000000000000000000000000A",
	    "sha256:00000000000000000000000000000000000000000000000000000000000000001",
	    "sha384:0000000000000000000000000000000000000000000000000000000000000001"};
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	for (size_t i = 0; i < array_len(digests); i++)
		assert_string_equal(
		    client_call(c, &k, CALL_SIGN_PIN, "k", digests[i], CASE_PIN), "BadDigest");
	assert_string_equal(sign(c, &k, "", 1, PIN), "InvalidParameter");
	assert_string_equal(sign(c, &k, "a b", 1, PIN), "InvalidParameter");
	assert_string_equal(sign(c, &k, "r", 1, ",\"format\":\"cades\""), "Unsupported");
	assert_string_equal(sign(c, &k, "r", 1, ",\"level\":\"t\""), "Unsupported");
	assert_string_equal(sign(c, &k, "r", 1, ",\"scheme\":\"pss\"" PIN), "Unsupported");
	assert_int_equal(c->logins, 0);
	client_close(&k);
}

/* A PIN is taken only from who may unlock. */
static void
pin_of_one_who_may_not_unlock_never_reaches_the_token(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_GUEST);
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "NotPermitted");
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	assert_string_equal(client_call(c, &k, CALL_SIGN, "l", case_digest(1)), "KeyNotFound");
	assert_int_equal(c->logins, 0);
	client_close(&k);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, teardown)
	    CASE(first_reply_comes_again_without_pin_and_token),
	    CASE(first_reply_comes_again_after_a_restart),
	    CASE(each_part_of_the_request_tells_it_from_another),
	    CASE(text_too_long_is_said_to_be_so_with_a_request_id_too),
	    CASE(second_caller_waits_for_the_first_and_gets_his_reply),
	    CASE(second_caller_is_served_although_the_first_has_gone),
	    CASE(what_was_refused_before_the_token_is_tried_anew),
	    CASE(outcome_that_nobody_knows_stays_so),
	    CASE(refusal_that_could_not_be_recorded_frees_its_id),
	    CASE(signature_that_could_not_be_recorded_is_not_released),
	    CASE(collect_finds_ones_own_and_nothing_else),
	    CASE(collect_says_that_it_is_still_running),
	    CASE(bad_digests_and_ids_are_refused_by_name),
	    CASE(pin_of_one_who_may_not_unlock_never_reaches_the_token),
	};

	if (argc > 1) /* one by name */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
