/*
 * openat(2) as ThreadSanitizer sees it. gcc 12's run-time knows open(2) and
 * close(2) but not openat(2): when a thread opens a number that another thread
 * has closed before, it takes the next close for a race. Here the number comes
 * from an open(2) that it sees and is then pointed at the file that was asked for.
 *
 * Linked into builds with ThreadSanitizer only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int openat(int dir, const char *path, int flags, ...);

/* `file` under the number `seen`. A duplicate shares the position and the lock, so nothing else changes. */
static int
renumber(int file, int seen, int flags)
{
	int got = (int)syscall(SYS_dup3, file, seen, flags & O_CLOEXEC), why = errno;

	syscall(SYS_close, file);
	if (got < 0)
		close(seen);
	errno = why;
	return got;
}

int
openat(int dir, const char *path, int flags, ...)
{
	int seen, file, why;
	mode_t mode;
	va_list more;

	va_start(more, flags);
	mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
	va_end(more);
	seen = open("/dev/null", O_RDONLY | O_CLOEXEC);
	file = (int)syscall(SYS_openat, dir, path, flags, mode);
	why = errno;
	if (file >= 0 && seen >= 0)
		return renumber(file, seen, flags);
	if (seen >= 0)
		close(seen);
	errno = why;
	return file; /* where /dev/null may not be opened, ThreadSanitizer stays blind */
}
