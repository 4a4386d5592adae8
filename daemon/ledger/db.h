/*
 * log.db as prepared statements. A handle belongs to one thread at a time.
 *
 * Functions that write return SIGNET_ERR_LOG_UNAVAILABLE where the transaction
 * cannot go on: roll back. db_explain() then says why.
 */
#ifndef SIGNET_LEDGER_DB_H
#define SIGNET_LEDGER_DB_H

#include <sqlite3.h>

#include "ledger/ledger.h"
#include "base/tlog.h"

enum { DB_SCHEMA = 2, DB_BUSY_MS = 2000 };

enum db_statement {
	/* the writer's */
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_PUT_ENTRY,
	DB_PUT_CLAIM,
	DB_DROP_CLAIM,
	DB_PUT_TRIED,
	DB_DROP_TRIED,
	DB_PUT_OPENING,
	DB_PUT_PROBE,
	DB_PUT_CHECKPOINT,
	DB_ERASE,
	/* both have these */
	DB_NODE,
	DB_SIZE,
	DB_WRITER_STATEMENTS, /* the writer's are those before it */
	/* the reader's */
	DB_READER_STATEMENTS = DB_NODE, /* from here on */
	DB_ROW = DB_WRITER_STATEMENTS,
	DB_RANGE,
	DB_OPENINGS,
	DB_EACH_KEPT,
	DB_EACH_TRIED,
	DB_STATEMENTS,
};

struct db {
	sqlite3 *handle;
	sqlite3_stmt *statement[DB_STATEMENTS];
	char path[4096];
	int code;         /* extended result code of the last failure */
	int system_errno; /* what the system said to it, or 0 */
};

extern const char db_schema[]; /* schema.sql */
const char *db_sql(enum db_statement which);

/*
 * Open or create for writing. SIGNET_ERR_LOG_UNAVAILABLE; `why` gets one sentence: not a log, written by a
 * newer version, not accessible.
 */
must_check signet_err db_open_writer(
    struct db *db, const char *path, uint64_t wal_limit, char *why, size_t size);
/* A read-only connection to a log that db_open_writer has opened. */
must_check signet_err db_open_reader(struct db *db, const char *path, char *why, size_t size);
void db_close(struct db *db); /* half-built is fine */

/* Whether the last failure was for want of space; also after a failed db_open_writer. */
bool db_is_full(const struct db *db);
/* One sentence about the last failure. `need` is how many bytes to free if the disk is full. */
void db_explain(const struct db *db, uint64_t need, char *why, size_t size);
/* The same for a file system error outside SQLite. */
void db_explain_errno(const char *path, int error, uint64_t need, char *why, size_t size);

must_check signet_err db_begin(struct db *db);
must_check signet_err db_commit(struct db *db);
/* Ends the transaction, whatever became of it; keeps the reason of the failure before it. */
void db_rollback(struct db *db);

struct db_entry {
	uint64_t index;
	const struct buf *bytes;
	const uint8_t *leaf;
	const uint8_t *subtrees; /* subtree_count * TLOG_HASH bytes */
	unsigned subtree_count;
	const void *kept; /* kept_len 0: NULL */
	size_t kept_len;
};
must_check signet_err db_put_entry(struct db *db, const struct db_entry *e);

struct db_claim {
	uint64_t id;
	const char *kind;
	const void *body, *openings, *kept; /* length 0: NULL, but for the body */
	size_t body_len, openings_len, kept_len;
};
must_check signet_err db_put_claim(struct db *db, const struct db_claim *c);
/* SIGNET_ERR_ARGUMENT: there is no such claim; nothing was changed. */
must_check signet_err db_drop_claim(struct db *db, uint64_t id);

must_check signet_err db_put_tried(struct db *db, const struct ledger_tried *t);
must_check signet_err db_put_opening(struct db *db, uint64_t index, const char *field, size_t field_len,
    const uint8_t salt[LEDGER_HASH], const void *text, size_t text_len);
/* Store the signed note of the tree that ends with this row. */
must_check signet_err db_put_checkpoint(struct db *db, uint64_t index, const char *note, size_t len);
/* Erase the text of one field, or of all (NULL). SIGNET_ERR_REQUEST_NOT_FOUND: there is none; nothing was changed. */
must_check signet_err db_erase(struct db *db, uint64_t index, const char *field);
/*
 * Move what the write-ahead log holds to the database and empty the file. SIGNET_ERR_BUSY: somebody reads old rows;
 * SIGNET_ERR_LOG_UNAVAILABLE. Does not wait.
 */
must_check signet_err db_empty_wal(struct db *db);
/* Write a row that means nothing, in a transaction of its own. */
must_check signet_err db_probe(struct db *db);

/*
 * Root of the complete subtree of 2^level leaves that is number `number` from the left, as stored.
 * SIGNET_ERR_REQUEST_NOT_FOUND: no such row; SIGNET_ERR_IO: it has no such hash; SIGNET_ERR_LOG_UNAVAILABLE.
 */
must_check signet_err db_node(struct db *db, unsigned level, uint64_t number, uint8_t out[TLOG_HASH]);
/* How many rows there are. */
must_check signet_err db_size(struct db *db, uint64_t *size);

/* For the few statements that run once: step's result as an error. *row: there is one. */
must_check signet_err db_step(struct db *db, sqlite3_stmt *s, bool *row);
must_check signet_err db_prepare(struct db *db, const char *sql, sqlite3_stmt **out);
must_check signet_err db_exec(struct db *db, const char *sql);

#endif
