/* daemon/ledger/writer.c, reserve.c, backlog.c: a disk that refuses */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bad_disk.h"
#include "ledger_case.h"
#include "unit.h"

static const char body[] = "\"uid\":7";

static off_t
reserve_size(const struct ledger_case *c)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/log.reserve", c->dir);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Several operations that the writer finds at once, so that they are one batch. */
struct batch {
	struct ledger_op ops[4];
	size_t count, done;
	bool all;
};

static void
batch_done(struct ledger_op *op)
{
	struct batch *b = op->owner;

	b->all = ++b->done == b->count;
}

static void
run_batch(struct ledger_case *c, struct batch *b)
{
	b->done = 0;
	b->all = false;
	for (size_t i = 0; i < b->count; i++) {
		b->ops[i].done = batch_done;
		b->ops[i].owner = b;
		ledger_submit(c->log, &b->ops[i]);
	}
	ledger_hand_over(c->log, 1);
	case_until(c, &b->all);
	for (size_t i = 0; i < b->count; i++)
		buf_done(&b->ops[i].entry);
}

static void
failed_claim_leaves_nothing_and_log_mends_itself(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_claim_op(body);

	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(op.claim, 0);
	assert_false(ledger_available(c->log));
	assert_non_null(strstr(ledger_why(c->log), "is full: free at least 1 MiB"));
	assert_non_null(strstr(ledger_why(c->log), c->dir));
	/* the reserve is for records only */
	assert_int_equal(reserve_size(c), CASE_RESERVE);
	case_until_available(c, true);
	assert_string_equal(ledger_why(c->log), "");
	case_claim(c, body);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 1);
}

static void
claims_are_refused_until_the_disk_takes_writes(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_claim_op(body);

	bad_disk_fail(BAD_WAL_WRITE, SQLITE_IOERR_WRITE, 3);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_non_null(strstr(ledger_why(c->log), "cannot be written"));
	/* at once: nothing was tried on the disk */
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(bad_disk_failed(BAD_WAL_WRITE), 1);
	case_until_available(c, true);
	assert_int_equal(bad_disk_failed(BAD_WAL_WRITE), 3);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
}

static void
failed_sync_is_no_commit(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_claim_op(body);

	bad_disk_fail(BAD_WAL_SYNC, SQLITE_IOERR_FSYNC, 1);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	case_until_available(c, true);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 0);
	assert_int_equal(c->start.size, 0);
}

static void
failed_append_takes_its_leaf_back(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_append_op("sign", body);

	case_append(c, "start", "");
	case_append(c, "sign", body);
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_null(op.entry.data);
	assert_int_equal(ledger_size(c->log), 2);
	case_until_available(c, true);
	assert_int_equal(case_append(c, "sign", body), 2);
	assert_int_equal(case_append(c, "sign", body), 3);
	case_check_rows(c, 4);
}

static void
record_gets_the_reserve(void **state)
{
	struct ledger_case *c = *state;
	struct batch b = {.count = 4};

	b.ops[0] = case_append_op("sign", body);
	b.ops[1] = case_record_op(case_claim(c, body), body, "\"outcome\":\"ok\"");
	b.ops[2] = case_claim_op(body);
	b.ops[3] = case_record_op(case_claim(c, body), body, "\"outcome\":\"ok\"");
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	run_batch(c, &b);
	assert_int_equal(b.ops[0].err, SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(b.ops[1].err, SIGNET_OK);
	assert_int_equal(b.ops[1].index, 0);
	assert_int_equal(b.ops[2].err, SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(b.ops[3].err, SIGNET_OK);
	assert_int_equal(b.ops[3].index, 1);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 0);
	case_until_available(c, true);
	assert_int_equal(reserve_size(c), CASE_RESERVE);
	case_check_rows(c, 2);
}

static void
faulty_operation_stays_faulty_when_its_batch_is_tried_again(void **state)
{
	struct ledger_case *c = *state;
	struct batch b = {.count = 3};
	uint64_t claim = case_claim(c, body);

	b.ops[0] = case_record_op(claim + 7, body, NULL);
	b.ops[1] = case_record_op(claim, body, NULL);
	b.ops[2] = case_record_op(claim, body, NULL);
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	run_batch(c, &b);
	assert_int_equal(b.ops[0].err, SIGNET_ERR_ARGUMENT);
	assert_int_equal(b.ops[1].err, SIGNET_OK);
	assert_int_equal(b.ops[2].err, SIGNET_ERR_ARGUMENT);
	case_check_rows(c, 1);
}

static void
record_that_finds_no_room_is_written_later(void **state)
{
	struct ledger_case *c = *state;
	char id[] = "r-7", value[] = "sig", title[] = "t", tail[] = "\"outcome\":\"ok\"",
	     copy[] = "\"uid\":7";
	struct ledger_opening o = {.field = "title", .text = title};
	uint64_t claim = case_claim(c, body);
	struct ledger_op op = case_record_op(claim, copy, tail), other = case_claim_op(body);
	static const char end[] = ",\"uid\":7,\"outcome\":\"ok\"}";
	struct ledger_read r;

	op.kept =
	    (struct ledger_kept){.uid = 7, .request_id = id, .value = (const uint8_t *)value, .value_len = 3};
	op.openings = &o;
	op.opening_count = 1;
	op.tried = (struct ledger_tried){.set = true, .serial = "s", .source = "call", .failures = 1};
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 5);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_null(op.entry.data);
	/* it was borrowed until now: the ledger must not look at it again */
	memset(id, 'x', sizeof(id) - 1);
	memset(value, 'x', sizeof(value) - 1);
	memset(title, 'x', sizeof(title) - 1);
	memset(tail, 'x', sizeof(tail) - 1);
	memset(copy, 'x', sizeof(copy) - 1);
	memset(&o, 0, sizeof(o));
	assert_false(ledger_available(c->log));
	assert_int_equal(ledger_pending(c->log), 0);
	assert_int_equal(case_run(c, &other), SIGNET_ERR_LOG_UNAVAILABLE);
	case_until_available(c, true);
	assert_int_equal(c->late, 1);
	assert_int_equal(c->late_index, 0);
	assert_string_equal(c->late_id, "r-7");
	assert_int_equal(ledger_size(c->log), 1);
	assert_int_equal(reserve_size(c), CASE_RESERVE);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 0);
	assert_int_equal(
	    case_int(c, "SELECT count(*) FROM opening WHERE field = 'title' AND text = x'74'"), 1);
	assert_int_equal(case_int(c, "SELECT failures FROM tried WHERE serial = 's' AND source = 'call'"), 1);
	assert_int_equal(case_read(c, 0, &r), SIGNET_OK);
	assert_int_equal(r.value.len, 3);
	assert_memory_equal(r.value.data, "sig", 3);
	assert_non_null(memmem(r.entry.data, r.entry.len, "\"kind\":\"sign\"", 13));
	assert_memory_equal(r.entry.data + r.entry.len - sizeof(end) + 1, end, sizeof(end) - 1);
	buf_done(&r.entry);
	buf_done(&r.value);
	case_check_rows(c, 1);
}

