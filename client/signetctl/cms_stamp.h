/*
 * The time-stamp in a CMS signature, and the value that it is over [RFC 3161; EN 319 122-1, 5.3]. What cms.h says of
 * the signature itself stays apart. No daemon is needed.
 */
#ifndef SIGNET_SIGNETCTL_CMS_STAMP_H
#define SIGNET_SIGNETCTL_CMS_STAMP_H

#include <openssl/x509.h>

#include "base/base.h"

enum { CMS_FILE_MAX = 1 << 20 };

struct stamp_report {
	bool present;
	bool good;	/* it is over this signature, and made with the key of `signer`, which it names */
	char time[24];	/* that it states, RFC 3339 */
	X509 *signer;	/* NULL unless good */
	bool chain_checked, chain_good; /* to a certificate in `ca`, for time-stamps, at its own time */
	const char *chain_fault;
};

/* `bytes`: one CMS; what lies behind it is not looked at. `ca` may be NULL. */
void stamp_check(struct stamp_report *r, const uint8_t *bytes, size_t n, X509_STORE *ca);
void stamp_report_done(struct stamp_report *r);

/* Is this a time-stamp token over the digest, with this nonce? Its signature is good; whose it is is not judged. */
bool stamp_answers(const uint8_t *token, size_t n, const char *hash, const uint8_t *digest, const uint8_t *nonce,
    size_t nonce_size);

/* The bytes of a file, at most CMS_FILE_MAX; NULL with errno: it cannot be read, or is longer. free() them. */
uint8_t *cms_load(const char *path, size_t *size);

#endif
