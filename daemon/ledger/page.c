/*
 * Reading pages. A page ends at its limit of rows, at its limit of bytes, or at
 * the end of the log; it goes on from where its last slice stopped.
 *
 * Invariant: a row is handed out only if its bytes are those that were hashed,
 * or marked where rows were asked for as they are. Otherwise one that is not
 * ends the page before it, and is an error where it is the first.
 */
#include "ledger/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "ledger/filter.h"
#include "ledger/query.h"
#include <signet/log.h>

enum { ROW_MAX = 2 << 20, RENDERED_MAX = 16 << 20, LOOK_AT_CLOCK = 64 };

struct page {
	struct filter filter;
	uint64_t at; /* the next row to look at */
	size_t limit, count, bytes;
	struct ledger_row rows[PAGE_ROWS];
	struct buf blocks[PAGE_ROWS]; /* what the rows point to */
	struct buf texts[PAGE_ROWS];  /* what was rendered */
};

struct page *
page_new(const struct ledger_query *q)
{
	struct page *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	filter_init(&p->filter, q->filter);
	p->at = q->from;
	p->limit = q->limit < 1 ? 1 : q->limit > PAGE_ROWS ? PAGE_ROWS : (size_t)q->limit;
	return p;
}

static void
free_row(struct page *p, size_t i)
{
	buf_done(&p->blocks[i]);
	buf_done(&p->texts[i]);
}

void
page_free(struct page *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->count; i++)
		free_row(p, i);
	free(p);
}

/* Where parts of a row lie in its block while that may still move. */
struct places {
	size_t entry, subtrees, checkpoint;
	struct {
		size_t field, text;
		bool erased;
	} openings[LEDGER_OPENINGS_MAX];
};

static size_t
put(struct buf *b, const void *bytes, size_t len)
{
	size_t at = b->len;

	if (len > 0)
		buf_put(b, bytes, len);
	return at;
}

static size_t
put_column(struct buf *b, sqlite3_stmt *row, int column, size_t *len)
{
	const void *bytes = sqlite3_column_blob(row, column);

	*len = (size_t)sqlite3_column_bytes(row, column);
	return put(b, bytes, *len);
}

static signet_err
copy_openings(struct db *db, struct ledger_row *out, struct places *at, struct buf *b)
{
	sqlite3_stmt *row = db->statement[DB_OPENINGS];
	bool found = false;
	size_t len;
	signet_err err;

	sqlite3_bind_int64(row, 1, (int64_t)out->index);
	while ((err = db_step(db, row, &found)) == SIGNET_OK && found &&
	       out->opening_count < LEDGER_OPENINGS_MAX) {
		size_t i = out->opening_count++;

		at->openings[i].field = put_column(b, row, 0, &len);
		buf_chr(b, '\0');
		at->openings[i].erased =
		    sqlite3_column_type(row, 2) == SQLITE_NULL || sqlite3_column_bytes(row, 1) != LEDGER_HASH;
		if (at->openings[i].erased)
			continue;
		memcpy(out->openings[i].salt, sqlite3_column_blob(row, 1), LEDGER_HASH);
		at->openings[i].text = put_column(b, row, 2, &len);
		buf_chr(b, '\0');
	}
	sqlite3_reset(row);
	return err;
}

static void
point(struct ledger_row *out, const struct places *at, const struct buf *b)
{
	const char *text = (const char *)b->data;

	out->entry = b->data + at->entry;
	out->subtrees = b->data + at->subtrees;
	out->checkpoint = text + at->checkpoint;
	for (size_t i = 0; i < out->opening_count; i++) {
		out->openings[i].field = text + at->openings[i].field;
		out->openings[i].text = at->openings[i].erased ? NULL : text + at->openings[i].text;
	}
}

static signet_err
copy_row(struct db *db, sqlite3_stmt *row, bool titles, struct ledger_row *out, struct buf *b)
{
	struct places at = {0};
	signet_err err = SIGNET_OK;

	memset(out, 0, sizeof(*out));
	buf_init(b, ROW_MAX);
	out->index = (uint64_t)sqlite3_column_int64(row, 0);
	at.entry = put_column(b, row, 1, &out->entry_len);
	out->leaf_len = (size_t)sqlite3_column_bytes(row, 2);
	if (out->leaf_len > LEDGER_HASH)
		out->leaf_len = 0; /* whatever it is, it is no hash */
	if (out->leaf_len > 0)
		memcpy(out->leaf, sqlite3_column_blob(row, 2), out->leaf_len);
	at.subtrees = put_column(b, row, 3, &out->subtrees_len);
	at.checkpoint = put_column(b, row, 4, &out->checkpoint_len);
	if (titles)
		err = copy_openings(db, out, &at, b);
	if (err == SIGNET_OK && b->failed)
		err = SIGNET_ERR_MEMORY;
	if (err != SIGNET_OK)
		buf_done(b);
	else
		point(out, &at, b);
	return err;
}

