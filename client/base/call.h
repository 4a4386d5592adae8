/*
 * A Varlink call and its replies as structs. A call is parsed from the JSON
 * object of one frame; replies and errors are written as one frame with its
 * NUL [varlink.org, Method-Call].
 */
#ifndef SIGNET_BASE_CALL_H
#define SIGNET_BASE_CALL_H

#include "base/buf.h"
#include "base/json.h"

struct call {
	json_t *message;   /* owns all that follows */
	const char *method;
	json_t *parameters; /* borrowed object, never NULL: {} where the call had none */
	bool more, oneway, upgrade;
};

/*
 * Steals nothing: `message` gets its own reference; one without parameters gets an empty object.
 * SIGNET_ERR_PROTOCOL: no `method`, a member of the wrong type, or a member that is neither known nor
 * in reverse-domain form with an object as value. SIGNET_ERR_MEMORY. null is the same as absent.
 */
must_check signet_err call_parse(struct call *c, json_t *message);
void call_done(struct call *c);

/*
 * A frame is written whole or not at all; `out` is failed if it did not fit. No parameters, NULL or {},
 * are left out.
 */

/* Client side: one call as a frame. `parameters` may be NULL; borrowed. */
void call_write(struct buf *out, const char *method, const json_t *parameters, bool more, bool oneway);

struct reply {
	json_t *message;
	const char *error;  /* fully qualified, or NULL */
	json_t *parameters; /* borrowed, never NULL */
	bool continues;
};

/* SIGNET_ERR_PROTOCOL and SIGNET_ERR_MEMORY as above. */
must_check signet_err reply_parse(struct reply *r, json_t *message);
void reply_done(struct reply *r);

/* Server side. `parameters` may be NULL; borrowed. */
void reply_write(struct buf *out, const json_t *parameters, bool continues);
void reply_write_error(struct buf *out, const char *error, const json_t *parameters);

#endif
