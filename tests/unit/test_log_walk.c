/*
 * client/signetctl/log_walk.c, log_time.c, log_filter.c: what was changed in the answers of a daemon, or in an
 * exported log, is found and its place named; times and filters mean what they say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"

#include "log.h"
#include "published.h"
#include "unit.h"

const struct verb verbs[1] = {{0}};
const size_t verb_count = 0;

enum { SIZE = 300, TRIES = 4000 };

static struct published log_;
static json_t *wire[SIZE];
static signet_checkpoint head;

/* A checkpoint was stored with these, as after commits of several entries. */
static bool
has_checkpoint(uint64_t index)
{
	return index % 31 == 3 || index == SIZE - 1;
}

static json_t *
base64_json(const uint8_t *bytes, size_t size)
{
	char text[BASE64_LEN(TLOG_LEVELS * TLOG_HASH)];

	base64_encode(text, bytes, size);
	return json_stringn(text, BASE64_LEN(size));
}

static int
make_log(void **state)
{
	uint8_t completed[TLOG_LEVELS][TLOG_HASH];
	struct tlog_tree tree = {0};
	struct buf note;

	(void)state;
	published_init(&log_, "", "log.example");
	log_.leaf = malloc(SIZE * (size_t)TLOG_HASH);
	assert_non_null(log_.leaf);
	for (uint64_t i = 0; i < SIZE; i++) {
		size_t size;
		char *entry = published_entry(&log_, i, &size);
		unsigned count;

		tlog_leaf(log_.leaf[i], entry, size);
		count = tlog_tree_push(&tree, log_.leaf[i], completed);
		wire[i] = json_pack("{s:I, s:s%, s:o}", "index", (json_int_t)i, "entry", entry, size,
		    "leafHash", base64_json(log_.leaf[i], TLOG_HASH));
		if (count > 0)
			json_object_set_new(
			    wire[i], "subtrees", base64_json(completed[0], count * sizeof(completed[0])));
		published_note(&log_, i + 1, &note);
		if (has_checkpoint(i))
			json_object_set_new(
			    wire[i], "checkpoint", json_stringn((const char *)note.data, note.len));
		if (i == SIZE - 1)
			assert_int_equal(
			    signet_log_checkpoint((const char *)note.data, note.len, log_.vkey, &head),
			    SIGNET_OK);
		buf_done(&note);
		free(entry);
	}
	return 0;
}

static int
remove_log(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SIZE; i++)
		json_decref(wire[i]);
	published_done(&log_);
	return 0;
}

static void
assert_same_text(const json_t *object, const char *name, const char *scanned)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_true((text == NULL) == (scanned == NULL));
	if (text != NULL)
		assert_string_equal(scanned, text);
}

/* True: it was taken, and a tree would say the same. The text lies in a block of its own: a byte too far is seen. */
static bool
scan_agrees(const char *text, size_t size)
{
	static struct log_scanned scanned;
	char *copy = malloc(size == 0 ? 1 : size);
	json_t *reply = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *object = json_object_get(reply, "entry");
	bool taken;

	memcpy(copy, text, size);
	/* what is no JSON never comes so far */
	taken = reply != NULL && log_scan(&scanned, copy, size);
	if (taken) {
		assert_int_equal(scanned.index, json_integer_value(json_object_get(object, "index")));
		assert_int_equal(scanned.entry_size, json_string_length(json_object_get(object, "entry")));
		assert_same_text(object, "entry", scanned.entry);
		assert_same_text(object, "leafHash", scanned.leaf);
		assert_same_text(object, "subtrees", scanned.subtrees);
		assert_same_text(object, "checkpoint", scanned.checkpoint);
	}
	log_scan_done(&scanned);
	json_decref(reply);
	free(copy);
	return taken;
}

