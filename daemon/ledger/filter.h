/* Whether an entry passes a filter, judged by the entry's own bytes. */
#ifndef SIGNET_LEDGER_FILTER_H
#define SIGNET_LEDGER_FILTER_H

#include "base/json.h"
#include "ledger/entry.h"
#include "ledger/proof.h"

enum { FILTER_TERMS = 12, FILTER_VALUE = 160 };

/* Members that a filter may name, in the order of its terms. */
struct filter_member {
	const char *name;
	bool number;
};
extern const struct filter_member filter_members[];
extern const unsigned filter_member_count;

/* A member that must have a value. */
struct filter_term {
	const struct filter_member *member;
	char value[FILTER_VALUE]; /* of a number: its digits */
};

struct filter {
	struct filter_term terms[FILTER_TERMS]; /* the rarest values first */
	unsigned count;
	char from[ENTRY_TIME], until[ENTRY_TIME]; /* "": open */
};

void filter_init(struct filter *f, const struct ledger_filter *from); /* NULL: everything passes */
bool filter_passes(const struct filter *f, const void *entry, size_t len);

/* The value of a member as a term has it: false if the entry has none, or one that no filter can have. */
bool filter_value(const json_t *entry, const struct filter_member *m, char value[FILTER_VALUE]);

#endif
