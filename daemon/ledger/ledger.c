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
	err = continuity_key(&w->heads, &w->store, o, log->dir_fd, why, size);
	if (err == SIGNET_OK)
		err = continuity_check(&w->heads, &w->store, o, &w->sealed, w->mine.why, sizeof(w->mine.why));
	return err;
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

/* Take what the threads have finished. The reader hears of what the writer has made durable. */
static void
collect(struct ledger *log)
{
	uint64_t size = log->news.size, head = log->news.head.says.size;

	writer_collect(&log->writer, &log->back, &log->news);
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
	signet_err err = reader_start(&log->reader, h->on ? o->tiles : NULL, &h->signer.key, &log->async);

	if (err != SIGNET_OK)
		return err;
	err = writer_start(&log->writer, &log->async);
	if (err != SIGNET_OK)
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
	log = calloc(1, sizeof(*log));
	if (log == NULL)
		return SIGNET_ERR_MEMORY;
	log->dir_fd = log->lock_fd = log->writer.reserve.fd = -1;
	log->late = o->late;
	log->arg = o->arg;
	store_init(&log->writer.store, o);
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
	return each_kept(log->reader.db.path, n > KEPT_ROWS ? n - KEPT_ROWS : 0, since, each, arg);
}

signet_err
ledger_each_tried(struct ledger *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg)
{
	assert(log->pending == 0 && log->reading == 0);
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
	if (log->closing) { /* from a `done` inside ledger_close */
		r->err = SIGNET_ERR_IO;
		reads_add(&log->read_back, r);
		return;
	}
	reader_ask(&log->reader, r);
}

void
ledger_query(struct ledger *log, struct ledger_query *q)
{
	log->reading++;
	query_begin(q);
	if (log->closing) {
		query_break_off(q);
		queries_add(&log->query_back, q);
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
	return log->writer.heads.vkey; /* does not change while the log is open */
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
	reader_join(&log->reader);
	collect(log);
	give_back(log);
	release_files(log);
	uv_close((uv_handle_t *)&log->async, on_closed);
}
