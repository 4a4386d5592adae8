/*
 * The writer signs what it has made durable within 50 ms, asked or not; so who
 * wants a proof of the newest entry only has to wait, and a crowd of them
 * causes no checkpoint more than one.
 *
 * Invariant: a cover is in the broker's list exactly while it is `listed`, and
 * its `done` is called once.
 */
#include "cover.h"

#include "broker.h"
#include "ledger/proof.h"

enum { PATIENCE_MS = 5000 }; /* a slow disk; then the caller sees what there is */

static uint64_t
covered(const struct broker *b)
{
	struct checkpoint head;
	const char *note;
	size_t len;

	return ledger_head(b->log, &head, &note, &len) ? head.size : 0;
}

bool
cover_wait(struct broker *b, struct cover *c, uint64_t size, void (*done)(struct cover *c), void *owner)
{
	if (size > ledger_size(b->log) || covered(b) >= size || !ledger_available(b->log) || b->stopping)
		return false;
	*c = (struct cover){.next = b->covers, .size = size, .until_ms = uv_now(&b->loop) + PATIENCE_MS, .listed = true,
	    .done = done, .owner = owner};
	if (c->next != NULL)
		c->next->prev = c;
	b->covers = c;
	return true;
}

void
cover_leave(struct broker *b, struct cover *c)
{
	if (!c->listed)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		b->covers = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->listed = false;
}

void
covers_wake(struct broker *b, bool end)
{
	uint64_t size = b->covers == NULL ? 0 : covered(b), now = uv_now(&b->loop);
	bool no_use = end || (b->covers != NULL && !ledger_available(b->log));
	struct cover *c = b->covers, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (size < c->size && now < c->until_ms && !no_use)
			continue;
		cover_leave(b, c);
		c->done(c); /* may make others wait: they come first in the list and are seen in the next turn */
	}
}
