/* What a return value is called and what it means. */
#include <p11-kit/pkcs11.h>

#include "token/ckr.h"
#include "unit.h"

static void
says_what_it_means_to_a_caller(void **state)
{
	(void)state;
	assert_int_equal(ckr_err(CKR_OK), SIGNET_OK);
	assert_int_equal(ckr_err(CKR_PIN_INCORRECT), SIGNET_ERR_PIN_INCORRECT);
	assert_int_equal(ckr_err(CKR_PIN_LOCKED), SIGNET_ERR_PIN_BLOCKED);
	assert_int_equal(ckr_err(CKR_USER_NOT_LOGGED_IN), SIGNET_ERR_PIN_REQUIRED);
	assert_int_equal(ckr_err(CKR_DEVICE_REMOVED), SIGNET_ERR_TOKEN_ABSENT);
	assert_int_equal(ckr_err(CKR_MECHANISM_INVALID), SIGNET_ERR_UNSUPPORTED);
	assert_int_equal(ckr_err(CKR_DEVICE_ERROR), SIGNET_ERR_TOKEN_FAILED);
}

static void
gives_the_name_for_the_log(void **state)
{
	(void)state;
	assert_string_equal(ckr_name(CKR_OK), "CKR_OK");
	assert_string_equal(ckr_name(CKR_DEVICE_ERROR), "CKR_DEVICE_ERROR");
	assert_string_equal(ckr_name(CKR_VENDOR_DEFINED), "CKR_VENDOR_DEFINED");
	assert_string_equal(ckr_name(UINT32_MAX), "CKR_VENDOR_DEFINED");
}

static void
value_that_nobody_defined_is_a_fatal_failure(void **state)
{
	(void)state;
	assert_string_equal(ckr_name(0x7fffffff), "CKR_?");
	assert_int_equal(ckr_err(0x7fffffff), SIGNET_ERR_TOKEN_FAILED);
	assert_true(ckr_fatal(0x7fffffff));
}

static void
lost_device_and_lost_session_are_fatal(void **state)
{
	(void)state;
	assert_true(ckr_fatal(CKR_DEVICE_ERROR));
	assert_true(ckr_fatal(CKR_GENERAL_ERROR));
	assert_true(ckr_fatal(CKR_DEVICE_REMOVED));
	assert_true(ckr_fatal(CKR_SESSION_HANDLE_INVALID));
	assert_true(ckr_fatal(CKR_TOKEN_NOT_PRESENT));
}

static void
wrong_pin_and_wrong_mechanism_are_not(void **state)
{
	(void)state;
	assert_false(ckr_fatal(CKR_OK));
	assert_false(ckr_fatal(CKR_PIN_INCORRECT));
	assert_false(ckr_fatal(CKR_PIN_LOCKED));
	assert_false(ckr_fatal(CKR_MECHANISM_INVALID));
	assert_false(ckr_fatal(CKR_USER_NOT_LOGGED_IN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_it_means_to_a_caller),
	    cmocka_unit_test(gives_the_name_for_the_log),
	    cmocka_unit_test(value_that_nobody_defined_is_a_fatal_failure),
	    cmocka_unit_test(lost_device_and_lost_session_are_fatal),
	    cmocka_unit_test(wrong_pin_and_wrong_mechanism_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
