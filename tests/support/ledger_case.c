#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger_case.h"
#include "base/tlog.h"
#include "unit.h"

static int64_t
now_us(void *arg)
{
	const struct ledger_case *c = arg;

	return c->now_us;
}

static const char *
clock_state(void *arg)
{
	const struct ledger_case *c = arg;

	return c->clock;
}

static void
on_late(void *arg, const struct ledger_kept *kept, uint64_t index)
{
	struct ledger_case *c = arg;

	c->late++;
	c->late_index = index;
	snprintf(c->late_id, sizeof(c->late_id), "%s", kept->request_id);
}

void
case_init(struct ledger_case *c, const char *dir)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->dir, sizeof(c->dir), "%s", dir);
	snprintf(c->tiles_dir, sizeof(c->tiles_dir), "%s/tiles", dir);
	c->now_us = INT64_C(1795289201123456); /* 2026-11-21T19:26:41.123456Z */
	c->clock = "synchronised";
	c->reserve = CASE_RESERVE;
	assert_int_equal(uv_loop_init(&c->loop), 0);
}

void
case_done(struct ledger_case *c)
{
	if (c->log != NULL)
		case_close(c);
	assert_int_equal(uv_loop_close(&c->loop), 0);
}

int
case_setup(void **state)
{
	struct ledger_case *c = calloc(1, sizeof(*c));
	const char *base = getenv("TMPDIR");
	char dir[sizeof(c->dir)];

	if (c == NULL)
		return -1;
	snprintf(dir, sizeof(dir), "%s/signet-ledger.XXXXXX", base == NULL ? "/tmp" : base);
	if (mkdtemp(dir) == NULL)
		return -1;
	case_init(c, dir);
	c->own_dir = true;
	case_open(c);
	*state = c;
	return 0;
}

int
case_setup_signed(void **state)
{
	struct ledger_case *c;

	if (case_setup(state) != 0)
		return -1;
	c = *state;
	case_close(c);
	c->origin = CASE_ORIGIN;
	case_open(c);
	return 0;
}

int
case_setup_published(void **state)
{
	struct ledger_case *c;

	if (case_setup(state) != 0)
		return -1;
	c = *state;
	case_close(c);
	c->origin = CASE_ORIGIN;
	c->tiles = c->tiles_dir;
	case_open(c);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
case_remove(const char *dir)
{
	assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int
case_teardown(void **state)
{
	struct ledger_case *c = *state;

	case_done(c);
	if (c->own_dir)
		case_remove(c->dir);
	free(c);
	return 0;
}

signet_err
case_try_open(struct ledger_case *c)
{
	struct ledger_options o = {
	    .dir = c->dir,
	    .reserve = c->reserve,
	    .wal_limit = c->wal_limit,
	    .origin = c->origin,
	    .tiles = c->tiles,
	    .anchor = c->anchor,
	    .now_us = now_us,
	    .clock_state = clock_state,
	    .arg = c,
	    .boot_id = CASE_BOOT,
	    .late = on_late,
	};
	signet_err err;

	assert_null(c->log);
	err = ledger_open(&c->log, &c->loop, &o, &c->start, c->why, sizeof(c->why));
	if (err != SIGNET_OK)
		assert_null(c->log);
	return err;
}

void
case_open(struct ledger_case *c)
{
	if (case_try_open(c) != SIGNET_OK)
		fail_msg("%s", c->why);
}

static void
on_closed(void *arg)
{
	struct ledger_case *c = arg;

	c->log = NULL;
}

void
case_close(struct ledger_case *c)
{
	ledger_close(c->log, on_closed, c);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	assert_null(c->log);
}

void
case_reopen(struct ledger_case *c)
{
	case_close(c);
	case_open(c);
}

static void
on_done(struct ledger_op *op)
{
	*(bool *)op->owner = true;
}

void
case_until(struct ledger_case *c, const bool *flag)
{
	while (!*flag)
		uv_run(&c->loop, UV_RUN_ONCE);
}

void
case_until_available(struct ledger_case *c, bool available)
{
	while (ledger_available(c->log) != available)
		uv_run(&c->loop, UV_RUN_ONCE);
}

signet_err
case_run(struct ledger_case *c, struct ledger_op *op)
{
	bool done = false;

	op->done = on_done;
	op->owner = &done;
	ledger_submit(c->log, op);
	ledger_hand_over(c->log, 1);
	case_until(c, &done);
	return op->err;
}

struct ledger_op
case_claim_op(const char *body)
{
	return (struct ledger_op){
	    .what = LEDGER_CLAIM,
	    .kind = "sign",
	    .body = body,
	    .body_len = strlen(body),
	};
}

struct ledger_op
case_record_op(uint64_t claim, const char *body, const char *tail)
{
	struct ledger_op op = case_claim_op(body);

	op.what = LEDGER_RECORD;
	op.claim = claim;
	op.tail = tail;
	op.tail_len = tail == NULL ? 0 : strlen(tail);
	return op;
}

struct ledger_op
case_append_op(const char *kind, const char *body)
{
	struct ledger_op op = case_claim_op(body);

	op.what = LEDGER_APPEND;
	op.kind = kind;
	return op;
}

uint64_t
case_claim(struct ledger_case *c, const char *body)
{
	struct ledger_op op = case_claim_op(body);

	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	return op.claim;
}

uint64_t
case_append(struct ledger_case *c, const char *kind, const char *body)
{
	struct ledger_op op = case_append_op(kind, body);

	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	return op.index;
}

enum { FILL = 256 };

struct fill {
	struct ledger_op ops[FILL];
	char bodies[FILL][512];
	uint64_t left;
	bool done;
};

static void
on_filled(struct ledger_op *op)
{
	struct fill *f = op->owner;

	assert_int_equal(op->err, SIGNET_OK);
	buf_done(&op->entry);
	f->done = --f->left == 0;
}

static void
plain_body(void *arg, uint64_t i, char out[512])
{
	(void)arg;
	snprintf(out, 512, "\"pid\":%llu", (unsigned long long)i);
}

void
case_fill(struct ledger_case *c, uint64_t n, void (*body)(void *arg, uint64_t i, char out[512]), void *arg)
{
	struct fill *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	for (uint64_t at = 0; at < n;) {
		size_t batch = n - at < FILL ? (size_t)(n - at) : FILL;

		f->left = batch;
		f->done = false;
		for (size_t i = 0; i < batch; i++, at++) {
			(body != NULL ? body : plain_body)(arg, at, f->bodies[i]);
			f->ops[i] = case_append_op("sign", f->bodies[i]);
			f->ops[i].done = on_filled;
			f->ops[i].owner = f;
			ledger_submit(c->log, &f->ops[i]);
		}
		ledger_hand_over(c->log, 1);
		case_until(c, &f->done);
	}
	free(f);
}

static void
on_read(struct ledger_read *r)
{
	*(bool *)r->owner = true;
}

signet_err
case_read(struct ledger_case *c, uint64_t index, struct ledger_read *r)
{
	bool done = false;

	*r = (struct ledger_read){.index = index, .done = on_read, .owner = &done};
	ledger_read_row(c->log, r);
	case_until(c, &done);
	return r->err;
}

struct asked {
	bool done;
	void (*check)(struct ledger_query *q, void *arg);
	void *arg;
};

static void
on_answer(struct ledger_query *q)
{
	struct asked *a = q->owner;

	a->done = true;
	if (a->check != NULL)
		a->check(q, a->arg);
}

signet_err
case_query(struct ledger_case *c, struct ledger_query *q, void (*check)(struct ledger_query *q, void *arg),
    void *arg)
{
	struct asked a = {.check = check, .arg = arg};

	q->done = on_answer;
	q->owner = &a;
	ledger_query(c->log, q);
	case_until(c, &a.done);
	return q->err;
}

struct note_key
case_key(const struct ledger_case *c)
{
	const char *vkey = ledger_vkey(c->log);
	struct note_key k;

	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), SIGNET_OK);
	return k;
}

