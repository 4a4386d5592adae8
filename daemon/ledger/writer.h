/*
 * The writer thread: gathers operations, commits them together, gives them
 * back with one wake-up. The only thread that changes the log.
 */
#ifndef SIGNET_LEDGER_WRITER_H
#define SIGNET_LEDGER_WRITER_H

#include <stdatomic.h>
#include <uv.h>

#include "ledger/checkpoint.h"
#include "ledger/ops.h"
#include "ledger/pulse.h"
#include "ledger/reserve.h"
#include "ledger/store.h"

enum { WRITER_WHY = 512 };

/* What the loop may know of the writer. */
struct writer_news {
	uint64_t size;
	bool available;
	char why[WRITER_WHY];
	unsigned commit_us, commit_ops;
	struct head head; /* the newest checkpoint */
	char vkey[LOGKEY_TEXT];
	char key_why[WRITER_WHY]; /* the files of a new key could not be written; "": they stand */
};

struct writer {
	/* the thread's own while it runs */
	struct store store;
	struct heads heads;
	struct reserve reserve;
	int dir_fd;           /* of the state directory, which is `dir`; the ledger's */
	const char *dir;
	char key_path[4096]; /* of the log key; "": there is none to change */
	struct ops backlog; /* copies of records that the disk did not take */
	bool sealed;        /* nothing is written any more; mine.why says why */
	bool fault;         /* a transaction failed, and none has succeeded since */
	uint64_t wipe_at;   /* when to empty the write-ahead log of what was erased; 0: nothing was */
	uint64_t mend_at;   /* next try to become available, ns of uv_hrtime */
	struct writer_news mine;

	/* shared */
	uv_mutex_t lock;
	struct pulse pulse;
	uv_cond_t wake;
	struct ops in, out;
	unsigned in_flight;
	atomic_bool arrived; /* operations were handed over since the last batch */
	/* the thread's own: was the last batch one operation of one caller, was it a claim, when was it done */
	bool lone, after_claim;
	uint64_t done_at;
	uint64_t gap_ns[2]; /* from there to the next operation, last time, after a record and after a claim */
	bool may_linger;     /* there is a processor to spare */
	size_t wake_at; /* signal when `in` has so many; SIZE_MAX: the thread is busy */
	bool gathering, stop;
	struct writer_news news;

	uv_thread_t thread;
	uv_async_t *async;
	void (*late)(struct ledger_op *copy); /* `done` of a record that the backlog has written */
	void *late_owner;
};

/* SIGNET_ERR_MEMORY. */
must_check signet_err writer_init(struct writer *w);
void writer_done(struct writer *w); /* after writer_join, or without writer_start */
/* store and reserve are open; the reserve is filled here. SIGNET_ERR_MEMORY. */
must_check signet_err writer_start(struct writer *w, uv_async_t *async);
/* Write what was handed over, end the thread. */
void writer_join(struct writer *w);

/* Has the thread looked for work since the last call? Asks it to look again. */
bool writer_beats(struct writer *w);
void writer_hand_over(struct writer *w, struct ops *list, unsigned in_flight);
/* Finished operations are added to `out`. */
void writer_collect(struct writer *w, struct ops *out, struct writer_news *news);

#endif
