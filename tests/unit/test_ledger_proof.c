/* daemon/ledger/query.c, page.c, filter.c: what is asked of the log */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tlog.h"
#include "ledger/filter.h"
#include "ledger_case.h"
#include <signet/log.h>
#include "unit.h"

/* Proofs */

enum { SIZES = 300 };

static uint8_t roots[SIZES + 1][TLOG_HASH], leaves[SIZES][TLOG_HASH];

static void
fill_and_learn(struct ledger_case *c)
{
	uint8_t completed[TLOG_LEVELS][TLOG_HASH];
	struct tlog_tree tree = {0};

	case_fill(c, SIZES, NULL, NULL);
	tlog_tree_root(&tree, roots[0]);
	for (uint64_t i = 0; i < SIZES; i++) {
		struct ledger_read r;

		assert_int_equal(case_read(c, i, &r), SIGNET_OK);
		memcpy(leaves[i], r.leaf, TLOG_HASH);
		tlog_tree_push(&tree, r.leaf, completed);
		tlog_tree_root(&tree, roots[i + 1]);
		buf_done(&r.entry);
		buf_done(&r.value);
	}
}

static void
every_inclusion_holds_for_all_sizes(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_INCLUSION};

	fill_and_learn(c);
	for (q.size = 1; q.size <= SIZES; q.size++) {
		for (q.index = 0; q.index < q.size; q.index++) {
			assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_OK);
			assert_memory_equal(q.leaf, leaves[q.index], TLOG_HASH);
			assert_int_equal(
			    tlog_check_inclusion(q.index, q.size, q.leaf, &q.proof, roots[q.size]),
			    SIGNET_OK);
			assert_int_equal(
			    tlog_check_inclusion(q.index, q.size, q.leaf, &q.proof, roots[q.size - 1]),
			    SIGNET_ERR_VERIFY);
		}
	}
}

static void
every_consistency_holds_for_all_sizes(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_CONSISTENCY};

	fill_and_learn(c);
	for (q.size = 0; q.size <= SIZES; q.size++) {
		for (q.first = 0; q.first <= q.size; q.first++) {
			assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_OK);
			assert_int_equal(
			    tlog_check_consistency(q.first, q.size, roots[q.first], roots[q.size], &q.proof),
			    SIGNET_OK);
		}
	}
}

static void
roots_of_all_sizes_are_those_of_the_leaves(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_ROOT};

	fill_and_learn(c);
	for (q.size = 0; q.size <= SIZES; q.size++) {
		assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_OK);
		assert_memory_equal(q.root, roots[q.size], TLOG_HASH);
	}
}

static void
what_is_not_there_is_not_proved(void **state)
{
	static const struct ledger_query queries[] = {
	    {.what = LEDGER_INCLUSION, .index = 0, .size = 4},
	    {.what = LEDGER_INCLUSION, .index = 3, .size = 3},
	    {.what = LEDGER_INCLUSION, .index = UINT64_MAX, .size = 3},
	    {.what = LEDGER_INCLUSION, .index = 0, .size = UINT64_MAX},
	    {.what = LEDGER_INCLUSION, .index = 0, .size = 0},
	    {.what = LEDGER_CONSISTENCY, .first = 3, .size = 2},
	    {.what = LEDGER_CONSISTENCY, .first = 3, .size = 4},
	    {.what = LEDGER_ROOT, .size = 4},
	};
	struct ledger_case *c = *state;

	case_fill(c, 3, NULL, NULL);
	for (size_t i = 0; i < array_len(queries); i++) {
		struct ledger_query q = queries[i];

		assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_ERR_REQUEST_NOT_FOUND);
		assert_int_equal(q.proof.count, 0);
	}
}

static void
missing_hash_is_an_error_that_names_its_place(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_INCLUSION, .index = 0, .size = 8};

	case_fill(c, 8, NULL, NULL);
	case_exec(c, "UPDATE entry SET subtrees = NULL WHERE idx = 3");
	q.index = 7;
	assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_ERR_IO);
	assert_non_null(strstr(q.why, "entries 0 to 3"));
	q.index = 2; /* needs other rows */
	assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_OK);
}

/* Pages */

struct seen {
	uint64_t index[4096];
	size_t count, bytes;
};

