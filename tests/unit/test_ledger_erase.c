/* daemon/ledger/store.c, writer.c: erasing the texts behind an entry; the tables of version 1 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/db.h"
#include "ledger_case.h"
#include "unit.h"

#define SECRET_TITLE "Quyet dinh so 4711 ve viec bo nhiem"
#define SECRET_NUMBER "4711/QD-UBND-XYZZY"

static void
append_with_openings(struct ledger_case *c)
{
	char title[] = SECRET_TITLE, number[] = SECRET_NUMBER;
	struct ledger_opening o[2] = {{.field = "title", .text = title}, {.field = "number", .text = number}};
	struct ledger_op op = case_claim_op("\"uid\":7");

	/* through a claim, whose copy must go too */
	memset(o[0].salt, 0xa1, LEDGER_HASH);
	memset(o[1].salt, 0xa2, LEDGER_HASH);
	op.openings = o;
	op.opening_count = 2;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	uint64_t claim = op.claim;
	op = case_record_op(claim, "\"uid\":7", NULL);
	op.openings = o;
	op.opening_count = 2;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
}

static signet_err
erase(struct ledger_case *c, uint64_t index, const char *field)
{
	struct ledger_op op = case_append_op("erasure", "\"detail\":\"erased\"");
	signet_err err;

	op.erase = true;
	op.erase_index = index;
	op.erase_field = field;
	err = case_run(c, &op);
	buf_done(&op.entry);
	return err;
}

static bool
file_holds(const char *path, const char *text)
{
	struct stat st;
	char *bytes;
	bool found;
	ssize_t n;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	n = read(fd, bytes, (size_t)st.st_size);
	assert_true(n >= 0);
	found = memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
	free(bytes);
	close(fd);
	return found;
}

/* In any file of the log's folder? */
static bool
folder_holds(const struct ledger_case *c, const char *text)
{
	struct dirent *file;
	bool found = false;
	DIR *dir = opendir(c->dir);

	assert_non_null(dir);
	while ((file = readdir(dir)) != NULL) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", c->dir, file->d_name);
		if (file->d_type == DT_REG && strcmp(file->d_name, "log.reserve") != 0)
			found = found || file_holds(path, text);
	}
	closedir(dir);
	return found;
}

static void
on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void
on_timer_closed(uv_handle_t *timer)
{
	*(bool *)timer->data = true;
}

/* Nobody tells when the files are clean: look every 20 ms. */
static void
until_gone(struct ledger_case *c, const char *text)
{
	bool closed = false;
	uv_timer_t timer;

	assert_int_equal(uv_timer_init(&c->loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, on_timer, 20, 20), 0);
	for (int i = 0; folder_holds(c, text); i++) {
		assert_in_range(i, 0, 500);
		uv_run(&c->loop, UV_RUN_ONCE);
	}
	timer.data = &closed;
	uv_close((uv_handle_t *)&timer, on_timer_closed);
	case_until(c, &closed);
}

struct opening {
	char field[16], text[64];
	bool erased;
};

struct openings {
	struct opening of[4];
	size_t count;
};

static void
collect(struct ledger_query *q, void *arg)
{
	struct openings *out = arg;

	assert_int_equal(q->row_count, 1);
	for (size_t i = 0; i < q->rows[0].opening_count; i++) {
		const char *text = q->rows[0].openings[i].text;

		snprintf(out->of[i].field, sizeof(out->of[i].field), "%s", q->rows[0].openings[i].field);
		snprintf(out->of[i].text, sizeof(out->of[i].text), "%s", text == NULL ? "" : text);
		out->of[i].erased = text == NULL;
	}
	out->count = q->rows[0].opening_count;
}

static struct openings
openings_of(struct ledger_case *c, uint64_t index)
{
	struct ledger_query q = {.what = LEDGER_PAGE, .from = index, .limit = 1, .titles = true};
	struct openings o = {0};

	assert_int_equal(case_query(c, &q, collect, &o), SIGNET_OK);
	return o;
}

