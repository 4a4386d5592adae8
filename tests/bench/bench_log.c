/*
 * What a large log costs: appending at 100,000 entries and at the end, opening,
 * proofs, pages by digest and by day.
 *
 *   bench_log [ENTRIES] [DIR]     default 1,000,000; DIR must be empty, default: a temporary one on this disk
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "ledger/proof.h"

enum { WIDTH = 64, MEASURED = 20000, EARLY = 100000, ASKED = 500, SEARCHED = 100 };

static const int64_t DAY = INT64_C(24) * 3600 * 1000000;
static const int64_t START = INT64_C(1795219200000000); /* 2026-11-21T00:00:00Z */

struct bench;

struct job {
	struct ledger_op op;
	struct bench *bench;
	char body[640], request[48];
	uint64_t number;
};

struct bench {
	struct ledger *log;
	uv_loop_t loop;
	uv_check_t turn;
	char tiles[4096];
	struct job jobs[WIDTH];
	unsigned running;
	uint64_t started, wanted, numbered, per_day;
	int64_t now_us;
	bool prove, answered;
	size_t rows;
};

static const uint8_t value[72];
static const char tail[] = "\"outcome\":\"ok\",\"signatureHash\":\"sha256:"
			   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"";

static int64_t
bench_now(void *arg)
{
	const struct bench *b = arg;

	return __atomic_load_n(&b->now_us, __ATOMIC_RELAXED);
}

static void
must(const struct bench *b, signet_err err)
{
	if (err == SIGNET_OK)
		return;
	fprintf(stderr, "bench_log: %s (%s)\n", signet_strerror(err), ledger_why(b->log));
	exit(1);
}

static void begin(struct job *j);

static void
ended(struct ledger_op *op)
{
	struct job *j = op->owner;
	struct bench *b = j->bench;

	must(b, op->err);
	buf_done(&op->entry);
	buf_done(&op->proof);
	if (b->started < b->wanted)
		begin(j);
	else if (--b->running == 0)
		uv_stop(&b->loop);
}

static void
submit(struct job *j, enum ledger_kind what, void (*done)(struct ledger_op *))
{
	uint64_t claim = j->op.claim;

	j->op = (struct ledger_op){
	    .what = what,
	    .kind = "sign",
	    .body = j->body,
	    .body_len = strlen(j->body),
	    .claim = claim,
	    .kept = {.uid = 1000, .request_id = j->request},
	    .done = done,
	    .owner = j,
	};
	if (what != LEDGER_CLAIM) {
		j->op.tail = tail;
		j->op.tail_len = sizeof(tail) - 1;
		j->op.kept.value = value;
		j->op.kept.value_len = sizeof(value);
		j->op.want_proof = j->bench->prove;
	}
	ledger_submit(j->bench->log, &j->op);
}

static void
claimed(struct ledger_op *op)
{
	struct job *j = op->owner;

	must(j->bench, op->err);
	buf_done(&op->entry);
	submit(j, LEDGER_RECORD, ended);
}

static void
digest_of(uint64_t number, char out[72])
{
	/* spread as real digests are */
	uint64_t x = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

	snprintf(out, 72, "sha256:%016llx%016llx%016llx%016llx", (unsigned long long)x,
	    (unsigned long long)(x * 3), (unsigned long long)(x * 5), (unsigned long long)(x * 7));
}

static void
begin(struct job *j)
{
	struct bench *b = j->bench;
	char digest[72];

	j->number = b->numbered++;
	__atomic_store_n(&b->now_us, START + (int64_t)(j->number / b->per_day) * DAY, __ATOMIC_RELAXED);
	b->started++;
	digest_of(j->number, digest);
	snprintf(
	    j->request, sizeof(j->request), "0b8a2a3e-5f43-4f8e-9d9c-%012llx", (unsigned long long)j->number);
	snprintf(j->body, sizeof(j->body),
	    "\"uid\":1000,\"gid\":1000,\"pid\":12345,\"exe\":\"/usr/bin/document-server\",\"unit\":"
	    "\"documents.service\",\"rule\":\"clerks\",\"proof\":\"uid\",\"key\":\"office\",\"certSerial\":"
	    "\"5401020304\","
	    "\"certHash\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
	    "\"token\":"
	    "\"office\",\"tokenSerial\":\"0123456789abcdef\",\"operation\":\"sign\",\"digest\":\"%s\","
	    "\"format\":\"raw\","
	    "\"scheme\":\"ecdsa\",\"requestId\":\"%s\"",
	    digest, j->request);
	submit(j, LEDGER_CLAIM, claimed);
}

