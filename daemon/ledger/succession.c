/*
 * The files: `succession` tells what the new log has to say, written before
 * anything is moved; then each file of the old log is renamed into a folder
 * that did not exist; then the file says so. Only then a new log is made.
 *
 * Invariant: nothing is deleted or overwritten, whenever the machine stops; and
 * of all checkpoints that can be found the newest good one is named.
 */
#include "ledger/succession.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "ledger/files.h"

static const char file_name[] = "succession";

enum { FILE_MAX = 16 * 1024, FOLDERS_MAX = 1000 };

static signet_err
fail(char *why, size_t size, const char *dir, const char *name, int error)
{
	snprintf(why, size, "the old log cannot be put aside (%s/%s): %s", dir, name, strerror(error));
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

/* --- the file --- */

static signet_err
write_file(const struct succession *s, int dir_fd, const char *dir, char *why, size_t size)
{
	json_t *j = json_pack("{s:i,s:b,s:s,s:s,s:I,s:s,s:s,s:s,s:I}", "generation", (int)s->generation, "moved", s->moved,
	    "folder", s->folder, "origin", s->origin, "size", (json_int_t)s->size, "root", s->root, "vkey", s->vkey,
	    "note", s->note, "entries", (json_int_t)s->entries);
	char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
	int err = text == NULL ? ENOMEM : file_replace(dir_fd, "succession.new", file_name, 0600, text, strlen(text));

	if (err == 0 && fsync(dir_fd) != 0)
		err = errno;
	free(text);
	json_decref(j);
	return err == 0 ? SIGNET_OK : fail(why, size, dir, file_name, err);
}

static void
take_text(char *out, size_t size, const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));

	snprintf(out, size, "%s", text == NULL ? "" : text);
}

signet_err
succession_read(struct succession *s, int dir_fd, const char *dir, bool *found, char *why, size_t size)
{
	owned(buf_done) struct buf text;
	json_t *j;
	int error;

	memset(s, 0, sizeof(*s));
	buf_init(&text, 2 * FILE_MAX);
	error = file_read(dir_fd, file_name, &text, FILE_MAX);
	*found = error == 0;
	if (error == ENOENT)
		return SIGNET_OK;
	if (error != 0)
		return fail(why, size, dir, file_name, error);
	j = json_loadb((const char *)text.data, text.len, 0, NULL);
	s->generation = (unsigned)json_integer_value(json_object_get(j, "generation"));
	s->moved = json_is_true(json_object_get(j, "moved"));
	s->size = (uint64_t)json_integer_value(json_object_get(j, "size"));
	s->entries = (uint64_t)json_integer_value(json_object_get(j, "entries"));
	take_text(s->folder, sizeof(s->folder), j, "folder");
	take_text(s->origin, sizeof(s->origin), j, "origin");
	take_text(s->root, sizeof(s->root), j, "root");
	take_text(s->vkey, sizeof(s->vkey), j, "vkey");
	take_text(s->note, sizeof(s->note), j, "note");
	json_decref(j);
	if (s->generation >= 2 && s->folder[0] != '\0' && strchr(s->folder, '/') == NULL)
		return SIGNET_OK;
	return fail(why, size, dir, file_name, EINVAL);
}

signet_err
succession_settle(int dir_fd)
{
	if (unlinkat(dir_fd, file_name, 0) != 0 && errno != ENOENT)
		return SIGNET_ERR_IO;
	return fsync(dir_fd) == 0 ? SIGNET_OK : SIGNET_ERR_IO;
}

/* --- moving --- */

