/*
 * A log that cannot go on is put aside as it is, and a new one begins that
 * names it. What the new one will say lies in a file until its first entry is
 * durable, so that a crash at any point is gone on from.
 */
#ifndef SIGNET_LEDGER_SUCCESSION_H
#define SIGNET_LEDGER_SUCCESSION_H

#include "ledger/continuity.h"
#include "ledger/succeed.h"

/* What the file in the state directory says; *found is false where there is none. LOG_UNAVAILABLE and `why`. */
must_check signet_err succession_read(
    struct succession *s, int dir_fd, const char *dir, bool *found, char *why, size_t size);
/* Put the files of the old log aside, those that are still there. Errors as above. */
must_check signet_err succession_move(
    struct succession *s, const struct ledger_options *o, int dir_fd, char *why, size_t size);
/* Find out what is known of the log in the directory, and write the file. Errors as above. */
must_check signet_err succession_make(
    struct succession *s, const struct ledger_options *o, int dir_fd, char *why, size_t size);
/* The file goes. SIGNET_ERR_IO. */
must_check signet_err succession_settle(int dir_fd);

#endif
