/* daemon/ledger/tiles.c, duty.c: the published log */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tlog.h"
#include "ledger_case.h"
#include "tiles_case.h"
#include "unit.h"

static struct checkpoint
verify(const struct ledger_case *c, const struct note_key *k)
{
	struct checkpoint says;
	const char *wrong = tiles_case_verify(c->tiles_dir, k, &says);

	if (wrong == NULL && says.size <= 1000)
		wrong = tiles_case_tidy(c->tiles_dir, says.size);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	return says;
}

static bool
there_is(const struct ledger_case *c, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", c->tiles_dir, name);
	return access(path, F_OK) == 0;
}

static void
until_published(struct ledger_case *c)
{
	case_until_covered(c);
	while (ledger_tiles_size(c->log) != ledger_size(c->log))
		uv_run(&c->loop, UV_RUN_ONCE);
}

static void
until_why(struct ledger_case *c, const char *why)
{
	while (strstr(ledger_tiles_why(c->log), why) == NULL)
		uv_run(&c->loop, UV_RUN_ONCE);
}

static void
empty_log_publishes_nothing(void **state)
{
	struct ledger_case *c = *state;

	case_close(c);
	assert_false(there_is(c, "checkpoint"));
}

static void
each_size_is_published_when_the_log_is_closed(void **state)
{
	static const uint64_t sizes[] = {1, 2, 3, 254, 255, 256, 257, 511, 512, 513, 767};
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	uint64_t size = 0;

	for (size_t i = 0; i < array_len(sizes); i++) {
		case_fill(c, sizes[i] - size, NULL, NULL);
		size = sizes[i];
		case_close(c);
		assert_int_equal(verify(c, &k).size, size);
		case_open(c);
	}
	assert_false(there_is(c, "tile/0/000.p"));
	assert_true(there_is(c, "tile/0/000"));
	assert_true(there_is(c, "tile/entries/001"));
	assert_true(there_is(c, "tile/0/002.p/255"));
	assert_true(there_is(c, "tile/0/002.p/1"));
	assert_true(there_is(c, "tile/1/000.p/2"));
	assert_false(there_is(c, "tile/2"));
}

static void
second_level_of_tiles_begins_at_65536(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);

	case_fill(c, 65535, NULL, NULL);
	until_published(c); /* closing does not wait long for a slow disk */
	case_close(c);
	assert_int_equal(verify(c, &k).size, 65535);
	assert_true(there_is(c, "tile/1/000.p/255"));
	assert_false(there_is(c, "tile/2"));
	for (uint64_t size = 65536; size <= 65537; size++) {
		case_open(c);
		case_fill(c, 1, NULL, NULL);
		case_close(c);
		assert_int_equal(verify(c, &k).size, size);
		assert_true(there_is(c, "tile/1/000"));
		assert_false(there_is(c, "tile/1/000.p"));
		assert_true(there_is(c, "tile/2/000.p/1"));
		assert_false(there_is(c, "tile/3"));
	}
	assert_true(there_is(c, "tile/0/256.p/1"));
	assert_true(there_is(c, "tile/entries/255"));
}

static void
open_log_is_published_by_itself(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);

	case_fill(c, 300, NULL, NULL);
	until_published(c);
	assert_int_equal(verify(c, &k).size, 300);
	case_fill(c, 1, NULL, NULL);
	until_published(c);
	assert_int_equal(verify(c, &k).size, 301);
	assert_string_equal(ledger_tiles_why(c->log), "");
}

static void
run_that_was_broken_off_is_repeated(void **state)
{
	static const char *const left[] = {"tile/0/000.p", "tile/entries/000.p"};
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	char path[256], old[4096];
	ssize_t n;
	int fd;

	case_fill(c, 200, NULL, NULL);
	case_close(c);
	snprintf(path, sizeof(path), "%s/checkpoint", c->tiles_dir);
	fd = open(path, O_RDONLY);
	n = read(fd, old, sizeof(old));
	assert_true(n > 0);
	close(fd);
	case_open(c);
	case_fill(c, 100, NULL, NULL);
	case_close(c);
	/* as if it had been killed before the checkpoint, in the middle of a file, with partial tiles half removed */
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, old, (size_t)n), n);
	close(fd);
	snprintf(path, sizeof(path), "%s/tile/0/001.p/44", c->tiles_dir);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/.new", c->tiles_dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	for (size_t i = 0; i < array_len(left); i++) {
		snprintf(path, sizeof(path), "%s/%s", c->tiles_dir, left[i]);
		assert_int_equal(mkdir(path, 0750), 0);
		snprintf(path, sizeof(path), "%s/%s/17", c->tiles_dir, left[i]);
		fd = open(path, O_WRONLY | O_CREAT, 0640);
		close(fd);
	}
	case_open(c);
	case_close(c);
	assert_int_equal(verify(c, &k).size, 300);
}

