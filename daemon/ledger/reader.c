/*
 * Reading away from the loop: a row may have to come from a slow disk. Single
 * rows go first, for a caller's reply waits for them; queries take turns, a
 * slice each, and duties come between them.
 *
 * Invariant: what is asked is answered exactly once; the lock is never held
 * while something is read.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "ledger/query.h"
#include "ledger/row.h"
#include "ledger/reader.h"

enum { STACK = 1 << 20, SLICE_MS = 5, TELL_MS = 1000 };

static const uint64_t MS = 1000 * 1000;

void
reads_add(struct reads *list, struct ledger_read *r)
{
	r->next = NULL;
	if (list->first == NULL)
		list->first = r;
	else
		list->last->next = r;
	list->last = r;
}

struct ledger_read *
reads_take(struct reads *list)
{
	struct ledger_read *r = list->first;

	if (r != NULL) {
		list->first = r->next;
		r->next = NULL;
	}
	return r;
}

void
queries_add(struct queries *list, struct ledger_query *q)
{
	q->next = NULL;
	if (list->first == NULL)
		list->first = q;
	else
		list->last->next = q;
	list->last = q;
}

struct ledger_query *
queries_take(struct queries *list)
{
	struct ledger_query *q = list->first;

	if (q != NULL) {
		list->first = q->next;
		q->next = NULL;
	}
	return q;
}

static void
queries_move(struct queries *to, struct queries *from)
{
	struct ledger_query *q;

	while ((q = queries_take(from)) != NULL)
		queries_add(to, q);
}

signet_err
reader_init(struct reader *r)
{
	if (uv_mutex_init(&r->lock) != 0)
		return SIGNET_ERR_MEMORY;
	if (uv_cond_init(&r->wake) != 0) {
		uv_mutex_destroy(&r->lock);
		return SIGNET_ERR_MEMORY;
	}
	return SIGNET_OK;
}

void
reader_done(struct reader *r)
{
	duty_done(&r->duty);
	uv_cond_destroy(&r->wake);
	uv_mutex_destroy(&r->lock);
}

static bool
asked(const struct reader *r)
{
	return r->in.first != NULL || r->asked.first != NULL || r->running.first != NULL || r->stop;
}

/* Until somebody asks or a duty is due; the lock is held. */
static void
wait_for_work(struct reader *r)
{
	for (;;) {
		uint64_t now = uv_hrtime();

		r->pulse.answered = r->pulse.asked;
		if (r->grown)
			duty_tell(&r->duty, &r->told);
		r->grown = false;
		r->sleeps_until = duty_due(&r->duty);
		if (asked(r) || r->sleeps_until <= now)
			break;
		if (r->sleeps_until == UINT64_MAX)
			uv_cond_wait(&r->wake, &r->lock);
		else
			(void)uv_cond_timedwait(&r->wake, &r->lock, r->sleeps_until - now);
	}
	r->sleeps_until = 0;
}

/* Wait for work. *read is NULL when it is the turn of queries and duties; returns false to stop. */
static bool
next_turn(struct reader *r, struct ledger_read **read)
{
	bool go_on;

	uv_mutex_lock(&r->lock);
	wait_for_work(r);
	queries_move(&r->running, &r->asked);
	*read = reads_take(&r->in);
	go_on = *read != NULL || !r->stop;
	uv_mutex_unlock(&r->lock);
	return go_on;
}

static void
give_read(struct reader *r, struct ledger_read *read)
{
	uv_mutex_lock(&r->lock);
	reads_add(&r->out, read);
	uv_mutex_unlock(&r->lock);
	uv_async_send(r->async);
}

static void
give_query(struct reader *r, struct ledger_query *q)
{
	uv_mutex_lock(&r->lock);
	queries_add(&r->answered, q);
	uv_mutex_unlock(&r->lock);
	uv_async_send(r->async);
}

