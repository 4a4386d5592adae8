/* daemon/ledger/ledger.c, store.c, writer.c, reader.c: a log that works */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bad_disk.h"
#include "ledger/kept.h"
#include "base/tlog.h"
#include "ledger_case.h"
#include <signet/log.h>
#include "unit.h"

#define HEAD(kind, index, clock)                                                                             \
	"{\"v\":1,\"kind\":\"" kind "\",\"time\":\"2026-11-21T19:26:41.123456Z\",\"boot\":\"" CASE_BOOT      \
	"\",\"index\":" index ",\"clock\":\"" clock "\""

static void
assert_text(const struct buf *b, const char *want)
{
	if (b->len != strlen(want) || memcmp(b->data, want, b->len) != 0)
		fail_msg("\n%.*s\nis not\n%s", (int)b->len, (const char *)b->data, want);
}

static void
entry_is_given_back_as_it_is_stored_and_hashed(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_append_op("start", "\"version\":\"1\"");
	static const char want[] = HEAD("start", "0", "synchronised") ",\"version\":\"1\"}";
	uint8_t leaf[LEDGER_HASH];
	struct ledger_read r;

	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_int_equal(op.index, 0);
	assert_string_equal(op.time, "2026-11-21T19:26:41.123456Z");
	assert_text(&op.entry, want);
	tlog_leaf(leaf, want, sizeof(want) - 1);
	assert_memory_equal(op.leaf, leaf, LEDGER_HASH);
	buf_done(&op.entry);
	assert_int_equal(ledger_size(c->log), 1);

	assert_int_equal(case_read(c, 0, &r), SIGNET_OK);
	assert_text(&r.entry, want);
	assert_string_equal(r.time, "2026-11-21T19:26:41.123456Z");
	assert_memory_equal(r.leaf, leaf, LEDGER_HASH);
	assert_int_equal(r.uid, (uid_t)-1);
	assert_int_equal(r.value.len, 0);
	buf_done(&r.entry);
	buf_done(&r.value);
}

static void
clock_state_and_time_are_recorded_as_they_are(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_append_op("clock", "");

	case_append(c, "start", "");
	c->clock = "unsynchronised";
	c->now_us -= INT64_C(3600000000);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_text(&op.entry,
	    "{\"v\":1,\"kind\":\"clock\",\"time\":\"2026-11-21T18:26:41.123456Z\",\"boot\":\"" CASE_BOOT
	    "\",\"index\":1,\"clock\":\"unsynchronised\"}");
	buf_done(&op.entry);
}

static void
record_takes_claim_away_and_keeps_reply(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op;
	struct ledger_read r;
	uint64_t claim = case_claim(c, "\"uid\":7");

	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 1);
	assert_int_equal(ledger_size(c->log), 0);
	op = case_record_op(claim, "\"uid\":7", "\"outcome\":\"ok\"");
	op.kept = (struct ledger_kept){
	    .uid = 7, .request_id = "r-1", .value = (const uint8_t *)"sig", .value_len = 3};
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_text(&op.entry, HEAD("sign", "0", "synchronised") ",\"uid\":7,\"outcome\":\"ok\"}");
	buf_done(&op.entry);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 0);

	assert_int_equal(case_read(c, 0, &r), SIGNET_OK);
	assert_int_equal(r.uid, 7);
	assert_false(r.unknown);
	assert_text(&r.value, "sig");
	buf_done(&r.entry);
	buf_done(&r.value);
}

static void
record_of_claim_that_does_not_stand_writes_nothing(void **state)
{
	struct ledger_case *c = *state;
	uint64_t claim = case_claim(c, "\"uid\":7");
	struct ledger_op op = case_record_op(claim, "\"uid\":7", NULL);

	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	op = case_record_op(claim, "\"uid\":7", NULL);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_ARGUMENT);
	assert_null(op.entry.data);
	op = case_record_op(claim + 1, "\"uid\":7", NULL);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_ARGUMENT);
	case_check_rows(c, 1);
}

