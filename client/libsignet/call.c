/*
 * Any method at all, JSON text in and out.
 *
 * Invariant: what is sent is one well-formed object. A PIN is not among the
 * caller's parameters, because checking them leaves copies on the heap.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "result.h"

/* Interface.Method [varlink.org, Method-Call]: nothing that could end the JSON string early. */
static bool
is_method(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");

	return n > 0 && s[n] == '\0' && strchr(s, '.') != NULL;
}

static signet_err
check_parameters(const signet_conn *conn, const char *text)
{
	const char *why = "it is not a JSON object";
	json_t *object;
	bool has_pin;
	signet_err err;

	err = json_read(&object, text, strlen(text), &why);
	if (err == SIGNET_ERR_MEMORY)
		return error_plain(conn, err);
	if (err != SIGNET_OK)
		return error_set(conn, SIGNET_ERR_ARGUMENT, "the parameters cannot be sent: %s", why);
	has_pin = json_object_get(object, "pin") != NULL;
	json_decref(object);
	return has_pin ? error_set(conn, SIGNET_ERR_ARGUMENT, "a PIN must not stand among the parameters")
		       : SIGNET_OK;
}

/* Put the members of the caller's object into the one that is open. */
static void
param_members(struct exchange *x, const char *object)
{
	const char *blank = " \t\r\n", *from, *to;
	struct buf *out = &x->conn->out;

	/* json_read found one object and nothing behind it: these are its braces */
	from = strchr(object, '{') + 1;
	to = strrchr(object, '}');
	from += strspn(from, blank);
	if (from >= to)
		return;
	if (!x->first)
		buf_chr(out, ',');
	buf_put(out, from, (size_t)(to - from));
	x->first = false;
}

/* A long log comes in very many small replies: their text is handed on as it lies, in a frame of `len` bytes. */
static signet_err
pass_on(struct exchange *x, char *text, size_t n, size_t len, signet_reply_fn *fn, void *arg, bool *go_on)
{
	text[n] = '\0';
	*go_on = fn(arg, text, n, true);
	return exchange_taken(x, len, true);
}

/* False from the callback ends it: the connection with replies still to come is dead. */
static signet_err
next_text(struct exchange *x, signet_reply_fn *fn, void *arg, bool *go_on)
{
	const char *frame, *parameters;
	struct reply r;
	char *text;
	size_t len, n;
	signet_err err;

	err = exchange_frame(x, &frame, &len);
	if (err != SIGNET_OK)
		return err;
	if (fn != NULL && x->more && quick_entry(frame, len, &parameters, &n))
		return pass_on(x, (char *)parameters, n, len, fn, arg, go_on); /* the frame is the connection's own */
	err = exchange_parse(x, len, &r);
	if (err != SIGNET_OK)
		return err;
	text = json_dumps(r.parameters, JSON_COMPACT);
	if (text == NULL)
		err = error_plain(x->conn, SIGNET_ERR_MEMORY);
	else if (fn != NULL)
		*go_on = fn(arg, text, strlen(text), r.continues);
	free(text);
	reply_done(&r);
	return err;
}

static signet_err
call_text(struct exchange *x, const char *parameters, unsigned flags, signet_reply_fn *fn, void *arg)
{
	bool go_on = true;
	signet_err err = SIGNET_OK;

	if (parameters != NULL) {
		err = check_parameters(x->conn, parameters);
		if (err != SIGNET_OK)
			return err;
		param_members(x, parameters);
	}
	x->renew = (flags & SIGNET_CALL_MORE) != 0;
	err = exchange_send(x, flags);
	while (err == SIGNET_OK && x->open && go_on)
		err = next_text(x, fn, arg, &go_on);
	return err;
}

SIGNET_API signet_err
signet_call(signet_conn *conn, const char *method, const char *parameters, const signet_pin *pin,
    unsigned flags, signet_reply_fn *fn, void *arg)
{
	const unsigned known = SIGNET_CALL_MORE | SIGNET_CALL_ONEWAY;
	struct exchange x;
	signet_err err;

	error_clear();
	if (method == NULL || !is_method(method))
		return error_set(conn, SIGNET_ERR_ARGUMENT, "a method is written Interface.Method");
	if ((flags & ~known) != 0 || flags == known)
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	err = exchange_begin(&x, conn, method, pin);
	if (err != SIGNET_OK)
		return err;
	err = call_text(&x, parameters, flags, fn, arg);
	exchange_end(&x);
	return err;
}

static bool
keep_text(void *arg, const char *json, size_t size, bool continues)
{
	char **text = arg;

	(void)continues;
	*text = strndup(json, size);
	return true;
}

static signet_err
call_for_text(signet_conn *conn, const char *method, char **json)
{
	char *text = NULL;
	signet_err err;

	error_clear();
	if (json == NULL)
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	err = signet_call(conn, method, NULL, NULL, 0, keep_text, &text);
	if (err != SIGNET_OK)
		return err;
	if (text == NULL)
		return error_plain(conn, SIGNET_ERR_MEMORY);
	*json = text;
	return SIGNET_OK;
}

SIGNET_API signet_err
signet_status(signet_conn *conn, char **json)
{
	return call_for_text(conn, "org.signetd.Admin.Status", json);
}

SIGNET_API signet_err
signet_reload(signet_conn *conn, char **json)
{
	return call_for_text(conn, "org.signetd.Admin.Reload", json);
}
