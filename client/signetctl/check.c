/*
 * Checking a signature [RFC 8017, 8.1.2 and 8.2.2; FIPS 186-5; RFC 8032, 5.1.7].
 *
 * Invariant: only what the daemon signs is good: the digest that was computed
 * from the file, PSS with MGF1 of the same digest and a salt of its size. Says
 * nothing about who issued the certificate.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

signet_err
signature_read(struct signature *s, const char *path)
{
	FILE *f = fopen(path, "rbe");
	bool failed;
	int saved;

	if (f == NULL)
		return SIGNET_ERR_IO;
	s->size = fread(s->bytes, 1, sizeof(s->bytes), f);
	failed = ferror(f) != 0;
	saved = errno;
	(void)fclose(f);
	errno = saved;
	if (failed)
		return SIGNET_ERR_IO;
	return s->size == 0 || s->size == sizeof(s->bytes) ? SIGNET_ERR_ARGUMENT : SIGNET_OK;
}

X509 *
cert_from_der(const uint8_t *der, size_t size)
{
	return d2i_X509(NULL, &der, (long)size);
}

X509 *
cert_from_file(const char *path)
{
	BIO *bio = BIO_new_file(path, "rb");
	X509 *cert;

	if (bio == NULL)
		return NULL;
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (cert == NULL && BIO_reset(bio) == 0)
		cert = d2i_X509_bio(bio, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return cert;
}

char *
cert_subject(const X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL, *data;
	long n;

	if (bio == NULL)
		abort();
	/* UTF-8 as it is: safe_text() takes care of the terminal */
	(void)X509_NAME_print_ex(
	    bio, X509_get_subject_name(cert), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
	n = BIO_get_mem_data(bio, &data);
	text = strndup(n > 0 ? data : "", n > 0 ? (size_t)n : 0);
	BIO_free(bio);
	if (text == NULL)
		abort();
	return text;
}

static bool
set_padding(EVP_PKEY_CTX *ctx, const EVP_MD *md, bool pss)
{
	if (!pss)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
check_prehashed(
    EVP_PKEY *key, signet_hash hash, const uint8_t *digest, const struct signature *s, bool rsa, bool pss)
{
	const EVP_MD *md = EVP_get_digestbyname(hash_name(hash));
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool good;

	good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	       (!rsa || set_padding(ctx, md, pss)) &&
	       EVP_PKEY_verify(ctx, s->bytes, s->size, digest, signet_hash_size(hash)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static bool
check_eddsa(EVP_PKEY *key, signet_hash hash, const uint8_t *digest, const struct signature *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, s->bytes, s->size, digest, signet_hash_size(hash)) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static bool
check_one(
    EVP_PKEY *key, signet_hash hash, const uint8_t *digest, const struct signature *s, const char *scheme)
{
	int kind = EVP_PKEY_get_base_id(key);

	if (strcmp(scheme, "eddsa") == 0)
		return kind == EVP_PKEY_ED25519 && check_eddsa(key, hash, digest, s);
	if (strcmp(scheme, "ecdsa") == 0)
		return kind == EVP_PKEY_EC && check_prehashed(key, hash, digest, s, false, false);
	if (strcmp(scheme, "pkcs1") == 0)
		return kind == EVP_PKEY_RSA && check_prehashed(key, hash, digest, s, true, false);
	if (strcmp(scheme, "pss") == 0)
		return (kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) &&
		       check_prehashed(key, hash, digest, s, true, true);
	return false;
}

bool
check_signature(X509 *cert, signet_hash hash, const uint8_t *digest, const struct signature *s,
    const char *scheme, const char **found)
{
	static const char *const schemes[] = {"pkcs1", "pss", "ecdsa", "eddsa"};
	EVP_PKEY *key = X509_get0_pubkey(cert);
	bool good = false;
	size_t i;

	for (i = 0; key != NULL && !good && i < array_len(schemes); i++) {
		if (scheme != NULL && strcmp(scheme, schemes[i]) != 0)
			continue;
		good = check_one(key, hash, digest, s, schemes[i]);
		if (good && found != NULL)
			*found = schemes[i];
	}
	ERR_clear_error();
	return good;
}
