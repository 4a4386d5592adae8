/*
 * Signature files.
 *
 * Invariant: the name appears only when all bytes are on the disk, by one
 * rename that (unless asked) refuses to replace; so a reader sees no half of a
 * signature, and a file that came up meanwhile is not lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"

char *
out_path(const char *file, const char *folder, const char *suffix)
{
	const char *slash = strrchr(file, '/');
	char *path = NULL;
	int n;

	if (folder == NULL)
		n = asprintf(&path, "%s%s", file, suffix);
	else
		n = asprintf(&path, "%s/%s%s", folder, slash == NULL ? file : slash + 1, suffix);
	if (n < 0)
		abort();
	return path;
}

char *
out_beside(const char *file)
{
	char *path = out_path(file, NULL, ".p7s");

	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return out_path(file, NULL, ".sig");
}

static int
fill(int fd, const char *bytes, size_t n)
{
	mode_t mask = umask(0);
	ssize_t done;

	(void)umask(mask);
	/* mkostemp made it private; a signature is as public as any new file */
	if (fchmod(fd, 0666 & ~mask) != 0)
		return errno;
	for (; n > 0; bytes += done, n -= (size_t)done) {
		done = write(fd, bytes, n);
		if (done < 0)
			return errno;
	}
	return fsync(fd) == 0 ? 0 : errno;
}

static int
settle(const char *from, const char *to, bool replace)
{
	if (replace)
		return rename(from, to) == 0 ? 0 : errno;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	/* a file system that cannot do that: a link does not replace either */
	if (link(from, to) != 0)
		return errno;
	return unlink(from) == 0 ? 0 : errno;
}

/* In the same folder, so that a rename is enough; a short name, since the other may be as long as names can be. */
static char *
draft_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *draft = NULL;

	if (asprintf(&draft, "%.*s.signet.XXXXXX", slash == NULL ? 0 : (int)(slash + 1 - path), path) < 0)
		abort();
	return draft;
}

int
out_write(const char *path, const void *bytes, size_t n, bool replace)
{
	char *draft = draft_beside(path);
	int fd, failed;

	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0) {
		failed = errno;
		free(draft);
		return failed;
	}
	failed = fill(fd, bytes, n);
	if (close(fd) != 0 && failed == 0)
		failed = errno;
	if (failed == 0)
		failed = settle(draft, path, replace);
	if (failed != 0)
		(void)unlink(draft);
	free(draft);
	return failed;
}
