/*
 * The calling thread's last error: code, sentence, and what the daemon sent
 * with it.
 *
 * Invariant: the texts are the thread's own, in storage that needs no free, so
 * threads that share a connection never see, or lose, each other's. A text
 * that does not fit is cut between characters.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

struct last_error {
	uint64_t serial; /* of the connection; 0: none */
	char message[768];
	char name[128];
	char parameters[1536];
};

static __thread struct last_error last;

void
error_clear(void)
{
	last.serial = 0;
	last.message[0] = last.name[0] = last.parameters[0] = '\0';
}

static void
error_begin(const signet_conn *conn)
{
	error_clear();
	last.serial = conn == NULL ? 0 : conn->serial;
}

/* Take back a character whose end was cut off. */
static void
trim_partial(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && !utf8_valid(text, n))
		n--;
	text[n] = '\0';
}

signet_err
error_set(const signet_conn *conn, signet_err err, const char *fmt, ...)
{
	va_list args;

	error_begin(conn);
	va_start(args, fmt);
	if (vsnprintf(last.message, sizeof(last.message), fmt, args) >= (int)sizeof(last.message))
		trim_partial(last.message);
	va_end(args);
	return err;
}

signet_err
error_plain(const signet_conn *conn, signet_err err)
{
	return error_set(conn, err, "%s", signet_strerror(err));
}

/* The errors of org.varlink.service bring no sentence, but a name or two. */
static const char *
service_subject(const json_t *parameters)
{
	const char *subject = json_member_str(parameters, "parameter");

	if (subject == NULL)
		subject = json_member_str(parameters, "method");
	if (subject == NULL)
		subject = json_member_str(parameters, "interface");
	return subject;
}

static void
keep_parameters(const json_t *parameters)
{
	char *text = json_dumps(parameters, JSON_COMPACT);

	/* half an object is worse than none */
	if (text != NULL && strlen(text) < sizeof(last.parameters))
		strcpy(last.parameters, text);
	free(text);
}

signet_err
error_from_reply(const signet_conn *conn, const struct reply *r)
{
	const char *message = json_member_str(r->parameters, "message");
	const char *subject = service_subject(r->parameters);
	signet_err err = err_from_wire(r->error);

	if (message != NULL)
		(void)error_set(conn, err, "%s", message);
	else if (err == SIGNET_ERR_PROTOCOL)
		(void)error_set(conn, err,
		    "the daemon answered with an error that this program does not know: %s", r->error);
	else if (subject != NULL)
		(void)error_set(conn, err, "%s: %s", signet_strerror(err), subject);
	else
		(void)error_plain(conn, err);
	(void)snprintf(last.name, sizeof(last.name), "%s", r->error);
	keep_parameters(r->parameters);
	return err;
}

static bool
is_about(const signet_conn *conn)
{
	return last.serial == (conn == NULL ? 0 : conn->serial);
}

SIGNET_API const char *
signet_error_message(const signet_conn *conn)
{
	return is_about(conn) ? last.message : "";
}

SIGNET_API const char *
signet_error_name(const signet_conn *conn)
{
	return is_about(conn) ? last.name : "";
}

SIGNET_API const char *
signet_error_parameters(const signet_conn *conn)
{
	return is_about(conn) && last.parameters[0] != '\0' ? last.parameters : "{}";
}
