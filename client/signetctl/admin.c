/* What the verbs of administrators share: a call, and its reply. */
#include <stdlib.h>
#include <string.h>

#include "admin.h"

static bool
keep_reply(void *arg, const char *json, size_t size, bool continues)
{
	json_t **reply = arg;

	(void)continues;
	json_decref(*reply);
	*reply = json_loadb(json, size, 0, NULL);
	return true;
}

int
admin_call(struct ctl *c, const char *method, json_t *parameters, json_t **reply)
{
	char *text = parameters == NULL ? NULL : json_dumps(parameters, JSON_COMPACT);
	signet_err err;
	int code;

	json_decref(parameters);
	*reply = NULL;
	if (text == NULL)
		return fail_text(CTL_USAGE, _("a word of the command line is not UTF-8"));
	code = ctl_connect(c);
	if (code == CTL_OK) {
		err = signet_call(c->conn, method, text, NULL, 0, keep_reply, reply);
		if (err != SIGNET_OK)
			code = fail_call(c, err);
	}
	free(text);
	return code;
}
