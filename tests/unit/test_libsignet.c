/*
 * libsignet against a daemon that this test plays itself: a thread that serves
 * one socket by a script. So every byte that the library sends is seen, and
 * every answer that a daemon must never give can be given.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <signet/signet.h>

#include "unit.h"

#define SIGNER "org.signetd.Signer."
#define LEAF "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define RECEIPT                                                                                              \
	"{\"log\":\"example/"                                                                                \
	"log\",\"index\":7,\"time\":\"2025-03-01T08:30:00Z\",\"entry\":\"{\\\"v\\\":1}\","                   \
	"\"leafHash\":\"" LEAF "\"}"
#define SIGNED "{\"parameters\":{\"signature\":\"AQID\",\"receipt\":" RECEIPT ",\"state\":\"done\"}}"
#define KEY(name)                                                                                            \
	"{\"name\":\"" name "\",\"token\":\"t\",\"use\":\"personal\",\"algorithm\":\"p-256\","               \
	"\"schemes\":[\"ecdsa\"],\"formats\":[\"raw\"],\"certificates\":[\"AQID\",\"BA==\"],\"state\":"      \
	"\"ready\"}"

static const uint8_t digest[SIGNET_DIGEST_MAX] = {0xab, 0x01};
static const char digest_text[] = "sha256:ab01000000000000000000000000000000000000000000000000000000000000";

/* ---- the peer ---- */

struct peer {
	char folder[32], path[64];
	int listener;
	pthread_t thread;
	void (*script)(struct peer *p, int fd);
	char *got[16]; /* frames as they came */
	size_t got_count;
};

/* One frame, NULL at the end of the connection. */
static char *
hear(struct peer *p, int fd)
{
	char *text = NULL;
	size_t n = 0;

	for (;;) {
		text = realloc(text, n + 1);
		if (recv(fd, text + n, 1, 0) <= 0) {
			free(text);
			return NULL;
		}
		if (text[n++] == '\0')
			break;
	}
	assert_true(p->got_count < 16);
	return p->got[p->got_count++] = text;
}

static void
say_bytes(int fd, const char *bytes, size_t n)
{
	ssize_t done;

	for (; n > 0; bytes += done, n -= (size_t)done) {
		done = send(fd, bytes, n, MSG_NOSIGNAL);
		if (done < 0)
			return; /* the library hung up: the test knows why */
	}
}

static void
say(int fd, const char *json)
{
	say_bytes(fd, json, strlen(json) + 1);
}

static void *
serve(void *arg)
{
	struct peer *p = arg;
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		p->script(p, fd);
		(void)close(fd);
	}
	return NULL;
}

static signet_conn *
start(struct peer *p, void (*script)(struct peer *p, int fd))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	signet_conn *conn = NULL;

	*p = (struct peer){.script = script};
	strcpy(p->folder, "/tmp/libsignet.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	(void)snprintf(p->path, sizeof(p->path), "%s/s", p->folder);
	strcpy(address.sun_path, p->path);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(p->listener, 4), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
	assert_int_equal(signet_connect(&conn, p->path), SIGNET_OK);
	return conn;
}

static void
stop(struct peer *p, signet_conn *conn)
{
	size_t i;

	signet_close(conn);
	assert_int_equal(pthread_join(p->thread, NULL), 0);
	for (i = 0; i < p->got_count; i++)
		free(p->got[i]);
	(void)close(p->listener);
	(void)unlink(p->path);
	(void)rmdir(p->folder);
}

/* The member of a frame's parameters as text; the test fails if it is none. */
static const char *
parameter(json_t **owner, const char *frame, const char *name)
{
	*owner = json_loads(frame, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(*owner);
	return json_string_value(json_object_get(json_object_get(*owner, "parameters"), name));
}

static void
assert_dead(signet_conn *conn)
{
	assert_int_equal(signet_lock(conn, "t"), SIGNET_ERR_IO);
	assert_non_null(strstr(signet_error_message(conn), "connect again"));
}

/* ---- keys ---- */

struct seen {
	size_t count, certificates;
	char names[64];
};

static void
see_key(void *arg, const signet_key *key)
{
	struct seen *seen = arg;

	seen->count++;
	seen->certificates += key->certificate_count;
	strcat(seen->names, key->name);
	assert_string_equal(key->schemes[0], "ecdsa");
	assert_null(key->schemes[1]);
	assert_null(key->holder);
	assert_int_equal(key->certificate_sizes[0], 3);
	assert_memory_equal(key->certificates[0], "\1\2\3", 3);
	assert_int_equal(key->certificate_sizes[1], 1);
}

static void
two_keys(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"key\":" KEY("a") "},\"continues\":true}");
	say(fd, "{\"parameters\":{\"key\":" KEY("b") "}}");
	hear(p, fd);
}

static void
lists_keys_with_their_certificates(void **state)
{
	struct peer p;
	struct seen seen = {0};
	signet_conn *conn = start(&p, two_keys);

	(void)state;
	assert_int_equal(signet_keys(conn, NULL, see_key, &seen), SIGNET_OK);
	assert_string_equal(seen.names, "ab");
	assert_int_equal(seen.certificates, 4);
	assert_string_equal(p.got[0], "{\"method\":\"" SIGNER "ListKeys\",\"parameters\":{},\"more\":true}");
	stop(&p, conn);
}

