/*
 * Encoding of what lies beside an entry or a claim.
 *
 *   kept      u8 version, u8 flags (1: unknown), u32 uid, u64 time, input[32],
 *             u16 length and requestId, u32 length and value
 *   openings  u8 version, u8 count, then for each: u16 length and field,
 *             salt[32], u16 length and text
 *
 * Invariant: a blob is decoded whole or refused; nothing may follow it. A blob
 * written by a later version is refused, never guessed at.
 */
#include "ledger/kept.h"

#include <string.h>

enum { KEPT_VERSION = 1, KEPT_UNKNOWN = 1, OPENINGS_VERSION = 1, TEXT_MAX = 65535 };

signet_err
kept_encode(struct buf *out, const struct ledger_kept *kept, int64_t time_us)
{
	size_t id_len = strlen(kept->request_id);

	if (id_len > LEDGER_REQUEST_ID_MAX || kept->value_len > KEPT_VALUE_MAX)
		return SIGNET_ERR_LIMIT;
	buf_u8(out, KEPT_VERSION);
	buf_u8(out, kept->unknown ? KEPT_UNKNOWN : 0);
	buf_u32(out, (uint32_t)kept->uid);
	buf_u64(out, (uint64_t)time_us);
	buf_put(out, kept->input, sizeof(kept->input));
	buf_bytes16(out, kept->request_id, id_len);
	buf_u32(out, (uint32_t)kept->value_len);
	if (kept->value_len > 0)
		buf_put(out, kept->value, kept->value_len);
	return out->failed ? SIGNET_ERR_MEMORY : SIGNET_OK;
}

signet_err
kept_decode(struct kept_row *row, const void *blob, size_t len)
{
	const uint8_t *input;
	struct cursor c;
	unsigned version, flags;

	memset(row, 0, sizeof(*row));
	cur_init(&c, blob, len);
	version = cur_u8(&c);
	flags = cur_u8(&c);
	row->kept.uid = (uid_t)cur_u32(&c);
	row->time_us = (int64_t)cur_u64(&c);
	input = cur_take(&c, LEDGER_HASH);
	if (input != NULL)
		memcpy(row->kept.input, input, LEDGER_HASH);
	cur_str16(&c, row->request_id, sizeof(row->request_id));
	row->kept.value_len = cur_u32(&c);
	row->kept.value = cur_take(&c, row->kept.value_len);
	if (!cur_done(&c) || version != KEPT_VERSION || flags > KEPT_UNKNOWN)
		return SIGNET_ERR_IO;
	row->kept.unknown = flags == KEPT_UNKNOWN;
	row->kept.request_id = row->request_id;
	return SIGNET_OK;
}

signet_err
openings_check(const struct ledger_opening *openings, size_t count)
{
	if (count > LEDGER_OPENINGS_MAX)
		return SIGNET_ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		if (strlen(openings[i].text) > TEXT_MAX)
			return SIGNET_ERR_LIMIT;
		/* the row's key is (index, field): a second one would fail everybody's transaction */
		for (size_t j = 0; j < i; j++)
			if (strcmp(openings[i].field, openings[j].field) == 0)
				return SIGNET_ERR_ARGUMENT;
	}
	return SIGNET_OK;
}

signet_err
openings_encode(struct buf *out, const struct ledger_opening *openings, size_t count)
{
	signet_err err = openings_check(openings, count);

	if (err != SIGNET_OK)
		return err;
	buf_u8(out, OPENINGS_VERSION);
	buf_u8(out, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		buf_bytes16(out, openings[i].field, strlen(openings[i].field));
		buf_put(out, openings[i].salt, LEDGER_HASH);
		buf_bytes16(out, openings[i].text, strlen(openings[i].text));
	}
	return out->failed ? SIGNET_ERR_MEMORY : SIGNET_OK;
}

signet_err
openings_begin(struct cursor *c, const void *blob, size_t len, unsigned *count)
{
	unsigned version, n;

	cur_init(c, blob, len);
	version = cur_u8(c);
	n = cur_u8(c);
	if (c->failed || version != OPENINGS_VERSION || n > LEDGER_OPENINGS_MAX)
		return SIGNET_ERR_IO;
	if (n == 0 && !cur_done(c))
		return SIGNET_ERR_IO;
	*count = n;
	return SIGNET_OK;
}

signet_err
openings_next(struct cursor *c, struct opening_row *row)
{
	row->field = cur_bytes16(c, &row->field_len);
	row->salt = cur_take(c, LEDGER_HASH);
	row->text = cur_bytes16(c, &row->text_len);
	return c->failed ? SIGNET_ERR_IO : SIGNET_OK;
}