static void
collect(struct ledger_query *q, void *arg)
{
	struct seen *s = arg;

	for (size_t i = 0; i < q->row_count; i++) {
		uint8_t leaf[TLOG_HASH];

		tlog_leaf(leaf, q->rows[i].entry, q->rows[i].entry_len);
		assert_memory_equal(leaf, q->rows[i].leaf, TLOG_HASH);
		assert_in_range(s->count, 0, array_len(s->index) - 1);
		s->index[s->count++] = q->rows[i].index;
		s->bytes += q->rows[i].entry_len;
	}
}

static void
pages_follow_each_other(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 7};
	struct seen s = {0};

	case_fill(c, 50, NULL, NULL);
	for (int pages = 1; !q.at_end; pages++) {
		size_t before = s.count;

		assert_int_equal(case_query(c, &q, collect, &s), SIGNET_OK);
		assert_in_range(s.count - before, pages <= 7 ? 7 : 1, 7);
		q.from = q.next_from;
		assert_in_range(pages, 1, 8);
	}
	assert_int_equal(s.count, 50);
	for (size_t i = 0; i < s.count; i++)
		assert_int_equal(s.index[i], i);
	assert_int_equal(q.next_from, 50);
}

static void
page_beyond_the_end_is_empty(void **state)
{
	static const uint64_t from[] = {3, 4, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
	struct ledger_case *c = *state;
	struct seen s = {0};

	case_fill(c, 3, NULL, NULL);
	for (size_t i = 0; i < array_len(from); i++) {
		struct ledger_query q = {.what = LEDGER_PAGE, .limit = 10, .from = from[i]};

		assert_int_equal(case_query(c, &q, collect, &s), SIGNET_OK);
		assert_true(q.at_end);
		assert_int_equal(q.row_count, 0);
		assert_int_equal(q.next_from, from[i]);
	}
	assert_int_equal(s.count, 0);
}

static void
page_has_at_most_256_rows(void **state)
{
	static const struct {
		uint64_t limit;
		size_t rows;
	} limits[] = {{0, 1}, {1, 1}, {255, 255}, {256, 256}, {257, 256}, {UINT64_MAX, 256}};
	struct ledger_case *c = *state;

	case_fill(c, 300, NULL, NULL);
	for (size_t i = 0; i < array_len(limits); i++) {
		struct ledger_query q = {.what = LEDGER_PAGE, .limit = limits[i].limit};
		struct seen s = {0};

		assert_int_equal(case_query(c, &q, collect, &s), SIGNET_OK);
		assert_int_equal(s.count, limits[i].rows);
	}
}

static void
page_of_long_entries_ends_before_512_kib(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 256};
	struct seen s = {0};
	char *body = malloc(60000);

	assert_non_null(body);
	memset(body, 'a', 59999);
	memcpy(body, "\"detail\":\"", 10);
	body[59998] = '"';
	body[59999] = '\0';
	for (int i = 0; i < 20; i++)
		case_append(c, "sign", body);
	while (!q.at_end) {
		size_t before = s.count;

		s.bytes = 0;
		assert_int_equal(case_query(c, &q, collect, &s), SIGNET_OK);
		assert_in_range(s.bytes, 1, 512 * 1024);
		assert_in_range(s.count - before, 1, 8);
		q.from = q.next_from;
	}
	assert_int_equal(s.count, 20);
	free(body);
}

static void
changed_row_ends_the_page_before_it(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 256};
	struct seen s = {0};

	case_fill(c, 10, NULL, NULL);
	case_exec(c, "UPDATE entry SET bytes = x'7b7d' WHERE idx = 6");
	assert_int_equal(case_query(c, &q, collect, &s), SIGNET_OK);
	assert_int_equal(s.count, 6);
	assert_false(q.at_end);
	q.from = q.next_from;
	assert_int_equal(case_query(c, &q, collect, &s), SIGNET_ERR_IO);
	assert_non_null(strstr(q.why, "entry 6 "));
	q.from = 7;
	assert_int_equal(case_query(c, &q, collect, &s), SIGNET_OK);
	assert_int_equal(s.count, 9);
}

static void
check_openings(struct ledger_query *q, void *arg)
{
	const struct ledger_row *row = &q->rows[0];
	unsigned *count = arg;

	assert_int_equal(q->row_count, 2);
	*count = (unsigned)row->opening_count;
	if (*count == 0)
		return;
	assert_int_equal(*count, 2);
	assert_string_equal(row->openings[0].field, "number");
	assert_string_equal(row->openings[0].text, "12/QĐ-UBND");
	assert_int_equal(row->openings[0].salt[31], 0x22);
	assert_string_equal(row->openings[1].field, "title");
	assert_string_equal(row->openings[1].text, "");
	assert_int_equal(q->rows[1].opening_count, 0);
}

