/*
 * client/base/keychain.c, daemon/ledger/checkpoint.c, continuity.c, succession.c: another key signs the log, and
 * another log continues it
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/keychain.h"
#include "ledger/succeed.h"
#include "ledger_case.h"
#include "unit.h"

static void
path_of(const struct ledger_case *c, const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", c->dir, name);
}

static bool
there_is(const struct ledger_case *c, const char *name)
{
	char path[256];

	path_of(c, name, path);
	return access(path, F_OK) == 0;
}

static void
copy_file(const struct ledger_case *c, const char *from, const char *to)
{
	char path[256], bytes[4096];
	ssize_t n;
	int fd;

	path_of(c, from, path);
	fd = open(path, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	assert_true(n > 0);
	close(fd);
	path_of(c, to, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, (size_t)n), n);
	close(fd);
}

static signet_err
change_key(struct ledger_case *c, struct key_link *link)
{
	struct ledger_op op = case_append_op("logkey", "\"uid\":0");
	signet_err err;

	op.change_key = true;
	err = case_run(c, &op);
	if (err == SIGNET_OK) {
		assert_true(key_link_is((const char *)op.entry.data, op.entry.len));
		assert_int_equal(key_link_read(link, (const char *)op.entry.data, op.entry.len), SIGNET_OK);
		assert_int_equal(link->at.size, op.index);
	}
	buf_done(&op.entry);
	return err;
}

static void
new_key_signs_what_covers_the_change(void **state)
{
	struct ledger_case *c = *state;
	struct note_key first = case_key(c), second;
	struct key_link link;
	struct checkpoint head;

	case_fill(c, 5, NULL, NULL);
	case_until_covered(c);
	head = case_head(c);
	assert_int_equal(change_key(c, &link), SIGNET_OK);
	second = case_key(c);
	assert_true(note_key_same(&link.old, &first));
	assert_true(note_key_same(&link.next, &second));
	assert_false(note_key_same(&first, &second));
	assert_memory_equal(link.at.root, head.root, sizeof(head.root));
	assert_int_equal(case_head(c).size, 6); /* with the commit of the change, and case_head checks whose word it is */
	case_fill(c, 300, NULL, NULL);
	case_reopen(c);
	assert_true(ledger_available(c->log));
	first = case_key(c);
	assert_true(note_key_same(&first, &second));
	assert_int_equal(change_key(c, &link), SIGNET_OK);
	assert_true(note_key_same(&link.old, &second));
	assert_false(there_is(c, "log.key.next"));
	case_check_rows(c, 307);
}

