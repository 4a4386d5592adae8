/* daemon/signetd/method_batch.c: one PIN, many digests, and callers who leave in the middle */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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
	for (uid_t uid = CASE_ADMIN; uid <= CASE_STRANGER; uid++)
		if (case_used(c, uid, QUOTA_JOBS) != 0)
			return -1;
	case_stop(c);
	case_remove_dir(c);
	return 0;
}

/* A batch of n digests; `pin` may be "". `more` is further text in the parameters, beginning with a comma. */
static void
send_batch(struct client *k, const char *key, unsigned n, const char *pin, const char *more)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_printf(&b,
	    "{\"method\":\"org.signetd.Signer.SignBatch\",\"more\":true,\"parameters\":{\"key\":\"%s\"", key);
	if (pin[0] != '\0')
		buf_printf(&b, ",\"pin\":\"%s\"", pin);
	buf_printf(&b, "%s,\"items\":[", more);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%s{\"digest\":\"%s\"}", i > 0 ? "," : "", case_digest(i));
	buf_put(&b, "]}}", 4);
	assert_false(b.failed);
	client_send_bytes(k, b.data, b.len);
	buf_done(&b);
}

/* All results of a batch of n, each item once; how many are signatures. */
static unsigned
receive_batch(struct broker_case *c, struct client *k, unsigned n)
{
	bool seen[1000] = {false};
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		json_t *reply = client_reply(c, k);
		json_t *result = json_object_get(json_object_get(reply, "parameters"), "result");
		json_int_t item = json_integer_value(json_object_get(result, "item"));

		assert_non_null(result);
		assert_in_range(item, 0, n - 1);
		assert_false(seen[item]);
		seen[item] = true;
		good += json_object_get(result, "signature") != NULL;
		assert_int_equal(json_is_true(json_object_get(reply, "continues")), i + 1 < n);
		json_decref(reply);
	}
	return good;
}

static struct token *
token_a(struct broker_case *c)
{
	return broker_token(&c->b, "a");
}

static void
assert_free_for_bob(struct broker_case *c)
{
	struct client bob;

	client_connect(c, &bob, CASE_BOB);
	assert_string_equal(client_call(c, &bob, CALL_SIGN_PIN, "k", case_digest(9), CASE_PIN), "");
	client_close(&bob);
}

static void
one_pin_serves_the_batch_and_ends_with_it(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	send_batch(&k, "k", 40, CASE_PIN, "");
	assert_int_equal(receive_batch(c, &k, 40), 40);
	assert_int_equal(c->logins, 1);
	assert_int_equal(token_a(c)->state, TOKEN_LOCKED);
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "PinRequired");
	client_close(&k);
}

static void
takes_1000_items_and_refuses_none_and_1001(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	send_batch(&k, "k", 0, "", "");
	assert_string_equal(client_error(c, &k), "InvalidParameter");
	send_batch(&k, "k", 1001, "", "");
	assert_string_equal(client_error(c, &k), "InvalidParameter");
	send_batch(&k, "k", 1000, CASE_PIN, "");
	assert_int_equal(receive_batch(c, &k, 1000), 1000);
	client_close(&k);
}

static void
one_bad_item_does_not_end_the_batch(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.SignBatch\",\"more\":true,\"parameters\":{\"key\":\"k\","
	    "\"pin\":\"1234\","
	    "\"items\":[{\"digest\":\"sha256:00\"},{\"digest\":\"%s\"},{\"digest\":\"\"}]}}",
	    case_digest(1));
	assert_int_equal(receive_batch(c, &k, 3), 1);
	client_close(&k);
}

