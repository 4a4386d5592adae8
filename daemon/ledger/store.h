/*
 * Database and tree together, and what composes entries. Belongs to one
 * thread at a time: the one that opens the log, then the writer.
 */
#ifndef SIGNET_LEDGER_STORE_H
#define SIGNET_LEDGER_STORE_H

#include "ledger/db.h"
#include "ledger/entry.h"

struct store {
	struct db db;
	struct tlog_tree tree;  /* its leaves are the rows: those committed, and those of the open transaction */
	uint64_t last_claim; /* id; some are never used */
	struct tlog_tree mark;  /* the tree when the transaction began */
	bool erased;         /* something was erased; whoever empties the write-ahead log clears it */

	char boot[33];
	const char *clock_state; /* in this transaction */
	int64_t (*now_us)(void *arg);
	const char *(*ask_clock)(void *arg);
	void *arg;
	struct entry_clock clock;
	struct buf kept, openings; /* scratch */
};

/* Nothing of `o` is kept but its functions and their argument. db is opened by the caller. */
void store_init(struct store *s, const struct ledger_options *o);
void store_done(struct store *s);

/* A transaction: all of it becomes durable, or database and tree are as before. */
must_check signet_err store_begin(struct store *s);
must_check signet_err store_commit(struct store *s); /* rolls back by itself if it fails */
void store_rollback(struct store *s);

int64_t store_now(const struct store *s);

/*
 * Do one operation inside a transaction. What is wrong with the operation itself goes to op->err and leaves the
 * transaction as it was; SIGNET_ERR_LOG_UNAVAILABLE means that the transaction is broken: roll back.
 */
must_check signet_err store_apply(struct store *s, struct ledger_op *op);
/* Forget what store_apply wrote into the operation: its transaction failed. */
void store_forget(struct ledger_op *op);

/* Append one finished entry: its row and its leaf. `leaf` is out. Errors as above. */
must_check signet_err store_append(
    struct store *s, const struct buf *entry, uint8_t leaf[LEDGER_HASH], const struct buf *kept);

/* Members that an entry gets whose claim was left over. */
#define STORE_UNKNOWN "\"outcome\":\"unknown\""

#endif
