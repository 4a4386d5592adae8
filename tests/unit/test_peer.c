/* daemon/signetd/peer.c, request.c: connections, their turns, their silence */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "unit.h"

#define DESCRIBE                                                                                             \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\","                                       \
	"\"parameters\":{\"interface\":\"org.signetd.Signer\"}}"
#define ONEWAY "{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}"
#define INFO "{\"method\":\"org.varlink.service.GetInfo\"}"

static struct broker_case one;

static int
setup(void **state)
{
	case_make(&one);
	case_start(&one);
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
assert_member(json_t *reply, const char *name)
{
	assert_non_null(json_object_get(json_object_get(reply, "parameters"), name));
	json_decref(reply);
}

/* `n` calls in one piece, by turns one and the other. */
static void
pipeline(struct client *k, unsigned n, const char *even, const char *odd)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < n; i++) {
		buf_str(&b, i % 2 == 0 ? even : odd);
		buf_u8(&b, 0);
	}
	client_send_bytes(k, b.data, b.len);
	buf_done(&b);
}

static const struct peer *
only_peer(const struct broker_case *c)
{
	assert_int_equal(c->b.peer_count, 1);
	return c->b.peers;
}

/* Far more than the socket and PEER_OUT_HIGH hold, from someone who reads only afterwards. */
static void
answers_every_pipelined_call_of_a_slow_reader(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	pipeline(&k, 300, DESCRIBE, INFO);
	case_quiet(c);
	for (int i = 0; i < 300; i++)
		assert_member(client_reply(c, &k), i % 2 == 0 ? "description" : "vendor");
	client_close(&k);
}

/* The same when the socket takes everything at once, so that no event ever comes for it. */
static void
answers_every_pipelined_call_of_a_fast_reader(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	int size = 4 << 20;

	client_connect(c, &k, CASE_ALICE);
	(void)setsockopt(k.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(only_peer(c)->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pipeline(&k, 100, DESCRIBE, DESCRIBE);
	for (int i = 0; i < 100; i++)
		assert_member(client_reply(c, &k), "description");
	client_close(&k);
}

static void
answers_everything_after_half_a_close_and_then_closes(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	pipeline(&k, 100, DESCRIBE, DESCRIBE);
	shutdown(k.fd, SHUT_WR);
	for (int i = 0; i < 100; i++)
		assert_member(client_reply(c, &k), "description");
	client_until_closed(c, &k);
	client_close(&k);
}

static void
serves_others_between_the_calls_of_a_busy_peer(void **state)
{
	struct broker_case *c = *state;
	struct client busy, other;
	json_t *reply;

	client_connect(c, &busy, CASE_ALICE);
	client_connect(c, &other, CASE_BOB);
	pipeline(&busy, 3 * PEER_CALLS_PER_TURN, ONEWAY, ONEWAY);
	client_send(&busy, "%s", INFO);
	client_send(&other, "%s", INFO);
	reply = client_reply(c, &other);
	assert_true(c->b.counters.calls < 3 * PEER_CALLS_PER_TURN);
	json_decref(reply);
	assert_member(client_reply(c, &busy), "vendor");
	client_close(&busy);
	client_close(&other);
}

static void
says_nothing_to_oneway_calls_right_or_wrong(void **state)
{
	static const char *const calls[] = {"org.varlink.service.GetInfo",
	    "org.varlink.service.GetInterfaceDescription", "org.signetd.Signer.ListKeys",
	    "org.signetd.Signer.Sign", "org.signetd.Signer.SignBatch", "org.signetd.Signer.Collect",
	    "org.signetd.Token.List", "org.signetd.Token.Unlock", "org.signetd.Token.Lock",
	    "org.signetd.Admin.Status", "org.signetd.Admin.Reload", "no.such.Method",
	    "org.signetd.Signer.NoSuch", "nodots"};
	static const char *const good[] = {"org.signetd.Signer.ListKeys\",\"parameters\":{\"key\":\"k\"}",
	    "org.signetd.Signer.Collect\",\"parameters\":{\"index\":0}",
	    "org.signetd.Token.List\",\"more\":true,\"parameters\":{}",
	    "org.signetd.Signer.ListKeys\",\"more\":true,\"parameters\":{}",
	    "org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"a\",\"pin\":\"1234\"}",
	    "org.signetd.Token.Lock\",\"parameters\":{\"token\":\"a\"}",
	    ("org.signetd.Signer.SignBatch\",\"more\":true,\"parameters\":{\"key\":\"k\",\"items\":[{"
	     "\"digest\":\"x\"},"
	     "{\"digest\":\"y\"}]}")};
	struct broker_case *c = *state;
	struct client k;

	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ADMIN);
	for (size_t i = 0; i < array_len(calls); i++)
		client_send(&k, "{\"method\":\"%s\",\"oneway\":true}", calls[i]);
	for (size_t i = 0; i < array_len(good); i++)
		client_send(&k, "{\"method\":\"%s,\"oneway\":true}", good[i]);
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.Sign\",\"oneway\":true,\"parameters\":{\"key\":\"k\","
	    "\"pin\":\"1234\",\"digest\":\"%s\"}}",
	    case_digest(1));
	client_send(&k, "%s", INFO);
	assert_member(client_reply(c, &k), "vendor"); /* the first reply of all */
	assert_false(client_has_reply(&k));
	assert_int_equal(c->b.counters.calls, array_len(calls) + array_len(good) + 2);
	client_close(&k);
}

