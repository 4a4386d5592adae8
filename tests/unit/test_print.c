/* What reaches a terminal, and the digests of files. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "hash.h"

#include "unit.h"

/* These tests need the files under test, not the verbs. */
const struct verb verbs[] = {{NULL, NULL, NULL, NULL, 0, 0, 0, NULL}};
const size_t verb_count = 0;

static void
nothing_steers_the_terminal(void **state)
{
	static const struct {
		const char *text, *shown;
	} all[] = {
	    {"Nguy\u1ec5n V\u0103n A", "Nguy\u1ec5n V\u0103n A"},
	    {"", ""},
	    {"a\x1b[31mb\r\n\tc\x7f", "a?[31mb???c?"},
	    {"a\xc2\x80"
	     "b\xc2\x9b"
	     "c\u00a0d",
		"a?b?c\u00a0d"},
	    {"a\u200eb\u200fc\u200dd", "a?b?c\u200dd"},
	    {"\u2027\u2028\u202a\u202e\u202f", "\u2027???\u202f"},
	    {"\u2065\u2066\u2069\u206a\u061c\u061b", "\u2065??\u206a?\u061b"},
	    {"\xe2", "\xe2"},
	    {"\xc2", "\xc2"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < array_len(all); i++) {
		char *text = safe_text(all[i].text);

		assert_string_equal(text, all[i].shown);
		free(text);
	}
}

static void
times_are_local_and_others_stay(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Ho_Chi_Minh", 1), 0);
	tzset();
	assert_string_equal(local_time(out, "2025-03-01T20:30:00Z"), "2025-03-02 03:30");
	assert_string_equal(local_time(out, "2025-03-01T20:30:00.123456Z"), "2025-03-02 03:30");
	assert_string_equal(local_time(out, "2025-03-01T20:30:00+01:00"), "2025-03-01T20:30:00+01:00");
	assert_string_equal(local_time(out, "soon"), "soon");
	assert_string_equal(local_time(out, ""), "");
}

static void
columns_are_counted_on_the_screen(void **state)
{
	static const struct {
		const char *text, *shown;
	} all[] = {{"ab", "ab  |"}, {"\u1ec5b", "\u1ec5b  |"}, {"abcd", "abcd|"}, {"abcde", "abcde|"},
	    {"\xff", "\xff   |"}};
	size_t i, size;

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	for (i = 0; i < array_len(all); i++) {
		char *out = NULL;
		FILE *f = open_memstream(&out, &size);

		print_padded(f, all[i].text, 4);
		fputc('|', f);
		(void)fclose(f);
		assert_string_equal(out, all[i].shown);
		free(out);
	}
}

static void
daemons_words_and_ours(void **state)
{
	(void)state;
	assert_string_equal(word_text("locked"), "locked");
	assert_string_equal(word_text("novel"), "novel");
	assert_string_equal(word_text(""), "");
	assert_null(word_text(NULL));
}

static void
digests_are_those_of_the_standard(void **state)
{
	/* [FIPS 180-4], "abc" */
	static const uint8_t sha256[] = {0xba, 0x78, 0x16, 0xbf}, sha384[] = {0xcb, 0x00, 0x75, 0x3f},
			     sha512[] = {0xdd, 0xaf, 0x35, 0xa1};
	char path[] = "/tmp/signetctl_hash.XXXXXX";
	struct hashes h = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "abc", 3), 3);
	(void)close(fd);
	assert_int_equal(
	    hash_file(&h, path, 1U << SIGNET_SHA256 | 1U << SIGNET_SHA384 | 1U << SIGNET_SHA512), SIGNET_OK);
	assert_memory_equal(h.of[SIGNET_SHA256], sha256, 4);
	assert_memory_equal(h.of[SIGNET_SHA384], sha384, 4);
	assert_memory_equal(h.of[SIGNET_SHA512], sha512, 4);
	h = (struct hashes){0};
	assert_int_equal(hash_file(&h, path, 1U << SIGNET_SHA384), SIGNET_OK);
	assert_int_equal(h.of[SIGNET_SHA256][0], 0);
	assert_memory_equal(h.of[SIGNET_SHA384], sha384, 4);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(hash_file(&h, path, 1U << SIGNET_SHA256), SIGNET_ERR_IO);
	assert_int_equal(hash_file(&h, "/", 1U << SIGNET_SHA256), SIGNET_ERR_IO);
}

static void
weaker_digests_have_no_name(void **state)
{
	(void)state;
	assert_int_equal(hash_find("sha256"), SIGNET_SHA256);
	assert_int_equal(hash_find("sha512"), SIGNET_SHA512);
	assert_int_equal(hash_find("sha1"), 0);
	assert_int_equal(hash_find("SHA256"), 0);
	assert_int_equal(hash_find(""), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_steers_the_terminal),
	    cmocka_unit_test(times_are_local_and_others_stay),
	    cmocka_unit_test(columns_are_counted_on_the_screen),
	    cmocka_unit_test(daemons_words_and_ours),
	    cmocka_unit_test(digests_are_those_of_the_standard),
	    cmocka_unit_test(weaker_digests_have_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
