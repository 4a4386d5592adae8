/* A device's health: a signature of its own from time to time. */
#ifndef SIGNET_SIGNETD_HEALTH_H
#define SIGNET_SIGNETD_HEALTH_H

#include "token.h"

/* Is one due, and can it be made? Costs nothing for a token that is no device. */
void health_tick(struct token *t, uint64_t now_ms);

#endif
