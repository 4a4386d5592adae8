/*
 * The files of a published log [C2SP tlog-tiles]: reading them, nothing more
 * is believed of them here than their form.
 *
 * Invariant: a copy may come from anywhere. Every file is checked for its kind
 * and length before it is read, and names are made here, never taken.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static signet_err fail(struct folder *f, signet_err err, const char *fmt, ...) printf_like(3, 4);

static signet_err
fail(struct folder *f, signet_err err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(f->why, sizeof(f->why), fmt, args);
	va_end(args);
	return err;
}

static signet_err
fail_errno(struct folder *f, int error)
{
	char text[96];

	if (error == ENOENT)
		return fail(f, SIGNET_ERR_VERIFY, "this file is missing");
	return fail(f, SIGNET_ERR_IO, "cannot be read: %s", strerror_r(error, text, sizeof(text)));
}

static signet_err
read_all(struct folder *f, int fd, size_t size, struct buf *out)
{
	uint8_t *room = buf_room(out, size > 0 ? size : 1);
	size_t done = 0;
	ssize_t n;

	if (room == NULL)
		return fail(f, SIGNET_ERR_MEMORY, "out of memory");
	while (done < size) {
		n = read(fd, room + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(f, errno);
		if (n == 0)
			break; /* it shrank meanwhile: its length will be wrong */
		done += (size_t)n;
	}
	out->len += done;
	return SIGNET_OK;
}

signet_err
folder_read(struct folder *f, const char *place, struct buf *out, size_t max)
{
	struct stat st;
	signet_err err;
	int fd;

	(void)snprintf(f->place, sizeof(f->place), "%s", place);
	/* not to wait for the other end if it is a pipe */
	fd = openat(f->fd, place, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail_errno(f, errno);
	buf_reset(out);
	if (fstat(fd, &st) != 0)
		err = fail_errno(f, errno);
	else if (!S_ISREG(st.st_mode))
		err = fail(f, SIGNET_ERR_VERIFY, "this is not a file");
	else if ((uint64_t)st.st_size > max)
		err = fail(f, SIGNET_ERR_VERIFY, "this file is too long");
	else
		err = read_all(f, fd, (size_t)st.st_size, out);
	(void)close(fd);
	return err;
}

signet_err
folder_refuse_key(struct folder *f)
{
	(void)snprintf(f->place, sizeof(f->place), "checkpoint");
	return fail(f, SIGNET_ERR_VERIFY, "it is not signed with the log's key, or was changed");
}

bool
folder_is_by(const struct folder *f, const struct note_key *k)
{
	struct checkpoint c;

	return checkpoint_open(&c, f->note, f->note_len, k) == SIGNET_OK;
}

static signet_err
read_head(struct folder *f, const struct note_key *k)
{
	struct buf note;
	signet_err err;

	buf_init(&note, NOTE_MAX);
	err = folder_read(f, "checkpoint", &note, NOTE_MAX);
	if (err == SIGNET_ERR_VERIFY)
		err = fail(f, SIGNET_ERR_IO, "there is no checkpoint here: is it a copy of a log?");
	if (err == SIGNET_OK) {
		err = log_checkpoint(&f->head, (const char *)note.data, note.len, k);
		if (err == SIGNET_ERR_VERIFY && !note_claims((const char *)note.data, note.len, k) &&
		    log_checkpoint(&f->head, (const char *)note.data, note.len, NULL) == SIGNET_OK &&
		    strcmp(f->head.origin, k->name) == 0) {
			f->other_key = true;
			f->authentic = false;
			err = SIGNET_OK;
		}
		if (err == SIGNET_ERR_PROTOCOL)
			(void)fail(f, err, "this is not a signed checkpoint");
		else if (err != SIGNET_OK)
			err = folder_refuse_key(f);
	}
	if (err == SIGNET_OK) {
		f->note = malloc(note.len + 1);
		if (f->note == NULL) {
			err = fail(f, SIGNET_ERR_MEMORY, "out of memory");
		} else {
			memcpy(f->note, note.data, note.len);
			f->note[note.len] = '\0';
			f->note_len = note.len;
		}
	}
	buf_done(&note);
	return err;
}

signet_err
folder_open(struct folder *f, const char *path, const struct note_key *k)
{
	memset(f, 0, sizeof(*f));
	f->authentic = k != NULL;
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0) {
		char text[96];

		return fail(f, SIGNET_ERR_IO, "the folder cannot be opened: %s",
		    strerror_r(errno, text, sizeof(text)));
	}
	return read_head(f, k);
}

