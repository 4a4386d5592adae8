/*
 * A log can be put back to an older copy of itself, or replaced by another
 * one, and each is whole in itself. What gives that away is a checkpoint that
 * was seen elsewhere: the tree must extend it.
 *
 * Invariant: nothing is signed or appended before every checkpoint that can be
 * found was compared; and one that cannot be judged (by another key, not to be
 * read) counts as broken, for it may be the one that matters.
 */
#include "ledger/continuity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tlog.h"
#include "ledger/files.h"

#define RECOVER "restore the newest copy of the log, or begin a new one with `signetctl log recover`"

static const char key_row[] = "logkey", older_row[] = "logkeys"; /* the newest vkey; those before it, a line each */
static const char generation_row[] = "generation", old_key_row[] = "oldkey", old_size_row[] = "oldsize";

enum { KEYS_MAX = 64 * 1024 }; /* some 200 changes of key */

/* One row of `meta`, added to `out`; nothing is where it is not there. */
static signet_err
read_meta(struct db *db, const char *name, struct buf *out)
{
	sqlite3_stmt *row;
	bool found;
	signet_err err = db_prepare(db, "SELECT value FROM meta WHERE key = ?1", &row);

	if (err != SIGNET_OK)
		return err;
	sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
	err = db_step(db, row, &found);
	if (found && sqlite3_column_text(row, 0) != NULL)
		buf_put(out, sqlite3_column_text(row, 0), (size_t)sqlite3_column_bytes(row, 0));
	sqlite3_finalize(row);
	return err;
}

static signet_err
read_short(struct db *db, const char *name, char *out, size_t size)
{
	owned(buf_done) struct buf text;
	signet_err err;

	buf_init(&text, KEYS_MAX);
	err = read_meta(db, name, &text);
	snprintf(out, size, "%.*s", (int)text.len, text.data == NULL ? "" : (const char *)text.data);
	return err;
}

static signet_err
write_meta(struct db *db, const char *name, const void *text, size_t len)
{
	sqlite3_stmt *row;
	bool found;
	signet_err err = db_prepare(db, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", &row);

	if (err != SIGNET_OK)
		return err;
	sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(row, 2, text, (int)len, SQLITE_STATIC);
	err = db_step(db, row, &found);
	sqlite3_finalize(row);
	return err;
}

signet_err
continuity_read_names(struct db *db, const struct ledger_options *o, struct continuity_names *names)
{
	char text[24];
	signet_err err;

	memset(names, 0, sizeof(*names));
	err = read_short(db, generation_row, text, sizeof(text));
	names->generation = text[0] == '\0' ? 1 : (unsigned)strtoul(text, NULL, 10);
	if (err == SIGNET_OK)
		err = read_short(db, old_key_row, names->old_vkey, sizeof(names->old_vkey));
	if (err == SIGNET_OK)
		err = read_short(db, old_size_row, text, sizeof(text));
	names->old_size = strtoull(text, NULL, 10);
	if (err != SIGNET_OK)
		return err;
	text[0] = '\0';
	if (names->generation > 1)
		snprintf(text, sizeof(text), "/%u", names->generation);
	snprintf(names->origin, sizeof(names->origin), "%s%s", o->origin == NULL ? "" : o->origin, text);
	if (o->tiles != NULL)
		snprintf(names->tiles, sizeof(names->tiles), "%.4000s%s", o->tiles, text);
	return SIGNET_OK;
}

signet_err
continuity_write_names(struct db *db, unsigned generation, const char *old_vkey, uint64_t old_size)
{
	char text[24];
	signet_err err = db_exec(db, "BEGIN IMMEDIATE");

	snprintf(text, sizeof(text), "%u", generation);
	if (err == SIGNET_OK)
		err = write_meta(db, generation_row, text, strlen(text));
	if (err == SIGNET_OK)
		err = write_meta(db, old_key_row, old_vkey, strlen(old_vkey));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)old_size);
	if (err == SIGNET_OK)
		err = write_meta(db, old_size_row, text, strlen(text));
	if (err == SIGNET_OK)
		err = db_exec(db, "COMMIT");
	if (err != SIGNET_OK)
		db_rollback(db);
	return err;
}

