/* What is done to a log before anything is written to it. */
#ifndef SIGNET_LEDGER_RECOVER_H
#define SIGNET_LEDGER_RECOVER_H

#include "ledger/store.h"

/*
 * Read the frontier of the tree back from the last row and the rows that completed its subtrees.
 * SIGNET_ERR_LOG_UNAVAILABLE, and `why` if the rows do not fit together (empty: db_explain() knows).
 */
must_check signet_err recover_tree(struct store *s, char *why, size_t size);
/*
 * In one transaction: claims become entries with outcome unknown (*claims: how many), PIN tries whose outcome
 * was not learnt become failures. Errors as above.
 */
must_check signet_err recover_leftovers(struct store *s, uint64_t *claims, char *why, size_t size);

#endif
