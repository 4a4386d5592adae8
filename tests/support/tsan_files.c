/*
 * Files as ThreadSanitizer sees them. It keeps the last open and close of each
 * number as accesses to one object, but gcc 12's run-time knows neither
 * openat(2) nor the close that libuv makes by syscall(2): a number that one
 * thread gives back and another gets then looks like a race. Here both go
 * through what it does know, so no suppression has to hide a real one.
 *
 * Linked into builds with ThreadSanitizer only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __x86_64__
#error "give this processor's way into the kernel"
#endif
#define PUBLIC __attribute__((visibility("default")))

PUBLIC int openat(int dir, const char *path, int flags, ...);
PUBLIC long syscall(long number, ...);

/* Straight into the kernel (x86-64 psABI, A.2.1): a negative error number, or the result. */
static long
enter(long number, const long a[static 6])
{
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long
result_of(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

long
syscall(long number, ...)
{
	long a[6];
	va_list more;

	va_start(more, number);
	for (unsigned i = 0; i < 6; i++) /* as libc does: what was not passed is not looked at */
		a[i] = va_arg(more, long);
	va_end(more);
	return number == SYS_close ? close((int)a[0]) : result_of(enter(number, a));
}

/* The file gets its number from an open(2) that is seen; a duplicate shares position and lock. */
int
openat(int dir, const char *path, int flags, ...)
{
	int number, file, got;
	mode_t mode;
	va_list more;

	va_start(more, flags);
	mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
	va_end(more);
	number = open("/dev/null", O_RDONLY | O_CLOEXEC);
	file = (int)enter(SYS_openat, (long[6]){ dir, (long)path, flags, mode });
	if (number < 0) /* where that may not be opened, ThreadSanitizer stays blind */
		return (int)result_of(file);
	if (file < 0) {
		close(number);
		return (int)result_of(file);
	}
	got = (int)enter(SYS_dup3, (long[6]){ file, number, flags & O_CLOEXEC });
	enter(SYS_close, (long[6]){ file });
	return (int)result_of(got);
}
