/* Whose turn it is at a token: each user's requests in order, users in turn. */
#ifndef SIGNET_SIGNETD_TOKEN_FAIR_H
#define SIGNET_SIGNETD_TOKEN_FAIR_H

#include "token.h"

/* Put the job where it belongs in the queue. False: the queue is full, or its user has his share of it. */
must_check bool fair_queue(struct token *t, struct job *j);
/* It leaves the queue to be claimed. */
void fair_served(struct token *t, const struct job *j);
/* When is it worth while to try again? */
int fair_retry_after_ms(const struct token *t);

#endif