/* A reply cut into single bytes, the next one glued to its end. */
static void
torn(struct peer *p, int fd)
{
	static const char both[] =
	    "{\"parameters\":{\"key\":" KEY("a") "},\"continues\":true}\0"
						 "{\"parameters\":{\"key\":" KEY("b") "}}";
	size_t i;

	hear(p, fd);
	for (i = 0; i < 40; i++)
		say_bytes(fd, both + i, 1);
	say_bytes(fd, both + 40, sizeof(both) - 40);
	hear(p, fd);
}

static void
reads_torn_and_glued_replies(void **state)
{
	struct peer p;
	struct seen seen = {0};
	signet_conn *conn = start(&p, torn);

	(void)state;
	assert_int_equal(signet_keys(conn, NULL, see_key, &seen), SIGNET_OK);
	assert_string_equal(seen.names, "ab");
	stop(&p, conn);
}

static void
half_a_key(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"key\":{\"name\":\"a\"}}}");
	hear(p, fd);
}

static void
refuses_key_with_missing_members(void **state)
{
	struct peer p;
	struct seen seen = {0};
	signet_conn *conn = start(&p, half_a_key);

	(void)state;
	assert_int_equal(signet_keys(conn, NULL, see_key, &seen), SIGNET_ERR_PROTOCOL);
	assert_int_equal(seen.count, 0);
	assert_dead(conn);
	stop(&p, conn);
}

/* ---- signing ---- */

static void
sign_twice(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, SIGNED);
	hear(p, fd);
	say(fd, SIGNED);
	hear(p, fd);
}

static void
signs_and_reads_the_receipt(void **state)
{
	struct peer p;
	signet_result *r = NULL;
	signet_conn *conn = start(&p, sign_twice);

	(void)state;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_OK);
	assert_int_equal(r->signature_size, 3);
	assert_memory_equal(r->signature, "\1\2\3", 3);
	assert_int_equal(r->index, 7);
	assert_string_equal(r->entry, "{\"v\":1}");
	assert_string_equal(r->log, "example/log");
	assert_string_equal(r->state, "done");
	assert_null(r->proof);
	assert_int_equal(r->leaf_hash[31], 0);
	signet_result_free(r);
	stop(&p, conn);
}

static void
sends_every_option_where_it_belongs(void **state)
{
	const signet_document document = {.title = "Qu\u1ebft \"1\"\\\n", .number = "1", .id = "x"};
	signet_options o = SIGNET_OPTIONS_INIT;
	signet_result *r = NULL;
	struct peer p;
	char want[1024];
	signet_conn *conn = start(&p, sign_twice);

	(void)state;
	o.scheme = "pss";
	o.format = "raw";
	o.level = "b";
	o.last_try = true;
	o.proof = true;
	o.document = &document;
	o.request_id = "r:1";
	o.capacity = "chair";
	o.on_behalf_of = "B";
	o.timeout_ms = 1234;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_OK);
	signet_result_free(r);
	(void)snprintf(want, sizeof(want),
	    "{\"method\":\"" SIGNER
	    "Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"%s\",\"document\":{\"number\":\"1\","
	    "\"title\":\"Qu\u1ebft "
	    "\\\"1\\\"\\\\\\n\",\"id\":\"x\"},\"requestId\":\"r:1\",\"format\":\"raw\",\"level\":\"b\","
	    "\"scheme\":\"pss\",\"capacity\":\"chair\",\"onBehalfOf\":\"B\",\"lastTry\":true,\"proof\":true,"
	    "\"timeoutMs\":1234}}",
	    digest_text);
	assert_string_equal(p.got[0], want);
	/* a caller that was built with a shorter struct: what it does not know has the default */
	o.size = offsetof(signet_options, pin);
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_OK);
	signet_result_free(r);
	assert_null(strstr(p.got[1], "lastTry"));
	assert_non_null(strstr(p.got[1], "\"scheme\":\"pss\""));
	stop(&p, conn);
}

static void
no_signature(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"receipt\":" RECEIPT ",\"state\":\"done\"}}");
	hear(p, fd);
}

static void
refuses_done_without_a_signature(void **state)
{
	struct peer p;
	signet_result *r = NULL;
	signet_conn *conn = start(&p, no_signature);

	(void)state;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_PROTOCOL);
	assert_null(r);
	assert_dead(conn);
	stop(&p, conn);
}

static void
silent(struct peer *p, int fd)
{
	while (hear(p, fd) != NULL)
		;
}

