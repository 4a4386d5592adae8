/*
 * Small files that others read: keys, checkpoints, tiles.
 *
 * Invariant: a name shows the old content or the new one, never a part, whenever
 * the machine stops.
 */
#include "ledger/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_new(int fd, mode_t mode, const void *bytes, size_t len)
{
	int err = write_all(fd, bytes, len);

	if (err == 0 && fchmod(fd, mode) != 0) /* whatever the umask says */
		err = errno;
	if (err == 0 && fsync(fd) != 0)
		err = errno;
	return err;
}

int
file_replace(int dir, const char *temporary, const char *name, mode_t mode, const void *bytes, size_t len)
{
	int fd, err;

	/* one that a killed process left: it may have been made with another mode */
	if (unlinkat(dir, temporary, 0) != 0 && errno != ENOENT)
		return errno;
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	err = write_new(fd, mode, bytes, len);
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0 && renameat(dir, temporary, dir, name) != 0)
		err = errno;
	if (err != 0)
		(void)unlinkat(dir, temporary, 0); /* the failure before it is the one to tell */
	return err;
}

static int
read_all(int fd, struct buf *out, size_t max)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	for (;;) {
		uint8_t *to = buf_room(out, 4096);
		ssize_t n;

		if (to == NULL)
			return out->len + 4096 > out->max ? EFBIG : ENOMEM;
		n = read(fd, to, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len > max)
			return EFBIG;
	}
}

int
file_read(int dir, const char *name, struct buf *out, size_t max)
{
	/* not blocking: it may be a pipe that nobody writes to */
	int err, fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno;
	err = read_all(fd, out, max);
	close(fd);
	return err;
}

int
file_open_folder(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];

	*name = slash == NULL ? path : slash + 1;
	if (slash == NULL)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slash == path)
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >= (int)sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
