/*
 * The real signet-token as a child of a test, driven over its lanes, with a
 * SoftHSM token made by softhsm.sh. Everything here fails the running cmocka
 * test rather than returning an error.
 */
#ifndef SIGNET_TESTS_WORKER_H
#define SIGNET_TESTS_WORKER_H

#include <sys/types.h>

#include "token/wire.h"

#define TEST_PIN "1234"
#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"

/* A fresh directory with the token of softhsm.sh, a lock directory and the environment of a worker. */
struct token_dir {
	char path[256], locks[300], conf[300];
};
void token_dir_make(struct token_dir *d, const char *pin);
void token_dir_remove(struct token_dir *d);

/* pkcs11-tool on that token, logged in; words are split at blanks. */
void token_dir_tool(const struct token_dir *d, const char *words);

struct worker {
	pid_t pid;
	int lane[WIRE_LANES_MAX], far[WIRE_LANES_MAX]; /* our ends and the worker's */
	unsigned lanes;
	const char *mode; /* "--watch" or "--poll" for a watcher; set after worker_prepare */
	struct buf in[WIRE_LANES_MAX];
	struct wire_info info;
};

/* Token "test" in `d`, no keys yet, one lane, confined. */
void config_init(struct wire_config *c, const struct token_dir *d);
void config_key(struct wire_config *c, const char *uri);

/* Starts it and exchanges CONFIG and INFO. */
void worker_start(struct worker *w, const struct wire_config *c);
/* The same with lanes that do not block at the worker's end, as libuv makes them. */
void worker_start_nonblocking(struct worker *w, const struct wire_config *c);
/* The same in its parts: sockets, process, the worker's ends closed here, CONFIG and INFO. */
void worker_prepare(struct worker *w, const struct wire_config *c);
void worker_exec(struct worker *w);
void worker_close_far_ends(struct worker *w);
void worker_greet(struct worker *w, const struct wire_config *c); /* closes the far ends as well */
/* As a watcher of the configuration's module. */
void watcher_start(struct worker *w, const struct wire_config *c, const char *mode);
/* What it says next; false at the end of the file. wire_seen_done is the caller's. */
bool watcher_receive(struct worker *w, struct wire_seen *s);
/* Closes the lanes, waits for the end and checks that it was an orderly one. */
void worker_stop(struct worker *w);
/* Waits for a child that ended by itself or was killed; its wait status. */
int worker_reap(struct worker *w);
/* A teardown: ends the worker of a test that failed half way, so that the next one finds the token free. */
int worker_end_left_over(void **state);

void worker_send(struct worker *w, unsigned lane, const struct wire_job *j);
void worker_receive(struct worker *w, unsigned lane, struct wire_result *r);
/* False at the end of the file. */
bool worker_try_receive(struct worker *w, unsigned lane, struct wire_result *r);
/* Send, then receive; checks that the answer is to this job. */
void worker_do(struct worker *w, unsigned lane, const struct wire_job *j, struct wire_result *r);
/* LOGIN with this PIN. */
void worker_login(struct worker *w, const char *pin, uint8_t flags, struct wire_result *r);
/* A SIGN job over a digest filled with `fill`. */
struct wire_job sign_of(uint16_t key, uint8_t scheme, enum signet_digest_alg alg, uint8_t fill);
struct secret *secret_of(const char *text);

/* Does it verify with the public key in `pem`? By the openssl calls that any client would use. */
bool verifies(const char *pem, const struct wire_job *j, const struct wire_result *r);

#endif
