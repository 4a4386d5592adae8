/*
 * Good replies, cut up without a tree: whatever `quick` takes, the tree of
 * jansson must take too and say the same of.
 */
#include <stdlib.h>
#include <string.h>

#include "result.h"

#include "unit.h"

#define PIECES                                                                                               \
	"\"signature\":\"AQIDBA==\",\"receipt\":{\"log\":\"example/"                                         \
	"log\",\"index\":10,\"time\":\"2025-03-01T08:30:00Z\","                                              \
	"\"entry\":\"{\\\"v\\\":1,\\\"x\\\":\\\"a\\\\\\\\b\\\"}\",\"leafHash\":"                             \
	"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}"
static const char one[] = "{\"parameters\":{" PIECES ",\"state\":\"done\"}}";
static const char item[] = "{\"parameters\":{\"result\":{\"item\":7," PIECES "}},\"continues\":true}";
static const char last[] = "{\"parameters\":{\"result\":{\"item\":0," PIECES "}}}";

static void
assert_same(const struct result *a, const struct result *b)
{
	assert_int_equal(a->shown.index, b->shown.index);
	assert_int_equal(a->shown.signature_size, b->shown.signature_size);
	assert_memory_equal(a->shown.signature, b->shown.signature, a->shown.signature_size);
	assert_memory_equal(a->shown.leaf_hash, b->shown.leaf_hash, LEAF_SIZE);
	assert_string_equal(a->shown.log, b->shown.log);
	assert_string_equal(a->shown.time, b->shown.time);
	assert_string_equal(a->shown.entry, b->shown.entry);
	assert_null(a->shown.proof);
	assert_null(b->shown.proof);
}

/* True: quick took it, and then so did the tree. The text lies in a block of its own: a byte too far is seen. */
static bool
agree(const char *text, size_t len, bool is_item)
{
	char *copy = malloc(len == 0 ? 1 : len);
	struct result *fast = NULL, *slow;
	json_t *message = NULL;
	struct reply r;
	struct quick q;
	const json_t *object;

	memcpy(copy, text, len);
	if (quick_read(&q, copy, len, is_item))
		fast = result_from_quick(&q);
	if (fast != NULL) {
		assert_int_equal(json_read(&message, copy, len, NULL), SIGNET_OK);
		assert_int_equal(reply_parse(&r, message), SIGNET_OK);
		object = is_item ? json_object_get(r.parameters, "result") : r.parameters;
		slow = result_from_tree(&r, object);
		assert_non_null(slow);
		assert_same(fast, slow);
		assert_int_equal(r.continues, q.continues);
		if (is_item)
			assert_int_equal(json_integer_value(json_object_get(object, "item")), q.item);
		else
			assert_string_equal(slow->shown.state, "done");
		signet_result_free(&slow->shown);
		reply_done(&r);
		json_decref(message);
	}
	free(copy);
	if (fast == NULL)
		return false;
	signet_result_free(&fast->shown);
	return true;
}

static void
takes_what_the_daemon_writes(void **state)
{
	(void)state;
	assert_true(agree(one, strlen(one), false));
	assert_true(agree(item, strlen(item), true));
	assert_true(agree(last, strlen(last), true));
}

static void
unescapes_the_entry(void **state)
{
	struct quick q;
	struct result *r;

	(void)state;
	assert_true(quick_read(&q, one, strlen(one), false));
	r = result_from_quick(&q);
	assert_string_equal(r->shown.entry, "{\"v\":1,\"x\":\"a\\\\b\"}");
	assert_int_equal(r->shown.signature_size, 4);
	signet_result_free(&r->shown);
}

static void
leaves_the_other_kind_to_the_tree(void **state)
{
	(void)state;
	assert_false(agree(one, strlen(one), true));
	assert_false(agree(item, strlen(item), false));
	assert_false(agree("", 0, false));
	assert_false(agree("{}", 2, false));
}

static void
takes_no_part_of_a_reply(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < strlen(one); n++)
		assert_false(agree(one, n, false));
	for (n = 0; n < strlen(item); n++)
		assert_false(agree(item, n, true));
}

