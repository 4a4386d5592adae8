/*
 * signet-bench: what one signature costs through signetd, in the same process
 * and through `p11-kit server`, on equal terms: every client is a process of
 * its own that has connected before the clock starts.
 */
#ifndef SIGNET_BENCH_H
#define SIGNET_BENCH_H

#include <sys/types.h>

#include "base/base.h"
#include "base/secret.h"

enum {
	CLIENTS_MAX = 256,
	THREADS_MAX = 16,
	SAMPLES_MAX = 1 << 18, /* latencies kept of one thread in one run */
	SERVERS_MAX = 4,
	DIGEST_BYTES = 32, /* everything here signs a SHA-256 digest */
	PIN_SIZE = SECRET_MAX + 1,
};

/* Something that signs. */
struct target {
	const char *name;
	bool signet;        /* else a PKCS #11 module */
	bool bridge;        /* and that one is ours */
	const char *socket; /* of signetd */
	const char *module; /* path of the module */
	const char *token;  /* label of the token */
	const char *pin;    /* of a throw-away token: a `secret` would be empty in the client processes */
	pid_t server;       /* its processes are charged; 0: none */
};

/* One thread's way to sign. */
struct signer;
must_check bool signer_open(struct signer **out, const struct target *t, const char *key);
must_check bool signer_sign(struct signer *s, const uint8_t digest[DIGEST_BYTES]);
void signer_close(struct signer *s);

/* The two kinds behind it. Each prints what went wrong. */
struct pkcs11;
must_check bool pkcs11_open(struct pkcs11 **out, const struct target *t, const char *key);
must_check bool pkcs11_sign(struct pkcs11 *p, const uint8_t digest[DIGEST_BYTES]);
void pkcs11_close(struct pkcs11 *p);

/* What one run of one target gave. */
struct outcome {
	double per_second;
	double client_us, broker_us, worker_us; /* processor time per signature */
	double p50_us, p99_us;
	uint64_t memory; /* private bytes of the server's processes while all clients were connected */
};

/* `clients` processes of `threads` threads each sign for `seconds`. False: something failed, and was printed. */
must_check bool run_clients(const struct target *t, const char *key, unsigned clients, unsigned threads,
    double seconds, struct outcome *out);
/* A new process connects and signs once; microseconds, or a negative number. */
double run_first(const struct target *t, const char *key);

/* Processor time of a process (all its threads) and of all its descendants, in nanoseconds. */
struct usage {
	uint64_t own, descendants;
};
struct usage usage_of(pid_t pid);
/* Private memory of a process and its descendants. */
uint64_t memory_of(pid_t pid);

int64_t now_ns(void);

#endif
