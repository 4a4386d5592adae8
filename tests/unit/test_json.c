/* client/base/json.c */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "heap.h"
#include "unit.h"

/* In a block of its own size, so that a sanitizer sees a read past its end. */
static signet_err
read_bytes(json_t **out, const char *text, size_t n, const char **why)
{
	char *copy = malloc(n > 0 ? n : 1);
	signet_err err;

	assert_non_null(copy);
	memcpy(copy, text, n);
	err = json_read(out, copy, n, why);
	free(copy);
	return err;
}

static void
assert_refused_bytes(const char *text, size_t n, signet_err expected, const char *part)
{
	const char *why = NULL;
	json_t *out = NULL;

	assert_int_equal(read_bytes(&out, text, n, &why), expected);
	assert_null(out);
	assert_non_null(why);
	if (strstr(why, part) == NULL)
		fail_msg("\"%s\" was refused because \"%s\"", text, why);
	assert_int_equal(read_bytes(&out, text, n, NULL), expected);
}

static void
assert_refused(const char *text, const char *part)
{
	assert_refused_bytes(text, strlen(text), SIGNET_ERR_PROTOCOL, part);
}

static json_t *
accepted(const char *text)
{
	const char *why = "";
	json_t *out = NULL;

	if (read_bytes(&out, text, strlen(text), &why) != SIGNET_OK)
		fail_msg("\"%s\" was refused because \"%s\"", text, why);
	return out;
}

static void
reads_every_kind_of_value(void **state)
{
	owned(json_decrefp) json_t *j =
	    accepted(" {\"s\":\"\\u1ec1\xe1\xbb\x81\",\"i\":-5,\"r\":1.5,\"t\":true,"
		     "\"f\":false,\"n\":null,\"a\":[1,{}],\"o\":{\"k\":\"v\"}} \r\n\t");

	(void)state;
	assert_int_equal(json_object_size(j), 8);
	assert_string_equal(json_member_str(j, "s"), "\xe1\xbb\x81\xe1\xbb\x81");
	assert_int_equal(json_integer_value(json_object_get(j, "i")), -5);
	assert_true(json_is_real(json_object_get(j, "r")));
	assert_true(json_is_true(json_object_get(j, "t")));
	assert_true(json_is_false(json_object_get(j, "f")));
	assert_true(json_is_null(json_object_get(j, "n")));
	assert_int_equal(json_array_size(json_object_get(j, "a")), 2);
	assert_string_equal(json_member_str(json_object_get(j, "o"), "k"), "v");
}

static void
takes_only_one_object_at_the_top(void **state)
{
	(void)state;
	json_decref(accepted("{}"));
	assert_refused("[{}]", "not a JSON object");
	assert_refused("\"a\"", "not a JSON object");
	assert_refused("1", "not a JSON object");
	assert_refused("null", "not a JSON object");
	assert_refused("{}{}", "not a JSON object");
	assert_refused("{} x", "not a JSON object");
	assert_refused("", "");
	assert_refused(" ", "");
	assert_refused("{", "ends in the middle");
	assert_refused("{\"a\":\"b", "ends in the middle");
	assert_refused("{\"a\":1", "ends in the middle");
	assert_refused("}", "not a JSON object");
	assert_refused("{]", "not a JSON object");
}

static void
refuses_what_only_looks_like_json(void **state)
{
	static const char *const wrong[] = {"{'a':1}", "{a:1}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":+1}",
	    "{\"a\":.5}", "{\"a\":1.}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":0x1}", "{\"a\":1/**/}",
	    "{\"a\":True}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\n\"}", "{\"a\":\"\x01\"}",
	    "{\"a\" 1}", "{\"a\":}", "{:1}", "{1:1}", "{\"a\":[1,]}", "{,}"};

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++)
		assert_refused(wrong[i], "not a JSON object");
}

/* {"a":[[...]]} or {"a":{"a":...}} with n levels in all. */
static signet_err
read_nested(size_t n, bool objects)
{
	static char text[8 * 4096];
	size_t at = 0;
	json_t *out = NULL;
	signet_err err;

	for (size_t i = 0; i < n; i++) {
		memcpy(text + at, "{\"a\":[", 6);
		at += i == 0 || objects ? 5 : 0;
		text[at] = '[';
		at += i == 0 || objects ? 0 : 1;
	}
	text[at++] = '1';
	for (size_t i = n; i-- > 0;)
		text[at++] = i == 0 || objects ? '}' : ']';
	err = read_bytes(&out, text, at, NULL);
	json_decref(out);
	return err;
}

