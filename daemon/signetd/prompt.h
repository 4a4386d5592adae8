/*
 * One question to a person: open -> closed, once. It belongs to the call that
 * waits for it; the inbox only lists it. What people are shown is composed when
 * it is opened and does not change afterwards.
 *
 * A PIN passes through: the answer hands it to the call in the same turn of
 * the loop, and no prompt keeps one.
 */
#ifndef SIGNET_SIGNETD_PROMPT_H
#define SIGNET_SIGNETD_PROMPT_H

#include "base/buf.h"
#include "base/secret.h"
#include "config.h"
#include "fault.h"
#include "policy.h"
#include "text.h"

struct broker;
struct identity;
struct key;
struct quota_user;
struct request;
struct token;

enum {
	PROMPT_ITEMS_MAX = 50, /* of a batch, shown */
	PROMPT_ID_MAX = 40,
};

/* X(KIND, word, verb that its answer needs on the token, takes a PIN) */
#define PROMPT_KINDS(X)                                                                                      \
	X(PIN, "pin", VERB_UNLOCK, true)                                                                     \
	X(LAST_TRY, "lastTry", VERB_UNLOCK, true)                                                            \
	X(INSERT, "insert", VERB_UNLOCK, false)

enum prompt_kind {
#define PROMPT_KIND(kind, word, verb, pin) PROMPT_##kind,
	PROMPT_KINDS(PROMPT_KIND)
#undef PROMPT_KIND
};

enum prompt_end {
	PROMPT_OPEN,
	PROMPT_ANSWERED,
	PROMPT_REJECTED,
	PROMPT_EXPIRED,
	PROMPT_INSERTED,
	PROMPT_CANCELLED, /* token and daemon, not the caller, are in the way */
	PROMPT_VOID, /* what it says is not true any more: the call begins anew, perhaps with another prompt */
};

struct prompt_for { /* whose it is; outlives the prompt in the list of closed ones */
	enum prompt_kind kind;
	uid_t caller;
	bool caller_only;
	char token[CONFIG_NAME_MAX + 1];
};

struct prompt {
	struct prompt *next, *prev; /* in the inbox, oldest first */
	struct broker *broker;
	uint64_t number;
	char id[PROMPT_ID_MAX];
	struct prompt_for whose;
	enum prompt_end end;
	struct token *token;
	char serial[64];          /* of the token as shown */
	char digest[8 + 128 + 1]; /* of the only item; "": none, or several */
	struct buf view;          /* the members that do not change, each with its comma */
	uint64_t expires_ms;      /* loop time */
	struct quota_user *user;

	/* the answer, for prompt_take */
	struct secret *pin;
	bool last_try;
	struct identity *by;
	char reason[TEXT_MAX + 1];

	void (*done)(
	    struct prompt *p); /* closed, but not by prompt_withdraw; p is the owner's to take and free */
	void *owner;
};

struct asking { /* what is known of the call that needs a person */
	struct request *r;
	struct token *token;
	const struct key *key;   /* NULL: of none */
	enum policy_prompt mode; /* of the rule that permits the call */
	bool caller_only;        /* an unlocking is for the caller, so nobody else may enter the PIN */
	void (*done)(struct prompt *p);
	void *owner;
};

struct answer {             /* what a person gave */
	struct secret *pin; /* owned; NULL: nothing to enter, only go on */
	bool last_try;
	struct identity *by; /* a reference; NULL without a PIN */
};

const char *prompt_kind_word(enum prompt_kind kind);
bool prompt_kind_takes_pin(enum prompt_kind kind);
/* NULL while it is open. */
const char *prompt_end_word(enum prompt_end end);

/* May this peer see and answer it? */
bool prompt_is_for(const struct broker *b, const struct prompt_for *whose, const struct identity *who);
/* Can anybody? False: the configuration names nobody who could be asked. */
bool prompt_has_somebody(const struct asking *a, enum prompt_kind kind);

/* NULL: the fault says why. */
struct prompt *prompt_open(const struct asking *a, enum prompt_kind kind, struct fault *f);
/* Ends it, tells the agents and then the owner. */
void prompt_close(struct prompt *p, enum prompt_end end);
/* The owner goes away: closed as cancelled, and freed. */
void prompt_withdraw(struct prompt *p);
/* For `done`: frees p. True: `a` is what to go on with. False: the fault for the caller. */
bool prompt_take(struct prompt *p, struct answer *a, struct fault *f);
void answer_done(struct answer *a);

/* {"prompt":{...}} into `out`. */
void prompt_write(struct buf *out, const struct prompt *p);
/* prompt_view.c: compose p->view and p->digest. False: no memory. */
bool prompt_compose(struct prompt *p, const struct asking *a, int64_t now_us, int64_t expires_us);

#endif