static void
what_is_scanned_is_what_a_tree_would_say(void **state)
{
	size_t taken = 0;

	(void)state;
	for (unsigned i = 0; i < SIZE; i++) {
		json_t *reply = json_pack("{s:O}", "entry", wire[i]);
		char *text = json_dumps(reply, JSON_COMPACT);
		size_t size = strlen(text);

		assert_true(scan_agrees(text, size));
		for (unsigned n = 0; n < 200; n++) {
			size_t at = (size_t)rand() % size;
			char was = text[at];

			text[at] = (char)(rand() % 256);
			taken += scan_agrees(text, size);
			text[at] = was;
			assert_false(scan_agrees(text, at));
		}
		free(text);
		json_decref(reply);
	}
	assert_true(taken > SIZE); /* other digits and letters are as good */
}

static void
walk_one(struct log_walk *w, const json_t *object, uint64_t index)
{
	const json_t *text = json_object_get(object, "entry");
	struct log_entry e = {.log = "log.example",
	    .index = index,
	    .text = json_string_value(text),
	    .size = json_string_length(text),
	    .wire = object};

	log_walk_entry(w, &e);
	json_decref(e.read);
}

/* All entries, with `changed` in place of entry `at`. */
static void
walk(struct log_walk *w, const signet_checkpoint *since, uint64_t at, const json_t *changed)
{
	log_walk_begin(w, &log_.signer.key, "log.example", since);
	w->quiet = true;
	for (uint64_t i = 0; i < SIZE; i++) {
		if (changed == NULL && i == at)
			continue;
		walk_one(w, i == at ? changed : wire[i], i);
	}
	log_walk_end(w, &head);
}

static void
log_as_it_was_written_is_good(void **state)
{
	struct log_walk w;

	(void)state;
	walk(&w, NULL, SIZE, NULL);
	assert_int_equal(w.faults, 0);
	assert_int_equal(w.entries, SIZE);
	assert_int_equal(w.checkpoints, (SIZE - 3 + 30) / 31 + 1);
	assert_false(w.gap);
}

static void
remembered_checkpoint_must_be_on_the_way(void **state)
{
	signet_checkpoint since = head;
	struct buf note;
	struct log_walk w;

	(void)state;
	published_note(&log_, 100, &note);
	assert_int_equal(
	    signet_log_checkpoint((const char *)note.data, note.len, log_.vkey, &since), SIGNET_OK);
	buf_done(&note);
	walk(&w, &since, SIZE, NULL);
	assert_int_equal(w.faults, 0);
	since.root[3] ^= 1;
	walk(&w, &since, SIZE, NULL);
	assert_int_equal(w.faults, 1);
	assert_non_null(strstr(w.first_fault, "first 100 entries"));
}

/* The number of the entry that the sentence names. */
static bool
names(const char *sentence, uint64_t index)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "entry %llu", (unsigned long long)index);
	sentence = strstr(sentence, text);
	return sentence != NULL && strchr("0123456789", sentence[strlen(text)]) == NULL;
}

static json_t *
with_changed_member(uint64_t at, const char *member)
{
	json_t *copy = json_copy(wire[at]);
	const char *was = json_string_value(json_object_get(wire[at], member));
	size_t n = strlen(was);
	char *text = strdup(was);
	json_t *value;

	/* another text that is UTF-8: what is not never gets so far */
	for (;;) {
		memcpy(text, was, n);
		text[(size_t)random() % n] = (char)(0x20 + random() % 0x5f);
		value = json_string(text);
		if (value != NULL && strcmp(text, was) != 0)
			break;
		json_decref(value);
	}
	assert_int_equal(json_object_set_new(copy, member, value), 0);
	free(text);
	return copy;
}

static void
every_change_is_found_and_its_entry_named(void **state)
{
	static const char *const members[] = {"entry", "leafHash", "subtrees", "checkpoint"};
	struct log_walk w;

	(void)state;
	srandom(7);
	for (unsigned tries = 0; tries < TRIES;) {
		uint64_t at = (uint64_t)random() % SIZE;
		const char *member = members[random() % 4];
		json_t *changed;

		if (json_object_get(wire[at], member) == NULL)
			continue;
		changed = with_changed_member(at, member);
		walk(&w, NULL, at, changed);
		if (w.faults == 0 || !names(w.first_fault, at))
			print_message(
			    "%s of entry %llu: %s\n", member, (unsigned long long)at, w.first_fault);
		assert_true(w.faults >= 1);
		assert_true(names(w.first_fault, at));
		json_decref(changed);
		tries++;
	}
}

