/* What a broker reads from the log before it begins: bindings and PIN tries. */
#ifndef SIGNET_LEDGER_EACH_H
#define SIGNET_LEDGER_EACH_H

#include "ledger/ledger.h"

/* As ledger_each_kept: entries from `from` on that are not older than `since`, microseconds since 1970. */
must_check signet_err each_kept(const char *log, uint64_t from, int64_t since,
    void (*each)(void *arg, const struct ledger_kept *kept, uint64_t index), void *arg);
must_check signet_err each_tried(
    const char *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg);

#endif