static void
openings_lie_beside_the_entry(void **state)
{
	struct ledger_case *c = *state;
	char title[] = "Tờ trình", empty[] = "";
	struct ledger_opening o[] = {{.field = "title", .text = title}, {.field = "number", .text = empty}};
	struct ledger_op op = case_append_op("sign", "\"uid\":7");

	memset(o[0].salt, 0x5a, LEDGER_HASH);
	op.openings = o;
	op.opening_count = 2;
	case_append(c, "start", "");
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	assert_int_equal(case_int(c, "SELECT count(*) FROM opening WHERE idx = 1"), 2);
	assert_int_equal(
	    case_int(c, "SELECT CAST(text AS TEXT) = 'Tờ trình' AND hex(salt) = "
			"'5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A' FROM opening "
			"WHERE field = 'title'"),
	    1);
	assert_int_equal(case_int(c, "SELECT length(text) FROM opening WHERE field = 'number'"), 0);
}

/* Many operations of one turn, whose ends are counted. */
struct crowd {
	size_t count, done;
	bool all;
	struct ledger_op *ops;
};

static void
crowd_done(struct ledger_op *op)
{
	struct crowd *crowd = op->owner;

	/* in the order of submission */
	assert_ptr_equal(op, &crowd->ops[crowd->done]);
	crowd->all = ++crowd->done == crowd->count;
}

static void
crowd_submit(struct ledger_case *c, struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++) {
		crowd->ops[i].done = crowd_done;
		crowd->ops[i].owner = crowd;
		ledger_submit(c->log, &crowd->ops[i]);
	}
}

static void
crowd_free(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++)
		buf_done(&crowd->ops[i].entry);
}

static char long_body[SIGNET_ENTRY_MAX + 1];

/* An APPEND at index `index` (one digit) whose entry has `len` bytes. */
static struct ledger_op
append_of_len(size_t len)
{
	struct ledger_op op = case_append_op("sign", "");
	size_t fixed = sizeof(HEAD("sign", "0", "synchronised") ",}") - 1;

	memset(long_body, 'x', sizeof(long_body));
	op.body = long_body;
	op.body_len = len - fixed;
	return op;
}

static void
entry_over_limit_costs_its_batch_nothing(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op ops[4] = {
	    append_of_len(65534), append_of_len(65535), append_of_len(65536), case_append_op("stop", "")};
	struct crowd crowd = {.count = 4, .ops = ops};

	crowd_submit(c, &crowd);
	ledger_hand_over(c->log, 1);
	case_until(c, &crowd.all);
	assert_int_equal(ops[0].err, SIGNET_OK);
	assert_int_equal(ops[0].entry.len, 65534);
	assert_int_equal(ops[1].err, SIGNET_OK);
	assert_int_equal(ops[1].entry.len, 65535);
	assert_int_equal(ops[2].err, SIGNET_ERR_LIMIT);
	assert_null(ops[2].entry.data);
	assert_int_equal(ops[3].err, SIGNET_OK);
	assert_int_equal(ops[3].index, 2);
	crowd_free(&crowd);
	case_check_rows(c, 3);
}

static void
claim_too_long_for_its_entry_is_refused(void **state)
{
	struct ledger_case *c = *state;
	/* with the longest index and clock state and the outcome that a leftover gets */
	size_t fixed =
	    sizeof(HEAD("sign", "18446744073709551615", "unsynchronised") ",,\"outcome\":\"unknown\"}") - 1;
	size_t longest = SIGNET_ENTRY_MAX - fixed;

	memset(long_body, 'x', sizeof(long_body));
	for (size_t n = longest - 1; n <= longest + 1; n++) {
		struct ledger_op op = case_claim_op("");

		op.body = long_body;
		op.body_len = n;
		assert_int_equal(case_run(c, &op), n <= longest ? SIGNET_OK : SIGNET_ERR_LIMIT);
	}
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 2);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 2);
	case_check_rows(c, 2);
}

static void
record_over_limit_leaves_its_claim(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_record_op(case_claim(c, "\"uid\":7"), "\"uid\":7", NULL);

	memset(long_body, 'x', sizeof(long_body));
	op.tail = long_body;
	op.tail_len = sizeof(long_body);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LIMIT);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 1);
	op.tail_len = 10;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 0);
}

