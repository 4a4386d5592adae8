/* daemon/signetd/text.c */
#include <stdio.h>
#include <string.h>

#include "signetd/text.h"
#include "unit.h"

static void
assert_taken(const char *text)
{
	const char *why = NULL;

	if (text_check(text, strlen(text), &why) != SIGNET_OK)
		fail_msg("\"%s\" is refused: %s", text, why);
	assert_null(why);
}

static void
assert_refused_bytes(const char *text, size_t len, const char *part)
{
	const char *why = NULL;

	assert_int_equal(text_check(text, len, &why), SIGNET_ERR_INVALID_PARAMETER);
	assert_non_null(why);
	if (strstr(why, part) == NULL)
		fail_msg("\"%s\" is refused with \"%s\", not with \"%s\"", text, why, part);
	assert_int_equal(text_check(text, len, NULL), SIGNET_ERR_INVALID_PARAMETER);
}

static void
assert_refused(const char *text, const char *part)
{
	assert_refused_bytes(text, strlen(text), part);
}

static void
takes_texts_of_many_scripts(void **state)
{
	(void)state;
	assert_taken("Quyết định số 12/QĐ-UBND về việc bổ nhiệm");
	assert_taken("UBND xã Phú Lương — Chứng thực bản sao");
	assert_taken("Ünïcödé, ελληνικά, русский, 日本語, 한국어");
	assert_taken("a");
	assert_taken("1 < 2 & \"x\" \\ '");
	assert_taken("\xf0\x9f\x93\x84 attachment"); /* an emoji, outside the first plane */
}