static void
titles_come_only_when_asked_for(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 256};
	char title[] = "", number[] = "12/QĐ-UBND";
	struct ledger_opening o[2] = {{.field = "title", .text = title}, {.field = "number", .text = number}};
	struct ledger_op op = case_append_op("sign", "");
	unsigned count;

	memset(o[1].salt, 0x22, LEDGER_HASH);
	op.openings = o;
	op.opening_count = 2;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	case_append(c, "sign", "");
	assert_int_equal(case_query(c, &q, check_openings, &count), SIGNET_OK);
	assert_int_equal(count, 0);
	q.titles = true;
	assert_int_equal(case_query(c, &q, check_openings, &count), SIGNET_OK);
	assert_int_equal(count, 2);
}

static void
check_heads(struct ledger_query *q, void *arg)
{
	struct ledger_case *c = arg;
	struct note_key k = case_key(c);
	struct checkpoint says;

	assert_int_equal(q->row_count, 4);
	assert_int_equal(q->rows[3].subtrees_len, 2 * TLOG_HASH);
	assert_int_equal(q->rows[2].subtrees_len, 0);
	assert_int_equal(
	    checkpoint_open(&says, q->rows[0].checkpoint, q->rows[0].checkpoint_len, &k), SIGNET_OK);
	assert_int_equal(says.size, 1);
}

static void
rows_come_with_hashes_and_checkpoints(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 256};

	for (int i = 0; i < 4; i++)
		case_append(c, "sign", "");
	assert_int_equal(case_query(c, &q, check_heads, c), SIGNET_OK);
}

struct again {
	struct ledger_case *c;
	unsigned left;
	bool done;
};

static void
ask_again(struct ledger_query *q)
{
	struct again *a = q->owner;

	assert_int_equal(q->row_count, 1);
	if (--a->left > 0)
		ledger_query(a->c->log, q);
	else
		a->done = true;
}

static void
answered_query_may_be_asked_again_at_once(void **state)
{
	struct ledger_case *c = *state;
	struct again a = {.c = c, .left = 5};
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 1, .done = ask_again, .owner = &a};

	case_append(c, "sign", "");
	ledger_query(c->log, &q);
	case_until(c, &a.done);
}

static void
count_answers(struct ledger_query *q)
{
	(*(unsigned *)q->owner)++;
}

static void
close_answers_every_query(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q[32] = {0};
	unsigned answers = 0;

	case_fill(c, 2000, NULL, NULL);
	for (size_t i = 0; i < array_len(q); i++) {
		q[i] = (struct ledger_query){
		    .what = LEDGER_PAGE, .limit = 256, .done = count_answers, .owner = &answers};
		ledger_query(c->log, &q[i]);
	}
	case_close(c);
	assert_int_equal(answers, array_len(q));
	for (size_t i = 0; i < array_len(q); i++)
		assert_true(q[i].err == SIGNET_OK || q[i].err == SIGNET_ERR_IO);
}

/* Filters */

static bool
passes(const struct ledger_filter *lf, const char *entry)
{
	struct filter f;

	filter_init(&f, lf);
	return filter_passes(&f, entry, strlen(entry));
}

#define HEAD                                                                                                 \
	"{\"v\":1,\"kind\":\"sign\",\"time\":\"2026-11-21T19:26:41.123456Z\",\"boot\":\"" CASE_BOOT          \
	"\",\"index\":5"

static void
filter_judges_members_not_bytes(void **state)
{
	struct ledger_filter f = {.uid = -1, .key = "office"};

	(void)state;
	assert_true(passes(&f, HEAD ",\"key\":\"office\"}"));
	assert_false(passes(&f, HEAD ",\"token\":\"office\"}"));
	assert_false(passes(&f, HEAD ",\"key\":\"office2\"}"));
	assert_false(passes(&f, HEAD ",\"detail\":\"key\\\":\\\"office\",\"key\":\"other\"}"));
	assert_false(passes(&f, HEAD "}"));
	assert_false(passes(&f, HEAD ",\"key\":\"office\"")); /* not JSON */
	assert_true(passes(&f, HEAD ",\"key\":\"\\u006fffice\",\"x\":\"office\"}"));
}

