/*
 * The loop's side of the log: open and recover, queue and hand over, give back.
 *
 * Invariant: every operation and every read that was submitted is given back
 * exactly once, on the loop, and none after `closed`. What the loop knows of
 * size and availability changes only between two of its callbacks.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ledger/backlog.h"
#include "ledger/continuity.h"
#include "ledger/each.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "ledger/reader.h"
#include "ledger/recover.h"
#include "ledger/row.h"
#include "ledger/succession.h"
#include "ledger/writer.h"
#include <signet/log.h>

enum { KEPT_DAYS = 30, KEPT_ROWS = 1000000 };

static const uint64_t RESERVE_MIN = UINT64_C(1) << 20, RESERVE_MAX = UINT64_C(1) << 30;

struct ledger {
	uv_async_t async;
	struct writer writer;
	struct reader reader;
	int dir_fd, lock_fd;

	struct ops queue; /* submitted, not handed over */
	struct ops back;  /* finished, not given back yet */
	struct reads read_back;
	struct queries query_back;
	size_t pending, reading;
	struct writer_news news;
	struct reader_news reader_news;
	bool closing;
	bool shut; /* there is no database: nothing but the directory and the writer, which refuses */
	struct continuity_names names;
	struct buf vkeys; /* ledger_vkeys(), without a NUL but at its end */
	struct succession succession;
	bool succeeds; /* it is to be told */
	bool notes_failed;
	char dir[4096];

	void (*late)(void *arg, const struct ledger_kept *kept, uint64_t index);
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

