/* daemon/signetd/fault.c against the interface files that the daemon serves */
#include <stdio.h>
#include <string.h>

#include "signetd/dispatch.h"
#include "signetd/fault.h"
#include "unit.h"

static const struct idl *const *interfaces;
static size_t interface_count;

static int
setup(void **state)
{
	char why[256];

	(void)state;
	if (dispatch_init(why, sizeof(why)) != SIGNET_OK) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	interface_count = dispatch_interfaces(&interfaces);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dispatch_done();
	return 0;
}

static void
assert_accepted(const struct idl *i, const struct fault *f)
{
	const char *name = err_wire_name(f->err);
	json_t *parameters = fault_parameters(f);
	char field[128] = "";

	if (parameters == NULL || !idl_check_error(i, name, parameters, field, sizeof(field)))
		fail_msg("%s.%s: \"%s\" is not as declared", idl_name(i), name, field);
	json_decref(parameters);
}

static void
every_error_has_the_parameters_that_its_declarations_say(void **state)
{
	unsigned checked = 0;

	(void)state;
	for (size_t n = 0; n < interface_count; n++)
		for (int code = 0; code < SIGNET_ERR_COUNT; code++) {
			const char *name = err_wire_name((signet_err)code);
			struct fault f;

			if (name == NULL || !idl_has_error(interfaces[n], name))
				continue;
			fault_set(&f, (signet_err)code, NULL, "%s", "");
			if (code == SIGNET_ERR_OUTCOME_UNKNOWN)
				f.index = 0; /* it always has one */
			assert_accepted(interfaces[n], &f);
			fault_set(&f, (signet_err)code, "subject", "sentence");
			fault_set_reason(&f, "reason");
			fault_set_holder(&f, "holder");
			snprintf(f.last_seen, sizeof(f.last_seen), "2026-01-31T08:00:00Z");
			f.index = INT64_MAX;
			f.retry_after_ms = 1;
			f.rule = "rule";
			assert_accepted(interfaces[n], &f);
			checked++;
		}
	assert_true(checked >= 40);
}

static void
text_of_any_kind_makes_an_error_and_not_a_broken_connection(void **state)
{
	char bytes[1000];

	(void)state;
	for (size_t n = 0; n < interface_count; n++)
		for (int code = 0; code < SIGNET_ERR_COUNT; code++)
			for (int fill = 0x80; fill <= 0xff; fill += 0x11) {
				const char *name = err_wire_name((signet_err)code);
				struct fault f;

				if (name == NULL || !idl_has_error(interfaces[n], name))
					continue;
				memset(bytes, fill, sizeof(bytes) - 1);
				bytes[sizeof(bytes) - 1] = '\0';
				fault_set(&f, (signet_err)code, bytes, "%s", bytes);
				fault_set_reason(&f, "%s", bytes);
				fault_set_holder(&f, bytes);
				f.index = 1;
				assert_accepted(interfaces[n], &f);
			}
}

/* What the handlers of each interface can end with, besides the service's own errors. */
#define TOKEN_ERRORS                                                                                         \
	SIGNET_ERR_NOT_PERMITTED, SIGNET_ERR_PIN_INCORRECT, SIGNET_ERR_PIN_BLOCKED, SIGNET_ERR_PIN_LAST_TRY, \
	    SIGNET_ERR_TOKEN_ABSENT, SIGNET_ERR_TOKEN_FAILED, SIGNET_ERR_TIMEOUT, SIGNET_ERR_BUSY,           \
	    SIGNET_ERR_LOG_UNAVAILABLE, SIGNET_ERR_PIN_REQUIRED, SIGNET_ERR_REJECTED

