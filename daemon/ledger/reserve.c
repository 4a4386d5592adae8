/*
 * The reserve is a file whose blocks are really allocated. Truncating it gives
 * them back to the file system, where the write-ahead log finds them.
 *
 * Invariant: `whole` is true only while all blocks are allocated. A part is
 * never held back from the records: what cannot be filled is given up.
 */
#include "ledger/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WRITE_BLOCK = 64 * 1024 };

signet_err
reserve_open(struct reserve *r, int dir_fd, const char *name, uint64_t size)
{
	*r = (struct reserve){.size = size};
	r->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0) {
		r->error = errno;
		return SIGNET_ERR_IO;
	}
	return SIGNET_OK;
}

void
reserve_close(struct reserve *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->whole = false;
}

/* For file systems without fallocate. Random bytes: zeroes would vanish where files are compressed. */
static int
write_blocks(int fd, uint64_t from, uint64_t to)
{
	uint8_t block[WRITE_BLOCK];
	ssize_t n;

	for (size_t have = 0; have < sizeof(block); have += (size_t)n)
		if ((n = getrandom(block + have, sizeof(block) - have, 0)) < 0)
			return errno;
	while (from < to) {
		size_t want = to - from < sizeof(block) ? (size_t)(to - from) : sizeof(block);

		n = pwrite(fd, block, want, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		from += (uint64_t)n;
	}
	return fsync(fd) == 0 ? 0 : errno;
}

/* Asked first: trying would leave everybody else without room for a moment. Some file systems cannot tell. */
static bool
cannot_hold(int fd, uint64_t bytes)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 && fs.f_blocks > 0 && fs.f_bavail * fs.f_frsize < bytes;
}

/* Returns 0 or errno. */
static int
allocate(int fd, uint64_t from, uint64_t to)
{
	int err;

	if (cannot_hold(fd, to - from))
		return ENOSPC;
	do
		err = fallocate(fd, 0, (off_t)from, (off_t)(to - from)) == 0 ? 0 : errno;
	while (err == EINTR);
	if (err == EOPNOTSUPP || err == ENOSYS)
		err = write_blocks(fd, from, to);
	return err;
}

/* An earlier run left it so; saves writing it again where fallocate is missing. */
static bool
is_allocated(const struct reserve *r)
{
	struct stat st;

	return fstat(r->fd, &st) == 0 && (uint64_t)st.st_size == r->size &&
	       (uint64_t)st.st_blocks * 512 >= r->size;
}

static bool
truncate_to(struct reserve *r, uint64_t size)
{
	int err;

	do
		err = ftruncate(r->fd, (off_t)size) == 0 ? 0 : errno;
	while (err == EINTR);
	if (err != 0)
		r->error = err;
	return err == 0;
}

void
reserve_fill(struct reserve *r)
{
	int err;

	if (is_allocated(r)) {
		r->whole = true;
		return;
	}
	err = allocate(r->fd, 0, r->size);
	if (err == 0 && truncate_to(r, r->size)) {
		r->whole = true;
		return;
	}
	reserve_give_up(r);
	if (err != 0)
		r->error = err;
}

void
reserve_give_up(struct reserve *r)
{
	r->whole = false;
	(void)truncate_to(r, 0); /* failing leaves less room; the write that follows finds out */
}

bool
reserve_has_room(struct reserve *r, uint64_t extra)
{
	int err = allocate(r->fd, r->size, r->size + extra);

	if (err != 0)
		r->error = err;
	return truncate_to(r, r->size) && err == 0;
}
