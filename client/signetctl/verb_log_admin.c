/* signetctl log erase, log new-key, log recover, backup: what administrators do to the log. The first three take two people. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "log.h"

/* Prints that a second person is needed; `command` is what he types. */
static int
print_waiting(struct ctl *c, json_t *reply, const char *command)
{
	int code = CTL_OK;

	if (given(c, OPT_JSON)) {
		code = print_json(reply);
	} else {
		puts(_("This takes two people. Another administrator must do the same within 15 minutes:"));
		printf("  ");
		print_safe(stdout, command);
		putchar('\n');
	}
	json_decref(reply);
	return code;
}

/* CTL_OK and *reply, or *reply NULL after all was said. */
static int
ask(struct ctl *c, const char *method, json_t *parameters, const char *command, json_t **reply)
{
	const char *state;
	int code;

	*reply = NULL;
	if (!given(c, OPT_REASON)) {
		json_decref(parameters);
		return fail_text(CTL_USAGE, _("say why with --reason: it is recorded"));
	}
	(void)json_object_set_new(parameters, "reason", json_string(c->value[OPT_REASON]));
	code = admin_call(c, method, parameters, reply);
	if (code != CTL_OK)
		return code;
	state = json_string_value(json_object_get(*reply, "state"));
	if (state != NULL && strcmp(state, "done") == 0)
		return CTL_OK;
	code = print_waiting(c, *reply, command);
	*reply = NULL;
	return code;
}

int
verb_log_erase(struct ctl *c)
{
	const char *field = c->arg_count > 1 ? c->args[1] : NULL;
	char command[160];
	uint64_t index;
	json_t *reply;
	int code;

	if (!log_index_read(c->args[0], &index))
		return fail_text(CTL_USAGE, _("\"%s\" is no number of an entry"), c->args[0]);
	(void)snprintf(command, sizeof(command), "signetctl log erase %s%s%.64s --reason ...", c->args[0], field == NULL ? "" : " ",
	    field == NULL ? "" : field);
	code = ask(c, "org.signetd.Log.Erase", json_pack("{s:I, s:s*}", "index", (json_int_t)index, "field", field), command,
	    &reply);
	if (reply == NULL)
		return code;
	if (given(c, OPT_JSON))
		code = print_json(reply);
	else
		printf(_("erased; the entry itself stays (log entry %lld)\n"),
		    (long long)json_integer_value(json_object_get(reply, "index")));
	json_decref(reply);
	return code;
}

int
verb_log_new_key(struct ctl *c)
{
	char fingerprint[2 * SIGNET_LOG_HASH + 1];
	const char *key;
	json_t *reply;
	int code;

	code = ask(c, "org.signetd.Log.NewKey", json_object(), "signetctl log new-key --reason ...", &reply);
	if (reply == NULL)
		return code;
	key = json_string_value(json_object_get(reply, "key"));
	if (given(c, OPT_JSON)) {
		code = print_json(reply);
	} else {
		printf(_("another key signs the log from entry %lld on; add it to the record of the log's enrolment:\n"),
		    (long long)json_integer_value(json_object_get(reply, "index")));
		printf("  ");
		print_safe(stdout, key == NULL ? "" : key);
		if (key != NULL && signet_log_key(key, NULL, fingerprint) == SIGNET_OK)
			printf("\n  %s %s", _("fingerprint"), fingerprint);
		putchar('\n');
	}
	json_decref(reply);
	return code;
}

int
verb_log_recover(struct ctl *c)
{
	json_t *reply;
	int code;

	code = ask(c, "org.signetd.Log.Recover", json_object(), "signetctl log recover --reason ...", &reply);
	if (reply == NULL)
		return code;
	if (given(c, OPT_JSON)) {
		code = print_json(reply);
	} else {
		puts(_("The log will be put aside as it is, and a new one begun that names it, when signetd starts next:"));
		puts("  systemctl restart signetd");
		puts(_("It has a verifier key of its own: signetctl log head shows it, for the record of its enrolment."));
	}
	json_decref(reply);
	return code;
}

int
verb_backup(struct ctl *c)
{
	json_t *reply;
	char *path = NULL;
	int code;

	/* the daemon does not know where we are */
	if (c->args[0][0] != '/') {
		char *here = realpath(".", NULL);

		if (here == NULL || asprintf(&path, "%s/%s", here, c->args[0]) < 0)
			return fail_text(CTL_FAILED, _("cannot read %s: %s"), ".", strerror(errno));
		free(here);
	}
	code = admin_call(c, "org.signetd.Admin.Backup",
	    json_pack("{s:s, s:b}", "directory", path != NULL ? path : c->args[0], "keys", given(c, OPT_WITH_KEYS)), &reply);
	free(path);
	if (code != CTL_OK)
		return code;
	if (given(c, OPT_JSON)) {
		code = print_json(reply);
	} else {
		printf(_("%lld entries are in %s\n"), (long long)json_integer_value(json_object_get(reply, "size")),
		    json_string_value(json_object_get(reply, "directory")));
		puts(given(c, OPT_WITH_KEYS) ? _("with the log's private key: whoever has this copy can sign in the log's name")
					     : _("without the log's private key: keep that somewhere else, or no log goes on from this copy"));
	}
	json_decref(reply);
	return code;
}
