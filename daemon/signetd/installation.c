/*
 * Made under another name, synced, then linked: a crash leaves a whole key or
 * none. It stays outside log.db, so that a copy of the log tells nobody which
 * document a tag stands for.
 */
#include "installation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static signet_err
complain(char *why, size_t why_size, const char *path, const char *what)
{
	snprintf(why, why_size, "%s: %s", path, what);
	return SIGNET_ERR_IO;
}

static signet_err
make(const char *state, const char *path, char *why, size_t why_size)
{
	uint8_t key[32];
	char draft[600];
	int fd, dir;
	bool ok;

	snprintf(draft, sizeof(draft), "%s.new", path);
	unlink(draft);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return complain(why, why_size, draft, strerror(errno));
	ok = getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) && write(fd, key, sizeof(key)) == (ssize_t)sizeof(key) &&
	     fsync(fd) == 0;
	explicit_bzero(key, sizeof(key));
	close(fd);
	if (!ok || rename(draft, path) < 0)
		return complain(why, why_size, path, strerror(errno));
	dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = dir >= 0 && fsync(dir) == 0;
	if (dir >= 0)
		close(dir);
	return ok ? SIGNET_OK : complain(why, why_size, state, strerror(errno));
}

signet_err
installation_key(const char *state, uint8_t out[32], char *why, size_t why_size)
{
	char path[512];
	ssize_t n;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/installation.key", state) >= sizeof(path))
		return complain(why, why_size, state, "the path is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		signet_err err = make(state, path, why, why_size);

		if (err != SIGNET_OK)
			return err;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0)
		return complain(why, why_size, path, strerror(errno));
	n = read(fd, out, 32);
	close(fd);
	return n == 32 ? SIGNET_OK : complain(why, why_size, path, "must hold 32 bytes; restore it from the backup");
}
