/*
 * Goal: a disk that is really full stops signing but loses no record of what
 * was claimed, and signing goes on by itself when there is room again.
 *
 * The disk is a small tmpfs in a mount namespace of this process: it needs
 * root, or a kernel that lets users make namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_case.h"
#include "unit.h"

enum { MIB = 1 << 20, DISK_MIB = 32, JOBS = 64 };

static char mount_point[] = "/tmp/signet-full.XXXXXX";

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* A mount namespace of our own: nothing is left mounted when the process ends, however it ends. */
static bool
enter_namespace(void)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!write_text("/proc/self/uid_map", map) || !write_text("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return write_text("/proc/self/gid_map", map);
}

static bool
make_disk(void)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%dm,mode=0700", DISK_MIB);
	return mkdtemp(mount_point) != NULL && enter_namespace() &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", mount_point, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

static void
path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", mount_point, name);
}

/* Write until there is not a byte left; then give `spare` bytes back. */
static void
fill_disk(off_t spare)
{
	static const char block[4096] = "full";
	struct stat st;
	char path[64];
	int fd;

	path_of(path, sizeof(path), "filler");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - spare), 0);
	close(fd);
}

static void
free_disk(void)
{
	char path[64];

	path_of(path, sizeof(path), "filler");
	assert_int_equal(unlink(path), 0);
}

static off_t
reserve_size(void)
{
	char path[64];
	struct stat st;

	path_of(path, sizeof(path), "log.reserve");
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* An empty disk and an open log on it. */
static int
disk_setup(void **state)
{
	static const char *const names[] = {
	    "log.db", "log.db-wal", "log.db-shm", "log.reserve", "lock", "filler"};
	struct ledger_case *c = calloc(1, sizeof(*c));
	char path[64];

	assert_non_null(c);
	for (size_t i = 0; i < array_len(names); i++) {
		path_of(path, sizeof(path), names[i]);
		assert_true(unlink(path) == 0 || errno == ENOENT);
	}
	case_init(c, mount_point);
	c->reserve = 4 * MIB;
	case_open(c);
	*state = c;
	return 0;
}

static char body[60 * 1024];

static struct ledger_op
long_op(enum ledger_kind what, uint64_t claim, size_t len)
{
	struct ledger_op op = case_claim_op("");

	memset(body, '1', sizeof(body));
	memcpy(body, "\"uid\":", 6);
	op.what = what;
	op.claim = claim;
	op.body = body;
	op.body_len = len;
	return op;
}

struct jobs {
	struct ledger_op ops[JOBS];
	size_t done;
	bool all;
};

static void
job_done(struct ledger_op *op)
{
	struct jobs *j = op->owner;

	j->all = ++j->done == JOBS;
}

static void
run_jobs(struct ledger_case *c, struct jobs *j)
{
	j->done = 0;
	j->all = false;
	for (size_t i = 0; i < JOBS; i++) {
		j->ops[i].done = job_done;
		j->ops[i].owner = j;
		ledger_submit(c->log, &j->ops[i]);
	}
	ledger_hand_over(c->log, JOBS);
	case_until(c, &j->all);
	for (size_t i = 0; i < JOBS; i++)
		buf_done(&j->ops[i].entry);
}

static void
claim_jobs(struct ledger_case *c, struct jobs *j, size_t body_len)
{
	for (size_t i = 0; i < JOBS; i++)
		j->ops[i] = long_op(LEDGER_CLAIM, 0, body_len);
	run_jobs(c, j);
	for (size_t i = 0; i < JOBS; i++) {
		uint64_t claim = j->ops[i].claim;

		assert_int_equal(j->ops[i].err, SIGNET_OK);
		j->ops[i] = long_op(LEDGER_RECORD, claim, body_len);
	}
}

static size_t
count_ok(const struct jobs *j)
{
	size_t n = 0;

	for (size_t i = 0; i < JOBS; i++) {
		assert_true(j->ops[i].err == SIGNET_OK || j->ops[i].err == SIGNET_ERR_LOG_UNAVAILABLE);
		n += j->ops[i].err == SIGNET_OK;
	}
	return n;
}

static void
assert_signing_is_refused(struct ledger_case *c)
{
	struct ledger_op op = case_claim_op("\"uid\":7");

	case_until_available(c, false);
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_non_null(strstr(ledger_why(c->log), "the disk that holds /tmp/signet-full."));
	assert_non_null(strstr(ledger_why(c->log), "is full: free at least 4 MiB"));
}

static void
reserve_holds_the_records_of_all_claims(void **state)
{
	struct ledger_case *c = *state;
	static struct jobs j;
	struct ledger_read r;

	claim_jobs(c, &j, 30 * 1024); /* nearly 2 MiB, of a reserve of 4 */
	fill_disk(0);
	assert_int_equal(reserve_size(), 4 * MIB);
	run_jobs(c, &j);
	assert_int_equal(count_ok(&j), JOBS);
	assert_int_equal(ledger_size(c->log), JOBS);
	assert_int_equal(reserve_size(), 0);
	assert_signing_is_refused(c);
	/* reading goes on */
	assert_int_equal(case_read(c, JOBS - 1, &r), SIGNET_OK);
	buf_done(&r.entry);
	buf_done(&r.value);
	free_disk();
	case_until_available(c, true);
	assert_int_equal(reserve_size(), 4 * MIB);
	case_claim(c, "\"uid\":7");
	case_reopen(c);
	assert_int_equal(c->start.recovered, 1);
	case_check_rows(c, JOBS + 1);
}

static void
records_beyond_the_reserve_wait_for_room(void **state)
{
	struct ledger_case *c = *state;
	static struct jobs j;

	case_close(c);
	c->reserve = 1 * MIB;
	case_open(c);
	claim_jobs(c, &j, sizeof(body)); /* nearly 4 MiB */
	fill_disk(0);
	run_jobs(c, &j);
	assert_int_equal(count_ok(&j), 0); /* one batch: one transaction */
	assert_false(ledger_available(c->log));
	assert_int_equal(ledger_size(c->log), 0);
	free_disk();
	case_until_available(c, true);
	assert_int_equal(ledger_size(c->log), JOBS);
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 0);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 0);
	case_check_rows(c, JOBS);
}

