/* Digests of files, in one pass and constant memory. */
#ifndef SIGNET_SIGNETCTL_HASH_H
#define SIGNET_SIGNETCTL_HASH_H

#include <signet/signet.h>

#include "base/base.h"

enum { HASH_COUNT = SIGNET_SHA512 + 1 };

struct hashes {
	uint8_t of[HASH_COUNT][SIGNET_DIGEST_MAX]; /* indexed by signet_hash */
};

/* SIGNET_SHA256 for "sha256" and so on; 0: no such hash. */
signet_hash hash_find(const char *name);
const char *hash_name(signet_hash hash);
/*
 * The digests whose bit (1 << hash) is in `which`. SIGNET_ERR_IO with errno: the file cannot be read;
 * SIGNET_ERR_MEMORY: OpenSSL failed.
 */
must_check signet_err hash_file(struct hashes *h, const char *path, unsigned which);

#endif