static void
filter_judges_each_member(void **state)
{
	static const char entry[] =
	    "{\"v\":1,\"kind\":\"seal\",\"time\":\"2026-11-21T19:26:41.123456Z\",\"boot\":\"" CASE_BOOT
	    "\",\"index\":5,\"clock\":\"unknown\",\"uid\":1000,\"key\":\"k/"
	    "Ủy\",\"certHash\":\"sha256:c0\",\"token\":\"t\","
	    "\"operation\":\"op\",\"digest\":\"sha256:d0\",\"documentTag\":\"dd\",\"requestId\":\"r\","
	    "\"outcome\":\"ok\","
	    "\"signatureHash\":\"sha256:50\"}";
	const struct {
		struct ledger_filter yes, no;
	} cases[] = {
	    {{.uid = -1, .kind = "seal"}, {.uid = -1, .kind = "sign"}},
	    {{.uid = 1000}, {.uid = 100}},
	    {{.uid = 1000}, {.uid = 0}},
	    {{.uid = -1, .key = "k/Ủy"}, {.uid = -1, .key = "k/Uy"}},
	    {{.uid = -1, .token = "t"}, {.uid = -1, .token = "k/Ủy"}},
	    {{.uid = -1, .operation = "op"}, {.uid = -1, .operation = "ok"}},
	    {{.uid = -1, .outcome = "ok"}, {.uid = -1, .outcome = "op"}},
	    {{.uid = -1, .digest = "sha256:d0"}, {.uid = -1, .digest = "sha256:c0"}},
	    {{.uid = -1, .document_tag = "dd"}, {.uid = -1, .document_tag = "d0"}},
	    {{.uid = -1, .cert_hash = "sha256:c0"}, {.uid = -1, .cert_hash = "sha256:d0"}},
	    {{.uid = -1, .signature_hash = "sha256:50"}, {.uid = -1, .signature_hash = "sha256:5"}},
	    {{.uid = -1, .request_id = "r"}, {.uid = -1, .request_id = "t"}},
	    {{.uid = 1000, .kind = "seal", .request_id = "r"},
		{.uid = 1000, .kind = "seal", .request_id = "x"}},
	};

	(void)state;
	assert_true(passes(NULL, entry));
	assert_true(passes(&(struct ledger_filter){.uid = -1}, entry));
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_true(passes(&cases[i].yes, entry));
		assert_false(passes(&cases[i].no, entry));
	}
}

static void
filter_of_times_is_exact(void **state)
{
	const int64_t at = INT64_C(1795289201123456);
	static const struct {
		int from, until;
		bool pass;
	} cases[] = {{0, 1, true}, {0, 0, false}, {1, 2, false}, {-1, 0, false}, {-1, 1, true}};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct ledger_filter f = {
		    .uid = -1, .from_us = at + cases[i].from, .until_us = at + cases[i].until};

		assert_int_equal(passes(&f, HEAD "}"), cases[i].pass);
	}
	assert_true(passes(&(struct ledger_filter){.uid = -1, .from_us = at}, HEAD "}"));
	assert_false(passes(&(struct ledger_filter){.uid = -1, .from_us = at + 1}, HEAD "}"));
	assert_true(passes(&(struct ledger_filter){.uid = -1, .until_us = at + 1}, HEAD "}"));
	assert_false(passes(&(struct ledger_filter){.uid = -1, .until_us = at}, HEAD "}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup_signed, case_teardown)
	    T(every_inclusion_holds_for_all_sizes),
	    T(every_consistency_holds_for_all_sizes),
	    T(roots_of_all_sizes_are_those_of_the_leaves),
	    T(what_is_not_there_is_not_proved),
	    T(missing_hash_is_an_error_that_names_its_place),
	    T(pages_follow_each_other),
	    T(page_beyond_the_end_is_empty),
	    T(page_has_at_most_256_rows),
	    T(page_of_long_entries_ends_before_512_kib),
	    T(changed_row_ends_the_page_before_it),
	    T(titles_come_only_when_asked_for),
	    T(rows_come_with_hashes_and_checkpoints),
	    T(answered_query_may_be_asked_again_at_once),
	    T(close_answers_every_query),
#undef T
	    cmocka_unit_test(filter_judges_members_not_bytes),
	    cmocka_unit_test(filter_judges_each_member),
	    cmocka_unit_test(filter_of_times_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