static void
refuses_arguments_before_it_sends_anything(void **state)
{
	signet_options o = SIGNET_OPTIONS_INIT;
	signet_result *r = NULL;
	struct peer p;
	signet_conn *conn = start(&p, silent);

	(void)state;
	assert_int_equal(signet_sign(conn, NULL, SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_sign(conn, "k", (signet_hash)0, digest, NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_sign(conn, "k", (signet_hash)4, digest, NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, NULL, NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_sign(conn, "\xc0\xaf", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_sign(NULL, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_ARGUMENT);
	o.timeout_ms = SIGNET_TIMEOUT_MAX_MS + 1;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_ERR_ARGUMENT);
	o.timeout_ms = 0;
	o.size = 3;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_ERR_ARGUMENT);
	o.size = sizeof(o) + 1;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_collect(conn, NULL, NULL, NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_collect(conn, "a", "b", NULL, &r), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_lock(conn, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_set_timeout(conn, 0), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_set_timeout(conn, SIGNET_TIMEOUT_MAX_MS + 1), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_set_timeout(conn, SIGNET_TIMEOUT_MAX_MS), SIGNET_OK);
	assert_null(r);
	stop(&p, conn);
	assert_int_equal(p.got_count, 0);
}

/* ---- errors ---- */

static void
every_error(struct peer *p, int fd)
{
	static const char *const replies[] = {
	    "{\"error\":\"" SIGNER
	    "PinRequired\",\"parameters\":{\"token\":\"t\",\"message\":\"The token t is locked.\"}}",
	    "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"digest\"}}",
	    "{\"error\":\"org.varlink.service.PermissionDenied\"}",
	    "{\"error\":\"org.signetd.Signer.Novelty\",\"parameters\":{}}",
	    "{\"error\":\"org.signetd.Signer.Novelty\",\"parameters\":{\"message\":\"Something new.\"}}",
	    SIGNED,
	};
	size_t i;

	for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		hear(p, fd);
		say(fd, replies[i]);
	}
	hear(p, fd);
}

static void
maps_errors_and_keeps_the_connection(void **state)
{
	struct peer p;
	signet_result *r = NULL;
	signet_conn *conn = start(&p, every_error);

	(void)state;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_PIN_REQUIRED);
	assert_string_equal(signet_error_message(conn), "The token t is locked.");
	assert_string_equal(signet_error_name(conn), SIGNER "PinRequired");
	assert_string_equal(
	    signet_error_parameters(conn), "{\"token\":\"t\",\"message\":\"The token t is locked.\"}");
	assert_string_equal(signet_error_message(NULL), "");
	assert_int_equal(
	    signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_INVALID_PARAMETER);
	assert_non_null(strstr(signet_error_message(conn), "digest"));
	assert_int_equal(
	    signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_PERMISSION_DENIED);
	assert_string_equal(signet_error_message(conn), signet_strerror(SIGNET_ERR_PERMISSION_DENIED));
	assert_string_equal(signet_error_parameters(conn), "{}");
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_PROTOCOL);
	assert_string_equal(signet_error_name(conn), SIGNER "Novelty");
	assert_non_null(strstr(signet_error_message(conn), "Novelty"));
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_PROTOCOL);
	assert_string_equal(signet_error_message(conn), "Something new.");
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_OK);
	assert_string_equal(signet_error_message(conn), "");
	signet_result_free(r);
	stop(&p, conn);
}

static void
long_message(struct peer *p, int fd)
{
	char text[4096], reply[4300];
	size_t i;

	/* two bytes each, so that the cut falls into one of them at every second length */
	for (i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\u00e9", 2);
	text[i] = '\0';
	(void)snprintf(reply, sizeof(reply),
	    "{\"error\":\"" SIGNER "Busy\",\"parameters\":{\"message\":\"x%s\"}}", text);
	hear(p, fd);
	say(fd, reply);
	hear(p, fd);
}

static void
cuts_a_long_message_between_characters(void **state)
{
	struct peer p;
	signet_result *r = NULL;
	signet_conn *conn = start(&p, long_message);
	json_t *text;

	(void)state;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_BUSY);
	assert_in_range(strlen(signet_error_message(conn)), 500, 800);
	text = json_string(signet_error_message(conn)); /* NULL unless UTF-8 */
	assert_non_null(text);
	json_decref(text);
	assert_string_equal(signet_error_parameters(conn), "{}");
	stop(&p, conn);
}

/* ---- a peer that misbehaves ---- */

static void
half_a_reply(struct peer *p, int fd)
{
	hear(p, fd);
	say_bytes(fd, SIGNED, 40);
}

static void
server_that_closes_in_mid_reply_is_an_io_error(void **state)
{
	struct peer p;
	signet_result *r = NULL;
	signet_conn *conn = start(&p, half_a_reply);

	(void)state;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_ERR_IO);
	assert_non_null(strstr(signet_error_message(conn), "in the middle of a reply"));
	assert_null(r);
	assert_dead(conn);
	stop(&p, conn);
}

static void
hang_up(struct peer *p, int fd)
{
	(void)p;
	(void)fd;
}

static void
server_that_hung_up_is_an_io_error_without_a_signal(void **state)
{
	struct peer p;
	signet_conn *conn = start(&p, hang_up);

	(void)state;
	assert_int_equal(pthread_join(p.thread, NULL), 0); /* closed for certain */
	assert_int_equal(pthread_create(&p.thread, NULL, serve, &p), 0);
	assert_int_equal(signet_lock(conn, "t"), SIGNET_ERR_IO);
	assert_dead(conn);
	shutdown(p.listener, SHUT_RDWR);
	stop(&p, conn);
}

/* `extra` bytes more or less than the longest message. */
static void
say_long(int fd, long extra)
{
	static const char head[] = "{\"parameters\":{\"a\":\"", tail[] = "\"}}";
	size_t n = (size_t)((1L << 20) + extra);
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + n - (sizeof(tail) - 1), tail, sizeof(tail));
	say_bytes(fd, text, n + 1);
	free(text);
}

static void
longest(struct peer *p, int fd)
{
	hear(p, fd);
	say_long(fd, -1);
	hear(p, fd);
	say_long(fd, 0);
	hear(p, fd);
	say_long(fd, 1);
	hear(p, fd);
}

static void
takes_a_reply_of_1_mib_and_refuses_one_byte_more(void **state)
{
	struct peer p;
	signet_conn *conn = start(&p, longest);

	(void)state;
	assert_int_equal(signet_call(conn, "a.B", NULL, NULL, 0, NULL, NULL), SIGNET_OK);
	assert_int_equal(signet_call(conn, "a.B", NULL, NULL, 0, NULL, NULL), SIGNET_OK);
	assert_int_equal(signet_call(conn, "a.B", NULL, NULL, 0, NULL, NULL), SIGNET_ERR_PROTOCOL);
	assert_non_null(strstr(signet_error_message(conn), "1 MiB"));
	assert_dead(conn);
	stop(&p, conn);
}

