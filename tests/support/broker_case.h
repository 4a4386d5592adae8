/*
 * The whole broker in the process of a test: its loop, its log in a temporary
 * folder, its peers on socketpairs under whatever uid the test likes, and
 * workers that the test plays itself over the real lanes. Nothing here sleeps:
 * who waits, waits for descriptors. What must not fail ends the process.
 */
#ifndef SIGNET_SUPPORT_BROKER_CASE_H
#define SIGNET_SUPPORT_BROKER_CASE_H

#include "base/buf.h"
#include "signetd/broker.h"
#include "signetd/peer.h"
#include "signetd/token.h"
#include "token/wire.h"

enum {
	CASE_WORKERS = 64,
	CASE_WATCHERS = 32,
	CASE_JOBS = 256,
	CASE_HELD = 256,
	CASE_ADMIN = 900, /* users of the standard configuration: may do everything */
	CASE_SECOND_ADMIN = 901,
	CASE_ALICE = 1000,    /* sign, list, unlock on every key */
	CASE_BOB = 1001,      /* the same */
	CASE_GUEST = 1002,    /* sign and list on key `k` only: no PIN */
	CASE_STRANGER = 1003, /* nothing */
};

#define CASE_PIN "1234"

struct case_worker { /* signet-token as the test plays it */
	bool alive;
	char token[CONFIG_NAME_MAX + 1];
	pid_t pid; /* of a process that does nothing but end when it is killed */
	int leash;
	int lane[WIRE_LANES_MAX];
	unsigned lanes;
	struct buf in[WIRE_LANES_MAX];
	bool configured, informed, logged_in;
	struct wire_config config;
};

struct case_watcher { /* signet-token --watch as the test plays it */
	bool alive, configured, polling;
	pid_t pid;
	int leash, fd;
	struct buf in;
	struct wire_config config;
};

struct case_job { /* waits for the test to answer it */
	struct case_worker *worker;
	unsigned lane;
	uint8_t type, flags; /* enum wire_type, enum wire_job_flags */
	uint32_t number;
	uint16_t key;
	char pin[SECRET_MAX + 1]; /* "" without one */
};

struct client;

struct broker_case {
	char dir[80], config[96];
	struct broker b;
	bool running;
	uid_t uid;                    /* of the next peer */
	const struct client *awaited; /* who waits for a reply */

	/* watchers: one that runs sees every configured token but these */
	bool no_words; /* nobody answers its CONFIG */
	enum wire_presence told; /* what `presence` was when they last spoke, and the configuration */
	const struct config *told_config;
	char unplugged[8][CONFIG_NAME_MAX + 1];
	struct case_watcher watchers[CASE_WATCHERS];
	unsigned watcher_count;

	/* workers */
	bool no_info;    /* nobody answers CONFIG */
	bool no_answers; /* jobs wait in `jobs` for case_answer */
	enum wire_presence presence;
	uint32_t flags;          /* CKF_* of every token */
	const char *serial;      /* NULL: serial-<label> */
	const char *cert_serial; /* of a certificate of each key; NULL: there is none */
	struct case_worker workers[CASE_WORKERS];
	unsigned worker_count;
	struct case_job jobs[CASE_JOBS];
	unsigned job_count;
	unsigned logins; /* PINs that reached a worker */

	/* the log */
	bool log_full;                  /* ledger_available says no */
	void (*take)(struct ledger_op *op); /* every operation goes here instead of the log: the test calls op->done */
	bool (*each_turn)(void); /* true: it did something */
	bool hold_claims, hold_records; /* operations wait in `held` */
	const char *hold_kind; /* entries of this kind too */
	struct ledger_op *held[CASE_HELD];
	unsigned held_count;
};

/* Writes the standard configuration (tokens `a` and `b` with keys `k`, `l` and `m`) into a new folder. */
void case_make(struct broker_case *c);
/* Replace the file; `text` goes behind the [daemon] and [log] sections. */
void case_configure(struct broker_case *c, const char *text);
extern const char case_tokens[], case_rules[]; /* the standard configuration in two parts */
/* cmocka's set-up: a broker with the standard configuration whose two tokens are locked. */
int case_setup(void **state);
void case_start(struct broker_case *c);
/* Ends the broker in order; fails if it does not end. */
void case_stop(struct broker_case *c);
void case_remove_dir(struct broker_case *c);

