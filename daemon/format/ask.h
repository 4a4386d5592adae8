/*
 * Frames between the broker and signet-format: one question, one answer, in
 * order; flat, bounded, checked.
 *
 *   u32 size of what follows (little-endian) | u8 type | fields in fixed order
 *
 * CONFIG comes first, once, and is answered by an ANSWER like every question.
 * Texts have a u16 length, blobs (DER) a u32 length.
 */
#ifndef SIGNET_FORMAT_ASK_H
#define SIGNET_FORMAT_ASK_H

#include "base/buf.h"

enum {
	SIGNET_FORMAT_FD = 3,
	ASK_FRAME_MAX = 512 * 1024,
	ASK_CERTS_MAX = 8,
	ASK_FILES_MAX = 16,
	ASK_PATH_SIZE = 1024,
	ASK_REASON_SIZE = 160,
	ASK_BLOB_MAX = 256 * 1024,
};

enum ask_type {
	ASK_CONFIG = 1, /* files of authorities, folder of revocation lists */
	ASK_CHECK,	/* may this certificate sign now? */
	ASK_VALUE,	/* the signature inside a CMS */
	ASK_ADD_STAMP,	/* a CMS with a time-stamp in it */
	ASK_IMPORT,	/* one certificate, PEM or DER, as DER */
	ASK_ANSWER,
};

enum ask_purpose { ASK_FOR_SIGNATURES, ASK_FOR_STAMPS };

/* What is known of a certificate. The first six are said of it for sure or not at all; see ask_verdict_is_bad. */
enum ask_verdict {
	VERDICT_GOOD,
	VERDICT_EXPIRED,
	VERDICT_NOT_YET_VALID,
	VERDICT_REVOKED,
	VERDICT_USAGE,	   /* not for what it is asked for */
	VERDICT_BROKEN,	   /* a signature in its chain is not good, or it cannot be read */
	VERDICT_UNTRUSTED, /* no path to an anchor */
	VERDICT_NO_REVOCATION, /* no current revocation list */
	VERDICT_COUNT
};
const char *ask_verdict_word(enum ask_verdict v); /* "good", "expired", ...: as in the log */
/* It must not sign, whatever the policy; the others only where the policy is strict. */
bool ask_verdict_is_bad(enum ask_verdict v);

struct ask_blob { /* borrowed */
	const uint8_t *bytes;
	size_t len;
};

struct ask {
	uint8_t type;
	/* CONFIG */
	uint8_t confine;
	uint16_t anchor_count, intermediate_count;
	char anchors[ASK_FILES_MAX][ASK_PATH_SIZE], intermediates[ASK_FILES_MAX][ASK_PATH_SIZE];
	char crls[ASK_PATH_SIZE]; /* "": none */
	/* CHECK */
	uint8_t purpose;
	int64_t now; /* seconds since 1970 */
	uint8_t blob_count; /* CHECK: certificates, own first; ADD_STAMP: CMS, token; VALUE, IMPORT: one */
	struct ask_blob blobs[ASK_CERTS_MAX];
};

struct ask_answer {
	uint16_t err;	 /* signet_err; CHECK: OK whatever the verdict */
	uint8_t verdict; /* CHECK */
	char reason[ASK_REASON_SIZE]; /* for people; "" if there is nothing to say */
	struct ask_blob blob;
};

/* As wire_next(): length of the whole frame at the front, 0: more is needed, SIZE_MAX: none of ours. */
size_t ask_next(const uint8_t *bytes, size_t len);
/* Encoders append a frame; decoders take exactly one and borrow from it. SIGNET_ERR_PROTOCOL. */
void ask_put(struct buf *out, const struct ask *a);
must_check signet_err ask_get(struct ask *a, const uint8_t *frame, size_t len);
void ask_answer_put(struct buf *out, const struct ask_answer *a);
must_check signet_err ask_answer_get(struct ask_answer *a, const uint8_t *frame, size_t len);

#endif
