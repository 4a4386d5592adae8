/* The way of a job through its token: claim, lane, record. */
#ifndef SIGNET_SIGNETD_TOKEN_QUEUE_H
#define SIGNET_SIGNETD_TOKEN_QUEUE_H

#include "token.h"

/* Our own job at the front of the queue. */
void token_submit_own(struct token *t, struct job *j);
/* Every job that waits unclaimed ends with this fault. */
void token_fail_queued(struct token *t, const struct fault *f);
/* A claimed job ends without a signature: record it. `unknown`: the token may have used its key. */
void token_record_failed(struct token *t, struct job *j, bool unknown, const char *detail);
/* The fault of a token that cannot work now, by its state. */
void token_fault(const struct token *t, struct fault *f);

/* Its PIN is blocked, and who can help. */
void token_blocked(const struct token *t, struct fault *f);

#endif
