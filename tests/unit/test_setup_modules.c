/* Drivers that p11-kit's files name. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setup.h"

static char dir[] = "/tmp/signet-modules-XXXXXX";

static char *
module_in(const char *text)
{
	const char *const folders[] = {"/nonexistent", dir, NULL};
	char path[100];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/x.module", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return module_of_file(path, folders);
}

static void
reads_names_and_paths(void **state)
{
	char want[100], *got;

	(void)state;
	(void)snprintf(want, sizeof(want), "%s/x.module", dir);
	got = module_in("# module: no.so\n\nmodule:   x.module\r\ncritical: yes\n"); /* it lies in the second folder */
	assert_string_equal(got, want);
	free(got);
	got = module_in("module: /opt/vendor/lib.so\n");
	assert_string_equal(got, "/opt/vendor/lib.so");
	free(got);
	assert_null(module_in("module: nowhere.so\n"));
	assert_null(module_in("module:\n"));
	assert_null(module_in(""));
	assert_null(module_of_file("/nonexistent", (const char *const[]){NULL}));
}

/* SoftHSM and OpenSC are there wherever these tests run. */
static void
finds_each_driver_once_and_never_our_bridge(void **state)
{
	char *paths[SETUP_MODULES_MAX];
	size_t count = setup_find_modules(paths), i, k;

	(void)state;
	assert_true(count >= 1);
	for (i = 0; i < count; i++) {
		assert_null(strstr(paths[i], "p11-kit"));
		assert_null(strstr(paths[i], "signet-pkcs11"));
		for (k = 0; k < i; k++)
			assert_string_not_equal(paths[i], paths[k]);
	}
	for (i = 0; i < count; i++)
		free(paths[i]);
}

static int
make_place(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_place(void **state)
{
	char path[100];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/x.module", dir);
	return unlink(path) == 0 ? rmdir(dir) : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_names_and_paths),
	    cmocka_unit_test(finds_each_driver_once_and_never_our_bridge),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