static void
faulty_binding_or_opening_is_refused_alone(void **state)
{
	struct ledger_case *c = *state;
	char id[LEDGER_REQUEST_ID_MAX + 2], text[] = "t";
	struct ledger_opening twice[] = {{.field = "title", .text = text}, {.field = "title", .text = text}};
	struct ledger_op ops[4] = {case_claim_op("\"uid\":1"), case_claim_op("\"uid\":2"),
	    case_append_op("sign", ""), case_append_op("sign", "")};
	struct crowd crowd = {.count = 4, .ops = ops};

	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	ops[0].kept.request_id = id;
	ops[2].openings = twice;
	ops[2].opening_count = 2;
	crowd_submit(c, &crowd);
	ledger_hand_over(c->log, 1);
	case_until(c, &crowd.all);
	assert_int_equal(ops[0].err, SIGNET_ERR_LIMIT);
	assert_int_equal(ops[1].err, SIGNET_OK);
	assert_int_equal(ops[2].err, SIGNET_ERR_ARGUMENT);
	assert_int_equal(ops[3].err, SIGNET_OK);
	assert_int_equal(ops[3].index, 0);
	crowd_free(&crowd);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 1);
	assert_int_equal(case_int(c, "SELECT count(*) FROM opening"), 0);
}

/* Jobs that claim, record and begin again, as calls do. */
enum { JOBS = 64, ROUNDS = 50 };

struct jobs {
	struct ledger_case *c;
	struct ledger_op ops[JOBS];
	unsigned rounds[JOBS];
	uint8_t seen[JOBS * ROUNDS];
	size_t records;
	bool all;
	uv_check_t turn;
};

static void job_claimed(struct ledger_op *op);

static void
job_begin(struct jobs *j, size_t i)
{
	j->ops[i] = case_claim_op("\"uid\":7");
	j->ops[i].done = job_claimed;
	j->ops[i].owner = j;
	ledger_submit(j->c->log, &j->ops[i]);
}

static void
job_recorded(struct ledger_op *op)
{
	struct jobs *j = op->owner;
	size_t i = (size_t)(op - j->ops);

	assert_int_equal(op->err, SIGNET_OK);
	assert_in_range(op->index, 0, JOBS * ROUNDS - 1);
	assert_int_equal(j->seen[op->index]++, 0);
	buf_done(&op->entry);
	j->all = ++j->records == JOBS * ROUNDS;
	if (++j->rounds[i] < ROUNDS)
		job_begin(j, i);
}

static void
job_claimed(struct ledger_op *op)
{
	struct jobs *j = op->owner;
	uint64_t claim = op->claim;

	assert_int_equal(op->err, SIGNET_OK);
	assert_int_not_equal(claim, 0);
	*op = case_record_op(claim, "\"uid\":7", "\"outcome\":\"ok\"");
	op->done = job_recorded;
	op->owner = j;
	ledger_submit(j->c->log, op);
}

static void
jobs_turn(uv_check_t *turn)
{
	struct jobs *j = turn->data;

	ledger_hand_over(j->c->log, JOBS);
}

static void
crowded_jobs_get_each_index_once_and_share_commits(void **state)
{
	static struct jobs j;
	unsigned before = bad_disk_commits();

	j = (struct jobs){.c = *state};
	assert_int_equal(uv_check_init(&j.c->loop, &j.turn), 0);
	j.turn.data = &j;
	uv_check_start(&j.turn, jobs_turn);
	for (size_t i = 0; i < JOBS; i++)
		job_begin(&j, i);
	ledger_hand_over(j.c->log, JOBS);
	case_until(j.c, &j.all);
	uv_close((uv_handle_t *)&j.turn, NULL);
	assert_int_equal(ledger_size(j.c->log), JOBS * ROUNDS);
	assert_int_equal(ledger_pending(j.c->log), 0);
	/* each operation alone would take 2 * JOBS * ROUNDS commits */
	assert_in_range(bad_disk_commits() - before, 2, JOBS * ROUNDS / 2);
	case_check_rows(j.c, JOBS * ROUNDS);
	case_reopen(j.c);
	assert_int_equal(j.c->start.size, JOBS * ROUNDS);
	assert_int_equal(j.c->start.recovered, 0);
}

static void
what_arrives_during_a_commit_is_one_batch(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op ops[20];
	struct crowd first = {.count = 1, .ops = ops}, rest = {.count = 19, .ops = ops + 1};
	unsigned before = bad_disk_commits(), us, n;

	for (size_t i = 0; i < 20; i++)
		ops[i] = case_append_op("sign", "");
	bad_disk_hold();
	crowd_submit(c, &first);
	ledger_hand_over(c->log, 1);
	bad_disk_wait_held();
	crowd_submit(c, &rest);
	assert_int_equal(ledger_pending(c->log), 20);
	ledger_hand_over(c->log, 1);
	assert_int_equal(ledger_size(c->log), 0);
	bad_disk_release();
	case_until(c, &rest.all);
	assert_true(first.all);
	assert_int_equal(bad_disk_commits() - before, 2);
	ledger_last_commit(c->log, &us, &n);
	assert_int_equal(n, 19);
	crowd_free(&first);
	crowd_free(&rest);
}

