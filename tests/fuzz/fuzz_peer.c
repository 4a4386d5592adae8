/*
 * What anybody on this machine can send to the socket, through the whole
 * broker: frames, JSON, dispatch, types, policy, handlers, tokens whose workers
 * are played here, and the real log. Whatever comes in, each call gets the
 * replies that its declaration says, in order, and nobody else notices.
 *
 * The first byte of an input chooses the user (a small letter: one whose calls
 * wait for a person, while an agent looks on), the second how many bytes
 * arrive at a time ('0': all at once); the rest is what the peer says before
 * it falls silent.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "broker_case.h"
#include "fuzz.h"
#include "signetd/dispatch.h"

enum { CALLS_MAX = 4096, ASKING = 2000 };

static struct broker_case bench;
static const char rule[] = "[rule asking]\nuser = 2000\nverbs = sign list\nkeys = *\nprompt = wait\n";

struct expected {                      /* of one message of the input */
	const struct idl_method *type; /* NULL: it can only be an error */
	bool more;
};

static struct expected expected[CALLS_MAX];
static size_t expected_count;

/* Would write wherever the input says. */
void __wrap_method_backup(struct request *r);
void
__wrap_method_backup(struct request *r)
{
	request_fail_with(r, SIGNET_ERR_BACKUP_FAILED, NULL, "not here");
}

static void
end(void)
{
	case_stop(&bench);
	case_remove_dir(&bench);
}

static void
begin(void)
{
	char text[4096];

	case_make(&bench);
	snprintf(text, sizeof(text), "[token a]\nmodule = /usr/bin/env\nlabel = a\nholder-user = 1000\n%s%s%s",
	    strchr(case_tokens + 1, '['), case_rules, rule);
	case_configure(&bench, text);
	case_start(&bench);
	case_until_state(&bench, "a", TOKEN_LOCKED);
	case_until_state(&bench, "b", TOKEN_LOCKED);
	atexit(end);
}

/* --- what must come back --- */

static const struct idl_method *
type_of(const char *method)
{
	const char *dot = strrchr(method, '.');
	char interface[128];
	const struct idl *i;

	if (dot == NULL || (size_t)(dot - method) >= sizeof(interface))
		return NULL;
	snprintf(interface, sizeof(interface), "%.*s", (int)(dot - method), method);
	i = dispatch_interface(interface);
	return i != NULL ? idl_method(i, dot + 1) : NULL;
}

static void
expect(const char *text, size_t len)
{
	json_t *message = NULL;
	struct call c;

	assert(expected_count < CALLS_MAX);
	expected[expected_count] = (struct expected){.type = NULL};
	if (json_read(&message, text, len, NULL) == SIGNET_OK && call_parse(&c, message) == SIGNET_OK) {
		expected[expected_count].type = c.upgrade ? NULL : type_of(c.method);
		expected[expected_count].more = c.more;
		if (!c.oneway)
			expected_count++;
		call_done(&c);
	} else {
		expected_count++;
	}
	json_decref(message);
}

static void
expect_all(const uint8_t *data, size_t size)
{
	const uint8_t *nul;

	expected_count = 0;
	while (size > 0 && (nul = memchr(data, 0, size)) != NULL && expected_count < CALLS_MAX - 1) {
		size_t len = (size_t)(nul - data);

		expect((const char *)data, len);
		data += len + 1;
		size -= len + 1;
	}
}

static void
check_error(const struct reply *r)
{
	const char *dot = strrchr(r->error, '.');
	char interface[128], field[128] = "";

	assert(dot != NULL);
	snprintf(interface, sizeof(interface), "%.*s", (int)(dot - r->error), r->error);
	assert(dispatch_interface(interface) != NULL);
	if (!idl_check_error(dispatch_interface(interface), dot + 1, r->parameters, field, sizeof(field))) {
		fprintf(stderr, "%s: \"%s\" is not as declared\n", r->error, field);
		abort();
	}
}

/* True: it was the last one to its call. */
static bool
check_reply(const char *text, size_t len, const struct expected *e)
{
	json_t *message = NULL;
	char field[128] = "";
	struct reply r;
	bool last;

	assert(json_read(&message, text, len, NULL) == SIGNET_OK && reply_parse(&r, message) == SIGNET_OK);
	assert(!r.continues || (e->more && r.error == NULL));
	if (r.error != NULL) {
		check_error(&r);
	} else {
		assert(e->type != NULL);
		if (!idl_check_output(e->type, r.parameters, field, sizeof(field))) {
			fprintf(stderr, "%.*s: \"%s\" is not as declared\n", (int)len, text, field);
			abort();
		}
	}
	last = !r.continues;
	reply_done(&r);
	json_decref(message);
	return last;
}