static void
change_that_a_crash_left_half_done_is_finished(void **state)
{
	struct ledger_case *c = *state;
	struct key_link link;
	struct note_key key;

	case_fill(c, 3, NULL, NULL);
	copy_file(c, "log.key", "kept");
	assert_int_equal(change_key(c, &link), SIGNET_OK);
	case_close(c);
	copy_file(c, "log.key", "log.key.next"); /* the machine stopped before it got its name */
	copy_file(c, "kept", "log.key");
	case_open(c);
	assert_true(ledger_available(c->log));
	key = case_key(c);
	assert_true(note_key_same(&key, &link.next));
	assert_false(there_is(c, "log.key.next"));
	/* one that was made and never came into force is nobody's */
	case_close(c);
	copy_file(c, "kept", "log.key.next");
	case_open(c);
	assert_true(ledger_available(c->log));
	key = case_key(c);
	assert_true(note_key_same(&key, &link.next));
	assert_int_equal(change_key(c, &link), SIGNET_OK);
	case_reopen(c);
	assert_true(ledger_available(c->log));
	/* the first key alone is not this log's any more */
	case_close(c);
	copy_file(c, "kept", "log.key");
	assert_int_equal(case_try_open(c), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_non_null(strstr(c->why, "signetctl log recover"));
}

static void
log_without_a_key_changes_none(void **state)
{
	struct ledger_case *c = *state;
	struct key_link link;

	case_fill(c, 2, NULL, NULL);
	assert_int_equal(change_key(c, &link), SIGNET_ERR_ARGUMENT);
	assert_int_equal(ledger_size(c->log), 2);
	case_fill(c, 1, NULL, NULL);
}

static struct ledger_options
options_of(const struct ledger_case *c)
{
	return (struct ledger_options){.dir = c->dir,
	    .origin = c->origin,
	    .tiles = c->tiles,
	    .anchor = c->anchor,
	    .reserve = CASE_RESERVE,
	    .boot_id = CASE_BOOT};
}

/* A log that cannot go on is put aside; stops before the new one is opened. */
static void
put_aside(struct ledger_case *c, bool readable)
{
	struct ledger_options o = options_of(c);
	char path[256], why[512];
	int fd;

	path_of(c, readable ? "log.key" : "log.db", path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "no database at all, and no key", 30, 0), 30);
	close(fd);
	assert_int_equal(case_try_open(c), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(ledger_put_aside(&o, why, sizeof(why)), SIGNET_OK);
}

static void
shut_log_answers_and_takes_nothing(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_options o = options_of(c);
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 1};
	struct ledger_op op = case_append_op("start", "");
	struct ledger_read r;

	case_fill(c, 3, NULL, NULL);
	case_close(c);
	assert_int_equal(ledger_open_shut(&c->log, &c->loop, &o, "it is broken: mend it"), SIGNET_OK);
	assert_true(ledger_broken(c->log));
	assert_false(ledger_available(c->log));
	assert_string_equal(ledger_why(c->log), "it is broken: mend it");
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LOG_UNAVAILABLE);
	assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_ERR_IO);
	assert_int_equal(case_read(c, 0, &r), SIGNET_ERR_IO);
	case_close(c);
	case_open(c);
	assert_int_equal(ledger_size(c->log), 3);
	assert_false(ledger_broken(c->log));
}

static void
new_log_names_the_newest_head(void **state)
{
	struct ledger_case *c = *state;
	const struct succession *s;
	char vkey[300];

	case_fill(c, 20, NULL, NULL);
	snprintf(vkey, sizeof(vkey), "%s", ledger_vkey(c->log));
	case_close(c);
	put_aside(c, false);
	assert_false(there_is(c, "log.db"));
	assert_true(there_is(c, "old-log-1/log.db"));
	assert_true(there_is(c, "old-log-1/log.key"));
	case_open(c);
	s = ledger_succession(c->log);
	assert_non_null(s);
	assert_string_equal(s->origin, CASE_ORIGIN);
	assert_int_equal(s->size, 20); /* the database is none: the published checkpoint says so */
	assert_string_equal(s->vkey, vkey);
	assert_int_equal(s->entries, 0);
	assert_string_equal(ledger_origin(c->log), CASE_ORIGIN "/2");
	case_reopen(c); /* before it was told */
	assert_non_null(ledger_succession(c->log));
	assert_int_equal(ledger_size(c->log), 0);
	(void)case_append(c, "origin", "");
	assert_int_equal(ledger_settle(c->log), SIGNET_OK);
	case_reopen(c);
	assert_null(ledger_succession(c->log));
	assert_int_equal(ledger_size(c->log), 1);
	assert_true(ledger_available(c->log));
}

static void
on_tried(void *arg, const struct ledger_tried *tried)
{
	unsigned *failures = arg;

	assert_string_equal(tried->serial, "0123");
	*failures += tried->failures;
}

static void
wrong_pins_are_counted_on_in_a_new_log(void **state)
{
	struct ledger_case *c = *state;
	struct ledger_op op = {
	    .what = LEDGER_TRIED, .tried = {.set = true, .serial = "0123", .source = "stored", .failures = 2, .last_us = 5}};
	unsigned failures = 0;

	case_fill(c, 20, NULL, NULL);
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	case_close(c);
	put_aside(c, true);
	case_open(c);
	assert_int_equal(ledger_succession(c->log)->entries, 20);
	assert_int_equal(ledger_each_tried(c->log, on_tried, &failures), SIGNET_OK);
	assert_int_equal(failures, 2);
}

