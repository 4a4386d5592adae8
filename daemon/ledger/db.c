/*
 * SQLite as the log uses it: WAL, every commit synced, statements prepared
 * once. A failure never leaves a transaction open: the caller rolls back.
 *
 * Invariant: a statement is reset before its function returns, so that no read
 * transaction is left behind to hold a checkpoint up [sqlite.org/wal.html, 6].
 */
#include "ledger/db.h"

#include <assert.h>
#include <string.h>

static const char *const sql[DB_STATEMENTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_PUT_ENTRY] = "INSERT INTO entry (idx, bytes, leaf, subtrees, kept) VALUES (?1, ?2, ?3, ?4, ?5)",
    [DB_PUT_CLAIM] = "INSERT INTO claim (id, kind, body, openings, kept) VALUES (?1, ?2, ?3, ?4, ?5)",
    [DB_DROP_CLAIM] = "DELETE FROM claim WHERE id = ?1",
    [DB_PUT_TRIED] = ("INSERT OR REPLACE INTO tried (serial, source, pending, failures, last_us) "
		      "VALUES (?1, ?2, ?3, ?4, ?5)"),
    [DB_DROP_TRIED] = "DELETE FROM tried WHERE serial = ?1 AND source = ?2",
    [DB_PUT_OPENING] = "INSERT INTO opening (idx, field, salt, text) VALUES (?1, ?2, ?3, ?4)",
    [DB_PUT_PROBE] = "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', random())",
    [DB_PUT_CHECKPOINT] = "UPDATE entry SET checkpoint = ?2 WHERE idx = ?1",
    [DB_ERASE] = ("UPDATE opening SET salt = NULL, text = NULL "
		  "WHERE idx = ?1 AND (?2 IS NULL OR field = ?2) AND text IS NOT NULL"),
    [DB_NODE] = "SELECT leaf, subtrees FROM entry WHERE idx = ?1",
    [DB_SIZE] = "SELECT idx FROM entry ORDER BY idx DESC LIMIT 1",
    [DB_RANGE] = "SELECT idx, bytes, leaf, subtrees, checkpoint FROM entry WHERE idx >= ?1 ORDER BY idx",
    [DB_OPENINGS] = "SELECT field, salt, text FROM opening WHERE idx = ?1 ORDER BY field",
    [DB_ROW] = "SELECT bytes, leaf, kept FROM entry WHERE idx = ?1",
    [DB_EACH_KEPT] = "SELECT idx, kept FROM entry WHERE idx >= ?1 AND kept IS NOT NULL ORDER BY idx",
    [DB_EACH_TRIED] = "SELECT serial, source, pending, failures, last_us FROM tried",
};

