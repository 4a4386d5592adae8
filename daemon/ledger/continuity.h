/*
 * Whether the log that is opened is the one that was written last: its key, its
 * newest checkpoint, and the checkpoints that others keep of it.
 */
#ifndef SIGNET_LEDGER_CONTINUITY_H
#define SIGNET_LEDGER_CONTINUITY_H

#include "ledger/checkpoint.h"

/*
 * Load the key, or make it for a log that never had one. SIGNET_ERR_LOG_UNAVAILABLE: the key is missing, cannot be
 * used or is not this log's; `why` gets one sentence. The tree is known.
 */
must_check signet_err continuity_key(
    struct heads *h, struct store *s, const struct ledger_options *o, int dir_fd, char *why, size_t size);
/*
 * Read the newest checkpoint and compare it and the ones in o->tiles and o->anchor with the rows. *broken: the log
 * does not continue what they say, `why` tells; it may be read but not written. SIGNET_ERR_LOG_UNAVAILABLE: the
 * database cannot be read (db_explain() knows).
 */
must_check signet_err continuity_check(
    struct heads *h, struct store *s, const struct ledger_options *o, bool *broken, char *why, size_t size);

#endif