static void
one_field_is_erased(void **state)
{
	struct ledger_case *c = *state;
	struct openings o;

	append_with_openings(c);
	assert_int_equal(erase(c, 0, "title"), SIGNET_OK);
	o = openings_of(c, 0);
	assert_int_equal(o.count, 2);
	assert_string_equal(o.of[0].field, "number");
	assert_string_equal(o.of[0].text, SECRET_NUMBER);
	assert_string_equal(o.of[1].field, "title");
	assert_true(o.of[1].erased);
	until_gone(c, SECRET_TITLE);
	assert_true(folder_holds(c, SECRET_NUMBER));
}

static void
all_fields_are_erased_from_the_files_of_an_open_log(void **state)
{
	struct ledger_case *c = *state;
	struct openings o;

	for (int i = 0; i < 20; i++)
		append_with_openings(c);
	for (uint64_t i = 0; i < 20; i++) {
		assert_true(folder_holds(c, SECRET_TITLE));
		assert_int_equal(erase(c, i, NULL), SIGNET_OK);
	}
	o = openings_of(c, 0);
	assert_int_equal(o.count, 2);
	assert_true(o.of[0].erased && o.of[1].erased);
	until_gone(c, SECRET_TITLE);
	until_gone(c, SECRET_NUMBER);
	until_gone(c, "\xa1\xa1\xa1\xa1\xa1\xa1\xa1\xa1");
	until_gone(c, "\xa2\xa2\xa2\xa2\xa2\xa2\xa2\xa2");
	case_check_rows(c, 40);
}

static void
close_leaves_nothing_of_what_was_erased(void **state)
{
	struct ledger_case *c = *state;

	append_with_openings(c);
	assert_int_equal(erase(c, 0, NULL), SIGNET_OK);
	case_close(c);
	assert_false(folder_holds(c, SECRET_TITLE));
	assert_false(folder_holds(c, SECRET_NUMBER));
}

static void
nothing_to_erase_makes_no_entry(void **state)
{
	struct ledger_case *c = *state;

	append_with_openings(c);
	case_append(c, "sign", "");
	assert_int_equal(erase(c, 0, "reason"), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(erase(c, 1, NULL), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(erase(c, 2, NULL), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(erase(c, UINT64_MAX, NULL), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(ledger_size(c->log), 2);
	assert_int_equal(erase(c, 0, "title"), SIGNET_OK);
	assert_int_equal(erase(c, 0, "title"), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(erase(c, 0, NULL), SIGNET_OK);
	assert_int_equal(erase(c, 0, NULL), SIGNET_ERR_REQUEST_NOT_FOUND);
	assert_int_equal(ledger_size(c->log), 4);
	case_check_rows(c, 4);
}

static void
erasure_that_does_not_fit_erases_nothing(void **state)
{
	struct ledger_case *c = *state;
	static char body[70000];
	struct ledger_op op;

	memset(body, 'x', sizeof(body) - 1);
	append_with_openings(c);
	op = case_append_op("erasure", body);
	op.erase = true;
	assert_int_equal(case_run(c, &op), SIGNET_ERR_LIMIT);
	assert_false(openings_of(c, 0).of[0].erased);
}

static void
log_of_version_1_is_brought_up_to_date(void **state)
{
	struct ledger_case *c = *state;

	append_with_openings(c);
	case_close(c);
	case_exec(c, "ALTER TABLE opening RENAME TO o;"
		     "CREATE TABLE opening (idx INTEGER NOT NULL, field TEXT NOT NULL, salt BLOB NOT NULL,"
		     " text BLOB NOT NULL, PRIMARY KEY (idx, field)) WITHOUT ROWID;"
		     "INSERT INTO opening SELECT * FROM o; DROP TABLE o;"
		     "UPDATE meta SET value = 1 WHERE key = 'schema'");
	case_open(c);
	assert_int_equal(case_int(c, "SELECT value FROM meta WHERE key = 'schema'"), DB_SCHEMA);
	assert_string_equal(openings_of(c, 0).of[1].text, SECRET_TITLE);
	assert_int_equal(erase(c, 0, NULL), SIGNET_OK);
	assert_true(openings_of(c, 0).of[1].erased);
	case_reopen(c);
	assert_int_equal(c->start.size, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)
	    T(one_field_is_erased),
	    T(all_fields_are_erased_from_the_files_of_an_open_log),
	    T(close_leaves_nothing_of_what_was_erased),
	    T(nothing_to_erase_makes_no_entry),
	    T(erasure_that_does_not_fit_erases_nothing),
	    T(log_of_version_1_is_brought_up_to_date),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