static void
slow_reader_gets_every_result(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	int small = 4096;

	client_connect(c, &k, CASE_ALICE);
	(void)setsockopt(k.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	(void)setsockopt(c->b.peers->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	send_batch(&k, "k", 1000, CASE_PIN, "");
	case_quiet(c);
	assert_true(c->b.peers->out.len > 0); /* held up */
	assert_true(c->b.peers->out.len < PEER_OUT_HIGH + 64 * 1024);
	assert_int_equal(receive_batch(c, &k, 1000), 1000);
	client_close(&k);
}

/* Results that are refused at once, so that all of them come in one turn: nothing waits for an event after it. */
static void
batch_that_fails_at_once_is_told_in_full(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_STRANGER);
	send_batch(&k, "k", 1000, "", "");
	assert_int_equal(receive_batch(c, &k, 1000), 0);
	client_close(&k);
}

/* The connection breaks between two results. */
static void
peer_may_go_away_between_two_results(void **state)
{
	struct broker_case *c = *state;

	for (unsigned n = 0; n < 30; n += 3) {
		struct client k;

		client_connect(c, &k, CASE_ALICE);
		send_batch(&k, "k", 100, CASE_PIN, "");
		for (unsigned i = 0; i < n; i++)
			json_decref(client_reply(c, &k));
		client_close(&k);
		case_quiet(c);
		assert_int_equal(c->b.peer_count, 0);
		assert_false(token_a(c)->lease.stands);
	}
	assert_free_for_bob(c);
}

static void
no_item_begins_before_the_pin_was_right(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	/* the reply before it makes the socket writable while the batch waits */
	client_send(&k, "{\"method\":\"org.varlink.service.GetInfo\"}");
	send_batch(&k, "k", 5, CASE_PIN, "");
	case_until_jobs(c, 1);
	json_decref(client_reply(c, &k));
	peer_wake(c->b.peers);
	case_quiet(c);
	assert_int_equal(token_a(c)->queued.count, 0);
	assert_int_equal(c->job_count, 1);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_int_equal(receive_batch(c, &k, 5), 5);
	client_close(&k);
}

/* It stands for an hour at most, and ends with the last item: nobody should wait for the hour. */
static void
others_are_told_to_come_back_soon(void **state)
{
	struct broker_case *c = *state;
	struct client k, bob;
	json_t *reply;

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &bob, CASE_BOB);
	c->no_answers = true;
	send_batch(&k, "k", 2, CASE_PIN, "");
	case_until_jobs(c, 1);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	case_quiet(c);
	client_send(&bob, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_quiet(c);
	c->no_answers = false;
	token_a(c)->measured = 10; /* claims run ahead of the lane */
	token_run(token_a(c));
	reply = client_reply(c, &bob);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.Busy");
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(reply, "parameters"), "retryAfterMs")), 1000);
	json_decref(reply);
	case_answer_ok(c, 0);
	assert_int_equal(receive_batch(c, &k, 2), 2);
	client_close(&k);
	client_close(&bob);
}

static void
wrong_pin_is_told_once_and_signs_nothing(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	send_batch(&k, "k", 5, "0000", "");
	assert_string_equal(client_error(c, &k), "PinIncorrect");
	assert_int_equal(c->logins, 1);
	client_close(&k);
}

static void
spends_no_try_on_a_key_that_only_seals(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	case_stop(c);
	case_configure(c, "[token a]\nmodule = /usr/bin/env\nlabel = a\n"
			  "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%01\nuse = seal\n"
			  "[rule r]\nuser = 1000\nverbs = sign list unlock\nkeys = *\n");
	case_start(c);
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ALICE);
	send_batch(&k, "k", 2, CASE_PIN, "");
	assert_string_equal(client_error(c, &k), "SealKey");
	assert_int_equal(c->logins, 0);
	client_close(&k);
}

/* --- leases that somebody must end --- */

static void
batch_given_up_before_its_pin_was_claimed_leaves_nothing(void **state)
{
	struct broker_case *c = *state;
	struct client busy, k;

	client_connect(c, &busy, CASE_BOB);
	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&busy, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	send_batch(&k, "k", 5, CASE_PIN, "");
	case_quiet(c);
	client_close(&k);
	case_quiet(c);
	assert_int_equal(token_a(c)->queued.count, 0);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &busy), "");
	assert_int_equal(c->logins, 1);
	client_close(&busy);
}

/* Nobody is left to end this unlocking: it would have stood for an hour. */
static void
batch_given_up_while_its_pin_is_claimed_is_locked_again(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->hold_claims = true;
	send_batch(&k, "k", 5, CASE_PIN, "");
	case_until_held(c, 1);
	client_close(&k);
	case_quiet(c);
	c->hold_claims = false;
	case_release(c);
	case_quiet(c);
	assert_free_for_bob(c);
}

static void
batch_given_up_while_its_pin_is_recorded_is_locked_again(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->hold_records = true;
	send_batch(&k, "k", 5, CASE_PIN, "");
	case_until_held(c, 1);
	client_close(&k);
	case_quiet(c);
	c->hold_records = false;
	case_release(c);
	case_quiet(c);
	assert_free_for_bob(c);
}