static void
refuses_what_is_no_call_and_goes_on(void **state)
{
	static const char *const bad[] = {"", "[]", "{", "{}", "{\"method\":1}",
	    "{\"method\":\"a.b\",\"more\":1}", "{\"method\":\"a.b\",\"method\":\"a.b\"}",
	    "{\"method\":\"a.b\",\"other\":1}", "{\"method\":\"\xff\"}"};
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	for (size_t i = 0; i < array_len(bad); i++) {
		client_send_bytes(&k, bad[i], strlen(bad[i]) + 1);
		assert_string_equal(client_error(c, &k), "InvalidParameter");
	}
	client_send(&k, "%s", INFO);
	assert_member(client_reply(c, &k), "vendor");
	assert_int_equal(c->b.counters.protocol_errors, array_len(bad));
	client_close(&k);
}

/* Sends `len` bytes of one message; the peer reads as the broker takes them. */
static void
send_long(struct broker_case *c, struct client *k, size_t len)
{
	char *text = malloc(len + 1);
	size_t at = 0;

	assert_non_null(text);
	memset(text, ' ', len);
	memcpy(text, INFO, strlen(INFO));
	text[len] = '\0';
	while (at < len + 1) {
		ssize_t n = send(k->fd, text + at, len + 1 - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else if (at > JSON_MESSAGE_MAX)
			break; /* refused already */
		case_turn(c);
	}
	free(text);
}

static void
takes_frame_of_1_mib_and_refuses_one_byte_more(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	send_long(c, &k, JSON_MESSAGE_MAX - 1);
	assert_member(client_reply(c, &k), "vendor");
	send_long(c, &k, JSON_MESSAGE_MAX);
	assert_member(client_reply(c, &k), "vendor");
	send_long(c, &k, JSON_MESSAGE_MAX + 1);
	assert_string_equal(client_error(c, &k), "InvalidParameter");
	client_until_closed(c, &k);
	client_close(&k);
	case_quiet(c);
	assert_int_equal(case_used(c, CASE_ALICE, QUOTA_BYTES), 0);
}

/* A name that is cut in the middle of a character was no text any more, and the connection broke. */
static void
answers_unknown_names_of_any_length(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	char name[600] = "";

	client_connect(c, &k, CASE_ALICE);
	for (int i = 0; i < 4; i++) {
		size_t at = (size_t)i;

		memset(name, 'x', at);
		while (at < 500) {
			memcpy(name + at, "\xe1\xbb\x9d", 4); /* ờ */
			at += 3;
		}
		client_send(&k, "{\"method\":\"%s\"}", name);
		assert_string_equal(client_error(c, &k), "InterfaceNotFound");
		client_send(&k, "{\"method\":\"org.signetd.Signer.%s\"}", name);
		assert_string_equal(client_error(c, &k), "MethodNotFound");
		client_send(
		    &k, "{\"method\":\"org.signetd.Signer.ListKeys\",\"parameters\":{\"key\":\"%s\"}}", name);
		assert_string_equal(client_error(c, &k), "KeyNotFound");
		client_send(
		    &k, "{\"method\":\"org.signetd.Token.Lock\",\"parameters\":{\"token\":\"%s\"}}", name);
		assert_string_equal(client_error(c, &k), "TokenNotFound");
		client_send(&k, "{\"method\":\"org.signetd.Token.Lock\",\"parameters\":{\"%s\":1}}", name);
		assert_string_equal(client_error(c, &k), "InvalidParameter");
	}
	client_close(&k);
}

static void
refuses_connection_above_the_quota_and_says_so(void **state)
{
	struct broker_case *c = *state;
	struct client first, second, other;

	c->b.quota.limit[QUOTA_CONNECTIONS] = 1;
	client_connect(c, &first, CASE_ALICE);
	client_connect(c, &second, CASE_ALICE);
	client_connect(c, &other, CASE_BOB);
	assert_string_equal(client_error(c, &second), "Busy");
	client_until_closed(c, &second);
	client_send(&other, "%s", INFO);
	assert_member(client_reply(c, &other), "vendor");
	client_close(&first);
	client_close(&second);
	case_quiet(c);
	assert_int_equal(case_used(c, CASE_ALICE, QUOTA_CONNECTIONS), 0);
	client_connect(c, &first, CASE_ALICE);
	client_send(&first, "%s", INFO);
	assert_member(client_reply(c, &first), "vendor");
	client_close(&first);
	client_close(&other);
}

static void
closes_peer_that_holds_more_bytes_than_its_quota(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	c->b.quota.limit[QUOTA_BYTES] = 48 * 1024; /* below PEER_OUT_HIGH */
	client_connect(c, &k, CASE_ALICE);
	pipeline(&k, 100, DESCRIBE, DESCRIBE);
	case_quiet(c);
	client_until_closed(c, &k);
	client_close(&k);
	case_quiet(c);
	assert_int_equal(c->b.peer_count, 0);
	assert_int_equal(case_used(c, CASE_ALICE, QUOTA_BYTES), 0);
}

static void
closes_half_a_message_and_silence_one_ms_after_its_time(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	const struct peer *p;

	client_connect(c, &k, CASE_ALICE);
	client_send_bytes(&k, "{\"method\"", 9);
	case_quiet(c);
	p = only_peer(c);
	peer_check_silence(c->b.peers, p->progress_ms + PEER_SILENCE_MS - 1);
	assert_false(p->closing);
	peer_check_silence(c->b.peers, p->progress_ms + PEER_SILENCE_MS);
	client_until_closed(c, &k);
	client_close(&k);
}

static void
leaves_a_silent_peer_that_owes_nothing(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	client_send(&k, "%s", INFO);
	assert_member(client_reply(c, &k), "vendor");
	peer_check_silence(c->b.peers, UINT64_MAX / 2);
	assert_false(only_peer(c)->closing);
	client_close(&k);
}

/* The next message may have begun long before the running call ended: its time counts from there. */
static void
gives_the_next_message_its_time_after_a_long_call(void **state)
{
	struct broker_case *c = *state;
	struct peer *p;
	struct client k;

	c->no_answers = true;
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ALICE);
	client_send(&k,
	    "{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"a\",\"pin\":\"1234\"}}");
	client_send_bytes(&k, "{\"method\"", 9);
	case_until_jobs(c, 1);
	p = c->b.peers;
	p->progress_ms -= PEER_SILENCE_MS + 1; /* as if that were so long ago */
	peer_check_silence(p, uv_now(&c->b.loop));
	assert_false(p->closing); /* it waits for us */
	case_answer_ok(c, 0);
	assert_member(client_reply(c, &k), "until");
	peer_check_silence(p, uv_now(&c->b.loop));
	assert_false(p->closing);
	client_close(&k);
}

