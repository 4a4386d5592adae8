/*
 * Why a call ends without what it asked for: the code, one sentence that says
 * what to do, and what the error's declaration in the interface file carries.
 */
#ifndef SIGNET_SIGNETD_FAULT_H
#define SIGNET_SIGNETD_FAULT_H

#include <jansson.h>

#include "base/base.h"

struct fault {
	signet_err err;
	int retry_after_ms;
	int64_t index;	   /* of the log entry; -1: none */
	const char *rule;  /* NULL: no rule matched */
	char subject[128]; /* key, token, interface, method, parameter or `what`, as the error has it */
	char reason[200];
	char holder[128];
	char contact[200]; /* who can help with a blocked PIN; "": nobody is named */
	char last_seen[24]; /* of an absent token; "": never */
	char message[400]; /* "": the code's own text */
};

/* Start a fault: everything unset but code, subject (may be NULL) and sentence. What is too long is cut. */
void fault_set(struct fault *f, signet_err err, const char *subject, const char *fmt, ...) printf_like(4, 5);
void fault_set_reason(struct fault *f, const char *fmt, ...) printf_like(2, 3);
void fault_set_holder(struct fault *f, const char *holder); /* may be NULL */
/* "org.signetd.Signer.KeyNotFound": the service's own errors stand in org.varlink.service. */
void fault_name(const struct fault *f, const char *interface, char *out, size_t size);
const char *fault_message(const struct fault *f);
/* New reference; NULL without memory. */
json_t *fault_parameters(const struct fault *f);

#endif
