/* See x509.h. */
#include "support/x509.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "unit/unit.h"

EVP_PKEY *
x509_key(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	assert_non_null(key);
	return key;
}

static void
name_it(X509_NAME *name, const char *text)
{
	assert_int_equal(
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0), 1);
}

static void
pad(X509 *x509, int bytes)
{
	char *text = calloc(1, (size_t)bytes + 1);
	ASN1_IA5STRING *comment = ASN1_IA5STRING_new();

	memset(text, 'x', (size_t)bytes);
	assert_int_equal(ASN1_STRING_set(comment, text, bytes), 1);
	assert_int_equal(X509_add1_ext_i2d(x509, NID_netscape_comment, comment, 0, 0), 1);
	ASN1_IA5STRING_free(comment);
	free(text);
}

static void
extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *e = value == NULL ? NULL : X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (value == NULL)
		return;
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x509, e, -1), 1);
	X509_EXTENSION_free(e);
}

EVP_PKEY *
x509_key_of(const char *algorithm)
{
	EVP_PKEY *key = NULL;

	if (strncmp(algorithm, "rsa-", 4) == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(algorithm + 4));
	else if (strcmp(algorithm, "ed25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC",
		    strcmp(algorithm, "p-256") == 0   ? "P-256"
		    : strcmp(algorithm, "p-384") == 0 ? "P-384"
						      : "P-521");
	assert_non_null(key);
	return key;
}

X509 *
x509_make(const struct x509_plan *plan)
{
	X509 *x509 = X509_new();
	BIGNUM *serial = NULL;

	assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
	assert_true(BN_hex2bn(&serial, plan->serial != NULL ? plan->serial : "01") > 0);
	assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509)));
	BN_free(serial);
	name_it(X509_get_subject_name(x509), plan->subject);
	name_it(X509_get_issuer_name(x509), plan->issuer);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)plan->not_before));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)plan->not_after));
	assert_int_equal(X509_set_pubkey(x509, plan->key), 1);
	if (plan->padding > 0)
		pad(x509, plan->padding);
	extend(x509, NID_basic_constraints, plan->constraints);
	extend(x509, NID_key_usage, plan->usage);
	extend(x509, NID_ext_key_usage, plan->purpose);
	assert_true(X509_sign(x509, plan->signer, EVP_PKEY_get_base_id(plan->signer) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0);
	return x509;
}