static void
takes_512_bytes_and_refuses_513(void **state)
{
	char text[TEXT_MAX + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(text_check(text, TEXT_MAX - 1, NULL), SIGNET_OK);
	assert_int_equal(text_check(text, TEXT_MAX, NULL), SIGNET_OK);
	assert_refused_bytes(text, TEXT_MAX + 1, "512");
}

static void
takes_the_text_that_grows_most_under_composition(void **state)
{
	/* U+1D160 becomes three characters of four bytes in NFC: it is not in NFC, and must not overflow anything */
	char text[TEXT_MAX];
	size_t at;

	(void)state;
	for (at = 0; at < sizeof(text); at += 4)
		memcpy(text + at, "\xf0\x9d\x85\xa0", 4);
	assert_refused_bytes(text, sizeof(text), "normalisation");
}

static void
refuses_empty_and_blank_texts(void **state)
{
	(void)state;
	assert_refused("", "empty");
	assert_refused(" ", "blanks");
	assert_refused("   \xc2\xa0\xe3\x80\x80 ", "blanks");
}

static void
refuses_control_characters_and_line_breaks(void **state)
{
	char text[] = "a?b";
	unsigned c;

	(void)state;
	for (c = 0; c < 0x20; c++) {
		text[1] = (char)c;
		assert_refused_bytes(text, 3, "control");
	}
	assert_refused("a\x7f", "control");
	assert_refused("a\xc2\x80z", "control");
	assert_refused("a\xc2\x9fz", "control");
	assert_refused("a\xe2\x80\xa8z", "line break"); /* U+2028 */
	assert_refused("a\xe2\x80\xa9z", "line break");
}

static void
refuses_every_bidi_control(void **state)
{
	static const char *const controls[] = {
	    "\xd8\x9c",     /* U+061C */
	    "\xe2\x80\x8e", /* U+200E */
	    "\xe2\x80\x8f",
	    "\xe2\x80\xaa", /* U+202A */
	    "\xe2\x80\xab",
	    "\xe2\x80\xac",
	    "\xe2\x80\xad",
	    "\xe2\x80\xae",
	    "\xe2\x81\xa6", /* U+2066 */
	    "\xe2\x81\xa7",
	    "\xe2\x81\xa8",
	    "\xe2\x81\xa9",
	};
	char text[16];
	size_t i;

	(void)state;
	for (i = 0; i < array_len(controls); i++) {
		snprintf(text, sizeof(text), "a%sz", controls[i]);
		assert_refused(text, "direction");
	}
	assert_taken(
	    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"); /* letters that are written from the right are fine */
}

static void
refuses_private_use_and_undefined_characters(void **state)
{
	(void)state;
	assert_refused("a\xee\x80\x80", "private-use");     /* U+E000 */
	assert_refused("\xf4\x8f\xbf\xbd", "private-use");  /* U+10FFFD */
	assert_refused("a\xef\xbf\xbf", "does not define"); /* U+FFFF */
	assert_refused("a\xcd\xb8", "does not define");     /* U+0378 */
}

static void
refuses_what_is_not_utf8(void **state)
{
	(void)state;
	assert_refused("\xc0\x80", "UTF-8");         /* overlong NUL */
	assert_refused("\xed\xa0\x80", "UTF-8");     /* surrogate */
	assert_refused("\xf4\x90\x80\x80", "UTF-8"); /* above U+10FFFF */
	assert_refused("\x80", "UTF-8");
	assert_refused("caf\xe9", "UTF-8");
	assert_refused("a\xe2\x82", "UTF-8"); /* cut */
}

static void
refuses_what_is_not_composed(void **state)
{
	(void)state;
	assert_taken("\xc3\xa9");                     /* é */
	assert_refused("e\xcc\x81", "normalisation"); /* e and U+0301 */
	assert_taken("\xe1\xba\xbf");                 /* ế */
	assert_refused("\xc3\xaa\xcc\x81", "normalisation");
	assert_refused("\xe2\x84\xab", "normalisation"); /* the Angstrom sign is Å */
}

static void
refuses_characters_that_nobody_sees(void **state)
{
	(void)state;
	assert_refused("pay\xe2\x80\x8b"
		       "ee",
	    "invisible"); /* U+200B */
	assert_refused("pay\xc2\xad"
		       "ee",
	    "invisible");                                 /* soft hyphen */
	assert_refused("\xef\xbb\xbfpayee", "invisible"); /* byte order mark */
	assert_refused("pay\xe2\x81\xa0", "invisible");   /* word joiner */
	assert_refused("a\xf3\xa0\x81\xa1", "invisible"); /* a tag character */
	assert_refused("a\xef\xb8\x8f", "invisible");     /* a variation selector */
	assert_refused("a\xe3\x85\xa4"
		       "b",
	    "invisible"); /* Hangul filler */
}

static void
takes_joiners_only_where_they_join(void **state)
{
	(void)state;
	assert_taken("\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\xd8\xa7\xd9\x87\xd9\x85"); /* Persian */
	assert_taken("\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7"); /* behind a virama */
	assert_refused("pay\xe2\x80\x8c"
		       "ee",
	    "invisible");
	assert_refused("pay\xe2\x80\x8d"
		       "ee",
	    "invisible");
	assert_refused("\xe2\x80\x8dpayee", "invisible");
	assert_taken("\xd9\x85\xd9\x91\xe2\x80\x8c\xd8\xae"); /* a mark between letter and joiner */
	assert_refused("\xc7\xb5\xcd\x8f\xe2\x80\x8d", "invisible");
	assert_refused("q\xcc\x81\xe2\x80\x8dz", "invisible"); /* a mark on a letter that does not join */
	assert_refused("\xd9\x85\xe2\x80\x8c\xe2\x80\x8c\xd8\xae", "invisible"); /* twice */
}

static void
request_ids_have_1_to_128_plain_characters(void **state)
{
	char id[129];

	(void)state;
	memset(id, 'x', sizeof(id));
	assert_false(text_is_request_id(id, 0));
	assert_true(text_is_request_id(id, 1));
	assert_true(text_is_request_id(id, 127));
	assert_true(text_is_request_id(id, 128));
	assert_false(text_is_request_id(id, 129));
}

static void
assert_tidied(const char *text, bool cut, const char *want)
{
	char s[64];

	snprintf(s, sizeof(s), "%s", text);
	text_tidy(s, cut);
	assert_string_equal(s, want);
}

static void
tidied_text_is_text_to_its_last_byte(void **state)
{
	(void)state;
	assert_tidied("", false, "");
	assert_tidied("", true, "");
	assert_tidied("plain", true, "plain");
	assert_tidied("xã", false, "xã");
	assert_tidied("a\xff" "b\xc3", false, "a?b?");
	/* cut: what may be half a character goes */
	assert_tidied("x\xe1", true, "x");
	assert_tidied("x\xe1\xbb", true, "x");
	assert_tidied("\xe1\xbb\x9d\xe1\xbb", true, "\xe1\xbb\x9d");
	assert_tidied("\xf0\x9f\x93", true, "");
	assert_tidied("\x80\x80", true, "");
	assert_tidied("a\xff" "b\xc3", true, "a?b");
}

static void
request_ids_have_no_other_characters(void **state)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
	unsigned c;

	(void)state;
	for (c = 0; c < 256; c++) {
		char id[2] = {'a', (char)c};
		bool good = c != 0 && strchr(allowed, (int)c) != NULL;

		assert_int_equal(text_is_request_id(id, 2), good);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_texts_of_many_scripts),
	    cmocka_unit_test(takes_512_bytes_and_refuses_513),
	    cmocka_unit_test(takes_the_text_that_grows_most_under_composition),
	    cmocka_unit_test(refuses_empty_and_blank_texts),
	    cmocka_unit_test(refuses_control_characters_and_line_breaks),
	    cmocka_unit_test(refuses_every_bidi_control),
	    cmocka_unit_test(refuses_private_use_and_undefined_characters),
	    cmocka_unit_test(refuses_what_is_not_utf8),
	    cmocka_unit_test(refuses_what_is_not_composed),
	    cmocka_unit_test(refuses_characters_that_nobody_sees),
	    cmocka_unit_test(takes_joiners_only_where_they_join),
	    cmocka_unit_test(tidied_text_is_text_to_its_last_byte),
	    cmocka_unit_test(request_ids_have_1_to_128_plain_characters),
	    cmocka_unit_test(request_ids_have_no_other_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
