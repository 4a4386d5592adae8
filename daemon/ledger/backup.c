/*
 * Backups. One read transaction is held from the first page to the last, so
 * that the copy is the log of one moment and writing goes on beside it; SQLite
 * would begin again after each commit otherwise [sqlite.org/backup.html]. The
 * published log is written anew from the same moment.
 *
 * Invariant: a folder with the asked name is a whole backup, on the disk. Until
 * then it is named .partial, and removed if it comes to nothing.
 */
#include "ledger/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "ledger/files.h"

enum { PAGES = 64, NAME_ROOM = 4096, SMALL_FILE_MAX = 4 << 20 };

enum stage { STAGE_BEGIN, STAGE_DATABASE, STAGE_TILES, STAGE_END, STAGE_DONE };

struct backup {
	enum stage stage;
	bool made; /* the partial folder is ours */
	char log[NAME_ROOM], path[NAME_ROOM], partial[NAME_ROOM + 16];
	const struct tiles *published;
	const struct ledger_file *files;
	size_t file_count;
	struct db source;
	sqlite3 *copy;
	sqlite3_backup *run;
	struct head head;
	struct tiles tiles;
	char *why;
	size_t why_size;
};

struct backup *
backup_new(const struct backup_source *from, const char *path)
{
	struct backup *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	snprintf(b->log, sizeof(b->log), "%s", from->log);
	snprintf(b->path, sizeof(b->path), "%s", path);
	snprintf(b->partial, sizeof(b->partial), "%s.partial", b->path);
	b->published = from->tiles;
	b->files = from->files;
	b->file_count = from->file_count;
	b->tiles.root = -1;
	return b;
}

/* Both connections; what the copy has not got is lost with it. */
static void
close_databases(struct backup *b)
{
	if (b->run != NULL)
		(void)sqlite3_backup_finish(b->run); /* its result was seen in the last step */
	b->run = NULL;
	(void)sqlite3_close(b->copy);
	b->copy = NULL;
	if (b->source.handle != NULL)
		db_close(&b->source);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path); /* what stays is named .partial, and the next backup tells of it */
	return 0;
}

