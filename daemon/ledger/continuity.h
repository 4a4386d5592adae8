/*
 * Whether the log that is opened is the one that was written last: its key, its
 * newest checkpoint, and the checkpoints that others keep of it.
 */
#ifndef SIGNET_LEDGER_CONTINUITY_H
#define SIGNET_LEDGER_CONTINUITY_H

#include "ledger/checkpoint.h"

/* How the log in a database is named. */
struct continuity_names {
	unsigned generation;            /* 1, or the number of a log that continues another */
	char origin[NOTE_NAME_MAX + 2]; /* o->origin, if it is not too long; a later one has "/" and its number behind it */
	char tiles[4096];               /* o->tiles, or that folder in it; "": none */
	/* a later one: the key and size of the newest checkpoint of the log before */
	char old_vkey[KEYCHAIN_VKEY];
	uint64_t old_size;
};

/* LOG_UNAVAILABLE: the database cannot be read. */
must_check signet_err continuity_read_names(
    struct db *db, const struct ledger_options *o, struct continuity_names *names);
/* In a new database: this log continues another. LOG_UNAVAILABLE. */
must_check signet_err continuity_write_names(
    struct db *db, unsigned generation, const char *old_vkey, uint64_t old_size);
/* Every vkey that has signed in it, from the first to the newest, a line each, added to `out`. */
void continuity_read_keys(struct db *db, struct buf *out);
/* Inside a transaction: another key signs from here on. LOG_UNAVAILABLE. */
must_check signet_err continuity_change_key(struct store *s, const char *vkey);

/*
 * Load the key, or make it for a log that never had one. SIGNET_ERR_LOG_UNAVAILABLE: the key is missing, cannot be
 * used or is not this log's; `why` gets one sentence. The tree is known.
 */
must_check signet_err continuity_key(
    struct heads *h, struct store *s, const struct ledger_options *o, const struct continuity_names *names,
    int dir_fd, char *why, size_t size);
/*
 * Read the newest checkpoint and compare it and the ones in o->tiles and o->anchor with the rows. *broken: the log
 * does not continue what they say, `why` tells; it may be read but not written. SIGNET_ERR_LOG_UNAVAILABLE: the
 * database cannot be read (db_explain() knows).
 */
must_check signet_err continuity_check(
    struct heads *h, struct store *s, const struct ledger_options *o, const struct continuity_names *names,
    bool *broken, char *why, size_t size);

#endif
