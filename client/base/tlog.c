/*
 * Proofs in the Merkle tree: checked by the algorithms of RFC 9162 (2.1.3.2,
 * 2.1.4.2), made by the definitions of RFC 6962 (2.1.1, 2.1.2) unrolled from
 * the root downwards. A tree of n leaves is split at the largest power of two
 * below n; so every left half is complete, and only the right edge is not.
 */
#include "base/tlog.h"

#include <assert.h>
#include <string.h>

static bool
same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, TLOG_HASH) == 0;
}

signet_err
tlog_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[TLOG_HASH], const struct tlog_proof *p,
    const uint8_t root[TLOG_HASH])
{
	uint8_t r[TLOG_HASH];
	uint64_t fn = index, sn = size - 1;

	if (index >= size)
		return SIGNET_ERR_VERIFY;
	memcpy(r, leaf, TLOG_HASH);
	for (size_t i = 0; i < p->count; i++) {
		if (sn == 0)
			return SIGNET_ERR_VERIFY;
		if ((fn & 1) != 0 || fn == sn) {
			tlog_node(r, p->hash[i], r);
			for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
				sn >>= 1;
		} else {
			tlog_node(r, r, p->hash[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(r, root) ? SIGNET_OK : SIGNET_ERR_VERIFY;
}

/* Where neither tree is empty and they differ: walk from the old tree's last subtree to both roots. */
static signet_err
walk_to_both_roots(uint64_t first, uint64_t second, const uint8_t *first_root, const uint8_t *second_root,
    const struct tlog_proof *p)
{
	uint64_t fn = first - 1, sn = second - 1;
	uint8_t fr[TLOG_HASH], sr[TLOG_HASH];
	size_t i = 0;

	if (p->count == 0)
		return SIGNET_ERR_VERIFY;
	/* a complete old tree is itself the first subtree, and its root is not sent */
	memcpy(fr, (first & (first - 1)) == 0 ? first_root : p->hash[i++], TLOG_HASH);
	memcpy(sr, fr, TLOG_HASH);
	for (; (fn & 1) != 0; fn >>= 1)
		sn >>= 1;
	for (; i < p->count; i++) {
		if (sn == 0)
			return SIGNET_ERR_VERIFY;
		if ((fn & 1) != 0 || fn == sn) {
			tlog_node(fr, p->hash[i], fr);
			tlog_node(sr, p->hash[i], sr);
			for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
				sn >>= 1;
		} else {
			tlog_node(sr, sr, p->hash[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(fr, first_root) && same(sr, second_root) ? SIGNET_OK : SIGNET_ERR_VERIFY;
}

signet_err
tlog_check_consistency(uint64_t first, uint64_t second, const uint8_t first_root[TLOG_HASH],
    const uint8_t second_root[TLOG_HASH], const struct tlog_proof *p)
{
	uint8_t empty[TLOG_HASH];

	if (first > second)
		return SIGNET_ERR_VERIFY;
	if (first == 0) { /* every tree extends the empty one */
		tlog_sha256(empty, NULL, 0);
		if (p->count != 0 || !same(first_root, empty) || (second == 0 && !same(second_root, empty)))
			return SIGNET_ERR_VERIFY;
		return SIGNET_OK;
	}
	if (first == second)
		return p->count == 0 && same(first_root, second_root) ? SIGNET_OK : SIGNET_ERR_VERIFY;
	return walk_to_both_roots(first, second, first_root, second_root, p);
}

/* The largest power of two below `n`; n >= 2. */
static uint64_t
half(uint64_t n)
{
	return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/*
 * Root of the leaves [from, to), whose first is where the definition can split: complete subtrees of falling
 * size, folded from the right.
 */
static signet_err
range_root(uint64_t from, uint64_t to, tlog_get get, void *arg, uint8_t out[TLOG_HASH])
{
	uint64_t width = to - from, at = to;
	uint8_t left[TLOG_HASH], sum[TLOG_HASH];
	bool any = false;
	signet_err err;

	for (unsigned level = 0; level < 64; level++) {
		if ((width >> level & 1) == 0)
			continue;
		at -= (uint64_t)1 << level;
		err = get(arg, level, at >> level, left);
		if (err != SIGNET_OK)
			return err;
		if (any)
			tlog_node(sum, left, sum);
		else
			memcpy(sum, left, TLOG_HASH);
		any = true;
	}
	assert(any);
	memcpy(out, sum, TLOG_HASH);
	return SIGNET_OK;
}

signet_err
tlog_root(uint64_t size, tlog_get get, void *arg, uint8_t out[TLOG_HASH])
{
	if (size == 0) {
		tlog_sha256(out, NULL, 0);
		return SIGNET_OK;
	}
	return range_root(0, size, get, arg, out);
}

/* Ranges on the way from the root down; a proof has their roots in the other order. */
struct descent {
	size_t count;
	struct {
		uint64_t from, to;
	} range[TLOG_PROOF_MAX + 1];
};

static void
pass(struct descent *d, uint64_t from, uint64_t to)
{
	d->range[d->count].from = from;
	d->range[d->count].to = to;
	d->count++;
}

static signet_err
roots_upwards(const struct descent *d, tlog_get get, void *arg, struct tlog_proof *p)
{
	struct tlog_proof made = {.count = d->count};
	signet_err err;

	assert(d->count <= TLOG_PROOF_MAX);
	for (size_t i = 0; i < d->count; i++) {
		size_t at = d->count - 1 - i;

		err = range_root(d->range[at].from, d->range[at].to, get, arg, made.hash[i]);
		if (err != SIGNET_OK)
			return err;
	}
	*p = made;
	return SIGNET_OK;
}

/* From the range [low, high) to the one of `width` leaves that holds `index`. */
static void
descend(struct descent *d, uint64_t low, uint64_t high, uint64_t index, uint64_t width)
{
	while (high - low > width) {
		uint64_t middle = low + half(high - low);

		if (index < middle) {
			pass(d, middle, high);
			high = middle;
		} else {
			pass(d, low, middle);
			low = middle;
		}
	}
}

signet_err
tlog_prove_inclusion(uint64_t index, uint64_t size, tlog_get get, void *arg, struct tlog_proof *p)
{
	struct descent d = {0};

	if (index >= size || size > INT64_MAX)
		return SIGNET_ERR_ARGUMENT;
	descend(&d, 0, size, index, 1);
	return roots_upwards(&d, get, arg, p);
}

/*
 * Below a complete subtree every step of an inclusion proof is inside it: its first `level` hashes. What is left
 * proves leaf `number` of the tree whose leaves are the subtrees of that level and, last, what remains.
 */
signet_err
tlog_check_node(unsigned level, uint64_t number, uint64_t size, const uint8_t node[TLOG_HASH],
    const struct tlog_proof *p, const uint8_t root[TLOG_HASH])
{
	if (level >= TLOG_LEVELS || number >= size >> level)
		return SIGNET_ERR_VERIFY;
	return tlog_check_inclusion(number, ((size - 1) >> level) + 1, node, p, root);
}

signet_err
tlog_prove_node(unsigned level, uint64_t number, uint64_t size, tlog_get get, void *arg, struct tlog_proof *p)
{
	struct descent d = {0};

	if (level >= TLOG_LEVELS || number >= size >> level || size > INT64_MAX)
		return SIGNET_ERR_ARGUMENT;
	descend(&d, 0, size, number << level, (uint64_t)1 << level);
	return roots_upwards(&d, get, arg, p);
}

signet_err
tlog_prove_consistency(uint64_t first, uint64_t second, tlog_get get, void *arg, struct tlog_proof *p)
{
	uint64_t low = 0, high = second;
	struct descent d = {0};

	if (first > second || second > INT64_MAX)
		return SIGNET_ERR_ARGUMENT;
	if (first == 0)
		high = 0;
	while (first != high) {
		uint64_t middle = low + half(high - low);

		if (first <= middle) {
			pass(&d, middle, high);
			high = middle;
		} else {
			pass(&d, low, middle);
			low = middle;
		}
	}
	if (low > 0) /* else the old tree is this subtree, and its root known */
		pass(&d, low, high);
	return roots_upwards(&d, get, arg, p);
}
