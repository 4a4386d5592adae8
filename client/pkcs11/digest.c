/*
 * SHA-2 for the mechanisms that hash, by libcrypto in a library context of our
 * own: the program's configuration, engines and providers, which may have
 * loaded us, are not touched.
 *
 * Invariant: the context is made when the first mechanism needs it and lives
 * as long as the process: an operation that was begun can be ended in an exit
 * handler, also after libcrypto's own. A new one cannot begin there. A forked
 * child makes its own.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "bridge.h"

struct digest_run {
	EVP_MD_CTX *ctx;
};

struct library {
	OSSL_LIB_CTX *ctx;
	EVP_MD *md[SIGNET_SHA512 + 1];
	struct library *older;
};

static struct library *library;

void
digest_forked(void)
{
	/* kept, not used: `older` keeps it in sight of leak checkers */
	struct library *fresh = library == NULL ? NULL : calloc(1, sizeof(*fresh));

	if (fresh != NULL)
		fresh->older = library;
	library = fresh;
}

static bool
fetch(struct library *l)
{
	static const char *const names[] = {
	    [SIGNET_SHA256] = "SHA256", [SIGNET_SHA384] = "SHA384", [SIGNET_SHA512] = "SHA512"};

	if (l->ctx == NULL)
		l->ctx = OSSL_LIB_CTX_new();
	for (unsigned h = SIGNET_SHA256; l->ctx != NULL && h <= SIGNET_SHA512; h++)
		if (l->md[h] == NULL)
			l->md[h] = EVP_MD_fetch(l->ctx, names[h], NULL);
	return l->md[SIGNET_SHA256] != NULL && l->md[SIGNET_SHA384] != NULL && l->md[SIGNET_SHA512] != NULL;
}

static const EVP_MD *
digest_of(signet_hash hash)
{
	/* on its way out the program may have taken libcrypto down before us: that is what this call tells */
	if (OPENSSL_init_crypto(0, NULL) != 1)
		return NULL;
	if (library == NULL)
		library = calloc(1, sizeof(*library));
	return library != NULL && fetch(library) ? library->md[hash] : NULL;
}

struct digest_run *
digest_start(signet_hash hash)
{
	const EVP_MD *md = digest_of(hash);
	struct digest_run *r = md == NULL ? NULL : calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->ctx = EVP_MD_CTX_new();
	if (r->ctx != NULL && EVP_DigestInit_ex2(r->ctx, md, NULL) == 1)
		return r;
	digest_free(r);
	return NULL;
}

bool
digest_more(struct digest_run *r, const void *data, size_t n)
{
	return n == 0 || EVP_DigestUpdate(r->ctx, data, n) == 1;
}

bool
digest_end(struct digest_run *r, uint8_t out[SIGNET_DIGEST_MAX])
{
	return EVP_DigestFinal_ex(r->ctx, out, NULL) == 1;
}

void
digest_free(struct digest_run *r)
{
	if (r == NULL)
		return;
	EVP_MD_CTX_free(r->ctx);
	free(r);
}