static void
batch_given_up_before_its_end_is_locked_again(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->hold_records = true;
	send_batch(&k, "k", 1, CASE_PIN, "");
	case_until_held(c, 1);
	c->hold_records = false;
	case_release(c); /* unlocked */
	c->no_answers = true;
	case_until_jobs(c, 1); /* the item */
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	assert_int_equal(c->jobs[0].type, WIRE_LOGOUT); /* on its way */
	client_close(&k);
	case_quiet(c);
	c->no_answers = false;
	case_answer_ok(c, 0);
	case_quiet(c);
	assert_false(token_a(c)->lease.stands);
	assert_free_for_bob(c);
}

/* The logout waits in the queue when its batch goes away: it must not go with it. */
static void
logout_outlives_the_batch_it_is_for(void **state)
{
	struct broker_case *c = *state;
	struct client k, other;

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &other, CASE_ALICE);
	c->no_answers = true;
	send_batch(&k, "k", 1, CASE_PIN, "");
	case_until_jobs(c, 1);
	case_answer_ok(c, 0); /* the PIN */
	case_until_jobs(c, 1);
	token_a(c)->barrier = true; /* as behind a login that is being recorded */
	case_answer_ok(c, 0);       /* the item */
	case_quiet(c);
	assert_int_equal(token_a(c)->queued.count, 1);
	client_close(&k);
	case_quiet(c);
	assert_int_equal(token_a(c)->queued.count, 1);
	token_a(c)->barrier = false;
	c->no_answers = false;
	token_run(token_a(c));
	case_quiet(c);
	assert_false(token_a(c)->lease.stands);
	client_close(&other);
	assert_free_for_bob(c);
}

static void
what_was_signed_is_told_when_the_time_is_over(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *reply;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	send_batch(&k, "k", 2, CASE_PIN, ",\"timeoutMs\":600000");
	case_until_jobs(c, 1);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	case_answer_ok(c, 0); /* one result, held back because it may be the last */
	case_until_jobs(c, 1);
	case_quiet(c);
	requests_expire(&c->b, UINT64_MAX);
	reply = client_reply(c, &k);
	assert_non_null(json_object_get(json_object_get(reply, "parameters"), "result"));
	assert_true(json_is_true(json_object_get(reply, "continues")));
	json_decref(reply);
	assert_string_equal(client_error(c, &k), "Timeout");
	c->no_answers = false;
	case_answer_ok(c, 0);
	case_quiet(c);
	assert_free_for_bob(c);
	client_close(&k);
}

/* --- the ground moves --- */

static void
token_taken_out_by_a_reload_ends_the_batch_and_nothing_else(void **state)
{
	struct broker_case *c = *state;
	struct client k, admin;

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &admin, CASE_ADMIN);
	c->no_answers = true;
	send_batch(&k, "k", 3, CASE_PIN, "");
	case_until_jobs(c, 1);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	case_configure(c,
	    "[token b]\nmodule = /usr/bin/env\nlabel = b\n[key m]\ntoken = b\nuri = pkcs11:token=b;id=%03\n"
	    "[rule r]\nuser = 900 1000\nverbs = sign list admin unlock\nkeys = *\n");
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	c->no_answers = false;
	case_answer_ok(c, 0); /* what was claimed is finished, then the token goes */
	assert_int_equal(receive_batch(c, &k, 3), 1);
	case_quiet(c);
	assert_int_equal(c->b.tokens_going, 0);
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "m", case_digest(1), CASE_PIN), "");
	client_close(&k);
	client_close(&admin);
}

