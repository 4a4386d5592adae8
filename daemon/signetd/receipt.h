/*
 * The answer to a signature: value and receipt as JSON text, written by hand
 * because this is what the daemon does all day.
 */
#ifndef SIGNET_SIGNETD_RECEIPT_H
#define SIGNET_SIGNETD_RECEIPT_H

#include "base/buf.h"

struct outcome { /* of one signature; borrowed bytes */
	const char *name; /* of the value; NULL: "signature" */
	const uint8_t *sig;
	size_t sig_len; /* 0: none kept */
	uint64_t index;
	const char *time;
	const uint8_t *entry;
	size_t entry_len;
	const uint8_t *leaf; /* 32 bytes */
	const char *proof;   /* C2SP tlog-proof, NULL: none */
	size_t proof_len;
};

/* "signature":..,"receipt":{..} without braces around them. */
void receipt_write(struct buf *out, const char *origin, const struct outcome *o);

#endif
