/*
 * What a claim and its record cost: N jobs in flight, each claims, records and
 * begins again, with a body and a reply of the usual length. Prints pairs per
 * second and the processor time of writer and loop per pair.
 *
 *   bench_ledger [DIR] [PAIRS]      DIR must be empty; default: a temporary one on this disk
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "ledger/ledger.h"

enum { JOBS_MAX = 256 };

static const char body[] =
    "\"uid\":1000,\"gid\":1000,\"pid\":12345,\"exe\":\"/usr/bin/"
    "document-server\",\"unit\":\"documents.service\","
    "\"rule\":\"clerks\",\"proof\":\"uid\",\"key\":\"office\",\"certSerial\":\"5401020304\",\"certHash\":"
    "\"sha256:"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"token\":\"office\",\"tokenSerial\":"
    "\"0123456789abcdef\",\"operation\":\"sign\",\"digest\":\"sha256:"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"format\":\"raw\",\"scheme\":"
    "\"ecdsa\"";
static const char tail[] = "\"outcome\":\"ok\",\"signatureHash\":\"sha256:"
			   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"";
static const uint8_t value[72];

struct bench;

struct job {
	struct ledger_op op;
	struct bench *bench;
};

struct bench {
	struct ledger *log;
	uv_loop_t loop;
	uv_check_t turn;
	struct job jobs[JOBS_MAX];
	unsigned width, running;
	unsigned long started, wanted, finished;
};

static void claim(struct job *job);

static void
fill(struct job *job, enum ledger_kind what, void (*done)(struct ledger_op *))
{
	uint64_t id = job->op.claim;

	job->op = (struct ledger_op){
	    .what = what,
	    .kind = "sign",
	    .body = body,
	    .body_len = sizeof(body) - 1,
	    .claim = id,
	    .kept = {.uid = 1000, .request_id = "0b8a2a3e-5f43-4f8e-9d9c-2f6f1f0e6a11"},
	    .done = done,
	    .owner = job,
	};
	if (what == LEDGER_RECORD) {
		job->op.tail = tail;
		job->op.tail_len = sizeof(tail) - 1;
		job->op.kept.value = value;
		job->op.kept.value_len = sizeof(value);
	}
	ledger_submit(job->bench->log, &job->op);
}

static void
must(const struct ledger *log, signet_err err)
{
	if (err == SIGNET_OK)
		return;
	fprintf(stderr, "bench_ledger: %s (%s)\n", signet_strerror(err), ledger_why(log));
	exit(1);
}

static void
recorded(struct ledger_op *op)
{
	struct job *job = op->owner;
	struct bench *b = job->bench;

	must(b->log, op->err);
	buf_done(&op->entry);
	b->finished++;
	if (b->started < b->wanted)
		claim(job);
	else
		b->running--;
	if (b->running == 0)
		uv_stop(&b->loop);
}

static void
claimed(struct ledger_op *op)
{
	struct job *job = op->owner;

	must(job->bench->log, op->err);
	buf_done(&op->entry);
	fill(job, LEDGER_RECORD, recorded);
}

static void
claim(struct job *job)
{
	job->bench->started++;
	fill(job, LEDGER_CLAIM, claimed);
}

static void
on_turn(uv_check_t *turn)
{
	struct bench *b = turn->data;

	ledger_hand_over(b->log, b->running);
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double
cpu(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return seconds(u.ru_utime) + seconds(u.ru_stime);
}

static void
measure(struct bench *b, unsigned width, unsigned long pairs)
{
	double all = cpu(RUSAGE_SELF), own = cpu(RUSAGE_THREAD), writer, loop;
	uint64_t begin = uv_hrtime();

	b->width = b->running = width;
	b->started = b->finished = 0;
	b->wanted = pairs;
	for (unsigned i = 0; i < width; i++) {
		b->jobs[i].bench = b;
		claim(&b->jobs[i]);
	}
	ledger_hand_over(b->log, width);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	loop = cpu(RUSAGE_THREAD) - own;
	writer = cpu(RUSAGE_SELF) - all - loop;
	printf("%8u %12.0f %14.1f %14.1f\n", width, (double)pairs / ((double)(uv_hrtime() - begin) / 1e9),
	    writer * 1e6 / (double)pairs, loop * 1e6 / (double)pairs);
}

static void
open_log(struct bench *b, const char *dir)
{
	struct ledger_options o = {
	    .dir = dir,
	    .reserve = UINT64_C(1) << 26,
	    .boot_id = "0123456789abcdef0123456789abcdef",
	};
	struct ledger_start start;
	char why[512];

	if (ledger_open(&b->log, &b->loop, &o, &start, why, sizeof(why)) != SIGNET_OK) {
		fprintf(stderr, "bench_ledger: %s\n", why);
		exit(1);
	}
}

static void
each_kept(void *arg, const struct ledger_kept *kept, uint64_t index)
{
	(void)kept;
	(void)index;
	(*(unsigned long *)arg)++;
}

/* How long a log of this size takes to open and to tell its requestIds. */
static void
reopen(struct bench *b, const char *dir)
{
	unsigned long n = 0;
	uint64_t begin = uv_hrtime(), opened;

	open_log(b, dir);
	opened = uv_hrtime();
	must(b->log, ledger_each_kept(b->log, each_kept, &n));
	printf("opened %llu entries in %.1f ms, %lu requestIds in %.1f ms\n",
	    (unsigned long long)ledger_size(b->log), (double)(opened - begin) / 1e6, n,
	    (double)(uv_hrtime() - opened) / 1e6);
	ledger_close(b->log, NULL, NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	char temporary[] = "/var/tmp/bench_ledger.XXXXXX";
	const char *dir = argc > 1 ? argv[1] : mkdtemp(temporary);
	unsigned long pairs = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	static const unsigned widths[] = {1, 8, 64, 256};

	if (dir == NULL || pairs == 0 || uv_loop_init(&b.loop) != 0) {
		perror("bench_ledger");
		return 1;
	}
	open_log(&b, dir);
	uv_check_init(&b.loop, &b.turn);
	b.turn.data = &b;
	uv_check_start(&b.turn, on_turn);
	printf("%8s %12s %14s %14s\n", "jobs", "pairs/s", "writer us", "loop us");
	for (size_t i = 0; i < array_len(widths); i++)
		measure(&b, widths[i], widths[i] == 1 ? pairs / 10 + 1 : pairs);
	uv_close((uv_handle_t *)&b.turn, NULL);
	ledger_close(b.log, NULL, NULL);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	reopen(&b, dir);
	uv_loop_close(&b.loop);
	if (argc < 2)
		printf("the log is left in %s\n", dir);
	return 0;
}
