/* Checking a detached CMS signature [RFC 5652; EN 319 122-1]: what it says, piece by piece. No daemon is needed. */
#ifndef SIGNET_SIGNETCTL_CMS_H
#define SIGNET_SIGNETCTL_CMS_H

#include <openssl/x509.h>

#include <signet/signet.h>

#include "base/base.h"

/* The digest of what is signed; false: it cannot be had. `digest` has SIGNET_DIGEST_MAX bytes. */
typedef bool cms_digest_fn(void *arg, signet_hash hash, uint8_t *digest);

enum cms_binding { CMS_CERT_UNBOUND, CMS_CERT_BOUND, CMS_CERT_OTHER };

struct cms_report {
	bool
	    readable; /* one signer, his certificate, a digest of 256 bits or more; else nothing below is set */
	signet_hash hash;
	bool digest_good;         /* it is about this content */
	bool signature_good;      /* made with the key of `signer` */
	enum cms_binding binding; /* does it name the certificate itself [RFC 5035]? */
	X509 *signer;
	bool chain_checked, chain_good;
	const char *chain_fault; /* libcrypto's own words */
	char time[24];           /* signing-time as RFC 3339, as the signer states it; "" */
	bool stamped;            /* there is a time-stamp in it, which is not judged here */
	size_t size;             /* bytes of the CMS; what lies behind it are zeroes */
};

/*
 * ca  certificates that are trusted, or NULL: then the chain is not checked
 */
void cms_check(
    struct cms_report *r, const uint8_t *bytes, size_t n, cms_digest_fn *digest, void *arg, X509_STORE *ca);
void cms_report_done(struct cms_report *r);

/*
 * The hash of the value of its one signature, "sha256:<hex>": how the log knows it. *size: bytes of the CMS, without
 * the zeroes behind it. `text` has DIGEST_TEXT_MAX bytes. False: it cannot be read.
 */
bool cms_value_hash(const uint8_t *bytes, size_t n, size_t *size, char *text);

/* Certificates in PEM. NULL: there are none in this file. X509_STORE_free() */
X509_STORE *cms_trusted(const char *path);

#endif
