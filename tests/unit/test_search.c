/* daemon/ledger/search.c, and page.c with it: what the index finds is what a reader of every row finds */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/filter.h"
#include "ledger/search.h"
#include "ledger_case.h"
#include "unit.h"

enum { ROWS = 34000, DAY_ROWS = 500 }; /* three segments of the index */

static const int64_t DAY = INT64_C(24) * 3600 * 1000000;
static const int64_t START = INT64_C(1795219200000000); /* 2026-11-21T00:00:00Z */

/* A small generator of its own: the same log in every run. */
static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

struct source {
	uint64_t random, count;
};

/* Few uids and keys, many digests, a requestId in every fifth. */
static void
random_body(void *arg, uint64_t i, char out[512])
{
	struct source *from = arg;
	uint64_t a = next_random(&from->random), b = next_random(&from->random);
	char request[48] = "";

	if (a % 5 == 0)
		snprintf(
		    request, sizeof(request), ",\"requestId\":\"r-%llu\"", (unsigned long long)(b % 3000));
	snprintf(out, 512,
	    "\"uid\":%llu,\"key\":\"k%llu\",\"token\":\"t%llu\",\"digest\":\"sha256:%08llx\",\"documentTag\":"
	    "\"%06llx\"%s,"
	    "\"outcome\":\"%s\",\"signatureHash\":\"sha256:%llx\"",
	    (unsigned long long)(1000 + a % 7), (unsigned long long)(b % 11), (unsigned long long)(b % 3),
	    (unsigned long long)(b % 5000), (unsigned long long)(a % 2000), request,
	    a % 100 == 0 ? "failed" : "ok", (unsigned long long)from->count++);
	(void)i;
}

/* Days of entries; the clock is set back now and then. */
static void
fill_days(struct ledger_case *c, uint64_t rows)
{
	struct source from = {.random = 4711};

	for (uint64_t i = 0; i < rows; i += DAY_ROWS) {
		uint64_t day = i / DAY_ROWS;

		c->now_us = START + (int64_t)(day % 10 == 9 ? day - 5 : day) * DAY;
		case_fill(c, rows - i < DAY_ROWS ? rows - i : DAY_ROWS, random_body, &from);
	}
}

static struct ledger_filter
random_filter(uint64_t *r)
{
	struct ledger_filter f = {.uid = -1};
	uint64_t what = next_random(r);

	if ((what & 3) == 0)
		f.uid = (int64_t)(1000 + next_random(r) % 8);
	if ((what >> 2 & 3) == 0)
		snprintf(f.key, sizeof(f.key), "k%llu", (unsigned long long)(next_random(r) % 12));
	if ((what >> 4 & 3) == 0)
		snprintf(
		    f.digest, sizeof(f.digest), "sha256:%08llx", (unsigned long long)(next_random(r) % 5100));
	if ((what >> 6 & 3) == 0)
		snprintf(f.outcome, sizeof(f.outcome), "%s", next_random(r) % 2 == 0 ? "failed" : "ok");
	if ((what >> 8 & 7) == 0)
		snprintf(f.request_id, sizeof(f.request_id), "r-%llu",
		    (unsigned long long)(next_random(r) % 3100));
	if ((what >> 11 & 7) == 0)
		snprintf(f.document_tag, sizeof(f.document_tag), "%06llx",
		    (unsigned long long)(next_random(r) % 2100));
	if ((what >> 14 & 7) == 0)
		snprintf(f.signature_hash, sizeof(f.signature_hash), "sha256:%llx",
		    (unsigned long long)(next_random(r) % (ROWS + 100)));
	if ((what >> 17 & 7) == 0)
		snprintf(f.kind, sizeof(f.kind), "%s", next_random(r) % 4 == 0 ? "seal" : "sign");
	if ((what >> 20 & 3) == 0)
		f.from_us = START + (int64_t)(next_random(r) % 90) * DAY;
	if ((what >> 22 & 3) == 0)
		f.until_us = START + (int64_t)(next_random(r) % 90) * DAY + 1;
	return f;
}

