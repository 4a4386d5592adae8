/* Opening the signing log at the start, whatever state it is in. */
#ifndef SIGNET_SIGNETD_LOG_OPEN_H
#define SIGNET_SIGNETD_LOG_OPEN_H

#include <sys/types.h>

#include "base/base.h"

struct broker;

/*
 * Open it, or hold its place where it cannot be opened: then nothing is signed, and ledger_why() says why. If two
 * people have asked for it, a log that cannot go on is put aside and a new one begun. SIGNET_ERR_BUSY,
 * SIGNET_ERR_LOG_UNAVAILABLE (not even its place), SIGNET_ERR_IO; `why` gets a sentence.
 */
must_check signet_err log_open(struct broker *b, char *why, size_t why_size);
/* What only a running daemon can write: the first entries after a recovery or a restoration. */
void log_open_tell(struct broker *b);

/* Two people want a new log: it begins at the next start. `why` gets a sentence on failure. */
must_check signet_err log_ask_recovery(
    struct broker *b, uid_t asked_by, uid_t confirmed_by, const char *reason, char *why, size_t why_size);

#endif