/* Remember the failure: a rollback would overwrite what SQLite knows of it. */
static signet_err
failed(struct db *db, int code)
{
	db->code = code;
	db->system_errno = sqlite3_system_errno(db->handle);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

signet_err
db_prepare(struct db *db, const char *text, sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return rc == SQLITE_OK ? SIGNET_OK : failed(db, rc);
}

signet_err
db_exec(struct db *db, const char *text)
{
	int rc = sqlite3_exec(db->handle, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? SIGNET_OK : failed(db, rc);
}

signet_err
db_step(struct db *db, sqlite3_stmt *s, bool *row)
{
	int rc = sqlite3_step(s);

	*row = rc == SQLITE_ROW;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SIGNET_OK : failed(db, rc);
}

void
db_close(struct db *db)
{
	for (size_t i = 0; i < DB_STATEMENTS; i++)
		sqlite3_finalize(db->statement[i]);
	memset(db->statement, 0, sizeof(db->statement));
	int rc = sqlite3_close(db->handle);
	assert(rc == SQLITE_OK); /* SQLITE_BUSY: a statement was forgotten */
	db->handle = NULL;
}

/* Bindings fail only for want of memory or a wrong number; the first failure counts. */
static void
bind_blob(sqlite3_stmt *s, int at, const void *bytes, size_t len, int *rc)
{
	int got = len > 0 ? sqlite3_bind_blob64(s, at, bytes, len, SQLITE_STATIC) : sqlite3_bind_null(s, at);

	if (*rc == SQLITE_OK)
		*rc = got;
}

static void
bind_text(sqlite3_stmt *s, int at, const char *text, size_t len, int *rc)
{
	int got = sqlite3_bind_text64(s, at, text, len, SQLITE_STATIC, SQLITE_UTF8);

	if (*rc == SQLITE_OK)
		*rc = got;
}

static void
bind_int(sqlite3_stmt *s, int at, int64_t v, int *rc)
{
	int got = sqlite3_bind_int64(s, at, v);

	if (*rc == SQLITE_OK)
		*rc = got;
}

/* Run a statement that yields no rows. */
static signet_err
run(struct db *db, enum db_statement which, int rc)
{
	sqlite3_stmt *s = db->statement[which];

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_DONE) {
		signet_err err = failed(db, rc);

		sqlite3_reset(s);
		return err;
	}
	rc = sqlite3_reset(s);
	return rc == SQLITE_OK ? SIGNET_OK : failed(db, rc);
}

signet_err
db_begin(struct db *db)
{
	return run(db, DB_BEGIN, SQLITE_OK);
}

signet_err
db_commit(struct db *db)
{
	return run(db, DB_COMMIT, SQLITE_OK);
}

void
db_rollback(struct db *db)
{
	int code = db->code, system_errno = db->system_errno;

	/* SQLite has rolled back by itself after some errors: then there is nothing to end */
	if (!sqlite3_get_autocommit(db->handle))
		(void)run(db, DB_ROLLBACK, SQLITE_OK);
	db->code = code;
	db->system_errno = system_errno;
}

signet_err
db_put_entry(struct db *db, const struct db_entry *e)
{
	sqlite3_stmt *s = db->statement[DB_PUT_ENTRY];
	int rc = SQLITE_OK;

	bind_int(s, 1, (int64_t)e->index, &rc);
	bind_blob(s, 2, e->bytes->data, e->bytes->len, &rc);
	bind_blob(s, 3, e->leaf, TLOG_HASH, &rc);
	bind_blob(s, 4, e->subtrees, e->subtree_count * (size_t)TLOG_HASH, &rc);
	bind_blob(s, 5, e->kept, e->kept_len, &rc);
	return run(db, DB_PUT_ENTRY, rc);
}

signet_err
db_put_claim(struct db *db, const struct db_claim *c)
{
	sqlite3_stmt *s = db->statement[DB_PUT_CLAIM];
	int rc = SQLITE_OK;

	bind_int(s, 1, (int64_t)c->id, &rc);
	bind_text(s, 2, c->kind, strlen(c->kind), &rc);
	if (c->body_len > 0)
		bind_blob(s, 3, c->body, c->body_len, &rc);
	else
		rc = sqlite3_bind_zeroblob(s, 3, 0);
	bind_blob(s, 4, c->openings, c->openings_len, &rc);
	bind_blob(s, 5, c->kept, c->kept_len, &rc);
	return run(db, DB_PUT_CLAIM, rc);
}

signet_err
db_drop_claim(struct db *db, uint64_t id)
{
	int rc = SQLITE_OK;
	signet_err err;

	bind_int(db->statement[DB_DROP_CLAIM], 1, (int64_t)id, &rc);
	err = run(db, DB_DROP_CLAIM, rc);
	if (err == SIGNET_OK && sqlite3_changes(db->handle) == 0)
		err = SIGNET_ERR_ARGUMENT;
	return err;
}

signet_err
db_put_tried(struct db *db, const struct ledger_tried *t)
{
	bool drop = t->failures == 0 && !t->pending;
	enum db_statement which = drop ? DB_DROP_TRIED : DB_PUT_TRIED;
	sqlite3_stmt *s = db->statement[which];
	int rc = SQLITE_OK;

	bind_text(s, 1, t->serial, strnlen(t->serial, sizeof(t->serial)), &rc);
	bind_text(s, 2, t->source, strnlen(t->source, sizeof(t->source)), &rc);
	if (!drop) {
		bind_int(s, 3, t->pending, &rc);
		bind_int(s, 4, t->failures, &rc);
		bind_int(s, 5, t->last_us, &rc);
	}
	return run(db, which, rc);
}

signet_err
db_put_opening(struct db *db, uint64_t index, const char *field, size_t field_len,
    const uint8_t salt[LEDGER_HASH], const void *text, size_t text_len)
{
	sqlite3_stmt *s = db->statement[DB_PUT_OPENING];
	int rc = SQLITE_OK;

	bind_int(s, 1, (int64_t)index, &rc);
	bind_text(s, 2, field, field_len, &rc);
	bind_blob(s, 3, salt, LEDGER_HASH, &rc);
	if (text_len > 0)
		bind_blob(s, 4, text, text_len, &rc);
	else if (rc == SQLITE_OK)
		rc = sqlite3_bind_zeroblob(s, 4, 0);
	return run(db, DB_PUT_OPENING, rc);
}

signet_err
db_probe(struct db *db)
{
	return run(db, DB_PUT_PROBE, SQLITE_OK);
}

signet_err
db_put_checkpoint(struct db *db, uint64_t index, const char *note, size_t len)
{
	sqlite3_stmt *s = db->statement[DB_PUT_CHECKPOINT];
	int rc = SQLITE_OK;

	bind_int(s, 1, (int64_t)index, &rc);
	bind_blob(s, 2, note, len, &rc);
	return run(db, DB_PUT_CHECKPOINT, rc);
}

signet_err
db_erase(struct db *db, uint64_t index, const char *field)
{
	sqlite3_stmt *s = db->statement[DB_ERASE];
	int rc = SQLITE_OK;
	signet_err err;

	if (index > INT64_MAX)
		return SIGNET_ERR_REQUEST_NOT_FOUND;
	bind_int(s, 1, (int64_t)index, &rc);
	if (field != NULL)
		bind_text(s, 2, field, strlen(field), &rc);
	else if (rc == SQLITE_OK)
		rc = sqlite3_bind_null(s, 2);
	err = run(db, DB_ERASE, rc);
	if (err == SIGNET_OK && sqlite3_changes(db->handle) == 0)
		err = SIGNET_ERR_REQUEST_NOT_FOUND;
	return err;
}

signet_err
db_empty_wal(struct db *db)
{
	int rc;

	sqlite3_busy_timeout(db->handle, 0);
	rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
		return SIGNET_ERR_BUSY;
	return rc == SQLITE_OK ? SIGNET_OK : failed(db, rc);
}

/* A leaf stands in its row, a larger subtree in the row of its last leaf. */
static signet_err
copy_node(sqlite3_stmt *row, unsigned level, uint8_t out[TLOG_HASH])
{
	int column = level == 0 ? 0 : 1, at = level == 0 ? 0 : (int)(level - 1) * TLOG_HASH;
	const uint8_t *hashes = sqlite3_column_blob(row, column);

	if (hashes == NULL || sqlite3_column_bytes(row, column) < at + TLOG_HASH)
		return SIGNET_ERR_IO;
	memcpy(out, hashes + at, TLOG_HASH);
	return SIGNET_OK;
}

signet_err
db_node(struct db *db, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	sqlite3_stmt *row = db->statement[DB_NODE];
	int rc = SQLITE_OK;
	bool found = false;
	signet_err err;

	if (level > 62 || number >= (uint64_t)INT64_MAX >> level)
		return SIGNET_ERR_REQUEST_NOT_FOUND;
	bind_int(row, 1, (int64_t)(((number + 1) << level) - 1), &rc);
	err = rc == SQLITE_OK ? db_step(db, row, &found) : failed(db, rc);
	if (err == SIGNET_OK)
		err = found ? copy_node(row, level, out) : SIGNET_ERR_REQUEST_NOT_FOUND;
	sqlite3_reset(row);
	return err;
}

signet_err
db_size(struct db *db, uint64_t *size)
{
	sqlite3_stmt *row = db->statement[DB_SIZE];
	bool found = false;
	signet_err err = db_step(db, row, &found);

	if (err == SIGNET_OK)
		*size = found ? (uint64_t)sqlite3_column_int64(row, 0) + 1 : 0;
	sqlite3_reset(row);
	return err;
}

const char *
db_sql(enum db_statement which)
{
	return sql[which];
}
