/*
 * Each signature is checked with the public key before it leaves the lane. That
 * finds a wrong key and faulty hardware; a module that lies about the public
 * key as well it does not.
 *
 * Contexts are made at first use and kept: making one costs more than some of
 * the verifications.
 */
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "token/worker.h"

static const char *const digest_fetch[] = {
    [DIGEST_SHA256] = "SHA256", [DIGEST_SHA384] = "SHA384", [DIGEST_SHA512] = "SHA512"};

static EVP_PKEY_CTX *
context_new(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	if (ctx != NULL && EVP_PKEY_verify_init(ctx) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static EVP_PKEY_CTX *
pss_context_new(EVP_PKEY *key, enum signet_digest_alg alg)
{
	EVP_MD *md = EVP_MD_fetch(NULL, digest_fetch[alg], NULL);
	EVP_PKEY_CTX *ctx = md == NULL ? NULL : context_new(key);
	bool ok = ctx != NULL && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
		  EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;

	EVP_MD_free(md);
	if (ok)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* PKCS#1 v1.5 without a digest set: the padded DigestInfo is compared byte by byte [RFC 8017, 8.2.2]. */
static bool
verify_plain(
    struct verifier *v, EVP_PKEY *key, const uint8_t *bytes, size_t n, const uint8_t *sig, size_t len)
{
	if (v->plain == NULL)
		v->plain = context_new(key);
	return v->plain != NULL && EVP_PKEY_verify(v->plain, sig, len, bytes, n) == 1;
}

static bool
verify_pss(struct verifier *v, EVP_PKEY *key, const struct digest *d, const uint8_t *sig, size_t len)
{
	EVP_PKEY_CTX **ctx = &v->pss[d->alg - DIGEST_SHA256];

	if (*ctx == NULL)
		*ctx = pss_context_new(key, d->alg);
	return *ctx != NULL && EVP_PKEY_verify(*ctx, sig, len, d->bytes, digest_size(d->alg)) == 1;
}

static bool
verify_eddsa(
    struct verifier *v, EVP_PKEY *key, const uint8_t *bytes, size_t n, const uint8_t *sig, size_t len)
{
	if (v->eddsa == NULL)
		v->eddsa = EVP_MD_CTX_new();
	else
		EVP_MD_CTX_reset(v->eddsa);
	return v->eddsa != NULL && EVP_DigestVerifyInit(v->eddsa, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(v->eddsa, sig, len, bytes, n) == 1;
}

bool
verify_signature(struct lane *l, size_t key, uint8_t scheme, const struct digest *d,
    const struct sign_input *in, const uint8_t *sig, size_t len)
{
	struct verifier *v = &l->verifiers[key];
	EVP_PKEY *public = l->token->keys[key].public;
	bool ok;

	if (scheme == WIRE_PSS)
		ok = verify_pss(v, public, d, sig, len);
	else if (scheme == WIRE_EDDSA)
		ok = verify_eddsa(v, public, in->bytes, in->len, sig, len);
	else
		ok = verify_plain(v, public, in->bytes, in->len, sig, len);
	if (!ok)
		ERR_clear_error();
	return ok;
}
