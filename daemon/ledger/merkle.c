/*
 * The Merkle tree of the log: leaf and node hashes and the frontier of a
 * growing tree. Leaves and nodes are hashed under different first bytes, so
 * that no entry can pass for a node [RFC 6962, 2.1].
 *
 * Invariant: node[l] is the root of a complete subtree of 2^l leaves exactly
 * where bit l of `size` is set; the subtrees stand from the highest bit (left)
 * to the lowest (right).
 *
 * SHA-256 is fetched once per process and a context is kept per thread: looking
 * the algorithm up for each hash costs more than the hash.
 */
#include "ledger/merkle.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static EVP_MD *sha256;

static void
free_context(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	assert(sha256 != NULL);
	int err = pthread_key_create(&context_key, free_context);
	assert(err == 0);
}

static EVP_MD_CTX *
new_context(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(ctx != NULL);
	int ok = EVP_DigestInit_ex2(ctx, sha256, NULL);
	assert(ok == 1);
	int err = pthread_setspecific(context_key, ctx);
	assert(err == 0);
	return ctx;
}

static void
hash(uint8_t out[MERKLE_HASH], const void *a, size_t a_len, const void *b, size_t b_len)
{
	EVP_MD_CTX *ctx;

	pthread_once(&once, fetch);
	ctx = pthread_getspecific(context_key);
	if (ctx == NULL)
		ctx = new_context();
	int ok = EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 && EVP_DigestUpdate(ctx, a, a_len) == 1 &&
		 (b_len == 0 || EVP_DigestUpdate(ctx, b, b_len) == 1) &&
		 EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	assert(ok); /* SHA-256 in memory does not fail; a wrong hash must never be stored */
}

void
merkle_leaf(uint8_t out[MERKLE_HASH], const void *entry, size_t len)
{
	hash(out, "\x00", 1, entry, len);
}

void
merkle_node(uint8_t out[MERKLE_HASH], const uint8_t *left, const uint8_t *right)
{
	uint8_t pair[1 + 2 * MERKLE_HASH] = {0x01};

	memcpy(pair + 1, left, MERKLE_HASH);
	memcpy(pair + 1 + MERKLE_HASH, right, MERKLE_HASH);
	hash(out, pair, sizeof(pair), NULL, 0);
}

unsigned
merkle_push(struct merkle *t, const uint8_t leaf[MERKLE_HASH], uint8_t completed[MERKLE_LEVELS][MERKLE_HASH])
{
	uint8_t top[MERKLE_HASH];
	unsigned level = 0;

	memcpy(top, leaf, MERKLE_HASH);
	while ((t->size >> level & 1) != 0) {
		merkle_node(top, t->node[level], top);
		memcpy(completed[level], top, MERKLE_HASH);
		level++;
	}
	memcpy(t->node[level], top, MERKLE_HASH);
	t->size++;
	return level;
}

void
merkle_root(const struct merkle *t, uint8_t out[MERKLE_HASH])
{
	bool any = false;

	if (t->size == 0) {
		hash(out, "", 0, NULL, 0);
		return;
	}
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		if ((t->size >> level & 1) == 0)
			continue;
		if (any)
			merkle_node(out, t->node[level], out);
		else
			memcpy(out, t->node[level], MERKLE_HASH);
		any = true;
	}
}
