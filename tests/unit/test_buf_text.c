/* client/base/buf_text.c */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "unit.h"

static void
assert_content(const struct buf *b, const char *expected)
{
	assert_false(b->failed);
	assert_int_equal(b->len, strlen(expected));
	assert_memory_equal(b->data, expected, b->len);
}

static void
dec_writes_what_printf_writes(void **state)
{
	uint64_t edges[] = {
	    0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9999, 10000, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
	char expected[32];
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < array_len(edges); i++) {
		buf_reset(&b);
		buf_dec(&b, edges[i]);
		snprintf(expected, sizeof(expected), "%" PRIu64, edges[i]);
		assert_content(&b, expected);
	}
	for (uint64_t v = 1, i = 0; i < 64; i++, v = v * 2 + i % 3) {
		buf_reset(&b);
		buf_dec(&b, v);
		snprintf(expected, sizeof(expected), "%" PRIu64, v);
		assert_content(&b, expected);
	}
	buf_done(&b);
}

static void
hex_is_lower_case(void **state)
{
	const uint8_t bytes[] = {0x00, 0x09, 0x0a, 0xf0, 0xff, 0x5c};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_chr(&b, '<');
	buf_hex(&b, bytes, sizeof(bytes));
	buf_hex(&b, NULL, 0);
	buf_chr(&b, '>');
	assert_content(&b, "<00090af0ff5c>");
	buf_done(&b);
}

static void
base64_is_padded(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_base64(&b, (const uint8_t *)"foob", 4);
	buf_base64(&b, NULL, 0);
	buf_base64(&b, (const uint8_t *)"\xff\xfe\xfd", 3);
	assert_content(&b, "Zm9vYg==//79");
	buf_done(&b);
}

static void
json_escapes_what_the_standard_demands(void **state)
{
	static const char text[] =
	    "\0\x01\x07\b\t\n\v\f\r\x0e\x1f !\"#/[\\]~\x7f\xc3\xa9\xe1\xbb\x81\xf0\x9f\x98\x80";
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_json(&b, text, sizeof(text) - 1);
	assert_content(&b, "\"\\u0000\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u001f !\\\"#/[\\\\]~\x7f"
			   "\xc3\xa9\xe1\xbb\x81\xf0\x9f\x98\x80\"");
	buf_reset(&b);
	buf_json(&b, NULL, 0);
	assert_content(&b, "\"\"");
	buf_done(&b);
}

/* The fast path works on eight bytes at a time: every byte must be seen in every place of a word. */
static void
json_comes_back_from_jansson_with_any_byte_in_any_place(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (int c = 0; c < 128; c++) {
		for (size_t at = 0; at < 19; at++) {
			char text[19] = "abcdefghijklmnopqrs";
			json_t *back;

			text[at] = (char)c;
			buf_reset(&b);
			buf_json(&b, text, sizeof(text));
			back =
			    json_loadb((const char *)b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			assert_non_null(back);
			assert_int_equal(json_string_length(back), sizeof(text));
			assert_memory_equal(json_string_value(back), text, sizeof(text));
			json_decref(back);
		}
	}
	buf_done(&b);
}

static void
json_leaves_bytes_above_ascii_alone(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (int c = 128; c < 256; c++) {
		char text[16];

		memset(text, c, sizeof(text));
		buf_reset(&b);
		buf_json(&b, text, sizeof(text));
		assert_int_equal(b.len, sizeof(text) + 2);
		assert_memory_equal(b.data + 1, text, sizeof(text));
	}
	buf_done(&b);
}

/* Each writer with a result of `n` bytes, into a buffer of one less, as much and one more. */
static void
assert_needs_exactly(void (*write)(struct buf *), size_t n)
{
	for (size_t max = n - 1; max <= n + 1; max++) {
		struct buf b;

		buf_init(&b, max);
		write(&b);
		assert_int_equal(b.failed, max < n);
		assert_int_equal(b.len, max < n ? 0 : n);
		buf_done(&b);
	}
}

static void
write_dec(struct buf *b)
{
	buf_dec(b, UINT64_MAX);
}

static void
write_hex(struct buf *b)
{
	buf_hex(b, (const uint8_t *)"abcd", 4);
}

static void
write_base64(struct buf *b)
{
	buf_base64(b, (const uint8_t *)"abcd", 4);
}

static void
write_plain_json(struct buf *b)
{
	buf_json(b, "abcdefghij", 10);
}

static void
write_escaped_json(struct buf *b)
{
	buf_json(b, "abcdefghij\n\x01", 12);
}

static void
each_writer_needs_exactly_its_bytes(void **state)
{
	(void)state;
	assert_needs_exactly(write_dec, 20);
	assert_needs_exactly(write_hex, 8);
	assert_needs_exactly(write_base64, 8);
	assert_needs_exactly(write_plain_json, 12);
	assert_needs_exactly(write_escaped_json, 20);
}

static void
lengths_that_would_wrap_are_refused(void **state)
{
	uint8_t byte = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_hex(&b, &byte, SIZE_MAX / 2 + 1);
	assert_true(b.failed);
	buf_reset(&b);
	buf_base64(&b, &byte, SIZE_MAX - 1);
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dec_writes_what_printf_writes),
	    cmocka_unit_test(hex_is_lower_case),
	    cmocka_unit_test(base64_is_padded),
	    cmocka_unit_test(json_escapes_what_the_standard_demands),
	    cmocka_unit_test(json_comes_back_from_jansson_with_any_byte_in_any_place),
	    cmocka_unit_test(json_leaves_bytes_above_ascii_alone),
	    cmocka_unit_test(each_writer_needs_exactly_its_bytes),
	    cmocka_unit_test(lengths_that_would_wrap_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
