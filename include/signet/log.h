/*
 * The signing log: what an entry says and in which order; and how to verify
 * entries, proofs and whole copies of a log with no daemon present.
 *
 * An entry is one compact UTF-8 JSON object (no white space, integers only, at
 * most SIGNET_ENTRY_MAX bytes). These bytes are hashed as they are stored and
 * are never re-serialised: members stand in the order given here, absent ones
 * are left out, and a reader must take the bytes, not a re-encoding of them.
 *
 *   leaf hash = SHA-256(0x00 || entry)                       [RFC 6962, 2.1]
 *
 * Every entry begins
 *   v      1
 *   kind   one of SIGNET_LOG_KINDS
 *   time   when it was recorded, RFC 3339 UTC with microseconds
 *   boot   boot id of the machine, 32 hex digits
 *   index  its place in the log, from 0
 *   clock  "synchronised", "unsynchronised" or "unknown": what the kernel said of the clock
 *
 * and goes on with those members of SIGNET_LOG_FIELDS that apply, in that order.
 *
 * No free text and no personal name stands in an entry. A member marked `o` is
 * an opening: the entry has "sha256:<hex>" of SHA-256(salt || text) with a
 * random salt of 32 bytes; salt and text lie in a table of their own, can be
 * erased, and are readable only with the right `read-titles`.
 */
#ifndef SIGNET_LOG_H
#define SIGNET_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <signet/signet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIGNET_ENTRY_MAX 65535 /* C2SP tlog-tiles: an entry bundle has 16-bit lengths */

/* X(name, meaning) */
#define SIGNET_LOG_KINDS(X)                                                                                  \
	X("start", "the daemon started: version, configuration hash, effective policy")                      \
	X("reload", "the configuration was read again: its hash, effective policy")                          \
	X("stop", "the daemon stopped in order")                                                             \
	X("sign", "one signature was asked for and not refused by policy")                                   \
	X("seal", "one seal was asked for and not refused by policy")                                        \
	X("timestamp", "one time-stamp was asked for and not refused by policy")                             \
	X("unlock", "a PIN was sent to a token outside a signature")                                         \
	X("lock", "a token was locked on request")                                                           \
	X("token", "a token came, went, failed or was blocked")                                              \
	X("refusal", "policy refused; repeats within ten minutes are counted in one entry")                  \
	X("clock", "the clock was stepped")                                                                  \
	X("key", "a key was generated, disabled or enabled, or its certificate changed")                     \
	X("approval", "a request was approved, rejected or expired")                                         \
	X("delegation", "a duty was delegated, or a delegation ended")                                       \
	X("withdrawal", "a signature was withdrawn by its holder")                                           \
	X("export", "an auditor read or exported entries")                                                   \
	X("erasure", "openings were erased")                                                                 \
	X("logkey", "the log key changed")                                                                   \
	X("origin", "this log continues another one, which cannot go on: what is known of its head")         \
	X("moved", "the log was restored from a backup, and goes on here")

