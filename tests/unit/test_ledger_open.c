/* daemon/ledger/ledger.c, db_open.c, recover.c: what a log is found with, and what is refused */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/entry.h"
#include "ledger/kept.h"
#include "base/tlog.h"
#include "ledger_case.h"
#include <signet/log.h>
#include "unit.h"

static const int64_t DAY = INT64_C(24) * 3600 * 1000000;

/* Collected by the `each` functions. */
struct found {
	unsigned count;
	uint64_t index[16];
	struct ledger_kept kept[16];
	char id[16][LEDGER_REQUEST_ID_MAX + 1];
	struct ledger_tried tried[16];
};

static void
collect_kept(void *arg, const struct ledger_kept *kept, uint64_t index)
{
	struct found *f = arg;

	assert_in_range(f->count, 0, 15);
	f->index[f->count] = index;
	f->kept[f->count] = *kept;
	snprintf(f->id[f->count], sizeof(f->id[0]), "%s", kept->request_id);
	f->count++;
}

static void
collect_tried(void *arg, const struct ledger_tried *tried)
{
	struct found *f = arg;

	assert_in_range(f->count, 0, 15);
	f->tried[f->count++] = *tried;
}

static void
append_kept(struct ledger_case *c, const char *id)
{
	struct ledger_op op = case_append_op("sign", "");

	op.kept =
	    (struct ledger_kept){.uid = 7, .request_id = id, .value = (const uint8_t *)"s", .value_len = 1};
	memset(op.kept.input, 0x11, LEDGER_HASH);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
}

static void
new_log_is_empty_and_available(void **state)
{
	struct ledger_case *c = *state;
	struct stat st;
	char path[128];

	assert_int_equal(c->start.size, 0);
	assert_int_equal(c->start.recovered, 0);
	assert_true(ledger_available(c->log));
	assert_string_equal(ledger_why(c->log), "");
	snprintf(path, sizeof(path), "%s/log.reserve", c->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, CASE_RESERVE);
	assert_true(st.st_blocks * 512 >= CASE_RESERVE);
}

static void
files_are_closed_to_other_users(void **state)
{
	static const char *const names[] = {"log.db", "log.db-wal", "log.db-shm", "log.reserve", "lock"};
	struct ledger_case *c = *state;
	struct stat st;
	char path[128];

	case_append(c, "start", "");
	for (size_t i = 0; i < array_len(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", c->dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void
tree_goes_on_after_each_size(void **state)
{
	struct ledger_case *c = *state;

	for (uint64_t n = 1; n <= 40; n++) {
		assert_int_equal(case_append(c, "sign", "\"uid\":7"), n - 1);
		case_reopen(c);
		assert_int_equal(c->start.size, n);
		assert_int_equal(ledger_size(c->log), n);
	}
	case_check_rows(c, 40);
}

static void
leftover_claims_become_entries_with_outcome_unknown(void **state)
{
	struct ledger_case *c = *state;
	static const char want[] =
	    "{\"v\":1,\"kind\":\"sign\",\"time\":\"2026-11-21T19:26:41.123456Z\",\"boot\":"
	    "\"" CASE_BOOT "\",\"index\":1,\"clock\":\"synchronised\",\"uid\":8,"
	    "\"outcome\":\"unknown\"}";
	char title[] = "t";
	struct ledger_opening o = {.field = "title", .text = title};
	struct ledger_op op = case_claim_op("\"uid\":8");
	struct ledger_read r;
	struct found f = {0};

	case_append(c, "start", "");
	op.kept = (struct ledger_kept){.uid = 8, .request_id = "r-8"};
	memset(op.kept.input, 0x22, LEDGER_HASH);
	op.openings = &o;
	op.opening_count = 1;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	case_claim(c, "\"uid\":9");
	case_reopen(c);
	assert_int_equal(c->start.recovered, 2);
	assert_int_equal(c->start.size, 3);
	assert_int_equal(case_read(c, 1, &r), SIGNET_OK);
	assert_int_equal(r.entry.len, sizeof(want) - 1);
	assert_memory_equal(r.entry.data, want, r.entry.len);
	assert_true(r.unknown);
	assert_int_equal(r.uid, 8);
	assert_int_equal(r.value.len, 0);
	buf_done(&r.entry);
	buf_done(&r.value);
	assert_int_equal(case_int(c, "SELECT count(*) FROM opening WHERE idx = 1 AND field = 'title'"), 1);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 0);
	case_check_rows(c, 3);

	assert_int_equal(ledger_each_kept(c->log, collect_kept, &f), SIGNET_OK);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.index[0], 1);
	assert_true(f.kept[0].unknown);
	assert_string_equal(f.id[0], "r-8");
	assert_int_equal(f.kept[0].uid, 8);
	assert_memory_equal(f.kept[0].input, op.kept.input, LEDGER_HASH);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 0);
	assert_int_equal(c->start.size, 3);
}

