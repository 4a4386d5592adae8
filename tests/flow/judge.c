/*
 * Judges one reply of Sign with nothing but the key's certificate: the
 * signature by OpenSSL, the receipt by its own words [RFC 6962, 2.1 for the
 * leaf hash].
 */
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/base64.h"
#include "load.h"

enum { ENTRY_MAX = 65535, SIGNATURE_MAX = 1024 };

static EVP_PKEY *
certificate_key(const char *base64)
{
	uint8_t der[16384];
	const uint8_t *p = der;
	size_t len = sizeof(der);
	X509 *cert = NULL;
	EVP_PKEY *key = NULL;

	if (base64 == NULL || base64_decode(base64, strlen(base64), der, &len) != SIGNET_OK)
		return NULL;
	cert = d2i_X509(NULL, &p, (long)len);
	if (cert != NULL)
		key = X509_get_pubkey(cert);
	X509_free(cert);
	return key;
}

static const char *
default_scheme(const EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		return "pkcs1";
	return EVP_PKEY_is_a(key, "EC") ? "ecdsa" : "eddsa";
}

signet_err
judge_init(struct judge *j, struct varlink *w, const char *key, const char *scheme)
{
	struct reply r;
	const json_t *certs;
	signet_err err;

	err = varlink_call(w, "org.signetd.Signer.ListKeys", json_pack("{s:s}", "key", key), false);
	if (err != SIGNET_OK)
		return err;
	err = varlink_reply(w, &r);
	if (err != SIGNET_OK)
		return err;
	if (r.error != NULL) {
		err = err_from_wire(r.error);
		reply_done(&r);
		return err;
	}
	certs = json_object_get(json_object_get(r.parameters, "key"), "certificates");
	j->key = certificate_key(json_string_value(json_array_get(certs, 0)));
	reply_done(&r);
	if (j->key == NULL)
		return SIGNET_ERR_CERTIFICATE_INVALID;
	j->scheme = scheme != NULL ? scheme : default_scheme(j->key);
	return SIGNET_OK;
}

void
judge_done(struct judge *j)
{
	EVP_PKEY_free(j->key);
	j->key = NULL;
}

static const EVP_MD *
digest_md(const struct digest *d)
{
	if (d->alg == DIGEST_SHA256)
		return EVP_sha256();
	return d->alg == DIGEST_SHA384 ? EVP_sha384() : EVP_sha512();
}

static bool
verifies_eddsa(EVP_PKEY *key, const struct digest *d, const uint8_t *sig, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, sig, len, d->bytes, digest_size(d->alg)) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

static bool
set_padding(EVP_PKEY_CTX *ctx, const char *scheme)
{
	if (strcmp(scheme, "ecdsa") == 0)
		return true;
	if (strcmp(scheme, "pkcs1") == 0)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
verifies(const struct judge *j, const struct digest *d, const uint8_t *sig, size_t len)
{
	EVP_PKEY_CTX *ctx;
	bool good;

	if (strcmp(j->scheme, "eddsa") == 0)
		return verifies_eddsa(j->key, d, sig, len);
	ctx = EVP_PKEY_CTX_new(j->key, NULL);
	good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && set_padding(ctx, j->scheme) &&
	       EVP_PKEY_CTX_set_signature_md(ctx, digest_md(d)) == 1 &&
	       EVP_PKEY_verify(ctx, sig, len, d->bytes, digest_size(d->alg)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static bool
sha256(uint8_t out[32], const void *bytes, size_t len)
{
	return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) == 1;
}

/* leafHash = SHA-256(0x00, entry) */
static bool
leaf_is(const char *entry, const char *leaf)
{
	uint8_t node[1 + ENTRY_MAX], want[32], got[64];
	size_t len = strlen(entry), n = sizeof(got);

	if (len > ENTRY_MAX || base64_decode(leaf, strlen(leaf), got, &n) != SIGNET_OK || n != sizeof(want))
		return false;
	node[0] = 0;
	memcpy(node + 1, entry, len);
	return sha256(want, node, len + 1) && memcmp(want, got, n) == 0;
}

static bool
says(const json_t *entry, const char *member, const char *value)
{
	const char *text = json_member_str(entry, member);

	return text != NULL && strcmp(text, value) == 0;
}

static signet_err
judge_receipt(const json_t *receipt, const struct digest *d, struct verdict_text *out, const char **why)
{
	const char *entry = json_member_str(receipt, "entry"), *leaf = json_member_str(receipt, "leafHash");
	char digest[DIGEST_TEXT_MAX];
	json_t *said = NULL;
	bool same;

	*why = "the receipt is incomplete";
	if (entry == NULL || leaf == NULL)
		return SIGNET_ERR_PROTOCOL;
	*why = "the leaf hash is not the entry's";
	if (!leaf_is(entry, leaf))
		return SIGNET_ERR_VERIFY;
	*why = "the entry is not such an object";
	if (json_read(&said, entry, strlen(entry), NULL) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	digest_format(d, digest);
	out->index = json_integer_value(json_object_get(receipt, "index"));
	same = says(said, "digest", digest) && says(said, "signatureHash", out->signature_hash) &&
	       says(said, "outcome", "ok") &&
	       json_integer_value(json_object_get(said, "index")) == out->index;
	json_decref(said);
	*why = "the entry speaks of something else";
	return same ? SIGNET_OK : SIGNET_ERR_VERIFY;
}

signet_err
judge_reply(const struct judge *j, const struct digest *digest, const json_t *parameters,
    struct verdict_text *out, const char **why)
{
	const char *base64 = json_member_str(parameters, "signature");
	uint8_t sig[SIGNATURE_MAX];
	struct digest hash = {.alg = DIGEST_SHA256};
	size_t len = sizeof(sig);

	*why = "the reply has no signature";
	if (base64 == NULL || base64_decode(base64, strlen(base64), sig, &len) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	*why = "the signature does not verify";
	if (!verifies(j, digest, sig, len) || !sha256(hash.bytes, sig, len))
		return SIGNET_ERR_VERIFY;
	digest_format(&hash, out->signature_hash);
	return judge_receipt(json_object_get(parameters, "receipt"), digest, out, why);
}