static bool
is_as_hashed(sqlite3_stmt *row)
{
	uint8_t leaf[TLOG_HASH];

	tlog_leaf(leaf, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
	return sqlite3_column_bytes(row, 2) == TLOG_HASH &&
	       memcmp(sqlite3_column_blob(row, 2), leaf, TLOG_HASH) == 0;
}

static void
finish(struct page *p, struct ledger_query *q)
{
	q->rows = p->rows;
	q->row_count = p->count;
	q->next_from = p->at;
}

/* The row that is about to be added. */
static signet_err
render(struct page *p, const struct ledger_query *q, struct ledger_row *row)
{
	struct buf *text = &p->texts[p->count];

	buf_init(text, RENDERED_MAX);
	if (q->render == NULL)
		return SIGNET_OK;
	q->render(q, row, text);
	if (text->failed) {
		free_row(p, p->count);
		return SIGNET_ERR_MEMORY;
	}
	row->text = text->data;
	row->text_len = text->len;
	return SIGNET_OK;
}

static size_t
row_bytes(const struct page *p)
{
	return p->blocks[p->count].len + p->texts[p->count].len;
}

/* True: the page is done, before this row or with an error. */
static bool
take(struct page *p, struct ledger_query *q, struct db *db, sqlite3_stmt *row)
{
	struct ledger_row *out = &p->rows[p->count];
	uint64_t index = (uint64_t)sqlite3_column_int64(row, 0);
	bool as_hashed = is_as_hashed(row);
	signet_err err;

	if (!as_hashed && !q->raw) {
		if (p->count > 0)
			return true;
		q->err = SIGNET_ERR_IO;
		snprintf(q->why, sizeof(q->why),
		    "entry %llu is not the one that was hashed: run `signetctl log verify`",
		    (unsigned long long)index);
		return true;
	}
	err = copy_row(db, row, q->titles, out, &p->blocks[p->count]);
	out->as_hashed = as_hashed;
	if (err == SIGNET_OK)
		err = render(p, q, out);
	if (err != SIGNET_OK) {
		query_fail_db(q, db);
		if (err == SIGNET_ERR_MEMORY)
			snprintf(q->why, sizeof(q->why), "not enough memory");
		return true;
	}
	if (p->count > 0 && p->bytes + row_bytes(p) > PAGE_BYTES) {
		free_row(p, p->count);
		return true;
	}
	p->bytes += row_bytes(p);
	p->count++;
	p->at = index + 1;
	return p->count == p->limit;
}

enum scanned { SCAN_PAGE_DONE, SCAN_TIME_OVER, SCAN_RANGE_DONE };

/* Look at row after row before `end`. */
static enum scanned
scan_rows(struct page *p, struct ledger_query *q, struct db *db, uint64_t end, uint64_t until)
{
	sqlite3_stmt *row = db->statement[DB_RANGE];
	unsigned looked = 0;
	bool found = false;
	signet_err err;

	sqlite3_bind_int64(row, 1, (int64_t)p->at);
	while ((err = db_step(db, row, &found)) == SIGNET_OK && found &&
	       (uint64_t)sqlite3_column_int64(row, 0) < end) {
		if (filter_passes(
			&p->filter, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1))) {
			if (take(p, q, db, row))
				return SCAN_PAGE_DONE;
		} else {
			p->at = (uint64_t)sqlite3_column_int64(row, 0) + 1;
		}
		if (p->at >= end)
			return SCAN_RANGE_DONE;
		if (++looked % LOOK_AT_CLOCK == 0 && uv_hrtime() >= until)
			return SCAN_TIME_OVER;
	}
	if (err != SIGNET_OK)
		query_fail_db(q, db);
	if (err != SIGNET_OK || !found) {
		q->at_end = err == SIGNET_OK;
		return SCAN_PAGE_DONE;
	}
	p->at = end; /* rows are missing there */
	return SCAN_RANGE_DONE;
}

static enum scanned
scan(struct page *p, struct ledger_query *q, struct db *db, uint64_t end, uint64_t until)
{
	enum scanned how = scan_rows(p, q, db, end, until);

	sqlite3_reset(db->statement[DB_RANGE]);
	return how;
}

/* What the index knows is skipped; where it ends, every row is looked at. */
static bool
collect(struct page *p, struct ledger_query *q, struct db *db, struct search *search, uint64_t until)
{
	do {
		struct search_range r = {.from = p->at};
		uint64_t end = UINT64_MAX;
		enum scanned how;

		if (search_find(search, &p->filter, &r, until)) {
			p->at = r.from;
			end = r.until;
			if (r.from == r.until)
				continue;
		}
		how = scan(p, q, db, end, until);
		if (how == SCAN_PAGE_DONE)
			return true;
	} while (uv_hrtime() < until);
	return false;
}

bool
page_step(struct page *p, struct ledger_query *q, struct db *db, struct search *search, uint64_t until)
{
	bool done = true;

	if (p->at > INT64_MAX)
		q->at_end = true;
	else
		done = collect(p, q, db, search, until);
	if (done)
		finish(p, q);
	return done;
}
