/* Erasures that wait for a second person. */
#ifndef SIGNET_SIGNETD_ERASURE_H
#define SIGNET_SIGNETD_ERASURE_H

#include "base/base.h"

struct broker;

/* Forget those that waited too long; UINT64_MAX: all. */
void erasures_expire(struct broker *b, uint64_t now_ms);

#endif
