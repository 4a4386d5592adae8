/* daemon/signetd/identity.c: whose uids can be believed. Peers are in test_peer.c. */
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static signet_err
judge(const char *map, char *why, size_t why_size)
{
	char path[] = "/tmp/signet-uid-map.XXXXXX";
	int fd = mkstemp(path);
	signet_err err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, map, strlen(map)), strlen(map));
	close(fd);
	err = identity_map_is_full(path, why, why_size);
	unlink(path);
	return err;
}

static void
full_map_is_accepted(void **state)
{
	char why[512];

	(void)state;
	assert_int_equal(judge("         0          0 4294967295\n", why, sizeof(why)), SIGNET_OK);
}

static void
partial_map_is_refused(void **state)
{
	static const char *const maps[] = {"", "0 0 4294967294\n", "0 100000 65536\n", "1000 1000 1\n",
	    "0 1 4294967295\n", "1 0 4294967295\n", "nonsense\n"};
	char why[512];

	(void)state;
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		why[0] = '\0';
		assert_int_equal(judge(maps[i], why, sizeof(why)), SIGNET_ERR_CONFIG);
		assert_non_null(strstr(why, "PrivateUsers="));
	}
}

static void
unreadable_map_is_no_full_one(void **state)
{
	char why[512];

	(void)state;
	assert_int_equal(identity_map_is_full("/nonexistent/uid_map", why, sizeof(why)), SIGNET_ERR_IO);
	assert_non_null(strstr(why, "/nonexistent/uid_map"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(full_map_is_accepted),
	    cmocka_unit_test(partial_map_is_refused),
	    cmocka_unit_test(unreadable_map_is_no_full_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
