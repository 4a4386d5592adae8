/*
 * Group commit. While one transaction is synced the next operations gather;
 * when calls are few, the writer waits a little for more of those in flight, so
 * that they share the price of the sync.
 *
 * Invariants: operations commit in the order of submission. A record is never
 * lost by a full disk: first the reserve is given up for it, then it waits in
 * the backlog. While either is the case no claim is taken, so the backlog never
 * holds more than was in flight.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger/backlog.h"
#include "ledger/continuity.h"
#include "ledger/writer.h"
#include <signet/log.h>

enum {
	GATHER_PERCENT = 30,
	GATHER_NS = 800 * 1000,
	LINGER_NS = 300 * 1000,
	SHORT_GAP_NS = 450 * 1000, /* with the waking of a thread in it */
	WIPE_MS = 200,         /* from an erasure to the first try to empty the write-ahead log */
	WIPE_LATE_MS = 5000,   /* where the log is never quiet */
	MEND_MS = 500,         /* between two tries to become available again */
	ROOM_BEYOND = 1 << 20, /* a disk with less free than this is still full */
	STACK = 1 << 20,
};

static const uint64_t MS = 1000 * 1000;

signet_err
writer_init(struct writer *w)
{
	if (uv_mutex_init(&w->lock) != 0)
		return SIGNET_ERR_MEMORY;
	if (uv_cond_init(&w->wake) != 0) {
		uv_mutex_destroy(&w->lock);
		return SIGNET_ERR_MEMORY;
	}
	w->wake_at = 1;
	return SIGNET_OK;
}

void
writer_done(struct writer *w)
{
	struct ledger_op *copy;

	/* what is left here keeps its claim in the log and is found again at the next start */
	while ((copy = ops_take(&w->backlog)) != NULL)
		backlog_free(copy);
	uv_cond_destroy(&w->wake);
	uv_mutex_destroy(&w->lock);
}

/* Enough of what is in flight to commit without waiting for more. */
static size_t
enough(unsigned in_flight)
{
	size_t n = ((size_t)in_flight * GATHER_PERCENT + 99) / 100;

	return n > 0 ? n : 1;
}

static bool
is_available(const struct writer *w)
{
	return !w->sealed && w->reserve.whole && !w->fault && w->backlog.count == 0;
}

/* Wait until enough operations are there or the time is over; the lock is held. */
static void
gather(struct writer *w)
{
	uint64_t now = uv_hrtime(), until = now + GATHER_NS;

	w->gathering = true;
	w->wake_at = enough(w->in_flight);
	while (w->in.count < w->wake_at && !w->stop && now < until) {
		(void)uv_cond_timedwait(&w->wake, &w->lock, until - now);
		now = uv_hrtime();
	}
	w->gathering = false;
}

/* When there is something to do though nothing was handed over; UINT64_MAX: never. */
static uint64_t
next_duty(const struct writer *w)
{
	uint64_t head = heads_behind(&w->heads, w->store.tree.size) ? w->heads.due_at : UINT64_MAX;

	if (!is_available(w))
		return w->sealed ? UINT64_MAX : w->mend_at;
	return w->wipe_at != 0 && w->wipe_at < head ? w->wipe_at : head;
}

/* Leave the core to its other thread for a few cycles. */
static void
relax(void)
{
	for (int i = 0; i < 16; i++)
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#else
		__asm__ volatile("" ::: "memory");
#endif
}

/*
 * A lone caller's next operation comes about as soon as a sleeping thread could be woken for it: wait awake for a
 * moment, if there is a processor to spare and the last gap of this kind was short.
 */
static void
linger(struct writer *w)
{
	uint64_t until = w->done_at + LINGER_NS;

	if (!w->may_linger || !w->lone || w->gap_ns[w->after_claim] >= SHORT_GAP_NS)
		return;
	while (!atomic_load_explicit(&w->arrived, memory_order_relaxed) && uv_hrtime() < until)
		relax();
}

