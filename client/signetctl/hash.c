/*
 * Digests of files: one pass, whatever their size and however many digests.
 *
 * Invariant: only SHA-2 of 256 bits and more has a name here [FIPS 180-4].
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"

enum { CHUNK = 256 * 1024 };

static const char *const hash_names[HASH_COUNT] = {
    [SIGNET_SHA256] = "sha256",
    [SIGNET_SHA384] = "sha384",
    [SIGNET_SHA512] = "sha512",
};

signet_hash
hash_find(const char *name)
{
	unsigned i;

	for (i = SIGNET_SHA256; i < HASH_COUNT; i++) {
		if (strcmp(hash_names[i], name) == 0)
			return (signet_hash)i;
	}
	return (signet_hash)0;
}

const char *
hash_name(signet_hash hash)
{
	return hash_names[hash];
}

struct hasher {
	EVP_MD_CTX *ctx[HASH_COUNT]; /* NULL where not asked for */
};

static void
hasher_done(struct hasher *h)
{
	unsigned i;

	for (i = 0; i < HASH_COUNT; i++)
		EVP_MD_CTX_free(h->ctx[i]);
}

static bool
hasher_init(struct hasher *h, unsigned which)
{
	unsigned i;

	for (i = SIGNET_SHA256; i < HASH_COUNT; i++) {
		if ((which >> i & 1) == 0)
			continue;
		h->ctx[i] = EVP_MD_CTX_new();
		if (h->ctx[i] == NULL ||
		    EVP_DigestInit_ex(h->ctx[i], EVP_get_digestbyname(hash_names[i]), NULL) != 1)
			return false;
	}
	return true;
}

static bool
hasher_update(struct hasher *h, const void *bytes, size_t n)
{
	unsigned i;

	for (i = 0; i < HASH_COUNT; i++) {
		if (h->ctx[i] != NULL && EVP_DigestUpdate(h->ctx[i], bytes, n) != 1)
			return false;
	}
	return true;
}

static signet_err
hasher_read(struct hasher *h, int fd)
{
	static uint8_t chunk[CHUNK];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return SIGNET_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return SIGNET_ERR_IO;
		if (!hasher_update(h, chunk, (size_t)n))
			return SIGNET_ERR_MEMORY;
	}
}

static signet_err
hasher_finish(struct hasher *h, struct hashes *out)
{
	unsigned i;

	for (i = 0; i < HASH_COUNT; i++) {
		if (h->ctx[i] != NULL && EVP_DigestFinal_ex(h->ctx[i], out->of[i], NULL) != 1)
			return SIGNET_ERR_MEMORY;
	}
	return SIGNET_OK;
}

signet_err
hash_file(struct hashes *h, const char *path, unsigned which)
{
	struct hasher hasher = {0};
	signet_err err = SIGNET_ERR_MEMORY;
	int fd, saved;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return SIGNET_ERR_IO;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (hasher_init(&hasher, which))
		err = hasher_read(&hasher, fd);
	if (err == SIGNET_OK)
		err = hasher_finish(&hasher, h);
	saved = errno;
	hasher_done(&hasher);
	(void)close(fd);
	errno = saved;
	return err;
}