static void
says_whether_entry_or_hash_is_the_wrong_one(void **state)
{
	struct log_walk w;
	json_t *changed;
	uint8_t zeroes[TLOG_HASH] = {0};

	(void)state;
	changed = json_copy(wire[40]);
	json_object_set_new(changed, "leafHash", base64_json(zeroes, sizeof(zeroes)));
	walk(&w, NULL, 40, changed);
	assert_int_equal(w.faults, 1);
	assert_string_equal(w.first_fault,
	    "the stored hash of entry 40 is wrong; the entry itself is the one that was logged");
	json_decref(changed);
	changed = json_copy(wire[40]);
	json_object_set_new(changed, "entry",
	    json_string("{\"v\":1,\"kind\":\"sign\",\"time\":\"t\",\"boot\":\"b\",\"index\":40,\"clock\":"
			"\"unknown\"}"));
	walk(&w, NULL, 40, changed);
	assert_int_equal(w.faults, 1);
	assert_string_equal(w.first_fault, "entry 40 is not the one that was logged");
	json_decref(changed);
}

/* By one who can write the database but not sign. */
static void
entry_and_its_hashes_changed_together_are_found_between_two_checkpoints(void **state)
{
	static const char text[] =
	    "{\"v\":1,\"kind\":\"sign\",\"time\":\"t\",\"boot\":\"b\",\"index\":41,\"clock\":\"unknown\"}";
	uint8_t leaf[TLOG_HASH], node[TLOG_HASH];
	struct log_walk w;
	json_t *changed = json_copy(wire[41]);

	(void)state;
	tlog_leaf(leaf, text, strlen(text));
	tlog_node(node, log_.leaf[40], leaf);
	json_object_set_new(changed, "entry", json_string(text));
	json_object_set_new(changed, "leafHash", base64_json(leaf, sizeof(leaf)));
	json_object_set_new(changed, "subtrees", base64_json(node, sizeof(node)));
	walk(&w, NULL, 41, changed);
	assert_true(w.faults >= 1);
	/* the subtree of four was not written anew, or else the checkpoint tells */
	assert_true(strstr(w.first_fault, "stored with entry 43") != NULL ||
		    strstr(w.first_fault, "one of the entries 35 to 65") != NULL);
	json_decref(changed);
}

static void
missing_entries_are_named(void **state)
{
	struct log_walk w;

	(void)state;
	walk(&w, NULL, 17, NULL);
	assert_string_equal(w.first_fault, "entries 17 to 17 are missing");
	assert_true(w.gap);
	walk(&w, NULL, SIZE - 1, NULL);
	assert_string_equal(w.first_fault, "entry 299 is missing: the checkpoint has 300 entries");
}

/* --- times --- */

static void
times_of_people_become_times_of_the_log(void **state)
{
	static const struct {
		const char *text;
		bool end;
		const char *want;
	} vectors[] = {
	    {"2026-11-21", false, "2026-11-20T17:00:00.000000Z"},
	    {"2026-11-21", true, "2026-11-21T17:00:00.000000Z"},
	    {"2026-11-21 10:30", false, "2026-11-21T03:30:00.000000Z"},
	    {"2026-11-21T10:30", true, "2026-11-21T03:31:00.000000Z"},
	    {"2026-11-21 10:30:05", false, "2026-11-21T03:30:05.000000Z"},
	    {"2026-11-21 10:30:05", true, "2026-11-21T03:30:06.000000Z"},
	    {"2026-11-21T03:30:00Z", false, "2026-11-21T03:30:00.000000Z"},
	    {"2026-11-21T03:30:00Z", true, "2026-11-21T03:30:00.000000Z"},
	    {"2026-11-21T03:30:00.5Z", false, "2026-11-21T03:30:00.500000Z"},
	    {"2026-11-21T03:30:00.123456789Z", false, "2026-11-21T03:30:00.123456Z"},
	    {"2026-12-31", true, "2026-12-31T17:00:00.000000Z"},
	};
	static const char *const wrong[] = {"", "yesterday", "2026", "2026-11", "2026-13-01", "2026-11-21x",
	    "21.11.2026", "2026-11-21T10:30:00+07:00", "2026-11-21T03:30:00.Z",
	    "2026-11-21T03:30:00.1234567890Z"};
	char out[LOG_TIME];

	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Ho_Chi_Minh", 1), 0);
	tzset();
	for (size_t i = 0; i < array_len(vectors); i++) {
		assert_true(log_time_read(vectors[i].text, vectors[i].end, out));
		assert_string_equal(out, vectors[i].want);
	}
	for (size_t i = 0; i < array_len(wrong); i++) {
		if (log_time_read(wrong[i], false, out))
			fail_msg("%s: %s", wrong[i], out);
	}
}

