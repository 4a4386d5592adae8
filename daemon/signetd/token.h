/*
 * A token as the broker knows it: its state, one bounded queue, one worker,
 * one lease. Tokens share nothing, so one that is slow, hung or crashing
 * delays no other.
 */
#ifndef SIGNET_SIGNETD_TOKEN_H
#define SIGNET_SIGNETD_TOKEN_H

#include "config.h"
#include "job.h"
#include "worker.h"

enum token_state {
	TOKEN_STARTING, /* a worker is coming up; shown as absent until it has spoken */
	TOKEN_ABSENT,
	TOKEN_LOCKED,
	TOKEN_READY,
	TOKEN_BLOCKED, /* its PIN */
	TOKEN_FAILED,
};

struct key { /* a configured key and the public data that its token showed; listing never touches a card */
	struct token *token;
	uint16_t slot; /* place in the worker's table */
	const struct config_key *conf;
	struct wire_key info; /* certificates stay when the token goes */
	char *members;	      /* "key":..,"certSerial":..,"certHash":..,"token":..,"tokenSerial":.. for entries */
};

/* A PIN that was entered for more than one use. It dies with the worker. */
struct lease {
	bool stands;
	uint64_t number;    /* tells it from those before and after it */
	bool shared;	    /* any permitted caller may use it */
	bool stored;	    /* stands by the stored credential: no end */
	uid_t owner;
	enum pin_source source; /* of the PIN it stands by */
	uint64_t uses;	    /* left */
	uint64_t until_ms;  /* loop time; 0: no end */
	uint64_t batch;	    /* only jobs of this batch; 0: any */
};

struct token_face { /* of a token: what a watcher is told of it when it changes */
	enum token_state state;
	bool stands, shared, unhealthy;
	uint64_t lease, infos;
	unsigned pin_failures;
	char reason[256];
};

struct token {
	struct broker *broker;
	struct config *config; /* a reference; conf and keys point into it */
	const struct config_token *conf;
	struct key *keys;
	size_t key_count;

	enum token_state state;
	char reason[256];
	char serial[64], label[64], manufacturer[64], model[64];
	uint32_t flags; /* CKF_* as last read */
	int64_t seen_us; /* when it was last present; wall clock, 0: never */
	char pin_name[80];     /* under which our count of PIN tries is kept: serial, or "label:<label>" */
	struct pin_state *pin; /* the broker's row of this name; never NULL */
	struct pin_state unseen; /* what `pin` is until the token has shown itself: no PIN goes out */
	struct lease lease;
	uint64_t leases; /* numbers them */

	struct watcher *watcher; /* of its module; NULL: none, the worker's own word counts */
	struct worker *worker;
	uint64_t generation; /* of the worker: what was decided for one is void for the next */
	bool retire;	 /* the worker must be replaced when its lanes are empty */
	bool leaving;	 /* the watcher sees it no more: the worker ends when its lanes are empty */
	bool renew;	 /* the worker is to be replaced when nobody needs it */
	bool checking;	 /* its health signature is under way: health.h */
	bool unhealthy;	 /* the last one was wrong or late: nobody else uses it until one is right */
	uint64_t health_due_ms;
	char health_reason[200];
	bool probing;	 /* it is being asked whether it is still there */
	bool storing;	 /* the stored PIN is on its way */
	bool store_failed; /* for good: until a person has entered the right one, or the configuration is read anew */
	uint64_t store_after_ms, store_pause_ms; /* not before: it could not be sent */
	bool hand_locked; /* a person locked it: the stored PIN stays away until one unlocks it */
	bool locking;	 /* an expired lease is being ended */
	bool removed;	 /* the configuration knows it no more: goes when it is idle */
	struct token *next_going; /* of the broker's removed ones */
	uv_timer_t respawn;
	unsigned failures_in_a_row;
	uint64_t started_ms, informed_ms, absent_ms; /* loop time: worker started; it spoke; watcher and worker disagree */
	unsigned misses; /* workers in a row that did not find what the watcher sees */
	unsigned flaps;	 /* how often in a row the watcher lost sight of it as soon as its worker ran */

	struct job_list queued, ready;
	uint64_t round;	    /* that is being served: token_fair.h */
	unsigned claimed;   /* CLAIMING, READY and SENT */
	unsigned recording;
	bool running, again; /* token_run is at work; go round once more */
	bool barrier;	    /* an exclusive job is between claim and record */
	unsigned mean_us;   /* of a signature, running mean */
	unsigned measured;
	uint64_t last_probe_ms;
	char was[16]; /* state that the log knows or has counted; entries since when: replugs are folded */
	unsigned logged_count;
	uint64_t logged_since_ms, unlogged;

	uint64_t infos;		/* counts changes of what it shows of itself and its keys */
	uint64_t change;	/* number of its last change that watchers were told of; 0: none yet */
	struct token_face face; /* as it was then */

	uint64_t signatures, failures, worker_starts; /* for status */
};

must_check signet_err token_new(struct token **out, struct broker *b, struct config *c, const struct config_token *conf);
/* Take over names from an equal section of another configuration. */
void token_rebind(struct token *t, struct config *c, const struct config_token *conf);
/* Start its first worker. */
void token_start(struct token *t);
/* No further job; the memory goes when the last one is recorded and the worker is reaped. */
void token_stop(struct token *t);

/* The job is the token's from here on. Fails (and frees nothing) only with Busy: token_refusal says why. */
must_check signet_err token_submit(struct token *t, struct job *j);
/* Claim and send what can be claimed and sent. */
void token_run(struct token *t);
void token_tick(struct token *t, uint64_t now_ms);
/* Replace a retired worker, end an idle removed token, send the stored PIN: whatever waited for quiet. */
void token_settle(struct token *t);
/* Something is under way that needs the tick. */
bool token_busy(const struct token *t);
/*
 * A batch is over. True: its lease is being ended, and `finished` will be called with a job whose owner is `owner`
 * after the logout (*job is that job, which the owner may leave; NULL if nobody waits); false: nothing to wait for.
 */
bool token_end_batch(struct broker *b, uint64_t batch, struct identity *who, void (*finished)(struct job *j),
    void *owner, struct job **job);
/* Why nothing can be put into its queue. */
void token_refusal(const struct token *t, struct fault *f);

/* Has it a PIN pad of its own? Then no PIN need come from a program. */
bool token_has_pad(const struct token *t);
/* Does this user hold it, as far as the configuration says who does? */
bool token_is_held_by(const struct token *t, uid_t uid);
const char *token_state_name(const struct token *t);
const char *key_state_name(const struct key *k);
/* Would this caller's call without a PIN be served by a lease now? */
bool token_lease_serves(const struct token *t, uid_t uid, uint64_t batch);
/* Does it sign only after a PIN? Known once the token was seen. */
bool token_lease_needed(const struct token *t);

/* Its state goes into the log, if it is another one; folded. */
void token_log_state(struct token *t, const char *detail);
/* From its watcher: the word on it may be another. */
void token_on_presence(struct token *t);
/* Nothing that its worker holds is worth anything any more. */
void token_on_service_lost(struct token *t);
/* A fresh worker, as soon as nobody needs this one. */
void token_renew(struct token *t);
/* Ask the worker, without a PIN, whether the token is still there. */
void token_probe(struct token *t);

/* From the worker. */
void token_on_info(struct token *t, struct wire_info *info);
void token_on_result(struct token *t, struct job *j, const struct wire_result *res);
void token_on_lost(struct token *t, const char *why);
/* Its worker does not answer: kill it; who waited for an answer gets Timeout. */
void token_on_hung(struct token *t);

#endif
