/*
 * One unlocking that somebody waits for: permit -> (a person's PIN) -> job ->
 * outcome. Unlock has one of these, and a batch that needs a PIN.
 */
#ifndef SIGNET_SIGNETD_UNLOCKING_H
#define SIGNET_SIGNETD_UNLOCKING_H

#include "job.h"
#include "prompt.h"
#include "request.h"

struct unlocking {
	struct request *r;
	/* one of the two; borrowed from the call */
	const char *key_name;   /* of a batch: the holder of its key's token enters the PIN */
	const char *token_name; /* of an Unlock: the caller does, because the unlocking is his */
	struct secret *pin;     /* of the call; owned */
	bool last_try;
	uint64_t uses, seconds;
	uint64_t batch; /* 0: none */

	/* under way: at most one of these is set */
	struct job *job;
	struct prompt *prompt;
	bool by_call;         /* a PIN came with the call: nobody is asked for another */
	struct answer answer; /* of the person who was asked */

	struct fault fault; /* err == OK: the next two hold during `done` */
	uint64_t got_uses;
	int64_t until_us;
	void (*done)(struct unlocking *u); /* called exactly once unless left; may free u */
	void *owner;
};

/* May call `done` before it returns. */
void unlocking_start(struct unlocking *u);
/* The one who waited goes away; `done` is not called. What it unlocks all the same is locked at once. */
void unlocking_leave(struct unlocking *u);

#endif
