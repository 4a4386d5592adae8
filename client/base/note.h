/*
 * Signed notes and log checkpoints [C2SP signed-note v1.0.0, tlog-checkpoint
 * v1.0.0]: one parser and one writer for the daemon that signs and for the
 * auditor who verifies. Only Ed25519 (type 0x01) signatures are made and
 * checked; others are kept and passed over.
 */
#ifndef SIGNET_BASE_NOTE_H
#define SIGNET_BASE_NOTE_H

#include "base/buf.h"

enum {
	NOTE_MAX = 16 * 1024,	/* bytes of a whole note */
	NOTE_SIGNATURES_MAX = 32,
	NOTE_NAME_MAX = 200,
	NOTE_HASH = 32,
	NOTE_SEED = 32,
};

struct note_key { /* public half; `name` is the key's name, which for a checkpoint is the origin */
	char name[NOTE_NAME_MAX + 1];
	uint8_t id[4];
	uint8_t public_key[32];
};

struct note_signer {
	struct note_key key;
	void *pkey; /* EVP_PKEY */
};

struct checkpoint {
	char origin[NOTE_NAME_MAX + 1];
	uint64_t size;
	uint8_t root[NOTE_HASH];
};

/* "name+hex8(id)+base64(0x01 || key)". SIGNET_ERR_PROTOCOL. */
must_check signet_err note_key_parse(struct note_key *k, const char *vkey, size_t len);
void note_key_write(struct buf *out, const struct note_key *k);

/* `seed` is the RFC 8032 private key. SIGNET_ERR_ARGUMENT: a name with blanks or '+'. */
must_check signet_err note_signer_init(struct note_signer *s, const char *name, const uint8_t seed[NOTE_SEED]);
void note_signer_done(struct note_signer *s);

/*
 * Append to `out`: text (ending in a newline), an empty line, one signature line. SIGNET_ERR_ARGUMENT (not such a
 * text), SIGNET_ERR_LIMIT (over NOTE_MAX), SIGNET_ERR_MEMORY (or `out` has no room).
 */
must_check signet_err note_sign(struct buf *out, const char *text, size_t len, const struct note_signer *s);
/* One more signature line at the end of a note. SIGNET_ERR_PROTOCOL (no note), SIGNET_ERR_LIMIT, SIGNET_ERR_MEMORY. */
must_check signet_err note_add_signature(struct buf *note, const struct note_signer *s);
/*
 * Is there a signature by `k`, and is it good? *text_len: the signed text at the front.
 * SIGNET_ERR_PROTOCOL (no note), SIGNET_ERR_VERIFY (none by this key, or a wrong one).
 */
must_check signet_err note_verify(const char *note, size_t len, const struct note_key *k, size_t *text_len);

/* Does a line say that it is by `k`, good or not? False also where this is no note. */
bool note_claims(const char *note, size_t len, const struct note_key *k);

/* Only its form: says nothing about who signed. SIGNET_ERR_PROTOCOL. */
must_check signet_err note_read(const char *note, size_t len, size_t *text_len);

/* The size is at most INT64_MAX, as in the wire's integers. */
void checkpoint_write(struct buf *out, const struct checkpoint *c); /* the three lines */
must_check signet_err checkpoint_parse(struct checkpoint *c, const char *text, size_t len); /* SIGNET_ERR_PROTOCOL */
/* note_verify, checkpoint_parse, and the origin is the key's name. */
must_check signet_err checkpoint_open(struct checkpoint *c, const char *note, size_t len, const struct note_key *k);

#endif
