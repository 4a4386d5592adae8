/*
 * Goal: kill -9 in mid-commit loses nothing that was given back, keeps no claim
 * hidden and leaves a log that opens.
 *
 * A child claims and records as fast as it can and writes down, in a pipe, what
 * the ledger gave back to it. It is killed after a random number of these, or
 * while it opens the log; then the log is compared with what it wrote down.
 * 20 kills; 200 with SIGNET_LONG=1.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger/kept.h"
#include "base/tlog.h"
#include "ledger_case.h"
#include "unit.h"

enum { JOBS = 64, ACKS_MAX = 3000, SHORT_KILLS = 20, LONG_KILLS = 200 };

/* What the child tells. A number names one job in all rounds. */
struct ack {
	enum { ACK_OPENING, ACK_CLAIMED, ACK_RECORDED } what;
	uint32_t number;
	uint64_t index;
};

/* The child */

struct worker {
	struct ledger_case c;
	struct job {
		struct ledger_op op;
		struct worker *w;
		uint32_t number;
		char body[32], id[32];
	} jobs[JOBS];
	uint32_t next;
	int pipe;
	uv_check_t turn;
};

static void
tell(const struct worker *w, struct ack ack)
{
	if (write(w->pipe, &ack, sizeof(ack)) != sizeof(ack))
		_exit(2);
}

static void begin(struct job *j);

static void
recorded(struct ledger_op *op)
{
	struct job *j = op->owner;

	if (op->err != SIGNET_OK)
		_exit(3);
	buf_done(&op->entry);
	tell(j->w, (struct ack){.what = ACK_RECORDED, .number = j->number, .index = op->index});
	begin(j);
}

static void
submit(struct job *j, struct ledger_op op, void (*done)(struct ledger_op *))
{
	j->op = op;
	j->op.kept = (struct ledger_kept){.uid = 7, .request_id = j->id};
	if (op.what == LEDGER_RECORD) {
		j->op.kept.value = (const uint8_t *)j->body;
		j->op.kept.value_len = strlen(j->body);
	}
	j->op.done = done;
	j->op.owner = j;
	ledger_submit(j->w->c.log, &j->op);
}

static void
claimed(struct ledger_op *op)
{
	struct job *j = op->owner;

	if (op->err != SIGNET_OK)
		_exit(3);
	tell(j->w, (struct ack){.what = ACK_CLAIMED, .number = j->number});
	submit(j, case_record_op(op->claim, j->body, "\"outcome\":\"ok\""), recorded);
}

static void
begin(struct job *j)
{
	j->number = j->w->next++;
	snprintf(j->body, sizeof(j->body), "\"pid\":%u", j->number);
	snprintf(j->id, sizeof(j->id), "request-%u", j->number);
	submit(j, case_claim_op(j->body), claimed);
}

static void
on_turn(uv_check_t *turn)
{
	struct worker *w = turn->data;

	ledger_hand_over(w->c.log, JOBS);
}

static int
work(const char *dir, uint32_t first)
{
	static struct worker w;

	w.pipe = STDOUT_FILENO;
	w.next = first;
	case_init(&w.c, dir);
	tell(&w, (struct ack){.what = ACK_OPENING});
	case_open(&w.c);
	uv_check_init(&w.c.loop, &w.turn);
	w.turn.data = &w;
	uv_check_start(&w.turn, on_turn);
	for (size_t i = 0; i < JOBS; i++) {
		w.jobs[i].w = &w;
		begin(&w.jobs[i]);
	}
	ledger_hand_over(w.c.log, JOBS);
	uv_run(&w.c.loop, UV_RUN_DEFAULT);
	return 4; /* it never ends by itself */
}

/* The parent */

/* What is known of each job, by number. */
struct job_seen {
	bool claimed, recorded; /* the child was told so */
	uint64_t index;         /* of the record, as the child was told */
	unsigned rows;          /* entries about it */
	bool unknown;           /* its entry says so */
};

struct watch {
	char dir[64];
	struct job_seen *jobs;
	size_t count, room;
	uint64_t size; /* entries that were checked */
};

static struct job_seen *
seen(struct watch *w, uint32_t number)
{
	while (number >= w->room) {
		size_t room = w->room == 0 ? 4096 : 2 * w->room;

		w->jobs = realloc(w->jobs, room * sizeof(*w->jobs));
		assert_non_null(w->jobs);
		memset(w->jobs + w->room, 0, (room - w->room) * sizeof(*w->jobs));
		w->room = room;
	}
	if (number >= w->count)
		w->count = number + 1;
	return &w->jobs[number];
}

static void
note(struct watch *w, const struct ack *ack)
{
	if (ack->what == ACK_CLAIMED)
		seen(w, ack->number)->claimed = true;
	if (ack->what == ACK_RECORDED) {
		seen(w, ack->number)->recorded = true;
		seen(w, ack->number)->index = ack->index;
	}
}

