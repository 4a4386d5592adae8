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
	assert_true(X509_sign(x509, plan->signer, EVP_sha256()) > 0);
	return x509;
}
