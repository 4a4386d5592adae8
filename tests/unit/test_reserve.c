/* daemon/ledger/reserve.c */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/reserve.h"
#include "unit.h"

enum { MIB = 1 << 20 };

int __real_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len);

static int answers[4]; /* errno of the next calls; 0: the real one */
static unsigned calls;

int
__wrap_fallocate(int fd, int mode, off_t from, off_t len)
{
	int error = calls < 4 ? answers[calls] : 0;

	calls++;
	if (error == 0)
		return __real_fallocate(fd, mode, from, len);
	errno = error;
	return -1;
}

struct place {
	char dir[64];
	int dir_fd;
	struct reserve r;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "%s", "/tmp/signet-reserve.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->dir_fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dir_fd >= 0);
	assert_int_equal(reserve_open(&p->r, p->dir_fd, "log.reserve", MIB), SIGNET_OK);
	for (int i = 0; i < 4; i++)
		answers[i] = 0;
	calls = 0;
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	reserve_close(&p->r);
	assert_int_equal(unlinkat(p->dir_fd, "log.reserve", 0), 0);
	close(p->dir_fd);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static struct stat
stat_of(const struct place *p)
{
	struct stat st;

	assert_int_equal(fstat(p->r.fd, &st), 0);
	return st;
}

static void
assert_allocated(const struct place *p)
{
	struct stat st = stat_of(p);

	assert_true(p->r.whole);
	assert_int_equal(st.st_size, MIB);
	assert_true(st.st_blocks * 512 >= MIB);
}

static void
opening_reserves_nothing_yet(void **state)
{
	struct place *p = *state;

	assert_false(p->r.whole);
	assert_int_equal(stat_of(p).st_size, 0);
}

static void
filled_reserve_has_all_its_blocks(void **state)
{
	struct place *p = *state;

	reserve_fill(&p->r);
	assert_allocated(p);
	assert_int_equal(calls, 1);
}

static void
whole_reserve_is_not_allocated_again(void **state)
{
	struct place *p = *state;

	reserve_fill(&p->r);
	reserve_close(&p->r);
	assert_int_equal(reserve_open(&p->r, p->dir_fd, "log.reserve", MIB), SIGNET_OK);
	reserve_fill(&p->r);
	assert_allocated(p);
	assert_int_equal(calls, 1);
}

static void
sparse_file_is_no_reserve(void **state)
{
	struct place *p = *state;

	assert_int_equal(ftruncate(p->r.fd, MIB), 0);
	reserve_fill(&p->r);
	assert_allocated(p);
	assert_int_equal(calls, 1);
}

static void
blocks_are_written_where_fallocate_is_missing(void **state)
{
	struct place *p = *state;

	answers[0] = EOPNOTSUPP;
	reserve_fill(&p->r);
	assert_allocated(p);
	reserve_give_up(&p->r);
	answers[1] = ENOSYS;
	reserve_fill(&p->r);
	assert_allocated(p);
	assert_int_equal(calls, 2);
}

static void
interrupted_allocation_goes_on(void **state)
{
	struct place *p = *state;

	answers[0] = answers[1] = EINTR;
	reserve_fill(&p->r);
	assert_allocated(p);
	assert_int_equal(calls, 3);
}

static void
what_cannot_be_filled_is_given_up(void **state)
{
	struct place *p = *state;

	assert_int_equal(ftruncate(p->r.fd, MIB / 2), 0);
	answers[0] = ENOSPC;
	reserve_fill(&p->r);
	assert_false(p->r.whole);
	assert_int_equal(p->r.error, ENOSPC);
	assert_int_equal(stat_of(p).st_size, 0);
	assert_int_equal(stat_of(p).st_blocks, 0);
}

static void
giving_up_frees_all_blocks(void **state)
{
	struct place *p = *state;

	reserve_fill(&p->r);
	reserve_give_up(&p->r);
	assert_false(p->r.whole);
	assert_int_equal(stat_of(p).st_blocks, 0);
}

static void
room_is_tried_and_given_back(void **state)
{
	struct place *p = *state;

	reserve_fill(&p->r);
	assert_true(reserve_has_room(&p->r, MIB));
	assert_allocated(p);
	answers[calls] = EDQUOT;
	assert_false(reserve_has_room(&p->r, MIB));
	assert_int_equal(p->r.error, EDQUOT);
	assert_allocated(p);
}

static void
more_than_the_disk_holds_is_not_even_tried(void **state)
{
	struct place *p = *state;

	reserve_fill(&p->r);
	assert_false(reserve_has_room(&p->r, UINT64_C(1) << 60));
	assert_int_equal(p->r.error, ENOSPC);
	assert_int_equal(calls, 1);
}

static void
link_in_its_place_is_refused(void **state)
{
	struct place *p = *state;
	struct reserve r;

	assert_int_equal(symlinkat("log.reserve", p->dir_fd, "link"), 0);
	assert_int_equal(reserve_open(&r, p->dir_fd, "link", MIB), SIGNET_ERR_IO);
	assert_int_equal(r.error, ELOOP);
	assert_int_equal(unlinkat(p->dir_fd, "link", 0), 0);
}

#define RESERVE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RESERVE_TEST(opening_reserves_nothing_yet),
	    RESERVE_TEST(filled_reserve_has_all_its_blocks),
	    RESERVE_TEST(whole_reserve_is_not_allocated_again),
	    RESERVE_TEST(sparse_file_is_no_reserve),
	    RESERVE_TEST(blocks_are_written_where_fallocate_is_missing),
	    RESERVE_TEST(interrupted_allocation_goes_on),
	    RESERVE_TEST(what_cannot_be_filled_is_given_up),
	    RESERVE_TEST(giving_up_frees_all_blocks),
	    RESERVE_TEST(room_is_tried_and_given_back),
	    RESERVE_TEST(more_than_the_disk_holds_is_not_even_tried),
	    RESERVE_TEST(link_in_its_place_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