void
folder_close(struct folder *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->note);
}

unsigned
folder_width(const struct folder *f, int level, uint64_t number)
{
	uint64_t count = f->head.size >> (level > 0 ? 8 * (unsigned)level : 0);

	return number < count / TLOG_TILE ? TLOG_TILE : (unsigned)(count % TLOG_TILE);
}

/*
 * The file of a tile, or the full one where the log has grown since the checkpoint. *width: what the file should
 * have.
 */
static signet_err
read_tile(struct folder *f, int level, uint64_t number, struct buf *out, size_t max, unsigned *width)
{
	char place[TLOG_TILE_PATH], full[TLOG_TILE_PATH];
	signet_err err;

	*width = folder_width(f, level, number);
	tlog_tile_path(place, sizeof(place), level, number, *width);
	err = folder_read(f, place, out, max);
	if (err != SIGNET_ERR_VERIFY || *width == TLOG_TILE || faccessat(f->fd, place, F_OK, 0) == 0)
		return err;
	tlog_tile_path(full, sizeof(full), level, number, TLOG_TILE);
	if (faccessat(f->fd, full, F_OK, 0) != 0)
		return err;
	*width = TLOG_TILE;
	return folder_read(f, full, out, max);
}

signet_err
folder_tile(struct folder *f, unsigned level, uint64_t number)
{
	struct tile *t = &f->tile[level];
	unsigned width;
	struct buf bytes;
	signet_err err;

	if (t->loaded && t->number == number)
		return SIGNET_OK;
	t->loaded = false;
	buf_init(&bytes, sizeof(t->hash) + 1);
	err = read_tile(f, (int)level, number, &bytes, sizeof(t->hash), &width);
	if (err == SIGNET_OK && bytes.len != width * (size_t)TLOG_HASH)
		err = fail(f, SIGNET_ERR_VERIFY, "this file has %zu bytes where %u belong", bytes.len,
		    width * (unsigned)TLOG_HASH);
	if (err == SIGNET_OK) {
		memcpy(t->hash, bytes.data, bytes.len);
		t->number = number;
		t->width = width;
		t->loaded = true;
	}
	buf_done(&bytes);
	return err;
}

signet_err
folder_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	struct folder *f = arg;
	unsigned row = level / 8, count = 1U << level % 8;
	uint64_t first = number << level % 8;
	uint8_t part[TLOG_TILE / 2][TLOG_HASH];
	signet_err err;

	err = folder_tile(f, row, first / TLOG_TILE);
	if (err != SIGNET_OK)
		return err;
	memcpy(part, f->tile[row].hash[first % TLOG_TILE], count * (size_t)TLOG_HASH);
	for (; count > 1; count /= 2) {
		for (unsigned i = 0; i < count / 2; i++)
			tlog_node(part[i], part[2 * i], part[2 * i + 1]);
	}
	memcpy(out, part[0], TLOG_HASH);
	return SIGNET_OK;
}

void
bundle_init(struct bundle *b)
{
	buf_init(&b->bytes, BUNDLE_MAX + 1);
	b->count = b->width = 0;
}

void
bundle_done(struct bundle *b)
{
	buf_done(&b->bytes);
}

bool
bundle_cut(struct bundle *b, unsigned width)
{
	const uint8_t *bytes = b->bytes.data;
	size_t at = 0, size;

	for (b->count = 0; b->count < width; b->count++) {
		b->at[b->count] = (uint32_t)at;
		if (b->bytes.len - at < 2)
			return false;
		size = (size_t)bytes[at] << 8 | bytes[at + 1];
		if (b->bytes.len - at - 2 < size)
			return false;
		at += 2 + size;
	}
	b->at[width] = (uint32_t)at;
	return at == b->bytes.len;
}

signet_err
bundle_load(struct folder *f, uint64_t number, struct bundle *b)
{
	unsigned width;
	signet_err err;

	b->count = b->width = 0;
	err = read_tile(f, -1, number, &b->bytes, BUNDLE_MAX, &width);
	if (err != SIGNET_OK)
		return err;
	b->width = width;
	if (bundle_cut(b, width))
		return SIGNET_OK;
	if (b->count < width)
		return fail(f, SIGNET_ERR_VERIFY, "this file ends within its entry %u", b->count);
	return fail(f, SIGNET_ERR_VERIFY, "this file goes on behind its last entry");
}