void
continuity_read_keys(struct db *db, struct buf *out)
{
	if (read_meta(db, older_row, out) == SIGNET_OK && read_meta(db, key_row, out) == SIGNET_OK && out->len > 0)
		buf_chr(out, '\n');
}

signet_err
continuity_change_key(struct store *s, const char *vkey)
{
	owned(buf_done) struct buf keys;
	signet_err err;

	buf_init(&keys, KEYS_MAX);
	err = read_meta(&s->db, older_row, &keys);
	if (err == SIGNET_OK)
		err = read_meta(&s->db, key_row, &keys);
	buf_chr(&keys, '\n');
	if (err == SIGNET_OK && keys.failed)
		err = SIGNET_ERR_LIMIT;
	if (err == SIGNET_OK)
		err = write_meta(&s->db, older_row, keys.data, keys.len);
	if (err == SIGNET_OK)
		err = write_meta(&s->db, key_row, vkey, strlen(vkey));
	return err;
}

/* Where a checkpoint of this log may be kept outside the database; NULL: there is none of that number. */
static const char *
witness_path(const struct ledger_options *o, const struct continuity_names *names, int i, char path[4096])
{
	if (i == 0 && names->tiles[0] != '\0' && snprintf(path, 4096, "%s/checkpoint", names->tiles) < 4096)
		return path;
	if (i == 1)
		return o->anchor;
	return NULL;
}

static bool
any_witness(const struct ledger_options *o, const struct continuity_names *names, char path[4096])
{
	for (int i = 0; i < 2; i++) {
		const char *at = witness_path(o, names, i, path);

		if (at != NULL && access(at, F_OK) == 0) {
			memmove(path, at, strlen(at) + 1);
			return true;
		}
	}
	return false;
}

/* No key file: a new one, unless something was signed with another. */
static signet_err
make_key(const struct ledger_options *o, const struct continuity_names *names, const char *path,
    const char *known, uint8_t seed[NOTE_SEED], char *why, size_t size)
{
	char witness[4096];

	if (o->key_is_given) {
		snprintf(why, size, "the log key %s is missing: provide that credential", path);
		return SIGNET_ERR_LOG_UNAVAILABLE;
	}
	/* a log that continues another begins with a key of its own */
	if (known[0] != '\0' || (names->generation == 1 && any_witness(o, names, witness))) {
		snprintf(why, size,
		    "the log key %s is missing although %s has checkpoints: restore the key from a backup, "
		    "or "
		    "begin a new log with `signetctl log recover`",
		    path, known[0] != '\0' ? "log.db" : witness);
		return SIGNET_ERR_LOG_UNAVAILABLE;
	}
	return logkey_make(path, seed, why, size);
}