static void
on_turn(uv_check_t *turn)
{
	struct bench *b = turn->data;

	ledger_hand_over(b->log, b->running);
}

/* Processor time of the thread with this name, in microseconds. */
static double
thread_us(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	double us = 0;

	while (tasks != NULL && (task = readdir(tasks)) != NULL) {
		unsigned long long ns = 0;
		char path[512], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(comm, sizeof(comm), f) != NULL)
			comm[strcspn(comm, "\n")] = '\0';
		fclose(f);
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", task->d_name);
		if (strcmp(comm, name) != 0 || (f = fopen(path, "r")) == NULL)
			continue;
		if (fscanf(f, "%llu", &ns) == 1)
			us += (double)ns / 1e3;
		fclose(f);
	}
	if (tasks != NULL)
		closedir(tasks);
	return us;
}

/* Claim and record n entries; pairs per second. */
static double
append(struct bench *b, uint64_t n)
{
	uint64_t from = uv_hrtime();

	b->started = 0;
	b->wanted = n;
	b->running = WIDTH;
	for (unsigned i = 0; i < WIDTH; i++) {
		b->jobs[i].bench = b;
		begin(&b->jobs[i]);
	}
	ledger_hand_over(b->log, b->running);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	return (double)n / ((double)(uv_hrtime() - from) / 1e9);
}

/* Three times; the best, for the machine has other work too. */
static double
measure_append(struct bench *b, const char *what)
{
	double best = 0, writer = 1e9, reader = 1e9;

	for (int i = 0; i < 3; i++) {
		double w = thread_us("log-writer"), r = thread_us("log-reader"), rate = append(b, MEASURED);

		w = (thread_us("log-writer") - w) / MEASURED;
		r = (thread_us("log-reader") - r) / MEASURED;
		best = rate > best ? rate : best;
		writer = w < writer ? w : writer;
		reader = r < reader ? r : reader;
	}
	printf("%-28s %9.0f pairs/s, a pair costs the writer %5.1f us, the reader %5.1f us\n", what, best,
	    writer, reader);
	return best;
}

static void
open_log(struct bench *b, const char *dir)
{
	struct ledger_options o = {
	    .dir = dir,
	    .origin = "log.example/bench",
	    .tiles = b->tiles[0] == '\0' ? NULL : b->tiles,
	    .reserve = UINT64_C(1) << 26,
	    .now_us = bench_now,
	    .arg = b,
	    .boot_id = "0123456789abcdef0123456789abcdef",
	};
	struct ledger_start start;
	char why[512];

	if (ledger_open(&b->log, &b->loop, &o, &start, why, sizeof(why)) != SIGNET_OK) {
		fprintf(stderr, "bench_log: %s\n", why);
		exit(1);
	}
}

static void
close_log(struct bench *b)
{
	ledger_close(b->log, NULL, NULL);
	b->log = NULL;
}

static void
on_answer(struct ledger_query *q)
{
	struct bench *b = q->owner;

	must(b, q->err);
	b->answered = true;
	b->rows = q->row_count;
	uv_stop(&b->loop);
}

static double
ask(struct bench *b, struct ledger_query *q)
{
	uint64_t from = uv_hrtime();

	b->answered = false;
	q->done = on_answer;
	q->owner = b;
	ledger_query(b->log, q);
	while (!b->answered)
		uv_run(&b->loop, UV_RUN_DEFAULT);
	return (double)(uv_hrtime() - from) / 1e6;
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_times(const char *what, double *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), by_value);
	printf("%-28s p50 %7.3f ms, p99 %7.3f ms, worst %7.3f ms\n", what, ms[n / 2], ms[n * 99 / 100],
	    ms[n - 1]);
}

