/*
 * Publishing the log. For a new head: the entry bundles and tiles that it adds
 * or that have grown, then its checkpoint. So what a published checkpoint
 * covers is always there, and a run that was broken off is repeated from the
 * checkpoint that stands; the same files come out.
 *
 * Invariant: a file shows its old or its new content, and is on the disk before
 * a checkpoint needs it. A partial tile goes only when the full one is there.
 * No opening is ever read here.
 */
#include "ledger/tiles.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/tlog.h"
#include "ledger/files.h"
#include <signet/log.h>

enum {
	DIR_MODE = 0750,
	FILE_MODE = 0640,
	TILE_BITS = 8, /* 256 hashes a tile */
	BUNDLE_MAX = TLOG_TILE * (2 + SIGNET_ENTRY_MAX),
};

static const char temporary[] = ".new";

signet_err
tiles_init(struct tiles *t, const char *path, const char *origin)
{
	memset(t, 0, sizeof(*t));
	t->root = -1;
	t->origin = origin;
	if (path == NULL)
		return SIGNET_OK;
	t->path = strdup(path);
	return t->path == NULL ? SIGNET_ERR_MEMORY : SIGNET_OK;
}

/* After a failure: it may be another folder next time. */
static void
close_root(struct tiles *t)
{
	if (t->root >= 0)
		close(t->root);
	t->root = -1;
}

void
tiles_done(struct tiles *t)
{
	if (t->path == NULL)
		return;
	close_root(t);
	free(t->path);
	t->path = NULL;
}

static signet_err
fail(struct tiles *t, const char *name, int error)
{
	snprintf(t->why, sizeof(t->why), "the published log cannot be written (%.150s%s%s): %s", t->path,
	    name[0] == '\0' ? "" : "/", name, error == ENOSPC ? "the disk is full" : strerror(error));
	return SIGNET_ERR_IO;
}

static signet_err
open_root(struct tiles *t)
{
	if (t->root >= 0)
		return SIGNET_OK;
	if (mkdir(t->path, DIR_MODE) == 0) {
		if (chmod(t->path, DIR_MODE) != 0) /* whatever the umask says */
			return fail(t, "", errno);
	} else if (errno != EEXIST) {
		return fail(t, "", errno);
	}
	t->root = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->root < 0 ? fail(t, "", errno) : SIGNET_OK;
}

static signet_err
fail_db(struct tiles *t, const struct db *db)
{
	db_explain(db, 0, t->why, sizeof(t->why));
	return SIGNET_ERR_IO;
}

static signet_err
refuse_folder(struct tiles *t, const char *what)
{
	snprintf(t->why, sizeof(t->why),
	    "the published log cannot be written: %.150s/checkpoint is not %s: move that folder away",
	    t->path, what);
	return SIGNET_ERR_IO;
}

static signet_err
get_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	return db_node(arg, level, number, out);
}

/* What stands there. Another log's folder is never written to. */
static signet_err
read_size(struct tiles *t, struct db *db)
{
	owned(buf_done) struct buf note;
	uint8_t root[TLOG_HASH];
	struct checkpoint c;
	size_t text_len;
	signet_err err;
	int error;

	buf_init(&note, 2 * NOTE_MAX);
	error = file_read(t->root, "checkpoint", &note, NOTE_MAX);
	t->size = 0;
	if (error == ENOENT)
		return SIGNET_OK;
	if (error != 0)
		return fail(t, "checkpoint", error);
	/* which of the log's keys has signed it does not matter: its root tells whose it is */
	if (note_read((const char *)note.data, note.len, &text_len) != SIGNET_OK ||
	    checkpoint_parse(&c, (const char *)note.data, text_len) != SIGNET_OK || strcmp(c.origin, t->origin) != 0)
		return refuse_folder(t, "one of this log's");
	err = tlog_root(c.size, get_node, db, root);
	if (err == SIGNET_ERR_LOG_UNAVAILABLE)
		return fail_db(t, db);
	if (err != SIGNET_OK || memcmp(root, c.root, sizeof(root)) != 0)
		return refuse_folder(t, "of this log");
	t->size = c.size;
	return SIGNET_OK;
}

signet_err
tiles_begin(struct tiles *t, struct db *db, const struct head *head)
{
	signet_err err;

	if (t->path == NULL || head->note_len == 0)
		return SIGNET_OK;
	err = open_root(t);
	if (err == SIGNET_OK)
		err = read_size(t, db);
	if (err != SIGNET_OK)
		close_root(t);
	if (err != SIGNET_OK || head->says.size <= t->size)
		return err;
	t->target = *head;
	t->busy = true;
	t->level = -1;
	t->number = t->size >> TILE_BITS;
	t->unsynced[0] = '\0';
	return SIGNET_OK;
}

