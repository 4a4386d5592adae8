/*
 * A deep copy of an operation in one block: the operation, its openings, then
 * the bytes they point to.
 *
 * Invariant: a copy borrows nothing but `field`, which is a static string.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/backlog.h"
#include <signet/log.h>

struct copy {
	struct ledger_op op;
	struct ledger_opening openings[LEDGER_OPENINGS_MAX];
	char bytes[];
};

static size_t
text_size(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

static size_t
bytes_size(const struct ledger_op *op)
{
	size_t n = text_size(op->kind) + op->body_len + op->tail_len + text_size(op->kept.request_id) +
		   op->kept.value_len;

	for (size_t i = 0; i < op->opening_count; i++)
		n += text_size(op->openings[i].text);
	return n;
}

/* Copy n bytes to *at and move on. NULL stays NULL. */
static void *
put(char **at, const void *bytes, size_t n)
{
	char *to = *at;

	if (bytes == NULL)
		return NULL;
	memcpy(to, bytes, n);
	*at += n;
	return to;
}

struct ledger_op *
backlog_copy(const struct ledger_op *op)
{
	struct copy *c = malloc(sizeof(*c) + bytes_size(op));
	char *at;

	if (c == NULL)
		return NULL;
	assert(op->opening_count <= LEDGER_OPENINGS_MAX); /* it was judged before it was tried */
	c->op = *op;
	c->op.next = NULL;
	buf_init(&c->op.entry, SIGNET_ENTRY_MAX);
	buf_init(&c->op.proof, 0); /* nobody waits for it any more */
	c->op.want_proof = false;
	at = c->bytes;
	c->op.kind = put(&at, op->kind, text_size(op->kind));
	c->op.body = put(&at, op->body, op->body_len);
	c->op.tail = put(&at, op->tail, op->tail_len);
	c->op.kept.request_id = put(&at, op->kept.request_id, text_size(op->kept.request_id));
	c->op.kept.value = put(&at, op->kept.value, op->kept.value_len);
	for (size_t i = 0; i < op->opening_count; i++) {
		c->openings[i] = op->openings[i];
		c->openings[i].text = put(&at, op->openings[i].text, text_size(op->openings[i].text));
	}
	c->op.openings = c->openings;
	return &c->op;
}

void
backlog_free(struct ledger_op *copy)
{
	if (copy == NULL)
		return;
	buf_done(&copy->entry);
	free(copy); /* the operation is the first member of its block */
}
