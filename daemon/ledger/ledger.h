/*
 * The append-only signing log on disk (`log.db`).
 *
 * Two threads of its own: the writer is the only one that changes the
 * database, the reader serves single rows. The loop talks to both by messages:
 * it submits operations, hands them over once per loop turn, and gets each one
 * back through its `done` callback on the loop, after the commit that made it
 * durable. Nothing here blocks the loop.
 *
 * Life of a signature: a CLAIM is durable before the token is touched; its
 * RECORD removes the claim, appends the entry and keeps the reply in one
 * transaction. Claims found when the log is opened become entries with outcome
 * `unknown` before anything else is written.
 *
 * Row, leaf and tree grow together or not at all. Entries are stored as they
 * are hashed [include/signet/log.h].
 */
#ifndef SIGNET_LEDGER_LEDGER_H
#define SIGNET_LEDGER_LEDGER_H

#include <sys/types.h>
#include <uv.h>

#include "base/buf.h"

enum {
	LEDGER_HASH = 32,
	LEDGER_REQUEST_ID_MAX = 128, /* bytes of a requestId */
	LEDGER_OPENINGS_MAX = 12,
};

struct ledger;

/* Text behind a hash in an entry; the entry has SHA-256(salt || text). Text is NUL-terminated. */
struct ledger_opening {
	const char *field; /* a static string, as in SIGNET_LOG_FIELDS */
	uint8_t salt[LEDGER_HASH];
	char *text;
};

/* What a requestId is bound to, and the reply that it gets again. */
struct ledger_kept {
	uid_t uid;
	const char *request_id;     /* NULL: nothing is kept */
	uint8_t input[LEDGER_HASH]; /* hash of the call's parameters without PIN and time-out */
	bool unknown;               /* the outcome is unknown; `value` is empty */
	const uint8_t *value;       /* the signature */
	size_t value_len;
};

/*
 * A durable note about PIN tries of one token and one source ("call", "stored", "agent"), written in the same
 * transaction as the operation that carries it. failures == 0 and !pending removes the row.
 */
struct ledger_tried {
	bool set;        /* false: this operation carries no note */
	char serial[64]; /* module-independent token serial, or "label:<label>" */
	char source[16];
	bool pending;      /* a C_Login is about to be sent; found at start: counts as a failure */
	unsigned failures; /* since the last success */
	int64_t last_us;   /* time of the last failure, microseconds since 1970 */
};

enum ledger_kind {
	LEDGER_CLAIM,  /* in: kind, body, openings, kept (without value), tried. out: claim */
	LEDGER_RECORD, /* in: claim, kind, body, tail, openings, kept, tried. out: index, ... */
	LEDGER_APPEND, /* in: kind, body, tail, openings, tried. out: index, ... */
	LEDGER_TRIED,  /* in: tried */
};

struct ledger_op {
	struct ledger_op *next; /* the ledger's */
	enum ledger_kind what;

	/* in: borrowed until `done` */
	const char *kind; /* of the entry: "sign" */
	const char *body; /* members of the entry without braces and outer commas: "uid":1,"key":"a" */
	size_t body_len;
	const char *tail; /* further members, may be NULL */
	size_t tail_len;
	const struct ledger_opening *openings;
	size_t opening_count;
	struct ledger_kept kept;
	struct ledger_tried tried;
	uint64_t claim; /* out of CLAIM, in of RECORD */

	/* out */
	/*
	 * OK; LOG_UNAVAILABLE (ledger_why() says why); LIMIT: entry over SIGNET_ENTRY_MAX, requestId or value too long,
	 * too many openings (a claim then was not made, a claim that was to be recorded still stands);
	 * ARGUMENT: RECORD of a claim that does not stand, or two openings of one field; REQUEST_NOT_FOUND: there is
	 * nothing to erase, and no entry was made; MEMORY.
	 */
	signet_err err;
	uint64_t index;
	char time[28]; /* "2026-11-21T19:26:41.123456Z" */
	struct buf
	    entry; /* the bytes as hashed; the ledger initialises it, the owner calls buf_done after `done` */
	uint8_t leaf[LEDGER_HASH];

	/*
	 * in: the caller wants a proof (RECORD, APPEND): a checkpoint is made with this commit, and `proof` gets the C2SP
	 * tlog-proof of the entry against it. Empty otherwise; the ledger initialises it like `entry`.
	 */
	bool want_proof;
	struct buf proof;
	/*
	 * in: erase the texts behind this entry in the same transaction (APPEND of kind "erasure"). They are gone from
	 * the database's files a moment after the log has become quiet, and when it is closed.
	 */
	bool erase;
	uint64_t erase_index;
	const char *erase_field; /* NULL: all of them */

	/*
	 * in: from this entry on another key signs (APPEND of kind "logkey"); it is made here, and the members that tell
	 * of it are the entry's last. A checkpoint by the new key is made with this commit. ARGUMENT: the log has no key,
	 * or none of its own to change (ledger_options.key_is_given), or another change is in the same commit.
	 */
	bool change_key;

	void (*done)(struct ledger_op *op); /* on the loop; the operation is the owner's again */
	void *owner;
};

