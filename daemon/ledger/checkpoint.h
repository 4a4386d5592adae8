/*
 * The signed heads of the log [C2SP tlog-checkpoint], and proofs of entries
 * against them [C2SP tlog-proof]. The writer's.
 */
#ifndef SIGNET_LEDGER_CHECKPOINT_H
#define SIGNET_LEDGER_CHECKPOINT_H

#include "base/keychain.h"
#include "ledger/logkey.h"
#include "ledger/store.h"

enum { HEAD_NOTE_MAX = 1024, HEAD_EVERY_MS = 50, PROOF_MAX = 8 * 1024 };

/* A checkpoint as a note and what it says. note_len 0: none. */
struct head {
	struct checkpoint says;
	size_t note_len;
	char note[HEAD_NOTE_MAX];
};

struct heads {
	bool on; /* the log has a key */
	char origin[NOTE_NAME_MAX + 1];
	struct note_signer signer;
	char vkey[LOGKEY_TEXT];
	/* the key that takes over if this transaction becomes durable */
	bool changing;
	struct note_signer next_signer;
	char next_vkey[LOGKEY_TEXT];
	struct head last; /* of the newest row that has one, durable */
	struct head next; /* of the open transaction; note_len 0: none */
	uint64_t due_at;  /* earliest time of the next timed one, ns of uv_hrtime */
};

/* SIGNET_ERR_ARGUMENT: `origin` is no name for a key; SIGNET_ERR_MEMORY. */
must_check signet_err heads_init(struct heads *h, const char *origin, const uint8_t seed[NOTE_SEED]);
void heads_done(struct heads *h);

/*
 * Inside a transaction: from here on this key signs. `tail` gets the members of the entry that says so, signed by the
 * old one; the entry comes next. SIGNET_ERR_ARGUMENT: there is nothing to sign yet, or the key changes already;
 * SIGNET_ERR_MEMORY.
 */
must_check signet_err heads_change_key(
    struct heads *h, const struct store *s, const uint8_t seed[NOTE_SEED], struct buf *tail);

/* Whether entries of the store, size of them, are not covered yet. */
bool heads_behind(const struct heads *h, uint64_t size);
/* Inside a transaction: sign the tree and store the note in its last row. LOG_UNAVAILABLE, MEMORY. */
must_check signet_err heads_make(struct heads *h, struct store *s);
/* The proof of an entry against the checkpoint that heads_make made in this transaction. Errors as above. */
must_check signet_err heads_prove(const struct heads *h, struct store *s, uint64_t index, struct buf *out);
/* The transaction is durable, or it failed. True: another key signs now. */
bool heads_keep(struct heads *h, uint64_t now);
void heads_drop(struct heads *h);
/* No other key after all. */
void heads_stay(struct heads *h);

#endif
