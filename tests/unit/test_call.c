/* client/base/call.c */
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "unit.h"

static json_t *
json_of(const char *text)
{
	json_t *j = NULL;

	if (json_read(&j, text, strlen(text), NULL) != SIGNET_OK)
		fail_msg("the test itself is wrong: %s", text);
	return j;
}

static signet_err
parse_call(struct call *c, const char *text)
{
	owned(json_decrefp) json_t *j = json_of(text);

	return call_parse(c, j);
}

static signet_err
parse_reply(struct reply *r, const char *text)
{
	owned(json_decrefp) json_t *j = json_of(text);

	return reply_parse(r, j);
}

static void
call_lives_on_without_its_first_owner(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(
	    parse_call(&c, "{\"method\":\"a.b.C\",\"parameters\":{\"x\":1},\"more\":true,\"upgrade\":false}"),
	    SIGNET_OK);
	assert_string_equal(c.method, "a.b.C");
	assert_int_equal(json_integer_value(json_object_get(c.parameters, "x")), 1);
	assert_true(c.more);
	assert_false(c.oneway);
	assert_false(c.upgrade);
	call_done(&c);
	assert_null(c.message);
	call_done(&c);
}

static void
missing_null_and_empty_parameters_are_the_same(void **state)
{
	static const char *const texts[] = {"{\"method\":\"a.b.C\"}",
	    "{\"method\":\"a.b.C\",\"parameters\":null}", "{\"method\":\"a.b.C\",\"parameters\":{}}"};

	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		struct call c;

		assert_int_equal(parse_call(&c, texts[i]), SIGNET_OK);
		assert_true(json_is_object(c.parameters));
		assert_int_equal(json_object_size(c.parameters), 0);
		call_done(&c);
	}
}

static void
null_flags_are_absent_flags(void **state)
{
	struct call c;

	(void)state;
	assert_int_equal(
	    parse_call(&c, "{\"method\":\"a.b.C\",\"more\":null,\"oneway\":null,\"upgrade\":null}"),
	    SIGNET_OK);
	assert_false(c.more || c.oneway || c.upgrade);
	call_done(&c);
	assert_int_equal(
	    parse_call(&c, "{\"method\":\"a.b.C\",\"oneway\":true,\"upgrade\":true}"), SIGNET_OK);
	assert_true(c.oneway && c.upgrade && !c.more);
	call_done(&c);
}

static void
call_refuses_members_of_the_wrong_type(void **state)
{
	static const char *const wrong[] = {"{}", "{\"parameters\":{}}", "{\"method\":null}",
	    "{\"method\":1}", "{\"method\":[\"a.b.C\"]}", "{\"method\":\"a.b.C\",\"parameters\":[]}",
	    "{\"method\":\"a.b.C\",\"parameters\":\"\"}", "{\"method\":\"a.b.C\",\"parameters\":false}",
	    "{\"method\":\"a.b.C\",\"more\":1}", "{\"method\":\"a.b.C\",\"more\":\"true\"}",
	    "{\"method\":\"a.b.C\",\"oneway\":{}}", "{\"method\":\"a.b.C\",\"upgrade\":0}"};

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		struct call c = {.method = "untouched"};

		assert_int_equal(parse_call(&c, wrong[i]), SIGNET_ERR_PROTOCOL);
		assert_string_equal(c.method, "untouched");
		assert_null(c.message);
	}
}

