/*
 * An index of values. For each member that filters may name, search.db has
 * (segment, hash of member and value, place in the segment); and for every 256
 * entries the span of their times. Segments keep what is written together
 * small enough for the cache: one large index would cost a random page of disk
 * for each value.
 *
 * Invariant: for every entry before `next` all its terms are there. So a search
 * that uses the file skips only what cannot pass; whether a row passes is
 * judged by the row. Hashes may collide: that costs a look, never an answer.
 */
#include "ledger/search.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/tlog.h"

enum {
	FORMAT = 1,
	SEGMENT_BITS = 14,
	SPAN_BITS = 8,
	SAVE_ROWS = 1 << SEGMENT_BITS, /* a crash costs indexing these again */
	LOOK_AT_CLOCK = 16,
};

static const char name[] = "search.db";

static const char tables[] =
    "CREATE TABLE term (seg INTEGER NOT NULL, hash INTEGER NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY (seg, hash, at)) WITHOUT ROWID;"
    "CREATE TABLE span (block INTEGER PRIMARY KEY, first TEXT NOT NULL, last TEXT NOT NULL);"
    /* what is indexed: rows, and the leaf hashes of the first and the last of them */
    "CREATE TABLE mark (id INTEGER PRIMARY KEY, format INTEGER NOT NULL, next INTEGER NOT NULL,"
    " first BLOB NOT NULL, last BLOB NOT NULL);";

static const char *const sql[SEARCH_STATEMENTS] = {
    [SEARCH_PUT_TERM] = "INSERT OR IGNORE INTO term (seg, hash, at) VALUES (?1, ?2, ?3)",
    [SEARCH_PUT_SPAN] =
	("INSERT INTO span (block, first, last) VALUES (?1, ?2, ?2) ON CONFLICT (block) DO UPDATE "
	 "SET first = min(first, excluded.first), last = max(last, excluded.last)"),
    [SEARCH_PUT_MARK] =
	"INSERT OR REPLACE INTO mark (id, format, next, first, last) VALUES (0, ?1, ?2, ?3, ?4)",
    [SEARCH_FIND_TERM] = "SELECT at FROM term WHERE seg = ?1 AND hash = ?2 AND at >= ?3 LIMIT 1",
    [SEARCH_FIND_SPAN] =
	("SELECT block FROM span WHERE block >= ?1 AND last >= ?2 AND (?3 = '' OR first < ?3) "
	 "ORDER BY block LIMIT 1"),
};

signet_err
search_init(struct search *s, const char *log)
{
	const char *slash = strrchr(log, '/');
	size_t dir = slash == NULL ? 0 : (size_t)(slash - log) + 1, size = dir + sizeof(name);

	memset(s, 0, sizeof(*s));
	s->path = malloc(size);
	if (s->path == NULL)
		return SIGNET_ERR_MEMORY;
	memcpy(s->path, log, dir);
	memcpy(s->path + dir, name, sizeof(name));
	return SIGNET_OK;
}

static void
close_file(struct search *s)
{
	for (size_t i = 0; i < SEARCH_STATEMENTS; i++)
		sqlite3_finalize(s->statement[i]);
	memset(s->statement, 0, sizeof(s->statement));
	int rc = sqlite3_close(s->handle);
	assert(rc == SQLITE_OK);
	s->handle = NULL;
	s->next = s->saved = 0;
}

void
search_done(struct search *s)
{
	if (s->handle != NULL) {
		search_save(s);
		close_file(s);
	}
	free(s->path);
	s->path = NULL;
}