static void
crash_while_files_are_moved_is_gone_on_from(void **state)
{
	struct ledger_case *c = *state;
	char from[256], to[256];

	case_fill(c, 4, NULL, NULL);
	case_close(c);
	put_aside(c, true);
	/* as if the first renaming had not been done, nor noted */
	path_of(c, "old-log-1/log.db", from);
	path_of(c, "log.db", to);
	assert_int_equal(rename(from, to), 0);
	path_of(c, "succession", from);
	{
		char text[4096];
		int fd = open(from, O_RDWR);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		char *moved;

		assert_true(n > 0);
		text[n] = '\0';
		moved = strstr(text, "\"moved\":true");
		assert_non_null(moved);
		memcpy(moved, "\"moved\":null", 12);
		assert_int_equal(pwrite(fd, text, (size_t)n, 0), n);
		close(fd);
	}
	case_open(c);
	assert_true(there_is(c, "old-log-1/log.db"));
	assert_int_equal(ledger_size(c->log), 0);
	assert_string_equal(ledger_origin(c->log), CASE_ORIGIN "/2");
	(void)case_append(c, "origin", "");
	case_reopen(c);
	assert_int_equal(ledger_size(c->log), 1); /* and the new database is never moved */
}

static void
link_is_refused_where_anything_is_another(void **state)
{
	static const uint8_t old_seed[NOTE_SEED] = {1}, next_seed[NOTE_SEED] = {2};
	struct checkpoint at = {.origin = "log.example", .size = 7};
	struct note_signer old, next;
	struct buf note, entry, vkey;
	struct key_link link;
	size_t good = 0;

	(void)state;
	assert_int_equal(note_signer_init(&old, "log.example", old_seed), SIGNET_OK);
	assert_int_equal(note_signer_init(&next, "log.example", next_seed), SIGNET_OK);
	buf_init(&note, NOTE_MAX);
	buf_init(&entry, 65535);
	buf_init(&vkey, 1024);
	assert_int_equal(key_link_sign(&note, &at, &next.key, &old), SIGNET_OK);
	buf_str(&entry, "{\"v\":1,\"kind\":\"logkey\",\"oldKey\":\"");
	note_key_write(&entry, &old.key);
	buf_str(&entry, "\",\"newKey\":\"");
	note_key_write(&entry, &next.key);
	buf_str(&entry, "\",\"handover\":");
	buf_json(&entry, (const char *)note.data, note.len);
	buf_chr(&entry, '}');
	assert_int_equal(key_link_read(&link, (const char *)entry.data, entry.len), SIGNET_OK);
	assert_int_equal(link.at.size, 7);
	for (size_t i = 0; i < entry.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			entry.data[i] ^= (uint8_t)(1U << bit);
			good += key_link_read(&link, (const char *)entry.data, entry.len) == SIGNET_OK;
			entry.data[i] ^= (uint8_t)(1U << bit);
		}
	}
	/* the names of v and kind are not its business: key_link_is() looks at them */
	assert_true(good < 8 * 40);
	buf_done(&note);
	buf_done(&entry);
	buf_done(&vkey);
	note_signer_done(&old);
	note_signer_done(&next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(link_is_refused_where_anything_is_another),
	    cmocka_unit_test_setup_teardown(new_key_signs_what_covers_the_change, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(change_that_a_crash_left_half_done_is_finished, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(log_without_a_key_changes_none, case_setup, case_teardown),
	    cmocka_unit_test_setup_teardown(shut_log_answers_and_takes_nothing, case_setup_signed, case_teardown),
	    cmocka_unit_test_setup_teardown(new_log_names_the_newest_head, case_setup_published, case_teardown),
	    cmocka_unit_test_setup_teardown(wrong_pins_are_counted_on_in_a_new_log, case_setup_published, case_teardown),
	    cmocka_unit_test_setup_teardown(crash_while_files_are_moved_is_gone_on_from, case_setup_published, case_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
