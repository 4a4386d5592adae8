/*
 * Reading single rows.
 *
 * Invariant: what is handed out was checked against its leaf hash, and a kept
 * signature against the hash in its entry; what does not match is an error,
 * never an answer.
 */
#include "ledger/row.h"

#include <openssl/evp.h>
#include <string.h>

#include "ledger/entry.h"
#include "ledger/kept.h"
#include <signet/log.h>

void
row_begin(struct ledger_read *read)
{
	read->uid = (uid_t)-1;
	read->unknown = false;
	read->time[0] = '\0';
	buf_init(&read->entry, SIGNET_ENTRY_MAX);
	buf_init(&read->value, KEPT_VALUE_MAX);
}

static bool
has_member(const struct buf *entry, const char *member)
{
	return memmem(entry->data, entry->len, member, strlen(member)) != NULL;
}

/*
 * The reply is not hashed with the entry, but the entry names its hash: another signature is never given out. Where
 * the reply is a CMS, that is the hash of the whole.
 */
static bool
is_signature_of(const struct ledger_kept *kept, const struct buf *entry)
{
	static const char bare[] = "\"signatureHash\":\"sha256:", whole[] = "\"cmsHash\":\"sha256:";
	const char *member = has_member(entry, whole) ? whole : bare;
	uint8_t hash[EVP_MAX_MD_SIZE];
	owned(buf_done) struct buf want;

	buf_init(&want, 256);
	if (kept->value_len == 0 || !has_member(entry, member))
		return true;
	if (EVP_Digest(kept->value, kept->value_len, hash, NULL, EVP_sha256(), NULL) != 1)
		return false;
	buf_str(&want, member);
	buf_hex(&want, hash, LEDGER_HASH);
	buf_chr(&want, '"');
	return !want.failed && memmem(entry->data, entry->len, want.data, want.len) != NULL;
}

static signet_err
copy_kept(struct ledger_read *read, const void *blob, size_t len)
{
	struct kept_row row;
	signet_err err;

	if (blob == NULL)
		return SIGNET_OK;
	err = kept_decode(&row, blob, len);
	if (err != SIGNET_OK)
		return err;
	if (!is_signature_of(&row.kept, &read->entry))
		return SIGNET_ERR_IO;
	read->uid = row.kept.uid;
	read->unknown = row.kept.unknown;
	buf_put(&read->value, row.kept.value, row.kept.value_len);
	return read->value.failed ? SIGNET_ERR_IO : SIGNET_OK;
}

static signet_err
copy_row(struct ledger_read *read, sqlite3_stmt *row)
{
	const void *bytes = sqlite3_column_blob(row, 0), *leaf = sqlite3_column_blob(row, 1);
	size_t len = (size_t)sqlite3_column_bytes(row, 0);

	tlog_leaf(read->leaf, bytes, len);
	if (sqlite3_column_bytes(row, 1) != LEDGER_HASH || memcmp(leaf, read->leaf, LEDGER_HASH) != 0)
		return SIGNET_ERR_IO;
	buf_put(&read->entry, bytes, len);
	if (read->entry.failed || !entry_time_of(bytes, len, read->time))
		return SIGNET_ERR_IO;
	return copy_kept(read, sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2));
}

void
row_read(struct db *db, struct ledger_read *read)
{
	sqlite3_stmt *row = db->statement[DB_ROW];
	bool found = false;

	read->err = SIGNET_ERR_REQUEST_NOT_FOUND;
	if (read->index > INT64_MAX)
		return;
	if (sqlite3_bind_int64(row, 1, (int64_t)read->index) != SQLITE_OK ||
	    db_step(db, row, &found) != SIGNET_OK)
		read->err = SIGNET_ERR_IO;
	if (found)
		read->err = copy_row(read, row);
	sqlite3_reset(row);
	if (read->err == SIGNET_OK)
		return;
	buf_done(&read->entry);
	buf_done(&read->value);
	read->uid = (uid_t)-1;
	read->unknown = false;
}