static void
bindings_come_oldest_first_for_thirty_days(void **state)
{
	struct ledger_case *c = *state;
	int64_t now = c->now_us;
	struct found f = {0};

	c->now_us = now - 30 * DAY - 1;
	append_kept(c, "too old");
	c->now_us = now - 30 * DAY;
	append_kept(c, "just");
	case_append(c, "start", "");
	c->now_us = now - 30 * DAY + 1;
	append_kept(c, "younger");
	c->now_us = now + DAY; /* the clock was wrong for a while */
	append_kept(c, "ahead");
	c->now_us = now;
	append_kept(c, "now");
	case_reopen(c);
	assert_int_equal(ledger_each_kept(c->log, collect_kept, &f), SIGNET_OK);
	assert_int_equal(f.count, 4);
	assert_string_equal(f.id[0], "just");
	assert_int_equal(f.index[0], 1);
	assert_string_equal(f.id[1], "younger");
	assert_int_equal(f.index[1], 3);
	assert_string_equal(f.id[2], "ahead");
	assert_string_equal(f.id[3], "now");
	assert_int_equal(f.kept[0].value_len, 1);
}

/*
 * A log of 2^20 entries of which only those exist that may be looked at: the last one, whose subtrees are the
 * whole tree, and three around the millionth from the end.
 */
static void
make_sparse(struct ledger_case *c)
{
	append_kept(c, "beyond");
	append_kept(c, "millionth");
	append_kept(c, "within");
	append_kept(c, "last");
	case_close(c);
	case_exec(c, "UPDATE entry SET idx = 1048575, subtrees = zeroblob(20 * 32) WHERE idx = 3;"
		     "UPDATE entry SET idx = 1048576 - 1000000 + 1 WHERE idx = 2;"
		     "UPDATE entry SET idx = 1048576 - 1000000 WHERE idx = 1;"
		     "UPDATE entry SET idx = 1048576 - 1000000 - 1 WHERE idx = 0;");
	case_open(c);
}

static void
large_log_opens_from_its_last_row(void **state)
{
	struct ledger_case *c = *state;

	make_sparse(c);
	assert_int_equal(c->start.size, 1048576);
	assert_int_equal(case_append(c, "sign", ""), 1048576);
}

static void
bindings_are_read_from_the_last_million_entries(void **state)
{
	struct ledger_case *c = *state;
	struct found f = {0};

	make_sparse(c);
	assert_int_equal(ledger_each_kept(c->log, collect_kept, &f), SIGNET_OK);
	assert_int_equal(f.count, 3);
	assert_string_equal(f.id[0], "millionth");
	assert_string_equal(f.id[1], "within");
	assert_string_equal(f.id[2], "last");
}

static void
broken_binding_is_an_error(void **state)
{
	struct ledger_case *c = *state;
	struct found f = {0};

	append_kept(c, "r");
	case_exec(c, "UPDATE entry SET kept = x'00'");
	assert_int_equal(ledger_each_kept(c->log, collect_kept, &f), SIGNET_ERR_IO);
	assert_int_equal(f.count, 0);
}

static struct ledger_tried
note(const char *source, bool pending, unsigned failures)
{
	struct ledger_tried t = {.set = true, .pending = pending, .failures = failures, .last_us = 1};

	snprintf(t.serial, sizeof(t.serial), "%s", "0123456789abcdef");
	snprintf(t.source, sizeof(t.source), "%s", source);
	return t;
}

static void
put_note(struct ledger_case *c, struct ledger_tried t)
{
	struct ledger_op op = {.what = LEDGER_TRIED, .tried = t};

	assert_int_equal(case_run(c, &op), SIGNET_OK);
}

