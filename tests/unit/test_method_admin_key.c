/* daemon/signetd/method_admin_key.c, disabled.c, method_handover.c: keys switched off and on, tokens handed over */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "disabled.h"
#include "unit.h"

#define CALL_DISABLE                                                                                         \
	"{\"method\":\"org.signetd.Admin.DisableKey\",\"parameters\":{\"key\":\"%s\",\"reason\":\"%s\"}}"
#define CALL_ENABLE                                                                                          \
	"{\"method\":\"org.signetd.Admin.EnableKey\",\"parameters\":{\"key\":\"%s\",\"reason\":\"%s\"}}"
#define CALL_LIST_KEY "{\"method\":\"org.signetd.Signer.ListKeys\",\"parameters\":{\"key\":\"%s\"}}"

static struct broker_case one;

static int
setup(void **state)
{
	case_make(&one);
	case_start(&one);
	case_until_state(&one, "a", TOKEN_LOCKED);
	*state = &one;
	return 0;
}

static int
teardown(void **state)
{
	struct broker_case *c = *state;

	if (c->running)
		case_stop(c);
	case_remove_dir(c);
	return 0;
}

static const char *
file(const struct broker_case *c)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/disabled.json", c->b.config->state);
	return path;
}

static void
assert_key(struct broker_case *c, struct client *k, const char *state, const char *reason)
{
	json_t *reply;
	const json_t *key;

	client_send(k, CALL_LIST_KEY, "k");
	reply = client_reply(c, k);
	key = json_object_get(json_object_get(reply, "parameters"), "key");
	assert_string_equal(json_string_value(json_object_get(key, "state")), state);
	if (reason != NULL)
		assert_string_equal(json_string_value(json_object_get(key, "reason")), reason);
	json_decref(reply);
}

/* The newest entry with this in it. */
static void
assert_logged(struct broker_case *c, struct client *admin, const char *part)
{
	bool there = false, more = true;
	json_t *reply;

	client_send(admin, "{\"method\":\"org.signetd.Log.Read\",\"more\":true,\"parameters\":{}}");
	while (more) {
		const char *text;

		reply = client_reply(c, admin);
		text = json_string_value(json_object_get(
		    json_object_get(json_object_get(reply, "parameters"), "entry"), "entry"));
		there = there || (text != NULL && strstr(text, part) != NULL);
		more = json_is_true(json_object_get(reply, "continues"));
		json_decref(reply);
	}
	if (!there)
		fail_msg("no entry has %s", part);
}

static void
disabled_key_signs_for_nobody_until_it_is_enabled(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost on the bus"), "");
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "KeyDisabled");
	assert_string_equal(client_call(c, &admin, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "KeyDisabled");
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "l", case_digest(2), CASE_PIN), "");
	assert_key(c, &alice, "disabled", "lost on the bus");
	assert_logged(c, &admin, "\"operation\":\"disable\"");
	assert_int_equal(c->logins, 1);
	assert_string_equal(client_call(c, &admin, CALL_ENABLE, "k", "found again"), "");
	assert_key(c, &alice, "locked", NULL);
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(3), CASE_PIN), "");
	assert_logged(c, &admin, "\"operation\":\"enable\"");
	client_close(&admin);
	client_close(&alice);
}

static void
it_stays_disabled_when_the_daemon_starts_again(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost"), "");
	client_close(&admin);
	case_stop(c);
	case_start(c);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "KeyDisabled");
	client_close(&alice);
}

/* What waits in the queue is judged again before it is claimed. */
static void
call_that_waits_is_refused_too(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice[2];

	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice[0], CASE_ALICE);
	client_connect(c, &alice[1], CASE_ALICE);
	c->no_answers = true;
	client_send(&alice[0], CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	client_send(&alice[1], CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN);
	case_quiet(c);
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost"), "");
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &alice[0]), ""); /* it was claimed */
	assert_string_equal(client_error(c, &alice[1]), "KeyDisabled");
	client_close(&admin);
	client_close(&alice[0]);
	client_close(&alice[1]);
}

static void
second_name_of_the_same_object_is_no_way_around(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;
	char text[4096];

	snprintf(text, sizeof(text),
	    "[token a]\nmodule = /usr/bin/env\nlabel = a\n[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n"
	    "[key other]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n%s",
	    "[rule r]\nuser = 900 1000\nverbs = sign list unlock admin\nkeys = *\n");
	case_configure(c, text);
	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost"), "");
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "other", case_digest(1), CASE_PIN), "KeyDisabled");
	client_close(&admin);
	client_close(&alice);
}

static void
only_administrators_and_only_with_a_reason(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_DISABLE, "k", "mine"), "NotPermitted");
	assert_string_equal(client_call(c, &alice, CALL_ENABLE, "k", "mine"), "NotPermitted");
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", ""), "InvalidParameter");
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "nothing", "lost"), "KeyNotFound");
	assert_string_equal(client_call(c, &admin, CALL_ENABLE, "k", "never was"), "KeyNotFound");
	assert_int_equal(access(file(c), F_OK), -1);
	client_close(&admin);
	client_close(&alice);
}