static signet_err
use_key(struct heads *h, struct store *s, const char *origin, const char *known,
    const uint8_t seed[NOTE_SEED], char *why, size_t size)
{
	signet_err err = heads_init(h, origin, seed);

	if (err == SIGNET_ERR_ARGUMENT)
		snprintf(why, size,
		    "%.200s cannot be the name of a log: no blanks, no plus sign, at most %d bytes", origin,
		    NOTE_NAME_MAX);
	else if (err != SIGNET_OK)
		snprintf(why, size, "not enough memory for the log key");
	if (err != SIGNET_OK)
		return SIGNET_ERR_LOG_UNAVAILABLE;
	if (known[0] == '\0')
		return write_meta(&s->db, key_row, h->vkey, strlen(h->vkey));
	if (strcmp(known, h->vkey) == 0)
		return SIGNET_OK;
	snprintf(why, size, "log.db was signed as %s, but name and key are now %s: " RECOVER, known, h->vkey);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

/*
 * A change of key that is durable, and a machine that stopped before the key's file had its name: is `path`.next the
 * key that is known?
 */
static signet_err
finish_change(const char *path, const char *origin, const char *known, char *why, size_t size)
{
	char next[4096 + 8];
	uint8_t seed[NOTE_SEED];
	struct heads h = {0};
	bool found, same = false;
	signet_err err;

	snprintf(next, sizeof(next), "%s.next", path);
	err = logkey_read(next, seed, &found, why, size);
	if (err != SIGNET_OK || !found)
		return err;
	if (heads_init(&h, origin, seed) == SIGNET_OK)
		same = strcmp(h.vkey, known) == 0;
	explicit_bzero(seed, sizeof(seed));
	heads_done(&h);
	return same ? logkey_take(path, why, size) : SIGNET_OK;
}

signet_err
continuity_key(struct heads *h, struct store *s, const struct ledger_options *o,
    const struct continuity_names *names, int dir_fd, char *why, size_t size)
{
	char own[4096], known[LOGKEY_TEXT];
	const char *path = o->log_key;
	uint8_t seed[NOTE_SEED];
	bool found;
	signet_err err;

	if (path == NULL) {
		snprintf(
		    own, sizeof(own), "%s/log.key", o->dir); /* shorter than the path of log.db, which fits */
		path = own;
	}
	err = read_short(&s->db, key_row, known, sizeof(known));
	if (err == SIGNET_OK && !o->key_is_given)
		err = finish_change(path, names->origin, known, why, size);
	if (err != SIGNET_OK)
		return err;
	err = logkey_read(path, seed, &found, why, size);
	if (err == SIGNET_OK && !found)
		err = make_key(o, names, path, known, seed, why, size);
	if (err != SIGNET_OK)
		return err;
	err = use_key(h, s, names->origin, known, seed, why, size);
	explicit_bzero(seed, sizeof(seed));
	if (err == SIGNET_OK)
		err = logkey_show(dir_fd, o->dir, h->vkey, why, size);
	return err;
}

static signet_err
get_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	struct store *s = arg;

	return db_node(&s->db, level, number, out);
}

/*
 * Is the tree that this checkpoint tells of a prefix of ours? *fits is false if not. LOG_UNAVAILABLE: the
 * database cannot be read.
 */
static signet_err
compare(struct store *s, const struct checkpoint *c, bool *fits)
{
	uint8_t root[TLOG_HASH];
	signet_err err;

	*fits = false;
	if (c->size > s->tree.size)
		return SIGNET_OK;
	err = tlog_root(c->size, get_node, s, root);
	if (err == SIGNET_ERR_LOG_UNAVAILABLE)
		return err;
	*fits = err == SIGNET_OK && memcmp(root, c->root, sizeof(root)) == 0;
	return SIGNET_OK;
}

/* The newest checkpoint of the database; none: note_len 0. */
static signet_err
read_last(struct store *s, struct head *head, uint64_t *index)
{
	sqlite3_stmt *row;
	bool found;
	signet_err err = db_prepare(&s->db,
	    "SELECT idx, checkpoint FROM entry WHERE checkpoint IS NOT NULL ORDER BY idx DESC LIMIT 1", &row);

	head->note_len = 0;
	if (err != SIGNET_OK)
		return err;
	err = db_step(&s->db, row, &found);
	if (found) {
		const void *note = sqlite3_column_blob(row, 1);
		size_t len = (size_t)sqlite3_column_bytes(row, 1);

		*index = (uint64_t)sqlite3_column_int64(row, 0);
		head->note_len = 1; /* what is no note at all must not pass for none */
		if (note != NULL && len <= sizeof(head->note)) {
			memcpy(head->note, note, len);
			head->note_len = len;
		}
	}
	sqlite3_finalize(row);
	return err;
}