static void
records_keep_their_order_behind_those_that_wait(void **state)
{
	struct ledger_case *c = *state;
	uint64_t first = case_claim(c, body), second = case_claim(c, body);
	struct ledger_op op = case_record_op(first, "\"uid\":1", NULL);

	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 2);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	op = case_record_op(second, "\"uid\":2", NULL);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_int_equal(op.index, 1);
	buf_done(&op.entry);
	assert_int_equal(ledger_size(c->log), 2);
	assert_int_equal(c->late, 0); /* nothing was kept for a requestId */
	case_check_rows(c, 2);
}

static void
close_is_the_last_try_of_records_that_wait(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_record_op(case_claim(c, body), body, NULL);

	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 2);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 0);
	assert_int_equal(c->start.size, 1);
	assert_true(ledger_available(c->log));
}

static void
record_that_was_never_written_is_unknown_at_the_next_start(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_record_op(case_claim(c, body), body, NULL);

	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1000);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	case_close(c);
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_OK, 0);
	case_open(c);
	assert_int_equal(c->start.recovered, 1);
	assert_int_equal(c->start.size, 1);
}

static void
pin_try_that_cannot_be_noted_is_refused(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = {
	    .what = LEDGER_TRIED, .tried = {.set = true, .serial = "s", .source = "call", .pending = true}};

	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	case_until_available(c, true);
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried"), 0);
}

static void
leftovers_get_the_reserve_at_open(void **state)
{
	struct ledger_case *c = *state;

	case_claim(c, body);
	case_close(c);
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	case_open(c);
	assert_int_equal(bad_disk_failed(BAD_WAL_WRITE), 1);
	assert_int_equal(c->start.recovered, 1);
	assert_int_equal(reserve_size(c), CASE_RESERVE);
	case_check_rows(c, 1);
}

static void
log_whose_leftovers_cannot_be_written_stays_closed(void **state)
{
	struct ledger_case *c = *state;

	case_claim(c, body);
	case_close(c);
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 2);
	assert_int_equal(case_try_open(c), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_non_null(strstr(c->why, "is full"));
	case_open(c);
	assert_int_equal(c->start.recovered, 1);
}

static int
healthy_setup(void **state)
{
	bad_disk_install();
	for (int i = 0; i < BAD_PLACES; i++)
		bad_disk_fail((enum bad_disk_where)i, SQLITE_OK, 0);
	return case_setup(state);
}

#define FULL_TEST(f) cmocka_unit_test_setup_teardown(f, healthy_setup, case_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FULL_TEST(failed_claim_leaves_nothing_and_log_mends_itself),
	    FULL_TEST(claims_are_refused_until_the_disk_takes_writes),
	    FULL_TEST(failed_sync_is_no_commit),
	    FULL_TEST(failed_append_takes_its_leaf_back),
	    FULL_TEST(record_gets_the_reserve),
	    FULL_TEST(faulty_operation_stays_faulty_when_its_batch_is_tried_again),
	    FULL_TEST(record_that_finds_no_room_is_written_later),
	    FULL_TEST(records_keep_their_order_behind_those_that_wait),
	    FULL_TEST(close_is_the_last_try_of_records_that_wait),
	    FULL_TEST(record_that_was_never_written_is_unknown_at_the_next_start),
	    FULL_TEST(pin_try_that_cannot_be_noted_is_refused),
	    FULL_TEST(leftovers_get_the_reserve_at_open),
	    FULL_TEST(log_whose_leftovers_cannot_be_written_stays_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