/* Rather off than on: it holds, and the caller is told what is missing. */
static void
holds_also_where_it_cannot_be_logged(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	c->hold_kind = "key";
	client_send(&admin, CALL_DISABLE, "k", "lost");
	case_until_held(c, 1);
	case_refuse(c, SIGNET_ERR_LOG_UNAVAILABLE);
	c->hold_kind = NULL;
	assert_string_equal(client_error(c, &admin), "LogUnavailable");
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "KeyDisabled");
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost"), "");
	client_close(&admin);
	client_close(&alice);
}

static void
stays_off_where_enabling_cannot_be_logged(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost"), "");
	c->hold_kind = "key";
	client_send(&admin, CALL_ENABLE, "k", "found");
	case_until_held(c, 1);
	case_refuse(c, SIGNET_ERR_LOG_UNAVAILABLE);
	c->hold_kind = NULL;
	assert_string_equal(client_error(c, &admin), "LogUnavailable");
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "KeyDisabled");
	client_close(&admin);
	client_close(&alice);
}

static void
goes_on_when_the_caller_goes_away(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	c->hold_kind = "key";
	client_send(&admin, CALL_DISABLE, "k", "lost");
	case_until_held(c, 1);
	client_close(&admin);
	case_quiet(c);
	c->hold_kind = NULL;
	case_release(c);
	case_quiet(c);
	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "KeyDisabled");
	assert_string_equal(client_call(c, &admin, CALL_ENABLE, "k", "found"), "");
	client_close(&admin);
	client_close(&alice);
}

static void
damaged_file_lets_nobody_in(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "{\"k\":{}}", "{\"k\":{\"reason\":1,\"since\":\"x\",\"by\":0}}",
	    "{\"k\":{\"reason\":\"a\",\"since\":\"b\"},\"k\":{\"reason\":\"a\",\"since\":\"b\"}}"};
	struct broker_case *c = *state;
	char why[400];

	for (size_t i = 0; i < array_len(texts); i++) {
		FILE *f = fopen(file(c), "w");

		assert_non_null(f);
		assert_true(fputs(texts[i], f) >= 0);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(disabled_load(&c->b, why, sizeof(why)), SIGNET_ERR_CONFIG);
		assert_non_null(strstr(why, "is damaged"));
		disabled_done(&c->b);
	}
	assert_int_equal(unlink(file(c)), 0);
	assert_int_equal(disabled_load(&c->b, why, sizeof(why)), SIGNET_OK);
}

static void
file_is_for_nobody_else(void **state)
{
	struct broker_case *c = *state;
	struct client admin;
	struct stat st;

	client_connect(c, &admin, CASE_ADMIN);
	assert_string_equal(client_call(c, &admin, CALL_DISABLE, "k", "lost"), "");
	assert_int_equal(stat(file(c), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	client_close(&admin);
}

#define CALL_HANDOVER                                                                                        \
	"{\"method\":\"org.signetd.Admin.Handover\",\"parameters\":{\"token\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"," \
	"\"number\":\"12/BB\",\"date\":\"2026-11-21\"}}"

static void
handover_is_an_entry_without_names(void **state)
{
	struct broker_case *c = *state;
	struct client admin, alice;

	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &admin, CALL_HANDOVER, "a", "Nguyễn Văn An", "Trần Thị Bình"), "");
	assert_logged(c, &admin, "\"operation\":\"handover\",\"number\":\"sha256:");
	assert_logged(c, &admin, "\"handedBy\":\"sha256:");
	assert_logged(c, &admin, "\"handedTo\":\"sha256:");
	assert_string_equal(client_call(c, &alice, CALL_HANDOVER, "a", "x", "y"), "NotPermitted");
	assert_string_equal(client_call(c, &admin, CALL_HANDOVER, "none", "x", "y"), "TokenNotFound");
	assert_string_equal(client_call(c, &admin, CALL_HANDOVER, "a", "x\\u202e", "y"), "InvalidParameter");
	client_close(&admin);
	client_close(&alice);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    CASE(disabled_key_signs_for_nobody_until_it_is_enabled),
	    CASE(it_stays_disabled_when_the_daemon_starts_again),
	    CASE(call_that_waits_is_refused_too),
	    CASE(second_name_of_the_same_object_is_no_way_around),
	    CASE(only_administrators_and_only_with_a_reason),
	    CASE(holds_also_where_it_cannot_be_logged),
	    CASE(stays_off_where_enabling_cannot_be_logged),
	    CASE(goes_on_when_the_caller_goes_away),
	    CASE(damaged_file_lets_nobody_in),
	    CASE(file_is_for_nobody_else),
	    CASE(handover_is_an_entry_without_names),
	};

	if (argc > 1) /* one by name */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