static pid_t
start_child(const struct watch *w, int *from)
{
	char first[16], *argv[] = {(char *)"ledger_kill", (char *)w->dir, first, NULL};
	int ends[2];
	pid_t pid;

	snprintf(first, sizeof(first), "%zu", w->count);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(ends[1], STDOUT_FILENO) < 0)
			_exit(5);
		execv("/proc/self/exe", argv);
		_exit(5);
	}
	close(ends[1]);
	*from = ends[0];
	return pid;
}

static bool
next_ack(int from, struct ack *ack)
{
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(*ack)) {
		n = read(from, (char *)ack + have, sizeof(*ack) - have);
		if (n < 0 && errno == EINTR)
			continue;
		assert_true(n >= 0);
		if (n == 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

/* Let the child work until it has told `acks` things, kill it, and hear the rest of what it told. */
static void
work_and_kill(struct watch *w, unsigned acks)
{
	struct ack ack;
	unsigned heard = 0;
	int from, status;
	pid_t pid = start_child(w, &from);

	while (heard < acks) {
		if (!next_ack(from, &ack))
			fail_msg("the child ended by itself");
		note(w, &ack);
		heard++;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (next_ack(from, &ack))
		note(w, &ack);
	close(from);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
check_kept(const struct kept_row *kept, uint32_t number, bool unknown)
{
	char want[32];

	snprintf(want, sizeof(want), "request-%u", number);
	assert_string_equal(kept->request_id, want);
	assert_int_equal(kept->kept.unknown, unknown);
	assert_int_equal(kept->kept.value_len > 0, !unknown);
}

static void
check_row(struct watch *w, sqlite3_stmt *row)
{
	json_t *entry =
	    json_loadb(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1), 0, NULL);
	uint64_t index = (uint64_t)sqlite3_column_int64(row, 0);
	struct kept_row kept;
	struct job_seen *job;
	uint32_t number;

	assert_non_null(entry);
	assert_int_equal(json_integer_value(json_object_get(entry, "index")), index);
	number = (uint32_t)json_integer_value(json_object_get(entry, "pid"));
	job = seen(w, number);
	job->rows++;
	job->unknown = strcmp(json_string_value(json_object_get(entry, "outcome")), "unknown") == 0;
	if (job->recorded)
		assert_int_equal(job->index, index);
	assert_int_equal(
	    kept_decode(&kept, sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2)), SIGNET_OK);
	check_kept(&kept, number, job->unknown);
	json_decref(entry);
}

static void
check_new_rows(struct watch *w)
{
	char path[80];
	sqlite3_stmt *row;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/log.db", w->dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(
		db, "SELECT idx, bytes, kept FROM entry WHERE idx >= ?1 ORDER BY idx", -1, &row, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_bind_int64(row, 1, (int64_t)w->size), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW) {
		check_row(w, row);
		w->size++;
	}
	assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Open the log as the next daemon would, and compare. */
static void
check(struct watch *w)
{
	struct ledger_case c;

	case_init(&c, w->dir);
	case_open(&c);
	check_new_rows(w);
	assert_int_equal(ledger_size(c.log), w->size);
	assert_int_equal(case_int(&c, "SELECT count(*) FROM claim"), 0);
	case_done(&c);
	for (size_t i = 0; i < w->count; i++) {
		const struct job_seen *job = &w->jobs[i];

		assert_in_range(job->rows, 0, 1);
		if (job->claimed && job->rows == 0)
			fail_msg("claim %zu has vanished", i);
		if (job->recorded && (job->rows == 0 || job->unknown))
			fail_msg("record %zu has vanished", i);
	}
}

static unsigned
kills_wanted(void)
{
	const char *text = getenv("SIGNET_LONG");

	return text != NULL && strcmp(text, "1") == 0 ? LONG_KILLS : SHORT_KILLS;
}

static void
killed_writer_loses_nothing_that_was_given_back(void **state)
{
	unsigned kills = kills_wanted();
	struct watch w = {.dir = "/tmp/signet-kill.XXXXXX"};
	struct ledger_case all;
	size_t unknown = 0;

	(void)state;
	srand((unsigned)getpid());
	assert_non_null(mkdtemp(w.dir));
	for (unsigned i = 0; i < kills; i++) {
		/* every fifth while it opens the log that the kill before left */
		work_and_kill(&w, i % 5 == 4 ? 1 : 1 + (unsigned)rand() % ACKS_MAX);
		if (i % 5 != 3)
			check(&w);
	}
	check(&w);
	for (size_t i = 0; i < w.count; i++)
		unknown += w.jobs[i].unknown;
	print_message(
	    "%u kills, %llu entries, %zu of them unknown\n", kills, (unsigned long long)w.size, unknown);
	assert_true(unknown > 0);
	case_init(&all, w.dir);
	case_check_rows(&all, w.size);
	case_done(&all);
	case_remove(w.dir);
	free(w.jobs);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_writer_loses_nothing_that_was_given_back),
	};

	if (argc == 3)
		return work(argv[1], (uint32_t)strtoul(argv[2], NULL, 10));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