static bool
exec(struct search *s, const char *text)
{
	return sqlite3_exec(s->handle, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* Run a statement that yields no rows. */
static bool
run(struct search *s, enum search_statement which)
{
	int rc = sqlite3_step(s->statement[which]);

	return sqlite3_reset(s->statement[which]) == SQLITE_OK && rc == SQLITE_DONE;
}

/* Opening */

static void
remove_file(const struct search *s)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char path[4200];

	for (size_t i = 0; i < array_len(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", s->path, ends[i]);
		(void)unlink(path); /* what could not be removed cannot be opened as a new one either */
	}
}

/* SQLite makes its files readable by others. */
static bool
create_private(const struct search *s)
{
	int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* One connection, this one: then it needs no shared memory. A crash of the machine may cost the last saves only. */
static bool
open_handle(struct search *s)
{
	return create_private(s) &&
	       sqlite3_open_v2(s->path, &s->handle,
		   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
		       SQLITE_OPEN_NOFOLLOW,
		   NULL) == SQLITE_OK &&
	       sqlite3_db_config(s->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
	       sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
	       exec(s, "PRAGMA locking_mode = EXCLUSIVE") && exec(s, "PRAGMA journal_mode = WAL") &&
	       exec(s, "PRAGMA synchronous = NORMAL") && exec(s, "PRAGMA cache_size = -4096");
}

static bool
prepare(struct search *s)
{
	for (size_t i = 0; i < SEARCH_STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i],
			NULL) != SQLITE_OK)
			return false;
	return true;
}

/* Is this hash that of the log's row? */
static bool
is_leaf(struct db *log, uint64_t index, sqlite3_stmt *row, int column)
{
	uint8_t leaf[LEDGER_HASH];

	return db_node(log, 0, index, leaf) == SIGNET_OK &&
	       sqlite3_column_bytes(row, column) == LEDGER_HASH &&
	       memcmp(sqlite3_column_blob(row, column), leaf, sizeof(leaf)) == 0;
}

static bool
read_mark(struct search *s, struct db *log)
{
	sqlite3_stmt *row;
	bool ok = false;

	if (sqlite3_prepare_v2(s->handle, "SELECT format, next, first, last FROM mark", -1, &row, NULL) !=
	    SQLITE_OK)
		return false;
	if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int(row, 0) == FORMAT &&
	    sqlite3_column_int64(row, 1) > 0) {
		s->next = s->saved = (uint64_t)sqlite3_column_int64(row, 1);
		ok = is_leaf(log, 0, row, 2) && is_leaf(log, s->next - 1, row, 3);
		if (ok)
			memcpy(s->leaf, sqlite3_column_blob(row, 3), LEDGER_HASH);
	}
	sqlite3_finalize(row);
	return ok;
}

static bool
open_file(struct search *s, struct db *log)
{
	if (open_handle(s) && read_mark(s, log) && prepare(s))
		return true;
	close_file(s);
	remove_file(s);
	if (open_handle(s) && exec(s, tables) && prepare(s))
		return true;
	close_file(s);
	return false;
}

/* Indexing */

static int64_t
hash_term(const char *member, const char *value)
{
	char text[FILTER_VALUE + 32];
	uint8_t hash[TLOG_HASH];
	int n = snprintf(text, sizeof(text), "%s=%s", member, value);
	int64_t h = 0;

	assert(n > 0 && n < (int)sizeof(text));
	tlog_leaf(hash, text, (size_t)n);
	for (int i = 0; i < 6; i++) /* short: it is stored eleven times for each entry */
		h = h << 8 | hash[i];
	return h;
}

static bool
put_term(struct search *s, uint64_t index, int64_t hash)
{
	sqlite3_stmt *st = s->statement[SEARCH_PUT_TERM];

	return sqlite3_bind_int64(st, 1, (int64_t)(index >> SEGMENT_BITS)) == SQLITE_OK &&
	       sqlite3_bind_int64(st, 2, hash) == SQLITE_OK &&
	       sqlite3_bind_int64(st, 3, (int64_t)(index & ((1 << SEGMENT_BITS) - 1))) == SQLITE_OK &&
	       run(s, SEARCH_PUT_TERM);
}

static bool
put_terms(struct search *s, uint64_t index, const void *bytes, size_t len)
{
	owned(json_decrefp) json_t *entry = NULL;
	char value[FILTER_VALUE];

	if (json_read(&entry, bytes, len, NULL) != SIGNET_OK)
		return true; /* no filter lets it pass */
	for (unsigned i = 0; i < filter_member_count; i++)
		if (filter_value(entry, &filter_members[i], value) &&
		    !put_term(s, index, hash_term(filter_members[i].name, value)))
			return false;
	return true;
}

static bool
put_time(struct search *s, uint64_t index, const void *bytes, size_t len)
{
	sqlite3_stmt *st = s->statement[SEARCH_PUT_SPAN];
	char time[ENTRY_TIME];

	if (!entry_time_of(bytes, len, time))
		return true;
	return sqlite3_bind_int64(st, 1, (int64_t)(index >> SPAN_BITS)) == SQLITE_OK &&
	       sqlite3_bind_text(st, 2, time, -1, SQLITE_TRANSIENT) == SQLITE_OK && run(s, SEARCH_PUT_SPAN);
}

/* What is missing in the log, or is not what was hashed, is not indexed; nor is what comes after it. */
static bool
is_sound(const struct search *s, sqlite3_stmt *row)
{
	uint8_t leaf[TLOG_HASH];

	tlog_leaf(leaf, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
	return (uint64_t)sqlite3_column_int64(row, 0) == s->next &&
	       sqlite3_column_bytes(row, 2) == LEDGER_HASH &&
	       memcmp(sqlite3_column_blob(row, 2), leaf, sizeof(leaf)) == 0;
}

static bool
put_row(struct search *s, sqlite3_stmt *row)
{
	const void *bytes = sqlite3_column_blob(row, 1);
	size_t len = (size_t)sqlite3_column_bytes(row, 1);

	if (!put_terms(s, s->next, bytes, len) || !put_time(s, s->next, bytes, len))
		return false;
	memcpy(s->leaf, sqlite3_column_blob(row, 2), LEDGER_HASH);
	s->next++;
	return true;
}

static bool
put_rows(struct search *s, struct db *log, uint64_t until, bool *more)
{
	sqlite3_stmt *row = log->statement[DB_RANGE];
	bool ok = true, found = false;

	*more = true;
	sqlite3_bind_int64(row, 1, (int64_t)s->next);
	do {
		ok = db_step(log, row, &found) == SIGNET_OK;
		found = ok && found && is_sound(s, row);
		if (!found)
			break;
		ok = put_row(s, row);
	} while (
	    ok && (s->next % LOOK_AT_CLOCK != 0 || uv_hrtime() < until) && s->next - s->saved < SAVE_ROWS);
	*more = found;
	sqlite3_reset(row);
	return ok;
}

static bool
put_mark(struct search *s, const uint8_t first[LEDGER_HASH])
{
	sqlite3_stmt *st = s->statement[SEARCH_PUT_MARK];

	return sqlite3_bind_int(st, 1, FORMAT) == SQLITE_OK &&
	       sqlite3_bind_int64(st, 2, (int64_t)s->next) == SQLITE_OK &&
	       sqlite3_bind_blob(st, 3, first, LEDGER_HASH, SQLITE_STATIC) == SQLITE_OK &&
	       sqlite3_bind_blob(st, 4, s->leaf, LEDGER_HASH, SQLITE_STATIC) == SQLITE_OK &&
	       run(s, SEARCH_PUT_MARK);
}

void
search_save(struct search *s)
{
	if (s->handle == NULL || sqlite3_get_autocommit(s->handle))
		return;
	if (exec(s, "COMMIT"))
		s->saved = s->next;
	else
		s->failed = true;
	sqlite3_db_release_memory(s->handle);
}

static bool
step(struct search *s, struct db *log, uint64_t until, bool *more)
{
	uint8_t first[LEDGER_HASH];

	if (s->handle == NULL && !open_file(s, log))
		return false;
	if (sqlite3_get_autocommit(s->handle) && !exec(s, "BEGIN"))
		return false;
	if (!put_rows(s, log, until, more) || (s->next > 0 && db_node(log, 0, 0, first) != SIGNET_OK) ||
	    (s->next > s->saved && !put_mark(s, first)))
		return false;
	if (s->next - s->saved >= SAVE_ROWS)
		search_save(s);
	return !s->failed;
}

bool
search_step(struct search *s, struct db *log, uint64_t until)
{
	bool more = false;

	if (s->failed && s->handle != NULL) { /* while something was looked up in it */
		close_file(s);
		remove_file(s);
	}
	s->failed = false;
	if (step(s, log, until, &more))
		return more;
	s->failed = true;
	if (s->handle != NULL) {
		if (!sqlite3_get_autocommit(s->handle))
			(void)exec(s, "ROLLBACK"); /* the file is thrown away */
		close_file(s);
	}
	return false;
}

/* Finding */

/* The first entry from *at on that may have this value; *at is `next` if there is none. False: the file failed. */
static bool
find_term(struct search *s, int64_t hash, uint64_t *at, uint64_t until)
{
	sqlite3_stmt *row = s->statement[SEARCH_FIND_TERM];
	const uint64_t mask = (1 << SEGMENT_BITS) - 1;
	int rc = SQLITE_DONE;

	while (*at < s->next) {
		sqlite3_bind_int64(row, 1, (int64_t)(*at >> SEGMENT_BITS));
		sqlite3_bind_int64(row, 2, hash);
		sqlite3_bind_int64(row, 3, (int64_t)(*at & mask));
		rc = sqlite3_step(row);
		if (rc == SQLITE_ROW)
			*at = (*at & ~mask) | ((uint64_t)sqlite3_column_int64(row, 0) & mask);
		sqlite3_reset(row);
		if (rc != SQLITE_DONE)
			return rc == SQLITE_ROW;
		*at = (*at | mask) + 1;
		if (uv_hrtime() >= until)
			return true;
	}
	*at = s->next;
	return true;
}

/* The first entry from *at on in a block whose times meet the filter's. As above. */
static bool
find_time(struct search *s, const struct filter *f, uint64_t *at)
{
	sqlite3_stmt *row = s->statement[SEARCH_FIND_SPAN];
	uint64_t block;
	int rc;

	sqlite3_bind_int64(row, 1, (int64_t)(*at >> SPAN_BITS));
	sqlite3_bind_text(row, 2, f->from, -1, SQLITE_STATIC);
	sqlite3_bind_text(row, 3, f->until, -1, SQLITE_STATIC);
	rc = sqlite3_step(row);
	block = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
	sqlite3_reset(row);
	if (rc == SQLITE_DONE)
		*at = s->next;
	else if (rc == SQLITE_ROW && block << SPAN_BITS > *at)
		*at = block << SPAN_BITS;
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Let each condition push the place on until none does. */
static bool
find(struct search *s, const struct filter *f, uint64_t *at, uint64_t until)
{
	bool timed = f->from[0] != '\0' || f->until[0] != '\0';
	int64_t hash[FILTER_TERMS];
	uint64_t before;

	for (unsigned i = 0; i < f->count; i++)
		hash[i] = hash_term(f->terms[i].member->name, f->terms[i].value);
	do {
		before = *at;
		for (unsigned i = 0; i < f->count; i++)
			if (!find_term(s, hash[i], at, until))
				return false;
		if (timed && *at < s->next && !find_time(s, f, at))
			return false;
	} while (*at != before && *at < s->next && uv_hrtime() < until);
	return true;
}

bool
search_find(struct search *s, const struct filter *f, struct search_range *r, uint64_t until)
{
	bool timed = f->from[0] != '\0' || f->until[0] != '\0';
	uint64_t at = r->from;

	if (s->handle == NULL || r->from >= s->next || (f->count == 0 && !timed))
		return false;
	if (!find(s, f, &at, until)) {
		s->failed = true;
		return false;
	}
	if (at > s->next)
		at = s->next;
	r->from = r->until = at;
	if (at == s->next || uv_hrtime() >= until)
		return true;
	r->until = f->count > 0 ? at + 1 : (at | ((1 << SPAN_BITS) - 1)) + 1;
	if (r->until > s->next)
		r->until = s->next;
	return true;
}