/* A batch between two items holds no job: the token goes away at once, and was used after it was freed. */
static void
token_may_go_while_the_batch_waits_for_its_reader(void **state)
{
	struct broker_case *c = *state;
	struct client k, admin;
	int small = 4096;

	client_connect(c, &k, CASE_ALICE);
	(void)setsockopt(k.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	(void)setsockopt(c->b.peers->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	send_batch(&k, "k", 1000, CASE_PIN, "");
	case_quiet(c);
	assert_int_equal(token_a(c)->claimed + token_a(c)->recording + token_a(c)->queued.count, 0);
	case_configure(c,
	    "[token b]\nmodule = /usr/bin/env\nlabel = b\n[key m]\ntoken = b\nuri = pkcs11:token=b;id=%03\n"
	    "[rule r]\nuser = 900 1000\nverbs = sign list admin unlock\nkeys = *\n");
	client_connect(c, &admin, CASE_ADMIN);
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	case_quiet(c);
	assert_int_equal(c->b.tokens_going, 0);
	assert_in_range(receive_batch(c, &k, 1000), 1, 999);
	client_close(&k);
	client_close(&admin);
}

static void
daemon_stops_in_the_middle_of_a_batch(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	send_batch(&k, "k", 5, CASE_PIN, "");
	case_until_jobs(c, 1);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	broker_stop(&c->b);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_int_equal(receive_batch(c, &k, 5), 1);
	client_until_closed(c, &k);
	client_close(&k);
	case_stop(c); /* it ends */
	case_start(c);
}

static void
worker_dies_in_the_middle_of_a_batch(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	send_batch(&k, "k", 5, CASE_PIN, "");
	case_until_jobs(c, 1);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	c->no_answers = false;
	case_worker_dies(c, case_worker(c, "a"));
	assert_int_equal(receive_batch(c, &k, 5), 0);
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_free_for_bob(c);
	client_close(&k);
}

/* --- the same id twice --- */

#define ITEM "{\"digest\":\"%s\",\"requestId\":\"r\"}"

static void
same_id_twice_in_one_batch_is_signed_once(void **state)
{
	struct broker_case *c = *state;
	char digest[80];
	struct client k;
	uint64_t size;

	case_quiet(c);
	size = ledger_size(c->b.log);
	snprintf(digest, sizeof(digest), "%s", case_digest(1));
	client_connect(c, &k, CASE_ALICE);
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.SignBatch\",\"more\":true,\"parameters\":{\"key\":\"k\","
	    "\"pin\":\"1234\",\"items\":[" ITEM "," ITEM "," ITEM "]}}",
	    digest, digest, digest);
	assert_int_equal(receive_batch(c, &k, 3), 3);
	case_quiet(c);
	assert_int_equal(ledger_size(c->b.log), size + 3); /* unlock, sign, lock */
	client_close(&k);
}

/* The first is settled while the others wait for it, and their batch is gone before all of them were called. */
static void
waiting_items_may_leave_while_they_are_woken(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	char first[80], other[80];

	snprintf(first, sizeof(first), "%s", case_digest(1));
	snprintf(other, sizeof(other), "%s", case_digest(2));
	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.SignBatch\",\"more\":true,\"parameters\":{\"key\":\"k\","
	    "\"pin\":\"1234\",\"items\":[" ITEM "," ITEM "," ITEM "," ITEM "]}}",
	    first, first, other, first);
	case_until_jobs(c, 1);
	case_answer_ok(c, 0);
	case_until_jobs(c, 1);
	client_close(&k);
	case_answer_ok(c, 0);
	c->no_answers = false;
	case_quiet(c);
	assert_free_for_bob(c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, teardown)

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    CASE(one_pin_serves_the_batch_and_ends_with_it),
	    CASE(takes_1000_items_and_refuses_none_and_1001),
	    CASE(one_bad_item_does_not_end_the_batch),
	    CASE(slow_reader_gets_every_result),
	    CASE(batch_that_fails_at_once_is_told_in_full),
	    CASE(peer_may_go_away_between_two_results),
	    CASE(no_item_begins_before_the_pin_was_right),
	    CASE(others_are_told_to_come_back_soon),
	    CASE(wrong_pin_is_told_once_and_signs_nothing),
	    CASE(spends_no_try_on_a_key_that_only_seals),
	    CASE(batch_given_up_before_its_pin_was_claimed_leaves_nothing),
	    CASE(batch_given_up_while_its_pin_is_claimed_is_locked_again),
	    CASE(batch_given_up_while_its_pin_is_recorded_is_locked_again),
	    CASE(batch_given_up_before_its_end_is_locked_again),
	    CASE(logout_outlives_the_batch_it_is_for),
	    CASE(what_was_signed_is_told_when_the_time_is_over),
	    CASE(token_taken_out_by_a_reload_ends_the_batch_and_nothing_else),
	    CASE(token_may_go_while_the_batch_waits_for_its_reader),
	    CASE(daemon_stops_in_the_middle_of_a_batch),
	    CASE(worker_dies_in_the_middle_of_a_batch),
	    CASE(same_id_twice_in_one_batch_is_signed_once),
	    CASE(waiting_items_may_leave_while_they_are_woken),
	};

	if (argc > 1) /* one by name */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