/* Whether two operations half a millisecond apart became one commit. */
static bool
two_share_a_commit(struct ledger_case *c, unsigned in_flight)
{
	struct ledger_op ops[2] = {case_append_op("sign", ""), case_append_op("sign", "")};
	struct crowd first = {.count = 1, .ops = ops}, second = {.count = 1, .ops = ops + 1};
	unsigned us, n;
	uint64_t until;

	crowd_submit(c, &first);
	ledger_hand_over(c->log, in_flight);
	until = uv_hrtime() + 500000;
	while (uv_hrtime() < until)
		;
	crowd_submit(c, &second);
	ledger_hand_over(c->log, in_flight);
	case_until(c, &first.all);
	case_until(c, &second.all);
	crowd_free(&first);
	crowd_free(&second);
	ledger_last_commit(c->log, &us, &n);
	return n == 2;
}

/* On a busy machine either may happen at times: the difference must show. */
static void
writer_gathers_a_third_of_what_is_in_flight(void **state)
{
	struct ledger_case *c = *state;
	unsigned of_six = 0, of_three = 0;

	for (int i = 0; i < 100; i++) {
		of_six += two_share_a_commit(c, 6);   /* 30 % of 6: waits for the second */
		of_three += two_share_a_commit(c, 3); /* 30 % of 3: does not */
	}
	assert_in_range(of_six, of_three + 20, 100);
}

static void
gathering_ends_though_nothing_more_comes(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_append_op("sign", "");
	struct crowd crowd = {.count = 1, .ops = &op};

	crowd_submit(c, &crowd);
	ledger_hand_over(c->log, 1000);
	case_until(c, &crowd.all);
	assert_int_equal(op.err, SIGNET_OK);
	crowd_free(&crowd);
}

static void
nothing_is_given_back_before_it_is_durable(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_claim_op("\"uid\":7");
	struct crowd crowd = {.count = 1, .ops = &op};

	bad_disk_hold();
	crowd_submit(c, &crowd);
	ledger_hand_over(c->log, 1);
	bad_disk_wait_held();
	uv_run(&c->loop, UV_RUN_NOWAIT);
	assert_false(crowd.all);
	bad_disk_release();
	case_until(c, &crowd.all);
	assert_int_equal(op.err, SIGNET_OK);
}

static void
nothing_happens_before_the_hand_over(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_append_op("sign", "");
	struct crowd crowd = {.count = 1, .ops = &op};

	crowd_submit(c, &crowd);
	uv_run(&c->loop, UV_RUN_NOWAIT);
	assert_int_equal(case_int(c, "SELECT count(*) FROM entry"), 0);
	assert_int_equal(ledger_pending(c->log), 1);
	ledger_hand_over(c->log, 1);
	case_until(c, &crowd.all);
	buf_done(&op.entry);
}

/* Its `done` submits another operation, as a broker that is told of a claim does. */
struct chain {
	struct ledger_case *c;
	struct ledger_op first, second;
	unsigned done;
};

static void
chain_end(struct ledger_op *op)
{
	struct chain *chain = op->owner;

	chain->done++;
}

static void
chain_on(struct ledger_op *op)
{
	struct chain *chain = op->owner;

	chain->done++;
	ledger_submit(chain->c->log, &chain->second);
}

static void
close_writes_what_is_queued_and_gives_back_all(void **state)
{
	struct ledger_case *c = *state;
	struct chain chain = {.c = c, .first = case_claim_op("\"uid\":7")};

	chain.first.done = chain_on;
	chain.second = case_append_op("sign", "");
	chain.second.done = chain_end;
	chain.first.owner = chain.second.owner = &chain;
	ledger_submit(c->log, &chain.first);
	case_close(c);
	assert_int_equal(chain.done, 2);
	assert_int_equal(chain.first.err, SIGNET_OK);
	assert_int_equal(chain.second.err, SIGNET_ERR_LOG_UNAVAILABLE);
	case_open(c);
	assert_int_equal(c->start.recovered, 1);
	assert_int_equal(c->start.size, 1);
}

static void
count_read(struct ledger_read *r)
{
	(*(unsigned *)r->owner)++;
}

