/*
 * signet-load: many connections that sign, for tests that need traffic.
 *
 *   signet-load --socket PATH --key NAME [--connections N] [--count N]
 *               [--window N] [--scheme S] [--timeout-ms N] [--out FILE]
 *               [--request-ids PREFIX]
 *
 * Each connection signs `count` random digests, `window` of them under way at
 * a time, and judges every reply. A requestId is the prefix and the digest's hex. FILE gets a line for each reply the moment
 * it was judged, so that it tells what clients held when a daemon was killed:
 *
 *   ok INDEX DIGEST SIGNATURE-HASH
 *   error NAME DIGEST
 *
 * Exit: 0 every call was signed; 1 something was wrong; 2 usage; 3 the
 * connection was lost; 4 no wrong signature, but calls ended in errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum {
	CONNECTIONS_MAX = 1024,
	WINDOW_MAX = 64,
	EXIT_WRONG = 1,
	EXIT_USAGE = 2,
	EXIT_LOST = 3,
	EXIT_ERRORS = 4
};

struct load {
	const char *socket, *key, *scheme, *request_ids;
	unsigned connections, window, timeout_ms;
	unsigned long count;
	int out;
	pthread_mutex_t latency_lock;
	uint32_t *latency_us;
	size_t latency_count, latency_room;
	atomic_ulong good, errors, wrong, lost;
};

struct pending {
	struct digest digest;
	int64_t sent_us;
};

struct connection {
	struct load *load;
	struct varlink wire;
	struct judge judge;
	struct pending pending[WINDOW_MAX]; /* a ring: replies come in the order of the calls */
	unsigned long sent, answered;
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One write, so that lines of many threads do not mix. */
static void
put_line(const struct load *l, const char *line)
{
	size_t len = strlen(line);

	if (l->out >= 0 && write(l->out, line, len) != (ssize_t)len)
		abort();
}

static void
keep_latency(struct load *l, int64_t us)
{
	pthread_mutex_lock(&l->latency_lock);
	if (l->latency_count < l->latency_room)
		l->latency_us[l->latency_count++] = (uint32_t)us;
	pthread_mutex_unlock(&l->latency_lock);
}

static signet_err
send_one(struct connection *c)
{
	struct pending *p = &c->pending[c->sent % c->load->window];
	char text[DIGEST_TEXT_MAX];
	json_t *parameters;
	signet_err err;

	p->digest.alg = DIGEST_SHA256;
	if (RAND_bytes(p->digest.bytes, (int)digest_size(DIGEST_SHA256)) != 1)
		abort();
	digest_format(&p->digest, text);
	parameters =
	    json_pack("{s:s, s:s, s:s*}", "key", c->load->key, "digest", text, "scheme", c->load->scheme);
	if (c->load->timeout_ms > 0)
		json_object_set_new(parameters, "timeoutMs", json_integer(c->load->timeout_ms));
	if (c->load->request_ids != NULL)
		json_object_set_new(parameters, "requestId",
		    json_sprintf("%s%s", c->load->request_ids, strchr(text, ':') + 1));
	p->sent_us = now_us();
	err = varlink_call(&c->wire, "org.signetd.Signer.Sign", parameters, false);
	if (err == SIGNET_OK)
		c->sent++;
	return err;
}

static void
judge_one(struct connection *c, const struct reply *r)
{
	struct load *l = c->load;
	const struct pending *p = &c->pending[c->answered % l->window];
	char digest[DIGEST_TEXT_MAX], line[3 * DIGEST_TEXT_MAX];
	struct verdict_text v = {0};
	const char *why = "";

	digest_format(&p->digest, digest);
	if (r->error != NULL) {
		atomic_fetch_add(&l->errors, 1);
		snprintf(line, sizeof(line), "error %.80s %s\n", strrchr(r->error, '.') + 1, digest);
	} else if (judge_reply(&c->judge, &p->digest, r->parameters, &v, &why) != SIGNET_OK) {
		atomic_fetch_add(&l->wrong, 1);
		fprintf(stderr, "signet-load: %s: %s\n", digest, why);
		snprintf(line, sizeof(line), "wrong %s\n", digest);
	} else {
		atomic_fetch_add(&l->good, 1);
		keep_latency(l, now_us() - p->sent_us);
		snprintf(line, sizeof(line), "ok %" JSON_INTEGER_FORMAT " %s %s\n", v.index, digest,
		    v.signature_hash);
	}
	put_line(l, line);
	c->answered++;
}

/* When the daemon no longer takes calls, replies to earlier ones may still lie in the socket. */
static signet_err
run_connection(struct connection *c)
{
	const struct load *l = c->load;
	signet_err sending = SIGNET_OK;
	struct reply r;

	while (c->answered < l->count) {
		signet_err err;

		while (sending == SIGNET_OK && c->sent < l->count && c->sent - c->answered < l->window)
			sending = send_one(c);
		if (c->sent == c->answered)
			return sending;
		err = varlink_reply(&c->wire, &r);
		if (err != SIGNET_OK)
			return err;
		judge_one(c, &r);
		reply_done(&r);
	}
	return SIGNET_OK;
}