static void
depth_16_is_taken_and_17_is_refused(void **state)
{
	(void)state;
	for (int objects = 0; objects < 2; objects++) {
		assert_int_equal(read_nested(JSON_DEPTH_MAX - 1, objects), SIGNET_OK);
		assert_int_equal(read_nested(JSON_DEPTH_MAX, objects), SIGNET_OK);
		assert_int_equal(read_nested(JSON_DEPTH_MAX + 1, objects), SIGNET_ERR_LIMIT);
		assert_int_equal(read_nested(4000, objects), SIGNET_ERR_LIMIT);
	}
}

static void
depth_counts_nesting_not_brackets(void **state)
{
	char text[3 * 1000 + 10] = "{\"a\":[";
	size_t at = strlen(text);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		memcpy(text + at, i == 0 ? "[]" : ",[]", 3);
		at += i == 0 ? 2 : 3;
	}
	memcpy(text + at, "]}", 3);
	json_decref(accepted(text));
}

static void
brackets_in_strings_do_not_count(void **state)
{
	(void)state;
	json_decref(accepted("{\"[[[[[[[[[[[[[[[[[[[[\":\"{{{{{{{{{{{{{{{{{{{{\"}"));
	json_decref(accepted("{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[\"}"));
	json_decref(accepted("{\"a\":\"\\\\\\\"[[[[[[[[[[[[[[[[[[[[\"}"));
	/* a string that ends in a backslash ends all the same */
	assert_refused_bytes("{\"a\\\\\":[[[[[[[[[[[[[[[[[", 24, SIGNET_ERR_LIMIT, "16 deep");
	assert_refused_bytes("{\"\\\\\\\\\":[[[[[[[[[[[[[[[[[", 25, SIGNET_ERR_LIMIT, "16 deep");
}

/* {"a":"xxx"} of n bytes in all. */
static signet_err
read_long(size_t n)
{
	char *text = malloc(n);
	json_t *out = NULL;
	signet_err err;

	assert_non_null(text);
	memset(text, 'x', n);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + n - 2, "\"}", 2);
	err = json_read(&out, text, n, NULL);
	json_decref(out);
	free(text);
	return err;
}

static void
message_of_one_mebibyte_is_taken_and_one_byte_more_is_refused(void **state)
{
	(void)state;
	assert_int_equal(read_long(JSON_MESSAGE_MAX - 1), SIGNET_OK);
	assert_int_equal(read_long(JSON_MESSAGE_MAX), SIGNET_OK);
	assert_int_equal(read_long(JSON_MESSAGE_MAX + 1), SIGNET_ERR_LIMIT);
}

static void
refuses_a_nul_wherever_it_stands(void **state)
{
	(void)state;
	assert_refused_bytes("{}\0", 3, SIGNET_ERR_PROTOCOL, "NUL");
	assert_refused_bytes("\0{}", 3, SIGNET_ERR_PROTOCOL, "NUL");
	assert_refused_bytes("{\"a\":\"b\0c\"}", 11, SIGNET_ERR_PROTOCOL, "NUL");
	assert_refused("{\"a\":\"\\u0000\"}", "NUL");
	assert_refused("{\"a\\u0000b\":1}", "NUL");
}

static void
refuses_a_member_that_comes_twice(void **state)
{
	(void)state;
	assert_refused("{\"a\":1,\"a\":1}", "twice");
	assert_refused("{\"a\":1,\"\\u0061\":2}", "twice");
	assert_refused("{\"x\":[{\"k\":null,\"k\":null}]}", "twice");
	json_decref(accepted("{\"a\":{\"a\":1},\"A\":1}"));
}

static void
refuses_integers_outside_int64(void **state)
{
	owned(json_decrefp) json_t *j = accepted("{\"a\":9223372036854775807,\"b\":-9223372036854775808}");

	(void)state;
	assert_true(json_integer_value(json_object_get(j, "a")) == INT64_MAX);
	assert_true(json_integer_value(json_object_get(j, "b")) == INT64_MIN);
	assert_refused("{\"a\":9223372036854775808}", "out of range");
	assert_refused("{\"a\":-9223372036854775809}", "out of range");
	assert_refused("{\"a\":99999999999999999999999999}", "out of range");
	assert_refused("{\"a\":1e999}", "out of range");
}

static void
whole_numbers_with_a_point_are_no_integers(void **state)
{
	owned(json_decrefp) json_t *j = accepted("{\"a\":5.0,\"b\":5e0}");

	(void)state;
	assert_false(json_is_integer(json_object_get(j, "a")));
	assert_false(json_is_integer(json_object_get(j, "b")));
}

