/*
 * The Merkle tree as a verifier sees it [RFC 6962, 2.1; RFC 9162, 2.1.3, 2.1.4;
 * C2SP tlog-proof, tlog-tiles]: leaf and node hashes, proofs, coordinates of
 * tiles. Pure; links libcrypto for SHA-256.
 */
#ifndef SIGNET_BASE_TLOG_H
#define SIGNET_BASE_TLOG_H

#include "base/buf.h"
#include "base/note.h"

enum {
	TLOG_HASH = 32,
	TLOG_PROOF_MAX = 64,
	TLOG_TILE = 256,
	TLOG_LEVELS = 64,
	TLOG_TILE_PATH = 64, /* room for any path of a tile and its NUL */
};

struct tlog_proof {
	size_t count;
	uint8_t hash[TLOG_PROOF_MAX][TLOG_HASH];
};

void tlog_sha256(uint8_t out[TLOG_HASH], const void *bytes, size_t len);
void tlog_leaf(uint8_t out[TLOG_HASH], const void *entry, size_t len);
void tlog_node(uint8_t out[TLOG_HASH], const uint8_t *left, const uint8_t *right);

/* SIGNET_ERR_VERIFY: does not hold. [RFC 9162, 2.1.3.2] */
must_check signet_err tlog_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[TLOG_HASH],
    const struct tlog_proof *p, const uint8_t root[TLOG_HASH]);
/* [RFC 9162, 2.1.4.2] */
must_check signet_err tlog_check_consistency(uint64_t first, uint64_t second, const uint8_t first_root[TLOG_HASH],
    const uint8_t second_root[TLOG_HASH], const struct tlog_proof *p);

/*
 * Which complete subtrees, as (level, number), a proof consists of: subtree (l, n) covers the leaves
 * [n*2^l, (n+1)*2^l). An element of a proof is one complete subtree, or (partial right edge) the combination of
 * several: `get` is asked for complete ones only. Its errors are passed on; SIGNET_ERR_ARGUMENT: no such index or
 * size (index < size, first <= second <= INT64_MAX). Consistency with the empty tree and with itself has no hashes.
 */
typedef signet_err (*tlog_get)(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH]);
must_check signet_err tlog_prove_inclusion(uint64_t index, uint64_t size, tlog_get get, void *arg, struct tlog_proof *p);
must_check signet_err tlog_prove_consistency(uint64_t first, uint64_t second, tlog_get get, void *arg,
    struct tlog_proof *p);
must_check signet_err tlog_root(uint64_t size, tlog_get get, void *arg, uint8_t out[TLOG_HASH]);

/* The same for one node: subtree (level, number), which is complete, in a tree of `size` leaves. */
must_check signet_err tlog_check_node(unsigned level, uint64_t number, uint64_t size, const uint8_t node[TLOG_HASH],
    const struct tlog_proof *p, const uint8_t root[TLOG_HASH]);
must_check signet_err tlog_prove_node(unsigned level, uint64_t number, uint64_t size, tlog_get get, void *arg,
    struct tlog_proof *p);

/* A tree that grows: one hash per set bit of its size. Zero-initialised: empty. */
struct tlog_tree {
	uint64_t size;
	uint8_t node[TLOG_LEVELS][TLOG_HASH]; /* node[l] is valid where bit l of size is set */
};

/*
 * Append one leaf. `completed` gets the roots of the subtrees of 2, 4, 8, ... leaves that it completed; returns
 * their number.
 */
unsigned tlog_tree_push(struct tlog_tree *t, const uint8_t leaf[TLOG_HASH], uint8_t completed[TLOG_LEVELS][TLOG_HASH]);
void tlog_tree_root(const struct tlog_tree *t, uint8_t out[TLOG_HASH]);
/* Go on from a tree of `size` leaves. Errors of `get`. */
must_check signet_err tlog_tree_load(struct tlog_tree *t, uint64_t size, tlog_get get, void *arg);

/* C2SP tlog-proof: "c2sp.org/tlog-proof@v1\nindex N\n<hashes>\n\n<checkpoint>". */
void tlog_proof_write(struct buf *out, uint64_t index, const struct tlog_proof *p, const char *checkpoint, size_t len);
/* *checkpoint borrows from text. SIGNET_ERR_PROTOCOL. */
must_check signet_err tlog_proof_parse(uint64_t *index, struct tlog_proof *p, const char **checkpoint,
    size_t *checkpoint_len, const char *text, size_t len);
/* The whole question: does this proof, signed by this key, hold for this leaf? *c gets the checkpoint. */
must_check signet_err tlog_proof_verify(const char *text, size_t len, const struct note_key *k,
    const uint8_t leaf[TLOG_HASH], uint64_t *index, struct checkpoint *c);

/* "tile/<level>/<number>" or "tile/entries/<number>" [C2SP tlog-tiles]; level < 0: entries; width 256: full, else ".p/<width>". */
void tlog_tile_path(char *out, size_t size, int level, uint64_t number, unsigned width);

#endif
