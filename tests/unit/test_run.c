/* Programs that are asked one question. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static void
gives_output_and_status(void **state)
{
	const char *good[] = {"sh", "-c", "printf yes; printf no >&2; exit 3", NULL};
	char *out = NULL;

	(void)state;
	assert_int_equal(run_program(good, false, &out), 3);
	assert_string_equal(out, "yes");
	free(out);
	assert_int_equal(run_program(good, true, &out), 3);
	assert_string_equal(out, "yesno");
	free(out);
}

static void
knows_what_did_not_start_or_was_killed(void **state)
{
	const char *none[] = {"/nonexistent/program", NULL};
	const char *killed[] = {"sh", "-c", "kill -9 $$", NULL};
	char *out = NULL;

	(void)state;
	assert_int_equal(run_program(none, true, &out), -1);
	assert_null(out);
	assert_int_equal(run_program(killed, true, &out), -1);
	assert_null(out);
}

static int
run_of_zeros(long size, char **out)
{
	char script[80];
	const char *argv[] = {"sh", "-c", script, NULL};

	(void)snprintf(script, sizeof(script), "head -c %ld /dev/zero | tr '\\0' x", size);
	return run_program(argv, false, out);
}

static void
takes_output_up_to_its_limit(void **state)
{
	char *out = NULL;

	(void)state;
	assert_int_equal(run_of_zeros(RUN_OUTPUT_MAX - 2, &out), 0);
	assert_int_equal(strlen(out), RUN_OUTPUT_MAX - 2);
	free(out);
	assert_int_equal(run_of_zeros(RUN_OUTPUT_MAX + 1, &out), -1);
	assert_null(out);
}

static void
gets_no_environment_of_ours(void **state)
{
	const char *argv[] = {"sh", "-c", "printf %s \"$SIGNET_UNIT_TEST\"", NULL};
	char *out = NULL;

	(void)state;
	assert_int_equal(setenv("SIGNET_UNIT_TEST", "leaks", 1), 0);
	assert_int_equal(run_program(argv, false, &out), 0);
	assert_string_equal(out, "");
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_output_and_status),
	    cmocka_unit_test(knows_what_did_not_start_or_was_killed),
	    cmocka_unit_test(takes_output_up_to_its_limit),
	    cmocka_unit_test(gets_no_environment_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
