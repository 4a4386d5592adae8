/* signetctl token scan: what is plugged in. */
#include <stdlib.h>
#include <string.h>

#include "admin.h"

static void
add_row(struct libscols_table *table, const json_t *reply, const json_t *token, const json_t *cert)
{
	char end[64];
	const char *until = text_member(cert, "notAfter"), *configured = text_member(token, "configured");
	const char *cells[] = {text_member(token, "serial"), text_member(token, "label"), text_member(cert, "subject"),
	    text_member(cert, "organisation"), until == NULL ? NULL : local_time(end, until), configured == NULL ? "-" : configured,
	    token == NULL || json_is_null(token) ? text_member(reply, "reason") : text_member(reply, "module")};

	table_row(table, cells, array_len(cells));
}

static void
add_reply(struct libscols_table *table, const json_t *reply)
{
	const json_t *token = json_object_get(reply, "token"), *certs[32];
	size_t i, count = own_certificates(token, certs, array_len(certs));

	/* a slot of a software token that waits to be initialised is no token to people */
	if (json_is_object(token) && !json_is_true(json_object_get(token, "initialised")) && text_member(token, "serial") == NULL)
		return;
	if (json_is_null(token) && text_member(reply, "reason") == NULL)
		return;
	if (count == 0)
		add_row(table, reply, token, NULL);
	for (i = 0; i < count; i++)
		add_row(table, reply, token, certs[i]);
}

int
verb_token_scan(struct ctl *c)
{
	static const char *const headings[] = {N_("SERIAL NUMBER"), N_("LABEL"), N_("CERTIFICATE"), N_("ORGANISATION"),
	    N_("VALID UNTIL"), N_("TOKEN"), N_("DRIVER")};
	owned(table_freep) struct libscols_table *table = NULL;
	struct driver d = driver_of_options(c);
	const json_t *reply;
	json_t *found;
	size_t i;
	int code = admin_scan(c, &d, &found);

	if (code == CTL_OK && given(c, OPT_JSON)) {
		code = print_json(found);
	} else if (code == CTL_OK) {
		table = table_new(headings, array_len(headings));
		json_array_foreach(found, i, reply)
			add_reply(table, reply);
		table_print(table, stdout);
	}
	json_decref(found);
	return code;
}