static void
refuses_utf8_that_is_not_strict(void **state)
{
	static const char *const wrong[] = {"\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
	    "\xf0\x80\x80\xaf",                         /* overlong */
	    "\xed\xa0\x80", "\xed\xbf\xbf",             /* surrogates */
	    "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", /* too large */
	    "\x80", "\xbf", "\xe1\xbb", "\xe1", "\xf0\x9f\x98", "\xff", "\xfe", "\xc3("};
	char text[32];

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		strcat(strcat(strcpy(text, "{\"a\":\""), wrong[i]), "\"}");
		assert_refused(text, "UTF-8");
		strcat(strcat(strcpy(text, "{\""), wrong[i]), "\":1}");
		assert_refused(text, "UTF-8");
	}
	assert_refused("\xef\xbb\xbf{}", "");
	assert_refused("{\"a\":\"\\ud83d\"}", "");
	assert_refused("{\"a\":\"\\ude00\"}", "");
	assert_refused("{\"a\":\"\\ude00\\ud83d\"}", "");
	json_decref(
	    accepted("{\"a\":\"\\ud83d\\ude00\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"}"));
}

static void
member_str_is_null_unless_a_string(void **state)
{
	owned(json_decrefp) json_t *j = accepted("{\"s\":\"x\",\"e\":\"\",\"n\":null,\"i\":1}");

	(void)state;
	assert_string_equal(json_member_str(j, "s"), "x");
	assert_string_equal(json_member_str(j, "e"), "");
	assert_null(json_member_str(j, "n"));
	assert_null(json_member_str(j, "i"));
	assert_null(json_member_str(j, "absent"));
	assert_null(json_member_str(NULL, "s"));
}

static void
no_memory_is_not_called_a_mistake_of_the_peer(void **state)
{
	json_malloc_t old_malloc;
	json_t *out = NULL;
	json_free_t old_free;
	const char *why = "";
	signet_err err;

	(void)state;
	json_get_alloc_funcs(&old_malloc, &old_free);
	json_set_alloc_funcs(malloc, free); /* the wrapped ones */
	heap_exhausted = true;
	err = json_read(&out, "{\"a\":\"b\"}", 9, &why);
	heap_exhausted = false;
	json_set_alloc_funcs(old_malloc, old_free);
	assert_int_equal(err, SIGNET_ERR_MEMORY);
	assert_string_equal(why, "out of memory");
	assert_null(out);
}

/* What a call with a PIN does, also one that breaks off and leaves parts of a tree. */
static void
read_needle(void)
{
	char text[200];
	json_t *out = NULL;

	snprintf(text, sizeof(text), "{\"pin\":\"%s\",\"x\":[\"%s\"]}", heap_needle, heap_needle);
	assert_int_equal(json_read(&out, text, strlen(text), NULL), SIGNET_OK);
	assert_string_equal(json_member_str(out, "pin"), heap_needle);
	json_decref(out);
	assert_int_equal(json_read(&out, text, strlen(text) - 2, NULL), SIGNET_ERR_PROTOCOL);
}

static void
jansson_leaves_a_pin_unless_told_to_wipe(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free);
	heap_leaks = 0;
	read_needle();
	assert_true(heap_leaks > 0);
}

static void
jansson_leaves_no_pin_once_told_to_wipe(void **state)
{
	(void)state;
	json_wipe_freed_memory();
	heap_leaks = 0;
	read_needle();
	assert_int_equal(heap_leaks, 0);
}

static void
a_program_that_wipes_ends_when_jansson_finds_no_memory(void **state)
{
	int status;
	pid_t child;

	(void)state;
	json_wipe_freed_memory();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		json_t *out;

		heap_exhausted = true;
		_exit(json_read(&out, "{}", 2, NULL) == SIGNET_OK);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_every_kind_of_value),
	    cmocka_unit_test(takes_only_one_object_at_the_top),
	    cmocka_unit_test(refuses_what_only_looks_like_json),
	    cmocka_unit_test(depth_16_is_taken_and_17_is_refused),
	    cmocka_unit_test(depth_counts_nesting_not_brackets),
	    cmocka_unit_test(brackets_in_strings_do_not_count),
	    cmocka_unit_test(message_of_one_mebibyte_is_taken_and_one_byte_more_is_refused),
	    cmocka_unit_test(refuses_a_nul_wherever_it_stands),
	    cmocka_unit_test(refuses_a_member_that_comes_twice),
	    cmocka_unit_test(refuses_integers_outside_int64),
	    cmocka_unit_test(whole_numbers_with_a_point_are_no_integers),
	    cmocka_unit_test(refuses_utf8_that_is_not_strict),
	    cmocka_unit_test(member_str_is_null_unless_a_string),
	    cmocka_unit_test(no_memory_is_not_called_a_mistake_of_the_peer),
	    cmocka_unit_test(jansson_leaves_a_pin_unless_told_to_wipe),
	    cmocka_unit_test(jansson_leaves_no_pin_once_told_to_wipe),
	    cmocka_unit_test(a_program_that_wipes_ends_when_jansson_finds_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