/* Every byte replaced by every other byte: about 200,000 texts, most of them nonsense. */
static void
agrees_with_the_tree_on_every_changed_byte(void **state)
{
	const struct {
		const char *text;
		bool is_item;
	} all[] = {{one, false}, {item, true}, {last, true}};
	char copy[sizeof(item) + sizeof(one)];
	size_t i, at, taken = 0;
	unsigned byte;

	(void)state;
	for (i = 0; i < array_len(all); i++) {
		size_t n = strlen(all[i].text);

		memcpy(copy, all[i].text, n);
		for (at = 0; at < n; at++) {
			for (byte = 0; byte < 256; byte++) {
				copy[at] = (char)byte;
				taken += agree(copy, n, all[i].is_item);
			}
			copy[at] = all[i].text[at];
		}
	}
	assert_true(taken > 1000); /* other digits, other letters: it is not all nonsense */
}

static void
takes_numbers_only_where_they_are_exact(void **state)
{
	static const struct {
		const char *number;
		bool taken;
	} all[] = {{"0", true}, {"7", true}, {"01", false}, {"00", false}, {"-1", false}, {"1.0", false},
	    {"1e1", false}, {"", false}, {"999999999999999999", true}, {"1000000000000000000", false}};
	char text[1024];
	size_t i;

	(void)state;
	for (i = 0; i < array_len(all); i++) {
		(void)snprintf(text, sizeof(text), "{\"parameters\":{\"result\":{\"item\":%s," PIECES "}}}",
		    all[i].number);
		assert_int_equal(agree(text, strlen(text), true), all[i].taken);
	}
}

#define ENTRY                                                                                                \
	"{\"parameters\":{\"entry\":{\"index\":12,\"entry\":\"{\\\"v\\\":1,\\\"key\\\":\\\"\xc4\x91\\\\\\\\\\\"}\",\"leafHash\":\"AA==\""
static const char entry_bare[] = ENTRY "}},\"continues\":true}";
static const char entry_full[] = ENTRY
    ",\"subtrees\":\"AAAA\",\"checkpoint\":\"log\\n13\\nAA==\\n\\n\xe2\x80\x94 log AA==\\n\"}},\"continues\":true}";

/* True: it was taken, and the tree has the same parameters. */
static bool
agree_on_entry(const char *text, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);
	const char *parameters;
	json_t *message = NULL, *passed;
	size_t size;
	bool taken;

	memcpy(copy, text, len);
	taken = quick_entry(copy, len, &parameters, &size);
	if (taken) {
		assert_int_equal(json_read(&message, copy, len, NULL), SIGNET_OK);
		assert_true(json_is_true(json_object_get(message, "continues")));
		passed = json_loadb(parameters, size, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(passed);
		assert_true(json_equal(passed, json_object_get(message, "parameters")));
		json_decref(passed);
		json_decref(message);
	}
	free(copy);
	return taken;
}

static void
entry_of_a_log_is_passed_on_as_the_tree_has_it(void **state)
{
	static const char *const all[] = {entry_bare, entry_full};
	char copy[sizeof(entry_full)];
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < array_len(all); i++) {
		size_t n = strlen(all[i]);

		assert_true(agree_on_entry(all[i], n));
		for (size_t cut = 0; cut < n; cut++)
			assert_false(agree_on_entry(all[i], cut));
		memcpy(copy, all[i], n);
		for (size_t at = 0; at < n; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				copy[at] = (char)byte;
				taken += agree_on_entry(copy, n);
			}
			copy[at] = all[i][at];
		}
	}
	assert_true(taken > 1000);
	assert_false(agree_on_entry(one, strlen(one)));
	assert_false(agree_on_entry("{\"parameters\":{\"entry\":null}}", 30));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entry_of_a_log_is_passed_on_as_the_tree_has_it),
	    cmocka_unit_test(takes_what_the_daemon_writes),
	    cmocka_unit_test(unescapes_the_entry),
	    cmocka_unit_test(leaves_the_other_kind_to_the_tree),
	    cmocka_unit_test(takes_no_part_of_a_reply),
	    cmocka_unit_test(agrees_with_the_tree_on_every_changed_byte),
	    cmocka_unit_test(takes_numbers_only_where_they_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
