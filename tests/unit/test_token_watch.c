/* daemon/signetd/token_watch.c: first everything, then what changes, to each what is his, and never a queue */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "broker_case.h"
#include "unit.h"

#define WATCH "{\"method\":\"org.signetd.Token.Watch\",\"more\":true}"

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

/* The next reply is "name state", or "" for the end of the first state. */
static const char *
next(struct broker_case *c, struct client *k)
{
	static char text[256];
	json_t *reply = client_reply(c, k);
	json_t *token = json_object_get(json_object_get(reply, "parameters"), "token");

	assert_true(json_is_true(json_object_get(reply, "continues")));
	assert_non_null(token);
	text[0] = '\0';
	if (!json_is_null(token))
		snprintf(text, sizeof(text), "%s %s", json_member_str(token, "name"), json_member_str(token, "state"));
	json_decref(reply);
	return text;
}

static void
watch(struct broker_case *c, struct client *k, uid_t uid)
{
	client_connect(c, k, uid);
	client_send(k, "%s", WATCH);
}

static void
watch_both(struct broker_case *c, struct client *k)
{
	watch(c, k, CASE_ALICE);
	assert_string_equal(next(c, k), "a locked");
	assert_string_equal(next(c, k), "b locked");
	assert_string_equal(next(c, k), "");
}

static void
tells_all_then_the_end_then_changes(void **state)
{
	struct broker_case *c = *state;
	struct client watcher, alice;

	watch_both(c, &watcher);
	case_quiet(c);
	assert_false(client_has_reply(&watcher));
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "b", CASE_PIN, 5), "");
	assert_string_equal(next(c, &watcher), "b ready");
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "m", case_digest(1)), "");
	case_quiet(c);
	assert_false(client_has_reply(&watcher)); /* a use of the lease is no change */
	assert_string_equal(client_call(c, &alice, CALL_LOCK, "b"), "");
	assert_string_equal(next(c, &watcher), "b locked");
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "a", "0000", 5), "PinIncorrect");
	assert_string_equal(next(c, &watcher), "a locked"); /* a wrong PIN is one */
	case_quiet(c);
	assert_false(client_has_reply(&watcher));
	client_close(&alice);
	client_close(&watcher);
}

static void
tells_of_a_worker_that_dies_and_of_its_successor(void **state)
{
	struct broker_case *c = *state;
	struct client watcher;
	const char *said;

	watch_both(c, &watcher);
	case_worker_dies(c, case_worker(c, "a"));
	said = next(c, &watcher);
	if (strcmp(said, "a locked") != 0) { /* else folded: the new one was there before we read */
		assert_string_equal(said, "a absent");
		said = next(c, &watcher);
	}
	assert_string_equal(said, "a locked");
	client_close(&watcher);
}

static void
shows_each_his_own_tokens(void **state)
{
	struct broker_case *c = *state;
	struct client guest, stranger, alice;

	watch(c, &guest, CASE_GUEST);
	assert_string_equal(next(c, &guest), "a locked");
	assert_string_equal(next(c, &guest), "");
	watch(c, &stranger, CASE_STRANGER);
	assert_string_equal(client_error(c, &stranger), "TokenNotFound");
	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "a", CASE_PIN, 5), "");
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "b", CASE_PIN, 5), "");
	assert_string_equal(next(c, &guest), "a ready");
	case_quiet(c);
	assert_false(client_has_reply(&guest));
	assert_false(client_has_reply(&stranger));
	client_close(&guest);
	client_close(&stranger);
	client_close(&alice);
}

static void
needs_more_and_refuses_oneway(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, "{\"method\":\"org.signetd.Token.Watch\"}"), "ExpectedMore");
	client_send(&k, "{\"method\":\"org.signetd.Token.Watch\",\"oneway\":true}");
	assert_string_equal(client_call(c, &k, "{\"method\":\"org.varlink.service.GetInfo\"}"), "");
	assert_null(c->b.token_watchers);
	client_close(&k);
}

