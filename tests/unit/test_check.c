/* Signatures made by OpenSSL with throw-away keys: what is good, and all that is nearly so. */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#include "unit.h"

static const uint8_t digest[SIGNET_DIGEST_MAX] = {1, 2, 3};

static X509 *
certificate_of(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	assert_non_null(key);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 60));
	assert_true(
	    X509_sign(cert, key, EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0);
	return cert;
}

static void
sign(struct signature *s, EVP_PKEY *key, signet_hash hash, int padding, int salt)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	const EVP_MD *md = EVP_get_digestbyname(hash_name(hash));

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, md), 1);
	if (padding != 0)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	if (padding == RSA_PKCS1_PSS_PADDING)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt), 1);
	s->size = sizeof(s->bytes);
	assert_int_equal(EVP_PKEY_sign(ctx, s->bytes, &s->size, digest, signet_hash_size(hash)), 1);
	EVP_PKEY_CTX_free(ctx);
}

/* Good as it is; bad with another digest, another hash, another scheme, a changed bit or a cut. */
static void
assert_good_only_so(X509 *cert, signet_hash hash, struct signature *s, const char *scheme)
{
	static const uint8_t other[SIGNET_DIGEST_MAX] = {1, 2, 4};
	const char *found = NULL;

	assert_true(check_signature(cert, hash, digest, s, NULL, &found));
	assert_string_equal(found, scheme);
	assert_true(check_signature(cert, hash, digest, s, scheme, NULL));
	assert_false(check_signature(cert, hash, other, s, NULL, NULL));
	assert_false(check_signature(
	    cert, hash == SIGNET_SHA256 ? SIGNET_SHA512 : SIGNET_SHA256, digest, s, NULL, NULL));
	assert_false(
	    check_signature(cert, hash, digest, s, strcmp(scheme, "pss") == 0 ? "pkcs1" : "pss", NULL));
	assert_false(check_signature(cert, hash, digest, s, "none", NULL));
	s->bytes[s->size - 1] ^= 1;
	assert_false(check_signature(cert, hash, digest, s, NULL, NULL));
	s->bytes[s->size - 1] ^= 1;
	s->size--;
	assert_false(check_signature(cert, hash, digest, s, NULL, NULL));
	s->size++;
}

static void
rsa_in_both_schemes(void **state)
{
	static struct signature s;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *cert = certificate_of(key);
	unsigned h;

	(void)state;
	for (h = SIGNET_SHA256; h <= SIGNET_SHA512; h++) {
		sign(&s, key, (signet_hash)h, RSA_PKCS1_PADDING, 0);
		assert_good_only_so(cert, (signet_hash)h, &s, "pkcs1");
		sign(&s, key, (signet_hash)h, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST);
		assert_good_only_so(cert, (signet_hash)h, &s, "pss");
	}
	/* a salt that the daemon never makes */
	sign(&s, key, SIGNET_SHA256, RSA_PKCS1_PSS_PADDING, 20);
	assert_false(check_signature(cert, SIGNET_SHA256, digest, &s, NULL, NULL));
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
ecdsa_on_three_curves(void **state)
{
	static const char *const curves[] = {"P-256", "P-384", "P-521"};
	static struct signature s;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(curves); i++) {
		EVP_PKEY *key = EVP_EC_gen(curves[i]);
		X509 *cert = certificate_of(key);

		sign(&s, key, SIGNET_SHA384, 0, 0);
		assert_true(check_signature(cert, SIGNET_SHA384, digest, &s, "ecdsa", NULL));
		assert_false(check_signature(cert, SIGNET_SHA384, digest, &s, "eddsa", NULL));
		s.bytes[s.size - 1] ^= 1;
		assert_false(check_signature(cert, SIGNET_SHA384, digest, &s, NULL, NULL));
		X509_free(cert);
		EVP_PKEY_free(key);
	}
}

static void
ed25519_over_the_digest_bytes(void **state)
{
	static struct signature s;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *cert = certificate_of(key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)state;
	s.size = sizeof(s.bytes);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, s.bytes, &s.size, digest, 48), 1);
	EVP_MD_CTX_free(ctx);
	assert_int_equal(s.size, 64);
	assert_good_only_so(cert, SIGNET_SHA384, &s, "eddsa");
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
signature_file_is_neither_empty_nor_huge(void **state)
{
	static struct signature s;
	static char zeroes[SIGNATURE_MAX];
	char path[] = "/tmp/signetctl_check.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(signature_read(&s, path), SIGNET_ERR_ARGUMENT);
	assert_int_equal(write(fd, zeroes, SIGNATURE_MAX - 1), SIGNATURE_MAX - 1);
	assert_int_equal(signature_read(&s, path), SIGNET_OK);
	assert_int_equal(s.size, SIGNATURE_MAX - 1);
	assert_int_equal(write(fd, zeroes, 1), 1);
	assert_int_equal(signature_read(&s, path), SIGNET_ERR_ARGUMENT);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(signature_read(&s, path), SIGNET_ERR_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rsa_in_both_schemes),
	    cmocka_unit_test(ecdsa_on_three_curves),
	    cmocka_unit_test(ed25519_over_the_digest_bytes),
	    cmocka_unit_test(signature_file_is_neither_empty_nor_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
