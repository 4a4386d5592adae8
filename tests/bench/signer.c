/* A thread's way to sign: a connection to signetd, or a session of a module. */
#include <signet/signet.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

struct signer {
	const char *key;
	signet_conn *conn;
	struct pkcs11 *pkcs11;
};

bool
signer_open(struct signer **out, const struct target *t, const char *key)
{
	struct signer *s = calloc(1, sizeof(*s));
	bool good;

	if (s == NULL)
		return false;
	s->key = key;
	if (t->signet)
		good = signet_connect(&s->conn, t->socket) == SIGNET_OK;
	else
		good = pkcs11_open(&s->pkcs11, t, key);
	if (good) {
		*out = s;
		return true;
	}
	if (t->signet)
		fprintf(stderr, "signet-bench: %s\n", signet_error_message(NULL));
	free(s);
	return false;
}

bool
signer_sign(struct signer *s, const uint8_t digest[DIGEST_BYTES])
{
	signet_result *result;

	if (s->pkcs11 != NULL)
		return pkcs11_sign(s->pkcs11, digest);
	if (signet_sign(s->conn, s->key, SIGNET_SHA256, digest, NULL, &result) != SIGNET_OK) {
		fprintf(stderr, "signet-bench: %s\n", signet_error_message(s->conn));
		return false;
	}
	signet_result_free(result);
	return true;
}

void
signer_close(struct signer *s)
{
	if (s == NULL)
		return;
	pkcs11_close(s->pkcs11);
	signet_close(s->conn);
	free(s);
}
