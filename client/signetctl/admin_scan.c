/* Asking the daemon what is plugged in, and picking one token of it. */
#include <stdlib.h>
#include <string.h>

#include "admin.h"

const char *
text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
keep(void *arg, const char *json, size_t size, bool continues)
{
	(void)continues;
	return json_array_append_new(arg, json_loadb(json, size, 0, NULL)) == 0;
}

/* "a b c" as an array; NULL stays NULL. */
static json_t *
words_of(const char *text)
{
	char *copy, *rest, *word;
	json_t *list;

	if (text == NULL)
		return NULL;
	copy = rest = strdup(text);
	list = json_array();
	if (copy == NULL)
		abort();
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (*word != '\0')
			(void)json_array_append_new(list, json_string(word));
	}
	free(copy);
	return list;
}

int
admin_scan(struct ctl *c, const struct driver *d, json_t **found)
{
	json_t *parameters =
	    json_pack("{s:s*, s:o*, s:o*}", "module", d->module, "paths", words_of(d->paths), "environment", words_of(d->environment));
	char *text = parameters == NULL ? NULL : json_dumps(parameters, JSON_COMPACT);
	signet_err err;
	int code;

	json_decref(parameters);
	*found = json_array();
	if (text == NULL)
		return fail_text(CTL_USAGE, _("a word of the command line is not UTF-8"));
	code = ctl_connect(c);
	if (code == CTL_OK) {
		err = signet_set_timeout(c->conn, 120000); /* a driver that hangs has 30 s */
		if (err == SIGNET_OK)
			err = signet_call(
			    c->conn, "org.signetd.Admin.Scan", text, NULL, SIGNET_CALL_MORE, keep, *found);
		if (err != SIGNET_OK)
			code = fail_call(c, err);
	}
	free(text);
	return code;
}

struct driver
driver_of_options(const struct ctl *c)
{
	return (struct driver){c->value[OPT_MODULE], c->value[OPT_PATHS], c->value[OPT_ENVIRONMENT]};
}

size_t
own_certificates(const json_t *token, const json_t **certs, size_t max)
{
	const json_t *cert;
	size_t i, count = 0;

	json_array_foreach(json_object_get(token, "certificates"), i, cert)
	{
		if (!json_is_true(json_object_get(cert, "authority")) && count < max)
			certs[count++] = cert;
	}
	return count;
}

/* A token that can be known again: it has a serial number or a label. */
static bool
has_name(const json_t *token)
{
	return text_member(token, "serial") != NULL || text_member(token, "label") != NULL;
}

static bool
is_wanted(const json_t *token, const char *serial)
{
	const char *is = text_member(token, "serial"), *label = text_member(token, "label");

	if (serial == NULL)
		return has_name(token) && text_member(token, "configured") == NULL &&
		       json_is_true(json_object_get(token, "initialised"));
	return (is != NULL && strcmp(is, serial) == 0) || (is == NULL && label != NULL && strcmp(label, serial) == 0);
}

int
pick_found(const json_t *found, const char *serial, const json_t **reply)
{
	const json_t *r;
	size_t i, count = 0;

	json_array_foreach(found, i, r)
	{
		if (!is_wanted(json_object_get(r, "token"), serial))
			continue;
		if (count++ == 0)
			*reply = r;
	}
	if (count == 1)
		return CTL_OK;
	if (count == 0 && serial != NULL)
		return fail_text(CTL_TOKEN, _("no token with the serial number %s is in: signetctl token scan shows what is"), serial);
	if (count == 0)
		return fail_text(CTL_TOKEN, _("no token is in that is not known already: insert it, or name its driver with --module"));
	return fail_text(CTL_USAGE, _("several tokens are in: name one with --serial (signetctl token scan shows them)"));
}