static void *
connection_main(void *arg)
{
	struct load *l = arg;
	struct connection c = {.load = l};
	signet_err err = varlink_open(&c.wire, l->socket);

	if (err == SIGNET_OK)
		err = judge_init(&c.judge, &c.wire, l->key, l->scheme);
	if (err == SIGNET_OK)
		err = run_connection(&c);
	if (err == SIGNET_ERR_IO || err == SIGNET_ERR_CONNECT) {
		atomic_fetch_add(&l->lost, 1);
	} else if (err != SIGNET_OK) {
		atomic_fetch_add(&l->wrong, 1);
		fprintf(stderr, "signet-load: %s\n", signet_strerror(err));
	}
	judge_done(&c.judge);
	varlink_close(&c.wire);
	return NULL;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t
percentile(const struct load *l, unsigned percent)
{
	return l->latency_count == 0 ? 0 : l->latency_us[(l->latency_count - 1) * percent / 100];
}

static int
report(struct load *l, double seconds)
{
	unsigned long good = atomic_load(&l->good), errors = atomic_load(&l->errors);
	unsigned long wrong = atomic_load(&l->wrong), lost = atomic_load(&l->lost);

	qsort(l->latency_us, l->latency_count, sizeof(*l->latency_us), by_value);
	printf("{\"good\":%lu,\"errors\":%lu,\"wrong\":%lu,\"lost\":%lu,\"seconds\":%.3f,\"p50\":%" PRIu32
	       ",\"p99\":%" PRIu32 ",\"max\":%" PRIu32 "}\n",
	    good, errors, wrong, lost, seconds, percentile(l, 50), percentile(l, 99), percentile(l, 100));
	if (wrong > 0)
		return EXIT_WRONG;
	if (lost > 0)
		return EXIT_LOST;
	return errors > 0 ? EXIT_ERRORS : EXIT_SUCCESS;
}

static unsigned long
number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n == 0 || n > max) {
		fprintf(stderr, "signet-load: %s is not a number from 1 to %lu\n", text, max);
		exit(EXIT_USAGE);
	}
	return n;
}

static void
options(struct load *l, int argc, char **argv)
{
	static const struct option known[] = {{"socket", required_argument, NULL, 's'},
	    {"key", required_argument, NULL, 'k'}, {"connections", required_argument, NULL, 'c'},
	    {"count", required_argument, NULL, 'n'}, {"window", required_argument, NULL, 'w'},
	    {"scheme", required_argument, NULL, 'S'}, {"timeout-ms", required_argument, NULL, 't'},
	    {"request-ids", required_argument, NULL, 'r'}, {"out", required_argument, NULL, 'o'},
	    {NULL, 0, NULL, 0}};
	int o;

	while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (o) {
		case 's':
			l->socket = optarg;
			break;
		case 'k':
			l->key = optarg;
			break;
		case 'c':
			l->connections = (unsigned)number(optarg, CONNECTIONS_MAX);
			break;
		case 'n':
			l->count = number(optarg, 10000000);
			break;
		case 'w':
			l->window = (unsigned)number(optarg, WINDOW_MAX);
			break;
		case 'S':
			l->scheme = optarg;
			break;
		case 't':
			l->timeout_ms = (unsigned)number(optarg, 600000);
			break;
		case 'r':
			l->request_ids = optarg;
			break;
		case 'o':
			l->out = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
			if (l->out < 0) {
				perror(optarg);
				exit(EXIT_USAGE);
			}
			break;
		default:
			exit(EXIT_USAGE);
		}
	}
	if (l->socket == NULL || l->key == NULL || optind != argc) {
		fprintf(stderr, "signet-load: --socket and --key are needed, and nothing but options\n");
		exit(EXIT_USAGE);
	}
}

int
main(int argc, char **argv)
{
	struct load l = {
	    .connections = 1, .window = 1, .count = 1, .out = -1, .latency_lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[CONNECTIONS_MAX];
	int64_t began;
	int code;

	options(&l, argc, argv);
	l.latency_room = l.connections * l.count;
	l.latency_us = calloc(l.latency_room, sizeof(*l.latency_us));
	if (l.latency_us == NULL)
		abort();
	began = now_us();
	for (unsigned i = 0; i < l.connections; i++)
		if (pthread_create(&threads[i], NULL, connection_main, &l) != 0)
			abort();
	for (unsigned i = 0; i < l.connections; i++)
		pthread_join(threads[i], NULL);
	code = report(&l, (double)(now_us() - began) / 1e6);
	free(l.latency_us);
	return code;
}
