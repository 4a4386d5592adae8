/* signetctl status, reload: the daemon as its administrator sees it. */
#include <stdlib.h>

#include "ctl.h"

static void
print_label(const char *label)
{
	print_padded(stdout, label, 28);
}

static void
print_text(const char *label, const json_t *object, const char *name)
{
	const char *text = word_text(json_string_value(json_object_get(object, name)));

	if (text == NULL)
		return;
	print_label(label);
	print_safe(stdout, text);
	putchar('\n');
}

static void
print_number(const char *label, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value)) {
		print_label(label);
		printf("%lld\n", (long long)json_integer_value(value));
	}
}

static void
print_log(const json_t *log)
{
	print_text(_("signing log"), log, "origin");
	print_number(_("log entries"), log, "size");
	print_number(_("covered by a signature"), log, "signedSize");
	print_label(_("log can be written"));
	puts(json_is_true(json_object_get(log, "available")) ? _("yes") : _("no: nothing is signed"));
	print_text(_("reason"), log, "reason");
}

static char *
number_text(const json_t *object, const char *name)
{
	char *text;

	if (asprintf(&text, "%lld", (long long)json_integer_value(json_object_get(object, name))) < 0)
		abort();
	return text;
}

static void
print_tokens(const json_t *tokens)
{
	static const char *const headings[] = {
	    N_("TOKEN"), N_("STATE"), N_("WAITING"), N_("SIGNED"), N_("FAILED"), N_("STARTS"), N_("REMARK")};
	owned(table_freep) struct libscols_table *table = table_new(headings, array_len(headings));
	const json_t *t;
	size_t i;

	json_array_foreach(tokens, i, t)
	{
		char *waiting = number_text(t, "waiting"), *signatures = number_text(t, "signatures");
		char *failures = number_text(t, "failures"), *starts = number_text(t, "workerStarts");
		const char *cells[] = {json_string_value(json_object_get(t, "name")),
		    word_text(json_string_value(json_object_get(t, "state"))), waiting, signatures, failures,
		    starts, json_string_value(json_object_get(t, "reason"))};

		table_row(table, cells, array_len(cells));
		free(waiting);
		free(signatures);
		free(failures);
		free(starts);
	}
	putchar('\n');
	table_print(table, stdout);
}

static void
print_warnings(const json_t *warnings)
{
	const json_t *w;
	size_t i;

	json_array_foreach(warnings, i, w)
	{
		if (!json_is_string(w))
			continue;
		if (i == 0)
			printf("\n%s\n", _("Look at:"));
		fputs("  - ", stdout);
		print_safe(stdout, json_string_value(w));
		putchar('\n');
	}
}

static void
print_status(const json_t *s)
{
	const char *started = json_string_value(json_object_get(s, "started"));
	char when[64];

	print_text(_("version"), s, "version");
	print_number(_("process"), s, "pid");
	if (started != NULL) {
		print_label(_("running since"));
		print_safe(stdout, local_time(when, started));
		putchar('\n');
	}
	print_number(_("connections"), s, "connections");
	print_number(_("calls"), s, "calls");
	print_number(_("refused"), s, "refusals");
	print_number(_("malformed calls"), s, "protocolErrors");
	print_text(_("clock"), s, "clock");
	print_label(_("tokens' programs"));
	puts(json_is_true(json_object_get(s, "sandbox")) ? _("confined") : _("NOT confined (sandbox = off)"));
	print_text(_("configuration"), s, "config");
	print_log(json_object_get(s, "log"));
	if (json_array_size(json_object_get(s, "tokens")) > 0)
		print_tokens(json_object_get(s, "tokens"));
	print_warnings(json_object_get(s, "warnings"));
}

int
verb_status(struct ctl *c)
{
	char *text = NULL;
	json_t *status;
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	err = signet_status(c->conn, &text);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	status = json_loads(text, 0, NULL);
	free(text);
	if (given(c, OPT_JSON))
		code = print_json(status);
	else
		print_status(status);
	json_decref(status);
	return code;
}

static void
print_reload(const json_t *reply)
{
	const json_t *changed = json_object_get(reply, "changed"), *name;
	size_t i;

	print_text(_("configuration"), reply, "config");
	if (json_array_size(changed) == 0)
		puts(_("No token had to be started again."));
	json_array_foreach(changed, i, name)
	{
		if (!json_is_string(name))
			continue;
		print_label(_("changed"));
		print_safe(stdout, json_string_value(name));
		putchar('\n');
	}
}

int
verb_reload(struct ctl *c)
{
	char *text = NULL;
	json_t *reply;
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	err = signet_reload(c->conn, &text);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	reply = json_loads(text, 0, NULL);
	free(text);
	if (given(c, OPT_JSON))
		code = print_json(reply);
	else
		print_reload(reply);
	json_decref(reply);
	return code;
}
