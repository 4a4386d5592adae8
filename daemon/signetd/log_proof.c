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

static void
ask(struct log_proof *p)
{
	struct checkpoint head;
	const char *note;
	size_t len;

	if (!ledger_head(p->broker->log, &head, &note, &len) || head.size <= p->query.index) {
		p->query.err = SIGNET_ERR_REQUEST_NOT_FOUND;
		on_answer(&p->query);
		return;
	}
	buf_put(&p->note, note, len);
	p->query.size = head.size;
	ledger_query(p->broker->log, &p->query);
}

static void
on_covered(struct cover *c)
{
	ask(c->owner);
}

struct log_proof *
log_proof_new(struct broker *b, uint64_t index, void (*done)(struct log_proof *p), void *owner)
{
	struct log_proof *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	buf_init(&p->note, NOTE_MAX);
	p->broker = b;
	p->done = done;
	p->owner = owner;
	p->query.what = LEDGER_INCLUSION;
	p->query.index = index;
	p->query.done = on_answer;
	p->query.owner = p;
	return p;
}

void
log_proof_begin(struct log_proof *p)
{
	if (!cover_wait(p->broker, &p->cover, p->query.index + 1, on_covered, p))
		ask(p);
}

void
log_proof_write(struct buf *out, const struct log_proof *p)
{
	if (p->query.err == SIGNET_OK && !p->note.failed)
		tlog_proof_write(out, p->query.index, &p->query.proof, (const char *)p->note.data, p->note.len);
}