struct ledger_options {
	const char *origin;  /* of the log: name of its key, first line of its checkpoints; NULL: no checkpoints (tests) */
	const char *log_key; /* path of the Ed25519 seed, 32 bytes 0600, made if it does not exist; NULL: dir/log.key */
	bool key_is_given;   /* log_key is another's to make: a missing one is an error, and it is never moved */
	const char *tiles;   /* directory of the published log, NULL: none; tiles before checkpoint, each atomically */
	const char *anchor;  /* file with a checkpoint kept elsewhere, NULL: none; the log must extend it */
	const char *dir;    /* state directory; must exist, 0700; log.db and log.reserve live there */
	uint64_t reserve;   /* bytes preallocated for records of what is already claimed; 1 MiB..1 GiB */
	uint64_t wal_limit; /* 0: default */
	/* both are called on the writer thread, and by ledger_open before it runs */
	int64_t (*now_us)(void *arg);          /* wall clock, injected by tests; NULL: clock_gettime */
	const char *(*clock_state)(void *arg); /* "synchronised", ...; a static string; NULL: "unknown" */
	void *arg;
	const char *boot_id; /* 32 hex digits, lower case */
	/*
	 * A RECORD that came back with LOG_UNAVAILABLE and keeps a reply has been written after all; on the loop. `kept`
	 * is borrowed. May be NULL.
	 */
	void (*late)(void *arg, const struct ledger_kept *kept, uint64_t index);
};

struct ledger_start {
	uint64_t size;      /* entries at open, the recovered ones included */
	uint64_t recovered; /* claims that became entries with outcome unknown */
	bool anchor_missing; /* options.anchor is not there, so nothing was compared with it */
};

/*
 * Open or create the log, make leftover claims entries, start both threads.
 * SIGNET_ERR_LOG_UNAVAILABLE or SIGNET_ERR_BUSY (another process holds the
 * state directory); `why` gets one sentence that says what to do.
 */
must_check signet_err ledger_open(struct ledger **out, uv_loop_t *loop, const struct ledger_options *o,
    struct ledger_start *start, char *why, size_t why_size);

/*
 * Each binding of a requestId younger than 30 days among the last 1,000,000 entries, oldest first; after ledger_open,
 * before anything is submitted. SIGNET_ERR_IO, SIGNET_ERR_LOG_UNAVAILABLE: the log cannot be read.
 */
must_check signet_err ledger_each_kept(
    struct ledger *log, void (*each)(void *arg, const struct ledger_kept *kept, uint64_t index), void *arg);
/* Each durable note about PIN tries; as above. */
must_check signet_err ledger_each_tried(
    struct ledger *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg);

/* Queue an operation. Nothing happens before the hand-over. Operations commit in the order of submission. */
void ledger_submit(struct ledger *log, struct ledger_op *op);
/*
 * Give everything queued to the writer: once per loop turn, nothing happens if the queue is empty.
 * in_flight: jobs whose next operation may come soon; the writer gathers until it has 30 % of them, at most 0.8 ms.
 */
void ledger_hand_over(struct ledger *log, unsigned in_flight);
/* Operations submitted and not yet given back. */
size_t ledger_pending(const struct ledger *log);

/*
 * False while claims would be refused: the disk is full, or the reserve is not whole. The writer tries by itself
 * to make it whole again. A RECORD that cannot be written although the reserve was given up comes back with
 * LOG_UNAVAILABLE; the ledger has kept its own copy and writes it as soon as it can.
 */
bool ledger_available(const struct ledger *log);
/*
 * Have both threads looked for work since the last call? Asks them to look again: call it at intervals, the answer
 * is about the one that has passed. False while one is stuck; the first call answers for nothing.
 */
bool ledger_beats(struct ledger *log);
/* One sentence, "" while available. */
const char *ledger_why(const struct ledger *log);
/* Entries that are durable, as the loop knows it. */
uint64_t ledger_size(const struct ledger *log);
/* Microseconds of the last commit, its operations; for status. */
void ledger_last_commit(const struct ledger *log, unsigned *us, unsigned *ops);

/* Read one row on the reader thread. */
struct ledger_read {
	struct ledger_read *next;
	uint64_t index; /* in */

	signet_err err; /* out: OK, REQUEST_NOT_FOUND (no such row), IO */
	struct buf entry;
	char time[28];
	uint8_t leaf[LEDGER_HASH];
	bool unknown;     /* as in ledger_kept */
	struct buf value; /* the kept reply; empty if nothing was kept */
	uid_t uid;        /* of the binding; (uid_t)-1 if nothing was kept */

	void (*done)(struct ledger_read *r); /* on the loop; buf_done on entry and value is the owner's */
	void *owner;
};
void ledger_read_row(struct ledger *log, struct ledger_read *r);

/*
 * Write what is queued, join both threads, give back every operation (their `done` is called from here), close
 * the loop handle; `closed` is called on the loop when the memory is gone. What a `done` submits meanwhile comes
 * back with LOG_UNAVAILABLE. A RECORD that the disk still does not take leaves its claim: unknown at the next open.
 */
void ledger_close(struct ledger *log, void (*closed)(void *arg), void *arg);

#endif
