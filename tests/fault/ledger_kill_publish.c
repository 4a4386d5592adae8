/*
 * Goal: kill -9 while tiles are written or a backup is made takes back nothing
 * that was signed, and leaves a published log and backups that are whole.
 *
 * A child appends, asks for proofs and makes backups as fast as it can, and
 * writes every head that it sees into a pipe. It is killed after a random
 * number of these. Then what lies on the disk is verified: the log must extend
 * every head that was ever seen, and so must the next kill's.
 * One log and 20 kills; ten logs with SIGNET_LONG=1.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger_case.h"
#include "tiles_case.h"
#include "unit.h"

enum { JOBS = 16, ACKS_MAX = 400, KILLS = 20, LONG_LOGS = 10 };

struct seen {
	uint64_t size;
	uint8_t root[NOTE_HASH];
};

/* The child */

struct worker {
	struct ledger_case c;
	struct ledger_op ops[JOBS];
	struct ledger_query backup;
	char path[128];
	unsigned appended, backups;
	uint64_t told;
	uv_check_t turn;
};

static void
tell_head(struct worker *w)
{
	struct checkpoint says;
	struct seen ack;
	const char *note;
	size_t len;

	if (!ledger_head(w->c.log, &says, &note, &len) || says.size == w->told)
		return;
	memset(&ack, 0, sizeof(ack));
	ack.size = w->told = says.size;
	memcpy(ack.root, says.root, sizeof(ack.root));
	if (write(STDOUT_FILENO, &ack, sizeof(ack)) != sizeof(ack))
		_exit(2);
}

static void append(struct worker *w, struct ledger_op *op);

static void
appended(struct ledger_op *op)
{
	struct worker *w = op->owner;

	if (op->err != SIGNET_OK)
		_exit(3);
	buf_done(&op->entry);
	buf_done(&op->proof);
	tell_head(w);
	append(w, op);
}

static void
append(struct worker *w, struct ledger_op *op)
{
	*op = case_append_op("sign", "\"uid\":7");
	op->want_proof = ++w->appended % 7 == 0;
	op->done = appended;
	op->owner = w;
	ledger_submit(w->c.log, op);
}

static void back_up(struct worker *w);

static void
backed_up(struct ledger_query *q)
{
	if (q->err != SIGNET_OK)
		_exit(4);
	back_up(q->owner);
}

static void
back_up(struct worker *w)
{
	snprintf(w->path, sizeof(w->path), "%s/backup.%d.%u", w->c.dir, (int)getpid(), w->backups++);
	w->backup =
	    (struct ledger_query){.what = LEDGER_BACKUP, .path = w->path, .done = backed_up, .owner = w};
	ledger_query(w->c.log, &w->backup);
}

static void
on_turn(uv_check_t *turn)
{
	struct worker *w = turn->data;

	ledger_hand_over(w->c.log, JOBS);
}

static int
work(const char *dir)
{
	static struct worker w;

	case_init(&w.c, dir);
	w.c.origin = CASE_ORIGIN;
	w.c.tiles = w.c.tiles_dir;
	case_open(&w.c);
	uv_check_init(&w.c.loop, &w.turn);
	w.turn.data = &w;
	uv_check_start(&w.turn, on_turn);
	for (size_t i = 0; i < JOBS; i++)
		append(&w, &w.ops[i]);
	back_up(&w);
	ledger_hand_over(w.c.log, JOBS);
	uv_run(&w.c.loop, UV_RUN_DEFAULT);
	return 5; /* it never ends by itself */
}

/* The parent */

struct watch {
	char dir[64];
	struct note_key key;
	struct seen *heads;
	size_t count, room;
	unsigned half_backups, whole_backups, behind;
};

static void
note_head(struct watch *w, const struct seen *s)
{
	if (w->count == w->room) {
		w->room = w->room == 0 ? 1024 : 2 * w->room;
		w->heads = realloc(w->heads, w->room * sizeof(*w->heads));
		assert_non_null(w->heads);
	}
	w->heads[w->count++] = *s;
}

static pid_t
start_child(const struct watch *w, int *from)
{
	char *argv[] = {(char *)"ledger_kill_publish", (char *)w->dir, NULL};
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(ends[1], STDOUT_FILENO) < 0)
			_exit(6);
		execv("/proc/self/exe", argv);
		_exit(6);
	}
	close(ends[1]);
	*from = ends[0];
	return pid;
}

