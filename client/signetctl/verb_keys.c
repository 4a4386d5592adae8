/* signetctl keys: the keys that the caller may see. */
#include <stdlib.h>

#include "ctl.h"

static void
add_key(void *arg, const signet_key *key)
{
	char end[64];
	const char *cells[] = {key->name, word_text(key->use), key->algorithm, key->token,
	    word_text(key->state), key->organisation == NULL ? key->holder : key->organisation,
	    key->not_after == NULL ? NULL : local_time(end, key->not_after), key->reason};

	table_row(arg, cells, array_len(cells));
}

static int
list_keys(struct ctl *c, const char *name)
{
	static const char *const headings[] = {N_("KEY"), N_("USE"), N_("ALGORITHM"), N_("TOKEN"),
	    N_("STATE"), N_("HOLDER"), N_("VALID UNTIL"), N_("REMARK")};
	owned(table_freep) struct libscols_table *table = NULL;
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	table = table_new(headings, array_len(headings));
	err = signet_keys(c->conn, name, add_key, table);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	table_print(table, stdout);
	return CTL_OK;
}

int
verb_keys(struct ctl *c)
{
	const char *name = c->arg_count > 0 ? c->args[0] : NULL;
	char *parameters;
	int code;

	if (!given(c, OPT_JSON))
		return list_keys(c, name);
	parameters = json_text_of("key", name);
	code = print_list_json(c, "org.signetd.Signer.ListKeys", parameters, "key");
	free(parameters);
	return code;
}
