/*
 * One small file in $CREDENTIALS_DIRECTORY, which systemd keeps in memory that
 * is not swapped. Read when it is needed, kept nowhere.
 */
#include "credential.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
credential_path(const char *name, char *path, size_t size, char *why, size_t why_size)
{
	const char *dir = secure_getenv("CREDENTIALS_DIRECTORY");

	if (dir != NULL && (size_t)snprintf(path, size, "%s/%s", dir, name) < size)
		return true;
	snprintf(why, why_size, "credential %s: the service was started without credentials (LoadCredentialEncrypted=)",
	    name);
	return false;
}

signet_err
credential_read(struct secret **out, const char *name, char *why, size_t why_size)
{
	char path[512];
	struct stat st;
	signet_err err = SIGNET_ERR_IO;
	int fd;

	if (!credential_path(name, path, sizeof(path), why, why_size))
		return SIGNET_ERR_IO;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		snprintf(why, why_size, "credential %s: %s", name, strerror(errno));
		return SIGNET_ERR_IO;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & 07) != 0) {
		snprintf(why, why_size, "credential %s: must be a file that others cannot read", name);
	} else {
		err = secret_read_fd(out, fd);
		if (err != SIGNET_OK)
			snprintf(why, why_size, "credential %s: must hold a PIN of 1 to %d bytes", name, SECRET_MAX);
	}
	close(fd);
	return err;
}

bool
credential_is(const char *name, const struct secret *pin)
{
	struct secret *stored = NULL;
	char why[200];
	bool same;

	if (credential_read(&stored, name, why, sizeof(why)) != SIGNET_OK)
		return false;
	same = secret_len(stored) == secret_len(pin) &&
	       CRYPTO_memcmp(secret_bytes(stored), secret_bytes(pin), secret_len(pin)) == 0;
	secret_free(stored);
	return same;
}