static void
endless(struct peer *p, int fd)
{
	char chunk[4096];
	size_t i;

	memset(chunk, 'x', sizeof(chunk));
	hear(p, fd);
	for (i = 0; i < 1024; i++) /* 4 MiB without a NUL; the library hangs up before */
		say_bytes(fd, chunk, sizeof(chunk));
}

static void
refuses_a_reply_without_end(void **state)
{
	struct peer p;
	signet_conn *conn = start(&p, endless);

	(void)state;
	assert_int_equal(signet_lock(conn, "t"), SIGNET_ERR_PROTOCOL);
	assert_dead(conn);
	stop(&p, conn);
}

static const char *nonsense;

static void
say_nonsense(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, nonsense);
	hear(p, fd);
}

static void
refuses_what_is_no_reply(void **state)
{
	static const char *const all[] = {
	    "",
	    "[]",
	    "{",
	    "{\"parameters\":[]}",
	    "{\"parameters\":{},\"continues\":1}",
	    "{\"error\":7}",
	    "{\"a\":1,\"a\":2}",
	    "{\"parameters\":{\"x\":\"\xff\"}}",
	    "{\"parameters\":{},\"continues\":true}",
	    "{\"error\":\"" SIGNER "Busy\",\"continues\":true}",
	    "{\"parameters\":{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}}",
	};
	struct peer p;
	signet_conn *conn;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		nonsense = all[i];
		conn = start(&p, say_nonsense);
		assert_int_equal(signet_lock(conn, "t"), SIGNET_ERR_PROTOCOL);
		assert_dead(conn);
		stop(&p, conn);
	}
}

static void
two_replies(struct peer *p, int fd)
{
	hear(p, fd);
	say_bytes(fd, "{}\0{}", 6);
	hear(p, fd);
}

static void
reply_that_nobody_asked_for_ends_the_connection(void **state)
{
	struct peer p;
	signet_conn *conn = start(&p, two_replies);

	(void)state;
	assert_int_equal(signet_lock(conn, "t"), SIGNET_OK);
	assert_dead(conn);
	stop(&p, conn);
}

static void
deadline_ends_the_wait_and_the_connection(void **state)
{
	struct timespec before, after;
	struct peer p;
	signet_conn *conn = start(&p, silent);

	(void)state;
	assert_int_equal(signet_set_timeout(conn, 50), SIGNET_OK);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(signet_lock(conn, "t"), SIGNET_ERR_TIMEOUT);
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 49);
	assert_string_equal(signet_error_name(conn), "");
	assert_dead(conn);
	stop(&p, conn);
}

/* Takes nothing, so that a long call fills the socket. */
static void
deaf(struct peer *p, int fd)
{
	struct pollfd end = {.fd = fd, .events = 0};

	(void)p;
	(void)poll(&end, 1, 30000); /* POLLHUP */
}

static void
deadline_holds_for_sending_too(void **state)
{
	struct peer p;
	char *parameters;
	signet_conn *conn = start(&p, deaf);

	(void)state;
	assert_true(asprintf(&parameters, "{\"a\":\"%0900000d\"}", 1) > 0);
	assert_int_equal(signet_set_timeout(conn, 50), SIGNET_OK);
	assert_int_equal(signet_call(conn, "a.B", parameters, NULL, 0, NULL, NULL), SIGNET_ERR_TIMEOUT);
	free(parameters);
	stop(&p, conn);
}

/* ---- PINs ---- */

static void
unlocked(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"token\":\"t\",\"uses\":5,\"until\":\"2025-03-01T08:30:00Z\"}}");
	hear(p, fd);
}

static signet_pin *
pin_of(const char *text)
{
	char bytes[SIGNET_PIN_MAX];
	signet_pin *pin = NULL;
	size_t i, n = strlen(text);

	memcpy(bytes, text, n);
	assert_int_equal(signet_pin_new(&pin, bytes, n), SIGNET_OK);
	for (i = 0; i < n; i++)
		assert_int_equal(bytes[i], 0); /* moved, not copied */
	return pin;
}

static void
pin_is_escaped_right_on_the_wire(void **state)
{
	static const char hard[] = "a\"b\\c/\x01\n\u1ec7\U0001f511\x7f";
	struct peer p;
	unsigned uses = 0;
	char until[32];
	json_t *frame;
	signet_pin *pin = pin_of(hard);
	signet_conn *conn = start(&p, unlocked);

	(void)state;
	assert_int_equal(signet_server_trusted(conn), SIGNET_OK);
	assert_int_equal(signet_unlock(conn, "t", pin, 5, 60, true, &uses, until), SIGNET_OK);
	assert_int_equal(uses, 5);
	assert_string_equal(until, "2025-03-01T08:30:00Z");
	assert_string_equal(parameter(&frame, p.got[0], "pin"), hard);
	json_decref(frame);
	assert_non_null(strstr(p.got[0], "\"token\":\"t\",\"uses\":5,\"seconds\":60,\"lastTry\":true"));
	signet_pin_free(pin);
	stop(&p, conn);
}

