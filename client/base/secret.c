/*
 * A PIN in a page of its own.
 *
 * Invariant: the bytes exist in that page only. The page is locked where the
 * limit allows, never in a core file, reads as an empty secret in a forked
 * child, and is wiped before it is given back. Lock and advice are best
 * effort: a kernel or limit without them must not keep a token locked.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/secret.h"

struct secret {
	size_t len;
	uint8_t bytes[SECRET_MAX];
};

void
wipe(void *bytes, size_t n)
{
	if (n > 0)
		explicit_bzero(bytes, n);
}

static struct secret *
secret_page(void)
{
	/* mmap, not malloc: advice works on whole pages, and no neighbour may share one */
	void *page =
	    mmap(NULL, sizeof(struct secret), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	(void)mlock(page, sizeof(struct secret));
	(void)madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_DONTDUMP);
	(void)madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK);
	return page;
}

static signet_err
secret_copy(struct secret **out, const void *bytes, size_t len)
{
	struct secret *s;

	if (len == 0)
		return SIGNET_ERR_ARGUMENT;
	if (len > SECRET_MAX)
		return SIGNET_ERR_LIMIT;
	s = secret_page();
	if (s == NULL)
		return SIGNET_ERR_MEMORY;
	memcpy(s->bytes, bytes, len);
	s->len = len;
	*out = s;
	return SIGNET_OK;
}

signet_err
secret_take(struct secret **out, void *bytes, size_t len)
{
	signet_err err = secret_copy(out, bytes, len);

	wipe(bytes, len);
	return err;
}

/* One byte; 0 at the end of the file, -1 on an error. Waits, also where the descriptor does not block. */
static ssize_t
read_byte(int fd, uint8_t *byte)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t got;

	for (;;) {
		got = read(fd, byte, 1);
		if (got >= 0)
			return got;
		if (errno == EAGAIN && poll(&ready, 1, -1) < 0 && errno != EINTR)
			return -1;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
}

signet_err
secret_read_fd(struct secret **out, int fd)
{
	uint8_t bytes[SECRET_MAX + 1], byte = 0;
	signet_err err = SIGNET_OK;
	size_t len = 0;
	ssize_t got = 0;

	/* one more than fits is read, so that secret_take refuses what is too long */
	while (len < sizeof(bytes)) {
		got = read_byte(fd, &byte);
		if (got <= 0 || byte == '\n')
			break;
		bytes[len++] = byte;
	}
	if (got < 0)
		err = SIGNET_ERR_IO;
	else
		err = secret_take(out, bytes, len);
	wipe(bytes, sizeof(bytes));
	wipe(&byte, sizeof(byte));
	return err;
}

signet_err
secret_dup(struct secret **out, const struct secret *s)
{
	return secret_copy(out, s->bytes, s->len);
}

const uint8_t *
secret_bytes(const struct secret *s)
{
	return s->bytes;
}

size_t
secret_len(const struct secret *s)
{
	return s->len;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	wipe(s, sizeof(*s));
	munmap(s, sizeof(*s));
}

void
secret_freep(struct secret **s)
{
	secret_free(*s);
	*s = NULL;
}