static void
day_of_a_clock_change_has_its_own_length(void **state)
{
	char from[LOG_TIME], until[LOG_TIME];

	(void)state;
	assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
	tzset();
	assert_true(log_time_read("2026-10-25", false, from) && log_time_read("2026-10-25", true, until));
	assert_string_equal(from, "2026-10-24T22:00:00.000000Z");
	assert_string_equal(until, "2026-10-25T23:00:00.000000Z"); /* 25 hours */
}

/* --- filters --- */

static bool
passes(const char *filter, uint64_t index)
{
	const json_t *text = json_object_get(wire[index], "entry");
	struct log_entry e = {.index = index,
	    .text = json_string_value(text),
	    .size = json_string_length(text),
	    .wire = wire[index]};
	struct log_query q = {.filter = {json_loads(filter, 0, NULL)}, .filter_count = 1};
	bool passed;

	assert_non_null(q.filter[0]);
	passed = log_passes(&q, &e);
	json_decref(e.read);
	log_query_done(&q);
	return passed;
}

static void
filter_passes_what_meets_all_of_it(void **state)
{
	(void)state;
	/* entry 17: 2026-01-01T00:17:41.000017Z, uid 1003, key "đấu" */
	assert_true(passes("{}", 17));
	assert_true(passes("{\"uid\":1003}", 17));
	assert_false(passes("{\"uid\":1004}", 17));
	assert_true(passes("{\"key\":\"\xc4\x91\xe1\xba\xa5u\",\"outcome\":\"ok\",\"kind\":\"sign\"}", 17));
	assert_false(passes("{\"key\":\"office\"}", 17));
	assert_false(passes("{\"uid\":1003,\"outcome\":\"failed\"}", 17));
	assert_false(passes("{\"token\":\"sandbox\"}", 17));
	assert_true(passes("{\"from\":\"2026-01-01T00:17:41.000017Z\"}", 17));
	assert_false(passes("{\"from\":\"2026-01-01T00:17:41.000018Z\"}", 17));
	assert_true(passes("{\"until\":\"2026-01-01T00:17:41.000018Z\"}", 17));
	assert_false(passes("{\"until\":\"2026-01-01T00:17:41.000017Z\"}", 17));
	assert_false(passes("{\"number\":\"17\"}", 17));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_scanned_is_what_a_tree_would_say),
	    cmocka_unit_test(log_as_it_was_written_is_good),
	    cmocka_unit_test(remembered_checkpoint_must_be_on_the_way),
	    cmocka_unit_test(every_change_is_found_and_its_entry_named),
	    cmocka_unit_test(says_whether_entry_or_hash_is_the_wrong_one),
	    cmocka_unit_test(entry_and_its_hashes_changed_together_are_found_between_two_checkpoints),
	    cmocka_unit_test(missing_entries_are_named),
	    cmocka_unit_test(times_of_people_become_times_of_the_log),
	    cmocka_unit_test(day_of_a_clock_change_has_its_own_length),
	    cmocka_unit_test(filter_passes_what_meets_all_of_it),
	};

	return cmocka_run_group_tests(tests, make_log, remove_log);
}