static void
pin_goes_with_sign_and_with_any_call(void **state)
{
	signet_options o = SIGNET_OPTIONS_INIT;
	signet_pin *pin = pin_of("123456");
	signet_result *r = NULL;
	struct peer p;
	signet_conn *conn = start(&p, sign_twice);

	(void)state;
	o.pin = pin;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_OK);
	signet_result_free(r);
	assert_non_null(strstr(p.got[0], "{\"pin\":\"123456\",\"key\":\"k\""));
	assert_int_equal(signet_call(conn, "a.B", " {\"x\":1 } ", pin, 0, NULL, NULL), SIGNET_OK);
	assert_string_equal(p.got[1], "{\"method\":\"a.B\",\"parameters\":{\"pin\":\"123456\",\"x\":1 }}");
	signet_pin_free(pin);
	stop(&p, conn);
}

static void
refuses_a_pin_that_is_none(void **state)
{
	char bytes[SIGNET_PIN_MAX + 1];
	signet_pin *pin = NULL;
	int ends[2];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(signet_pin_new(&pin, bytes, SIGNET_PIN_MAX + 1), SIGNET_ERR_LIMIT);
	assert_int_equal(bytes[0], 0); /* wiped all the same */
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(signet_pin_new(&pin, bytes, SIGNET_PIN_MAX), SIGNET_OK);
	signet_pin_free(pin);
	assert_int_equal(signet_pin_new(&pin, bytes, 0), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_pin_new(&pin, strcpy(bytes, "a\xff"), 2), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_pin_new(&pin, strcpy(bytes, "\xed\xa0\x80"), 3), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_pin_new(&pin, strcpy(bytes, "\xf4\x90\x80\x80"), 4), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_pin_new(&pin, strcpy(bytes, "\xe0\x80\x80"), 3), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_pin_new(&pin, memcpy(bytes, "a\0b", 3), 3), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_pin_new(&pin, strcpy(bytes, "\xf4\x8f\xbf\xbf"), 4), SIGNET_OK);
	signet_pin_free(pin);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "12\n34\n", 6), 6);
	assert_int_equal(signet_pin_read(&pin, ends[0]), SIGNET_OK);
	signet_pin_free(pin);
	assert_int_equal(signet_pin_read(&pin, ends[0]), SIGNET_OK);
	signet_pin_free(pin);
	(void)close(ends[1]);
	assert_int_equal(signet_pin_read(&pin, ends[0]), SIGNET_ERR_ARGUMENT);
	(void)close(ends[0]);
}

