/*
 * Who may use a token's login, and which PIN may go out: decided once, at the
 * claim, in the order of the queue. Nothing here sends anything.
 */
#ifndef SIGNET_SIGNETD_TOKEN_LEASE_H
#define SIGNET_SIGNETD_TOKEN_LEASE_H

#include "token.h"

enum lease_verdict {
	LEASE_GO,   /* job->flags, exclusive, proof and note are set; a use was taken */
	LEASE_WAIT, /* job->not_before_ms says until when */
	LEASE_FAIL, /* job->fault is set; not so if there is nothing left to do */
};

enum lease_verdict lease_decide(struct token *t, struct job *j);
/* What the worker said of the PIN in this job: our own count, the lease, the token's state. */
void lease_result(struct token *t, struct job *j, const struct wire_result *res);
/* The job was never sent, or its worker died: what becomes of the PIN note, and of the use it took. */
void lease_unsent(struct token *t, struct job *j);
void lease_lost(struct job *j);
/* The note of this job's source as the log wants it; tried->set stays false if the job made none. */
void lease_note(const struct job *j, struct ledger_tried *tried);
/* Should the stored PIN go out now? */
bool lease_wants_stored(const struct token *t);
bool lease_expired(const struct token *t, uint64_t now_ms);

#endif