/* Take the next batch; it is empty if it is time for something else, or to stop. Returns false to stop. */
static bool
next_batch(struct writer *w, struct ops *batch)
{
	bool go_on;

	w->done_at = uv_hrtime();
	linger(w);
	uv_mutex_lock(&w->lock);
	w->wake_at = 1;
	w->pulse.answered = w->pulse.asked;
	while (w->in.count == 0 && !w->stop) {
		uint64_t now = uv_hrtime(), duty = next_duty(w);

		if (now >= duty)
			break;
		if (duty == UINT64_MAX)
			uv_cond_wait(&w->wake, &w->lock);
		else
			(void)uv_cond_timedwait(&w->wake, &w->lock, duty - now);
		w->pulse.answered = w->pulse.asked;
	}
	if (w->in.count > 0)
		gather(w);
	w->wake_at = SIZE_MAX;
	go_on = !w->stop || w->in.count > 0;
	if (w->in.count > 0) {
		w->gap_ns[w->after_claim] = uv_hrtime() - w->done_at;
		w->lone = w->in.count == 1 && w->in_flight <= 1;
		w->after_claim = w->in.first->what == LEDGER_CLAIM;
	}
	atomic_store_explicit(&w->arrived, false, memory_order_relaxed);
	ops_move(batch, &w->in);
	uv_mutex_unlock(&w->lock);
	return go_on;
}

static void
fill_reserve(struct writer *w)
{
	reserve_fill(&w->reserve);
	if (!w->reserve.whole)
		db_explain_errno(
		    w->store.db.path, w->reserve.error, w->reserve.size, w->mine.why, sizeof(w->mine.why));
}

/* The new key is on the disk before anything is said of it; it gets its name when the entry is durable. */
static signet_err
change_key(struct writer *w, struct ledger_op *op)
{
	owned(buf_done) struct buf tail;
	const char *own = op->tail;
	size_t own_len = op->tail_len;
	uint8_t seed[NOTE_SEED];
	signet_err err = SIGNET_OK;

	buf_init(&tail, SIGNET_ENTRY_MAX);
	if (own != NULL)
		buf_put(&tail, own, own_len);
	op->err = w->key_path[0] == '\0' ? SIGNET_ERR_ARGUMENT
					 : logkey_make_next(w->key_path, seed, w->mine.why, sizeof(w->mine.why));
	if (op->err != SIGNET_OK)
		return SIGNET_OK;
	op->err = heads_change_key(&w->heads, &w->store, seed, &tail);
	explicit_bzero(seed, sizeof(seed));
	if (op->err != SIGNET_OK)
		return SIGNET_OK;
	op->tail = (const char *)tail.data;
	op->tail_len = tail.len;
	err = store_apply(&w->store, op);
	op->tail = own;
	op->tail_len = own_len;
	if (err == SIGNET_OK && op->err == SIGNET_OK)
		err = continuity_change_key(&w->store, w->heads.next_vkey);
	else
		heads_stay(&w->heads);
	return err;
}

static signet_err
apply_all(struct writer *w, const struct ops *list)
{
	signet_err err = SIGNET_OK;

	for (struct ledger_op *op = list->first; op != NULL && err == SIGNET_OK; op = op->next)
		if (op->err == SIGNET_OK)
			err = op->what == LEDGER_APPEND && op->change_key ? change_key(w, op) : store_apply(&w->store, op);
	return err;
}

static bool
wants_proof(const struct ledger_op *op)
{
	return op->want_proof && op->err == SIGNET_OK &&
	       (op->what == LEDGER_RECORD || op->what == LEDGER_APPEND);
}

static bool
any_wants_proof(const struct ops *batch)
{
	for (const struct ledger_op *op = batch->first; op != NULL; op = op->next)
		if (wants_proof(op))
			return true;
	return false;
}

/* A checkpoint, if it is time for one or somebody asks for a proof; then the proofs. */
static signet_err
sign_head(struct writer *w, const struct ops *batch)
{
	bool asked = w->heads.on && (w->heads.changing || any_wants_proof(batch));
	signet_err err;

	if (!asked && !(heads_behind(&w->heads, w->store.tree.size) && uv_hrtime() >= w->heads.due_at))
		return SIGNET_OK;
	err = heads_make(&w->heads, &w->store);
	for (struct ledger_op *op = batch->first; op != NULL && err == SIGNET_OK; op = op->next)
		if (wants_proof(op))
			err = heads_prove(&w->heads, &w->store, op->index, &op->proof);
	return err;
}

/*
 * The change of key is durable in the log. If the files cannot follow now, they do when the log is opened next
 * [continuity.c].
 */
static void
take_key(struct writer *w)
{
	char *why = w->mine.key_why;
	signet_err err = logkey_take(w->key_path, why, sizeof(w->mine.key_why));

	if (err == SIGNET_OK)
		err = logkey_show(w->dir_fd, w->dir, w->heads.vkey, why, sizeof(w->mine.key_why));
	if (err == SIGNET_OK)
		why[0] = '\0';
}

