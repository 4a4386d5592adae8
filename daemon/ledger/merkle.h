/*
 * The Merkle tree of the log [RFC 6962, 2.1; RFC 9162, 2.1]: pure functions.
 * A tree of n leaves is kept as its frontier: one hash per set bit of n, the
 * roots of the complete subtrees from left to right.
 */
#ifndef SIGNET_LEDGER_MERKLE_H
#define SIGNET_LEDGER_MERKLE_H

#include "base/base.h"

enum { MERKLE_HASH = 32, MERKLE_LEVELS = 64 };

struct merkle {
	uint64_t size;
	uint8_t node[MERKLE_LEVELS][MERKLE_HASH]; /* node[l] is valid where bit l of size is set */
};

void merkle_leaf(uint8_t out[MERKLE_HASH], const void *entry, size_t len); /* SHA-256(0x00 || entry) */
void merkle_node(uint8_t out[MERKLE_HASH], const uint8_t *left, const uint8_t *right);
/*
 * Append one leaf. `completed` gets the roots of the subtrees of 2, 4, 8, ... leaves that this leaf completed,
 * MERKLE_HASH bytes each; returns their number (the trailing ones of the old size).
 */
unsigned merkle_push(
    struct merkle *t, const uint8_t leaf[MERKLE_HASH], uint8_t completed[MERKLE_LEVELS][MERKLE_HASH]);
void merkle_root(const struct merkle *t, uint8_t out[MERKLE_HASH]); /* of no leaves: SHA-256("") */

#endif
