/*
 * The dispatch table. Interface files are parsed once; a method that the table
 * has and its file has not (or the other way round) ends the start.
 */
#include "dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "permit.h"
#include "varlink_files.h"

static struct method methods[] = {
#define METHOD(i, n, v, s, h)                                                                                \
	{.interface = i, .name = n, .verb = VERB_##v, .scope = s, .handler = h, .type = NULL},
#include "methods.def"
#undef METHOD
};

/* A verb is not only named: VERB_NONE would be a method that nobody may ever call. */
#define METHOD(i, n, v, s, h) _Static_assert(VERB_##v != VERB_NONE, n " needs a verb");
#include "methods.def"
#undef METHOD

enum { INTERFACES = 6 };
static struct idl *interfaces[INTERFACES];

const struct idl *
dispatch_interface(const char *name)
{
	for (size_t i = 0; i < INTERFACES; i++)
		if (strcmp(idl_name(interfaces[i]), name) == 0)
			return interfaces[i];
	return NULL;
}

size_t
dispatch_interfaces(const struct idl *const **list)
{
	*list = (const struct idl *const *)interfaces;
	return INTERFACES;
}

static struct method *
find_method(const char *interface, const char *name)
{
	for (size_t i = 0; i < array_len(methods); i++)
		if (strcmp(methods[i].name, name) == 0 && strcmp(methods[i].interface, interface) == 0)
			return &methods[i];
	return NULL;
}

/* Every declared method has a handler, and every handler a declaration. */
static signet_err
join(char *why, size_t why_size)
{
	for (size_t i = 0; i < INTERFACES; i++)
		for (size_t n = 0; n < idl_method_count(interfaces[i]); n++) {
			const char *name = idl_method_name(interfaces[i], n);
			struct method *m = find_method(idl_name(interfaces[i]), name);

			if (m == NULL) {
				snprintf(why, why_size, "%s.%s has no handler", idl_name(interfaces[i]), name);
				return SIGNET_ERR_PROTOCOL;
			}
			m->type = idl_method(interfaces[i], name);
		}
	for (size_t i = 0; i < array_len(methods); i++)
		if (methods[i].type == NULL) {
			snprintf(why, why_size, "%s.%s is not declared", methods[i].interface, methods[i].name);
			return SIGNET_ERR_PROTOCOL;
		}
	return SIGNET_OK;
}

signet_err
dispatch_init(char *why, size_t why_size)
{
	static const char *const texts[INTERFACES] = {
	    varlink_service, varlink_signer, varlink_token, varlink_inbox, varlink_log, varlink_admin};

	for (size_t i = 0; i < INTERFACES; i++) {
		signet_err err = idl_parse(&interfaces[i], texts[i], why, why_size);

		if (err != SIGNET_OK)
			return err;
	}
	return join(why, why_size);
}

void
dispatch_done(void)
{
	for (size_t i = 0; i < INTERFACES; i++) {
		idl_free(interfaces[i]);
		interfaces[i] = NULL;
	}
}

/* Which part of "org.signetd.Signer.Sign" is unknown decides the error. */
static void
fail_unknown(struct request *r, const char *full)
{
	const char *dot = strrchr(full, '.');
	char interface[128];

	if (dot == NULL || (size_t)(dot - full) >= sizeof(interface)) {
		request_fail_with(r, SIGNET_ERR_INTERFACE_NOT_FOUND, full, "%s", "");
		return;
	}
	snprintf(interface, sizeof(interface), "%.*s", (int)(dot - full), full);
	if (dispatch_interface(interface) == NULL)
		request_fail_with(r, SIGNET_ERR_INTERFACE_NOT_FOUND, interface, "%s", "");
	else
		request_fail_with(r, SIGNET_ERR_METHOD_NOT_FOUND, dot + 1, "%s", "");
}

static const struct method *
look_up(const char *full)
{
	const char *dot = strrchr(full, '.');

	if (dot == NULL)
		return NULL;
	for (size_t i = 0; i < array_len(methods); i++)
		if (strcmp(methods[i].name, dot + 1) == 0 && strlen(methods[i].interface) == (size_t)(dot - full) &&
		    strncmp(methods[i].interface, full, (size_t)(dot - full)) == 0)
			return &methods[i];
	return NULL;
}

static void
run(struct request *r)
{
	const struct method *m = r->method;
	char field[128];

	if (!idl_check_input(m->type, r->call.parameters, field, sizeof(field))) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, field,
		    "%s.%s takes no such parameter, needs it, or needs another type", m->interface, m->name);
		return;
	}
	if (m->scope == WHOLE) {
		struct fault f;

		if (!permit_whole(r->broker, r->who, m, &f)) {
			request_fail(r, &f);
			return;
		}
	}
	if (r->broker->stopping && m->verb != VERB_PUBLIC) { /* tokens are on their way out */
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "the daemon is stopping; try again in a moment");
		return;
	}
	m->handler(r);
}

void
dispatch(struct peer *p, json_t *message)
{
	struct call call;
	struct request *r;

	if (call_parse(&call, message) != SIGNET_OK) {
		peer_refuse_message(p, "the message is not a Varlink call: it needs `method`, and knows "
				       "`parameters`, `more`, `oneway` and `upgrade`");
		return;
	}
	r = request_new(p, &call);
	if (r == NULL) {
		call_done(&call);
		peer_close(p);
		return;
	}
	if (p->refused) {
		request_fail_with(r, SIGNET_ERR_PERMISSION_DENIED, NULL, "%s", "");
		return;
	}
	if (call.upgrade) {
		request_fail_with(r, SIGNET_ERR_METHOD_NOT_IMPLEMENTED, call.method, "%s", "");
		return;
	}
	r->method = look_up(call.method);
	if (r->method == NULL)
		fail_unknown(r, call.method);
	else
		run(r);
}
