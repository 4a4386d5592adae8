/* Queries, step by step, on the reader thread. */
#ifndef SIGNET_LEDGER_QUERY_H
#define SIGNET_LEDGER_QUERY_H

#include "ledger/db.h"
#include "ledger/duty.h"
#include "ledger/proof.h"

struct page;
struct backup;

/* What a query has so far, and the memory of its answer. */
struct query_work {
	struct page *page;
	struct backup *backup;
};

/* What queries are answered from. */
struct query_source {
	struct db *db;
	struct duty *duty;
};

/* Clear what comes out. */
void query_begin(struct ledger_query *q);
/* Go on until it is done (true) or until that time, ns of uv_hrtime. */
bool query_step(struct ledger_query *q, const struct query_source *from, uint64_t until);
/* It will not be answered: the log is closed. What it has written is removed. */
void query_break_off(struct ledger_query *q);
void query_free(struct query_work *work);

/* Set err and why from the connection's last failure. */
void query_fail_db(struct ledger_query *q, const struct db *db);

#endif
