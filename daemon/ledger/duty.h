/*
 * What the reader thread does when nobody asks: it publishes the log and keeps
 * the index of values. In slices, and never so much that signing suffers.
 */
#ifndef SIGNET_LEDGER_DUTY_H
#define SIGNET_LEDGER_DUTY_H

#include "ledger/search.h"
#include "ledger/tiles.h"

struct duty {
	struct tiles tiles;
	struct search search;
	struct head head;  /* the newest that is durable */
	uint64_t grew_at;  /* when the log grew, ns of uv_hrtime */
	uint64_t tiles_at; /* earliest time of the next step */
	uint64_t search_at;
};

/* `log` is the path of log.db, `tiles` may be NULL; `origin` is borrowed. SIGNET_ERR_MEMORY. */
must_check signet_err duty_init(
    struct duty *d, const char *log, const char *tiles, const char *origin);
void duty_done(struct duty *d);

/* The log has grown; this is its newest head (note_len 0: none). */
void duty_tell(struct duty *d, const struct head *head);
/* When there is something to do; UINT64_MAX: nothing. */
uint64_t duty_due(const struct duty *d);
/* One slice of what is due. */
void duty_step(struct duty *d, struct db *db);
/* The log is being closed: publish its end, if that is soon done. */
void duty_finish(struct duty *d, struct db *db);

#endif
