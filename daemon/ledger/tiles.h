/*
 * The published log: a folder of tiles, entry bundles and a checkpoint
 * [C2SP tlog-tiles] that anything can carry away. The reader thread's.
 */
#ifndef SIGNET_LEDGER_TILES_H
#define SIGNET_LEDGER_TILES_H

#include "ledger/checkpoint.h"
#include "ledger/db.h"

enum { TILES_PATH = 128 };

struct tiles {
	char *path; /* NULL: nothing is published */
	int root;   /* the folder; -1: not open */
	const char *origin;
	bool busy;          /* a head is being published */
	struct head target; /* that one */
	uint64_t size;      /* of the checkpoint that is published; 0: none */
	/* what is written next */
	int level; /* -1: entry bundles */
	uint64_t number;
	char unsynced[TILES_PATH]; /* folder with files that were renamed and not synced; "": none */
	char why[400];             /* of the last failure; "" after a success */
};

/* Nothing is opened yet. `origin` is borrowed. SIGNET_ERR_MEMORY. */
must_check signet_err tiles_init(struct tiles *t, const char *path, const char *origin);
void tiles_done(struct tiles *t);

/* Begin to publish this head, if it is newer than what stands there. SIGNET_ERR_IO: t->why. */
must_check signet_err tiles_begin(struct tiles *t, struct db *db, const struct head *head);
/* Go on until it is published (t->busy is false) or until that time, ns of uv_hrtime. SIGNET_ERR_IO: t->why. */
must_check signet_err tiles_step(struct tiles *t, struct db *db, uint64_t until);

#endif
