/* Keys and certificates made on the spot. */
#ifndef SIGNET_TESTS_X509_H
#define SIGNET_TESTS_X509_H

#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

EVP_PKEY *x509_key(void); /* P-256 */

struct x509_plan {
	const char *subject, *issuer; /* common names */
	EVP_PKEY *key;                /* what it certifies */
	EVP_PKEY *signer;             /* who signs it */
	int64_t not_before, not_after;
	const char *serial; /* hex */
	int padding;        /* bytes of a comment, to make it large */
	/* extensions as openssl.cnf writes them; NULL: left out */
	const char *constraints, *usage, *purpose; /* basicConstraints, keyUsage, extendedKeyUsage */
};
EVP_PKEY *x509_key_of(const char *algorithm); /* "rsa-2048", "p-256", "p-384", "p-521", "ed25519" */
X509 *x509_make(const struct x509_plan *plan);

#endif