/* X(name, type, meaning); type: i integer, s string, a array of strings or integers, o opening */
#define SIGNET_LOG_FIELDS(X)                                                                                 \
	X("uid", "i", "user of the peer, by SO_PEERCRED")                                                    \
	X("gid", "i", "its primary group")                                                                   \
	X("pid", "i", "its process; describes, proves nothing")                                              \
	X("exe", "s", "its program where readable; describes, proves nothing")                               \
	X("unit", "s", "its systemd unit; describes, proves nothing")                                        \
	X("rule", "s", "rule of the policy that decided")                                                    \
	X("proof", "s", "how the person is known: pin, agent, uid, claimed, credential")                     \
	X("agentUid", "i", "user whose agent answered the prompt, by SO_PEERCRED")                           \
	X("verb", "s", "what was asked for, in a refusal")                                                   \
	X("method", "s", "method that was called, in a refusal")                                             \
	X("key", "s", "configured name of the key")                                                          \
	X("certSerial", "s", "serial number of its certificate, hex")                                        \
	X("certHash", "s", "\"sha256:<hex>\" of its certificate")                                            \
	X("token", "s", "configured name of the token")                                                      \
	X("tokenSerial", "s", "serial number of the token")                                                  \
	X("certCheck", "s", "good, untrusted, no-revocation, unchecked, unavailable: what was known of the certificate")   \
	X("operation", "s", "sign, seal, timestamp, health, ...")                                                    \
	X("digest", "s", "\"<algorithm>:<hex>\" that was signed")                                            \
	X("format", "s", "raw, cades, pades, tst")                                                           \
	X("level", "s", "b, t")                                                                              \
	X("scheme", "s", "pkcs1, pss, ecdsa, eddsa")                                                         \
	X("stampPolicy", "s", "policy of the time-stamp, an OID")                                            \
	X("stampSerial", "s", "serial number of the time-stamp, hex")                                        \
	X("stampTime", "s", "time that it states, RFC 3339 UTC with milliseconds")                           \
	X("purpose", "s", "issue, copy, exception")                                                          \
	X("basis", "a", "indexes of the entries that a seal stands on")                                      \
	X("approvals", "a", "indexes of the approvals it stands on")                                         \
	X("documentTag", "s", "HMAC-SHA-256(installation key, number | date), hex")                          \
	X("number", "o", "document number")                                                                  \
	X("title", "o", "document title")                                                                    \
	X("date", "o", "document date")                                                                      \
	X("documentId", "o", "the client's own identifier")                                                  \
	X("mediaType", "s", "media type of the document")                                                    \
	X("capacity", "o", "capacity in which the person signed")                                            \
	X("onBehalfOf", "o", "person it was for, as claimed by the client")                                  \
	X("handedBy", "o", "person who handed the token over")                                               \
	X("handedTo", "o", "person who has it now")                                                          \
	X("reason", "o", "reason given by a person")                                                         \
	X("requestId", "s", "the client's request id")                                                       \
	X("state", "s", "state of the token: absent, locked, ready, blocked, failed")                        \
	X("version", "s", "version of the daemon")                                                           \
	X("config", "s", "\"sha256:<hex>\" of the configuration files")                                      \
	X("policy", "s", "\"sha256:<hex>\" of the effective policy")                                         \
	X("rules", "a", "the effective policy, a rule a string, while it fits")                              \
	X("sandbox", "s", "\"off\" where the workers are not confined")                                      \
	X("first", "s", "time of the first repeat, in a folded refusal")                                     \
	X("repeated", "i", "how often it happened since the entry before")                                   \
	X("outcome", "s", "ok, failed, unknown, cancelled, refused")                                         \
	X("error", "s", "name of the error the caller got")                                                  \
	X("detail", "s", "a word of our own about the error: a CKR_* name, a stage")                         \
	X("signatureHash", "s", "\"sha256:<hex>\" of the signature value; of a CMS, of that in its SignerInfo")  \
	X("cmsHash", "s", "\"sha256:<hex>\" of the whole CMS") \
	X("oldKey", "s", "verifier key until here, in a change of log key")                                  \
	X("newKey", "s", "verifier key from here on")                                                        \
	X("handover", "s", "signed note by the old key: the tree before this entry, and the new key")        \
	X("oldLog", "s", "name of the log that this one continues")                                          \
	X("oldSize", "i", "entries that its newest known checkpoint has")                                    \
	X("oldRoot", "s", "root of their tree, base64")                                                      \
	X("oldCheckpoint", "s", "that checkpoint")                                                           \
	X("oldEntries", "i", "entries that stood in its database")                                           \
	X("movedFrom", "s", "machine on which a backup was made, before the log went on here")

/*
 * ---- verification ----
 *
 * The trust of a verifier is one line of text, the log's verifier key (C2SP vkey, "name+id+key"): from the record
 * of the log's enrolment, never from the copy that is verified. Every function that finds something wrong says
 * what in signet_error_message(NULL). They are thread-safe.
 *
 * SIGNET_ERR_VERIFY    it does not hold: changed, or not of this log
 * SIGNET_ERR_PROTOCOL  it is not of the form that it should have
 * SIGNET_ERR_ARGUMENT  an argument is NULL where it must not be, or the vkey is none
 * SIGNET_ERR_MEMORY
 * can be returned by each of them; outputs then are untouched.
 */