static void
refuses_a_pin_among_the_parameters(void **state)
{
	struct peer p;
	signet_conn *conn = start(&p, silent);

	(void)state;
	assert_int_equal(
	    signet_call(conn, "a.B", "{\"pin\":\"1\"}", NULL, 0, NULL, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_call(conn, "a.B", "{\"a\":1}}", NULL, 0, NULL, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_call(conn, "a.B", "[1]", NULL, 0, NULL, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_call(conn, "a.B\"", NULL, NULL, 0, NULL, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_call(conn, "B", NULL, NULL, 0, NULL, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_call(conn, "a.B", NULL, NULL, 4, NULL, NULL), SIGNET_ERR_ARGUMENT);
	stop(&p, conn);
	assert_int_equal(p.got_count, 0);
}

/* A socket served by another user in a folder of a third: only root can play that. */
static void
no_pin_for_a_stranger(void **state)
{
	enum { NOBODY_ELSE = 54321, FOLDER_OWNER = 54322 };
	signet_pin *pin;
	struct peer p = {0};
	signet_conn *conn = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int owners[] = {FOLDER_OWNER, NOBODY_ELSE};
	size_t i;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (i = 0; i < 2; i++) {
		p = (struct peer){.script = unlocked};
		strcpy(p.folder, "/tmp/libsignet.XXXXXX");
		assert_non_null(mkdtemp(p.folder));
		(void)snprintf(p.path, sizeof(p.path), "%s/s", p.folder);
		strcpy(address.sun_path, p.path);
		p.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(p.listener, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(chown(p.folder, (uid_t)owners[i], 0), 0);
		/* the kernel notes who listens */
		assert_int_equal(seteuid(NOBODY_ELSE), 0);
		assert_int_equal(listen(p.listener, 4), 0);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(pthread_create(&p.thread, NULL, serve, &p), 0);
		assert_int_equal(signet_connect(&conn, p.path), SIGNET_OK);
		pin = pin_of("123456");
		if (owners[i] == NOBODY_ELSE) {
			assert_int_equal(signet_server_trusted(conn), SIGNET_OK);
			assert_int_equal(signet_unlock(conn, "t", pin, 1, 1, false, NULL, NULL), SIGNET_OK);
		} else {
			assert_int_equal(signet_server_trusted(conn), SIGNET_ERR_UNTRUSTED);
			assert_int_equal(
			    signet_unlock(conn, "t", pin, 1, 1, false, NULL, NULL), SIGNET_ERR_UNTRUSTED);
			assert_int_equal(p.got_count, 0);
		}
		signet_pin_free(pin);
		stop(&p, conn);
	}
}

/* ---- batches ---- */

#define RESULT(item)                                                                                         \
	"{\"parameters\":{\"result\":{\"item\":" item ",\"signature\":\"AQID\",\"receipt\":" RECEIPT "}}"
#define FAILED(item)                                                                                         \
	"{\"parameters\":{\"result\":{\"item\":" item                                                        \
	",\"error\":\"TokenAbsent\",\"message\":\"Insert it.\"}}"
#define MORE ",\"continues\":true}"

struct batch_seen {
	signet_err error[4];
	size_t count[4], total;
};

static void
see_result(void *arg, const signet_result *r)
{
	struct batch_seen *seen = arg;

	assert_in_range(r->item, 0, 3);
	seen->error[r->item] = r->error;
	seen->count[r->item]++;
	seen->total++;
	if (r->error == SIGNET_OK) {
		assert_int_equal(r->signature_size, 3);
	} else {
		assert_string_equal(r->message, "Insert it.");
		assert_string_equal(r->error_name, "TokenAbsent");
		assert_null(r->signature);
	}
}

static const char *const *batch_replies;

static void
reply_batch(struct peer *p, int fd)
{
	const char *const *reply;

	hear(p, fd);
	for (reply = batch_replies; *reply != NULL; reply++)
		say(fd, *reply);
	if (reply[1] == NULL)
		hear(p, fd);
}

static signet_err
run_batch(const char *const *replies, struct batch_seen *seen)
{
	const signet_item items[3] = {{.hash = SIGNET_SHA256, .digest = digest, .request_id = "r:1"},
	    {.hash = SIGNET_SHA384, .digest = digest}, {.hash = SIGNET_SHA512, .digest = digest}};
	struct peer p;
	signet_conn *conn;
	signet_err err;

	batch_replies = replies;
	conn = start(&p, reply_batch);
	*seen = (struct batch_seen){0};
	err = signet_sign_batch(conn, "k", items, 3, NULL, see_result, seen);
	assert_non_null(strstr(p.got[0], "\"requestId\":\"r:1\"},{\"digest\":\"sha384:ab01"));
	assert_non_null(strstr(p.got[0], "\"more\":true}"));
	if (err != SIGNET_OK && signet_error_name(conn)[0] == '\0')
		assert_dead(conn);
	stop(&p, conn);
	return err;
}

static void
batch_hands_over_each_item_in_any_order(void **state)
{
	static const char *const replies[] = {
	    RESULT("2") MORE, FAILED("0") MORE, RESULT("1") "}", NULL, NULL};
	struct batch_seen seen;

	(void)state;
	assert_int_equal(run_batch(replies, &seen), SIGNET_OK);
	assert_int_equal(seen.total, 3);
	assert_int_equal(seen.error[0], SIGNET_ERR_TOKEN_ABSENT);
	assert_int_equal(seen.error[2], SIGNET_OK);
}

static void
batch_refuses_items_twice_left_out_or_unknown(void **state)
{
	static const char *const twice[] = {RESULT("0") MORE, RESULT("0") MORE, NULL, NULL};
	static const char *const left_out[] = {RESULT("0") MORE, RESULT("1") "}", NULL, NULL};
	static const char *const unknown[] = {RESULT("3") MORE, NULL, NULL};
	static const char *const negative[] = {RESULT("-1") MORE, NULL, NULL};
	static const char *const empty[] = {
	    "{\"parameters\":{\"result\":{\"item\":0}},\"continues\":true}", NULL, NULL};
	struct batch_seen seen;

	(void)state;
	assert_int_equal(run_batch(twice, &seen), SIGNET_ERR_PROTOCOL);
	assert_int_equal(seen.count[0], 1);
	assert_int_equal(run_batch(left_out, &seen), SIGNET_ERR_PROTOCOL);
	assert_int_equal(run_batch(unknown, &seen), SIGNET_ERR_PROTOCOL);
	assert_int_equal(run_batch(negative, &seen), SIGNET_ERR_PROTOCOL);
	assert_int_equal(run_batch(empty, &seen), SIGNET_ERR_PROTOCOL);
	assert_int_equal(seen.total, 0);
}

static void
batch_that_breaks_off_keeps_what_it_had(void **state)
{
	static const char *const replies[] = {RESULT("2") MORE, NULL, "close"};
	static const char *const refused[] = {RESULT("2") MORE,
	    "{\"error\":\"" SIGNER "LogUnavailable\",\"parameters\":{\"message\":\"Full.\"}}", NULL, NULL};
	struct batch_seen seen;

	(void)state;
	assert_int_equal(run_batch(replies, &seen), SIGNET_ERR_IO);
	assert_int_equal(seen.total, 1);
	assert_int_equal(run_batch(refused, &seen), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(seen.total, 1);
}

static void
full_batch(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"error\":\"" SIGNER "Busy\"}");
	hear(p, fd);
}

static void
batch_takes_1000_items_and_no_more(void **state)
{
	static signet_item items[SIGNET_BATCH_MAX + 1];
	struct batch_seen seen = {0};
	struct peer p;
	size_t i;
	signet_conn *conn = start(&p, full_batch);

	(void)state;
	for (i = 0; i <= SIGNET_BATCH_MAX; i++)
		items[i] = (signet_item){.hash = SIGNET_SHA512, .digest = digest};
	assert_int_equal(signet_sign_batch(conn, "k", items, SIGNET_BATCH_MAX + 1, NULL, see_result, &seen),
	    SIGNET_ERR_LIMIT);
	assert_int_equal(signet_sign_batch(conn, "k", items, 0, NULL, see_result, &seen), SIGNET_ERR_LIMIT);
	assert_int_equal(p.got_count, 0);
	assert_int_equal(
	    signet_sign_batch(conn, "k", items, SIGNET_BATCH_MAX, NULL, see_result, &seen), SIGNET_ERR_BUSY);
	assert_int_equal(p.got_count, 1);
	stop(&p, conn);
}

static void
call_longer_than_1_mib_is_not_sent(void **state)
{
	char *title = malloc(1 << 20);
	const signet_document document = {.title = title};
	signet_options o = SIGNET_OPTIONS_INIT;
	signet_result *r = NULL;
	struct peer p;
	signet_conn *conn = start(&p, sign_twice);

	(void)state;
	memset(title, 'x', (1 << 20) - 1);
	title[(1 << 20) - 1] = '\0';
	o.document = &document;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_ERR_LIMIT);
	assert_int_equal(p.got_count, 0);
	/* and the connection is as good as before */
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_OK);
	signet_result_free(r);
	free(title);
	stop(&p, conn);
}

/* ---- collect, tokens, any call ---- */

static void
collecting(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"state\":\"waiting\"}}");
	hear(p, fd);
	say(fd, SIGNED);
	hear(p, fd);
}

static void
collects_by_id_and_by_index(void **state)
{
	const uint64_t index = 7;
	signet_result *r = NULL;
	struct peer p;
	signet_conn *conn = start(&p, collecting);

	(void)state;
	assert_int_equal(signet_collect(conn, NULL, "r:1", NULL, &r), SIGNET_OK);
	assert_string_equal(r->state, "waiting");
	assert_null(r->signature);
	assert_null(r->entry);
	signet_result_free(r);
	assert_int_equal(signet_collect(conn, NULL, NULL, &index, &r), SIGNET_OK);
	assert_int_equal(r->index, 7);
	signet_result_free(r);
	assert_string_equal(
	    p.got[0], "{\"method\":\"" SIGNER "Collect\",\"parameters\":{\"requestId\":\"r:1\"}}");
	assert_string_equal(p.got[1], "{\"method\":\"" SIGNER "Collect\",\"parameters\":{\"index\":7}}");
	stop(&p, conn);
}

static void
one_token(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"token\":{\"name\":\"t\",\"state\":\"ready\",\"serial\":null,\"keys\":["
		"\"a\",\"b\"],"
		"\"uses\":0,\"shared\":true,\"pinFailures\":2,\"waiting\":3}},\"continues\":true}");
	say(fd,
	    "{\"parameters\":{\"token\":{\"name\":\"u\",\"state\":\"locked\",\"keys\":[],\"shared\":false,"
	    "\"pinFailures\":0,\"waiting\":0}}}");
	hear(p, fd);
}

static void
see_token(void *arg, const signet_token *t)
{
	size_t *count = arg;

	if ((*count)++ == 0) {
		assert_string_equal(t->name, "t");
		assert_null(t->serial);
		assert_string_equal(t->keys[1], "b");
		assert_null(t->keys[2]);
		assert_int_equal(t->uses, 0);
		assert_true(t->shared);
		assert_int_equal(t->pin_failures, 2);
		assert_int_equal(t->waiting, 3);
	} else {
		assert_int_equal(t->uses, -1);
		assert_null(t->keys[0]);
	}
}

static void
lists_tokens(void **state)
{
	size_t count = 0;
	struct peer p;
	signet_conn *conn = start(&p, one_token);

	(void)state;
	assert_int_equal(signet_tokens(conn, NULL, see_token, &count), SIGNET_OK);
	assert_int_equal(count, 2);
	stop(&p, conn);
}

static bool
take_one(void *arg, const char *json, size_t size, bool continues)
{
	size_t *count = arg;

	(*count)++;
	assert_string_equal(json, "{\"n\":1}");
	assert_int_equal(size, 7);
	assert_true(continues);
	return false;
}

static void
follow(struct peer *p, int fd)
{
	hear(p, fd);
	say(fd, "{\"parameters\":{\"n\":1},\"continues\":true}");
	hear(p, fd); /* the end */
}

static void
caller_can_leave_a_call_that_goes_on(void **state)
{
	size_t count = 0;
	struct peer p;
	signet_conn *conn = start(&p, follow);

	(void)state;
	assert_int_equal(signet_call(conn, "a.B", NULL, NULL, SIGNET_CALL_MORE, take_one, &count), SIGNET_OK);
	assert_int_equal(count, 1);
	assert_dead(conn);
	stop(&p, conn);
}

static void
oneway_then_status(struct peer *p, int fd)
{
	hear(p, fd);
	hear(p, fd);
	say(fd, "{\"parameters\":{\"version\":\"1\"}}");
	hear(p, fd);
}

static void
oneway_waits_for_nothing(void **state)
{
	struct peer p;
	char *json = NULL;
	signet_conn *conn = start(&p, oneway_then_status);

	(void)state;
	assert_int_equal(signet_call(conn, "a.B", "{}", NULL, SIGNET_CALL_ONEWAY, NULL, NULL), SIGNET_OK);
	assert_int_equal(signet_status(conn, &json), SIGNET_OK);
	assert_string_equal(json, "{\"version\":\"1\"}");
	assert_string_equal(p.got[0], "{\"method\":\"a.B\",\"parameters\":{},\"oneway\":true}");
	free(json);
	stop(&p, conn);
}

/* ---- connections, threads, processes ---- */

static void
connect_says_what_is_wrong(void **state)
{
	char long_path[200];
	signet_conn *conn = NULL;

	(void)state;
	assert_int_equal(signet_connect(&conn, "/nonexistent/s"), SIGNET_ERR_CONNECT);
	assert_non_null(strstr(signet_error_message(NULL), "/nonexistent/s"));
	assert_int_equal(signet_connect(NULL, "/nonexistent/s"), SIGNET_ERR_ARGUMENT);
	memset(long_path, 'x', sizeof(long_path));
	long_path[107] = '\0';
	assert_int_equal(signet_connect(&conn, long_path), SIGNET_ERR_CONNECT);
	long_path[107] = 'x';
	long_path[108] = '\0';
	assert_int_equal(signet_connect(&conn, long_path), SIGNET_ERR_ARGUMENT);
	assert_null(conn);
	assert_int_equal(setenv("SIGNET_SOCKET", "/nonexistent/t", 1), 0);
	assert_int_equal(signet_connect(&conn, NULL), SIGNET_ERR_CONNECT);
	assert_non_null(strstr(signet_error_message(NULL), "/nonexistent/t"));
	assert_int_equal(unsetenv("SIGNET_SOCKET"), 0);
	signet_close(NULL);
}

static void
come_back(void *arg, const signet_key *key)
{
	(void)key;
	assert_int_equal(signet_lock(arg, "t"), SIGNET_ERR_ARGUMENT);
}

static void
callback_must_not_come_back(void **state)
{
	struct peer p;
	signet_conn *conn = start(&p, two_keys);

	(void)state;
	assert_int_equal(signet_keys(conn, NULL, come_back, conn), SIGNET_OK);
	stop(&p, conn);
}

static void
child_is_refused_and_the_parent_goes_on(void **state)
{
	struct peer p;
	signet_result *r = NULL;
	int status;
	pid_t child;
	signet_conn *conn = start(&p, sign_twice);

	(void)state;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_OK);
	signet_result_free(r);
	child = fork();
	if (child == 0) {
		status = signet_lock(conn, "t") == SIGNET_ERR_IO ? 0 : 1;
		signet_close(conn);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, NULL, &r), SIGNET_OK);
	signet_result_free(r);
	stop(&p, conn);
}

