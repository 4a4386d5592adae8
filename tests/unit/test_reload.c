/* daemon/signetd/reload.c, broker.c: the configuration changes, or the daemon stops, while something is under way */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "unit.h"

static int
teardown(void **state)
{
	struct broker_case *c = *state;

	if (c->running)
		case_stop(c);
	case_remove_dir(c);
	return 0;
}

static const char rules_for_all[] =
    "[rule r]\nuser = 900 1000 1001\nverbs = sign list unlock admin\nkeys = *\n";
static const char without_a[] = "[token b]\nmodule = /usr/bin/env\nlabel = b\n"
				"[key m]\ntoken = b\nuri = pkcs11:token=b;id=%03\n";

static void
configure(struct broker_case *c, const char *tokens)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s%s", tokens, rules_for_all);
	case_configure(c, text);
}

/* The names in `changed`, joined. */
static void
assert_reload(struct broker_case *c, struct client *admin, const char *changed)
{
	char names[256] = "";
	json_t *reply, *list;

	client_send(admin, CALL_RELOAD);
	reply = client_reply(c, admin);
	assert_null(json_object_get(reply, "error"));
	list = json_object_get(json_object_get(reply, "parameters"), "changed");
	for (size_t i = 0; i < json_array_size(list); i++) {
		strncat(names, json_string_value(json_array_get(list, i)), 100);
		strcat(names, " ");
	}
	assert_string_equal(names, changed);
	json_decref(reply);
}

static void
same_file_changes_nothing(void **state)
{
	struct broker_case *c = *state;
	struct client admin;

	client_connect(c, &admin, CASE_ADMIN);
	assert_reload(c, &admin, "");
	assert_int_equal(broker_token(&c->b, "a")->worker_starts, 1);
	client_close(&admin);
}

static void
token_that_is_the_same_keeps_its_worker_and_its_lease(void **state)
{
	struct broker_case *c = *state;
	struct client alice, admin;

	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &admin, CASE_ADMIN);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "b", CASE_PIN, 5), "");
	configure(c, without_a);
	assert_reload(c, &admin, "a ");
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "m", case_digest(1)), "");
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "KeyNotFound");
	assert_int_equal(broker_token(&c->b, "b")->worker_starts, 1);
	case_quiet(c);
	assert_int_equal(c->b.tokens_going, 0);
	client_close(&alice);
	client_close(&admin);
}

static void
bad_file_is_refused_and_the_old_one_stays(void **state)
{
	static const char *const bad[] = {"[token a]\nmodul = x\n", "[rule r]\nuser = 900\nverbs = fly\n",
	    "[daemon]\nsocket = /elsewhere\n", "[log]\norigin = other\n", "[daemon]\nsandbox = yes\n", "]["};
	struct broker_case *c = *state;
	struct client admin;

	client_connect(c, &admin, CASE_ADMIN);
	for (size_t i = 0; i < array_len(bad); i++) {
		case_configure(c, bad[i]);
		assert_string_equal(client_call(c, &admin, CALL_RELOAD), "ReloadFailed");
		assert_non_null(broker_token(&c->b, "a"));
		assert_int_equal(c->b.tokens_going, 0);
	}
	assert_string_equal(client_call(c, &admin, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "");
	client_close(&admin);
}

static void
right_that_was_taken_is_missing_at_the_claim(void **state)
{
	struct broker_case *c = *state;
	struct client busy, alice, admin;

	client_connect(c, &busy, CASE_BOB);
	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &admin, CASE_ADMIN);
	c->no_answers = true;
	client_send(&busy, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	client_send(&alice, CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN); /* waits */
	case_quiet(c);
	{
		char text[4096];

		snprintf(text, sizeof(text),
		    "%s[rule r]\nuser = 900 1001\nverbs = sign list unlock admin\nkeys = *\n", case_tokens);
		case_configure(c, text);
	}
	assert_reload(c, &admin, "");
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &busy), ""); /* claimed: nothing is revoked */
	assert_string_equal(client_error(c, &alice), "NotPermitted");
	assert_int_equal(c->logins, 1);
	client_close(&busy);
	client_close(&alice);
	client_close(&admin);
}

