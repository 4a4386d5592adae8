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

static signet_err
init_signer(struct note_signer *signer, char vkey[LOGKEY_TEXT], const char *origin, const uint8_t seed[NOTE_SEED])
{
	owned(buf_done) struct buf text;
	signet_err err;

	buf_init(&text, LOGKEY_TEXT - 1);
	err = note_signer_init(signer, origin, seed);
	if (err != SIGNET_OK)
		return err;
	note_key_write(&text, &signer->key);
	if (text.failed) {
		note_signer_done(signer);
		return SIGNET_ERR_MEMORY;
	}
	memset(vkey, 0, LOGKEY_TEXT);
	memcpy(vkey, text.data, text.len);
	return SIGNET_OK;
}

signet_err
heads_init(struct heads *h, const char *origin, const uint8_t seed[NOTE_SEED])
{
	signet_err err;

	memset(h, 0, sizeof(*h));
	err = init_signer(&h->signer, h->vkey, origin, seed);
	if (err != SIGNET_OK)
		return err;
	memcpy(h->origin, h->signer.key.name, sizeof(h->origin));
	h->on = true;
	return SIGNET_OK;
}

void
heads_done(struct heads *h)
{
	if (h->on)
		note_signer_done(&h->signer);
	if (h->changing)
		note_signer_done(&h->next_signer);
	h->on = h->changing = false;
}

static void
describe(const struct heads *h, const struct store *s, struct checkpoint *says)
{
	memcpy(says->origin, h->origin, sizeof(says->origin));
	says->size = s->tree.size;
	tlog_tree_root(&s->tree, says->root);
}

static void
put_member(struct buf *out, const char *name, const void *text, size_t len)
{
	buf_printf(out, "%s\"%s\":", out->len > 0 ? "," : "", name);
	buf_json(out, text, len);
}

signet_err
heads_change_key(struct heads *h, const struct store *s, const uint8_t seed[NOTE_SEED], struct buf *tail)
{
	owned(buf_done) struct buf note;
	struct checkpoint at = {0};
	signet_err err;

	buf_init(&note, NOTE_MAX);
	if (!h->on || h->changing || s->tree.size == 0)
		return SIGNET_ERR_ARGUMENT;
	err = init_signer(&h->next_signer, h->next_vkey, h->origin, seed);
	if (err != SIGNET_OK)
		return err;
	h->changing = true;
	describe(h, s, &at);
	err = key_link_sign(&note, &at, &h->next_signer.key, &h->signer);
	if (err == SIGNET_OK) {
		put_member(tail, "oldKey", h->vkey, strlen(h->vkey));
		put_member(tail, "newKey", h->next_vkey, strlen(h->next_vkey));
		put_member(tail, "handover", note.data, note.len);
	}
	if (err == SIGNET_OK && !tail->failed)
		return SIGNET_OK;
	heads_stay(h);
	return SIGNET_ERR_MEMORY;
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
	err = note_sign(&note, (const char *)text.data, text.len, h->changing ? &h->next_signer : &h->signer);
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
	describe(h, s, &head->says);
	err = sign(h, head);
	if (err == SIGNET_OK)
		err = db_put_checkpoint(&s->db, head->says.size - 1, head->note, head->note_len);
	if (err != SIGNET_OK)
		head->note_len = 0;
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

bool
heads_keep(struct heads *h, uint64_t now)
{
	bool changed = h->changing;

	if (changed) {
		note_signer_done(&h->signer);
		h->signer = h->next_signer;
		memcpy(h->vkey, h->next_vkey, sizeof(h->vkey));
		h->changing = false;
	}
	if (h->next.note_len > 0) {
		h->last = h->next;
		h->due_at = now + HEAD_EVERY_MS * MS;
		h->next.note_len = 0;
	}
	return changed;
}

void
heads_drop(struct heads *h)
{
	h->next.note_len = 0;
	heads_stay(h);
}

void
heads_stay(struct heads *h)
{
	if (h->changing)
		note_signer_done(&h->next_signer);
	h->changing = false;
}
