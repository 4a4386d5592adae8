/*
 * Blobs that lie beside an entry or a claim: what is kept for a requestId, and
 * the openings of a claim. Never hashed; the first byte is a version.
 */
#ifndef SIGNET_LEDGER_KEPT_H
#define SIGNET_LEDGER_KEPT_H

#include "ledger/ledger.h"

enum {
	KEPT_VALUE_MAX = 1 << 20, /* as long as the longest message on the wire */
	KEPT_BLOB_MAX = KEPT_VALUE_MAX + 1024,
	OPENINGS_BLOB_MAX = 1 << 20,
};

/* A decoded binding. `kept` points into this struct and into the blob. */
struct kept_row {
	struct ledger_kept kept;
	int64_t time_us; /* when it was recorded */
	char request_id[LEDGER_REQUEST_ID_MAX + 1];
};

/* SIGNET_ERR_LIMIT (requestId or value too long), SIGNET_ERR_MEMORY. `out` is empty. */
must_check signet_err kept_encode(struct buf *out, const struct ledger_kept *kept, int64_t time_us);
/* SIGNET_ERR_IO: not such a blob. */
must_check signet_err kept_decode(struct kept_row *row, const void *blob, size_t len);

/* At most LEDGER_OPENINGS_MAX, each field once and each text below 64 KiB: ARGUMENT or LIMIT otherwise. */
must_check signet_err openings_check(const struct ledger_opening *openings, size_t count);
/* SIGNET_ERR_LIMIT, SIGNET_ERR_MEMORY. `out` is empty. */
must_check signet_err openings_encode(struct buf *out, const struct ledger_opening *openings, size_t count);

/* One opening of a blob, borrowed from it; strings have no NUL. */
struct opening_row {
	const uint8_t *field, *salt, *text;
	size_t field_len, text_len;
};

/* *count: openings to read with openings_next. SIGNET_ERR_IO: not such a blob. */
must_check signet_err openings_begin(struct cursor *c, const void *blob, size_t len, unsigned *count);
must_check signet_err openings_next(struct cursor *c, struct opening_row *row);

#endif
