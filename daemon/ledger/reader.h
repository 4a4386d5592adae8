/* The reader thread: single rows and queries, on a read-only connection of its own. */
#ifndef SIGNET_LEDGER_READER_H
#define SIGNET_LEDGER_READER_H

#include <uv.h>

#include "ledger/duty.h"
#include "ledger/proof.h"
#include "ledger/pulse.h"

struct reads {
	struct ledger_read *first, *last;
};

struct queries {
	struct ledger_query *first, *last;
};

/* What the loop may know of the reader. */
struct reader_news {
	uint64_t tiles_size; /* of the published log */
	char tiles_why[sizeof(((struct tiles *)NULL)->why)];
};

struct reader {
	struct db db; /* the thread's while it runs */
	struct duty duty;
	struct queries running;
	struct reader_news mine;

	/* shared */
	uv_mutex_t lock;
	struct pulse pulse;
	uv_cond_t wake;
	struct reads in, out;
	struct queries asked, answered;
	bool stop;
	struct head told; /* newest head, if `grown` */
	bool grown;
	uint64_t sleeps_until;
	struct reader_news news;

	uv_thread_t thread;
	uv_async_t *async;
};

void reads_add(struct reads *list, struct ledger_read *r);
struct ledger_read *reads_take(struct reads *list);

void queries_add(struct queries *list, struct ledger_query *q);
struct ledger_query *queries_take(struct queries *list);

/* SIGNET_ERR_MEMORY. */
must_check signet_err reader_init(struct reader *r);
void reader_done(struct reader *r);
/* db is open; `tiles` may be NULL, `origin` is borrowed. SIGNET_ERR_MEMORY. */
must_check signet_err reader_start(
    struct reader *r, const char *tiles, const char *origin, uv_async_t *async);
/* Read the rows that were asked for, break off the queries, end the thread. */
void reader_join(struct reader *r);

/* Has the thread looked for work since the last call? Asks it to look again. */
bool reader_beats(struct reader *r);
void reader_ask(struct reader *r, struct ledger_read *read); /* row_begin, query_begin were called */
void reader_query(struct reader *r, struct ledger_query *q);
/* The log has grown. */
void reader_tell(struct reader *r, const struct head *head);
void reader_collect(struct reader *r, struct reads *reads, struct queries *queries, struct reader_news *news);

#endif
