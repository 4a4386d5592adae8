/* A reader of a published log that trusts nothing but the key: it computes every hash again. */
#ifndef SIGNET_SUPPORT_TILES_CASE_H
#define SIGNET_SUPPORT_TILES_CASE_H

#include "base/note.h"

/*
 * Read what the folder's checkpoint covers, and compute it again; the checkpoint must be signed by `k`. Returns NULL
 * and *c, or what is wrong: a static text.
 */
const char *tiles_case_verify(const char *dir, const struct note_key *k, struct checkpoint *c);
/*
 * Is every file one that a tree of that size, at most 1000, or an earlier one needs, and no other user's to change?
 * NULL, or what is wrong.
 */
const char *tiles_case_tidy(const char *dir, uint64_t size);
/* Leaf hashes 0 to size - 1 as the entry bundles have them; malloc. NULL: one is missing or cannot be read. */
uint8_t (*tiles_case_leaves(const char *dir, uint64_t size))[NOTE_HASH];
/* Files in it. */
size_t tiles_case_files(const char *dir);

#endif