/* One slice of the first query; unfinished it goes behind the others. */
static void
query_turn(struct reader *r)
{
	struct query_source from = {.db = &r->db, .duty = &r->duty};
	struct ledger_query *q = queries_take(&r->running);

	if (q == NULL)
		return;
	if (query_step(q, &from, uv_hrtime() + SLICE_MS * MS))
		give_query(r, q);
	else
		queries_add(&r->running, q);
}

/* Let the loop know what has changed. */
static void
publish(struct reader *r)
{
	const struct tiles *t = &r->duty.tiles;

	if (r->mine.tiles_size == t->size && strcmp(r->mine.tiles_why, t->why) == 0)
		return;
	r->mine.tiles_size = t->size;
	memcpy(r->mine.tiles_why, t->why, sizeof(t->why));
	uv_mutex_lock(&r->lock);
	r->news = r->mine;
	uv_mutex_unlock(&r->lock);
	uv_async_send(r->async);
}

static void
duty_turn(struct reader *r)
{
	duty_step(&r->duty, &r->db);
	publish(r);
}

static void
run(void *arg)
{
	struct reader *r = arg;
	struct ledger_read *read;
	struct ledger_query *q;

	(void)pthread_setname_np(pthread_self(), "log-reader"); /* for ps and profiles only */
	while (next_turn(r, &read)) {
		if (read != NULL) {
			row_read(&r->db, read);
			give_read(r, read);
		} else {
			query_turn(r);
			duty_turn(r);
		}
	}
	duty_finish(&r->duty, &r->db);
	publish(r);
	while ((q = queries_take(&r->running)) != NULL) {
		query_break_off(q);
		give_query(r, q);
	}
}

signet_err
reader_start(struct reader *r, const char *tiles, const char *origin, uv_async_t *async)
{
	uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK};
	sigset_t all, before;
	signet_err err = duty_init(&r->duty, r->db.path, tiles, origin);
	int rc;

	if (err != SIGNET_OK)
		return err;
	r->async = async;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = uv_thread_create_ex(&r->thread, &options, run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? SIGNET_OK : SIGNET_ERR_MEMORY;
}

void
reader_join(struct reader *r)
{
	uv_mutex_lock(&r->lock);
	r->stop = true;
	uv_cond_signal(&r->wake);
	uv_mutex_unlock(&r->lock);
	int rc = uv_thread_join(&r->thread);
	assert(rc == 0);
}

void
reader_ask(struct reader *r, struct ledger_read *read)
{
	uv_mutex_lock(&r->lock);
	reads_add(&r->in, read);
	uv_cond_signal(&r->wake);
	uv_mutex_unlock(&r->lock);
}

void
reader_query(struct reader *r, struct ledger_query *q)
{
	uv_mutex_lock(&r->lock);
	queries_add(&r->asked, q);
	uv_cond_signal(&r->wake);
	uv_mutex_unlock(&r->lock);
}

void
reader_tell(struct reader *r, const struct head *head)
{
	uv_mutex_lock(&r->lock);
	r->told = *head;
	r->grown = true;
	if (r->sleeps_until > uv_hrtime() + TELL_MS * MS)
		uv_cond_signal(&r->wake);
	uv_mutex_unlock(&r->lock);
}

void
reader_collect(struct reader *r, struct reads *reads, struct queries *queries, struct reader_news *news)
{
	struct ledger_read *read;

	uv_mutex_lock(&r->lock);
	while ((read = reads_take(&r->out)) != NULL)
		reads_add(reads, read);
	queries_move(queries, &r->answered);
	*news = r->news;
	uv_mutex_unlock(&r->lock);
}

bool
reader_beats(struct reader *r)
{
	bool beats;

	uv_mutex_lock(&r->lock);
	beats = pulse_beats(&r->pulse);
	r->pulse.asked++;
	uv_cond_signal(&r->wake);
	uv_mutex_unlock(&r->lock);
	return beats;
}
