/*
 * What takes two people: the first asks, and another one asks the same within
 * 15 minutes. Kept in memory only; nothing is lost with it but the asking.
 */
#ifndef SIGNET_SIGNETD_PAIR_H
#define SIGNET_SIGNETD_PAIR_H

#include <sys/types.h>

#include "base/base.h"

struct broker;
struct request;

/*
 * `what` says what is to be done, exactly: "erase 12 title". True: another user has asked for it before, and that is
 * forgotten now; *asked_by is he. False: the request has been answered, as a rule with {"state": "waiting"}.
 */
bool pair_complete(struct request *r, const char *what, uid_t *asked_by);
/* Forget those that waited too long; UINT64_MAX: all. */
void pairs_expire(struct broker *b, uint64_t now_ms);

#endif
