/* The reader thread: single rows, on a read-only connection of its own. */
#ifndef SIGNET_LEDGER_READER_H
#define SIGNET_LEDGER_READER_H

#include <uv.h>

#include "ledger/db.h"

struct reads {
	struct ledger_read *first, *last;
};

struct reader {
	struct db db; /* the thread's while reads are under way, else the loop's */

	/* shared */
	uv_mutex_t lock;
	uv_cond_t wake;
	struct reads in, out;
	bool stop;

	uv_thread_t thread;
	uv_async_t *async;
};

void reads_add(struct reads *list, struct ledger_read *r);
struct ledger_read *reads_take(struct reads *list);

/* db is open. SIGNET_ERR_MEMORY. */
must_check signet_err reader_init(struct reader *r);
void reader_done(struct reader *r);
must_check signet_err reader_start(struct reader *r, uv_async_t *async);
/* Read what was asked for, end the thread. */
void reader_join(struct reader *r);

void reader_ask(struct reader *r, struct ledger_read *read);
void reader_collect(struct reader *r, struct reads *out);

#endif
