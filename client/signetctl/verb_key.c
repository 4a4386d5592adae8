/* signetctl key disable, key enable, token handover: what administrators decide, each an entry of the log. */
#include <stdlib.h>

#include "admin.h"

static int
print_done(struct ctl *c, json_t *reply, const char *name, const char *what)
{
	int code = CTL_OK;

	if (given(c, OPT_JSON)) {
		code = print_json(reply);
	} else {
		print_safe(stdout, name);
		printf(": %s ", what);
		printf(_("(log entry %lld)\n"), (long long)json_integer_value(json_object_get(reply, "index")));
	}
	json_decref(reply);
	return code;
}

static int
change_key(struct ctl *c, const char *method, const char *what)
{
	json_t *reply;
	int code;

	if (!given(c, OPT_REASON))
		return fail_text(CTL_USAGE, _("say why with --reason: it is recorded"));
	code = admin_call(c, method, json_pack("{s:s, s:s}", "key", c->args[0], "reason", c->value[OPT_REASON]), &reply);
	return code == CTL_OK ? print_done(c, reply, c->args[0], what) : code;
}

int
verb_key_disable(struct ctl *c)
{
	return change_key(c, "org.signetd.Admin.DisableKey", _("disabled for everyone"));
}

int
verb_key_enable(struct ctl *c)
{
	return change_key(c, "org.signetd.Admin.EnableKey", _("enabled again"));
}

int
verb_token_handover(struct ctl *c)
{
	json_t *reply;
	int code;

	if (!given(c, OPT_GIVEN_BY) || !given(c, OPT_GIVEN_TO))
		return fail_text(CTL_USAGE, _("say who gave it and who has it now: --given-by and --given-to"));
	code = admin_call(c, "org.signetd.Admin.Handover",
	    json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "token", c->args[0], "from", c->value[OPT_GIVEN_BY], "to",
		c->value[OPT_GIVEN_TO], "number", c->value[OPT_NUMBER], "date", c->value[OPT_DATE]),
	    &reply);
	return code == CTL_OK ? print_done(c, reply, c->args[0], _("handed over")) : code;
}
