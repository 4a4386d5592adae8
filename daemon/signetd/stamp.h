/*
 * Time-stamps by a key of this machine: whether the clock may be believed, and
 * the job that makes one.
 */
#ifndef SIGNET_SIGNETD_STAMP_H
#define SIGNET_SIGNETD_STAMP_H

#include "fault.h"
#include "job.h"
#include "token.h"

struct broker;

enum {
	STAMP_STEP_US = 500000,		       /* a clock that jumps farther was set */
	STAMP_WAIT_US = 10 * 60 * 1000 * 1000, /* from then on nothing is stamped for so long */
};

struct stamp_wish {
	struct digest imprint;
	uint8_t nonce[WIRE_NONCE_MAX];
	size_t nonce_len; /* 0: none */
	bool cert_req;
	enum verb verb; /* asked again at the claim; VERB_NONE: a signature's own */
};

/* Look whether the clock was set since the last look; each time is an entry of the log. On the loop. */
void stamp_watch_clock(struct broker *b);
/* The key of the source in force, while there are stamps to be had. NULL: the fault says why there are none. */
struct key *stamp_source(struct broker *b, struct fault *f);
/* A job for that key's token, not yet submitted; NULL without memory. */
struct job *stamp_job(struct broker *b, struct key *k, struct identity *who, const struct stamp_wish *wish);
/* At the claim: the clock again, then time and serial number. */
bool stamp_claim(struct job *j, struct fault *f);

#endif
