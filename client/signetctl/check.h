/* Checking a signature against a certificate; nothing here talks to the daemon. */
#ifndef SIGNET_SIGNETCTL_CHECK_H
#define SIGNET_SIGNETCTL_CHECK_H

#include <openssl/x509.h>

#include <signet/signet.h>

#include "base/base.h"

#include "hash.h"

enum { SIGNATURE_MAX = 16 * 1024 }; /* of a bare signature: RSA with 131072 bits */

struct signature {
	uint8_t bytes[SIGNATURE_MAX];
	size_t size;
};

/* SIGNET_ERR_IO with errno; SIGNET_ERR_ARGUMENT: the file is empty or too long to be a signature. */
must_check signet_err signature_read(struct signature *s, const char *path);

/* NULL: no certificate. X509_free() */
X509 *cert_from_der(const uint8_t *der, size_t size);
X509 *cert_from_file(const char *path); /* PEM or DER */
/* The subject on one line, UTF-8; never NULL. It may hold anything: escape it. free() it. */
char *cert_subject(const X509 *cert);

/*
 * Is this a signature over the digest by the certificate's key? `scheme` NULL: any that the key can have; *found
 * is then which. An Ed25519 signature is one over the digest's bytes.
 */
bool check_signature(X509 *cert, signet_hash hash, const uint8_t *digest, const struct signature *s,
    const char *scheme, const char **found);

#endif