/* Its callers are told, and what they ask next is served: in the middle of taking over it would not be. */
static void
those_who_waited_for_a_removed_token_may_come_back_at_once(void **state)
{
	struct broker_case *c = *state;
	struct client busy, alice, admin;

	client_connect(c, &busy, CASE_BOB);
	client_connect(c, &alice, CASE_ADMIN);
	client_connect(c, &admin, CASE_ADMIN);
	c->no_answers = true;
	client_send(&busy, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	client_send(&alice, CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN);
	client_send(&alice, CALL_RELOAD); /* pipelined behind it */
	client_send(&alice, CALL_SIGN_PIN, "m", case_digest(2), CASE_PIN);
	case_quiet(c);
	configure(c, without_a);
	assert_reload(c, &admin, "a ");
	assert_string_equal(client_error(c, &alice), "Busy");
	assert_string_equal(client_error(c, &alice), "");
	c->no_answers = false;
	while (c->job_count > 0)
		case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &alice), "");
	assert_string_equal(client_error(c, &busy), "");
	case_quiet(c);
	assert_int_equal(c->b.tokens_going, 0);
	client_close(&busy);
	client_close(&alice);
	client_close(&admin);
}

/* Nobody looked after it any more: its caller waited, and the daemon could not end. */
static void
removed_token_that_hangs_is_ended_at_its_deadline(void **state)
{
	struct broker_case *c = *state;
	struct client alice, admin;
	struct token *t = broker_token(&c->b, "a");

	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &admin, CASE_ADMIN);
	c->no_answers = true;
	((struct config_token *)(uintptr_t)t->conf)->sign_timeout_ms = 100;
	((struct config_token *)(uintptr_t)t->conf)->login_timeout_ms = 100;
	client_send(&alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	configure(c, without_a);
	assert_reload(c, &admin, "a ");
	assert_int_equal(c->b.tokens_going, 1);
	assert_string_equal(client_error(c, &alice), "Timeout");
	case_quiet(c);
	assert_int_equal(c->b.tokens_going, 0);
	assert_null(c->b.going);
	c->no_answers = false;
	client_close(&alice);
	client_close(&admin);
}