/* What the last transaction came to; a failure is told in `why`. */
static void
judge(struct writer *w, signet_err err)
{
	w->fault = err != SIGNET_OK;
	if (err != SIGNET_OK)
		heads_drop(&w->heads);
	else if (heads_keep(&w->heads, uv_hrtime()))
		take_key(w);
	if (err == SIGNET_ERR_LOG_UNAVAILABLE)
		db_explain(&w->store.db, w->reserve.size, w->mine.why, sizeof(w->mine.why));
	else if (err != SIGNET_OK)
		snprintf(w->mine.why, sizeof(w->mine.why), "the head of the log cannot be signed (%s)",
		    signet_strerror(err));
}

/* Backlog, then batch, in one transaction. Operations that already have an error are left out. */
static signet_err
transact(struct writer *w, const struct ops *batch)
{
	signet_err err = store_begin(&w->store);

	if (err == SIGNET_OK) {
		err = apply_all(w, &w->backlog);
		if (err == SIGNET_OK)
			err = apply_all(w, batch);
		if (err == SIGNET_OK)
			err = sign_head(w, batch);
		if (err == SIGNET_OK)
			err = store_commit(&w->store);
		else
			store_rollback(&w->store);
	}
	judge(w, err);
	return err;
}

static bool
any_left(const struct ops *batch)
{
	for (const struct ledger_op *op = batch->first; op != NULL; op = op->next)
		if (op->err == SIGNET_OK)
			return true;
	return false;
}

/* Entries that came too soon after the last checkpoint for one of their own get it now. */
static void
cover(struct writer *w)
{
	struct ops none = {0};

	if (is_available(w) && heads_behind(&w->heads, w->store.tree.size))
		(void)transact(w, &none); /* what failed is in w->fault and in why */
}

/* What the failed transaction did not do comes back as undone; returns whether records are left to save. */
static bool
refuse_all_but_records(struct ops *batch)
{
	bool records = false;

	for (struct ledger_op *op = batch->first; op != NULL; op = op->next) {
		if (op->err != SIGNET_OK)
			continue;
		if (op->what == LEDGER_RECORD) {
			records = true;
			continue;
		}
		store_forget(op);
		op->err = SIGNET_ERR_LOG_UNAVAILABLE;
	}
	return records;
}

/* The signatures exist: their records wait in memory. Without memory the claim in the log still tells of them. */
static void
keep_records(struct writer *w, struct ops *batch)
{
	for (struct ledger_op *op = batch->first; op != NULL; op = op->next) {
		struct ledger_op *copy;

		if (op->err != SIGNET_OK)
			continue;
		store_forget(op);
		copy = backlog_copy(op);
		if (copy != NULL) {
			copy->done = w->late;
			copy->owner = w->late_owner;
			ops_add(&w->backlog, copy);
		}
		op->err = SIGNET_ERR_LOG_UNAVAILABLE;
	}
}

static void
forget_all(struct ops *list)
{
	for (struct ledger_op *op = list->first; op != NULL; op = op->next)
		store_forget(op);
}

static void
refuse_all(struct ops *batch)
{
	for (struct ledger_op *op = batch->first; op != NULL; op = op->next)
		op->err = SIGNET_ERR_LOG_UNAVAILABLE;
}

static void
refuse_claims(struct ops *batch)
{
	for (struct ledger_op *op = batch->first; op != NULL; op = op->next)
		if (op->what == LEDGER_CLAIM)
			op->err = SIGNET_ERR_LOG_UNAVAILABLE;
}

/* Commit, or find for each operation what can still be done about it. Written copies go to `written`. */
static void
write_batch(struct writer *w, struct ops *batch, struct ops *written)
{
	if (w->sealed)
		refuse_all(batch);
	else if (!is_available(w))
		refuse_claims(batch);
	if (!any_left(batch) && w->backlog.count == 0)
		return;
	if (transact(w, batch) != SIGNET_OK) {
		bool records = refuse_all_but_records(batch) || w->backlog.count > 0;

		if (!records)
			return;
		reserve_give_up(&w->reserve);
		if (transact(w, batch) != SIGNET_OK) {
			forget_all(&w->backlog);
			keep_records(w, batch);
			return;
		}
	}
	ops_move(written, &w->backlog);
}

/* Try to become available again: backlog first, then the reserve, then proof that claims would be taken. */
static void
mend(struct writer *w, struct ops *written)
{
	struct ops none = {0};

	w->mend_at = uv_hrtime() + MEND_MS * MS;
	if (w->backlog.count > 0)
		write_batch(w, &none, written);
	if (w->backlog.count > 0)
		return;
	if (!w->reserve.whole)
		fill_reserve(w);
	if (w->reserve.whole && w->fault && reserve_has_room(&w->reserve, ROOM_BEYOND))
		w->fault = db_probe(&w->store.db) != SIGNET_OK;
}

