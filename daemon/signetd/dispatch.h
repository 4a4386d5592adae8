/*
 * From a message to its handler: method name -> table -> type check -> permit
 * (where the verb concerns no key) -> handler. Every message gets an answer
 * unless it said `oneway`.
 */
#ifndef SIGNET_SIGNETD_DISPATCH_H
#define SIGNET_SIGNETD_DISPATCH_H

#include "idl.h"
#include "peer.h"
#include "request.h"

enum method_scope { KEYED, WHOLE };

struct method {
	const char *interface, *name;
	enum verb verb;
	enum method_scope scope;
	void (*handler)(struct request *r);
	const struct idl_method *type;
};

/* Parse the interface files and join them with the table. Fails only if the build is broken. */
must_check signet_err dispatch_init(char *why, size_t why_size);
void dispatch_done(void);
/* The interface of this name, or NULL. */
const struct idl *dispatch_interface(const char *name);
size_t dispatch_interfaces(const struct idl *const **list);

/* Answer one message of a peer; borrows it. */
void dispatch(struct peer *p, json_t *message);

#define METHOD(interface, name, verb, scope, handler) void handler(struct request *r);
#include "methods.def"
#undef METHOD

#endif