static bool
next_head(int from, struct seen *s)
{
	size_t have = 0;

	while (have < sizeof(*s)) {
		ssize_t n = read(from, (char *)s + have, sizeof(*s) - have);

		if (n < 0 && errno == EINTR)
			continue;
		assert_true(n >= 0);
		if (n == 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

static void
work_and_kill(struct watch *w, unsigned acks)
{
	struct seen s;
	int from, status;
	pid_t pid = start_child(w, &from);

	for (unsigned heard = 0; heard < acks; heard++) {
		if (!next_head(from, &s))
			fail_msg("the child ended by itself");
		note_head(w, &s);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (next_head(from, &s))
		note_head(w, &s);
	close(from);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The log extends each of these heads. */
static void
check_heads(const struct watch *w, struct ledger_case *c, uint64_t size)
{
	for (size_t i = 0; i < w->count; i++) {
		struct ledger_query q = {.what = LEDGER_ROOT, .size = w->heads[i].size};

		if (w->heads[i].size > size)
			continue;
		assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_OK);
		assert_memory_equal(q.root, w->heads[i].root, NOTE_HASH);
	}
}

static uint64_t
newest(const struct watch *w)
{
	uint64_t size = 0;

	for (size_t i = 0; i < w->count; i++)
		size = w->heads[i].size > size ? w->heads[i].size : size;
	return size;
}

/* What was published when the child died, before anything is repaired. */
static void
check_published(struct watch *w)
{
	char dir[96];
	struct checkpoint says;
	struct seen s = {0};
	const char *wrong;

	snprintf(dir, sizeof(dir), "%s/tiles/checkpoint", w->dir);
	if (access(dir, F_OK) != 0)
		return; /* not yet */
	snprintf(dir, sizeof(dir), "%s/tiles", w->dir);
	wrong = tiles_case_verify(dir, &w->key, &says);
	if (wrong != NULL)
		fail_msg("the published log: %s", wrong);
	w->behind += says.size < newest(w);
	s.size = says.size;
	memcpy(s.root, says.root, sizeof(s.root));
	note_head(w, &s);
}

static void
check_backup(struct watch *w, const char *name)
{
	char path[400], command[600];
	struct ledger_case copy;
	struct checkpoint says;
	const char *wrong;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	if (strstr(name, ".partial") != NULL) {
		w->half_backups++;
		case_remove(path);
		return;
	}
	w->whole_backups++;
	snprintf(command, sizeof(command), "cp %s/log.key %s/", w->dir, path);
	assert_int_equal(system(command), 0);
	case_init(&copy, path);
	copy.origin = CASE_ORIGIN;
	case_open(&copy);
	assert_true(ledger_available(copy.log));
	check_heads(w, &copy, copy.start.size);
	case_check_rows(&copy, copy.start.size);
	case_done(&copy);
	snprintf(path, sizeof(path), "%s/%s/tiles", w->dir, name);
	if (copy.start.size > 0 && access(path, F_OK) == 0 &&
	    (wrong = tiles_case_verify(path, &w->key, &says)) != NULL)
		fail_msg("the published log of a backup: %s", wrong);
	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	case_remove(path);
}

static void
check_backups(struct watch *w)
{
	DIR *dir = opendir(w->dir);
	struct dirent *file;

	assert_non_null(dir);
	while ((file = readdir(dir)) != NULL)
		if (strncmp(file->d_name, "backup.", 7) == 0)
			check_backup(w, file->d_name);
	closedir(dir);
}

/* Open the log as the next daemon would. */
static void
check_log(struct watch *w)
{
	struct ledger_case c;

	case_init(&c, w->dir);
	c.origin = CASE_ORIGIN;
	c.tiles = c.tiles_dir;
	case_open(&c);
	if (!ledger_available(c.log))
		fail_msg("%s", ledger_why(c.log));
	w->key = case_key(&c);
	assert_true(c.start.size >= newest(w));
	check_heads(w, &c, c.start.size);
	case_done(&c);
}

static void
try_one_log(void)
{
	struct watch w = {.dir = "/tmp/signet-kill.XXXXXX"};
	struct ledger_case all;
	uint64_t size;

	assert_non_null(mkdtemp(w.dir));
	check_log(&w);
	for (unsigned i = 0; i < KILLS; i++) {
		work_and_kill(&w, 1 + (unsigned)rand() % ACKS_MAX);
		check_published(&w);
		check_backups(&w);
		if (i % 3 != 2)
			check_log(&w);
		if (i % 8 == 7) { /* then there is much to publish */
			char tiles[96];

			snprintf(tiles, sizeof(tiles), "%s/tiles", w.dir);
			case_remove(tiles);
		}
	}
	check_log(&w);
	case_init(&all, w.dir);
	case_open(&all);
	size = all.start.size;
	case_check_rows(&all, size);
	case_done(&all);
	print_message(
	    "%d kills, %llu entries, %zu heads; %u backups whole and %u not; %u times the published log was "
	    "behind\n",
	    KILLS, (unsigned long long)size, w.count, w.whole_backups, w.half_backups, w.behind);
	assert_true(w.half_backups > 0 && w.whole_backups > 0 && w.behind > 0);
	case_remove(w.dir);
	free(w.heads);
}

static void
killed_publisher_takes_nothing_back(void **state)
{
	const char *text = getenv("SIGNET_LONG");
	unsigned logs = text != NULL && strcmp(text, "1") == 0 ? LONG_LOGS : 1;

	(void)state;
	srand((unsigned)getpid());
	while (logs-- > 0)
		try_one_log();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_publisher_takes_nothing_back),
	};

	if (argc == 2)
		return work(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
