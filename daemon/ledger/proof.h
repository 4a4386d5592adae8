/*
 * What is read from the log beyond single rows: ranges, proofs, heads,
 * openings, backups. Everything runs on the reader thread, in short
 * transactions of its own read-only connection, and comes back through `done`
 * on the loop like a ledger_read.
 */
#ifndef SIGNET_LEDGER_PROOF_H
#define SIGNET_LEDGER_PROOF_H

#include "base/note.h"
#include "base/tlog.h"
#include "ledger/ledger.h"

struct ledger_filter {             /* "" or LEDGER_ANY: does not matter; all that are given must hold */
	int64_t from_us, until_us; /* until is excluded; 0: open */
	char kind[16], key[64], token[64], operation[16], outcome[16];
	char digest[160], document_tag[72], cert_hash[80], signature_hash[80],
	    request_id[LEDGER_REQUEST_ID_MAX + 1];
	int64_t uid; /* -1: any */
};

struct ledger_row { /* one row of a page; borrowed during `done` */
	uint64_t index;
	const uint8_t *entry;
	size_t entry_len;
	uint8_t leaf[LEDGER_HASH];
	size_t leaf_len; /* as it is stored; LEDGER_HASH but in a damaged row */
	bool as_hashed;  /* the bytes are those of the leaf; false only where `raw` was asked for */
	const uint8_t *subtrees;
	size_t subtrees_len;
	const char *checkpoint;
	size_t checkpoint_len;
	struct {                          /* with `titles` */
		const char *field, *text; /* text NULL: erased */
		uint8_t salt[LEDGER_HASH];
	} openings[LEDGER_OPENINGS_MAX];
	size_t opening_count;
	const uint8_t *text; /* what `render` wrote */
	size_t text_len;
};

enum ledger_query_kind {
	LEDGER_PAGE,      /* up to `limit` (1..256) rows from `from` on that pass `filter`, at most 512 KiB */
	LEDGER_INCLUSION, /* index, size -> proof, leaf */
	LEDGER_CONSISTENCY, /* first, size -> proof */
	LEDGER_ROOT,        /* size -> root */
	/*
	 * path: absolute, of a new folder, which is named path.partial until it is whole. The database by SQLite's backup
	 * interface, the published log if there is one, log.vkey, and what `files` names; a key only where it is named.
	 */
	LEDGER_BACKUP,
};

/* A small file that goes into a backup. */
struct ledger_file {
	const char *name; /* there: "signetd.conf", or with one folder in front */
	const char *path; /* of the original; NULL: `text` is its content */
	const char *text;
	bool may_lack; /* no harm if it is not there */
};

struct ledger_query {
	struct ledger_query *next; /* the ledger's, as is `work` */
	struct query_work *work;
	enum ledger_query_kind what;

	/* in */
	uint64_t from, limit, index, first, size;
	const struct ledger_filter *filter; /* NULL: every row; borrowed until `done` */
	bool titles;
	bool raw; /* rows that are not what was hashed, too: for those who look for them */
	/* Each row as it goes out, written on the reader thread; NULL: the caller writes. It may read what `owner` owns. */
	void (*render)(const struct ledger_query *q, const struct ledger_row *row, struct buf *out);
	const char *path;
	const struct ledger_file *files; /* borrowed until `done` */
	size_t file_count;

	/* out */
	signet_err err; /* OK, REQUEST_NOT_FOUND (no such index or size), IO (`why`) */
	char why[200];
	struct ledger_row *rows;
	size_t row_count;
	uint64_t next_from; /* where the next page begins */
	bool at_end;        /* nothing more passes the filter now */
	struct tlog_proof proof;
	uint8_t leaf[LEDGER_HASH], root[LEDGER_HASH];

	void (*done)(struct ledger_query *q); /* rows are freed after it returns; it may free or ask again */
	void *owner;
};

void ledger_query(struct ledger *log, struct ledger_query *q);

/* The newest checkpoint: its note and what it says, as the loop knows it. False: there is none yet. */
bool ledger_head(const struct ledger *log, struct checkpoint *c, const char **note, size_t *note_len);
/* Why the log is not published to its folder: one sentence, "" while it is (or none is configured). Signing goes on. */
const char *ledger_tiles_why(const struct ledger *log);
/* Size of the checkpoint that is published there. */
uint64_t ledger_tiles_size(const struct ledger *log);
/* The verifier key (C2SP vkey), NUL-terminated; and all there were, from the first to it, a line each. */
const char *ledger_vkey(const struct ledger *log);
const char *ledger_vkeys(const struct ledger *log);
/* Why the files of a new key could not be written yet; "": they stand. The next start writes them. */
const char *ledger_key_why(const struct ledger *log);
/* The name of the log: options.origin, and behind it a number where it continues another. */
const char *ledger_origin(const struct ledger *log);

#endif
