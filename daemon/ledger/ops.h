/* A list of operations in the order of submission. */
#ifndef SIGNET_LEDGER_OPS_H
#define SIGNET_LEDGER_OPS_H

#include "ledger/ledger.h"

struct ops {
	struct ledger_op *first, *last;
	size_t count;
};

static inline void
ops_add(struct ops *list, struct ledger_op *op)
{
	op->next = NULL;
	if (list->first == NULL)
		list->first = op;
	else
		list->last->next = op;
	list->last = op;
	list->count++;
}

/* Everything in `from` goes to the end of `to`. */
static inline void
ops_move(struct ops *to, struct ops *from)
{
	if (from->first == NULL)
		return;
	if (to->first == NULL)
		to->first = from->first;
	else
		to->last->next = from->first;
	to->last = from->last;
	to->count += from->count;
	*from = (struct ops){0};
}

/* NULL: the list is empty. */
static inline struct ledger_op *
ops_take(struct ops *list)
{
	struct ledger_op *op = list->first;

	if (op == NULL)
		return NULL;
	list->first = op->next;
	if (list->first == NULL)
		list->last = NULL;
	list->count--;
	op->next = NULL;
	return op;
}

#endif