/* He says that he has no more to say, and leaves while his call still waits. */
static void
notices_who_goes_after_half_a_close(void **state)
{
	struct broker_case *c = *state;
	struct client busy, k;

	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &busy, CASE_BOB);
	client_connect(c, &k, CASE_ALICE);
	c->no_answers = true;
	client_send(&busy, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	client_send(&k, CALL_SIGN_PIN, "k", case_digest(2), CASE_PIN);
	shutdown(k.fd, SHUT_WR);
	case_quiet(c);
	assert_int_equal(broker_token(&c->b, "a")->queued.count, 1);
	client_close(&k);
	for (struct peer *p = c->b.peers; p != NULL; p = p->next)
		peer_check_silence(p, uv_now(&c->b.loop));
	case_quiet(c);
	assert_int_equal(broker_token(&c->b, "a")->queued.count, 0);
	assert_int_equal(c->b.peer_count, 1);
	c->no_answers = false;
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &busy), "");
	client_close(&busy);
}

static void
ends_the_wait_when_its_time_has_come_and_the_connection_goes_on(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	c->hold_claims = true;
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ALICE);
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"pin\":\"1234\","
	    "\"timeoutMs\":1,"
	    "\"digest\":\"%s\"}}",
	    case_digest(1));
	client_send(&k, "%s", INFO);
	assert_string_equal(client_error(c, &k), "Timeout");
	assert_member(client_reply(c, &k), "vendor");
	c->hold_claims = false;
	case_release(c);
	case_quiet(c); /* what was claimed goes on without him */
	assert_int_equal(c->logins, 1);
	assert_int_equal(case_used(c, CASE_ALICE, QUOTA_JOBS), 0);
	client_close(&k);
}