static void
daemon_ends_although_a_removed_token_hangs(void **state)
{
	struct broker_case *c = *state;
	struct client alice, admin;

	client_connect(c, &alice, CASE_ALICE);
	client_connect(c, &admin, CASE_ADMIN);
	c->no_answers = true;
	client_send(&alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	configure(c, without_a);
	assert_reload(c, &admin, "a ");
	broker_stop(&c->b);
	c->b.stop_deadline_ms = uv_now(&c->b.loop); /* it is over */
	assert_string_equal(client_error(c, &alice), "Timeout");
	case_stop(c);
	client_close(&alice);
	client_close(&admin);
}

static void
token_that_comes_back_under_another_name_takes_over(void **state)
{
	struct broker_case *c = *state;
	struct client admin;

	client_connect(c, &admin, CASE_ADMIN);
	configure(c, "[token a2]\nmodule = /usr/bin/env\nlabel = a\n[key k]\ntoken = a2\nuri = "
		     "pkcs11:token=a;id=%01\n");
	assert_reload(c, &admin, "a b a2 ");
	case_until_state(c, "a2", TOKEN_LOCKED);
	assert_string_equal(client_call(c, &admin, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "");
	case_quiet(c);
	assert_int_equal(c->b.tokens_going, 0);
	client_close(&admin);
}

static void
limits_are_those_of_the_new_file(void **state)
{
	struct broker_case *c = *state;
	struct client admin;
	char text[4096];

	client_connect(c, &admin, CASE_ADMIN);
	snprintf(text, sizeof(text), "%s%s[limits]\njobs-per-uid = 3\n", case_tokens, rules_for_all);
	case_configure(c, text);
	assert_reload(c, &admin, "");
	assert_int_equal(c->b.quota.limit[QUOTA_JOBS], 3);
	client_close(&admin);
}

/* --- stopping --- */

static void
hangup_while_stopping_is_ignored(void **state)
{
	struct broker_case *c = *state;
	struct client alice;
	uint64_t starts = broker_token(&c->b, "a")->worker_starts;

	client_connect(c, &alice, CASE_ALICE);
	c->no_answers = true;
	client_send(&alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	configure(c, without_a);
	broker_stop(&c->b);
	raise(SIGHUP);
	case_turn(c);
	case_turn(c);
	assert_int_equal(broker_token(&c->b, "a")->worker_starts, starts);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &alice), "");
	case_stop(c);
	client_close(&alice);
}

static void
hangup_reads_the_file_again(void **state)
{
	struct broker_case *c = *state;

	configure(c, without_a);
	raise(SIGHUP);
	case_turn(c);
	case_quiet(c);
	assert_null(broker_token(&c->b, "a"));
	configure(c, "[nonsense]\n");
	raise(SIGHUP);
	case_turn(c);
	case_quiet(c);
	assert_non_null(broker_token(&c->b, "b"));
}

static void
second_signal_changes_nothing(void **state)
{
	struct broker_case *c = *state;

	broker_stop(&c->b);
	broker_stop(&c->b);
	raise(SIGTERM);
	case_stop(c);
}

static void
stops_while_a_worker_is_coming_up(void **state)
{
	struct broker_case *c = *state;

	c->no_info = true;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_STARTING);
	case_quiet(c);
	case_stop(c);
}

static void
stops_with_callers_in_every_state(void **state)
{
	struct broker_case *c = *state;
	struct client k[5];

	for (unsigned i = 0; i < array_len(k); i++)
		client_connect(c, &k[i], CASE_ALICE);
	c->no_answers = true;
	client_send(&k[0], CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN); /* sent */
	case_until_jobs(c, 1);
	client_send(&k[1], CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN); /* queued */
	c->hold_claims = true;
	client_send(&k[2], CALL_SIGN_PIN, "m", case_digest(3), CASE_PIN); /* claiming */
	client_send(&k[3], "{\"method\":\"org.signetd.Signer.Coll");      /* half a message */
	case_until_held(c, 1);
	client_send(&k[4], CALL_LOCK, "b"); /* queued behind an exclusive one */
	case_quiet(c);
	broker_stop(&c->b);
	c->hold_claims = false;
	case_release(c);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &k[0]), "");
	assert_string_equal(client_error(c, &k[1]), "Busy");
	assert_string_equal(client_error(c, &k[2]), "");
	assert_string_equal(client_error(c, &k[4]), "Busy");
	case_stop(c);
	for (unsigned i = 0; i < array_len(k); i++)
		client_close(&k[i]);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, teardown)

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    CASE(same_file_changes_nothing),
	    CASE(token_that_is_the_same_keeps_its_worker_and_its_lease),
	    CASE(bad_file_is_refused_and_the_old_one_stays),
	    CASE(right_that_was_taken_is_missing_at_the_claim),
	    CASE(those_who_waited_for_a_removed_token_may_come_back_at_once),
	    CASE(removed_token_that_hangs_is_ended_at_its_deadline),
	    CASE(daemon_ends_although_a_removed_token_hangs),
	    CASE(token_that_comes_back_under_another_name_takes_over),
	    CASE(limits_are_those_of_the_new_file),
	    CASE(hangup_while_stopping_is_ignored),
	    CASE(hangup_reads_the_file_again),
	    CASE(second_signal_changes_nothing),
	    CASE(stops_while_a_worker_is_coming_up),
	    CASE(stops_with_callers_in_every_state),
	};

	if (argc > 1) /* one by name */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
