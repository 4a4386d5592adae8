/* A log in a temporary folder of its own, driven from a loop. Every helper fails the test where it must not. */
#ifndef SIGNET_SUPPORT_LEDGER_CASE_H
#define SIGNET_SUPPORT_LEDGER_CASE_H

#include <uv.h>

#include "ledger/proof.h"

enum { CASE_RESERVE = 1 << 20 };

struct ledger_case {
	char dir[64], tiles_dir[80];
	bool own_dir; /* made by case_setup, removed by case_teardown */
	uv_loop_t loop;
	struct ledger *log; /* NULL while closed */
	struct ledger_start start;
	char why[512];
	int64_t now_us; /* the wall clock; set before the log is opened or while nothing is under way */
	const char *clock;
	uint64_t reserve, wal_limit;
	const char *origin, *tiles, *anchor; /* options of the next open; NULL */
	unsigned late;                       /* calls of options.late */
	uint64_t late_index;
	char late_id[LEDGER_REQUEST_ID_MAX + 1];
};

#define CASE_ORIGIN "log.example.vn/office"
#define CASE_BOOT "0123456789abcdef0123456789abcdef"

/* cmocka fixtures: an open log in a new folder. */
int case_setup(void **state);
int case_teardown(void **state);
/* The same with a key, the name CASE_ORIGIN. case_setup_published: and with the folder c->tiles_dir. */
int case_setup_signed(void **state);
int case_setup_published(void **state);
/* The same in a folder that exists already and stays. */
void case_init(struct ledger_case *c, const char *dir);
void case_done(struct ledger_case *c);
/* Remove a folder and what is in it. */
void case_remove(const char *dir);

signet_err case_try_open(struct ledger_case *c);
void case_open(struct ledger_case *c);
void case_close(struct ledger_case *c);
void case_reopen(struct ledger_case *c);

/* Submit, hand over, wait; the operation's error. The caller owns op->entry. */
signet_err case_run(struct ledger_case *c, struct ledger_op *op);
/* Wait until *flag. */
void case_until(struct ledger_case *c, const bool *flag);
/* Wait until ledger_available() is so. */
void case_until_available(struct ledger_case *c, bool available);

/* Operations with no openings, reply or note; borrowed strings. */
struct ledger_op case_claim_op(const char *body);
struct ledger_op case_record_op(uint64_t claim, const char *body, const char *tail);
struct ledger_op case_append_op(const char *kind, const char *body);
uint64_t case_claim(struct ledger_case *c, const char *body);
uint64_t case_append(struct ledger_case *c, const char *kind, const char *body);

/*
 * Append many. body(arg, i, out) writes the members of the entry that will be the i-th of these, at most 512 bytes.
 * NULL: "\"pid\":<i>".
 */
void case_fill(
    struct ledger_case *c, uint64_t n, void (*body)(void *arg, uint64_t i, char out[512]), void *arg);

/* Read one row; the caller owns entry and value. */
signet_err case_read(struct ledger_case *c, uint64_t index, struct ledger_read *r);

/* Ask one query; its error. `check`, if given, is called while the rows live. */
signet_err case_query(struct ledger_case *c, struct ledger_query *q,
    void (*check)(struct ledger_query *q, void *arg), void *arg);
/* The newest checkpoint, which must exist and be signed by the log's key. */
struct checkpoint case_head(const struct ledger_case *c);
/* Wait until the newest checkpoint covers all entries. */
void case_until_covered(struct ledger_case *c);
/* The log's public key. */
struct note_key case_key(const struct ledger_case *c);

/* SQL on a connection of its own: a statement without rows, and one integer. */
void case_exec(const struct ledger_case *c, const char *sql);
int64_t case_int(const struct ledger_case *c, const char *sql);
/* Rows 0 to n-1 are there, their leaves match their bytes, and the subtree hashes are those of RFC 6962. */
void case_check_rows(const struct ledger_case *c, uint64_t n);

#endif