static void
follows_a_reload_and_the_rights_that_it_changes(void **state)
{
	struct broker_case *c = *state;
	struct client guest, alice, admin;
	char text[8192];

	watch(c, &guest, CASE_GUEST);
	assert_string_equal(next(c, &guest), "a locked");
	assert_string_equal(next(c, &guest), "");
	watch_both(c, &alice);
	client_connect(c, &admin, CASE_ADMIN);
	/* the guest's right is another one now, token b has gone and c has come */
	snprintf(text, sizeof(text), "%s", "[token a]\nmodule = /usr/bin/env\nlabel = a\n"
					   "[token c]\nmodule = /usr/bin/env\nlabel = c\n"
					   "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%01\n"
					   "[key l]\ntoken = a\nuri = pkcs11:token=a;id=%02\n"
					   "[key n]\ntoken = c\nuri = pkcs11:token=c;id=%03\n"
					   "[rule admin]\nuser = 900\nverbs = admin\n"
					   "[rule people]\nuser = 1000\nverbs = sign list unlock\nkeys = *\n"
					   "[rule guest]\nuser = 1002\nverbs = list\nkeys = n\n");
	case_configure(c, text);
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	assert_string_equal(next(c, &guest), "a absent");
	assert_string_equal(next(c, &guest), "c absent");
	assert_string_equal(next(c, &guest), "c locked");
	assert_string_equal(next(c, &alice), "b absent");
	assert_string_equal(next(c, &alice), "a locked");
	assert_string_equal(next(c, &alice), "c absent");
	assert_string_equal(next(c, &alice), "c locked");
	case_quiet(c);
	assert_false(client_has_reply(&guest));
	assert_false(client_has_reply(&alice));
	client_close(&guest);
	client_close(&alice);
	client_close(&admin);
}

/* The peer's socket and buffer fill up; what comes after is folded into the newest state. */
static void
folds_what_a_slow_reader_misses(void **state)
{
	struct broker_case *c = *state;
	struct client watcher;
	struct token *a = broker_token(&c->b, "a");
	unsigned told = 0, rounds = 20000;
	size_t most = 0;
	char last[300] = "", wanted[32];

	watch_both(c, &watcher);
	for (unsigned i = 1; i <= rounds; i++) {
		snprintf(a->reason, sizeof(a->reason), "change %u", i);
		uv_run(&c->b.loop, UV_RUN_NOWAIT);
		if (c->b.peers->out.len > most)
			most = c->b.peers->out.len;
	}
	assert_true(most <= PEER_OUT_HIGH + 1024);
	snprintf(wanted, sizeof(wanted), "change %u", rounds);
	while (strcmp(last, wanted) != 0) {
		json_t *reply = client_reply(c, &watcher);
		json_t *token = json_object_get(json_object_get(reply, "parameters"), "token");

		snprintf(last, sizeof(last), "%s", json_member_str(token, "reason"));
		json_decref(reply);
		told++;
	}
	assert_true(told < rounds);
	a->reason[0] = '\0';
	assert_string_equal(next(c, &watcher), "a locked");
	client_close(&watcher);
}

static bool
nobody_watches(const struct broker_case *c, const void *arg)
{
	(void)arg;
	return c->b.token_watchers == NULL && c->b.peer_count == 0;
}

static void
ends_with_its_peer(void **state)
{
	struct broker_case *c = *state;
	struct client k[3];

	for (size_t i = 0; i < array_len(k); i++)
		watch_both(c, &k[i]);
	for (size_t i = 0; i < array_len(k); i++)
		client_close(&k[(i + 1) % array_len(k)]);
	case_until(c, nobody_watches, NULL, "the end of the watching");
}

static void
ends_with_the_daemon_and_says_so(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	watch_both(c, &k);
	broker_stop(&c->b);
	assert_string_equal(client_error(c, &k), "Busy");
	client_until_closed(c, &k);
	client_close(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tells_all_then_the_end_then_changes, setup, teardown),
	    cmocka_unit_test_setup_teardown(tells_of_a_worker_that_dies_and_of_its_successor, setup, teardown),
	    cmocka_unit_test_setup_teardown(shows_each_his_own_tokens, setup, teardown),
	    cmocka_unit_test_setup_teardown(needs_more_and_refuses_oneway, setup, teardown),
	    cmocka_unit_test_setup_teardown(follows_a_reload_and_the_rights_that_it_changes, setup, teardown),
	    cmocka_unit_test_setup_teardown(folds_what_a_slow_reader_misses, setup, teardown),
	    cmocka_unit_test_setup_teardown(ends_with_its_peer, setup, teardown),
	    cmocka_unit_test_setup_teardown(ends_with_the_daemon_and_says_so, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