static void
folder_that_was_lost_is_made_again(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);

	case_fill(c, 600, NULL, NULL);
	case_close(c);
	case_remove(c->tiles_dir);
	case_open(c);
	until_published(c);
	assert_int_equal(verify(c, &k).size, 600);
	case_remove(c->tiles_dir);
	case_fill(c, 1, NULL, NULL);
	until_why(c, "cannot be written");
	assert_true(ledger_available(c->log));
	until_published(c);
	assert_int_equal(verify(c, &k).size, 601);
	assert_string_equal(ledger_tiles_why(c->log), "");
}

static void
folder_that_cannot_be_made_stops_nothing(void **state)
{
	struct ledger_case *c = *state;
	char path[128];

	case_close(c);
	snprintf(path, sizeof(path), "%s/no/such/folder", c->dir);
	c->tiles = path;
	case_open(c);
	assert_true(ledger_available(c->log));
	case_append(c, "sign", "");
	until_why(c, "/no/such/folder");
	case_append(c, "sign", "");
	assert_true(ledger_available(c->log));
}

static void
another_logs_folder_that_appears_is_not_touched(void **state)
{
	struct ledger_case *c = *state, *other;
	char path[256], note[2048];
	void *second;
	size_t files;
	ssize_t n;
	int fd;

	assert_int_equal(case_setup_published(&second), 0);
	other = second;
	(void)case_append(other, "sign", "\"uid\":77");
	case_fill(other, 5, NULL, NULL);
	case_close(other);
	assert_int_equal(mkdir(c->tiles_dir, 0750), 0);
	snprintf(path, sizeof(path), "%s/checkpoint", other->tiles_dir);
	fd = open(path, O_RDONLY);
	n = read(fd, note, sizeof(note));
	assert_true(n > 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/checkpoint", c->tiles_dir);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	assert_int_equal(write(fd, note, (size_t)n), n);
	close(fd);
	files = tiles_case_files(c->tiles_dir);
	case_fill(c, 20, NULL, NULL);
	until_why(c, "is not of this log: move that folder away");
	assert_int_equal(tiles_case_files(c->tiles_dir), files);
	assert_true(ledger_available(c->log));
	case_open(other);
	assert_int_equal(case_teardown(&second), 0);
}

static void
changed_entry_is_not_published(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);

	case_fill(c, 5, NULL, NULL);
	until_published(c);
	case_fill(c, 5, NULL, NULL);
	case_exec(c, "UPDATE entry SET bytes = x'7b7d' WHERE idx = 7");
	until_why(c, "entry 7 is not the one that was hashed");
	assert_true(ledger_available(c->log));
	assert_int_equal(verify(c, &k).size, 5);
}

static void
openings_are_never_published(void **state)
{
	struct ledger_case *c = *state;
	char title[] = "Quyet dinh XYZZY", command[256];
	struct ledger_opening o = {.field = "title", .text = title};
	struct ledger_op op = case_append_op("sign", "");

	op.openings = &o;
	op.opening_count = 1;
	memset(o.salt, 'S', sizeof(o.salt));
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	until_published(c);
	snprintf(command, sizeof(command), "grep -rqE 'XYZZY|SSSSSSSS' %s", c->tiles_dir);
	assert_int_not_equal(system(command), 0);
	snprintf(command, sizeof(command), "grep -rq '\"kind\":\"sign\"' %s", c->tiles_dir);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup_published, case_teardown)
	    T(empty_log_publishes_nothing),
	    T(each_size_is_published_when_the_log_is_closed),
	    T(second_level_of_tiles_begins_at_65536),
	    T(open_log_is_published_by_itself),
	    T(run_that_was_broken_off_is_repeated),
	    T(folder_that_was_lost_is_made_again),
	    T(folder_that_cannot_be_made_stops_nothing),
	    T(another_logs_folder_that_appears_is_not_touched),
	    T(changed_entry_is_not_published),
	    T(openings_are_never_published),
#undef T
	};

	umask(077); /* as the daemon's unit has it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
