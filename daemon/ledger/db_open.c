/*
 * Opening log.db, and saying in one sentence why it cannot be used.
 *
 * Invariant: a file that is not a log of this or an earlier version is never
 * written to.
 */
#include "ledger/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FULL_BELOW = 1 << 20 };

/* SQLite makes its files readable by others; the log's are not. -wal and -shm take the mode of this one. */
static signet_err
create_private(const char *path, char *why, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		db_explain_errno(path, errno, FULL_BELOW, why, size);
		return SIGNET_ERR_LOG_UNAVAILABLE;
	}
	close(fd);
	return SIGNET_OK;
}

static signet_err
open_handle(struct db *db, const char *path, int flags)
{
	int rc;

	memset(db, 0, sizeof(*db));
	snprintf(db->path, sizeof(db->path), "%s", path);
	rc = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_extended_result_codes(db->handle, 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
	/* the file may have been tampered with: its schema must not run anything */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		return SIGNET_OK;
	db->code = rc;
	db->system_errno = sqlite3_system_errno(db->handle);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

static signet_err
prepare_range(struct db *db, int from, int to)
{
	signet_err err = SIGNET_OK;

	for (int i = from; i < to && err == SIGNET_OK; i++)
		err = db_prepare(db, db_sql((enum db_statement)i), &db->statement[i]);
	return err;
}

/* First column of the first row as an integer; *found is false where there is no row. */
static signet_err
query_int(struct db *db, const char *sql, int64_t *value, bool *found)
{
	sqlite3_stmt *s;
	signet_err err = db_prepare(db, sql, &s);

	if (err != SIGNET_OK)
		return err;
	err = db_step(db, s, found);
	if (*found)
		*value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return err;
}

/* From version 1: the texts of openings could not be erased. */
static const char upgrade_1[] =
    "ALTER TABLE opening RENAME TO opening_1;"
    "CREATE TABLE opening (idx INTEGER NOT NULL, field TEXT NOT NULL, salt BLOB, text BLOB,"
    " PRIMARY KEY (idx, field)) WITHOUT ROWID;"
    "INSERT INTO opening SELECT idx, field, salt, text FROM opening_1;"
    "DROP TABLE opening_1;"
    "UPDATE meta SET value = 2 WHERE key = 'schema';";

/* All of it or nothing. */
static signet_err
change_tables(struct db *db, const char *sql)
{
	signet_err err = db_exec(db, "BEGIN IMMEDIATE");

	if (err == SIGNET_OK)
		err = db_exec(db, sql);
	if (err == SIGNET_OK)
		err = db_exec(db, "COMMIT");
	if (err != SIGNET_OK && !sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static signet_err
refuse(char *why, size_t size, const char *path, const char *what)
{
	snprintf(why, size, "%s %s", path, what);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

/* Reads only: the file may be anybody's. *version 0: it has no tables. */
static signet_err
check_schema(struct db *db, int64_t *version, char *why, size_t size)
{
	int64_t tables = 0, ours = 0;
	bool found;
	signet_err err;

	why[0] = '\0';
	err = query_int(db, "SELECT count(*) FROM sqlite_schema", &tables, &found);
	if (err != SIGNET_OK)
		return err;
	*version = 0;
	if (tables == 0)
		return SIGNET_OK;
	err = query_int(db,
	    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('meta', 'entry', 'claim')",
	    &ours, &found);
	if (err != SIGNET_OK)
		return err;
	if (ours != 3)
		return refuse(why, size, db->path, "is another program's database: move it away");
	err = query_int(db, "SELECT value FROM meta WHERE key = 'schema'", version, &found);
	if (err != SIGNET_OK)
		return err;
	if (!found || *version < 1)
		return refuse(why, size, db->path, "does not say its version: restore it from a backup");
	if (*version > DB_SCHEMA)
		return refuse(why, size, db->path,
		    "was written by a newer version of Signet: install that version again");
	return SIGNET_OK;
}

static signet_err
set_modes(struct db *db, uint64_t wal_limit)
{
	char text[64];
	signet_err err = db_exec(db, "PRAGMA journal_mode = WAL");

	if (err == SIGNET_OK)
		err = db_exec(db, "PRAGMA synchronous = FULL");
	if (err == SIGNET_OK)
		err = db_exec(db, "PRAGMA cell_size_check = ON");
	/* an erased opening must be gone from the file, and so must the copy of it that lay in a claim */
	if (err == SIGNET_OK)
		err = db_exec(db, "PRAGMA secure_delete = ON");
	if (err == SIGNET_OK && wal_limit > 0) {
		snprintf(
		    text, sizeof(text), "PRAGMA journal_size_limit = %llu", (unsigned long long)wal_limit);
		err = db_exec(db, text);
	}
	return err;
}

signet_err
db_open_writer(struct db *db, const char *path, uint64_t wal_limit, char *why, size_t size)
{
	int64_t version = 0;
	signet_err err;

	memset(db, 0, sizeof(*db));
	why[0] = '\0';
	err = create_private(path, why, size);
	if (err != SIGNET_OK)
		return err;
	err = open_handle(db, path, SQLITE_OPEN_READWRITE);
	if (err == SIGNET_OK)
		err = check_schema(db, &version, why, size);
	if (err == SIGNET_OK)
		err = set_modes(db, wal_limit);
	if (err == SIGNET_OK && version == 0)
		err = change_tables(db, db_schema);
	if (err == SIGNET_OK && version == 1)
		err = change_tables(db, upgrade_1);
	if (err == SIGNET_OK)
		err = prepare_range(db, 0, DB_WRITER_STATEMENTS);
	if (err == SIGNET_OK)
		return SIGNET_OK;
	if (why[0] == '\0')
		db_explain(db, FULL_BELOW, why, size);
	db_close(db);
	return err;
}

signet_err
db_open_reader(struct db *db, const char *path, char *why, size_t size)
{
	signet_err err = open_handle(db, path, SQLITE_OPEN_READONLY);

	if (err == SIGNET_OK)
		err = db_exec(db, "PRAGMA cache_size = -512"); /* single rows: a large cache would be waste */
	if (err == SIGNET_OK)
		err = prepare_range(db, DB_READER_STATEMENTS, DB_STATEMENTS);
	if (err == SIGNET_OK)
		return SIGNET_OK;
	db_explain(db, FULL_BELOW, why, size);
	db_close(db);
	return err;
}

/* Some file systems and quotas answer a full disk with another error than ENOSPC. */
static bool
is_full(const char *path, int error)
{
	struct statvfs fs;

	if (error == ENOSPC || error == EDQUOT)
		return true;
	return error == EIO && statvfs(path, &fs) == 0 && fs.f_bavail * fs.f_frsize < FULL_BELOW;
}

/* "/var/lib/signet" of "/var/lib/signet/log.db" */
static int
dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (int)(slash - path);
}

void
db_explain_errno(const char *path, int error, uint64_t need, char *why, size_t size)
{
	unsigned long long mib = (need + (1 << 20) - 1) >> 20;

	if (is_full(path, error))
		snprintf(why, size, "the disk that holds %.*s is full: free at least %llu MiB", dir_len(path),
		    path, mib);
	else
		snprintf(why, size, "%s cannot be written (%s): check the disk and who owns the folder", path,
		    strerror(error));
}

/* The last failure as the system would have put it; 0 where it was not about files. */
static int
failure_errno(const struct db *db)
{
	switch (db->code & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return db->system_errno != 0 ? db->system_errno : EIO;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return EACCES;
	default:
		return 0;
	}
}

bool
db_is_full(const struct db *db)
{
	int error = failure_errno(db);

	return error != 0 && is_full(db->path, error);
}

void
db_explain(const struct db *db, uint64_t need, char *why, size_t size)
{
	int primary = db->code & 0xff, error = failure_errno(db);

	if (error != 0)
		db_explain_errno(db->path, error, need, why, size);
	else if (primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT)
		snprintf(why, size, "%s is damaged or not a signing log (%s): restore it from a backup",
		    db->path, sqlite3_errstr(db->code));
	else if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
		snprintf(why, size, "another program holds %s locked: close it", db->path);
	else
		snprintf(why, size, "%s cannot be used (%s)", db->path, sqlite3_errstr(db->code));
}
