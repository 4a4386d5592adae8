/*
 * search.db: where in the log a value may stand. Made from the log, and made
 * again whenever it is missing, broken or another log's; never believed. The
 * reader thread's.
 */
#ifndef SIGNET_LEDGER_SEARCH_H
#define SIGNET_LEDGER_SEARCH_H

#include "ledger/db.h"
#include "ledger/filter.h"

enum search_statement {
	SEARCH_PUT_TERM,
	SEARCH_PUT_SPAN,
	SEARCH_PUT_MARK,
	SEARCH_FIND_TERM,
	SEARCH_FIND_SPAN,
	SEARCH_STATEMENTS,
};

struct search {
	char *path; /* NULL: there is none */
	sqlite3 *handle;
	sqlite3_stmt *statement[SEARCH_STATEMENTS];
	uint64_t next;             /* entries before this one are indexed */
	uint64_t saved;            /* and these are on the disk */
	uint8_t leaf[LEDGER_HASH]; /* of entry next - 1 */
	bool failed;               /* it cannot be kept now: everything is looked up in the log */
};

/* `log` is the path of log.db; search.db lies beside it. Opens nothing yet. SIGNET_ERR_MEMORY. */
must_check signet_err search_init(struct search *s, const char *log);
void search_done(struct search *s);

/*
 * Index rows until that time, ns of uv_hrtime; opens the file where necessary. Returns whether there is more to do.
 * What fails closes the file; the next step begins with a new one.
 */
bool search_step(struct search *s, struct db *log, uint64_t until);
/* Write what is only in memory. */
void search_save(struct search *s);

/* Rows that must be looked at: `from` up to `until`, excluded. */
struct search_range {
	uint64_t from, until;
};

/*
 * The next rows from r->from on among which entries may pass. Nothing before r->from does then, whatever is
 * returned; so true with an empty range (from == until) asks to come again, after a breath.
 * False: nothing is known from r->from on: look at every row.
 */
bool search_find(struct search *s, const struct filter *f, struct search_range *r, uint64_t until);

#endif
