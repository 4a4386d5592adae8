/*
 * Opening a log after whatever happened to it: the tree from a few rows, then
 * the claims that nobody recorded.
 *
 * Invariant: nothing here reads more than one row per set bit of the size and
 * the leftovers. A log of ten million entries opens as fast as a new one.
 */
#include <stdio.h>
#include <string.h>

#include "ledger/kept.h"
#include "ledger/recover.h"
#include <signet/log.h>

static signet_err
damaged(const struct store *s, uint64_t index, const char *what, char *why, size_t size)
{
	snprintf(why, size, "%s is damaged (entry %llu: %s): restore it from a backup", s->db.path,
	    (unsigned long long)index, what);
	return SIGNET_ERR_LOG_UNAVAILABLE;
}

/* The last row, whose bytes must be the ones that were hashed. *next: the size of the log. */
static signet_err
read_last(struct store *s, uint64_t *next, char *why, size_t size)
{
	uint8_t leaf[TLOG_HASH];
	sqlite3_stmt *row;
	bool found;
	signet_err err;

	*next = 0;
	err = db_prepare(&s->db, "SELECT idx, bytes, leaf FROM entry ORDER BY idx DESC LIMIT 1", &row);
	if (err != SIGNET_OK)
		return err;
	err = db_step(&s->db, row, &found);
	if (err == SIGNET_OK && found) {
		*next = (uint64_t)sqlite3_column_int64(row, 0) + 1;
		tlog_leaf(leaf, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
		if (sqlite3_column_bytes(row, 2) != TLOG_HASH ||
		    memcmp(sqlite3_column_blob(row, 2), leaf, TLOG_HASH) != 0)
			err = damaged(s, *next - 1, "its bytes are not those that were hashed", why, size);
	}
	sqlite3_finalize(row);
	return err;
}

/* The root of the complete subtree of 2^level leaves whose last leaf is `index`. */
static signet_err
read_node(struct store *s, sqlite3_stmt *row, uint64_t index, unsigned level, char *why, size_t size)
{
	const uint8_t *hashes;
	int column = level == 0 ? 0 : 1, at = level == 0 ? 0 : (int)(level - 1) * TLOG_HASH;
	bool found;
	signet_err err;

	sqlite3_reset(row);
	sqlite3_bind_int64(row, 1, (int64_t)index);
	err = db_step(&s->db, row, &found);
	if (err != SIGNET_OK)
		return err;
	if (!found)
		return damaged(s, index, "missing", why, size);
	hashes = sqlite3_column_blob(row, column);
	if (hashes == NULL || sqlite3_column_bytes(row, column) < at + TLOG_HASH)
		return damaged(s, index, "its hashes are missing", why, size);
	memcpy(s->tree.node[level], hashes + at, TLOG_HASH);
	return SIGNET_OK;
}

signet_err
recover_tree(struct store *s, char *why, size_t size)
{
	sqlite3_stmt *row;
	uint64_t n, end = 0;
	signet_err err = read_last(s, &n, why, size);

	if (err == SIGNET_OK)
		err = db_prepare(&s->db, "SELECT leaf, subtrees FROM entry WHERE idx = ?1", &row);
	if (err != SIGNET_OK)
		return err;
	for (unsigned i = TLOG_LEVELS; i-- > 0 && err == SIGNET_OK;) {
		if ((n >> i & 1) == 0)
			continue;
		end += UINT64_C(1) << i;
		err = read_node(s, row, end - 1, i, why, size);
	}
	sqlite3_finalize(row);
	s->tree.size = n;
	return err;
}

static signet_err
move_openings(struct store *s, sqlite3_stmt *claim, uint64_t index)
{
	const void *blob = sqlite3_column_blob(claim, 3);
	struct opening_row o;
	struct cursor c;
	unsigned count;
	signet_err err;

	if (blob == NULL)
		return SIGNET_OK;
	err = openings_begin(&c, blob, (size_t)sqlite3_column_bytes(claim, 3), &count);
	for (; err == SIGNET_OK && count > 0; count--) {
		err = openings_next(&c, &o);
		if (err == SIGNET_OK)
			err = db_put_opening(
			    &s->db, index, (const char *)o.field, o.field_len, o.salt, o.text, o.text_len);
	}
	return err == SIGNET_OK && !cur_done(&c) ? SIGNET_ERR_IO : err;
}

/* The binding of the claim's requestId, its outcome unknown for ever. */
static signet_err
rewrite_kept(struct store *s, sqlite3_stmt *claim)
{
	const void *blob = sqlite3_column_blob(claim, 4);
	struct kept_row row;
	signet_err err;

	buf_reset(&s->kept);
	if (blob == NULL)
		return SIGNET_OK;
	err = kept_decode(&row, blob, (size_t)sqlite3_column_bytes(claim, 4));
	if (err != SIGNET_OK)
		return err;
	row.kept.unknown = true;
	row.kept.value_len = 0;
	return kept_encode(&s->kept, &row.kept, store_now(s));
}

static signet_err
write_unknown(struct store *s, sqlite3_stmt *claim, struct buf *entry)
{
	uint8_t leaf[LEDGER_HASH];
	char time[ENTRY_TIME];
	struct entry_head head = {
	    .kind = (const char *)sqlite3_column_text(claim, 1),
	    .time = time,
	    .boot = s->boot,
	    .index = s->tree.size,
	    .clock = s->clock_state,
	};
	const char *body = sqlite3_column_blob(claim, 2);
	signet_err err;

	if (head.kind == NULL)
		return SIGNET_ERR_IO;
	entry_time(&s->clock, store_now(s), time);
	buf_reset(entry);
	err = entry_write(entry, &head, body, (size_t)sqlite3_column_bytes(claim, 2), STORE_UNKNOWN,
	    sizeof(STORE_UNKNOWN) - 1);
	if (err == SIGNET_OK)
		err = rewrite_kept(s, claim);
	if (err == SIGNET_OK)
		err = store_append(s, entry, leaf, &s->kept);
	if (err == SIGNET_OK)
		err = move_openings(s, claim, head.index);
	return err;
}

static signet_err
write_claims(struct store *s, uint64_t *claims, char *why, size_t size)
{
	owned(buf_done) struct buf entry;
	sqlite3_stmt *row;
	bool found;
	signet_err err;

	buf_init(&entry, SIGNET_ENTRY_MAX);
	err = db_prepare(&s->db, "SELECT id, kind, body, openings, kept FROM claim ORDER BY id", &row);
	if (err != SIGNET_OK)
		return err;
	while ((err = db_step(&s->db, row, &found)) == SIGNET_OK && found) {
		err = write_unknown(s, row, &entry);
		if (err != SIGNET_OK)
			break;
		(*claims)++;
	}
	if (err != SIGNET_OK && err != SIGNET_ERR_LOG_UNAVAILABLE) {
		snprintf(why, size, "%s is damaged (claim %lld): restore it from a backup", s->db.path,
		    (long long)sqlite3_column_int64(row, 0));
		err = SIGNET_ERR_LOG_UNAVAILABLE;
	}
	sqlite3_finalize(row);
	return err;
}

/* A PIN may have been sent and its answer lost: it counts as wrong, from now. */
static signet_err
fail_pending(struct store *s)
{
	sqlite3_stmt *row;
	bool found;
	signet_err err = db_prepare(&s->db,
	    "UPDATE tried SET failures = failures + 1, pending = 0, last_us = ?1 WHERE pending", &row);

	if (err != SIGNET_OK)
		return err;
	sqlite3_bind_int64(row, 1, store_now(s));
	err = db_step(&s->db, row, &found);
	sqlite3_finalize(row);
	return err;
}

/* Most starts find nothing left over: they must not write, for the disk may be full. */
static signet_err
any_leftover(struct store *s, bool *any)
{
	sqlite3_stmt *row;
	signet_err err = db_prepare(&s->db,
	    "SELECT 1 WHERE EXISTS (SELECT 1 FROM claim) OR EXISTS (SELECT 1 FROM tried WHERE pending)",
	    &row);

	if (err != SIGNET_OK)
		return err;
	err = db_step(&s->db, row, any);
	sqlite3_finalize(row);
	return err;
}

signet_err
recover_leftovers(struct store *s, uint64_t *claims, char *why, size_t size)
{
	bool any;
	signet_err err = any_leftover(s, &any);

	*claims = 0;
	if (err != SIGNET_OK || !any)
		return err;
	err = store_begin(s);
	if (err == SIGNET_OK)
		err = write_claims(s, claims, why, size);
	if (err == SIGNET_OK)
		err = db_exec(&s->db, "DELETE FROM claim");
	if (err == SIGNET_OK)
		err = fail_pending(s);
	if (err == SIGNET_OK)
		return store_commit(s);
	store_rollback(s);
	*claims = 0;
	return err;
}
