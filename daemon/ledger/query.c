/*
 * What is asked of the log: pages, proofs, roots, backups. Rows never change
 * once they are there, so a query needs no transaction over its steps.
 *
 * Invariant: nothing is answered about entries that are not durable: this
 * connection sees only what was committed.
 */
#include "ledger/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tlog.h"
#include "ledger/backup.h"
#include "ledger/page.h"

void
query_begin(struct ledger_query *q)
{
	q->work = NULL;
	q->err = SIGNET_OK;
	q->why[0] = '\0';
	q->rows = NULL;
	q->row_count = 0;
	q->next_from = q->from;
	q->at_end = false;
	q->proof.count = 0;
}

void
query_fail_db(struct ledger_query *q, const struct db *db)
{
	q->err = SIGNET_ERR_IO;
	db_explain(db, 0, q->why, sizeof(q->why));
}

static void
fail_memory(struct ledger_query *q)
{
	q->err = SIGNET_ERR_IO;
	snprintf(q->why, sizeof(q->why), "not enough memory");
}

/* Where a proof is made. */
struct prover {
	struct db *db;
	uint64_t bad_level, bad_number; /* what was looked up last */
};

static signet_err
get_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	struct prover *p = arg;

	p->bad_level = level;
	p->bad_number = number;
	return db_node(p->db, level, number, out);
}

/* The rows are there, so what a proof needs must be. */
static void
judge_proof(struct ledger_query *q, const struct prover *p, signet_err err)
{
	q->err = err;
	if (err == SIGNET_OK)
		return;
	q->proof.count = 0;
	q->err = SIGNET_ERR_IO;
	if (err == SIGNET_ERR_LOG_UNAVAILABLE)
		query_fail_db(q, p->db);
	else
		snprintf(q->why, sizeof(q->why),
		    "the log is damaged: the hash of entries %llu to %llu is missing: run `signetctl log "
		    "verify`",
		    (unsigned long long)(p->bad_number << p->bad_level),
		    (unsigned long long)(((p->bad_number + 1) << p->bad_level) - 1));
}

static void
answer_proof(struct ledger_query *q, struct db *db)
{
	struct prover p = {.db = db};
	uint64_t size;
	signet_err err = db_size(db, &size);

	if (err != SIGNET_OK) {
		query_fail_db(q, db);
		return;
	}
	if (q->size > size || (q->what == LEDGER_INCLUSION && q->index >= q->size) ||
	    (q->what == LEDGER_CONSISTENCY && q->first > q->size)) {
		q->err = SIGNET_ERR_REQUEST_NOT_FOUND;
		return;
	}
	if (q->what == LEDGER_INCLUSION) {
		err = get_node(&p, 0, q->index, q->leaf);
		if (err == SIGNET_OK)
			err = tlog_prove_inclusion(q->index, q->size, get_node, &p, &q->proof);
	} else if (q->what == LEDGER_CONSISTENCY) {
		err = tlog_prove_consistency(q->first, q->size, get_node, &p, &q->proof);
	} else {
		err = tlog_root(q->size, get_node, &p, q->root);
	}
	judge_proof(q, &p, err);
}

static bool
step_page(struct ledger_query *q, const struct query_source *from, uint64_t until)
{
	if (q->work->page == NULL)
		q->work->page = page_new(q);
	if (q->work->page == NULL) {
		fail_memory(q);
		return true;
	}
	return page_step(q->work->page, q, from->db, &from->duty->search, until);
}

static bool
step_backup(struct ledger_query *q, const struct query_source *from, uint64_t until)
{
	struct backup_source source = {
	    .log = from->db->path, .tiles = &from->duty->tiles, .files = q->files, .file_count = q->file_count};
	bool done;

	if (q->work->backup == NULL)
		q->work->backup = backup_new(&source, q->path);
	if (q->work->backup == NULL) {
		fail_memory(q);
		return true;
	}
	done = backup_step(q->work->backup, until, &q->err, q->why, sizeof(q->why));
	if (done) { /* here, for removing what failed takes its time */
		backup_free(q->work->backup);
		q->work->backup = NULL;
	}
	return done;
}

bool
query_step(struct ledger_query *q, const struct query_source *from, uint64_t until)
{
	if (q->work == NULL)
		q->work = calloc(1, sizeof(*q->work));
	if (q->work == NULL) {
		fail_memory(q);
		return true;
	}
	switch (q->what) {
	case LEDGER_PAGE:
		return step_page(q, from, until);
	case LEDGER_INCLUSION:
	case LEDGER_CONSISTENCY:
	case LEDGER_ROOT:
		answer_proof(q, from->db);
		return true;
	case LEDGER_BACKUP:
		return step_backup(q, from, until);
	}
	return true;
}

void
query_break_off(struct ledger_query *q)
{
	if (q->work != NULL) {
		backup_free(q->work->backup);
		q->work->backup = NULL;
	}
	q->err = SIGNET_ERR_IO;
	q->rows = NULL;
	q->row_count = 0;
	snprintf(q->why, sizeof(q->why), "the daemon is stopping");
}

void
query_free(struct query_work *work)
{
	if (work == NULL)
		return;
	page_free(work->page);
	backup_free(work->backup);
	free(work);
}