static signet_err
fail(char *why, size_t size, const char *dir, const char *what, int error)
{
	snprintf(why, size, "%s %s: %s", dir, what, strerror(error));
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

/* One owner of the state directory, for as long as the process lives. */
static signet_err
lock_dir(struct ledger *log, const char *dir, char *why, size_t size)
{
	log->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dir_fd < 0)
		return fail(why, size, dir, "is not a folder that can be used", errno);
	log->lock_fd = openat(log->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->lock_fd < 0)
		return fail(why, size, dir, "cannot be written", errno);
	log->writer.dir_fd = log->dir_fd;
	if (flock(log->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return SIGNET_OK;
	if (errno != EWOULDBLOCK)
		return fail(why, size, dir, "cannot be locked", errno);
	snprintf(why, size, "another signetd uses %s: stop it first", dir);
	return SIGNET_ERR_BUSY;
}

/* What does not continue the log that was written last is kept as it is found. */
static signet_err
check_continuity(struct ledger *log, const struct ledger_options *o, char *why, size_t size)
{
	struct writer *w = &log->writer;
	signet_err err;

	if (o->origin == NULL)
		return SIGNET_OK;
	err = continuity_key(&w->heads, &w->store, o, &log->names, log->dir_fd, why, size);
	if (err == SIGNET_OK)
		err = continuity_check(
		    &w->heads, &w->store, o, &log->names, &w->sealed, w->mine.why, sizeof(w->mine.why));
	continuity_read_keys(&w->store.db, &log->vkeys);
	buf_chr(&log->vkeys, '\0');
	if (err == SIGNET_OK && !o->key_is_given)
		snprintf(w->key_path, sizeof(w->key_path), "%s%s", o->log_key != NULL ? o->log_key : o->dir,
		    o->log_key != NULL ? "" : "/log.key");
	return err;
}

static void
put_tried(void *arg, const struct ledger_tried *tried)
{
	struct ledger *log = arg;

	if (!log->notes_failed)
		log->notes_failed = db_put_tried(&log->writer.store.db, tried) != SIGNET_OK;
}

/* Wrong PINs are counted on. Of an old database that cannot be read nothing is known: then tokens count alone. */
static signet_err
copy_tried(struct ledger *log, const char *dir)
{
	char path[sizeof(log->writer.store.db.path)];

	if (snprintf(path, sizeof(path), "%s/%s/log.db", dir, log->succession.folder) >= (int)sizeof(path) ||
	    each_tried(path, put_tried, log) != SIGNET_OK)
		return SIGNET_OK;
	return log->notes_failed ? SIGNET_ERR_LOG_UNAVAILABLE : SIGNET_OK;
}

/* How this log is named; a new one that continues another gets its number. */
static signet_err
read_names(struct ledger *log, const struct ledger_options *o)
{
	struct db *db = &log->writer.store.db;
	const struct succession *s = &log->succession;
	signet_err err = continuity_read_names(db, o, &log->names);

	if (err != SIGNET_OK || !log->succeeds || log->names.generation == s->generation)
		return err;
	err = copy_tried(log, o->dir);
	if (err == SIGNET_OK)
		err = continuity_write_names(db, s->generation, s->vkey, s->size);
	return err == SIGNET_OK ? continuity_read_names(db, o, &log->names) : err;
}

/* On a full disk leftovers are records of what was claimed: the reserve is theirs. */
static signet_err
recover(
    struct ledger *log, const struct ledger_options *o, struct ledger_start *start, char *why, size_t size)
{
	struct writer *w = &log->writer;
	struct store *s = &w->store;
	signet_err err = recover_tree(s, why, size);

	if (err == SIGNET_OK)
		err = read_names(log, o);
	if (err == SIGNET_OK)
		err = check_continuity(log, o, why, size);
	if (err == SIGNET_OK && !w->sealed) {
		err = recover_leftovers(s, &start->recovered, why, size);
		if (err != SIGNET_OK && why[0] == '\0') {
			reserve_give_up(&w->reserve);
			err = recover_leftovers(s, &start->recovered, why, size);
		}
	}
	if (err != SIGNET_OK && why[0] == '\0')
		db_explain(&s->db, w->reserve.size, why, size);
	start->size = s->tree.size;
	return err;
}

static signet_err
open_store(
    struct ledger *log, const struct ledger_options *o, struct ledger_start *start, char *why, size_t size)
{
	struct writer *w = &log->writer;
	char path[sizeof(w->store.db.path)];
	signet_err err;

	if (snprintf(path, sizeof(path), "%s/log.db", o->dir) >= (int)sizeof(path))
		return fail(why, size, o->dir, "has too long a name", ENAMETOOLONG);
	err = succession_read(&log->succession, log->dir_fd, o->dir, &log->succeeds, why, size);
	if (err == SIGNET_OK && log->succeeds && !log->succession.moved)
		err = succession_move(&log->succession, o, log->dir_fd, why, size);
	if (err != SIGNET_OK)
		return err;
	if (reserve_open(&w->reserve, log->dir_fd, "log.reserve", o->reserve) != SIGNET_OK)
		return fail(why, size, o->dir, "cannot hold log.reserve", w->reserve.error);
	err = db_open_writer(&w->store.db, path, o->wal_limit, why, size);
	if (err != SIGNET_OK && db_is_full(&w->store.db)) {
		reserve_give_up(&w->reserve); /* opening takes a few pages, and reading must go on */
		err = db_open_writer(&w->store.db, path, o->wal_limit, why, size);
	}
	if (err == SIGNET_OK)
		err = recover(log, o, start, why, size);
	if (err == SIGNET_OK)
		err = db_open_reader(&log->reader.db, path, why, size);
	return err;
}

static void
release_files(struct ledger *log)
{
	buf_done(&log->vkeys);
	db_close(&log->reader.db);
	store_done(&log->writer.store);
	heads_done(&log->writer.heads);
	reserve_close(&log->writer.reserve);
	if (log->lock_fd >= 0)
		close(log->lock_fd); /* last: the next owner may come from here on */
	if (log->dir_fd >= 0)
		close(log->dir_fd);
}

static void
give_back(struct ledger *log)
{
	struct ledger_op *op;
	struct ledger_read *r;
	struct ledger_query *q;

	while ((op = ops_take(&log->back)) != NULL) {
		if (op->owner != log || op->done != log->writer.late)
			log->pending--;
		op->done(op);
	}
	while ((r = reads_take(&log->read_back)) != NULL) {
		log->reading--;
		r->done(r);
	}
	while ((q = queries_take(&log->query_back)) != NULL) {
		struct query_work *work = q->work; /* `done` may free the query, or ask it again */

		log->reading--;
		q->work = NULL;
		q->done(q);
		query_free(work);
	}
}

/* Another key signs: the list grows. */
static void
note_key_change(struct ledger *log, const char *before)
{
	if (strcmp(before, log->news.vkey) == 0 || before[0] == '\0')
		return;
	log->vkeys.len -= log->vkeys.len > 0; /* its NUL */
	buf_str(&log->vkeys, log->news.vkey);
	buf_put(&log->vkeys, "\n", 2);
}

/* Take what the threads have finished. The reader hears of what the writer has made durable. */
static void
collect(struct ledger *log)
{
	uint64_t size = log->news.size, head = log->news.head.says.size;
	char vkey[LOGKEY_TEXT];

	memcpy(vkey, log->news.vkey, sizeof(vkey));
	writer_collect(&log->writer, &log->back, &log->news);
	note_key_change(log, vkey);
	if (!log->writer.sealed && (log->news.size != size || log->news.head.says.size != head))
		reader_tell(&log->reader, &log->news.head);
	reader_collect(&log->reader, &log->read_back, &log->query_back, &log->reader_news);
}

static void
on_async(uv_async_t *async)
{
	struct ledger *log = async->data;

	if (log->closing)
		return;
	collect(log);
	give_back(log);
}

/* A record that had been given back as unwritten is in the log after all. */
static void
on_late(struct ledger_op *copy)
{
	struct ledger *log = copy->owner;

	if (log->late != NULL && copy->err == SIGNET_OK && copy->kept.request_id != NULL)
		log->late(log->arg, &copy->kept, copy->index);
	backlog_free(copy);
}

static signet_err
start_threads(struct ledger *log, const struct ledger_options *o)
{
	const struct heads *h = &log->writer.heads;
	bool publish = h->on && o->tiles != NULL;
	signet_err err = SIGNET_OK;

	if (!log->shut)
		err = reader_start(&log->reader, publish ? log->names.tiles : NULL, h->origin, &log->async);
	if (err != SIGNET_OK)
		return err;
	err = writer_start(&log->writer, &log->async);
	if (err != SIGNET_OK && !log->shut)
		reader_join(&log->reader);
	return err;
}

static void
on_closed(uv_handle_t *handle)
{
	struct ledger *log = handle->data;
	void (*closed)(void *) = log->closed;
	void *arg = log->closed_arg;

	writer_done(&log->writer);
	reader_done(&log->reader);
	free(log);
	if (closed != NULL)
		closed(arg);
}

/* Everything that needs no file: locks, handle, threads. The files are released by the caller on failure. */
static signet_err
start(struct ledger *log, const struct ledger_options *o, uv_loop_t *loop, bool *in_loop)
{
	signet_err err = writer_init(&log->writer);

	if (err != SIGNET_OK)
		return err;
	err = reader_init(&log->reader);
	if (err != SIGNET_OK)
		goto no_reader;
	if (uv_async_init(loop, &log->async, on_async) != 0) {
		err = SIGNET_ERR_MEMORY;
		goto no_async;
	}
	*in_loop = true; /* from here on memory goes in on_closed */
	log->async.data = log;
	log->writer.late = on_late;
	log->writer.late_owner = log;
	err = start_threads(log, o);
	if (err == SIGNET_OK)
		return SIGNET_OK;
	log->closing = true;
	uv_close((uv_handle_t *)&log->async, on_closed);
	return err;
no_async:
	reader_done(&log->reader);
no_reader:
	writer_done(&log->writer);
	return err;
}

static bool
options_ok(const struct ledger_options *o)
{
	return o->dir != NULL && o->reserve >= RESERVE_MIN && o->reserve <= RESERVE_MAX &&
	       o->boot_id != NULL && strlen(o->boot_id) == 32 && strspn(o->boot_id, "0123456789abcdef") == 32;
}

static struct ledger *
ledger_new(const struct ledger_options *o)
{
	struct ledger *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->dir_fd = log->lock_fd = log->writer.reserve.fd = -1;
	log->late = o->late;
	log->arg = o->arg;
	snprintf(log->dir, sizeof(log->dir), "%s", o->dir);
	log->writer.dir = log->dir;
	log->writer.dir_fd = -1;
	buf_init(&log->vkeys, 1 << 20);
	store_init(&log->writer.store, o);
	return log;
}

signet_err
ledger_open_shut(struct ledger **out, uv_loop_t *loop, const struct ledger_options *o, const char *why)
{
	struct ledger *log = ledger_new(o);
	char lock_why[WRITER_WHY];
	bool in_loop = false;
	signet_err err;

	if (log == NULL)
		return SIGNET_ERR_MEMORY;
	log->shut = log->writer.sealed = true;
	snprintf(log->writer.mine.why, sizeof(log->writer.mine.why), "%s", why);
	err = lock_dir(log, o->dir, lock_why, sizeof(lock_why));
	if (err == SIGNET_OK)
		err = start(log, o, loop, &in_loop);
	if (err != SIGNET_OK) {
		release_files(log);
		if (!in_loop)
			free(log);
		return err;
	}
	collect(log);
	*out = log;
	return SIGNET_OK;
}

signet_err
ledger_put_aside(const struct ledger_options *o, char *why, size_t why_size)
{
	struct ledger *log = ledger_new(o);
	bool found;
	signet_err err;

	if (log == NULL) {
		snprintf(why, why_size, "out of memory");
		return SIGNET_ERR_LOG_UNAVAILABLE;
	}
	err = lock_dir(log, o->dir, why, why_size);
	if (err == SIGNET_OK)
		err = succession_read(&log->succession, log->dir_fd, o->dir, &found, why, why_size);
	if (err == SIGNET_OK && !found)
		err = succession_make(&log->succession, o, log->dir_fd, why, why_size);
	if (err == SIGNET_OK && !log->succession.moved)
		err = succession_move(&log->succession, o, log->dir_fd, why, why_size);
	release_files(log);
	free(log);
	return err;
}

bool
ledger_broken(const struct ledger *log)
{
	return log->writer.sealed; /* set before the thread begins */
}

const struct succession *
ledger_succession(const struct ledger *log)
{
	return log->succeeds ? &log->succession : NULL;
}

signet_err
ledger_settle(struct ledger *log)
{
	signet_err err = succession_settle(log->dir_fd);

	if (err == SIGNET_OK)
		log->succeeds = false;
	return err;
}

signet_err
ledger_open(struct ledger **out, uv_loop_t *loop, const struct ledger_options *o, struct ledger_start *begin,
    char *why, size_t why_size)
{
	struct ledger_start found = {0};
	bool in_loop = false;
	struct ledger *log;
	signet_err err;

	assert(why_size > 0 && options_ok(o));
	why[0] = '\0';
	log = ledger_new(o);
	if (log == NULL)
		return SIGNET_ERR_MEMORY;
	found.anchor_missing = o->origin != NULL && o->anchor != NULL && access(o->anchor, F_OK) != 0;
	err = lock_dir(log, o->dir, why, why_size);
	if (err == SIGNET_OK)
		err = open_store(log, o, &found, why, why_size);
	if (err == SIGNET_OK) {
		err = start(log, o, loop, &in_loop);
		if (err != SIGNET_OK)
			snprintf(why, why_size, "%s", "not enough memory for the log's threads");
	}
	if (err != SIGNET_OK) {
		release_files(log);
		if (!in_loop)
			free(log);
		return err;
	}
	collect(log);
	*begin = found;
	*out = log;
	return SIGNET_OK;
}

signet_err
ledger_each_kept(
    struct ledger *log, void (*each)(void *arg, const struct ledger_kept *kept, uint64_t index), void *arg)
{
	int64_t since = store_now(&log->writer.store) - (int64_t)KEPT_DAYS * 24 * 3600 * 1000000;
	uint64_t n = log->news.size;

	assert(log->pending == 0 && log->reading == 0);
	if (log->shut)
		return SIGNET_OK;
	return each_kept(log->reader.db.path, n > KEPT_ROWS ? n - KEPT_ROWS : 0, since, each, arg);
}

signet_err
ledger_each_tried(struct ledger *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg)
{
	assert(log->pending == 0 && log->reading == 0);
	if (log->shut)
		return SIGNET_OK;
	return each_tried(log->reader.db.path, each, arg);
}

void
ledger_submit(struct ledger *log, struct ledger_op *op)
{
	buf_init(&op->entry, SIGNET_ENTRY_MAX);
	buf_init(&op->proof, PROOF_MAX);
	op->err = SIGNET_OK;
	log->pending++;
	if (log->closing) { /* from a `done` inside ledger_close: too late to write it */
		op->err = SIGNET_ERR_LOG_UNAVAILABLE;
		ops_add(&log->back, op);
		return;
	}
	ops_add(&log->queue, op);
}

void
ledger_hand_over(struct ledger *log, unsigned in_flight)
{
	if (log->queue.count > 0)
		writer_hand_over(&log->writer, &log->queue, in_flight);
}

size_t
ledger_pending(const struct ledger *log)
{
	return log->pending;
}

bool
ledger_available(const struct ledger *log)
{
	return log->news.available;
}

bool
ledger_beats(struct ledger *log)
{
	bool writer = writer_beats(&log->writer), reader = reader_beats(&log->reader);

	return writer && reader;
}

const char *
ledger_why(const struct ledger *log)
{
	return log->news.why;
}

uint64_t
ledger_size(const struct ledger *log)
{
	return log->news.size;
}

void
ledger_last_commit(const struct ledger *log, unsigned *us, unsigned *ops)
{
	*us = log->news.commit_us;
	*ops = log->news.commit_ops;
}

void
ledger_read_row(struct ledger *log, struct ledger_read *r)
{
	log->reading++;
	row_begin(r);
	if (log->closing || log->shut) { /* from a `done` inside ledger_close */
		r->err = SIGNET_ERR_IO;
		reads_add(&log->read_back, r);
		if (log->shut)
			uv_async_send(&log->async);
		return;
	}
	reader_ask(&log->reader, r);
}

void
ledger_query(struct ledger *log, struct ledger_query *q)
{
	log->reading++;
	query_begin(q);
	if (log->closing || log->shut) {
		query_break_off(q);
		if (log->shut)
			snprintf(q->why, sizeof(q->why), "%.*s", (int)sizeof(q->why) - 1, log->news.why);
		queries_add(&log->query_back, q);
		if (log->shut)
			uv_async_send(&log->async);
		return;
	}
	reader_query(&log->reader, q);
}

bool
ledger_head(const struct ledger *log, struct checkpoint *c, const char **note, size_t *note_len)
{
	const struct head *head = &log->news.head;

	if (head->note_len == 0)
		return false;
	*c = head->says;
	*note = head->note;
	*note_len = head->note_len;
	return true;
}

const char *
ledger_tiles_why(const struct ledger *log)
{
	return log->reader_news.tiles_why;
}

uint64_t
ledger_tiles_size(const struct ledger *log)
{
	return log->reader_news.tiles_size;
}

const char *
ledger_vkey(const struct ledger *log)
{
	return log->news.vkey;
}

const char *
ledger_vkeys(const struct ledger *log)
{
	return log->vkeys.data == NULL ? "" : (const char *)log->vkeys.data;
}

const char *
ledger_key_why(const struct ledger *log)
{
	return log->news.key_why;
}

const char *
ledger_origin(const struct ledger *log)
{
	return log->names.origin;
}

void
ledger_close(struct ledger *log, void (*closed)(void *arg), void *arg)
{
	assert(!log->closing);
	ledger_hand_over(log, 0);
	log->closing = true;
	log->closed = closed;
	log->closed_arg = arg;
	writer_join(&log->writer);
	collect(log); /* the reader publishes the end of the log */
	if (!log->shut)
		reader_join(&log->reader);
	collect(log);
	give_back(log);
	release_files(log);
	uv_close((uv_handle_t *)&log->async, on_closed);
}
