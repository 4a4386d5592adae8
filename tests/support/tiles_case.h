/* A reader of a published log that trusts nothing but the key: it computes every hash again. */
#ifndef SIGNET_SUPPORT_TILES_CASE_H
#define SIGNET_SUPPORT_TILES_CASE_H

#include "base/note.h"

/*
 * Read the folder and compare everything in it with its checkpoint, which must be signed by `k`. Every file must be
 * one that the checkpoint, or an earlier one, needs. Returns NULL and *c, or what is wrong: a static text.
 */
const char *tiles_case_verify(const char *dir, const struct note_key *k, struct checkpoint *c);
/* Leaf hashes 0 to size - 1 as the entry bundles have them; malloc. NULL: one is missing or cannot be read. */
uint8_t (*tiles_case_leaves(const char *dir, uint64_t size))[NOTE_HASH];
/* Files in it. */
size_t tiles_case_files(const char *dir);

#endif