static int
move_one(int dir_fd, int folder, const char *name)
{
	if (renameat2(dir_fd, name, folder, name, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return 0;
	return errno;
}

signet_err
succession_move(struct succession *s, const struct ledger_options *o, int dir_fd, char *why, size_t size)
{
	static const char *const names[] = {"log.db", "log.db-wal", "log.db-shm", "search.db", "search.db-wal",
	    "search.db-shm", "log.vkey"};
	static const char *const keys[] = {"log.key", "log.key.next"};
	int err = 0, folder;

	if (mkdirat(dir_fd, s->folder, 0700) != 0 && errno != EEXIST)
		return fail(why, size, o->dir, s->folder, errno);
	folder = openat(dir_fd, s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return fail(why, size, o->dir, s->folder, errno);
	for (size_t i = 0; i < array_len(names) && err == 0; i++)
		err = move_one(dir_fd, folder, names[i]);
	for (size_t i = 0; i < array_len(keys) && err == 0 && o->log_key == NULL; i++)
		err = move_one(dir_fd, folder, keys[i]);
	if (err == 0 && (fsync(folder) != 0 || fsync(dir_fd) != 0))
		err = errno;
	close(folder);
	if (err != 0)
		return fail(why, size, o->dir, s->folder, err);
	s->moved = true;
	return write_file(s, dir_fd, o->dir, why, size);
}

/* --- what is known of the old log --- */

/* The keys that have signed in it, a line each. */
struct known {
	struct buf keys;
	struct succession *s;
	bool good; /* s->note was signed by one of them */
};

/* vkey: the one that signed; NULL: none of those that are known. */
static const char *
signer_of(const struct known *k, const char *note, size_t len, char vkey[KEYCHAIN_VKEY])
{
	const char *line = (const char *)k->keys.data, *end = line + k->keys.len;
	struct note_key key;
	size_t text_len;

	while (line != NULL && line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((stop == NULL ? end : stop) - line);

		if (n < KEYCHAIN_VKEY && note_key_parse(&key, line, n) == SIGNET_OK &&
		    note_verify(note, len, &key, &text_len) == SIGNET_OK) {
			memcpy(vkey, line, n);
			vkey[n] = '\0';
			return vkey;
		}
		line = stop == NULL ? end : stop + 1;
	}
	return NULL;
}

/* A checkpoint was found: is it newer than the one that we have, or better? */
static void
consider(struct known *k, const char *note, size_t len)
{
	struct succession *s = k->s;
	char vkey[KEYCHAIN_VKEY] = "", root[BASE64_LEN(NOTE_HASH) + 1] = "";
	struct checkpoint c;
	size_t text_len;
	bool good;

	if (len >= sizeof(s->note) || note_read(note, len, &text_len) != SIGNET_OK ||
	    checkpoint_parse(&c, note, text_len) != SIGNET_OK)
		return;
	good = signer_of(k, note, len, vkey) != NULL;
	if (s->note[0] != '\0' && (good == k->good ? c.size <= s->size : k->good))
		return;
	k->good = good;
	base64_encode(root, c.root, sizeof(c.root));
	snprintf(s->origin, sizeof(s->origin), "%s", c.origin);
	snprintf(s->vkey, sizeof(s->vkey), "%s", vkey);
	snprintf(s->root, sizeof(s->root), "%s", root);
	s->size = c.size;
	memcpy(s->note, note, len);
	s->note[len] = '\0';
}

static void
consider_file(struct known *k, const char *path)
{
	owned(buf_done) struct buf note;

	buf_init(&note, 2 * NOTE_MAX);
	if (file_read(AT_FDCWD, path, &note, NOTE_MAX) == 0)
		consider(k, (const char *)note.data, note.len);
}

/* The database may be in any state: what cannot be read is not there. */
static void
consider_database(struct known *k, struct db *db)
{
	sqlite3_stmt *row = NULL;
	bool found;

	if (db_size(db, &k->s->entries) != SIGNET_OK)
		k->s->entries = 0;
	if (db_prepare(db,
		"SELECT checkpoint FROM entry WHERE checkpoint IS NOT NULL ORDER BY idx DESC LIMIT 1", &row) == SIGNET_OK &&
	    db_step(db, row, &found) == SIGNET_OK && found && sqlite3_column_blob(row, 0) != NULL)
		consider(k, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
	sqlite3_finalize(row);
}

/* The first folder that is free; the new log's number follows from it. */
static signet_err
choose_folder(struct succession *s, unsigned old, int dir_fd, const char *dir, char *why, size_t size)
{
	for (unsigned n = old < 1 ? 1 : old; n < FOLDERS_MAX; n++) {
		snprintf(s->folder, sizeof(s->folder), "old-log-%u", n);
		if (faccessat(dir_fd, s->folder, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		s->generation = n + 1;
		return SIGNET_OK;
	}
	return fail(why, size, dir, s->folder, EEXIST);
}

signet_err
succession_make(struct succession *s, const struct ledger_options *o, int dir_fd, char *why, size_t size)
{
	struct known k = {.s = s};
	struct continuity_names names = {.generation = 1};
	char path[4096 + 32], unread[512];
	struct db db = {0};
	bool readable;

	memset(s, 0, sizeof(*s));
	buf_init(&k.keys, 64 * 1024);
	snprintf(path, sizeof(path), "%s/log.db", o->dir);
	readable = db_open_reader(&db, path, unread, sizeof(unread)) == SIGNET_OK;
	if (readable && continuity_read_names(&db, o, &names) != SIGNET_OK)
		names.generation = 1;
	if (readable)
		continuity_read_keys(&db, &k.keys);
	if (file_read(dir_fd, "log.vkey", &k.keys, k.keys.len + 2 * KEYCHAIN_VKEY) != 0)
		buf_chr(&k.keys, '\n'); /* it is only one more line of the same */
	if (readable)
		consider_database(&k, &db);
	if (db.handle != NULL)
		db_close(&db);
	if (names.tiles[0] != '\0') {
		snprintf(path, sizeof(path), "%s/checkpoint", names.tiles);
		consider_file(&k, path);
	} else if (o->tiles != NULL) {
		snprintf(path, sizeof(path), "%s/checkpoint", o->tiles);
		consider_file(&k, path);
	}
	if (o->anchor != NULL)
		consider_file(&k, o->anchor);
	buf_done(&k.keys);
	if (choose_folder(s, names.generation, dir_fd, o->dir, why, size) != SIGNET_OK)
		return SIGNET_ERR_LOG_UNAVAILABLE;
	return write_file(s, dir_fd, o->dir, why, size);
}