struct found {
	uint64_t index[ROWS + 1000];
	size_t count;
};

/* As slow as can be. */
static void
find_naively(const struct ledger_case *c, const struct ledger_filter *lf, struct found *out)
{
	char path[128], why[256];
	struct filter f;
	struct db db;
	sqlite3_stmt *row;
	bool more;

	snprintf(path, sizeof(path), "%s/log.db", c->dir);
	assert_int_equal(db_open_reader(&db, path, why, sizeof(why)), SIGNET_OK);
	filter_init(&f, lf);
	out->count = 0;
	row = db.statement[DB_RANGE];
	sqlite3_bind_int64(row, 1, 0);
	while (db_step(&db, row, &more) == SIGNET_OK && more)
		if (filter_passes(&f, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1)))
			out->index[out->count++] = (uint64_t)sqlite3_column_int64(row, 0);
	db_close(&db);
}

static void
collect(struct ledger_query *q, void *arg)
{
	struct found *out = arg;

	for (size_t i = 0; i < q->row_count; i++)
		out->index[out->count++] = q->rows[i].index;
}

/* Page by page. */
static void
find_by_pages(struct ledger_case *c, const struct ledger_filter *lf, uint64_t limit, struct found *out)
{
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = limit, .filter = lf};

	out->count = 0;
	while (!q.at_end) {
		assert_int_equal(case_query(c, &q, collect, out), SIGNET_OK);
		q.from = q.next_from;
	}
}

static void
assert_same(const struct found *a, const struct found *b)
{
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->index, b->index, a->count * sizeof(a->index[0]));
}

/* The index alone */

struct index_case {
	struct db db;
	struct search search;
};

static void
index_open(struct index_case *x, const struct ledger_case *c)
{
	char path[128], why[256];

	assert_null(c->log); /* it has an index of its own */
	snprintf(path, sizeof(path), "%s/log.db", c->dir);
	assert_int_equal(db_open_reader(&x->db, path, why, sizeof(why)), SIGNET_OK);
	assert_int_equal(search_init(&x->search, path), SIGNET_OK);
}

static void
index_all(struct index_case *x)
{
	while (search_step(&x->search, &x->db, uv_hrtime() + 1000000))
		continue;
	assert_false(x->search.failed);
}

static void
index_close(struct index_case *x)
{
	search_done(&x->search);
	db_close(&x->db);
}

static void
remove_index(const struct ledger_case *c)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/search.db", c->dir);
	(void)unlink(path);
}

/* Rows that the index lets through and that pass; *looked: how many it let through. */
static void
find_by_index(struct index_case *x, const struct ledger_filter *lf, struct found *out, size_t *looked)
{
	struct search_range r = {0};
	struct filter f;
	bool more;

	filter_init(&f, lf);
	out->count = *looked = 0;
	while (search_find(&x->search, &f, &r, UINT64_MAX)) {
		for (; r.from < r.until; r.from++, (*looked)++) {
			sqlite3_stmt *row = x->db.statement[DB_RANGE];

			sqlite3_bind_int64(row, 1, (int64_t)r.from);
			assert_int_equal(db_step(&x->db, row, &more), SIGNET_OK);
			if (filter_passes(
				&f, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1)))
				out->index[out->count++] = r.from;
			sqlite3_reset(row);
		}
	}
	assert_true(r.from == x->search.next || (f.count == 0 && f.from[0] == '\0' && f.until[0] == '\0'));
}

static bool
is_open(const struct ledger_filter *f)
{
	struct filter terms;

	filter_init(&terms, f);
	return terms.count == 0 && f->from_us == 0 && f->until_us == 0;
}

static struct found naive, by_index;

