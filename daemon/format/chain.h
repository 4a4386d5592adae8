/* May this certificate sign now? Chain, usage, validity and revocation, against what the configuration believes. */
#ifndef SIGNET_FORMAT_CHAIN_H
#define SIGNET_FORMAT_CHAIN_H

#include <openssl/x509.h>

#include "format/ask.h"

enum {
	CHAIN_CRLS_MAX = 256,		    /* files in the folder that are looked at */
	CHAIN_CRL_MAX = 32 * 1024 * 1024,   /* bytes of one */
};

struct chain_trust {
	X509_STORE *anchors;
	unsigned anchor_count;
	STACK_OF(X509) *intermediates;
	int crls;	/* descriptor of the folder, -1: none */
	uint8_t generation[32]; /* of what lies in it: names, sizes, times */
	STACK_OF(X509_CRL) *lists;
};

/*
 * Reads the files of the configuration; the folder with the lists stays open and is read when it has changed.
 * `reason` gets what could not be read; the rest is used. SIGNET_ERR_MEMORY
 */
must_check signet_err chain_trust_init(struct chain_trust *t, const struct ask *config, char *reason, size_t size);
void chain_trust_done(struct chain_trust *t);

/* `certs`: own first. `reason` gets a word for people where it is not good. */
enum ask_verdict chain_check(struct chain_trust *t, const struct ask_blob *certs, size_t count,
    enum ask_purpose purpose, int64_t now, char *reason, size_t size);

/* One certificate and nothing else, PEM or DER, as DER: OPENSSL_free() it. SIGNET_ERR_PROTOCOL */
must_check signet_err chain_import(const struct ask_blob *in, uint8_t **der, size_t *len);

#endif