/* Files */

static signet_err
sync_folder(struct tiles *t, const char *name)
{
	int fd = openat(t->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0 || fsync(fd) != 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err == 0 ? SIGNET_OK : fail(t, name, err);
}

static signet_err
sync_renamed(struct tiles *t)
{
	signet_err err = SIGNET_OK;

	if (t->unsynced[0] != '\0')
		err = sync_folder(t, t->unsynced);
	t->unsynced[0] = '\0';
	return err;
}

/* "tile/0/x001" of "tile/0/x001/234" */
static void
folder_of(const char *path, char out[TILES_PATH])
{
	const char *slash = strrchr(path, '/');

	assert(slash != NULL);
	snprintf(out, TILES_PATH, "%.*s", (int)(slash - path), path);
}

static signet_err
make_folder(struct tiles *t, const char *path)
{
	char parent[TILES_PATH];

	if (mkdirat(t->root, path, DIR_MODE) != 0)
		return errno == EEXIST ? SIGNET_OK : fail(t, path, errno);
	if (fchmodat(t->root, path, DIR_MODE, 0) != 0)
		return fail(t, path, errno);
	if (strchr(path, '/') == NULL)
		return sync_folder(t, ".");
	folder_of(path, parent);
	return sync_folder(t, parent);
}

static signet_err
make_folders(struct tiles *t, const char *folder)
{
	char part[TILES_PATH];
	signet_err err = SIGNET_OK;

	for (const char *at = strchr(folder, '/'); at != NULL && err == SIGNET_OK; at = strchr(at + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(at - folder), folder);
		err = make_folder(t, part);
	}
	return err == SIGNET_OK ? make_folder(t, folder) : err;
}

static signet_err
write_file(struct tiles *t, const char *path, const struct buf *content)
{
	char folder[TILES_PATH];
	signet_err err;
	int error;

	folder_of(path, folder);
	if (strcmp(folder, t->unsynced) != 0) {
		err = sync_renamed(t);
		if (err == SIGNET_OK)
			err = make_folders(t, folder);
		if (err != SIGNET_OK)
			return err;
	}
	error = file_replace(t->root, temporary, path, FILE_MODE, content->data, content->len);
	if (error != 0)
		return fail(t, path, error);
	snprintf(t->unsynced, sizeof(t->unsynced), "%s", folder);
	return SIGNET_OK;
}

static signet_err
remove_files(struct tiles *t, const char *path, DIR *folder)
{
	const struct dirent *file;

	while ((file = readdir(folder)) != NULL) {
		if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(folder), file->d_name, 0) != 0)
			return fail(t, path, errno);
	}
	return SIGNET_OK;
}

