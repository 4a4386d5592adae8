/*
 * The hashes of the tree. Leaves and nodes are hashed under different first
 * bytes, so that no entry can pass for a node [RFC 6962, 2.1].
 *
 * SHA-256 is fetched once per process and a context is kept per thread: looking
 * the algorithm up for each hash costs more than the hash.
 */
#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/tlog.h"

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
hash(uint8_t out[TLOG_HASH], const void *a, size_t a_len, const void *b, size_t b_len)
{
	EVP_MD_CTX *ctx;

	pthread_once(&once, fetch);
	ctx = pthread_getspecific(context_key);
	if (ctx == NULL)
		ctx = new_context();
	int ok = EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 &&
		 (a_len == 0 || EVP_DigestUpdate(ctx, a, a_len) == 1) &&
		 (b_len == 0 || EVP_DigestUpdate(ctx, b, b_len) == 1) &&
		 EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	assert(ok); /* SHA-256 in memory does not fail; a wrong hash must never be believed */
}

void
tlog_sha256(uint8_t out[TLOG_HASH], const void *bytes, size_t len)
{
	hash(out, bytes, len, NULL, 0);
}

void
tlog_leaf(uint8_t out[TLOG_HASH], const void *entry, size_t len)
{
	hash(out, "\x00", 1, entry, len);
}

void
tlog_node(uint8_t out[TLOG_HASH], const uint8_t *left, const uint8_t *right)
{
	uint8_t pair[1 + 2 * TLOG_HASH] = {0x01};

	memcpy(pair + 1, left, TLOG_HASH);
	memcpy(pair + 1 + TLOG_HASH, right, TLOG_HASH);
	hash(out, pair, sizeof(pair), NULL, 0);
}
