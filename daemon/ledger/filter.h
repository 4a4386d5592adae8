/* Whether an entry passes a filter, judged by the entry's own bytes. */
#ifndef SIGNET_LEDGER_FILTER_H
#define SIGNET_LEDGER_FILTER_H

#include "base/buf.h"
#include "ledger/entry.h"
#include "ledger/proof.h"

enum { FILTER_TERMS = 12 };

/* A member that must have a value. */
struct filter_term {
	const char *member; /* as in SIGNET_LOG_FIELDS */
	char value[160];    /* of a number: its digits */
	bool number;
};

struct filter {
	struct filter_term terms[FILTER_TERMS]; /* the rarest values first */
	unsigned count;
	char from[ENTRY_TIME], until[ENTRY_TIME]; /* "": open */
};

void filter_init(struct filter *f, const struct ledger_filter *from); /* NULL: everything passes */
bool filter_passes(const struct filter *f, const void *entry, size_t len);

#endif