/* Each end frees its request, and may free others' that waited with it. */
static void
ends_many_waits_at_once(void **state)
{
	enum { N = 40 };
	struct broker_case *c = *state;
	struct client k[N];

	case_until_state(c, "a", TOKEN_LOCKED);
	c->no_answers = true;
	for (int i = 0; i < N; i++) {
		client_connect(c, &k[i], CASE_ALICE);
		client_send(&k[i],
		    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"pin\":\"1234\","
		    "\"requestId\":\"%d\",\"digest\":\"%s\"}}",
		    i % 5, case_digest((unsigned)i % 5));
	}
	case_until_jobs(c, 1);
	case_quiet(c);
	requests_expire(&c->b, UINT64_MAX);
	assert_null(c->b.waiting);
	for (int i = 0; i < N; i++) {
		assert_string_equal(client_error(c, &k[i]), "Timeout");
		client_close(&k[i]);
	}
	c->no_answers = false;
	case_answer_ok(c, 0); /* the one that was claimed */
	case_quiet(c);
	assert_int_equal(c->logins, 1);
	assert_int_equal(case_used(c, CASE_ALICE, QUOTA_JOBS), 0);
}

static void
survives_peers_that_go_away_at_any_point(void **state)
{
	struct broker_case *c = *state;
	char text[1024];
	int len;

	case_until_state(c, "a", TOKEN_LOCKED);
	len = snprintf(text, sizeof(text),
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"pin\":\"1234\","
	    "\"digest\":\"%s\"}}",
	    case_digest(1));
	for (int at = 0; at <= len + 1; at += 7) {
		struct client k;

		client_connect(c, &k, CASE_ALICE);
		client_send_bytes(&k, text, (size_t)(at <= len ? at : len + 1));
		if (at % 2 == 0)
			case_turn(c);
		client_close(&k);
		if (at % 3 == 0)
			case_turn(c);
	}
	case_quiet(c);
	assert_int_equal(c->b.peer_count, 0);
	assert_int_equal(case_used(c, CASE_ALICE, QUOTA_CONNECTIONS), 0);
}

static void
answers_what_was_received_before_it_stops(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	case_quiet(c);
	c->hold_claims = true;
	case_until_state(c, "a", TOKEN_LOCKED);
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"pin\":\"1234\","
	    "\"digest\":\"%s\"}}",
	    case_digest(1));
	client_send(&k, "%s", INFO);
	client_send(&k,
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"pin\":\"1234\","
	    "\"digest\":\"%s\"}}",
	    case_digest(2));
	case_until_held(c, 1);
	broker_stop(&c->b);
	c->hold_claims = false;
	case_release(c);
	assert_member(client_reply(c, &k), "signature"); /* claimed: finished */
	assert_member(client_reply(c, &k), "vendor");
	assert_string_equal(client_error(c, &k), "Busy"); /* not begun: refused */
	client_until_closed(c, &k);
	client_close(&k);
}

static void
stops_although_a_peer_does_not_read(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	pipeline(&k, 100, DESCRIBE, DESCRIBE);
	case_quiet(c);
	case_stop(c);
	case_start(c);
	client_close(&k);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    CASE(answers_every_pipelined_call_of_a_slow_reader),
	    CASE(answers_every_pipelined_call_of_a_fast_reader),
	    CASE(answers_everything_after_half_a_close_and_then_closes),
	    CASE(serves_others_between_the_calls_of_a_busy_peer),
	    CASE(says_nothing_to_oneway_calls_right_or_wrong),
	    CASE(refuses_what_is_no_call_and_goes_on),
	    CASE(takes_frame_of_1_mib_and_refuses_one_byte_more),
	    CASE(answers_unknown_names_of_any_length),
	    CASE(refuses_connection_above_the_quota_and_says_so),
	    CASE(closes_peer_that_holds_more_bytes_than_its_quota),
	    CASE(closes_half_a_message_and_silence_one_ms_after_its_time),
	    CASE(leaves_a_silent_peer_that_owes_nothing),
	    CASE(gives_the_next_message_its_time_after_a_long_call),
	    CASE(notices_who_goes_after_half_a_close),
	    CASE(ends_the_wait_when_its_time_has_come_and_the_connection_goes_on),
	    CASE(ends_many_waits_at_once),
	    CASE(survives_peers_that_go_away_at_any_point),
	    CASE(answers_what_was_received_before_it_stops),
	    CASE(stops_although_a_peer_does_not_read),
	};

	if (argc > 1) /* one by name */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