enum {
	SIGNET_LOG_HASH = 32,        /* bytes of a SHA-256 */
	SIGNET_LOG_ORIGIN_MAX = 200, /* bytes of a log's name */
	SIGNET_LOG_PROOF_MAX = 64,   /* hashes of a proof */
};

/* What a checkpoint says: so many entries, and the root of their tree. */
typedef struct signet_checkpoint {
	char origin[SIGNET_LOG_ORIGIN_MAX + 1];
	uint64_t size;
	uint8_t root[SIGNET_LOG_HASH];
} signet_checkpoint;

/* SHA-256(0x00 || entry) [RFC 6962, 2.1] */
void signet_log_leaf(const void *entry, size_t size, uint8_t leaf[SIGNET_LOG_HASH]);

/*
 * Is this a verifier key? origin, fingerprint: out, may be NULL. The fingerprint is the SHA-256 of the text of the
 * key, in hex: what `printf %s VKEY | sha256sum` shows.
 */
signet_err signet_log_key(
    const char *vkey, char origin[SIGNET_LOG_ORIGIN_MAX + 1], char fingerprint[2 * SIGNET_LOG_HASH + 1]);

/*
 * Read a checkpoint: a signed note (C2SP tlog-checkpoint).
 *
 * vkey  NULL: only read it; its signatures are not looked at
 */
signet_err signet_log_checkpoint(
    const char *note, size_t size, const char *vkey, signet_checkpoint *checkpoint);

/*
 * Does this entry stand in the log? `proof` is a C2SP tlog-proof, which carries its checkpoint. The entry must
 * also call itself by the index that is proven.
 *
 * index, checkpoint  out, may be NULL
 */
signet_err signet_log_verify_entry(const void *entry, size_t entry_size, const char *proof, size_t proof_size,
    const char *vkey, uint64_t *index, signet_checkpoint *checkpoint);

/*
 * Is the log of `second` the log of `first`, grown? `hashes` is the proof of consistency [RFC 9162, 2.1.4], `count`
 * times SIGNET_LOG_HASH bytes.
 */
signet_err signet_log_verify_growth(
    const signet_checkpoint *first, const signet_checkpoint *second, const uint8_t *hashes, size_t count);

/* Is this the text behind an opening? stated: as the entry has it, "sha256:<hex>". */
signet_err signet_log_verify_opening(
    const char *stated, const uint8_t salt[SIGNET_LOG_HASH], const char *text, size_t text_size);

/*
 * ---- receipts ----
 *
 * FILE.receipt is what a signer keeps beside FILE and FILE.sig: one JSON object, at most 1 MiB,
 *
 *   {"receipt": {...}, "signature": "...", "digest": "sha256:..."}
 *
 * receipt    as org.signetd.Signer has it (log, index, time, entry, leafHash), with `proof`
 * signature  base64 of the signature; may be absent
 * digest     what was signed; may be absent
 */
typedef struct signet_receipt {
	const char *log;          /* origin of the log */
	uint64_t index;           /* of the entry */
	const char *time;         /* when it was recorded */
	const char *entry;        /* its bytes */
	const char *proof;        /* C2SP tlog-proof */
	const uint8_t *signature; /* NULL: the file has none */
	size_t signature_size;
	const char *digest; /* "<algorithm>:<hex>"; NULL: the file has none */
} signet_receipt;

/* Read a receipt; believes nothing yet. SIGNET_ERR_LIMIT: longer than 1 MiB. */
signet_err signet_receipt_read(signet_receipt **receipt, const char *json, size_t size);
/*
 * Is the receipt good? The entry stands in the log of `vkey`; log, index, time, digest and signature of the receipt
 * are those of the entry. Whether the digest is that of a document is for the caller to compare.
 */
