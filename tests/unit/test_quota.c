/* daemon/signetd/quota.c */
#include <string.h>

#include "signetd/quota.h"
#include "unit.h"

static struct quota quota;

static int
setup(void **state)
{
	(void)state;
	memset(&quota, 0, sizeof(quota));
	quota.limit[QUOTA_CONNECTIONS] = 3;
	quota.limit[QUOTA_JOBS] = 10;
	quota.limit[QUOTA_BYTES] = UINT64_MAX;
	return 0;
}

static bool
any_user_left(void)
{
	for (size_t i = 0; i < array_len(quota.users); i++)
		if (quota.users[i] != NULL)
			return true;
	return false;
}

static void
takes_the_limit_and_refuses_one_more(void **state)
{
	struct quota_user *u = quota_user_get(&quota, 1000);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(quota_charge(&quota, u, QUOTA_CONNECTIONS, 1));
	assert_false(quota_charge(&quota, u, QUOTA_CONNECTIONS, 1));
	assert_int_equal(u->used[QUOTA_CONNECTIONS], 3);
	quota_release(u, QUOTA_CONNECTIONS, 1);
	assert_true(quota_charge(&quota, u, QUOTA_CONNECTIONS, 1));
	quota_release(u, QUOTA_CONNECTIONS, 3);
	quota_user_put(&quota, u);
	assert_false(any_user_left());
}

static void
charges_all_or_nothing(void **state)
{
	struct quota_user *u = quota_user_get(&quota, 1000);

	(void)state;
	assert_true(quota_charge(&quota, u, QUOTA_JOBS, 9));
	assert_false(quota_charge(&quota, u, QUOTA_JOBS, 2));
	assert_int_equal(u->used[QUOTA_JOBS], 9);
	assert_true(quota_charge(&quota, u, QUOTA_JOBS, 1));
	assert_false(quota_charge(&quota, u, QUOTA_JOBS, 11));
	quota_release(u, QUOTA_JOBS, 10);
	quota_user_put(&quota, u);
}

static void
numbers_near_the_end_do_not_wrap(void **state)
{
	struct quota_user *u = quota_user_get(&quota, 1000);

	(void)state;
	assert_true(quota_charge(&quota, u, QUOTA_BYTES, UINT64_MAX - 1));
	assert_false(quota_charge(&quota, u, QUOTA_BYTES, 2));
	assert_true(quota_charge(&quota, u, QUOTA_BYTES, 1));
	quota_release(u, QUOTA_BYTES, UINT64_MAX);
	quota_user_put(&quota, u);
}

static void
limit_below_what_is_used_refuses_until_enough_is_released(void **state)
{
	struct quota_user *u = quota_user_get(&quota, 1000);

	(void)state;
	assert_true(quota_charge(&quota, u, QUOTA_CONNECTIONS, 3));
	quota.limit[QUOTA_CONNECTIONS] = 1; /* by a reload */
	assert_false(quota_charge(&quota, u, QUOTA_CONNECTIONS, 1));
	quota_release(u, QUOTA_CONNECTIONS, 2);
	assert_false(quota_charge(&quota, u, QUOTA_CONNECTIONS, 1));
	quota_release(u, QUOTA_CONNECTIONS, 1);
	assert_true(quota_charge(&quota, u, QUOTA_CONNECTIONS, 1));
	quota_release(u, QUOTA_CONNECTIONS, 1);
	quota_user_put(&quota, u);
}

static void
users_do_not_pay_for_each_other(void **state)
{
	enum { SAME_BUCKET = 1000 + 64 };
	struct quota_user *a = quota_user_get(&quota, 1000), *b = quota_user_get(&quota, SAME_BUCKET);

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(quota_user_get(&quota, 1000), a);
	assert_true(quota_charge(&quota, a, QUOTA_CONNECTIONS, 3));
	assert_true(quota_charge(&quota, b, QUOTA_CONNECTIONS, 3));
	quota_release(a, QUOTA_CONNECTIONS, 3);
	quota_user_put(&quota, a);
	quota_user_put(&quota, a); /* the second reference: gone */
	assert_ptr_equal(quota_user_get(&quota, SAME_BUCKET), b);
	quota_release(b, QUOTA_CONNECTIONS, 3);
	quota_user_put(&quota, b);
	quota_user_put(&quota, b);
	assert_false(any_user_left());
}

static void
putting_nobody_does_nothing(void **state)
{
	(void)state;
	quota_user_put(&quota, NULL);
	assert_false(any_user_left());
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup(f, setup)
	    CASE(takes_the_limit_and_refuses_one_more),
	    CASE(charges_all_or_nothing),
	    CASE(numbers_near_the_end_do_not_wrap),
	    CASE(limit_below_what_is_used_refuses_until_enough_is_released),
	    CASE(users_do_not_pay_for_each_other),
	    CASE(putting_nobody_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
