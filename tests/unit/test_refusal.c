/* daemon/signetd/refusal.c: who is refused all day does not fill the log */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "broker_case.h"
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

static uint64_t
entries(struct broker_case *c)
{
	case_quiet(c);
	return ledger_size(c->b.log);
}

static void
refuse(struct broker_case *c, uid_t uid, const char *key, unsigned times)
{
	struct client k;

	client_connect(c, &k, uid);
	for (unsigned i = 0; i < times; i++)
		assert_string_equal(client_call(c, &k, CALL_SIGN, key, case_digest(i)), "KeyNotFound");
	client_close(&k);
}

static void
first_is_an_entry_at_once_and_repeats_are_one_after_ten_minutes(void **state)
{
	struct broker_case *c = *state;
	uint64_t before = entries(c), began = uv_now(&c->b.loop);

	refuse(c, CASE_STRANGER, "k", 100);
	assert_int_equal(entries(c), before + 1);
	refusals_flush(&c->b, began + REFUSAL_FOLD_MS - 1, false);
	assert_int_equal(entries(c), before + 1);
	refusals_flush(&c->b, uv_now(&c->b.loop) + REFUSAL_FOLD_MS, false);
	assert_int_equal(entries(c), before + 2);
	refusals_flush(&c->b, uv_now(&c->b.loop) + 2 * REFUSAL_FOLD_MS, false);
	assert_int_equal(entries(c), before + 2); /* nothing to say: nothing said */
	assert_int_equal(c->b.refusals.count, 0);
	refuse(c, CASE_STRANGER, "k", 1);
	assert_int_equal(entries(c), before + 3); /* a first one again */
}

static void
users_verbs_and_configured_keys_are_told_apart(void **state)
{
	struct broker_case *c = *state;
	uint64_t before = entries(c);

	refuse(c, CASE_STRANGER, "k", 2);
	refuse(c, CASE_STRANGER, "l", 2);
	refuse(c, CASE_STRANGER + 1, "k", 2);
	refuse(c, CASE_GUEST, "l", 2);
	assert_int_equal(entries(c), before + 4);
}

static void
names_that_a_peer_made_up_are_one(void **state)
{
	struct broker_case *c = *state;
	uint64_t before = entries(c);

	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "made-up-%u", i);
		refuse(c, CASE_STRANGER, name, 1);
	}
	assert_int_equal(entries(c), before + 1);
	assert_int_equal(c->b.counters.refusals, 50);
}

static void
user_makes_so_many_entries_a_day_and_not_one_more(void **state)
{
	struct broker_case *c = *state;
	uint64_t before = entries(c);

	c->b.config->refusals_per_day = 2;
	refuse(c, CASE_STRANGER, "k", 1);
	refuse(c, CASE_STRANGER, "l", 1);
	assert_int_equal(entries(c), before + 2);
	refuse(c, CASE_STRANGER, "m", 1);
	assert_int_equal(entries(c), before + 2);
	assert_int_equal(c->b.counters.refusals, 3); /* still counted */
	refuse(c, CASE_STRANGER + 1, "m", 1);        /* another user's day */
	assert_int_equal(entries(c), before + 3);
}

static void
what_was_counted_is_written_at_the_end(void **state)
{
	struct broker_case *c = *state;
	uint64_t before;

	refuse(c, CASE_STRANGER, "k", 5);
	before = entries(c);
	case_stop(c);
	case_start(c);
	case_until_state(c, "a", TOKEN_LOCKED);
	case_until_state(c, "b", TOKEN_LOCKED);
	assert_int_equal(entries(c), before + 1 + 1 + 1 + 2); /* four repeats, stop, start, two tokens */
}

/* `call` with its one %s replaced. */
static void
print(char *out, size_t size, const char *call, const char *name)
{
	const char *at = strstr(call, "%s");

	snprintf(out, size, "%.*s%s%s", (int)(at - call), call, name, at + 2);
}

/* Unknown and forbidden: the same bytes but for the name, so nobody learns which keys there are. */
static void
forbidden_key_looks_like_none(void **state)
{
	static const char *const calls[] = {
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"%s\",\"digest\":\"bad\"}}",
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"%s\",\"digest\":\"bad\","
	    "\"pin\":\"0000\"}}",
	    "{\"method\":\"org.signetd.Signer.ListKeys\",\"parameters\":{\"key\":\"%s\"}}",
	    "{\"method\":\"org.signetd.Signer.SignBatch\",\"parameters\":{\"key\":\"%s\",\"items\":[{"
	    "\"digest\":\"bad\"}]}}",
	    ("{\"method\":\"org.signetd.Signer.SignBatch\",\"parameters\":{\"key\":\"%s\",\"pin\":\"0000\","
	     "\"items\":[{\"digest\":\"bad\"}]}}"),
	    "{\"method\":\"org.signetd.Token.List\",\"parameters\":{\"token\":\"%s\"}}",
	    "{\"method\":\"org.signetd.Token.Lock\",\"parameters\":{\"token\":\"%s\"}}",
	    "{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"%s\",\"pin\":\"0000\"}}"};
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_STRANGER);
	for (size_t i = 0; i < array_len(calls); i++) {
		const char *exists = i < 5 ? "k" : "a";
		char text[256];
		json_t *a, *b;
		char *there, *missing;

		print(text, sizeof(text), calls[i], exists);
		client_send(&k, "%s", text);
		a = client_reply(c, &k);
		print(text, sizeof(text), calls[i], "z");
		client_send(&k, "%s", text);
		b = client_reply(c, &k);
		there = json_dumps(a, JSON_COMPACT);
		missing = json_dumps(b, JSON_COMPACT);
		for (char *p = missing; (p = strstr(p, "\"z\"")) != NULL;)
			p[1] = exists[0];
		assert_string_equal(there, missing);
		free(there);
		free(missing);
		json_decref(a);
		json_decref(b);
	}
	assert_int_equal(c->logins, 0);
	client_close(&k);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    CASE(first_is_an_entry_at_once_and_repeats_are_one_after_ten_minutes),
	    CASE(users_verbs_and_configured_keys_are_told_apart),
	    CASE(names_that_a_peer_made_up_are_one),
	    CASE(user_makes_so_many_entries_a_day_and_not_one_more),
	    CASE(what_was_counted_is_written_at_the_end),
	    CASE(forbidden_key_looks_like_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
