/*
 * Level t: a signature that is in the log gets a time-stamp, and the two become
 * one. The signature's own entry and the reply that is kept with it stay as
 * they are; the time-stamp has an entry of its own, whose digest is the
 * signatureHash of the first. Where the signature has a requestId, its stamp is
 * kept too, so that the first reply can be put together again.
 */
#ifndef SIGNET_SIGNETD_STAMPING_H
#define SIGNET_SIGNETD_STAMPING_H

#include "format.h"
#include "job.h"
#include "receipt.h"
#include "replay.h"

struct stamping {
	/* during `done`: fault.err == OK: outcome has the stamped CMS; else the one without. All of it is borrowed. */
	struct fault fault;
	struct outcome outcome;
	void (*done)(struct stamping *s); /* exactly once unless left; s is freed after it */
	void *owner;

	/* its own */
	struct broker *broker;
	struct identity *who;
	bool bound;    /* the signature has a requestId */
	unsigned turn; /* stamps whose outcome is unknown are passed over */
	char request_id[48];
	struct digest imprint;
	struct buf entry, proof, cms, tst, whole;
	char time[28];
	uint8_t leaf[32];
	struct format_ask ask;
	struct replay_waiter waiter;
};

/*
 * Copies the outcome. `done` is called later, never from within. NULL: not begun, the fault says why (Busy).
 */
struct stamping *stamping_begin(struct broker *b, struct identity *who, bool bound, const struct outcome *o,
    void (*done)(struct stamping *s), void *owner, struct fault *f);
/* Who waited goes away; it goes on, so that the stamp is there when it is asked for again. */
void stamping_leave(struct stamping *s);

#endif
