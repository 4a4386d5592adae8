/* C2SP tlog-proofs for entries that are in the log already. */
#ifndef SIGNET_SIGNETD_LOG_PROOF_H
#define SIGNET_SIGNETD_LOG_PROOF_H

#include "cover.h"
#include "ledger/proof.h"

struct broker;

struct log_proof { /* one question to the reader thread, with the checkpoint that it is about */
	struct ledger_query query;
	struct broker *broker;
	struct cover cover;
	struct buf note;
	void (*done)(struct log_proof *p); /* on the loop; owner NULL: nobody waits any more. Freed afterwards */
	void *owner;
};

/* Ask for the proof of `index` in the tree of the newest checkpoint, or of the one that soon covers it. NULL: no memory. */
struct log_proof *log_proof_new(struct broker *b, uint64_t index, void (*done)(struct log_proof *p), void *owner);
/* `done` may come at once. */
void log_proof_begin(struct log_proof *p);
/* In `done`: the proof as text; nothing if it failed, or the log cannot be written and no checkpoint covers it. */
void log_proof_write(struct buf *out, const struct log_proof *p);

#endif