/* How many calls have their last reply. */
static size_t
check_replies(const struct buf *in)
{
	size_t at = 0, answered = 0;
	const uint8_t *nul;

	while (at < in->len && (nul = memchr(in->data + at, 0, in->len - at)) != NULL) {
		size_t len = (size_t)(nul - in->data) - at;

		assert(answered < expected_count);
		answered += check_reply((const char *)in->data + at, len, &expected[answered]);
		at += len + 1;
	}
	return answered;
}

/* --- one input --- */

static void
receive(struct client *k)
{
	ssize_t n;

	do {
		uint8_t *at = buf_room(&k->in, 65536);

		assert(at != NULL);
		n = recv(k->fd, at, 65536, MSG_DONTWAIT);
		if (n > 0)
			k->in.len += (size_t)n;
	} while (n > 0);
}

static void
say(struct client *k, const uint8_t *data, size_t size, size_t step)
{
	for (size_t at = 0; at < size;) {
		size_t want = size - at < step ? size - at : step;
		ssize_t n = send(k->fd, data + at, want, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* it had enough of us */
		if (n > 0)
			at += (size_t)n;
		if (n < 0 || step < size) {
			case_quiet(&bench);
			receive(k);
		}
	}
}

/* The next input finds what this one found. */
static void
forget(void)
{
	struct broker *b = &bench.b;

	for (size_t i = 0; i < b->token_count; i++) {
		struct token *t = b->tokens[i];

		assert(t->claimed == 0 && t->recording == 0 && t->queued.count == 0 && !t->barrier &&
		       !t->locking);
		memset(t->pin, 0, sizeof(*t->pin));
		memset(&t->lease, 0, sizeof(t->lease));
		t->hand_locked = false;
		t->state = TOKEN_LOCKED;
	}
	for (unsigned i = 0; i < bench.worker_count; i++)
		bench.workers[i].logged_in = false;
	bench.logins = 0;
	assert(b->peer_count == 0 && b->waiting == NULL && b->turns == NULL && b->inbox.count == 0);
	for (size_t i = 0; i < array_len(b->quota.users); i++)
		assert(b->quota.users[i] == NULL);
	replay_done(&b->replay);
	assert(replay_init(&b->replay) == SIGNET_OK);
	refusals_done(&b->refusals);
}

/* What an agent is told of it is as declared, too. */
static void
check_prompts(struct client *agent)
{
	const struct expected e = {.type = type_of("org.signetd.Inbox.Attach"), .more = true};
	size_t at = 0;
	const uint8_t *nul;

	receive(agent);
	while (at < agent->in.len && (nul = memchr(agent->in.data + at, 0, agent->in.len - at)) != NULL) {
		size_t len = (size_t)(nul - agent->in.data) - at;

		assert(!check_reply((const char *)agent->in.data + at, len, &e));
		at += len + 1;
	}
	client_close(agent);
}

static bool
nobody_is_connected(const struct broker_case *c, const void *arg)
{
	(void)arg;
	return c->b.peer_count == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uid_t users[] = {CASE_ADMIN, CASE_ALICE, CASE_GUEST, CASE_STRANGER};
	struct client k, agent;
	size_t answered, others = 0;
	uid_t user;

	if (!bench.running)
		begin();
	if (size < 2)
		return 0;
	expect_all(data + 2, size - 2);
	user = users[data[0] % array_len(users)];
	if (data[0] >= 'a' && data[0] <= 'z') {
		user = ASKING;
		others = 1;
		client_connect(&bench, &agent, CASE_ALICE);
		client_send(&agent, "{\"method\":\"org.signetd.Inbox.Attach\",\"more\":true}");
	}
	client_connect(&bench, &k, user);
	say(&k, data + 2, size - 2, data[1] == '0' || data[1] == 0 ? size : data[1]);
	shutdown(k.fd, SHUT_WR);
	case_quiet(&bench);
	receive(&k);
	answered = check_replies(&k.in);
	/* whom it has let go has got everything; who still waits, for a token or for the log to grow, goes himself */
	if (bench.b.peer_count == others)
		assert(answered == expected_count);
	client_close(&k);
	if (bench.b.peers != NULL) /* as the upkeep would in a second */
		peer_check_silence(bench.b.peers, uv_now(&bench.b.loop));
	if (others > 0) {
		case_quiet(&bench);
		check_prompts(&agent);
	}
	case_until(&bench, nobody_is_connected, NULL, "the end of the connection");
	case_quiet(&bench);
	forget();
	return 0;
}