/* One turn of the loop and of the workers; waits for an event if there was none. */
void case_turn(struct broker_case *c);
/* Until everything is quiet: nothing in the log's hands, no event anywhere. */
void case_quiet(struct broker_case *c);
/* Until *flag. */
void case_until(struct broker_case *c, bool (*is_so)(const struct broker_case *c, const void *arg),
    const void *arg, const char *what);
void case_until_state(struct broker_case *c, const char *token, enum token_state state);
void case_until_jobs(struct broker_case *c, unsigned n);
void case_until_held(struct broker_case *c, unsigned n);

/* Answer jobs[0], or the n-th; the job is taken out of the list. */
struct wire_result case_result(const struct broker_case *c, unsigned n);
void case_answer(struct broker_case *c, unsigned n, struct wire_result *r);
void case_answer_ok(struct broker_case *c, unsigned n);
/* The newest worker of this token, NULL if none lives. */
struct case_worker *case_worker(struct broker_case *c, const char *token);
/* It dies. */
void case_worker_dies(struct broker_case *c, struct case_worker *w);

/* The token is in, or not: its watchers say so, and workers that are started from now on. */
void case_plug(struct broker_case *c, const char *token);
void case_unplug(struct broker_case *c, const char *token);
/* The newest watcher that lives, NULL if there is none. */
struct case_watcher *case_watcher(struct broker_case *c);
void case_watcher_dies(struct broker_case *c, struct case_watcher *w);
/* It says how it is, without a list. */
void case_watcher_says(struct broker_case *c, struct case_watcher *w, enum wire_watch state, const char *reason);
/* It says what it sees; `hidden`: all but this one. */
void case_watcher_sees(struct broker_case *c, struct case_watcher *w, const char *hidden);

/* Let the held operations go on to the log, or come back with this error. */
void case_release(struct broker_case *c);
void case_refuse(struct broker_case *c, signet_err err);

struct client {
	int fd;
	struct buf in;
};

/* A peer of this user. */
void client_connect(struct broker_case *c, struct client *k, uid_t uid);
void client_close(struct client *k);
/* Text of one message; its NUL is added. */
void client_send(struct client *k, const char *fmt, ...) printf_like(2, 3);
void client_send_bytes(struct client *k, const void *bytes, size_t len);
/* The next message; the test owns it. Fails at the end of the file. */
json_t *client_reply(struct broker_case *c, struct client *k);
/* True if a message is here already. */
bool client_has_reply(struct client *k);
/* Until the broker has closed the connection; what it still said is dropped. */
void client_until_closed(struct broker_case *c, struct client *k);
/* The last part of the reply's error, or ""; frees the reply. */
const char *client_error(struct broker_case *c, struct client *k);
/* One call and its only reply: the last part of its error, or "". */
const char *client_call(struct broker_case *c, struct client *k, const char *fmt, ...) printf_like(3, 4);

/* Calls as text, for client_send and client_call. */
#define CALL_SIGN "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"%s\",\"digest\":\"%s\"}}"
#define CALL_SIGN_PIN                                                                                        \
	"{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"%s\",\"digest\":\"%s\",\"pin\":"  \
	"\"%s\"}}"
#define CALL_UNLOCK                                                                                          \
	"{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"%s\",\"pin\":\"%s\",\"uses\":" \
	"%d}}"
#define CALL_LOCK "{\"method\":\"org.signetd.Token.Lock\",\"parameters\":{\"token\":\"%s\"}}"
#define CALL_RELOAD "{\"method\":\"org.signetd.Admin.Reload\"}"

/* A digest of 32 bytes `n` as the wire writes it. */
const char *case_digest(unsigned n);
json_int_t case_used(const struct broker_case *c, uid_t uid, enum quota_kind kind);

#endif
