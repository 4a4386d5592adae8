/*
 * The log key's files. A key is made once; from then on a missing file is the
 * caller's to judge, for a second key would pass for the first one's log.
 *
 * Invariant: a key that has signed anything is on the disk, whole.
 */
#include "ledger/logkey.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/files.h"

static const char vkey_name[] = "log.vkey";

static signet_err
fail(char *why, size_t size, const char *path, const char *what)
{
	snprintf(why, size, "the log key %s %s", path, what);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

static signet_err
fail_errno(char *why, size_t size, const char *path, const char *what, int error)
{
	snprintf(why, size, "the log key %s cannot be %s: %s", path, what, strerror(error));
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

static signet_err
read_seed(int fd, const char *path, uint8_t seed[NOTE_SEED], char *why, size_t size)
{
	uint8_t text[NOTE_SEED + 1];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return fail_errno(why, size, path, "read", errno);
	if (!S_ISREG(st.st_mode))
		return fail(why, size, path, "is not a file");
	/* the group may read: systemd gives credentials to a service by an ACL, which shows as these bits */
	if ((st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return fail(
		    why, size, path, "is open to other users: give it mode 0600, and find out who read it");
	do
		n = read(fd, text, sizeof(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_errno(why, size, path, "read", errno);
	memcpy(seed, text, NOTE_SEED);
	explicit_bzero(text, sizeof(text));
	if (n == NOTE_SEED)
		return SIGNET_OK;
	explicit_bzero(seed, NOTE_SEED);
	return fail(why, size, path, "has not 32 bytes: restore it from a backup");
}

signet_err
logkey_read(const char *path, uint8_t seed[NOTE_SEED], bool *found, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	signet_err err;

	*found = fd >= 0;
	if (fd < 0 && errno == ENOENT)
		return SIGNET_OK;
	if (fd < 0)
		return fail_errno(why, size, path, "read", errno);
	err = read_seed(fd, path, seed, why, size);
	close(fd);
	return err;
}

static int
random_seed(uint8_t seed[NOTE_SEED])
{
	ssize_t n;

	do
		n = getrandom(seed, NOTE_SEED, 0);
	while (n < 0 && errno == EINTR);
	return n == NOTE_SEED ? 0 : errno; /* so few bytes come at once or not at all [getrandom(2)] */
}

static int
write_seed(const char *path, const uint8_t seed[NOTE_SEED])
{
	const char *name;
	char temporary[NAME_MAX + 1];
	int err, dir = file_open_folder(path, &name);

	if (dir < 0)
		return errno;
	if (snprintf(temporary, sizeof(temporary), "%s.new", name) >= (int)sizeof(temporary))
		err = ENAMETOOLONG;
	else
		err = file_replace(dir, temporary, name, 0600, seed, NOTE_SEED);
	if (err == 0 && fsync(dir) != 0)
		err = errno;
	close(dir);
	return err;
}

signet_err
logkey_make(const char *path, uint8_t seed[NOTE_SEED], char *why, size_t size)
{
	int err = random_seed(seed);

	if (err == 0)
		err = write_seed(path, seed);
	if (err == 0)
		return SIGNET_OK;
	explicit_bzero(seed, NOTE_SEED);
	return fail_errno(why, size, path, "made", err);
}

signet_err
logkey_make_next(const char *path, uint8_t seed[NOTE_SEED], char *why, size_t size)
{
	char next[PATH_MAX];

	if (snprintf(next, sizeof(next), "%s.next", path) >= (int)sizeof(next))
		return fail_errno(why, size, path, "made", ENAMETOOLONG);
	return logkey_make(next, seed, why, size);
}

signet_err
logkey_take(const char *path, char *why, size_t size)
{
	char next[PATH_MAX];
	const char *name;
	int err = 0, dir = file_open_folder(path, &name);

	if (dir < 0)
		return fail_errno(why, size, path, "replaced", errno);
	if (snprintf(next, sizeof(next), "%s.next", path) >= (int)sizeof(next))
		err = ENAMETOOLONG;
	else if (rename(next, path) != 0 || fsync(dir) != 0)
		err = errno;
	close(dir);
	return err == 0 ? SIGNET_OK : fail_errno(why, size, path, "replaced", err);
}

signet_err
logkey_show(int dir_fd, const char *dir, const char *vkey, char *why, size_t size)
{
	owned(buf_done) struct buf old;
	char text[LOGKEY_TEXT + 1];
	int err, len = snprintf(text, sizeof(text), "%s\n", vkey);

	buf_init(&old, 8192);
	if (file_read(dir_fd, vkey_name, &old, sizeof(text)) == 0 && old.len == (size_t)len &&
	    memcmp(old.data, text, old.len) == 0)
		return SIGNET_OK;
	err = file_replace(dir_fd, "log.vkey.new", vkey_name, 0644, text, (size_t)len);
	if (err == 0 && fsync(dir_fd) != 0)
		err = errno;
	if (err == 0)
		return SIGNET_OK;
	snprintf(why, size, "%s/%s cannot be written: %s", dir, vkey_name, strerror(err));
	return SIGNET_ERR_LOG_UNAVAILABLE;
}
