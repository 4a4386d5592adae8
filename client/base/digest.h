/*
 * Digests as the wire writes them: "sha256:<hex>", lower case, exactly the
 * algorithm's length. Anything weaker than SHA-256 has no name here.
 */
#ifndef SIGNET_BASE_DIGEST_H
#define SIGNET_BASE_DIGEST_H

#include "base/base.h"

enum signet_digest_alg { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

enum { DIGEST_MAX = 64, DIGEST_TEXT_MAX = 7 + 2 * DIGEST_MAX + 1 };

struct digest {
	enum signet_digest_alg alg;
	uint8_t bytes[DIGEST_MAX];
};

size_t digest_size(enum signet_digest_alg alg);		/* 32, 48, 64; 0 for DIGEST_NONE */
const char *digest_name(enum signet_digest_alg alg);	/* "sha256" */
/* SIGNET_ERR_BAD_DIGEST; *why, may be NULL: a static sentence that names the fault. */
must_check signet_err digest_parse(struct digest *d, const char *text, const char **why);
/* NUL-terminated; out has DIGEST_TEXT_MAX bytes. */
void digest_format(const struct digest *d, char *out);

/* Lower-case hex only, even length, *n in: room, out: bytes. SIGNET_ERR_ARGUMENT, SIGNET_ERR_LIMIT. */
must_check signet_err hex_decode(const char *text, size_t len, uint8_t *out, size_t *n);

#endif
