/*
 * Records that could not be written even with the reserve: the ledger's own
 * copies, kept in memory until the disk takes them.
 */
#ifndef SIGNET_LEDGER_BACKLOG_H
#define SIGNET_LEDGER_BACKLOG_H

#include "ledger/ledger.h"

/* A copy that owns all it points to, in one block; NULL without memory. Free with backlog_free. */
struct ledger_op *backlog_copy(const struct ledger_op *op);
void backlog_free(struct ledger_op *copy);

#endif