void
backup_free(struct backup *b)
{
	if (b == NULL)
		return;
	close_databases(b);
	tiles_done(&b->tiles);
	if (b->made)
		(void)nftw(b->partial, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
}

static signet_err
fail(struct backup *b, const char *name, const char *what)
{
	snprintf(b->why, b->why_size, "%.100s%s %s", b->path, name, what);
	return SIGNET_ERR_IO;
}

static signet_err
fail_errno(struct backup *b, const char *name, int error)
{
	snprintf(b->why, b->why_size, "%.100s%s cannot be written: %s", b->path, name,
	    error == ENOSPC ? "the disk is full" : strerror(error));
	return SIGNET_ERR_IO;
}

static signet_err
make_folder(struct backup *b)
{
	if (b->path[0] != '/' || strlen(b->path) + 32 > NAME_ROOM)
		return fail(b, "", "is no path of a folder: it begins with / and is shorter than 4 KiB");
	if (access(b->path, F_OK) == 0)
		return fail(b, "", "exists: name a new folder");
	if (mkdir(b->partial, 0700) != 0)
		return errno == EEXIST
			   ? fail(b, ".partial", "is left from a backup that was broken off: remove it")
			   : fail_errno(b, ".partial", errno);
	b->made = true;
	return SIGNET_OK;
}

/* The first read holds the moment. */
static signet_err
hold_moment(struct backup *b)
{
	sqlite3_stmt *row = NULL;
	bool found = false;
	signet_err err = db_open_reader(&b->source, b->log, b->why, b->why_size);

	if (err != SIGNET_OK)
		return SIGNET_ERR_IO;
	err = db_exec(&b->source, "BEGIN");
	if (err == SIGNET_OK)
		err = db_prepare(&b->source,
		    "SELECT idx, checkpoint FROM entry WHERE checkpoint IS NOT NULL ORDER BY idx DESC LIMIT "
		    "1",
		    &row);
	if (err == SIGNET_OK)
		err = db_step(&b->source, row, &found);
	if (found && (size_t)sqlite3_column_bytes(row, 1) <= sizeof(b->head.note)) {
		b->head.note_len = (size_t)sqlite3_column_bytes(row, 1);
		memcpy(b->head.note, sqlite3_column_blob(row, 1), b->head.note_len);
		b->head.says.size = (uint64_t)sqlite3_column_int64(row, 0) + 1;
	}
	sqlite3_finalize(row);
	if (err == SIGNET_OK)
		return SIGNET_OK;
	db_explain(&b->source, 0, b->why, b->why_size);
	return SIGNET_ERR_IO;
}

static signet_err
open_copy(struct backup *b)
{
	char name[sizeof(b->partial) + 16];
	int rc, fd;

	snprintf(name, sizeof(name), "%s/log.db", b->partial);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* SQLite would let others read */
	if (fd < 0)
		return fail_errno(b, "/log.db", errno);
	close(fd);
	rc = sqlite3_open_v2(
	    name, &b->copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
	if (rc == SQLITE_OK) {
		b->run = sqlite3_backup_init(b->copy, "main", b->source.handle, "main");
		rc = b->run == NULL ? sqlite3_errcode(b->copy) : SQLITE_OK;
	}
	return rc == SQLITE_OK ? SIGNET_OK : fail(b, "/log.db", sqlite3_errstr(rc));
}

static signet_err
step_begin(struct backup *b)
{
	signet_err err = make_folder(b);

	if (err == SIGNET_OK)
		err = hold_moment(b);
	if (err == SIGNET_OK)
		err = open_copy(b);
	b->stage = STAGE_DATABASE;
	return err;
}

static signet_err
begin_tiles(struct backup *b)
{
	char name[sizeof(b->partial) + 16];
	signet_err err;

	b->stage = STAGE_TILES;
	if (b->published->path == NULL)
		return SIGNET_OK;
	snprintf(name, sizeof(name), "%s/tiles", b->partial);
	err = tiles_init(&b->tiles, name, b->published->origin);
	if (err == SIGNET_OK)
		err = tiles_begin(&b->tiles, &b->source, &b->head);
	if (err != SIGNET_OK)
		snprintf(b->why, b->why_size, "%.180s", b->tiles.why);
	return err == SIGNET_OK ? SIGNET_OK : SIGNET_ERR_IO;
}

static signet_err
step_database(struct backup *b)
{
	int rc = sqlite3_backup_step(b->run, PAGES);

	if (rc == SQLITE_OK)
		return SIGNET_OK;
	if (rc != SQLITE_DONE)
		return fail(b, "/log.db",
		    (rc & 0xff) == SQLITE_FULL ? "cannot be written: the disk is full" : sqlite3_errstr(rc));
	rc = sqlite3_backup_finish(b->run);
	b->run = NULL;
	if (rc == SQLITE_OK) {
		rc = sqlite3_close(b->copy);
		b->copy = NULL;
	}
	return rc == SQLITE_OK ? begin_tiles(b) : fail(b, "/log.db", sqlite3_errstr(rc));
}

static signet_err
step_tiles(struct backup *b, uint64_t until)
{
	signet_err err = tiles_step(&b->tiles, &b->source, until);

	if (err != SIGNET_OK)
		snprintf(b->why, b->why_size, "%.180s", b->tiles.why);
	if (!b->tiles.busy)
		b->stage = STAGE_END;
	return err;
}

/* The public key, where the log has one. */
static int
copy_vkey(const struct backup *b, int to)
{
	owned(buf_done) struct buf vkey;
	const char *name;
	int err, from;

	buf_init(&vkey, 16384);
	from = file_open_folder(b->log, &name);
	if (from < 0)
		return errno;
	err = file_read(from, "log.vkey", &vkey, 8192);
	close(from);
	if (err == ENOENT)
		return 0;
	return err != 0 ? err : file_replace(to, "log.vkey.new", "log.vkey", 0644, vkey.data, vkey.len);
}

static int
write_into(int to, const char *name, const struct buf *content)
{
	const char *slash = strchr(name, '/');
	char folder[256];
	int err, dir;

	if (slash == NULL)
		return file_replace(to, ".new", name, 0600, content->data, content->len);
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
	if (mkdirat(to, folder, 0700) != 0 && errno != EEXIST)
		return errno;
	dir = openat(to, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno;
	err = file_replace(dir, ".new", slash + 1, 0600, content->data, content->len);
	if (err == 0 && fsync(dir) != 0)
		err = errno;
	close(dir);
	return err;
}

static int
copy_files(const struct backup *b, int to)
{
	int err = 0;

	for (size_t i = 0; i < b->file_count && err == 0; i++) {
		const struct ledger_file *f = &b->files[i];
		owned(buf_done) struct buf content;

		buf_init_secret(&content, 2 * SMALL_FILE_MAX); /* it may be a key */
		if (f->path != NULL)
			err = file_read(AT_FDCWD, f->path, &content, SMALL_FILE_MAX);
		else
			buf_str(&content, f->text);
		if (err == ENOENT && f->may_lack)
			err = 0;
		else if (err == 0)
			err = content.failed ? ENOMEM : write_into(to, f->name, &content);
	}
	return err;
}

static int
sync_all(struct backup *b)
{
	const char *name;
	int err, parent, folder = open(b->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return errno;
	err = copy_vkey(b, folder);
	if (err == 0)
		err = copy_files(b, folder);
	if (err == 0 && fsync(folder) != 0)
		err = errno;
	close(folder);
	if (err != 0)
		return err;
	if (renameat2(AT_FDCWD, b->partial, AT_FDCWD, b->path, RENAME_NOREPLACE) != 0)
		return errno;
	b->made = false;
	parent = file_open_folder(b->path, &name);
	if (parent < 0 || fsync(parent) != 0)
		err = errno;
	if (parent >= 0)
		close(parent);
	return err;
}

static signet_err
step_end(struct backup *b)
{
	int err;

	close_databases(b);
	err = sync_all(b);
	b->stage = STAGE_DONE;
	return err == 0 ? SIGNET_OK : fail_errno(b, "", err);
}

static signet_err
step(struct backup *b, uint64_t until)
{
	switch (b->stage) {
	case STAGE_BEGIN:
		return step_begin(b);
	case STAGE_DATABASE:
		return step_database(b);
	case STAGE_TILES:
		return step_tiles(b, until);
	case STAGE_END:
		return step_end(b);
	case STAGE_DONE:
		break;
	}
	return SIGNET_OK;
}

bool
backup_step(struct backup *b, uint64_t until, signet_err *err, char *why, size_t size)
{
	b->why = why;
	b->why_size = size;
	do
		*err = step(b, until);
	while (*err == SIGNET_OK && b->stage != STAGE_DONE && uv_hrtime() < until);
	return *err != SIGNET_OK || b->stage == STAGE_DONE;
}