signet_err signet_receipt_verify(
    const signet_receipt *receipt, const char *vkey, signet_checkpoint *checkpoint);
void signet_receipt_free(signet_receipt *receipt); /* NULL is fine */
/*
 * The text of a receipt file: of a signature made with `proof` in its options. json: out; free() it.
 *
 * digest  signet_hash_size(hash) bytes; NULL: left out
 * SIGNET_ERR_UNSUPPORTED  the result has no entry, or no proof
 */
signet_err signet_receipt_make(
    const signet_result *result, signet_hash hash, const uint8_t *digest, char **json);

/*
 * ---- copies of a whole log ----
 *
 * A published log is a folder as C2SP tlog-tiles lays it out: `checkpoint`, `tile/<L>/<N>[.p/<W>]` with hashes,
 * `tile/entries/<N>[.p/<W>]` with entries. It has no openings.
 */

/* How far a verification came, and the first thing that is wrong. */
typedef struct signet_log_check {
	size_t size;                  /* of this struct, so that it can grow: set it first */
	signet_checkpoint checkpoint; /* what the copy says of itself */
	bool authentic;               /* its signature was checked */
	uint64_t first;   /* entries below were vouched for by a remembered checkpoint, and not read */
	uint64_t checked; /* entries that were read */
	uint64_t faults;  /* things that are wrong */
	bool has_index;   /* the first of them is about one entry: */
	uint64_t index;
	char place[64];  /* the file in which it is, "tile/entries/000.p/17"; "" where that cannot be said */
	char fault[256]; /* a sentence */
	char vkey[SIGNET_LOG_ORIGIN_MAX + 64]; /* that signed the checkpoint; "": it was not checked, or is not known */
	uint64_t key_changes;                  /* from the key that was given to that one */
} signet_log_check;

/* What to do on the way; every member may be NULL. */
typedef struct signet_log_visitor {
	size_t size; /* of this struct */
	void *arg;
	/*
	 * One entry, in order. Its hash is that of its tile; whether the tile is the log's is known when the verification
	 * ends. False: stop; the verification then is SIGNET_OK so far.
	 */
	bool (*entry)(void *arg, uint64_t index, const char *entry, size_t size);
	/* Every 256 entries. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	/* Each thing that is wrong, as it is found; `check` describes it. False: stop. */
	bool (*fault)(void *arg, const signet_log_check *check);
} signet_log_visitor;

/*
 * Verify a published folder: every entry, every hash and the checkpoint, reading each file once. Partial tiles of
 * earlier checkpoints that are still there are compared, too.
 *
 * vkey      the log's newest key, or an earlier one: each change of key is an entry that the old one has signed, and
 *           is followed. NULL: everything but the signature of the checkpoint
 * since     a checkpoint that was verified earlier: only what came after it is read, and the log must be that one,
 *           grown. NULL: all
 * visitor   may be NULL
 * check     out, also where something is wrong
 *
 * SIGNET_ERR_VERIFY  something is wrong: check->fault, check->place, check->index
 * SIGNET_ERR_IO      a file cannot be read, or the folder has no checkpoint: check->fault, check->place
 */
signet_err signet_log_verify_folder(const char *path, const char *vkey, const signet_checkpoint *since,
    const signet_log_visitor *visitor, signet_log_check *check);

/*
 * One entry of a published folder and its proof against the folder's checkpoint, which holds: it is verified
 * before this returns.
 *
 * entry  out: the bytes, with a NUL behind them; free() it. *entry_size may be NULL
 * proof  out: C2SP tlog-proof; free() it
 *
 * SIGNET_ERR_REQUEST_NOT_FOUND  the checkpoint has not so many entries
 * SIGNET_ERR_IO                 a file cannot be read
 */
signet_err signet_log_prove_from_folder(
    const char *path, const char *vkey, uint64_t index, char **entry, size_t *entry_size, char **proof);

#ifdef __cplusplus
}
#endif

#endif
