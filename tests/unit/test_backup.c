/* daemon/ledger/backup.c: copies of a log that goes on */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_case.h"
#include "tiles_case.h"
#include "unit.h"

static void
path_of(const struct ledger_case *c, const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", c->dir, name);
}

static signet_err
backup(struct ledger_case *c, const char *path, struct ledger_query *q)
{
	*q = (struct ledger_query){.what = LEDGER_BACKUP, .path = path};
	return case_query(c, q, NULL, NULL);
}

/* Open the copy as another machine would, with the key that was carried there by other means. */
static void
assert_whole(const struct ledger_case *c, const char *path, uint64_t at_least)
{
	struct ledger_case copy;
	char command[600];

	snprintf(command, sizeof(command), "cp %s/log.key %s/", c->dir, path);
	assert_int_equal(system(command), 0);
	case_init(&copy, path);
	copy.origin = CASE_ORIGIN;
	case_open(&copy);
	assert_true(ledger_available(copy.log));
	assert_true(copy.start.size >= at_least);
	case_check_rows(&copy, copy.start.size);
	case_done(&copy);
}

static void
assert_no_such_file(const char *path, const char *name)
{
	char file[512];

	snprintf(file, sizeof(file), "%s/%s", path, name);
	assert_int_equal(access(file, F_OK), -1);
}