static void
measure_proofs(struct bench *b, enum ledger_query_kind what, const char *name)
{
	uint64_t size = ledger_size(b->log);
	double ms[ASKED];

	for (size_t i = 0; i < ASKED; i++) {
		struct ledger_query q = {.what = what, .size = size};

		q.index = q.first = ((uint64_t)rand() << 16 ^ (uint64_t)rand()) % size;
		ms[i] = ask(b, &q);
	}
	print_times(name, ms, ASKED);
}

static double
find_digest(struct bench *b, uint64_t number)
{
	struct ledger_filter f = {.uid = -1};
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 20, .filter = &f};
	double ms;

	digest_of(number, f.digest);
	ms = ask(b, &q);
	if (b->rows != 1) {
		fprintf(stderr, "bench_log: %zu rows have one digest\n", b->rows);
		exit(1);
	}
	return ms;
}

/* Nobody tells that the index is complete: but then a search takes no time. */
static void
wait_for_index(struct bench *b)
{
	uint64_t from = uv_hrtime();

	while (find_digest(b, b->numbered - 1) > 4)
		uv_sleep(50);
	printf("%-28s %9.1f s after the last entry\n", "the index is complete",
	    (double)(uv_hrtime() - from) / 1e9);
}

static void
measure_search(struct bench *b)
{
	double ms[SEARCHED];
	uint64_t days = b->numbered / b->per_day;

	for (size_t i = 0; i < SEARCHED; i++)
		ms[i] = find_digest(b, ((uint64_t)rand() << 16 ^ (uint64_t)rand()) % b->numbered);
	print_times("page by digest", ms, SEARCHED);
	for (size_t i = 0; i < SEARCHED; i++) {
		uint64_t day = (uint64_t)rand() % days;
		struct ledger_filter f = {
		    .uid = -1,
		    .from_us = START + (int64_t)day * DAY,
		    .until_us = START + (int64_t)(day + 1) * DAY,
		};
		struct ledger_query q = {.what = LEDGER_PAGE, .limit = 256, .filter = &f};

		ms[i] = ask(b, &q);
	}
	print_times("a day's first page", ms, SEARCHED);
}

static void
measure_open(struct bench *b, const char *dir)
{
	uint64_t from;

	close_log(b);
	from = uv_hrtime();
	open_log(b, dir);
	printf("%-28s %9.1f ms\n", "open", (double)(uv_hrtime() - from) / 1e6);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	char temporary[] = "/var/tmp/bench_log.XXXXXX";
	uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	const char *dir = argc > 2 ? argv[2] : mkdtemp(temporary);
	double early, late;

	if (dir == NULL || entries < 4 * MEASURED || uv_loop_init(&b.loop) != 0) {
		fprintf(stderr, "bench_log [ENTRIES] [DIR]: at least %d entries\n", 4 * MEASURED);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(b.tiles, sizeof(b.tiles), "%s/tiles", dir);
	b.per_day = 2000;
	open_log(&b, dir);
	uv_check_init(&b.loop, &b.turn);
	b.turn.data = &b;
	uv_check_start(&b.turn, on_turn);
	append(&b, entries > 2 * EARLY ? EARLY : MEASURED);
	early = measure_append(&b, "append, small log");
	append(&b, entries - b.numbered);
	late = measure_append(&b, "append, at the end");
	printf("%-28s %9.1f %% of the early rate, at %llu entries\n", "", 100 * late / early,
	    (unsigned long long)ledger_size(b.log));
	b.prove = true;
	measure_append(&b, "append, each with a proof");
	b.prove = false;
	measure_open(&b, dir);
	measure_proofs(&b, LEDGER_INCLUSION, "inclusion proof");
	measure_proofs(&b, LEDGER_CONSISTENCY, "consistency proof");
	wait_for_index(&b);
	measure_search(&b);
	uv_close((uv_handle_t *)&b.turn, NULL);
	close_log(&b);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	uv_loop_close(&b.loop);
	if (argc < 3)
		printf("the log is left in %s\n", dir);
	return 0;
}
