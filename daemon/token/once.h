/*
 * signet-token --once: one question about a module, answered and gone. CONFIG
 * comes first, as for a worker; then the request, a u32 size (little-endian) and
 * one JSON object; the answer is one JSON object up to the end of the stream.
 * {"reason": "..."} says why there is no better one.
 */
#ifndef SIGNET_TOKEN_ONCE_H
#define SIGNET_TOKEN_ONCE_H

#include <jansson.h>

#include "token/worker.h"

enum {
	ONCE_TOKENS_MAX = 64, /* of one module that are told of */
	ONCE_CERTS_MAX = 32,  /* of one token */
};

/* receive.c: from SIGNET_TOKEN_FD; each ends the process where there is none. */
void receive_exactly(uint8_t *out, size_t n);
struct wire_config *receive_config(void);

_Noreturn void once_serve(void);

/* scan.c: {"tokens": [...]} as org.signetd.Admin.FoundToken has them; NULL without memory. */
json_t *scan_module(CK_FUNCTION_LIST *p11);
/* One certificate as org.signetd.Admin.Certificate; NULL: it is none, or is too large. */
json_t *scan_certificate(const uint8_t *der, size_t len, const uint8_t *id, size_t id_len, const char *label);

/*
 * provision.c: generate, request, import on the token that CONFIG names, which nobody else owns. The answer of
 * org.signetd.Admin's method, or {"reason", "error"}.
 */
json_t *provision(struct token *t, const json_t *request);

#endif