static void
close_gives_back_reads(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_read reads[10];
	unsigned done = 0;

	case_append(c, "start", "");
	for (size_t i = 0; i < array_len(reads); i++) {
		reads[i] = (struct ledger_read){.index = i, .done = count_read, .owner = &done};
		ledger_read_row(c->log, &reads[i]);
	}
	case_close(c);
	assert_int_equal(done, array_len(reads));
	assert_int_equal(reads[0].err, SIGNET_OK);
	assert_int_equal(reads[9].err, SIGNET_ERR_REQUEST_NOT_FOUND);
	for (size_t i = 0; i < array_len(reads); i++) {
		buf_done(&reads[i].entry);
		buf_done(&reads[i].value);
	}
}

static void
row_that_is_not_there_is_not_found(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_read r;

	case_append(c, "start", "");
	assert_int_equal(case_read(c, 1, &r), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(case_read(c, (uint64_t)INT64_MAX, &r), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(case_read(c, (uint64_t)INT64_MAX + 1, &r), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(case_read(c, UINT64_MAX, &r), SIGNET_ERR_REQUEST_NOT_FOUND);
}

static void
row_that_does_not_match_its_leaf_is_no_answer(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_read r;

	case_append(c, "start", "\"uid\":1");
	case_exec(c, "UPDATE entry SET bytes = replace(CAST(bytes AS TEXT), '\"uid\":1', '\"uid\":2')");
	assert_int_equal(case_read(c, 0, &r), SIGNET_ERR_IO);
	assert_null(r.entry.data);
}

static void
row_with_broken_binding_is_no_answer(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_read r;

	case_append(c, "start", "");
	case_exec(c, "UPDATE entry SET kept = x'0100'");
	assert_int_equal(case_read(c, 0, &r), SIGNET_ERR_IO);
	assert_null(r.entry.data);
	assert_int_equal(r.uid, (uid_t)-1);
}

static void
checkpoint_that_fails_breaks_nothing(void **state)
{
	struct ledger_case *c = *state;

	memset(long_body, 'x', sizeof(long_body));
	long_body[60000] = '\0';
	bad_disk_fail(BAD_DB_WRITE, SQLITE_IOERR_WRITE, 1000000);
	/* more than the 1,000 pages after which SQLite makes a checkpoint */
	for (unsigned i = 0; i < 120; i++)
		case_append(c, "sign", long_body);
	assert_true(bad_disk_failed(BAD_DB_WRITE) > 0);
	assert_true(ledger_available(c->log));
	bad_disk_fail(BAD_DB_WRITE, SQLITE_OK, 0);
	case_append(c, "sign", long_body);
	case_check_rows(c, 121);
}

static int
group_setup(void **state)
{
	(void)state;
	bad_disk_install();
	return 0;
}

#define LEDGER_TEST(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(entry_is_given_back_as_it_is_stored_and_hashed),
	    LEDGER_TEST(clock_state_and_time_are_recorded_as_they_are),
	    LEDGER_TEST(record_takes_claim_away_and_keeps_reply),
	    LEDGER_TEST(record_of_claim_that_does_not_stand_writes_nothing),
	    LEDGER_TEST(openings_lie_beside_the_entry),
	    LEDGER_TEST(entry_over_limit_costs_its_batch_nothing),
	    LEDGER_TEST(claim_too_long_for_its_entry_is_refused),
	    LEDGER_TEST(record_over_limit_leaves_its_claim),
	    LEDGER_TEST(faulty_binding_or_opening_is_refused_alone),
	    LEDGER_TEST(crowded_jobs_get_each_index_once_and_share_commits),
	    LEDGER_TEST(what_arrives_during_a_commit_is_one_batch),
	    LEDGER_TEST(writer_gathers_a_third_of_what_is_in_flight),
	    LEDGER_TEST(gathering_ends_though_nothing_more_comes),
	    LEDGER_TEST(nothing_is_given_back_before_it_is_durable),
	    LEDGER_TEST(nothing_happens_before_the_hand_over),
	    LEDGER_TEST(close_writes_what_is_queued_and_gives_back_all),
	    LEDGER_TEST(close_gives_back_reads),
	    LEDGER_TEST(row_that_is_not_there_is_not_found),
	    LEDGER_TEST(row_that_does_not_match_its_leaf_is_no_answer),
	    LEDGER_TEST(row_with_broken_binding_is_no_answer),
	    LEDGER_TEST(checkpoint_that_fails_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