/* Is {"method":...,"<name>":<value>} a call? */
static signet_err
with_member(const char *name, const char *value)
{
	owned(json_decrefp) json_t *j = json_of("{\"method\":\"a.b.C\"}");
	struct call c;
	signet_err err;

	assert_int_equal(json_object_set_new(j, name, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
	err = call_parse(&c, j);
	if (err == SIGNET_OK)
		call_done(&c);
	return err;
}

static void
extension_is_an_object_under_a_reverse_domain(void **state)
{
	static const char *const good[] = {
	    "org.example", "org.example.trace", "com.my--site.9-x", "a.0", "O.X"};
	static const char *const bad[] = {"", "trace", "Method", ".", "org.", ".org", "org..x", "org.x-",
	    "org.-x", "-org.x", "org-.x", "1.x", "9org.x", "org.x_y", "org.ex ample", "org.\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		assert_int_equal(with_member(good[i], "{}"), SIGNET_OK);
		assert_int_equal(with_member(good[i], "{\"id\":1}"), SIGNET_OK);
		assert_int_equal(with_member(good[i], "\"text\""), SIGNET_ERR_PROTOCOL);
		assert_int_equal(with_member(good[i], "null"), SIGNET_ERR_PROTOCOL);
		assert_int_equal(with_member(good[i], "[]"), SIGNET_ERR_PROTOCOL);
	}
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(with_member(bad[i], "{}"), SIGNET_ERR_PROTOCOL);
}

static void
only_an_object_is_a_call_or_a_reply(void **state)
{
	owned(json_decrefp) json_t *array = json_array();
	struct reply r;
	struct call c;

	(void)state;
	assert_int_equal(call_parse(&c, array), SIGNET_ERR_PROTOCOL);
	assert_int_equal(reply_parse(&r, array), SIGNET_ERR_PROTOCOL);
}

static void
reply_has_parameters_error_and_continues(void **state)
{
	struct reply r;

	(void)state;
	assert_int_equal(parse_reply(&r, "{\"parameters\":{\"x\":1},\"continues\":true}"), SIGNET_OK);
	assert_null(r.error);
	assert_true(r.continues);
	assert_int_equal(json_object_size(r.parameters), 1);
	reply_done(&r);
	assert_int_equal(parse_reply(&r, "{\"error\":\"a.b.Busy\"}"), SIGNET_OK);
	assert_string_equal(r.error, "a.b.Busy");
	assert_false(r.continues);
	assert_int_equal(json_object_size(r.parameters), 0);
	reply_done(&r);
	assert_int_equal(
	    parse_reply(&r, "{\"error\":null,\"parameters\":null,\"continues\":null}"), SIGNET_OK);
	assert_null(r.error);
	reply_done(&r);
	reply_done(&r);
}

static void
reply_refuses_members_of_the_wrong_type(void **state)
{
	static const char *const wrong[] = {"{\"error\":1}", "{\"parameters\":[]}", "{\"continues\":1}",
	    "{\"method\":\"a.b.C\"}", "{\"org.example\":1}"};

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		struct reply r = {.error = "untouched"};

		assert_int_equal(parse_reply(&r, wrong[i]), SIGNET_ERR_PROTOCOL);
		assert_string_equal(r.error, "untouched");
	}
}

/* The buffer holds this text and its NUL, nothing else; it is empty afterwards. */
static void
assert_frame(struct buf *b, const char *text)
{
	assert_false(b->failed);
	assert_int_equal(b->len, strlen(text) + 1);
	assert_string_equal((const char *)b->data, text);
	buf_reset(b);
}

static void
call_is_written_as_one_frame(void **state)
{
	owned(json_decrefp) json_t *parameters = json_of("{\"key\":\"\\u0001\xc3\xa9/\",\"n\":[1,null]}");
	owned(json_decrefp) json_t *empty = json_object();
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	call_write(&b, "a.b.C", NULL, false, false);
	assert_frame(&b, "{\"method\":\"a.b.C\"}");
	call_write(&b, "a.b.C", empty, false, true);
	assert_frame(&b, "{\"method\":\"a.b.C\",\"oneway\":true}");
	call_write(&b, "a\"C", parameters, true, false);
	assert_frame(&b, "{\"method\":\"a\\\"C\",\"parameters\":{\"key\":\"\\u0001\xc3\xa9/"
			 "\",\"n\":[1,null]},\"more\":true}");
	buf_done(&b);
}

static void
reply_is_written_as_one_frame(void **state)
{
	owned(json_decrefp) json_t *parameters = json_of("{\"x\":1}");
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	reply_write(&b, NULL, false);
	assert_frame(&b, "{}");
	reply_write(&b, NULL, true);
	assert_frame(&b, "{\"continues\":true}");
	reply_write(&b, parameters, true);
	assert_frame(&b, "{\"parameters\":{\"x\":1},\"continues\":true}");
	reply_write_error(&b, "a.b.Busy", NULL);
	assert_frame(&b, "{\"error\":\"a.b.Busy\"}");
	reply_write_error(&b, "a.b.Busy", parameters);
	assert_frame(&b, "{\"error\":\"a.b.Busy\",\"parameters\":{\"x\":1}}");
	buf_done(&b);
}

static void
frames_follow_each_other(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	reply_write(&b, NULL, true);
	reply_write(&b, NULL, false);
	assert_int_equal(b.len, 22);
	assert_memory_equal(b.data, "{\"continues\":true}\0{}", 22);
	buf_done(&b);
}

static void
frame_that_does_not_fit_leaves_nothing_of_itself(void **state)
{
	owned(json_decrefp) json_t *parameters = json_of("{\"pin\":\"123456\"}");
	/* {"continues":true} and its NUL, then the whole call */
	const size_t first = 19,
		     call = strlen("{\"method\":\"a.b.C\",\"parameters\":{\"pin\":\"123456\"}}") + 1;

	(void)state;
	for (size_t max = first; max <= first + call; max++) {
		struct buf b;

		buf_init_secret(&b, max);
		memset(buf_room(&b, max), 0, max);
		reply_write(&b, NULL, true);
		call_write(&b, "a.b.C", parameters, false, false);
		assert_int_equal(b.failed, max < first + call);
		assert_int_equal(b.len, b.failed ? first : first + call);
		if (b.failed)
			assert_null(memmem(b.data, b.cap, "123", 3));
		buf_done(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(call_lives_on_without_its_first_owner),
	    cmocka_unit_test(missing_null_and_empty_parameters_are_the_same),
	    cmocka_unit_test(null_flags_are_absent_flags),
	    cmocka_unit_test(call_refuses_members_of_the_wrong_type),
	    cmocka_unit_test(extension_is_an_object_under_a_reverse_domain),
	    cmocka_unit_test(only_an_object_is_a_call_or_a_reply),
	    cmocka_unit_test(reply_has_parameters_error_and_continues),
	    cmocka_unit_test(reply_refuses_members_of_the_wrong_type),
	    cmocka_unit_test(call_is_written_as_one_frame),
	    cmocka_unit_test(reply_is_written_as_one_frame),
	    cmocka_unit_test(frames_follow_each_other),
	    cmocka_unit_test(frame_that_does_not_fit_leaves_nothing_of_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
