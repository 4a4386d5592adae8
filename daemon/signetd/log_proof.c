/* The newest checkpoint moves on while the reader works, so its note is kept beside the question. */
#include "log_proof.h"

#include <stdlib.h>

#include "broker.h"

static void
on_answer(struct ledger_query *q)
{
	struct log_proof *p = q->owner;

	p->done(p);
	buf_done(&p->note);
	free(p);
}

struct log_proof *
log_proof_ask(struct broker *b, uint64_t index, void (*done)(struct log_proof *p), void *owner)
{
	struct checkpoint head;
	const char *note;
	size_t len;
	struct log_proof *p;

	if (!ledger_head(b->log, &head, &note, &len) || head.size <= index)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	buf_init(&p->note, NOTE_MAX);
	buf_put(&p->note, note, len);
	p->done = done;
	p->owner = owner;
	p->query.what = LEDGER_INCLUSION;
	p->query.index = index;
	p->query.size = head.size;
	p->query.done = on_answer;
	p->query.owner = p;
	ledger_query(b->log, &p->query);
	return p;
}

void
log_proof_write(struct buf *out, const struct log_proof *p)
{
	if (p->query.err == SIGNET_OK && !p->note.failed)
		tlog_proof_write(out, p->query.index, &p->query.proof, (const char *)p->note.data, p->note.len);
}
