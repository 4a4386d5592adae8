/* daemon/ledger/checkpoint.c, logkey.c, continuity.c: the signed heads of the log */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bad_disk.h"
#include "base/tlog.h"
#include "ledger_case.h"
#include "unit.h"

static void
path_of(const struct ledger_case *c, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", c->dir, name);
}

static size_t
read_file(const struct ledger_case *c, const char *name, void *out, size_t room)
{
	char path[128];
	ssize_t n;
	int fd;

	path_of(c, name, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, out, room);
	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

static void
write_file(const struct ledger_case *c, const char *name, mode_t mode, const void *bytes, size_t len)
{
	char path[128];
	int fd;

	path_of(c, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void
assert_refused(struct ledger_case *c, const char *why)
{
	assert_int_equal(case_try_open(c), SIGNET_ERR_LOG_UNAVAILABLE);
	if (strstr(c->why, why) == NULL)
		fail_msg("'%s' does not say '%s'", c->why, why);
}

static void
append_with_proof(struct ledger_case *c, struct ledger_op *op)
{
	*op = case_append_op("sign", "\"uid\":7");
	op->want_proof = true;
	assert_int_equal(case_run(c, op), SIGNET_OK);
}

/* The log key */

static void
first_start_makes_a_key_that_stays(void **state)
{
	struct ledger_case *c = *state;
	char vkey[512] = "", shown[512] = "", path[128];
	uint8_t seed[64], again[64];
	struct stat st;

	path_of(c, "log.key", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(read_file(c, "log.key", seed, sizeof(seed)), 32);
	snprintf(vkey, sizeof(vkey), "%s", ledger_vkey(c->log));
	assert_memory_equal(vkey, CASE_ORIGIN "+", strlen(CASE_ORIGIN) + 1);
	read_file(c, "log.vkey", shown, sizeof(shown) - 1);
	assert_int_equal(strlen(shown), strlen(vkey) + 1);
	assert_memory_equal(shown, vkey, strlen(vkey));
	case_reopen(c);
	assert_string_equal(ledger_vkey(c->log), vkey);
	assert_int_equal(read_file(c, "log.key", again, sizeof(again)), 32);
	assert_memory_equal(seed, again, 32);
}

static void
vkey_that_was_lost_is_shown_again(void **state)
{
	struct ledger_case *c = *state;
	char path[128], shown[512];

	path_of(c, "log.vkey", path);
	assert_int_equal(unlink(path), 0);
	case_reopen(c);
	assert_int_equal(read_file(c, "log.vkey", shown, sizeof(shown)), strlen(ledger_vkey(c->log)) + 1);
}

static void
missing_key_of_a_signed_log_is_refused(void **state)
{
	struct ledger_case *c = *state;
	char path[128];

	case_append(c, "start", "");
	case_close(c);
	path_of(c, "log.key", path);
	assert_int_equal(unlink(path), 0);
	assert_refused(c, "is missing although log.db has checkpoints");
	assert_int_equal(access(path, F_OK), -1);
}

static void
missing_key_with_a_checkpoint_elsewhere_is_refused(void **state)
{
	struct ledger_case *c = *state;
	char key[128], anchor[128];

	case_close(c);
	case_exec(c, "DELETE FROM meta WHERE key = 'logkey'");
	path_of(c, "log.key", key);
	assert_int_equal(unlink(key), 0);
	write_file(c, "anchor", 0600, "x", 1);
	path_of(c, "anchor", anchor);
	c->anchor = anchor;
	assert_refused(c, "/anchor has checkpoints");
	assert_int_equal(access(key, F_OK), -1);
}

static void
key_that_is_open_to_others_or_has_another_size_is_refused(void **state)
{
	static const mode_t modes[] = {0604, 0602, 0601, 0620};
	struct ledger_case *c = *state;
	uint8_t seed[33] = {0};
	char path[128];

	assert_int_equal(read_file(c, "log.key", seed, sizeof(seed)), 32);
	case_close(c);
	path_of(c, "log.key", path);
	for (size_t i = 0; i < array_len(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_refused(c, "is open to other users");
	}
	write_file(c, "log.key", 0600, seed, 31);
	assert_refused(c, "has not 32 bytes");
	write_file(c, "log.key", 0600, seed, 33);
	assert_refused(c, "has not 32 bytes");
	write_file(c, "log.key", 0600, seed, 32);
	case_open(c);
}

static void
another_key_or_name_is_refused(void **state)
{
	struct ledger_case *c = *state;
	uint8_t seed[32], other[32] = {1};

	case_append(c, "start", "");
	read_file(c, "log.key", seed, sizeof(seed));
	case_close(c);
	write_file(c, "log.key", 0600, other, sizeof(other));
	assert_refused(c, "log.db was signed as " CASE_ORIGIN "+");
	write_file(c, "log.key", 0600, seed, sizeof(seed));
	c->origin = "elsewhere.example";
	assert_refused(c, "log.db was signed as " CASE_ORIGIN "+");
	c->origin = "two words";
	assert_refused(c, "two words cannot be the name of a log");
	c->origin = CASE_ORIGIN;
	case_open(c);
	assert_true(ledger_available(c->log));
}

/* Heads */

static void
empty_log_has_no_head(void **state)
{
	struct ledger_case *c = *state;
	struct checkpoint says;
	const char *note;
	size_t len;

	assert_false(ledger_head(c->log, &says, &note, &len));
}

static void
first_entry_is_covered_in_its_own_commit(void **state)
{
	struct ledger_case *c = *state;

	case_append(c, "start", "");
	assert_int_equal(case_head(c).size, 1);
	assert_string_equal(case_head(c).origin, CASE_ORIGIN);
	assert_int_equal(case_int(c, "SELECT checkpoint IS NOT NULL FROM entry WHERE idx = 0"), 1);
}

static void
entry_that_came_too_soon_is_covered_without_another(void **state)
{
	struct ledger_case *c = *state;
	struct checkpoint head;
	struct tlog_tree tree = {0};
	uint8_t completed[TLOG_LEVELS][TLOG_HASH], root[TLOG_HASH];
	struct ledger_read r;

	for (int i = 0; i < 10; i++)
		case_append(c, "sign", "\"uid\":7");
	case_until_covered(c);
	head = case_head(c);
	assert_int_equal(head.size, 10);
	for (uint64_t i = 0; i < 10; i++) {
		assert_int_equal(case_read(c, i, &r), SIGNET_OK);
		tlog_tree_push(&tree, r.leaf, completed);
		buf_done(&r.entry);
		buf_done(&r.value);
	}
	tlog_tree_root(&tree, root);
	assert_memory_equal(head.root, root, sizeof(root));
}

static void
end_is_covered_when_the_log_is_closed(void **state)
{
	struct ledger_case *c = *state;

	for (int i = 0; i < 5; i++)
		case_append(c, "sign", "");
	case_close(c);
	assert_int_equal(case_int(c, "SELECT checkpoint IS NOT NULL FROM entry WHERE idx = 4"), 1);
	case_open(c);
	assert_int_equal(case_head(c).size, 5);
}

static void
timed_heads_are_fifty_milliseconds_apart(void **state)
{
	struct ledger_case *c = *state;
	uint64_t begin = uv_hrtime(), ms;
	int64_t heads;

	for (int i = 0; i < 2000; i++)
		case_append(c, "sign", "");
	ms = (uv_hrtime() - begin) / 1000000;
	heads = case_int(c, "SELECT count(*) FROM entry WHERE checkpoint IS NOT NULL");
	assert_in_range(heads, 1, ms / 50 + 1);
}

static void
claims_alone_need_no_head(void **state)
{
	struct ledger_case *c = *state;
	struct checkpoint says;
	const char *note;
	size_t len;

	case_claim(c, "\"uid\":7");
	assert_false(ledger_head(c->log, &says, &note, &len));
}

/* Proofs with the entry */

static void
wanted_proof_is_that_of_its_own_commit(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	struct checkpoint says;
	struct ledger_op op;
	uint64_t index;

	for (uint64_t i = 0; i < 70; i++) {
		append_with_proof(c, &op);
		assert_int_equal(
		    tlog_proof_verify((const char *)op.proof.data, op.proof.len, &k, op.leaf, &index, &says),
		    SIGNET_OK);
		assert_int_equal(index, i);
		assert_int_equal(says.size, i + 1);
		assert_int_equal(case_head(c).size, i + 1);
		op.leaf[0] ^= 1;
		assert_int_equal(
		    tlog_proof_verify((const char *)op.proof.data, op.proof.len, &k, op.leaf, &index, &says),
		    SIGNET_ERR_VERIFY);
		buf_done(&op.entry);
		buf_done(&op.proof);
	}
}

static void
proof_is_empty_where_nobody_wants_one(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_append_op("sign", "");

	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_int_equal(op.proof.len, 0);
	buf_done(&op.entry);
	op = case_append_op("sign", "");
	op.want_proof = true;
	case_close(c);
	c->origin = NULL;
	case_open(c);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_int_equal(op.proof.len, 0);
	buf_done(&op.entry);
}

enum { BATCH = 64 };

struct batch {
	struct ledger_case *c;
	unsigned left;
	bool done;
};

static void
one_done(struct ledger_op *op)
{
	struct batch *b = op->owner;

	b->done = --b->left == 0;
}

/* Every third of a batch asks. */
static void
proofs_of_one_batch_are_against_one_head(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	struct batch b = {.c = c, .left = BATCH};
	struct ledger_op ops[BATCH];
	struct checkpoint says;
	uint64_t index;

	for (int i = 0; i < 37; i++)
		case_append(c, "start", "");
	for (int i = 0; i < BATCH; i++) {
		ops[i] = case_append_op("sign", "\"uid\":7");
		ops[i].want_proof = i % 3 == 0;
		ops[i].done = one_done;
		ops[i].owner = &b;
		ledger_submit(c->log, &ops[i]);
	}
	ledger_hand_over(c->log, BATCH);
	case_until(c, &b.done);
	for (int i = 0; i < BATCH; i++) {
		assert_int_equal(ops[i].err, SIGNET_OK);
		if (ops[i].want_proof) {
			assert_int_equal(tlog_proof_verify((const char *)ops[i].proof.data, ops[i].proof.len,
					     &k, ops[i].leaf, &index, &says),
			    SIGNET_OK);
			assert_int_equal(index, ops[i].index);
			assert_int_equal(says.size, 37 + BATCH);
		} else {
			assert_int_equal(ops[i].proof.len, 0);
		}
		buf_done(&ops[i].entry);
		buf_done(&ops[i].proof);
	}
	assert_int_equal(
	    case_int(c, "SELECT count(*) FROM entry WHERE idx >= 37 AND checkpoint IS NOT NULL"), 1);
}

static void
refused_entry_of_a_batch_gets_no_proof(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = case_record_op(99, "\"uid\":7", NULL);

	op.want_proof = true;
	assert_int_equal(case_run(c, &op), SIGNET_ERR_ARGUMENT);
	assert_int_equal(op.proof.len, 0);
	assert_int_equal(ledger_size(c->log), 0);
}

/* Commits that fail */

static void
until_available_again(struct ledger_case *c)
{
	while (!ledger_available(c->log))
		uv_run(&c->loop, UV_RUN_ONCE);
}

static void
proof_is_of_the_commit_that_succeeded(void **state)
{
	struct ledger_case *c = *state;
	struct note_key k = case_key(c);
	struct checkpoint says;
	struct ledger_op op;
	uint64_t claim, index;

	case_append(c, "start", "");
	claim = case_claim(c, "\"uid\":7");
	bad_disk_fail(
	    BAD_WAL_WRITE, SQLITE_FULL, 1); /* the reserve is given up, and the second try succeeds */
	op = case_record_op(claim, "\"uid\":7", NULL);
	op.want_proof = true;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	assert_int_equal(bad_disk_failed(BAD_WAL_WRITE), 1);
	assert_int_equal(
	    tlog_proof_verify((const char *)op.proof.data, op.proof.len, &k, op.leaf, &index, &says),
	    SIGNET_OK);
	assert_int_equal(index, 1);
	assert_int_equal(says.size, 2);
	assert_int_equal(case_head(c).size, 2);
	buf_done(&op.entry);
	buf_done(&op.proof);
	until_available_again(c);
}

static void
head_of_a_failed_commit_is_never_shown(void **state)
{
	static const enum bad_disk_where places[] = {BAD_WAL_WRITE, BAD_WAL_SYNC};
	struct ledger_case *c = *state;
	struct ledger_op op;

	case_append(c, "start", "");
	for (size_t i = 0; i < array_len(places); i++) {
		bad_disk_fail(places[i], places[i] == BAD_WAL_SYNC ? SQLITE_IOERR_FSYNC : SQLITE_FULL, 1);
		op = case_append_op("sign", "\"uid\":7");
		op.want_proof = true;
		assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
		assert_int_equal(op.proof.len, 0);
		assert_int_equal(case_head(c).size, 1 + i);
		until_available_again(c);
		append_with_proof(c, &op);
		buf_done(&op.entry);
		buf_done(&op.proof);
		assert_int_equal(case_head(c).size, 2 + i);
	}
	case_reopen(c);
	assert_true(ledger_available(c->log));
	case_check_rows(c, 3);
}

static void
record_that_is_written_late_is_covered(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op;
	uint64_t claim;

	claim = case_claim(c, "\"uid\":7");
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 3);
	op = case_record_op(claim, "\"uid\":7", NULL);
	op.want_proof = true;
	op.kept = (struct ledger_kept){
	    .uid = 7, .request_id = "late", .value = (const uint8_t *)"s", .value_len = 1};
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(op.proof.len, 0);
	until_available_again(c);
	case_until_covered(c);
	assert_int_equal(c->late, 1);
	assert_int_equal(case_head(c).size, 1);
}

/* The timed checkpoint is a commit of its own: what it meets stops signing like any other failure, and passes. */
static void
timed_head_that_fails_is_made_later(void **state)
{
	struct ledger_case *c = *state;

	case_append(c, "start", "");
	case_append(c, "sign", "");
	bad_disk_fail(BAD_WAL_WRITE, SQLITE_FULL, 1);
	case_until_covered(c);
	until_available_again(c);
	assert_int_equal(case_head(c).size, 2);
	assert_int_equal(bad_disk_failed(BAD_WAL_WRITE), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		first_start_makes_a_key_that_stays, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		vkey_that_was_lost_is_shown_again, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		missing_key_of_a_signed_log_is_refused, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		missing_key_with_a_checkpoint_elsewhere_is_refused, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		key_that_is_open_to_others_or_has_another_size_is_refused, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(another_key_or_name_is_refused, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(empty_log_has_no_head, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		first_entry_is_covered_in_its_own_commit, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		entry_that_came_too_soon_is_covered_without_another, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		end_is_covered_when_the_log_is_closed, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		timed_heads_are_fifty_milliseconds_apart, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(claims_alone_need_no_head, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		wanted_proof_is_that_of_its_own_commit, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		proof_is_empty_where_nobody_wants_one, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		proofs_of_one_batch_are_against_one_head, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		refused_entry_of_a_batch_gets_no_proof, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		proof_is_of_the_commit_that_succeeded, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		head_of_a_failed_commit_is_never_shown, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		record_that_is_written_late_is_covered, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(
		timed_head_that_fails_is_made_later, case_setup_signed, case_teardown),
	};

	bad_disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
