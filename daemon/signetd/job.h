/*
 * One thing that a token shall do: a signature, an unlocking, a locking. The
 * states are the life of a request [DESIGN: permit, claim, work, record]:
 *
 *   QUEUED -> CLAIMING -> READY -> SENT -> RECORDING -> finished
 *
 * Until CLAIMING it can be cancelled without a trace; from then on it ends
 * with an entry, whoever is still there to hear of it.
 */
#ifndef SIGNET_SIGNETD_JOB_H
#define SIGNET_SIGNETD_JOB_H

#include "base/digest.h"
#include "base/secret.h"
#include "config.h"
#include "fault.h"
#include "identity.h"
#include "ledger/ledger.h"
#include "pin.h"
#include "quota.h"
#include "token/wire.h"

struct key;
struct token;
struct replay;

enum job_kind { JOB_SIGN, JOB_UNLOCK, JOB_LOCK, JOB_PROBE };
enum job_state { JOB_QUEUED, JOB_CLAIMING, JOB_READY, JOB_SENT, JOB_RECORDING };

struct job {
	struct job *next, *prev; /* in the list of its state */
	uint32_t number;	 /* names it on its lane */
	enum job_kind kind;
	enum job_state state;
	struct token *token;
	struct key *key; /* JOB_SIGN */
	struct identity *who;
	struct quota_user *user; /* charged one QUOTA_JOBS; NULL for our own jobs */
	enum verb verb;		 /* asked again at the claim; VERB_NONE for our own jobs */

	/* JOB_SIGN */
	enum key_scheme wanted; /* as the caller asked */
	enum wire_scheme scheme; /* decided at the claim, when the algorithm is known */
	enum wire_format format;
	enum wire_commitment commitment;
	int64_t time_us;	   /* what the CMS says of the time: that of the claim */
	struct wire_stamp *stamp;  /* WIRE_TST; owned */
	const char *level;	   /* "b" or "t"; static */
	const char *cert_check;	   /* what the entry says of the certificate; static, NULL: nothing */
	struct digest digest;
	struct ledger_opening openings[LEDGER_OPENINGS_MAX];
	size_t opening_count;
	char document_tag[2 * LEDGER_HASH + 1]; /* hex, "": none */
	char media_type[128];
	char request_id[LEDGER_REQUEST_ID_MAX + 1]; /* "": none */
	uint8_t input[LEDGER_HASH];
	struct replay *replay; /* the binding of request_id while this runs */

	bool health; /* our own signature that shows whether a device works */

	/* PIN and lease */
	struct secret *pin;
	enum pin_source source;
	uid_t agent_uid; /* PIN_AGENT: who entered it */
	bool last_try;
	bool is_stored_pin; /* a person's PIN that equals the credential, which was refused once: it may prove it */
	uint64_t uses, seconds; /* JOB_UNLOCK: the lease that is asked for */
	uint64_t batch;		/* belongs to this batch; 0: none */
	uint64_t round;		/* its place among the users' turns: token_fair.h */
	uint64_t not_before_ms; /* loop time: pause after a wrong PIN */

	/* decided at the claim */
	uint64_t generation; /* for this worker only */
	const char *proof;
	uint8_t flags;	/* enum wire_job_flags */
	bool exclusive; /* no other job of the token may be at work */
	bool note;	/* a C_Login goes out: the `tried` note was made */
	struct pin_state *tries; /* with `note`: the count it is in, of the token that was there at the claim */
	char tries_of[64];	 /* its name in the log */
	uint64_t lease;	 /* number of the lease that it used, or is to end; 0: none */
	bool took_use;	 /* one of its uses */
	struct buf body;

	struct ledger_op op;
	uint64_t sent_us;
	struct fault fault; /* err == OK: done */
	uint8_t sig[WIRE_SIG_MAX];
	size_t sig_len;
	uint8_t *cms; /* all but WIRE_RAW; owned */
	size_t cms_len;
	bool unknown;		     /* the token may have used the key, nobody knows */
	uint64_t lease_uses;	     /* out of JOB_UNLOCK */
	int64_t lease_until_us;	     /* wall clock; 0: no end */
	struct buf tail;

	void (*finished)(struct job *j); /* the job is freed after it; NULL: nobody waits */
	void *owner;
};

/* NULL without memory. `who` gets a reference of its own. */
struct job *job_new(enum job_kind kind, struct token *t, struct identity *who);
void job_free(struct job *j);
/* The owner goes away: a queued job ends without a trace, a claimed one goes on alone. */
void job_detach(struct job *j);
/* The owner goes away, the job goes on: something must be ended, whether anybody waits for it or not. */
void job_leave(struct job *j);

/* The members of the entry that are known at the claim, into j->body; and those known afterwards, into j->tail. */
void job_compose_body(struct job *j, const char *rule);
void job_compose_tail(struct job *j, const char *outcome, const char *detail);
const char *job_entry_kind(const struct job *j);

struct job_list {
	struct job *first, *last;
	size_t count;
};
void job_list_push(struct job_list *l, struct job *j);
void job_list_push_front(struct job_list *l, struct job *j);
/* Behind `at`; NULL: in front of all. */
void job_list_insert(struct job_list *l, struct job *at, struct job *j);
void job_list_remove(struct job_list *l, struct job *j);

#endif