/* Signed by one of the log's keys, from the first to the newest? *c gets what it says. */
static bool
open_by_any(struct store *s, const char *note, size_t len, struct checkpoint *c)
{
	owned(buf_done) struct buf keys;
	struct note_key key;
	bool good = false;

	buf_init(&keys, KEYS_MAX);
	continuity_read_keys(&s->db, &keys);
	for (size_t at = 0; at < keys.len && !good;) {
		const char *line = (const char *)keys.data + at;
		size_t n = strcspn(line, "\n");

		good = note_key_parse(&key, line, n) == SIGNET_OK && checkpoint_open(c, note, len, &key) == SIGNET_OK;
		at += n + 1;
	}
	return good;
}

static signet_err
check_own(struct heads *h, struct store *s, bool *broken, char *why, size_t size)
{
	struct head *last = &h->last;
	uint64_t index = 0;
	bool fits = false;
	signet_err err = read_last(s, last, &index);

	if (err != SIGNET_OK || last->note_len == 0)
		return err;
	if (open_by_any(s, last->note, last->note_len, &last->says) && last->says.size == index + 1)
		err = compare(s, &last->says, &fits);
	if (err != SIGNET_OK || fits)
		return err;
	memset(last, 0, sizeof(*last));
	*broken = true;
	snprintf(why, size,
	    "the checkpoint in entry %llu of %s is not the log key's word on these entries: " RECOVER,
	    (unsigned long long)index, s->db.path);
	return SIGNET_OK;
}

static void
refuse_witness(bool *broken, char *why, size_t size, const char *path, const char *what)
{
	*broken = true;
	snprintf(why, size, "whether the log was rolled back cannot be told: %s %s", path, what);
}

/* A checkpoint of the log that this one continues, and none that it does not know of. */
static bool
is_of_old_log(const struct continuity_names *names, const char *note, size_t len)
{
	struct checkpoint c;
	struct note_key key;

	return names->generation > 1 && note_key_parse(&key, names->old_vkey, strlen(names->old_vkey)) == SIGNET_OK &&
	       checkpoint_open(&c, note, len, &key) == SIGNET_OK && c.size <= names->old_size;
}

static signet_err
check_witness(struct store *s, const struct continuity_names *names, const char *path, bool *broken, char *why,
    size_t size)
{
	owned(buf_done) struct buf note;
	struct checkpoint c;
	bool fits;
	signet_err err;
	int error;

	buf_init(&note, 2 * NOTE_MAX);
	error = file_read(AT_FDCWD, path, &note, NOTE_MAX);
	if (error == ENOENT)
		return SIGNET_OK;
	if (error != 0)
		refuse_witness(broken, why, size, path, strerror(error));
	else if (is_of_old_log(names, (const char *)note.data, note.len))
		return SIGNET_OK;
	else if (!open_by_any(s, (const char *)note.data, note.len, &c))
		refuse_witness(broken, why, size, path, "is not a checkpoint signed by this log's key");
	if (*broken)
		return SIGNET_OK;
	err = compare(s, &c, &fits);
	if (err != SIGNET_OK || fits)
		return err;
	*broken = true;
	snprintf(why, size,
	    "rolled back: the checkpoint of size %llu in %s is not a prefix of %s, which has %llu "
	    "entries: " RECOVER,
	    (unsigned long long)c.size, path, s->db.path, (unsigned long long)s->tree.size);
	return SIGNET_OK;
}

signet_err
continuity_check(struct heads *h, struct store *s, const struct ledger_options *o,
    const struct continuity_names *names, bool *broken, char *why, size_t size)
{
	char path[4096];
	signet_err err;

	*broken = false;
	err = check_own(h, s, broken, why, size);
	for (int i = 0; i < 2 && err == SIGNET_OK && !*broken; i++) {
		const char *at = witness_path(o, names, i, path);

		if (at != NULL)
			err = check_witness(s, names, at, broken, why, size);
	}
	return err;
}
