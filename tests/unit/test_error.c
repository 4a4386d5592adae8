/* client/base/error.c */
#include <string.h>

#include "base/base.h"
#include "unit.h"

static void
every_code_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < SIGNET_ERR_COUNT; i++) {
		assert_true(strlen(signet_strerror((signet_err)i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    signet_strerror((signet_err)i), signet_strerror((signet_err)j));
	}
}

static void
unknown_code_has_a_text_and_no_wire_name(void **state)
{
	(void)state;
	assert_string_equal(signet_strerror(SIGNET_ERR_COUNT), "unknown error");
	assert_string_equal(signet_strerror((signet_err)-1), "unknown error");
	assert_null(err_wire_name(SIGNET_ERR_COUNT));
	assert_null(err_wire_name((signet_err)-1));
}

static void
wire_names_come_back_as_their_code(void **state)
{
	char qualified[100] = "org.signetd.Signer.";
	int named = 0;

	(void)state;
	for (int i = 0; i < SIGNET_ERR_COUNT; i++) {
		const char *name = err_wire_name((signet_err)i);

		if (name == NULL)
			continue;
		strcpy(qualified + strlen("org.signetd.Signer."), name);
		assert_int_equal(err_from_wire(name), i);
		assert_int_equal(err_from_wire(qualified), i);
		named++;
	}
	assert_true(named > 20);
}

static void
local_codes_never_cross_the_wire(void **state)
{
	(void)state;
	assert_null(err_wire_name(SIGNET_OK));
	assert_null(err_wire_name(SIGNET_ERR_MEMORY));
	assert_null(err_wire_name(SIGNET_ERR_PROTOCOL));
	assert_string_equal(err_wire_name(SIGNET_ERR_KEY_NOT_FOUND), "KeyNotFound");
	assert_string_equal(err_wire_name(SIGNET_ERR_EXPECTED_MORE), "ExpectedMore");
}

static void
takes_the_last_component_only(void **state)
{
	(void)state;
	assert_int_equal(err_from_wire("org.varlink.service.MethodNotFound"), SIGNET_ERR_METHOD_NOT_FOUND);
	assert_int_equal(err_from_wire("Busy.KeyNotFound"), SIGNET_ERR_KEY_NOT_FOUND);
	assert_int_equal(err_from_wire("Busy."), SIGNET_ERR_PROTOCOL);
	assert_int_equal(err_from_wire("Busy.x"), SIGNET_ERR_PROTOCOL);
}

static void
unknown_wire_names_are_a_protocol_error(void **state)
{
	(void)state;
	assert_int_equal(err_from_wire(NULL), SIGNET_ERR_PROTOCOL);
	assert_int_equal(err_from_wire(""), SIGNET_ERR_PROTOCOL);
	assert_int_equal(err_from_wire("keyNotFound"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(err_from_wire("KeyNotFoundX"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(err_from_wire("KeyNotFoun"), SIGNET_ERR_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_code_has_a_text_of_its_own),
	    cmocka_unit_test(unknown_code_has_a_text_and_no_wire_name),
	    cmocka_unit_test(wire_names_come_back_as_their_code),
	    cmocka_unit_test(local_codes_never_cross_the_wire),
	    cmocka_unit_test(takes_the_last_component_only),
	    cmocka_unit_test(unknown_wire_names_are_a_protocol_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