/* What was erased still stands in old pages of the write-ahead log. */
static void
wipe(struct writer *w, bool quiet)
{
	uint64_t now = uv_hrtime();

	if (w->store.erased) {
		w->store.erased = false;
		w->wipe_at = now + WIPE_MS * MS;
	}
	if (w->wipe_at == 0 || now < w->wipe_at || !(quiet || now >= w->wipe_at + WIPE_LATE_MS * MS))
		return;
	if (db_empty_wal(&w->store.db) == SIGNET_OK)
		w->wipe_at = 0;
	else
		w->wipe_at =
		    now + WIPE_MS * MS; /* somebody reads, or the disk is full: again, until it is done */
}

static void
take_stock(struct writer *w)
{
	w->mine.size = w->store.tree.size;
	w->mine.head = w->heads.last;
	memcpy(w->mine.vkey, w->heads.vkey, sizeof(w->mine.vkey));
	w->mine.available = is_available(w);
	if (w->mine.available)
		w->mine.why[0] = '\0';
}

static void
publish(struct writer *w, struct ops *batch, struct ops *written)
{
	take_stock(w);
	uv_mutex_lock(&w->lock);
	ops_move(&w->out, batch);
	ops_move(&w->out, written);
	w->news = w->mine;
	uv_mutex_unlock(&w->lock);
	uv_async_send(w->async);
}

static void
turn(struct writer *w, struct ops *batch)
{
	struct ops written = {0};
	bool was_available = is_available(w);
	size_t commit_ops = batch->count;

	if (commit_ops > 0) {
		uint64_t begin = uv_hrtime();

		w->mine.commit_ops = (unsigned)commit_ops;
		write_batch(w, batch, &written);
		w->mine.commit_us = (unsigned)((uv_hrtime() - begin) / 1000);
	} else if (uv_hrtime() >= w->heads.due_at) {
		cover(w);
	}
	if (was_available && !is_available(w))
		w->mend_at = uv_hrtime() + MEND_MS * MS;
	if (!is_available(w) && !w->sealed && uv_hrtime() >= w->mend_at)
		mend(w, &written);
	publish(w, batch, &written);
	wipe(w, commit_ops == 0);
}

static void
run(void *arg)
{
	struct writer *w = arg;
	struct ops batch = {0};
	struct ops none = {0}, written = {0};
	uint64_t covered;

	(void)pthread_setname_np(pthread_self(), "log-writer"); /* for ps and profiles only */
	while (next_batch(w, &batch))
		turn(w, &batch);
	/* the last chance of what waits */
	covered = w->heads.last.says.size;
	if (w->backlog.count > 0)
		write_batch(w, &none, &written);
	w->heads.due_at = 0; /* the checkpoint at the end need not wait */
	cover(w);
	if (written.count > 0 || w->heads.last.says.size != covered)
		publish(w, &none, &written);
}

signet_err
writer_start(struct writer *w, uv_async_t *async)
{
	uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK};
	sigset_t all, before;
	int rc;

	w->async = async;
	w->may_linger = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	if (!w->sealed)
		fill_reserve(w);
	take_stock(w);
	w->news = w->mine;
	/* signals are the loop's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = uv_thread_create_ex(&w->thread, &options, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? SIGNET_OK : SIGNET_ERR_MEMORY;
}

void
writer_join(struct writer *w)
{
	uv_mutex_lock(&w->lock);
	w->stop = true;
	uv_cond_signal(&w->wake);
	uv_mutex_unlock(&w->lock);
	int rc = uv_thread_join(&w->thread);
	assert(rc == 0);
}

void
writer_hand_over(struct writer *w, struct ops *list, unsigned in_flight)
{
	bool wake;

	uv_mutex_lock(&w->lock);
	ops_move(&w->in, list);
	w->in_flight = in_flight;
	atomic_store_explicit(&w->arrived, true, memory_order_relaxed);
	if (w->gathering)
		w->wake_at = enough(in_flight);
	wake = w->in.count >= w->wake_at;
	uv_mutex_unlock(&w->lock);
	if (wake)
		uv_cond_signal(&w->wake);
}

void
writer_collect(struct writer *w, struct ops *out, struct writer_news *news)
{
	uv_mutex_lock(&w->lock);
	ops_move(out, &w->out);
	*news = w->news;
	uv_mutex_unlock(&w->lock);
}

bool
writer_beats(struct writer *w)
{
	bool beats;

	uv_mutex_lock(&w->lock);
	beats = pulse_beats(&w->pulse);
	w->pulse.asked++;
	uv_cond_signal(&w->wake);
	uv_mutex_unlock(&w->lock);
	return beats;
}