static void
index_finds_what_a_reader_of_every_row_finds(void **state)
{
	struct ledger_case *c = *state;
	uint64_t random = 1;
	struct index_case x;
	size_t looked, hits = 0;

	fill_days(c, ROWS);
	case_close(c);
	remove_index(c);
	index_open(&x, c);
	index_all(&x);
	assert_int_equal(x.search.next, ROWS);
	for (int i = 0; i < 80; i++) {
		struct ledger_filter f = random_filter(&random);

		if (is_open(&f))
			continue;
		find_naively(c, &f, &naive);
		find_by_index(&x, &f, &by_index, &looked);
		assert_same(&naive, &by_index);
		hits += naive.count > 0;
	}
	assert_true(hits > 25);
	index_close(&x);
}

static void
rare_value_is_found_without_looking_at_others(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_filter f = {.uid = -1, .signature_hash = "sha256:7b", .outcome = "ok"};
	struct ledger_filter day = {.uid = -1, .from_us = START + 3 * DAY, .until_us = START + 3 * DAY + 1};
	struct index_case x;
	size_t looked;

	fill_days(c, 5000);
	case_close(c);
	index_open(&x, c);
	index_all(&x);
	find_by_index(&x, &f, &by_index, &looked);
	assert_int_equal(by_index.count, 1);
	assert_int_equal(by_index.index[0], 123);
	assert_int_equal(looked, 1);
	find_by_index(&x, &day, &by_index, &looked);
	assert_int_equal(by_index.count, DAY_ROWS);
	assert_in_range(looked, DAY_ROWS, DAY_ROWS + 2 * 256);
	index_close(&x);
}

/* What is kept is used; what is not this log's is made again. */

static uint64_t
kept_rows(const struct ledger_case *c)
{
	struct index_case x;
	uint64_t next;

	index_open(&x, c);
	(void)search_step(&x.search, &x.db, 0); /* opens, and looks at sixteen rows at most */
	next = x.search.next;
	index_close(&x);
	return next;
}

static void
index_exec(const struct ledger_case *c, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/search.db", c->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
make_index(const struct ledger_case *c)
{
	struct index_case x;

	index_open(&x, c);
	index_all(&x);
	assert_int_equal(x.search.next, 3000);
	index_close(&x);
	assert_int_equal(kept_rows(c), 3000);
}

static void
index_of_another_state_of_the_log_is_made_again(void **state)
{
	static const char *const spoil[] = {
	    "UPDATE mark SET first = zeroblob(32)",
	    "UPDATE mark SET last = zeroblob(32)",
	    "UPDATE mark SET next = next - 1",
	    "UPDATE mark SET next = next + 1",
	    "UPDATE mark SET next = -1",
	    "UPDATE mark SET format = 0",
	    "DELETE FROM mark",
	    "DROP TABLE mark",
	    "DROP TABLE term",
	    "DROP TABLE span",
	};
	struct ledger_case *c = *state;

	fill_days(c, 3000);
	case_close(c);
	for (size_t i = 0; i < array_len(spoil); i++) {
		make_index(c);
		index_exec(c, spoil[i]);
		if (kept_rows(c) > 16)
			fail_msg("kept after: %s", spoil[i]);
	}
	make_index(c);
	remove_index(c);
	assert_in_range(kept_rows(c), 1, 16);
}

static void
file_that_is_no_index_is_made_again(void **state)
{
	struct ledger_case *c = *state;
	char path[128];
	struct stat st;
	int fd;

	fill_days(c, 3000);
	case_close(c);
	snprintf(path, sizeof(path), "%s/search.db", c->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, "this is no database at all, and long enough", 43), 43);
	close(fd);
	make_index(c);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(truncate(path, st.st_size / 2), 0);
	struct index_case x;
	index_open(&x, c);
	index_all(&x);
	struct ledger_filter f = {.uid = 1003};
	size_t looked;
	find_by_index(&x, &f, &by_index, &looked);
	if (x.search.failed) { /* found broken while it was used */
		index_all(&x);
		find_by_index(&x, &f, &by_index, &looked);
	}
	find_naively(c, &f, &naive);
	assert_same(&naive, &by_index);
	index_close(&x);
}

