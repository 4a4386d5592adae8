/* daemon/ledger/continuity.c: a log that is not the one that was written last */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tlog.h"
#include "ledger_case.h"
#include "unit.h"

static void
copy_file(const char *from, const char *to)
{
	char block[65536];
	ssize_t n;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof(block))) > 0)
		assert_int_equal(write(out, block, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

static void
path_of(const struct ledger_case *c, const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", c->dir, name);
}

/* The log is closed: it is one file. */
static void
copy(const struct ledger_case *c, const char *from, const char *to)
{
	char a[256], b[256];

	path_of(c, from, a);
	path_of(c, to, b);
	copy_file(a, b);
}

static uint64_t
grow(struct ledger_case *c, uint64_t n)
{
	uint64_t size;

	case_fill(c, n, NULL, NULL);
	size = ledger_size(c->log);
	case_close(c);
	return size;
}

static void
assert_error(struct ledger_case *c, struct ledger_op op)
{
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(op.entry.len, 0);
	buf_done(&op.entry);
}

/* It is open, says why, answers questions and takes nothing. */
static void
assert_sealed(struct ledger_case *c, uint64_t size, const char *why)
{
	struct ledger_query root = {.what = LEDGER_ROOT, .size = size};
	struct ledger_query page = {.what = LEDGER_PAGE, .limit = 256};
	struct ledger_op note = {
	    .what = LEDGER_TRIED, .tried = {.set = true, .failures = 1, .source = "call"}};
	struct ledger_read r;

	assert_false(ledger_available(c->log));
	if (strstr(ledger_why(c->log), why) == NULL)
		fail_msg("'%s' does not say '%s'", ledger_why(c->log), why);
	assert_error(c, case_claim_op("\"uid\":7"));
	assert_error(c, case_append_op("start", ""));
	assert_error(c, case_record_op(1, "\"uid\":7", NULL));
	assert_error(c, note);
	assert_false(ledger_available(c->log));
	assert_int_equal(ledger_size(c->log), size);
	assert_int_equal(case_read(c, 0, &r), SIGNET_OK);
	buf_done(&r.entry);
	buf_done(&r.value);
	assert_int_equal(case_query(c, &root, NULL, NULL), SIGNET_OK);
	assert_int_equal(case_query(c, &page, NULL, NULL), SIGNET_OK);
	case_close(c);
	assert_int_equal(case_int(c, "SELECT count(*) FROM entry"), size);
	assert_int_equal(case_int(c, "SELECT count(*) FROM tried"), 0);
}

static void
log_that_goes_on_is_available(void **state)
{
	struct ledger_case *c = *state;
	char anchor[256];

	assert_int_equal(grow(c, 5), 5);
	copy(c, "tiles/checkpoint", "anchor");
	path_of(c, "anchor", anchor);
	c->anchor = anchor;
	case_open(c);
	assert_true(ledger_available(c->log));
	assert_false(c->start.anchor_missing);
	assert_int_equal(grow(c, 300), 305);
	case_open(c);
	assert_true(ledger_available(c->log));
	assert_int_equal(case_head(c).size, 305);
}

static void
anchor_that_is_not_there_yet_is_none(void **state)
{
	struct ledger_case *c = *state;
	char anchor[256];

	case_close(c);
	path_of(c, "anchor", anchor);
	c->anchor = anchor;
	case_open(c);
	assert_true(ledger_available(c->log));
	assert_true(c->start.anchor_missing);
}

static void
old_copy_is_refused_by_the_published_log(void **state)
{
	struct ledger_case *c = *state;
	struct stat before, after;
	char path[256];

	grow(c, 5);
	copy(c, "log.db", "copy");
	case_open(c);
	grow(c, 5);
	copy(c, "log.db", "newest");
	copy(c, "copy", "log.db");
	path_of(c, "tiles/checkpoint", path);
	assert_int_equal(stat(path, &before), 0);
	case_open(c);
	assert_int_equal(case_head(c).size, 5);
	assert_sealed(c, 5, "rolled back: the checkpoint of size 10 in ");
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	copy(c, "newest", "log.db");
	case_open(c);
	assert_true(ledger_available(c->log));
	assert_int_equal(grow(c, 1), 11);
}

static void
old_copy_is_refused_by_the_anchor(void **state)
{
	struct ledger_case *c = *state;
	char anchor[256];

	grow(c, 5);
	copy(c, "log.db", "copy");
	case_open(c);
	grow(c, 1);
	copy(c, "tiles/checkpoint", "anchor");
	copy(c, "copy", "log.db");
	path_of(c, "anchor", anchor);
	c->anchor = anchor;
	c->tiles = NULL;
	case_open(c);
	assert_sealed(c, 5, "rolled back: the checkpoint of size 6 in ");
}

static void
claims_of_a_refused_log_stay_as_they_are(void **state)
{
	struct ledger_case *c = *state;

	case_fill(c, 3, NULL, NULL);
	case_claim(c, "\"uid\":8");
	case_close(c);
	copy(c, "log.db", "copy");
	case_open(c);
	grow(c, 5);
	copy(c, "copy", "log.db");
	case_open(c);
	assert_int_equal(c->start.recovered, 0);
	assert_sealed(c, 3, "rolled back");
	assert_int_equal(case_int(c, "SELECT count(*) FROM claim"), 1);
}

/* Two logs that part after five entries; returns with the second in place, and the first one's head published. */
static void
fork_log(struct ledger_case *c, uint64_t first, uint64_t second)
{
	char tiles[80];

	grow(c, 5);
	copy(c, "log.db", "copy");
	case_open(c);
	grow(c, first);
	copy(c, "copy", "log.db");
	snprintf(tiles, sizeof(tiles), "%s/elsewhere", c->dir);
	c->tiles = tiles;
	c->now_us++;
	case_open(c);
	assert_true(ledger_available(c->log));
	grow(c, second);
	c->tiles = c->tiles_dir;
}

static void
fork_of_the_same_size_is_refused(void **state)
{
	struct ledger_case *c = *state;

	fork_log(c, 5, 5);
	case_open(c);
	assert_sealed(c, 10, "rolled back: the checkpoint of size 10 in ");
}

static void
longer_fork_is_refused(void **state)
{
	struct ledger_case *c = *state;

	fork_log(c, 5, 6);
	case_open(c);
	assert_sealed(c, 11, "rolled back: the checkpoint of size 10 in ");
}

static void
last_entry_changed_with_its_hash_is_refused(void **state)
{
	struct ledger_case *c = *state;

	/* a leaf that matches its changed bytes: only the checkpoint tells */
	grow(c, 1);
	case_open(c);
	grow(c, 2);
	case_exec(c, "UPDATE entry SET bytes = (SELECT bytes FROM entry WHERE idx = 1),"
		     " leaf = (SELECT leaf FROM entry WHERE idx = 1) WHERE idx = 2");
	case_open(c);
	assert_sealed(c, 3, "the checkpoint in entry 2 of ");
}

/* Put a note into the last row. */
static void
set_checkpoint(struct ledger_case *c, const struct buf *note)
{
	struct buf sql;

	buf_init(&sql, 65536);
	buf_str(&sql, "UPDATE entry SET checkpoint = x'");
	buf_hex(&sql, note->data, note->len);
	buf_str(&sql, "' WHERE idx = (SELECT max(idx) FROM entry)");
	buf_chr(&sql, '\0');
	assert_false(sql.failed);
	case_exec(c, (const char *)sql.data);
	buf_done(&sql);
}

static void
forged_checkpoint_is_refused(void **state)
{
	struct ledger_case *c = *state;
	struct checkpoint says;
	struct note_signer forger;
	struct buf text, note;
	uint8_t seed[NOTE_SEED] = {7};

	case_fill(c, 5, NULL, NULL);
	case_until_covered(c);
	says = case_head(c);
	case_close(c);
	assert_int_equal(note_signer_init(&forger, CASE_ORIGIN, seed), SIGNET_OK);
	buf_init(&text, 4096);
	buf_init(&note, 4096);
	checkpoint_write(&text, &says);
	assert_int_equal(note_sign(&note, (const char *)text.data, text.len, &forger), SIGNET_OK);
	set_checkpoint(c, &note);
	case_open(c);
	assert_sealed(c, 5, "the checkpoint in entry 4 of ");
	/* no note at all; an empty one; the one of another row */
	buf_reset(&note);
	buf_str(&note, "x");
	set_checkpoint(c, &note);
	case_open(c);
	assert_sealed(c, 5, "the checkpoint in entry 4 of ");
	case_exec(c, "UPDATE entry SET checkpoint = x'' WHERE idx = 4");
	case_open(c);
	assert_sealed(c, 5, "the checkpoint in entry 4 of ");
	buf_done(&note);
	buf_done(&text);
	note_signer_done(&forger);
}

static void
checkpoint_of_another_row_is_refused(void **state)
{
	struct ledger_case *c = *state;

	grow(c, 5);
	case_open(c);
	grow(c, 5);
	case_exec(
	    c, "UPDATE entry SET checkpoint = (SELECT checkpoint FROM entry WHERE idx = 4) WHERE idx = 9");
	case_open(c);
	assert_sealed(c, 10, "the checkpoint in entry 9 of ");
}

static void
witness_that_cannot_be_judged_counts_as_broken(void **state)
{
	struct ledger_case *c = *state;
	char path[256], folder[256];
	int fd;

	grow(c, 5);
	path_of(c, "anchor", path);
	c->anchor = path;
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "log\n5\n", 6), 6);
	close(fd);
	case_open(c);
	assert_sealed(c, 5, "/anchor is not a checkpoint signed by this log's key");
	path_of(c, "folder", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	c->anchor = folder;
	case_open(c);
	assert_sealed(c, 5, "whether the log was rolled back cannot be told");
	c->anchor = NULL;
	case_open(c);
	assert_true(ledger_available(c->log));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup_published, case_teardown)
	    T(log_that_goes_on_is_available),
	    T(anchor_that_is_not_there_yet_is_none),
	    T(old_copy_is_refused_by_the_published_log),
	    T(old_copy_is_refused_by_the_anchor),
	    T(claims_of_a_refused_log_stay_as_they_are),
	    T(fork_of_the_same_size_is_refused),
	    T(longer_fork_is_refused),
	    T(last_entry_changed_with_its_hash_is_refused),
	    T(forged_checkpoint_is_refused),
	    T(checkpoint_of_another_row_is_refused),
	    T(witness_that_cannot_be_judged_counts_as_broken),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
