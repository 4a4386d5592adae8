/* signetctl collect: what became of a request, and its signature once more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "out.h"

static bool
keep_reply(void *arg, const char *json, size_t size, bool continues)
{
	json_t **reply = arg;

	(void)continues;
	*reply = json_loadb(json, size, 0, NULL);
	return true;
}

static int
collect_json(struct ctl *c, const uint64_t *index)
{
	char *parameters, *number = NULL;
	json_t *reply = NULL;
	signet_err err;
	int code;

	if (index == NULL)
		parameters = json_text_of("requestId", c->value[OPT_REQUEST_ID]);
	else if (asprintf(&number, "{\"index\":%llu}", (unsigned long long)*index) < 0)
		abort();
	else
		parameters = number;
	err = signet_call(c->conn, "org.signetd.Signer.Collect", parameters, NULL, 0, keep_reply, &reply);
	code = err == SIGNET_OK ? print_json(reply) : fail_call(c, err);
	json_decref(reply);
	free(parameters);
	return code;
}

static int
put_signature(const struct ctl *c, const signet_result *r)
{
	const char *path = c->value[OPT_OUT];
	int failed;

	if (given(c, OPT_STDOUT))
		return fwrite(r->signature, 1, r->signature_size, stdout) == r->signature_size ? CTL_OK
											       : CTL_FAILED;
	printf(_("signed, log entry %llu, %s\n"), (unsigned long long)r->index, r->time);
	if (path == NULL)
		return CTL_OK;
	failed = out_write(path, r->signature, r->signature_size, given(c, OPT_FORCE));
	if (failed == EEXIST)
		return fail_text(CTL_FAILED, _("%s exists already: --force replaces it"), path);
	return failed == 0 ? CTL_OK : fail_text(CTL_FAILED, _("cannot write %s: %s"), path, strerror(failed));
}

static int
show(const struct ctl *c, const signet_result *r)
{
	if (r->signature != NULL && r->entry != NULL)
		return put_signature(c, r);
	if (strcmp(r->state, "waiting") == 0 || strcmp(r->state, "upgrading") == 0)
		return fail_text(CTL_LATER, _("it is still being worked on: ask again in a moment"));
	if (strcmp(r->state, "unknown") == 0)
		return fail_text(CTL_UNSURE,
		    _("an interruption hid whether it was signed; the same request is never signed again"));
	return fail_text(CTL_FAILED, _("it was not signed: %s"), word_text(r->state));
}

int
verb_collect(struct ctl *c)
{
	unsigned long number = 0;
	uint64_t index;
	signet_result *r = NULL;
	signet_err err;
	int code;

	if (given(c, OPT_REQUEST_ID) == given(c, OPT_INDEX))
		return fail_text(CTL_USAGE, _("say which: either --request-id or --index"));
	if (given(c, OPT_STDOUT) && (given(c, OPT_OUT) || given(c, OPT_JSON)))
		return fail_text(CTL_USAGE, _("--stdout goes without --out and --json"));
	if (!option_number(c, OPT_INDEX, 0, INT64_MAX, &number))
		return CTL_USAGE;
	index = number;
	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	if (given(c, OPT_JSON))
		return collect_json(c, given(c, OPT_INDEX) ? &index : NULL);
	err =
	    signet_collect(c->conn, NULL, c->value[OPT_REQUEST_ID], given(c, OPT_INDEX) ? &index : NULL, &r);
	code = err == SIGNET_OK ? show(c, r) : fail_call(c, err);
	signet_result_free(r);
	return code;
}