enum { THREADS = 4, CALLS = 200 };

static void
echo_names(struct peer *p, int fd)
{
	char *frame, reply[256];
	const char *token;
	json_t *owner;

	for (;;) {
		frame = hear(p, fd);
		if (frame == NULL)
			return;
		token = parameter(&owner, frame, "token");
		(void)snprintf(reply, sizeof(reply),
		    "{\"error\":\"org.signetd.Token.TokenNotFound\",\"parameters\":{\"token\":\"%s\","
		    "\"message\":\"no %s\"}}",
		    token, token);
		json_decref(owner);
		say(fd, reply);
		free(p->got[--p->got_count]);
	}
}

static void *
ask_for_own_name(void *arg)
{
	signet_conn *conn = arg;
	char name[32], want[40];
	int i;

	(void)snprintf(name, sizeof(name), "t%lx", (unsigned long)pthread_self());
	(void)snprintf(want, sizeof(want), "no %s", name);
	for (i = 0; i < CALLS; i++) {
		if (signet_lock(conn, name) != SIGNET_ERR_TOKEN_NOT_FOUND ||
		    strcmp(signet_error_message(conn), want) != 0)
			return arg;
	}
	return NULL;
}

static void
threads_share_a_connection_and_keep_their_own_errors(void **state)
{
	pthread_t threads[THREADS];
	struct peer p;
	void *bad;
	int i;
	signet_conn *conn = start(&p, echo_names);

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_for_own_name, conn), 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &bad), 0);
		assert_null(bad);
	}
	stop(&p, conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_keys_with_their_certificates),
	    cmocka_unit_test(reads_torn_and_glued_replies),
	    cmocka_unit_test(refuses_key_with_missing_members),
	    cmocka_unit_test(signs_and_reads_the_receipt),
	    cmocka_unit_test(sends_every_option_where_it_belongs),
	    cmocka_unit_test(refuses_done_without_a_signature),
	    cmocka_unit_test(refuses_arguments_before_it_sends_anything),
	    cmocka_unit_test(maps_errors_and_keeps_the_connection),
	    cmocka_unit_test(cuts_a_long_message_between_characters),
	    cmocka_unit_test(server_that_closes_in_mid_reply_is_an_io_error),
	    cmocka_unit_test(server_that_hung_up_is_an_io_error_without_a_signal),
	    cmocka_unit_test(takes_a_reply_of_1_mib_and_refuses_one_byte_more),
	    cmocka_unit_test(refuses_a_reply_without_end),
	    cmocka_unit_test(refuses_what_is_no_reply),
	    cmocka_unit_test(reply_that_nobody_asked_for_ends_the_connection),
	    cmocka_unit_test(deadline_ends_the_wait_and_the_connection),
	    cmocka_unit_test(deadline_holds_for_sending_too),
	    cmocka_unit_test(pin_is_escaped_right_on_the_wire),
	    cmocka_unit_test(pin_goes_with_sign_and_with_any_call),
	    cmocka_unit_test(refuses_a_pin_that_is_none),
	    cmocka_unit_test(refuses_a_pin_among_the_parameters),
	    cmocka_unit_test(no_pin_for_a_stranger),
	    cmocka_unit_test(batch_hands_over_each_item_in_any_order),
	    cmocka_unit_test(batch_refuses_items_twice_left_out_or_unknown),
	    cmocka_unit_test(batch_that_breaks_off_keeps_what_it_had),
	    cmocka_unit_test(batch_takes_1000_items_and_no_more),
	    cmocka_unit_test(call_longer_than_1_mib_is_not_sent),
	    cmocka_unit_test(collects_by_id_and_by_index),
	    cmocka_unit_test(lists_tokens),
	    cmocka_unit_test(caller_can_leave_a_call_that_goes_on),
	    cmocka_unit_test(oneway_waits_for_nothing),
	    cmocka_unit_test(connect_says_what_is_wrong),
	    cmocka_unit_test(callback_must_not_come_back),
	    cmocka_unit_test(child_is_refused_and_the_parent_goes_on),
	    cmocka_unit_test(threads_share_a_connection_and_keep_their_own_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
