/*
 * Before a key is used: may its certificate sign now? Decided at the claim. The
 * answers of signet-format are kept for a few seconds, so that a busy key costs
 * no question a signature.
 */
#ifndef SIGNET_SIGNETD_TRUST_H
#define SIGNET_SIGNETD_TRUST_H

#include "format.h"
#include "job.h"

enum {
	TRUST_FRESH_MS = 10000,	 /* how long a verdict serves */
	TRUST_MISSING_MS = 1000, /* how long it stands that there was none */
	TRUST_KEPT = 64,	 /* certificates that are remembered */
};

enum trust_step { TRUST_GO, TRUST_WAIT, TRUST_FAIL };

struct trust_entry {
	uint8_t cert[32]; /* SHA-256 of the certificate */
	enum ask_purpose purpose;
	bool used, asking, missing; /* missing: there was no answer */
	enum ask_verdict verdict;
	char reason[ASK_REASON_SIZE];
	uint64_t until_ms; /* loop time */
	struct format_ask ask;
	struct trust *trust;
};

struct trust {
	struct broker *broker;
	struct trust_entry entries[TRUST_KEPT];
};

void trust_start(struct trust *t, struct broker *b);
/* The configuration has changed: nothing that was found before counts. */
void trust_forget(struct trust *t);
/*
 * TRUST_GO: j->cert_check says what the entry will say. TRUST_WAIT: asked; all tokens run again when it is answered.
 * TRUST_FAIL: j->fault says why not.
 */
enum trust_step trust_decide(struct job *j);

#endif