static void
claims_on_a_full_disk_are_refused_and_the_reserve_stays(void **state)
{
	struct ledger_case *c = *state;
	static struct jobs j;

	case_append(c, "start", "");
	fill_disk(MIB / 2);
	for (size_t i = 0; i < JOBS; i++)
		j.ops[i] = long_op(LEDGER_CLAIM, 0, sizeof(body));
	run_jobs(c, &j);
	assert_int_equal(count_ok(&j), 0);
	assert_int_equal(reserve_size(), 4 * MIB);
	assert_signing_is_refused(c);
	/* the writer tries again; a page that it can overwrite is no room */
	for (int i = 0; i < 3; i++) {
		uv_run(&c->loop, UV_RUN_ONCE);
		assert_false(ledger_available(c->log));
	}
	free_disk();
	case_until_available(c, true);
	case_reopen(c);
	assert_int_equal(c->start.recovered, 0);
	case_check_rows(c, 1);
}

static void
log_opens_for_reading_on_a_full_disk(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_read r;

	case_append(c, "start", "");
	case_close(c);
	fill_disk(0);
	case_open(c);
	assert_int_equal(c->start.size, 1);
	assert_int_equal(case_read(c, 0, &r), SIGNET_OK);
	buf_done(&r.entry);
	buf_done(&r.value);
	assert_signing_is_refused(c);
	free_disk();
	case_until_available(c, true);
	case_claim(c, "\"uid\":7");
}

static void
log_opens_on_a_full_disk_without_reserve(void **state)
{
	struct ledger_case *c = *state;
	char path[64];

	case_append(c, "start", "");
	case_close(c);
	path_of(path, sizeof(path), "log.reserve");
	assert_int_equal(unlink(path), 0);
	fill_disk(0);
	assert_int_equal(case_try_open(c), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_non_null(strstr(c->why, "is full"));
	free_disk();
	case_open(c);
	assert_int_equal(c->start.size, 1);
}

static void
leftovers_of_a_full_disk_are_recorded_at_open(void **state)
{
	struct ledger_case *c = *state;
	static struct jobs j;

	claim_jobs(c, &j, 15 * 1024); /* the entries, and zeroes over the claims: 2 MiB of the reserve */
	case_close(c);
	fill_disk(0);
	case_open(c);
	assert_int_equal(c->start.recovered, JOBS);
	assert_signing_is_refused(c);
	free_disk();
	case_until_available(c, true);
	case_check_rows(c, JOBS);
}

#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, disk_setup, case_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    DISK_TEST(reserve_holds_the_records_of_all_claims),
	    DISK_TEST(records_beyond_the_reserve_wait_for_room),
	    DISK_TEST(claims_on_a_full_disk_are_refused_and_the_reserve_stays),
	    DISK_TEST(log_opens_for_reading_on_a_full_disk),
	    DISK_TEST(log_opens_on_a_full_disk_without_reserve),
	    DISK_TEST(leftovers_of_a_full_disk_are_recorded_at_open),
	};

	if (!make_disk()) {
		fprintf(stderr,
		    "ledger_full_disk: NOT TESTED: no small disk could be mounted (%s): run as root\n",
		    strerror(errno));
		return 1;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (umount(mount_point) == 0)
		rmdir(mount_point);
	return failed;
}
