/* client/base/digest.c */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "unit.h"

/* "<alg>:" and n times the same character. */
static const char *
text_of(const char *alg, size_t n, char c)
{
	static char text[300];
	size_t at = (size_t)snprintf(text, sizeof(text), "%s:", alg);

	memset(text + at, c, n);
	text[at + n] = '\0';
	return text;
}

static void
assert_refused(const char *text, const char *part)
{
	struct digest d = {.alg = DIGEST_SHA512, .bytes = {7}};
	const char *why = NULL;

	assert_int_equal(digest_parse(&d, text, &why), SIGNET_ERR_BAD_DIGEST);
	assert_non_null(why);
	assert_non_null(strstr(why, part));
	/* outputs are untouched */
	assert_int_equal(d.alg, DIGEST_SHA512);
	assert_int_equal(d.bytes[0], 7);
	assert_int_equal(digest_parse(&d, text, NULL), SIGNET_ERR_BAD_DIGEST);
}

static void
reads_and_writes_each_algorithm(void **state)
{
	static const struct {
		const char *name;
		enum signet_digest_alg alg;
		size_t size;
	} algs[] = {
	    {"sha256", DIGEST_SHA256, 32}, {"sha384", DIGEST_SHA384, 48}, {"sha512", DIGEST_SHA512, 64}};

	(void)state;
	for (size_t i = 0; i < array_len(algs); i++) {
		const char *text = text_of(algs[i].name, 2 * algs[i].size, 'c');
		char out[DIGEST_TEXT_MAX];
		struct digest d;

		assert_int_equal(digest_parse(&d, text, NULL), SIGNET_OK);
		assert_int_equal(d.alg, algs[i].alg);
		assert_int_equal(digest_size(d.alg), algs[i].size);
		assert_string_equal(digest_name(d.alg), algs[i].name);
		assert_int_equal(d.bytes[algs[i].size - 1], 0xcc);
		digest_format(&d, out);
		assert_string_equal(out, text);
	}
}

static void
keeps_the_order_of_nibbles(void **state)
{
	static const char text[] = "sha256:0123456789abcdeffedcba98765432100123456789abcdeffedcba9876543210";
	char out[DIGEST_TEXT_MAX];
	struct digest d;

	(void)state;
	assert_int_equal(digest_parse(&d, text, NULL), SIGNET_OK);
	assert_int_equal(d.bytes[0], 0x01);
	assert_int_equal(d.bytes[7], 0xef);
	assert_int_equal(d.bytes[8], 0xfe);
	assert_int_equal(d.bytes[31], 0x10);
	digest_format(&d, out);
	assert_string_equal(out, text);
}

static void
refuses_weak_algorithms_by_name(void **state)
{
	(void)state;
	assert_refused(text_of("sha1", 40, 'a'), "too weak");
	assert_refused(text_of("md5", 32, 'a'), "too weak");
	assert_refused(text_of("sha224", 56, 'a'), "too weak");
	assert_refused(text_of("ripemd160", 40, 'a'), "too weak");
}

static void
refuses_other_names(void **state)
{
	(void)state;
	assert_refused(text_of("SHA256", 64, 'a'), "not known");
	assert_refused(text_of("sha-256", 64, 'a'), "not known");
	assert_refused(text_of("sha25", 64, 'a'), "not known");
	assert_refused(text_of("sha2567", 64, 'a'), "not known");
	assert_refused(text_of("", 64, 'a'), "not known");
	assert_refused("", "<algorithm>:<hex>");
	assert_refused("sha256", "<algorithm>:<hex>");
}

static void
refuses_one_digit_less_or_more(void **state)
{
	(void)state;
	assert_refused(text_of("sha256", 63, 'a'), "odd");
	assert_refused(text_of("sha256", 65, 'a'), "odd");
	assert_refused(text_of("sha256", 62, 'a'), "not as long");
	assert_refused(text_of("sha256", 66, 'a'), "not as long");
	assert_refused(text_of("sha256", 0, 'a'), "not as long");
	assert_refused(text_of("sha256", 128, 'a'), "not as long");
	assert_refused(text_of("sha384", 94, 'a'), "not as long");
	assert_refused(text_of("sha384", 98, 'a'), "not as long");
	assert_refused(text_of("sha512", 126, 'a'), "not as long");
	assert_refused(text_of("sha512", 130, 'a'), "not as long");
}

static void
refuses_what_is_not_lower_case_hex(void **state)
{
	(void)state;
	assert_refused(text_of("sha256", 64, 'A'), "lower-case");
	assert_refused(text_of("sha256", 64, 'g'), "lower-case");
	assert_refused(text_of("sha256", 64, ':'), "lower-case");
	assert_refused(text_of("sha256", 64, ' '), "lower-case");
}

static void
hex_takes_exactly_sixteen_characters(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char high[2] = {(char)c, '0'}, low[2] = {'0', (char)c};
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
		size_t n = 1, m = 1;
		uint8_t a, b;

		assert_int_equal(hex_decode(high, 2, &a, &n), good ? SIGNET_OK : SIGNET_ERR_ARGUMENT);
		assert_int_equal(hex_decode(low, 2, &b, &m), good ? SIGNET_OK : SIGNET_ERR_ARGUMENT);
		if (good)
			assert_int_equal(a, b << 4);
	}
}

static void
hex_needs_exactly_the_room_of_its_bytes(void **state)
{
	uint8_t out[4] = {0, 0, 0, 0xa5};
	size_t n = 2;

	(void)state;
	assert_int_equal(hex_decode("010203", 6, out, &n), SIGNET_ERR_LIMIT);
	assert_int_equal(n, 2);
	n = 3;
	assert_int_equal(hex_decode("010203", 6, out, &n), SIGNET_OK);
	assert_int_equal(n, 3);
	n = 4;
	assert_int_equal(hex_decode("010203", 6, out, &n), SIGNET_OK);
	assert_int_equal(n, 3);
	assert_int_equal(out[2], 3);
	assert_int_equal(out[3], 0xa5);
	n = 4;
	assert_int_equal(hex_decode("01020", 5, out, &n), SIGNET_ERR_ARGUMENT);
	n = 0;
	assert_int_equal(hex_decode("", 0, out, &n), SIGNET_OK);
	assert_int_equal(n, 0);
}

static void
unknown_algorithm_has_no_size_and_no_name(void **state)
{
	(void)state;
	assert_int_equal(digest_size(DIGEST_NONE), 0);
	assert_int_equal(digest_size((enum signet_digest_alg)4), 0);
	assert_int_equal(digest_size((enum signet_digest_alg) - 1), 0);
	assert_null(digest_name(DIGEST_NONE));
	assert_null(digest_name((enum signet_digest_alg)4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_and_writes_each_algorithm),
	    cmocka_unit_test(keeps_the_order_of_nibbles),
	    cmocka_unit_test(refuses_weak_algorithms_by_name),
	    cmocka_unit_test(refuses_other_names),
	    cmocka_unit_test(refuses_one_digit_less_or_more),
	    cmocka_unit_test(refuses_what_is_not_lower_case_hex),
	    cmocka_unit_test(hex_takes_exactly_sixteen_characters),
	    cmocka_unit_test(hex_needs_exactly_the_room_of_its_bytes),
	    cmocka_unit_test(unknown_algorithm_has_no_size_and_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
