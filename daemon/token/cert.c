/*
 * What the broker must know of a key's own certificate, and the chain that goes
 * with it, taken from the DER [RFC 5280]. Nothing is judged here: validity and
 * path are the business of whoever asks for a signature.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "token/worker.h"

static bool
seconds_of(const ASN1_TIME *at, int64_t *out)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	if (at == NULL || ASN1_TIME_to_tm(at, &tm) != 1)
		return false;
	*out = (int64_t)timegm(&tm);
	return true;
}

/* Lower-case hex. RFC 5280 allows 20 octets; three more are taken from careless issuers. */
static bool
serial_of(X509 *x509, char *out, size_t size)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
	char *hex = n == NULL ? NULL : BN_bn2hex(n);
	bool fits = hex != NULL && strlen(hex) < size;

	if (fits)
		for (char *p = strcpy(out, hex); *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
	OPENSSL_free(hex);
	BN_free(n);
	return fits;
}

bool
cert_describe(struct wire_key *k, X509 *own)
{
	unsigned len = 0;

	if (!seconds_of(X509_get0_notBefore(own), &k->not_before) ||
	    !seconds_of(X509_get0_notAfter(own), &k->not_after)) {
		text_printf(k->reason, sizeof(k->reason), "the certificate's validity cannot be read");
		return false;
	}
	if (!serial_of(own, k->cert_serial, sizeof(k->cert_serial))) {
		text_printf(k->reason, sizeof(k->reason), "the certificate's serial number is too long");
		return false;
	}
	if (i2d_X509(own, NULL) > WIRE_CERT_MAX) {
		text_printf(
		    k->reason, sizeof(k->reason), "the certificate has more than %d bytes", WIRE_CERT_MAX);
		return false;
	}
	if (X509_digest(own, EVP_sha256(), k->cert_hash, &len) != 1) {
		text_printf(k->reason, sizeof(k->reason), "the certificate cannot be hashed");
		return false;
	}
	return true;
}

static bool
is_self_issued(X509 *x509)
{
	return X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
}

/* Several certificates may bear the issuer's name (a renewed authority): the one whose key signed it. */
static X509 *
issuer_of(X509 *x509, const struct token_certs *pool)
{
	for (size_t i = 0; i < pool->count; i++) {
		X509 *candidate = pool->list[i].x509;

		if (X509_check_issued(candidate, x509) == X509_V_OK &&
		    X509_verify(x509, X509_get0_pubkey(candidate)) == 1)
			return candidate;
	}
	return NULL;
}

static bool
cert_append(struct wire_key *k, X509 *x509)
{
	struct wire_cert *to = &k->certs[k->cert_count];
	uint8_t *p = to->der;
	int len = i2d_X509(x509, NULL);

	if (len <= 0 || len > WIRE_CERT_MAX)
		return false;
	to->len = (size_t)i2d_X509(x509, &p);
	k->cert_count++;
	return true;
}

signet_err
cert_chain(struct wire_key *k, X509 *own, const struct token_certs *pool)
{
	X509 *at = own;

	k->certs = calloc(WIRE_CERTS_MAX, sizeof(k->certs[0]));
	if (k->certs == NULL)
		return SIGNET_ERR_MEMORY;
	/* a loop of issuers ends at the limit; an oversized one ends the chain */
	while (k->cert_count < WIRE_CERTS_MAX && cert_append(k, at) && !is_self_issued(at)) {
		at = issuer_of(at, pool);
		if (at == NULL)
			break;
	}
	return SIGNET_OK;
}
