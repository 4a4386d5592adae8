/* What signet-load knows about one key, and how it judges one reply. */
#ifndef SIGNET_TESTS_LOAD_H
#define SIGNET_TESTS_LOAD_H

#include <openssl/evp.h>

#include "base/digest.h"
#include "varlink.h"

struct judge { /* one per thread */
	EVP_PKEY *key;
	const char *scheme; /* "pkcs1", "pss", "ecdsa", "eddsa" */
};

struct verdict_text {
	json_int_t index;
	char signature_hash[DIGEST_TEXT_MAX];
};

/* The key's certificate and default scheme, from ListKeys. Any error of the wire, SIGNET_ERR_CERTIFICATE_INVALID. */
must_check signet_err judge_init(struct judge *j, struct varlink *w, const char *key, const char *scheme);
void judge_done(struct judge *j);

/*
 * A reply of Sign to `digest`: does the signature verify, and does the receipt speak of this digest and this
 * signature, with a leaf hash that is the entry's? SIGNET_ERR_VERIFY, SIGNET_ERR_PROTOCOL; *why: a static sentence.
 */
must_check signet_err judge_reply(const struct judge *j, const struct digest *digest,
    const json_t *parameters, struct verdict_text *out, const char **why);

#endif
