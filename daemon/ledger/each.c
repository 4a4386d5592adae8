/*
 * Reading what the broker keeps in memory. On a connection of its own: the
 * reader thread is already at work on the other one.
 */
#include "ledger/each.h"

#include <stdio.h>

#include "ledger/db.h"
#include "ledger/kept.h"

static signet_err
read_rows(const char *log, enum db_statement which, int64_t from,
    signet_err (*each)(void *arg, sqlite3_stmt *row), void *arg)
{
	char why[64]; /* the caller gets the code */
	struct db db;
	sqlite3_stmt *row;
	bool found;
	signet_err err;

	err = db_open_reader(&db, log, why, sizeof(why));
	if (err != SIGNET_OK)
		return err;
	row = db.statement[which];
	if (sqlite3_bind_parameter_count(row) > 0)
		sqlite3_bind_int64(row, 1, from);
	while ((err = db_step(&db, row, &found)) == SIGNET_OK && found) {
		err = each(arg, row);
		if (err != SIGNET_OK)
			break;
	}
	db_close(&db);
	return err;
}

struct kept_call {
	void (*each)(void *arg, const struct ledger_kept *kept, uint64_t index);
	void *arg;
	int64_t since;
};

static signet_err
call_kept(void *arg, sqlite3_stmt *row)
{
	const struct kept_call *e = arg;
	struct kept_row kept;
	signet_err err =
	    kept_decode(&kept, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));

	if (err == SIGNET_OK && kept.time_us >= e->since)
		e->each(e->arg, &kept.kept, (uint64_t)sqlite3_column_int64(row, 0));
	return err;
}

signet_err
each_kept(const char *log, uint64_t from, int64_t since,
    void (*each)(void *arg, const struct ledger_kept *kept, uint64_t index), void *arg)
{
	struct kept_call call = {.each = each, .arg = arg, .since = since};

	return read_rows(log, DB_EACH_KEPT, (int64_t)from, call_kept, &call);
}

static void
copy_text(char *to, size_t size, const unsigned char *from)
{
	snprintf(to, size, "%s", from == NULL ? "" : (const char *)from);
}

struct tried_call {
	void (*each)(void *arg, const struct ledger_tried *tried);
	void *arg;
};

static signet_err
call_tried(void *arg, sqlite3_stmt *row)
{
	const struct tried_call *e = arg;
	struct ledger_tried t = {.set = true};

	copy_text(t.serial, sizeof(t.serial), sqlite3_column_text(row, 0));
	copy_text(t.source, sizeof(t.source), sqlite3_column_text(row, 1));
	t.pending = sqlite3_column_int(row, 2) != 0;
	t.failures = (unsigned)sqlite3_column_int(row, 3);
	t.last_us = sqlite3_column_int64(row, 4);
	e->each(e->arg, &t);
	return SIGNET_OK;
}

signet_err
each_tried(const char *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg)
{
	struct tried_call call = {.each = each, .arg = arg};

	return read_rows(log, DB_EACH_TRIED, 0, call_tried, &call);
}