static void
pin_try_without_answer_counts_as_a_failure_from_now(void **state)
{
	struct ledger_case *c = *state;
	struct found f = {0};

	put_note(c, note("call", true, 1));
	put_note(c, note("stored", false, 3));
	case_close(c);
	c->now_us += 5;
	case_open(c);
	assert_int_equal(ledger_each_tried(c->log, collect_tried, &f), SIGNET_OK);
	assert_int_equal(f.count, 2);
	assert_string_equal(f.tried[0].serial, "0123456789abcdef");
	assert_string_equal(f.tried[0].source, "call");
	assert_int_equal(f.tried[0].failures, 2);
	assert_false(f.tried[0].pending);
	assert_int_equal(f.tried[0].last_us, c->now_us);
	assert_string_equal(f.tried[1].source, "stored");
	assert_int_equal(f.tried[1].failures, 3);
	assert_int_equal(f.tried[1].last_us, 1);
	/* it is durable, and counted once */
	case_reopen(c);
	f.count = 0;
	assert_int_equal(ledger_each_tried(c->log, collect_tried, &f), SIGNET_OK);
	assert_int_equal(f.tried[0].failures, 2);
}

static void
note_is_replaced_and_taken_away_by_success(void **state)
{
	struct ledger_case *c = *state;

	put_note(c, note("call", true, 0));
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried WHERE pending"), 1);
	put_note(c, note("call", false, 1));
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried WHERE NOT pending AND failures = 1"), 1);
	put_note(c, note("stored", false, 0));
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried"), 1);
	put_note(c, note("call", false, 0));
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried"), 0);
}

static void
note_is_written_with_the_operation_that_carries_it(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_claim_op("\"uid\":7");

	op.tried = note("call", true, 0);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried WHERE pending"), 1);
	op = case_record_op(op.claim, "\"uid\":7", NULL);
	op.tried = note("call", false, 0);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried"), 0);
	op = case_append_op("unlock", "");
	op.tried = note("agent", false, 2);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	assert_int_equal(case_int(c, "SELECT failures FROM tried WHERE source = 'agent'"), 2);
}

static void
refused_claim_leaves_no_note(void **state)
{
	struct ledger_case *c = *state;
	char id[LEDGER_REQUEST_ID_MAX + 2];
	struct ledger_op op = case_claim_op("\"uid\":7");

	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	op.kept.request_id = id;
	op.tried = note("call", true, 0);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LIMIT);
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried"), 0);
}

/* The log stays closed, and the sentence says why. */
static void
assert_refused(struct ledger_case *c, signet_err want, const char *says)
{
	assert_int_equal(case_try_open(c), want);
	if (strstr(c->why, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", c->why, says);
}

static void
second_owner_is_refused(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_case second;

	case_init(&second, c->dir);
	assert_refused(&second, SIGNET_ERR_BUSY, "stop it first");
	case_close(c);
	case_open(&second);
	case_done(&second);
	case_open(c);
}

static void
missing_folder_is_refused(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_case second;

	case_init(&second, "/nonexistent/signet");
	assert_refused(&second, SIGNET_ERR_LOG_UNAVAILABLE, "/nonexistent/signet");
	case_done(&second);
	assert_non_null(c->log);
}

static void
log_of_newer_version_is_refused_and_not_touched(void **state)
{
	struct ledger_case *c = *state;

	case_append(c, "start", "");
	case_claim(c, "\"uid\":7");
	case_close(c);
	case_exec(c, "UPDATE meta SET value = 3 WHERE key = 'schema'");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "newer version");
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 1);
	case_exec(c, "UPDATE meta SET value = 2 WHERE key = 'schema'");
	case_open(c);
	assert_int_equal(c->start.recovered, 1);
}

static void
log_without_version_is_refused(void **state)
{
	struct ledger_case *c = *state;

	case_close(c);
	case_exec(c, "DELETE FROM meta");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "version");
}

static void
replace_log(struct ledger_case *c, const char *content)
{
	char path[128];
	FILE *f;

	case_close(c);
	snprintf(path, sizeof(path), "%s/log.db", c->dir);
	assert_int_equal(unlink(path), 0);
	if (content == NULL)
		return;
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 100; i++)
		assert_true(fputs(content, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
another_programs_database_is_refused(void **state)
{
	struct ledger_case *c = *state;

	replace_log(c, NULL);
	case_exec(c, "CREATE TABLE music (title TEXT)");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "another program's database");
	assert_int_equal(case_int(c, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void
file_that_is_no_database_is_refused(void **state)
{
	struct ledger_case *c = *state;

	replace_log(c, "this is no database at all\n");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "not a signing log");
}

static void
changed_last_entry_is_refused(void **state)
{
	struct ledger_case *c = *state;

	case_append(c, "start", "");
	case_append(c, "sign", "\"uid\":1");
	case_close(c);
	case_exec(c,
	    "UPDATE entry SET bytes = replace(CAST(bytes AS TEXT), '\"uid\":1', '\"uid\":2') WHERE idx = 1");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "damaged (entry 1");
}

static void
missing_row_or_hash_of_the_frontier_is_refused(void **state)
{
	struct ledger_case *c = *state;

	for (int i = 0; i < 7; i++) /* 7 = 4 + 2 + 1: the subtrees end at 3, 5 and 6 */
		case_append(c, "sign", "");
	case_close(c);
	case_exec(c, "UPDATE entry SET subtrees = substr(subtrees, 1, 63) WHERE idx = 3");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "damaged (entry 3");
	case_exec(c, "DELETE FROM entry WHERE idx = 3");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "damaged (entry 3");
}

