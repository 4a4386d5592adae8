/* daemon/token/text.c: what tokens and drivers say, fit for a frame. */
#include <string.h>

#include "token/worker.h"
#include "unit.h"

static void
field_is(const char *bytes, size_t n, const char *text)
{
	char out[33];

	text_field(out, sizeof(out), (const unsigned char *)bytes, n);
	assert_string_equal(out, text);
}

static void
padding_is_taken_off(void **state)
{
	(void)state;
	field_is("test            ", 16, "test");
	field_is("test\0\0\0\0garbage!", 16, "test");
	field_is("                ", 16, "");
	field_is("0123456789abcdef", 16, "0123456789abcdef");
	field_is(" a b ", 5, " a b");
	field_is("0123456789abcdef0123456789abcdef", 32, "0123456789abcdef0123456789abcdef");
}

static void
longer_than_its_room_is_cut(void **state)
{
	char out[4];

	(void)state;
	text_field(out, sizeof(out), (const unsigned char *)"abc", 3);
	assert_string_equal(out, "abc");
	text_field(out, sizeof(out), (const unsigned char *)"abcd", 4);
	assert_string_equal(out, "abc");
}

static void
what_is_not_text_becomes_question_marks(void **state)
{
	(void)state;
	field_is("Đảng ủy", strlen("Đảng ủy"), "Đảng ủy");
	field_is("a\nb\x7f", 4, "a?b?");
	field_is("\xff\xfe", 2, "??");
	field_is("\xc3\xa9\xff", 3, "é?");
	field_is("\xed\xa0\x80\xc0\x80", 5, "?????"); /* a surrogate, an overlong NUL */
}

/* Cutting may split a character: then it is not one any more. */
static void
cut_message_is_still_text(void **state)
{
	char out[6];

	(void)state;
	text_printf(out, sizeof(out), "%s", "ébcé");
	assert_string_equal(out, "ébc?");
	text_printf(out, sizeof(out), "%d\t%s", 7, "x");
	assert_string_equal(out, "7?x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(padding_is_taken_off),
	    cmocka_unit_test(longer_than_its_room_is_cut),
	    cmocka_unit_test(what_is_not_text_becomes_question_marks),
	    cmocka_unit_test(cut_message_is_still_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
