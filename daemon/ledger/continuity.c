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
#include <string.h>
#include <unistd.h>

#include "base/tlog.h"
#include "ledger/files.h"

#define RECOVER "restore the newest copy of the log, or begin a new one with `signetctl log recover`"

static const char key_row[] = "logkey";

/* The vkey that has signed here; "" if none has. */
static signet_err
read_key_row(struct store *s, char text[LOGKEY_TEXT])
{
	sqlite3_stmt *row;
	bool found;
	signet_err err = db_prepare(&s->db, "SELECT value FROM meta WHERE key = ?1", &row);

	text[0] = '\0';
	if (err != SIGNET_OK)
		return err;
	sqlite3_bind_text(row, 1, key_row, -1, SQLITE_STATIC);
	err = db_step(&s->db, row, &found);
	if (found && sqlite3_column_text(row, 0) != NULL)
		snprintf(text, LOGKEY_TEXT, "%s", (const char *)sqlite3_column_text(row, 0));
	sqlite3_finalize(row);
	return err;
}

static signet_err
write_key_row(struct store *s, const char *vkey)
{
	sqlite3_stmt *row;
	bool found;
	signet_err err = db_prepare(&s->db, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", &row);

	if (err != SIGNET_OK)
		return err;
	sqlite3_bind_text(row, 1, key_row, -1, SQLITE_STATIC);
	sqlite3_bind_text(row, 2, vkey, -1, SQLITE_STATIC);
	err = db_step(&s->db, row, &found);
	sqlite3_finalize(row);
	return err;
}

/* Where a checkpoint of this log may be kept outside the database; NULL: there is none of that number. */
static const char *
witness_path(const struct ledger_options *o, int i, char path[4096])
{
	if (i == 0 && o->tiles != NULL && snprintf(path, 4096, "%s/checkpoint", o->tiles) < 4096)
		return path;
	if (i == 1)
		return o->anchor;
	return NULL;
}

static bool
any_witness(const struct ledger_options *o, char path[4096])
{
	for (int i = 0; i < 2; i++) {
		const char *at = witness_path(o, i, path);

		if (at != NULL && access(at, F_OK) == 0) {
			memmove(path, at, strlen(at) + 1);
			return true;
		}
	}
	return false;
}

/* No key file: a new one, unless something was signed with another. */
static signet_err
make_key(const struct ledger_options *o, const char *path, const char *known, uint8_t seed[NOTE_SEED],
    char *why, size_t size)
{
	char witness[4096];

	if (o->key_is_given) {
		snprintf(why, size, "the log key %s is missing: provide that credential", path);
		return SIGNET_ERR_LOG_UNAVAILABLE;
	}
	if (known[0] != '\0' || any_witness(o, witness)) {
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
		return write_key_row(s, h->vkey);
	if (strcmp(known, h->vkey) == 0)
		return SIGNET_OK;
	snprintf(why, size, "log.db was signed as %s, but name and key are now %s: " RECOVER, known, h->vkey);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

signet_err
continuity_key(
    struct heads *h, struct store *s, const struct ledger_options *o, int dir_fd, char *why, size_t size)
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
	err = read_key_row(s, known);
	if (err != SIGNET_OK)
		return err;
	err = logkey_read(path, seed, &found, why, size);
	if (err == SIGNET_OK && !found)
		err = make_key(o, path, known, seed, why, size);
	if (err != SIGNET_OK)
		return err;
	err = use_key(h, s, o->origin, known, seed, why, size);
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

static signet_err
check_own(struct heads *h, struct store *s, bool *broken, char *why, size_t size)
{
	struct head *last = &h->last;
	uint64_t index = 0;
	bool fits = false;
	signet_err err = read_last(s, last, &index);

	if (err != SIGNET_OK || last->note_len == 0)
		return err;
	if (checkpoint_open(&last->says, last->note, last->note_len, &h->signer.key) == SIGNET_OK &&
	    last->says.size == index + 1)
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

static signet_err
check_witness(const struct heads *h, struct store *s, const char *path, bool *broken, char *why, size_t size)
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
	else if (checkpoint_open(&c, (const char *)note.data, note.len, &h->signer.key) != SIGNET_OK)
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
continuity_check(
    struct heads *h, struct store *s, const struct ledger_options *o, bool *broken, char *why, size_t size)
{
	char path[4096];
	signet_err err;

	*broken = false;
	err = check_own(h, s, broken, why, size);
	for (int i = 0; i < 2 && err == SIGNET_OK && !*broken; i++) {
		const char *at = witness_path(o, i, path);

		if (at != NULL)
			err = check_witness(h, s, at, broken, why, size);
	}
	return err;
}
