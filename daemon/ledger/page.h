/* A page of the log: rows in order that pass a filter. */
#ifndef SIGNET_LEDGER_PAGE_H
#define SIGNET_LEDGER_PAGE_H

#include "ledger/db.h"
#include "ledger/proof.h"
#include "ledger/search.h"

struct page;

enum { PAGE_ROWS = 256, PAGE_BYTES = 512 * 1024 };

/* NULL: no memory. The filter of `q` is copied. */
struct page *page_new(const struct ledger_query *q);
void page_free(struct page *p);
/* Collect rows until the page is done (true: the answer is in `q`) or until that time. */
bool page_step(struct page *p, struct ledger_query *q, struct db *db, struct search *search, uint64_t until);

#endif