static const struct {
	const char *interface;
	signet_err errors[24];
} returned[] = {
    {"org.signetd.Signer",
	{TOKEN_ERRORS, SIGNET_ERR_KEY_NOT_FOUND, SIGNET_ERR_SEAL_KEY,
	    SIGNET_ERR_BAD_DIGEST, SIGNET_ERR_UNSUPPORTED, SIGNET_ERR_REQUEST_ID_REUSED,
	    SIGNET_ERR_OUTCOME_UNKNOWN, SIGNET_ERR_REQUEST_NOT_FOUND, SIGNET_ERR_KEY_DISABLED}},
    {"org.signetd.Token", {TOKEN_ERRORS, SIGNET_ERR_TOKEN_NOT_FOUND}},
    {"org.signetd.Inbox",
	{SIGNET_ERR_PROMPT_NOT_FOUND, SIGNET_ERR_PROMPT_CLOSED, SIGNET_ERR_NOT_PERMITTED, SIGNET_ERR_PIN_REQUIRED,
	    SIGNET_ERR_PIN_LAST_TRY, SIGNET_ERR_PIN_BLOCKED, SIGNET_ERR_BUSY}},
    {"org.signetd.Log", {SIGNET_ERR_NOT_PERMITTED, SIGNET_ERR_LOG_UNAVAILABLE, SIGNET_ERR_REQUEST_NOT_FOUND,
			    SIGNET_ERR_BUSY}},
    {"org.signetd.Admin",
	{SIGNET_ERR_NOT_PERMITTED, SIGNET_ERR_RELOAD_FAILED, SIGNET_ERR_BACKUP_FAILED, SIGNET_ERR_BUSY,
	    SIGNET_ERR_KEY_NOT_FOUND, SIGNET_ERR_TOKEN_NOT_FOUND, SIGNET_ERR_LOG_UNAVAILABLE}},
    {"org.varlink.service",
	{SIGNET_ERR_INTERFACE_NOT_FOUND, SIGNET_ERR_METHOD_NOT_FOUND, SIGNET_ERR_METHOD_NOT_IMPLEMENTED,
	    SIGNET_ERR_INVALID_PARAMETER, SIGNET_ERR_PERMISSION_DENIED, SIGNET_ERR_EXPECTED_MORE}},
};

static void
every_interface_declares_what_its_handlers_return(void **state)
{
	(void)state;
	assert_int_equal(array_len(returned), interface_count);
	for (size_t n = 0; n < array_len(returned); n++) {
		const struct idl *i = dispatch_interface(returned[n].interface);

		assert_non_null(i);
		for (size_t e = 0; returned[n].errors[e] != SIGNET_OK; e++)
			if (!idl_has_error(i, err_wire_name(returned[n].errors[e])))
				fail_msg("%s does not declare %s", returned[n].interface,
				    err_wire_name(returned[n].errors[e]));
	}
}

static void
assert_name(signet_err err, const char *interface, const char *want)
{
	struct fault f;
	char name[160];

	fault_set(&f, err, NULL, "%s", "");
	fault_name(&f, interface, name, sizeof(name));
	assert_string_equal(name, want);
}

static void
errors_stand_in_the_interface_that_declares_them(void **state)
{
	(void)state;
	assert_name(SIGNET_ERR_BUSY, "org.signetd.Token", "org.signetd.Token.Busy");
	assert_name(
	    SIGNET_ERR_INVALID_PARAMETER, "org.signetd.Token", "org.varlink.service.InvalidParameter");
	assert_name(SIGNET_ERR_METHOD_NOT_FOUND, "org.signetd.Signer", "org.varlink.service.MethodNotFound");
	assert_name(SIGNET_ERR_BUSY, "org.varlink.service", "org.signetd.Signer.Busy");
	assert_name(SIGNET_ERR_MEMORY, "org.signetd.Admin", "org.signetd.Admin.Busy");
	assert_name(SIGNET_ERR_MEMORY, "org.varlink.service", "org.signetd.Signer.Busy");
}

static void
error_without_a_sentence_has_the_codes_own(void **state)
{
	struct fault f;

	(void)state;
	fault_set(&f, SIGNET_ERR_BAD_DIGEST, NULL, "%s", "");
	assert_string_equal(fault_message(&f), signet_strerror(SIGNET_ERR_BAD_DIGEST));
	fault_set(&f, SIGNET_ERR_BAD_DIGEST, NULL, "of %d bytes", 3);
	assert_string_equal(fault_message(&f), "of 3 bytes");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_error_has_the_parameters_that_its_declarations_say),
	    cmocka_unit_test(text_of_any_kind_makes_an_error_and_not_a_broken_connection),
	    cmocka_unit_test(every_interface_declares_what_its_handlers_return),
	    cmocka_unit_test(errors_stand_in_the_interface_that_declares_them),
	    cmocka_unit_test(error_without_a_sentence_has_the_codes_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
