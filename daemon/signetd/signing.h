/*
 * One signature that somebody waits for: permit -> check -> (the first reply
 * again) -> job -> outcome. Sign has one of these, a batch many.
 */
#ifndef SIGNET_SIGNETD_SIGNING_H
#define SIGNET_SIGNETD_SIGNING_H

#include "config.h"
#include "job.h"
#include "prompt.h"
#include "receipt.h"
#include "replay.h"
#include "request.h"

struct sign_params { /* what all items of a call share; strings are borrowed from the call */
	const char *key_name;
	enum key_scheme scheme;
	enum wire_format cms; /* what `format` asks for */
	bool stamped;	      /* level t */
	const char *format, *level, *scheme_word, *capacity, *on_behalf_of;
	bool last_try, proof;
	unsigned timeout_ms;
	uint64_t batch; /* 0: none */
};

struct signing {
	struct request *r;
	const struct sign_params *params;
	int item; /* -1: not of a batch */
	const char *digest;
	const json_t *document;
	const char *request_id;
	struct secret *pin; /* owned; moves into the job */

	/* under way: at most one of these is set */
	struct job *job;
	struct replay *first; /* the same request, still running */
	struct replay_waiter waiter;
	struct ledger_read *read;
	struct log_proof *proving; /* for what `read` found; the read is kept meanwhile */
	struct prompt *prompt;
	struct stamping *stamping; /* level t: it is signed, and in the log */

	bool by_call;	      /* a PIN came with the call: nobody is asked for another */
	struct answer answer; /* of the person who was asked for one */

	struct fault fault; /* err == OK: `outcome` holds during `done` */
	struct outcome outcome;
	void (*done)(struct signing *s); /* called exactly once unless left; may free s */
	void *owner;
};

/* Values that the type check cannot see: timeoutMs, format, level, PIN. Takes the PIN out of the call. */
bool sign_params_read(struct request *r, struct sign_params *p, struct secret **pin, struct fault *f);

/* May call `done` before it returns. */
void signing_start(struct signing *s);
/* The one who waited goes away; `done` is not called. What is claimed goes on. */
void signing_leave(struct signing *s);
/* Is this key for signatures of people? */
bool signing_check_use(const struct key *k, struct fault *f);
/* Would it be answered from the log, without token and PIN? */
bool signing_is_replay(const struct request *r, const char *request_id);

#endif
