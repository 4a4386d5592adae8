/*
 * A tree that grows leaf by leaf, kept as its right edge.
 *
 * Invariant: node[l] is the root of a complete subtree of 2^l leaves exactly
 * where bit l of `size` is set; the subtrees stand from the highest bit (left)
 * to the lowest (right).
 */
#include <assert.h>
#include <string.h>

#include "base/tlog.h"

unsigned
tlog_tree_push(struct tlog_tree *t, const uint8_t leaf[TLOG_HASH], uint8_t completed[TLOG_LEVELS][TLOG_HASH])
{
	uint8_t top[TLOG_HASH];
	unsigned level = 0;

	memcpy(top, leaf, TLOG_HASH);
	while ((t->size >> level & 1) != 0) {
		tlog_node(top, t->node[level], top);
		memcpy(completed[level], top, TLOG_HASH);
		level++;
	}
	memcpy(t->node[level], top, TLOG_HASH);
	t->size++;
	return level;
}

static signet_err
get_edge(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	const struct tlog_tree *t = arg;

	(void)number; /* a root asks for the subtrees of the edge only */
	memcpy(out, t->node[level], TLOG_HASH);
	return SIGNET_OK;
}

void
tlog_tree_root(const struct tlog_tree *t, uint8_t out[TLOG_HASH])
{
	struct tlog_tree copy = *t;
	signet_err err;

	err = tlog_root(t->size, get_edge, &copy, out);
	assert(err == SIGNET_OK); /* get_edge does not fail */
}

signet_err
tlog_tree_load(struct tlog_tree *t, uint64_t size, tlog_get get, void *arg)
{
	struct tlog_tree loaded = {.size = size};
	signet_err err;

	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		if ((size >> level & 1) == 0)
			continue;
		/* bit `level` is set: the last of the subtrees of this size */
		err = get(arg, level, (size >> level) - 1, loaded.node[level]);
		if (err != SIGNET_OK)
			return err;
	}
	*t = loaded;
	return SIGNET_OK;
}