static void
backup_is_a_whole_log_without_its_key(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	struct ledger_query q;
	struct checkpoint says;
	struct stat st;
	char path[256], file[300], vkey[512];
	int fd;

	case_fill(c, 700, NULL, NULL);
	case_until_covered(c);
	path_of(c, "backup", path);
	assert_int_equal(backup(c, path, &q), SIGNET_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(file, sizeof(file), "%s/log.db", path);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(file, sizeof(file), "%s.partial", path);
	assert_int_equal(access(file, F_OK), -1);
	assert_no_such_file(path, "log.key");
	assert_no_such_file(path, "log.reserve");
	assert_no_such_file(path, "search.db");
	snprintf(file, sizeof(file), "%s/log.vkey", path);
	fd = open(file, O_RDONLY);
	assert_int_equal(read(fd, vkey, sizeof(vkey)), strlen(ledger_vkey(c->log)) + 1);
	assert_memory_equal(vkey, ledger_vkey(c->log), strlen(ledger_vkey(c->log)));
	close(fd);
	snprintf(file, sizeof(file), "%s/tiles", path);
	assert_null(tiles_case_verify(file, &k, &says));
	assert_int_equal(says.size, 700);
	assert_whole(c, path, 700);
}

static void
log_without_key_or_tiles_has_backups_too(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q;
	char path[256];

	case_close(c);
	c->origin = NULL;
	c->tiles = NULL;
	case_open(c);
	path_of(c, "empty", path);
	assert_int_equal(backup(c, path, &q), SIGNET_OK);
	assert_no_such_file(path, "tiles");
	case_fill(c, 10, NULL, NULL);
	path_of(c, "ten", path);
	assert_int_equal(backup(c, path, &q), SIGNET_OK);
}

struct busy {
	struct ledger_case *c;
	struct ledger_op op;
	struct ledger_query q;
	bool backed_up, idle;
	unsigned appended;
};

static void
append_again(struct ledger_op *op)
{
	struct busy *b = op->owner;

	assert_int_equal(op->err, SIGNET_OK);
	buf_done(&op->entry);
	buf_done(&op->proof);
	b->appended++;
	if (b->backed_up) {
		b->idle = true;
		return;
	}
	*op = case_append_op("sign", "\"uid\":7");
	op->want_proof = true; /* each commit has a checkpoint */
	op->done = append_again;
	op->owner = b;
	ledger_submit(b->c->log, op);
	ledger_hand_over(b->c->log, 1);
}

static void
on_backed_up(struct ledger_query *q)
{
	struct busy *b = q->owner;

	assert_int_equal(q->err, SIGNET_OK);
	b->backed_up = true;
}

static void
writing_goes_on_beside_a_backup(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	struct busy b = {.c = c};
	struct ledger_case copy;
	struct checkpoint says;
	char path[256], tiles[300];

	case_fill(c, 20000, NULL, NULL);
	case_until_covered(c);
	path_of(c, "backup", path);
	b.q = (struct ledger_query){.what = LEDGER_BACKUP, .path = path, .done = on_backed_up, .owner = &b};
	b.op = case_append_op("sign", "\"uid\":7");
	b.op.want_proof = true;
	b.op.done = append_again;
	b.op.owner = &b;
	ledger_query(c->log, &b.q);
	ledger_submit(c->log, &b.op);
	ledger_hand_over(c->log, 1);
	case_until(c, &b.idle);
	assert_true(b.appended > 10);
	/* rows and published log are of one moment */
	case_init(&copy, path);
	snprintf(tiles, sizeof(tiles), "%s/tiles", path);
	assert_null(tiles_case_verify(tiles, &k, &says));
	assert_int_equal(case_int(&copy, "SELECT max(idx) + 1 FROM entry"), says.size);
	case_done(&copy);
	assert_whole(c, path, 20000);
}

static void
claims_of_the_moment_are_in_the_copy(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_case copy;
	struct ledger_query q;
	char path[256];

	case_claim(c, "\"uid\":7");
	path_of(c, "backup", path);
	assert_int_equal(backup(c, path, &q), SIGNET_OK);
	case_init(&copy, path);
	case_open(&copy);
	assert_int_equal(copy.start.recovered, 1);
	case_done(&copy);
}

static void
assert_refused(struct ledger_case *c, const char *path, const char *why)
{
	struct ledger_query q;

	assert_int_equal(backup(c, path, &q), SIGNET_ERR_IO);
	if (strstr(q.why, why) == NULL)
		fail_msg("'%s' does not say '%s'", q.why, why);
}

static void
folder_that_is_there_is_refused(void **state)
{
	struct ledger_case *c = *state;
	char path[256], partial[300];

	case_fill(c, 3, NULL, NULL);
	path_of(c, "backup", path);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(c, path, "exists: name a new folder");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkdir(partial, 0700), 0);
	assert_refused(c, path, "is left from a backup that was broken off");
	assert_int_equal(access(partial, F_OK), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_refused(c, "backup", "is no path of a folder");
	assert_refused(c, "", "is no path of a folder");
	path_of(c, "no/such/backup", path);
	assert_refused(c, path, "No such file or directory");
}

static void
on_any(struct ledger_query *q)
{
	*(bool *)q->owner = true;
}

static void
backup_that_is_broken_off_leaves_nothing(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_query q;
	bool answered = false;
	char path[256], partial[300];

	case_fill(c, 20000, NULL, NULL);
	path_of(c, "backup", path);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	q = (struct ledger_query){.what = LEDGER_BACKUP, .path = path, .done = on_any, .owner = &answered};
	ledger_query(c->log, &q);
	while (access(partial, F_OK) != 0)
		continue; /* it has begun */
	case_close(c);
	assert_true(answered);
	assert_int_equal(q.err, SIGNET_ERR_IO);
	assert_string_equal(q.why, "the daemon is stopping");
	assert_int_equal(access(partial, F_OK), -1);
	assert_int_equal(access(path, F_OK), -1);
}

static void
full_disk_leaves_nothing_and_says_so(void **state)
{
	struct ledger_case *c = *state;
	char folder[256], path[300];
	struct ledger_query q;

	case_fill(c, 2000, NULL, NULL);
	path_of(c, "small", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	if (mount("tmpfs", folder, "tmpfs", 0, "size=256k") != 0)
		skip(); /* only root may */
	snprintf(path, sizeof(path), "%s/backup", folder);
	signet_err err = backup(c, path, &q);
	int left = rmdir(path) + 2 * access(path, F_OK);
	assert_int_equal(umount(folder), 0);
	assert_int_equal(err, SIGNET_ERR_IO);
	assert_non_null(strstr(q.why, "the disk is full"));
	assert_int_equal(left, -3);
	case_fill(c, 1, NULL, NULL);
	assert_true(ledger_available(c->log));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup_published, case_teardown)
	    T(backup_is_a_whole_log_without_its_key),
	    T(log_without_key_or_tiles_has_backups_too),
	    T(writing_goes_on_beside_a_backup),
	    T(claims_of_the_moment_are_in_the_copy),
	    T(folder_that_is_there_is_refused),
	    T(backup_that_is_broken_off_leaves_nothing),
	    T(full_disk_leaves_nothing_and_says_so),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