static void
index_goes_on_where_it_stopped(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_filter f = {.uid = 1003, .from_us = START + DAY};
	struct index_case x;
	size_t looked;

	fill_days(c, 700);
	case_close(c);
	index_open(&x, c);
	index_all(&x);
	index_close(&x);
	case_open(c);
	fill_days(c, 700);
	case_close(c);
	index_open(&x, c);
	index_all(&x);
	assert_int_equal(x.search.next, 1400);
	find_naively(c, &f, &naive);
	find_by_index(&x, &f, &by_index, &looked);
	assert_same(&naive, &by_index);
	index_close(&x);
}

static void
nothing_is_indexed_from_a_changed_row_on(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_filter f = {.uid = -1, .signature_hash = "sha256:7b"};
	struct index_case x;

	fill_days(c, 300);
	case_close(c);
	remove_index(c);
	case_exec(c, "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"ok\"', '\"no\"') AS "
		     "BLOB) WHERE idx = 100");
	index_open(&x, c);
	index_all(&x);
	assert_int_equal(x.search.next, 100);
	index_close(&x);
	case_open(c);
	find_by_pages(c, &f, 256, &by_index);
	assert_int_equal(by_index.count, 1);
	assert_int_equal(by_index.index[0], 123);
}

/* Through pages, while the index grows and after that */

static void
pages_are_the_same_while_the_index_grows(void **state)
{
	struct ledger_case *c = *state;
	uint64_t random = 2;

	fill_days(c, ROWS);
	case_close(c);
	remove_index(c);
	case_open(c);
	for (int i = 0; i < 30; i++) {
		struct ledger_filter f = random_filter(&random);

		find_naively(c, &f, &naive);
		find_by_pages(c, &f, 1 + next_random(&random) % 256, &by_index);
		assert_same(&naive, &by_index);
	}
}

static void
index_that_breaks_while_it_is_used_is_made_again(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_filter f = {.uid = 1003};
	struct index_case x;
	size_t looked;

	fill_days(c, 3000);
	case_close(c);
	index_open(&x, c);
	index_all(&x);
	/* as if its pages had been changed under it */
	assert_int_equal(sqlite3_exec(x.search.handle, "DROP TABLE term", NULL, NULL, NULL), SQLITE_OK);
	struct search_range r = {0};
	struct filter filter;
	filter_init(&filter, &f);
	assert_false(search_find(&x.search, &filter, &r, UINT64_MAX));
	assert_true(x.search.failed);
	index_all(&x);
	find_naively(c, &f, &naive);
	find_by_index(&x, &f, &by_index, &looked);
	assert_same(&naive, &by_index);
	index_close(&x);
}

static void
index_that_lies_changes_no_entry(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_filter f = {.uid = 1003};

	fill_days(c, 3000);
	case_close(c);
	make_index(c);
	/* every term points to every second row as well */
	index_exec(c,
	    "INSERT OR IGNORE INTO term SELECT seg, hash, at + 1 FROM term WHERE at % 2 = 0 AND at < 2998");
	find_naively(c, &f, &naive);
	case_open(c);
	find_by_pages(c, &f, 100, &by_index);
	assert_same(&naive, &by_index);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup_signed, case_teardown)
	    T(index_finds_what_a_reader_of_every_row_finds),
	    T(rare_value_is_found_without_looking_at_others),
	    T(index_of_another_state_of_the_log_is_made_again),
	    T(file_that_is_no_index_is_made_again),
	    T(index_goes_on_where_it_stopped),
	    T(nothing_is_indexed_from_a_changed_row_on),
	    T(pages_are_the_same_while_the_index_grows),
	    T(index_that_breaks_while_it_is_used_is_made_again),
	    T(index_that_lies_changes_no_entry),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