/* The partial tiles that this full one replaces. */
static signet_err
remove_partials(struct tiles *t, const char *full)
{
	char path[TILES_PATH];
	signet_err err;
	DIR *folder;
	int fd;

	if (snprintf(path, sizeof(path), "%s.p", full) >= (int)sizeof(path))
		return fail(t, full, ENAMETOOLONG);
	fd = openat(t->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? SIGNET_OK : fail(t, path, errno);
	err = sync_renamed(t); /* the full one first */
	folder = err == SIGNET_OK ? fdopendir(fd) : NULL;
	if (folder == NULL) {
		close(fd);
		return err == SIGNET_OK ? fail(t, path, ENOMEM) : err;
	}
	err = remove_files(t, path, folder);
	closedir(folder);
	if (err == SIGNET_OK && unlinkat(t->root, path, AT_REMOVEDIR) != 0)
		err = fail(t, path, errno);
	return err;
}

/* What goes into them */

static signet_err
fail_row(struct tiles *t, uint64_t index)
{
	snprintf(t->why, sizeof(t->why),
	    "the published log cannot be written: entry %llu is not the one that was hashed: run `signetctl "
	    "log "
	    "verify`",
	    (unsigned long long)index);
	return SIGNET_ERR_IO;
}

static bool
put_entry(struct buf *out, sqlite3_stmt *row, uint64_t index)
{
	const uint8_t *bytes = sqlite3_column_blob(row, 1);
	size_t len = (size_t)sqlite3_column_bytes(row, 1);
	uint8_t leaf[TLOG_HASH];

	if ((uint64_t)sqlite3_column_int64(row, 0) != index || len > SIGNET_ENTRY_MAX ||
	    sqlite3_column_bytes(row, 2) != TLOG_HASH)
		return false;
	tlog_leaf(leaf, bytes, len);
	if (memcmp(leaf, sqlite3_column_blob(row, 2), TLOG_HASH) != 0)
		return false;
	buf_u8(out, (uint8_t)(len >> 8)); /* big-endian [C2SP tlog-tiles] */
	buf_u8(out, (uint8_t)len);
	buf_put(out, bytes, len);
	return true;
}

static signet_err
read_bundle(struct tiles *t, struct db *db, unsigned width, struct buf *out)
{
	sqlite3_stmt *row = db->statement[DB_RANGE];
	uint64_t first = t->number << TILE_BITS;
	signet_err err = SIGNET_OK;
	bool found;

	sqlite3_bind_int64(row, 1, (int64_t)first);
	for (unsigned i = 0; i < width && err == SIGNET_OK; i++) {
		if (db_step(db, row, &found) != SIGNET_OK)
			err = fail_db(t, db);
		else if (!found || !put_entry(out, row, first + i))
			err = fail_row(t, first + i);
	}
	sqlite3_reset(row);
	return err;
}

static signet_err
read_tile(struct tiles *t, struct db *db, unsigned width, struct buf *out)
{
	uint64_t first = t->number << TILE_BITS;
	unsigned level = (unsigned)t->level * TILE_BITS;
	uint8_t hash[TLOG_HASH];
	signet_err err = SIGNET_OK;

	for (unsigned i = 0; i < width && err == SIGNET_OK; i++) {
		err = db_node(db, level, first + i, hash);
		buf_put(out, hash, sizeof(hash));
	}
	if (err == SIGNET_ERR_LOG_UNAVAILABLE)
		return fail_db(t, db);
	return err == SIGNET_OK ? err : fail_row(t, ((first + out->len / TLOG_HASH) << level) - 1);
}

static signet_err
write_tile(struct tiles *t, struct db *db, unsigned width)
{
	owned(buf_done) struct buf content;
	char path[TILES_PATH];
	signet_err err;

	buf_init(&content, BUNDLE_MAX);
	err = t->level < 0 ? read_bundle(t, db, width, &content) : read_tile(t, db, width, &content);
	if (err == SIGNET_OK && content.failed)
		err = fail(t, "", ENOMEM);
	if (err != SIGNET_OK)
		return err;
	tlog_tile_path(path, sizeof(path), t->level, t->number, width);
	err = write_file(t, path, &content);
	if (err == SIGNET_OK && width == TLOG_TILE)
		err = remove_partials(t, path);
	return err;
}

static signet_err
write_checkpoint(struct tiles *t)
{
	signet_err err = sync_renamed(t);
	int error;

	if (err != SIGNET_OK)
		return err;
	error = file_replace(t->root, temporary, "checkpoint", FILE_MODE, t->target.note, t->target.note_len);
	if (error == 0 && fsync(t->root) != 0)
		error = errno;
	if (error != 0)
		return fail(t, "checkpoint", error);
	t->size = t->target.says.size;
	t->busy = false;
	t->why[0] = '\0';
	return SIGNET_OK;
}

/* How many hashes (or entries) a tree of that size has on a level of tiles. */
static uint64_t
count_at(uint64_t size, int level)
{
	return level <= 0 ? size : size >> (level * TILE_BITS);
}

/* The next tile, or the checkpoint after the last. */
static signet_err
write_next(struct tiles *t, struct db *db)
{
	uint64_t count = count_at(t->target.says.size, t->level), old = count_at(t->size, t->level);
	uint64_t full = count >> TILE_BITS;
	unsigned width = t->number < full ? TLOG_TILE : (unsigned)(count & (TLOG_TILE - 1));
	signet_err err = SIGNET_OK;

	if (count == 0)
		return write_checkpoint(t);
	if (t->number <= full && width > 0 && count != old)
		err = write_tile(t, db, width);
	if (err != SIGNET_OK)
		return err;
	t->number++;
	if (t->number <= full && count != old)
		return SIGNET_OK;
	t->level++;
	t->number = count_at(t->size, t->level) >> TILE_BITS;
	return SIGNET_OK;
}

signet_err
tiles_step(struct tiles *t, struct db *db, uint64_t until)
{
	signet_err err = SIGNET_OK;

	while (t->busy && err == SIGNET_OK && uv_hrtime() < until)
		err = write_next(t, db);
	if (err != SIGNET_OK) {
		t->busy = false;
		close_root(t);
	}
	return err;
}