struct checkpoint
case_head(const struct ledger_case *c)
{
	struct note_key k = case_key(c);
	struct checkpoint says, signed_one;
	const char *note;
	size_t len;

	assert_true(ledger_head(c->log, &says, &note, &len));
	assert_int_equal(checkpoint_open(&signed_one, note, len, &k), SIGNET_OK);
	assert_int_equal(says.size, signed_one.size);
	assert_string_equal(says.origin, signed_one.origin);
	assert_memory_equal(says.root, signed_one.root, sizeof(says.root));
	return says;
}

static bool
is_covered(const struct ledger_case *c)
{
	struct checkpoint says;
	const char *note;
	size_t len;

	if (ledger_size(c->log) == 0)
		return true;
	return ledger_head(c->log, &says, &note, &len) && says.size == ledger_size(c->log);
}

void
case_until_covered(struct ledger_case *c)
{
	while (!is_covered(c))
		uv_run(&c->loop, UV_RUN_ONCE);
}

static sqlite3 *
connect_db(const struct ledger_case *c)
{
	char path[sizeof(c->dir) + 8];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/log.db", c->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

void
case_exec(const struct ledger_case *c, const char *sql)
{
	sqlite3 *db = connect_db(c);
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int64_t
case_int(const struct ledger_case *c, const char *sql)
{
	sqlite3 *db = connect_db(c);
	sqlite3_stmt *s;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	value = sqlite3_column_int64(s, 0);
	assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

static void
check_row(sqlite3_stmt *row, struct tlog_tree *tree)
{
	uint8_t completed[TLOG_LEVELS][TLOG_HASH], leaf[TLOG_HASH];
	unsigned n;

	assert_int_equal(sqlite3_column_int64(row, 0), tree->size);
	tlog_leaf(leaf, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
	assert_int_equal(sqlite3_column_bytes(row, 2), TLOG_HASH);
	assert_memory_equal(sqlite3_column_blob(row, 2), leaf, TLOG_HASH);
	n = tlog_tree_push(tree, leaf, completed);
	assert_int_equal(sqlite3_column_bytes(row, 3), n * TLOG_HASH);
	if (n > 0)
		assert_memory_equal(sqlite3_column_blob(row, 3), completed, n * TLOG_HASH);
}

void
case_check_rows(const struct ledger_case *c, uint64_t n)
{
	sqlite3 *db = connect_db(c);
	struct tlog_tree tree = {0};
	sqlite3_stmt *row;

	assert_int_equal(sqlite3_prepare_v2(
			     db, "SELECT idx, bytes, leaf, subtrees FROM entry ORDER BY idx", -1, &row, NULL),
	    SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW)
		check_row(row, &tree);
	assert_int_equal(tree.size, n);
	assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
