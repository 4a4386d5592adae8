/*
 * Varlink's envelope: calls, replies and errors [varlink.org, Method-Call].
 *
 * Invariant: a parsed struct points only into its own message; a written frame
 * is whole or absent.
 */
#include <string.h>

#include "base/call.h"
#include "base/secret.h"

static bool
is_alnum(char c)
{
	/* not isalnum: the locale has no say on the wire */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* [A-Za-z]([-]*[A-Za-z0-9])*(\.[A-Za-z0-9]([-]*[A-Za-z0-9])*)+ [varlink.org, Interface-Definition] */
static bool
is_reverse_domain(const char *s)
{
	char before = '.';
	size_t dots = 0;

	if (*s >= '0' && *s <= '9')
		return false;
	for (; *s != '\0'; before = *s++) {
		if (is_alnum(*s))
			continue;
		if (before == '.' || (*s != '-' && *s != '.') || (*s == '.' && before == '-'))
			return false;
		if (*s == '.')
			dots++;
	}
	return dots > 0 && is_alnum(before);
}

/* A member of the envelope that the struct does not know: a vendor's extension, or a mistake. */
static signet_err
check_extension(const char *key, const json_t *value)
{
	return is_reverse_domain(key) && json_is_object(value) ? SIGNET_OK : SIGNET_ERR_PROTOCOL;
}

static signet_err
read_bool(bool *out, const json_t *value)
{
	if (!json_is_boolean(value) && !json_is_null(value))
		return SIGNET_ERR_PROTOCOL;
	*out = json_is_true(value);
	return SIGNET_OK;
}

static signet_err
read_str(const char **out, const json_t *value)
{
	if (!json_is_string(value) && !json_is_null(value))
		return SIGNET_ERR_PROTOCOL;
	*out = json_string_value(value);
	return SIGNET_OK;
}

static signet_err
read_object(json_t **out, json_t *value)
{
	if (!json_is_object(value) && !json_is_null(value))
		return SIGNET_ERR_PROTOCOL;
	*out = json_is_object(value) ? value : NULL;
	return SIGNET_OK;
}

/* Give a message without parameters an empty object, which the message then owns. */
static signet_err
fill_parameters(json_t *message, json_t **parameters)
{
	if (*parameters != NULL)
		return SIGNET_OK;
	if (json_object_set_new_nocheck(message, "parameters", json_object()) != 0)
		return SIGNET_ERR_MEMORY;
	*parameters = json_object_get(message, "parameters");
	return SIGNET_OK;
}

static signet_err
call_member(struct call *c, const char *key, json_t *value)
{
	if (strcmp(key, "method") == 0)
		return read_str(&c->method, value);
	if (strcmp(key, "parameters") == 0)
		return read_object(&c->parameters, value);
	if (strcmp(key, "more") == 0)
		return read_bool(&c->more, value);
	if (strcmp(key, "oneway") == 0)
		return read_bool(&c->oneway, value);
	if (strcmp(key, "upgrade") == 0)
		return read_bool(&c->upgrade, value);
	return check_extension(key, value);
}

signet_err
call_parse(struct call *c, json_t *message)
{
	struct call parsed = {0};
	const char *key;
	json_t *value;
	signet_err err;

	if (!json_is_object(message))
		return SIGNET_ERR_PROTOCOL;
	json_object_foreach(message, key, value)
	{
		err = call_member(&parsed, key, value);
		if (err != SIGNET_OK)
			return err;
	}
	if (parsed.method == NULL)
		return SIGNET_ERR_PROTOCOL;
	err = fill_parameters(message, &parsed.parameters);
	if (err != SIGNET_OK)
		return err;
	parsed.message = json_incref(message);
	*c = parsed;
	return SIGNET_OK;
}

void
call_done(struct call *c)
{
	json_decref(c->message);
	*c = (struct call){0};
}

static signet_err
reply_member(struct reply *r, const char *key, json_t *value)
{
	if (strcmp(key, "error") == 0)
		return read_str(&r->error, value);
	if (strcmp(key, "parameters") == 0)
		return read_object(&r->parameters, value);
	if (strcmp(key, "continues") == 0)
		return read_bool(&r->continues, value);
	return check_extension(key, value);
}

signet_err
reply_parse(struct reply *r, json_t *message)
{
	struct reply parsed = {0};
	const char *key;
	json_t *value;
	signet_err err;

	if (!json_is_object(message))
		return SIGNET_ERR_PROTOCOL;
	json_object_foreach(message, key, value)
	{
		err = reply_member(&parsed, key, value);
		if (err != SIGNET_OK)
			return err;
	}
	err = fill_parameters(message, &parsed.parameters);
	if (err != SIGNET_OK)
		return err;
	parsed.message = json_incref(message);
	*r = parsed;
	return SIGNET_OK;
}

void
reply_done(struct reply *r)
{
	json_decref(r->message);
	*r = (struct reply){0};
}

/* Opens an envelope; end_frame needs to know where. */
static size_t
begin_frame(struct buf *out)
{
	size_t start = out->len;

	buf_chr(out, '{');
	return start;
}

static void
put_key(struct buf *out, const char *key)
{
	/* only the brace that opens the envelope stands directly before its first member */
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_chr(out, ',');
	buf_chr(out, '"');
	buf_str(out, key);
	buf_str(out, "\":");
}

static void
put_str(struct buf *out, const char *key, const char *value)
{
	put_key(out, key);
	buf_json(out, value, strlen(value));
}

static void
put_true(struct buf *out, const char *key, bool value)
{
	if (!value)
		return;
	put_key(out, key);
	buf_str(out, "true");
}

static int
put_dumped(const char *bytes, size_t n, void *out)
{
	struct buf *b = out;

	buf_put(b, bytes, n);
	return b->failed ? -1 : 0;
}

static void
put_parameters(struct buf *out, const json_t *parameters)
{
	if (parameters == NULL || json_object_size(parameters) == 0)
		return;
	put_key(out, "parameters");
	if (json_dump_callback(parameters, put_dumped, out, JSON_COMPACT) != 0)
		out->failed = true;
}

static void
end_frame(struct buf *out, size_t start)
{
	buf_put(out, "}", 2); /* with its NUL, the end of a frame */
	if (!out->failed)
		return;
	if (out->secret && out->len > start)
		wipe(out->data + start, out->len - start);
	out->len = start;
}

void
call_write(struct buf *out, const char *method, const json_t *parameters, bool more, bool oneway)
{
	size_t start = begin_frame(out);

	put_str(out, "method", method);
	put_parameters(out, parameters);
	put_true(out, "more", more);
	put_true(out, "oneway", oneway);
	end_frame(out, start);
}

void
reply_write(struct buf *out, const json_t *parameters, bool continues)
{
	size_t start = begin_frame(out);

	put_parameters(out, parameters);
	put_true(out, "continues", continues);
	end_frame(out, start);
}

void
reply_write_error(struct buf *out, const char *error, const json_t *parameters)
{
	size_t start = begin_frame(out);

	put_str(out, "error", error);
	put_parameters(out, parameters);
	end_frame(out, start);
}