static void
broken_claim_is_refused_not_dropped(void **state)
{
	struct ledger_case *c = *state;

	case_claim(c, "\"uid\":1");
	case_close(c);
	case_exec(c, "UPDATE claim SET kept = x'ff'");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "damaged (claim 1)");
	case_exec(c, "UPDATE claim SET kept = NULL, openings = x'ff'");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "damaged (claim 1)");
	case_exec(c, "UPDATE claim SET openings = x'010000'");
	assert_refused(c, SIGNET_ERR_LOG_UNAVAILABLE, "damaged (claim 1)");
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 1);
	assert_int_equal(case_int(c, "SELECT count(*) FROM entry"), 0);
	case_exec(c, "UPDATE claim SET openings = NULL");
	case_open(c);
	assert_int_equal(c->start.recovered, 1);
}

static void
reserve_takes_any_size_that_is_allowed(void **state)
{
	struct ledger_case *c = *state;
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s/log.reserve", c->dir);
	for (uint64_t mib = 3; mib-- > 1;) { /* it shrinks, too */
		case_close(c);
		c->reserve = mib << 20;
		case_open(c);
		assert_true(ledger_available(c->log));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, c->reserve);
	}
}

/* Size of the write-ahead log after it grew to 4 MiB, was carried over and began again. */
static off_t
wal_size_after_restart(struct ledger_case *c)
{
	static char body[60000];
	struct stat st;
	char path[128];

	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; i < 80; i++)
		case_append(c, "sign", body);
	/* 1: the reader's own connection was reading just then */
	while (case_int(c, "PRAGMA wal_checkpoint(RESTART)") != 0)
		continue;
	case_append(c, "sign", "");
	snprintf(path, sizeof(path), "%s/log.db-wal", c->dir);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
write_ahead_log_shrinks_to_its_limit(void **state)
{
	struct ledger_case *c = *state;

	assert_true(wal_size_after_restart(c) > 2 << 20);
	case_close(c);
	c->wal_limit = 1 << 20;
	case_open(c);
	assert_int_equal(wal_size_after_restart(c), 1 << 20);
}

#define LEDGER_TEST(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(new_log_is_empty_and_available),
	    LEDGER_TEST(files_are_closed_to_other_users),
	    LEDGER_TEST(tree_goes_on_after_each_size),
	    LEDGER_TEST(leftover_claims_become_entries_with_outcome_unknown),
	    LEDGER_TEST(bindings_come_oldest_first_for_thirty_days),
	    LEDGER_TEST(large_log_opens_from_its_last_row),
	    LEDGER_TEST(bindings_are_read_from_the_last_million_entries),
	    LEDGER_TEST(broken_binding_is_an_error),
	    LEDGER_TEST(pin_try_without_answer_counts_as_a_failure_from_now),
	    LEDGER_TEST(note_is_replaced_and_taken_away_by_success),
	    LEDGER_TEST(note_is_written_with_the_operation_that_carries_it),
	    LEDGER_TEST(refused_claim_leaves_no_note),
	    LEDGER_TEST(second_owner_is_refused),
	    LEDGER_TEST(missing_folder_is_refused),
	    LEDGER_TEST(log_of_newer_version_is_refused_and_not_touched),
	    LEDGER_TEST(log_without_version_is_refused),
	    LEDGER_TEST(another_programs_database_is_refused),
	    LEDGER_TEST(file_that_is_no_database_is_refused),
	    LEDGER_TEST(changed_last_entry_is_refused),
	    LEDGER_TEST(missing_row_or_hash_of_the_frontier_is_refused),
	    LEDGER_TEST(broken_claim_is_refused_not_dropped),
	    LEDGER_TEST(write_ahead_log_shrinks_to_its_limit),
	    LEDGER_TEST(reserve_takes_any_size_that_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
