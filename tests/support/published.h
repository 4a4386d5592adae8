/* A published log (C2SP tlog-tiles) in a folder, for tests and measurements. */
#ifndef SIGNET_SUPPORT_PUBLISHED_H
#define SIGNET_SUPPORT_PUBLISHED_H

#include "base/note.h"
#include "base/tlog.h"

struct published {
	const char *folder;
	struct note_signer signer;
	char vkey[512];
	uint64_t size;
	uint8_t (*leaf)[TLOG_HASH]; /* of all entries */
	size_t padding;             /* bytes that each entry has more */
};

/* The folder must be there and empty. Ends the process where something fails. */
void published_init(struct published *p, const char *folder, const char *origin);
void published_done(struct published *p);

/* Entry `index`, with a NUL; free() it. */
char *published_entry(const struct published *p, uint64_t index, size_t *size);
/* Grow the log to `size` entries: tiles, entries and a new checkpoint; older parts stay. */
void published_grow(struct published *p, uint64_t size);
/* Any complete subtree, for tlog_prove_*(); `arg` is the log. */
signet_err published_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH]);
/* The signed note of the first `size` entries. `out` is initialised here. */
void published_note(const struct published *p, uint64_t size, struct buf *out);

#endif
