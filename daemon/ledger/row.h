/* One row of the log, whole. */
#ifndef SIGNET_LEDGER_ROW_H
#define SIGNET_LEDGER_ROW_H

#include "ledger/db.h"

/* Clear what comes out. */
void row_begin(struct ledger_read *read);
/* Read the row; the answer and its error are in `read`. */
void row_read(struct db *db, struct ledger_read *read);

#endif
