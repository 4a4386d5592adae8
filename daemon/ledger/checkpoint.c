/*
 * Signing what is about to be durable. A checkpoint lies in the last row that
 * it covers, so it and its entries become durable in one commit.
 *
 * Invariant: a note leaves this file only after the commit of its rows; and
 * each covers a tree that extends the one before, for the tree only grows.
 */
#include "ledger/checkpoint.h"

#include <assert.h>
#include <string.h>

#include "base/tlog.h"

static const uint64_t MS = 1000 * 1000;

signet_err
heads_init(struct heads *h, const char *origin, const uint8_t seed[NOTE_SEED])
{
	owned(buf_done) struct buf vkey;
	signet_err err;

	buf_init(&vkey, sizeof(h->vkey) - 1);
	memset(h, 0, sizeof(*h));
	err = note_signer_init(&h->signer, origin, seed);
	if (err != SIGNET_OK)
		return err;
	note_key_write(&vkey, &h->signer.key);
	if (vkey.failed) {
		note_signer_done(&h->signer);
		return SIGNET_ERR_MEMORY;
	}
	memcpy(h->vkey, vkey.data, vkey.len);
	h->on = true;
	return SIGNET_OK;
}

void
heads_done(struct heads *h)
{
	if (h->on)
		note_signer_done(&h->signer);
	h->on = false;
}

bool
heads_behind(const struct heads *h, uint64_t size)
{
	return h->on && size > h->last.says.size;
}

static signet_err
sign(const struct heads *h, struct head *head)
{
	owned(buf_done) struct buf text, note;
	signet_err err;

	buf_init(&text, sizeof(head->note));
	buf_init(&note, sizeof(head->note));
	checkpoint_write(&text, &head->says);
	if (text.failed)
		return SIGNET_ERR_MEMORY;
	err = note_sign(&note, (const char *)text.data, text.len, &h->signer);
	if (err != SIGNET_OK)
		return SIGNET_ERR_MEMORY; /* the text is a checkpoint: nothing else can be wrong with it */
	memcpy(head->note, note.data, note.len);
	head->note_len = note.len;
	return SIGNET_OK;
}

signet_err
heads_make(struct heads *h, struct store *s)
{
	struct head *head = &h->next;
	signet_err err;

	assert(h->on && s->tree.size > 0 && s->tree.size >= h->last.says.size);
	memcpy(head->says.origin, h->signer.key.name, sizeof(head->says.origin));
	head->says.size = s->tree.size;
	tlog_tree_root(&s->tree, head->says.root);
	err = sign(h, head);
	if (err == SIGNET_OK)
		err = db_put_checkpoint(&s->db, head->says.size - 1, head->note, head->note_len);
	if (err != SIGNET_OK)
		heads_drop(h);
	return err;
}

/* Most of a new entry's proof is the frontier, which is in memory; the rest are rows of this batch. */
static signet_err
get_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	struct store *s = arg;
	uint64_t complete = s->tree.size >> level;

	if ((complete & 1) != 0 && number == complete - 1) {
		memcpy(out, s->tree.node[level], TLOG_HASH);
		return SIGNET_OK;
	}
	return db_node(&s->db, level, number, out);
}

signet_err
heads_prove(const struct heads *h, struct store *s, uint64_t index, struct buf *out)
{
	struct tlog_proof proof;
	signet_err err;

	assert(h->next.note_len > 0);
	err = tlog_prove_inclusion(index, h->next.says.size, get_node, s, &proof);
	if (err != SIGNET_OK)
		return err;
	buf_reset(out); /* of an earlier try */
	tlog_proof_write(out, index, &proof, h->next.note, h->next.note_len);
	return out->failed ? SIGNET_ERR_MEMORY : SIGNET_OK;
}

void
heads_keep(struct heads *h, uint64_t now)
{
	if (h->next.note_len == 0)
		return;
	h->last = h->next;
	h->due_at = now + HEAD_EVERY_MS * MS;
	heads_drop(h);
}

void
heads_drop(struct heads *h)
{
	h->next.note_len = 0;
}
