/*
 * One transaction on the log. Row, leaf and tree grow together or not at all:
 * the tree is marked when a transaction begins and goes back to the mark when
 * it fails.
 *
 * Invariant: an operation is judged before its first statement. So a faulty one
 * costs the others of its batch nothing, and whatever a statement answers
 * concerns the whole transaction.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ledger/kept.h"
#include "ledger/store.h"
#include <signet/log.h>

void
store_init(struct store *s, const struct ledger_options *o)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->boot, sizeof(s->boot), "%s", o->boot_id);
	s->now_us = o->now_us;
	s->ask_clock = o->clock_state;
	s->arg = o->arg;
	buf_init(&s->kept, KEPT_BLOB_MAX);
	buf_init(&s->openings, OPENINGS_BLOB_MAX);
}

void
store_done(struct store *s)
{
	db_close(&s->db);
	buf_done(&s->kept);
	buf_done(&s->openings);
}

int64_t
store_now(const struct store *s)
{
	struct timespec now;

	if (s->now_us != NULL)
		return s->now_us(s->arg);
	int err = clock_gettime(CLOCK_REALTIME, &now);
	assert(err == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

signet_err
store_begin(struct store *s)
{
	s->clock_state = s->ask_clock != NULL ? s->ask_clock(s->arg) : "unknown";
	s->mark = s->tree;
	return db_begin(&s->db);
}

void
store_rollback(struct store *s)
{
	db_rollback(&s->db);
	s->tree = s->mark;
}

signet_err
store_commit(struct store *s)
{
	signet_err err = db_commit(&s->db);

	if (err != SIGNET_OK)
		store_rollback(s);
	return err;
}

signet_err
store_append(struct store *s, const struct buf *entry, uint8_t leaf[LEDGER_HASH], const struct buf *kept)
{
	uint8_t completed[TLOG_LEVELS][TLOG_HASH];
	struct db_entry row = {
	    .index = s->tree.size,
	    .bytes = entry,
	    .leaf = leaf,
	    .subtrees = completed[0],
	    .kept = kept->data,
	    .kept_len = kept->len,
	};

	tlog_leaf(leaf, entry->data, entry->len);
	row.subtree_count = tlog_tree_push(&s->tree, leaf, completed);
	return db_put_entry(&s->db, &row);
}

/* Empty where the operation keeps nothing. */
static signet_err
encode_kept(struct store *s, const struct ledger_op *op)
{
	buf_reset(&s->kept);
	if (op->kept.request_id == NULL)
		return SIGNET_OK;
	return kept_encode(&s->kept, &op->kept, store_now(s));
}

static signet_err
put_note(struct store *s, const struct ledger_op *op)
{
	return op->tried.set ? db_put_tried(&s->db, &op->tried) : SIGNET_OK;
}

static signet_err
prepare_claim(struct store *s, const struct ledger_op *op)
{
	signet_err err;

	/* it must be possible to write it down even if it is left over */
	if (!entry_fits(op->kind, op->body_len, sizeof(STORE_UNKNOWN) - 1))
		return SIGNET_ERR_LIMIT;
	err = encode_kept(s, op);
	if (err != SIGNET_OK)
		return err;
	buf_reset(&s->openings);
	if (op->opening_count == 0)
		return SIGNET_OK;
	return openings_encode(&s->openings, op->openings, op->opening_count);
}

static signet_err
apply_claim(struct store *s, struct ledger_op *op)
{
	struct db_claim row;
	signet_err err;

	op->err = prepare_claim(s, op);
	if (op->err != SIGNET_OK)
		return SIGNET_OK;
	row = (struct db_claim){
	    .id = s->last_claim + 1,
	    .kind = op->kind,
	    .body = op->body,
	    .body_len = op->body_len,
	    .openings = s->openings.data,
	    .openings_len = s->openings.len,
	    .kept = s->kept.data,
	    .kept_len = s->kept.len,
	};
	err = db_put_claim(&s->db, &row);
	if (err != SIGNET_OK)
		return err;
	err = put_note(s, op);
	if (err != SIGNET_OK)
		return err;
	s->last_claim = row.id;
	op->claim = row.id;
	return SIGNET_OK;
}

static signet_err
prepare_entry(struct store *s, struct ledger_op *op)
{
	struct entry_head head = {
	    .kind = op->kind,
	    .time = op->time,
	    .boot = s->boot,
	    .index = s->tree.size,
	    .clock = s->clock_state,
	};
	signet_err err = openings_check(op->openings, op->opening_count);

	if (err == SIGNET_OK)
		err = encode_kept(s, op);
	if (err != SIGNET_OK)
		return err;
	entry_time(&s->clock, store_now(s), op->time);
	buf_reset(&op->entry);
	return entry_write(
	    &op->entry, &head, op->body, op->body_len, op->tail, op->tail == NULL ? 0 : op->tail_len);
}

static signet_err
put_openings(struct store *s, const struct ledger_op *op, uint64_t index)
{
	signet_err err = SIGNET_OK;

	for (size_t i = 0; i < op->opening_count && err == SIGNET_OK; i++) {
		const struct ledger_opening *o = &op->openings[i];

		err = db_put_opening(
		    &s->db, index, o->field, strlen(o->field), o->salt, o->text, strlen(o->text));
	}
	return err;
}

static signet_err
apply_entry(struct store *s, struct ledger_op *op)
{
	uint64_t index = s->tree.size;
	signet_err err;

	op->err = prepare_entry(s, op);
	if (op->err != SIGNET_OK)
		return SIGNET_OK;
	if (op->what == LEDGER_RECORD) {
		err = db_drop_claim(&s->db, op->claim);
		if (err == SIGNET_ERR_ARGUMENT) { /* recorded before: a second entry would be a lie */
			op->err = err;
			return SIGNET_OK;
		}
		if (err != SIGNET_OK)
			return err;
	}
	if (op->what == LEDGER_APPEND && op->erase) {
		err = db_erase(&s->db, op->erase_index, op->erase_field);
		if (err == SIGNET_ERR_REQUEST_NOT_FOUND) {
			op->err = err;
			return SIGNET_OK;
		}
		if (err != SIGNET_OK)
			return err;
		s->erased = true;
	}
	err = store_append(s, &op->entry, op->leaf, &s->kept);
	if (err == SIGNET_OK)
		err = put_openings(s, op, index);
	if (err == SIGNET_OK)
		err = put_note(s, op);
	if (err == SIGNET_OK)
		op->index = index;
	return err;
}

signet_err
store_apply(struct store *s, struct ledger_op *op)
{
	signet_err err = SIGNET_OK;

	switch (op->what) {
	case LEDGER_CLAIM:
		err = apply_claim(s, op);
		break;
	case LEDGER_RECORD:
	case LEDGER_APPEND:
		err = apply_entry(s, op);
		break;
	case LEDGER_TRIED:
		err = put_note(s, op);
		break;
	}
	if (op->err != SIGNET_OK)
		store_forget(op);
	return err;
}

void
store_forget(struct ledger_op *op)
{
	buf_done(&op->entry);
	buf_done(&op->proof);
	memset(op->time, 0, sizeof(op->time));
	memset(op->leaf, 0, sizeof(op->leaf));
	op->index = 0;
	if (op->what == LEDGER_CLAIM)
		op->claim = 0;
}
