/* Help: made of the same lists that the command line is read with. */
#include <string.h>

#include "ctl.h"

struct option_help {
	char letter;
	const char *name, *arg, *help;
};

static const struct option_help option_helps[OPT_COUNT] = {
#define OPTION_HELP(id, letter, name, arg, help) [OPT_##id] = {letter, name, arg, help},
    CTL_OPTIONS(OPTION_HELP)
#undef OPTION_HELP
};

static const struct {
	enum exit_code code;
	const char *help;
} exits[] = {
    {CTL_OK, N_("done")},
    {CTL_FAILED, N_("failed; also: the signature is not good")},
    {CTL_USAGE, N_("the command line is not right, or a choice is needed")},
    {CTL_NO_DAEMON, N_("no daemon answers on the socket")},
    {CTL_REFUSED, N_("not permitted, or not found")},
    {CTL_PIN, N_("the PIN is missing, wrong or blocked")},
    {CTL_TOKEN, N_("the token is absent or failed")},
    {CTL_SOME, N_("some of several files failed")},
    {CTL_LATER, N_("nothing happened: try again later")},
    {CTL_UNSURE, N_("it may have been signed: ask with collect before a retry")},
};

static void
print_row(FILE *f, const char *left, const char *right)
{
	fputs("  ", f);
	print_padded(f, left, 26);
	fprintf(f, " %s\n", right);
}

static void
print_option(FILE *f, const struct option_help *o)
{
	char left[48];

	(void)snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter == '\0' ? ' ' : '-',
	    o->letter == '\0' ? ' ' : o->letter, o->letter == '\0' ? ' ' : ',', o->name,
	    o->arg == NULL ? "" : " ", o->arg == NULL ? "" : _(o->arg));
	print_row(f, left, _(o->help));
}

static void
print_options(FILE *f, option_set takes)
{
	size_t i;

	fprintf(f, "\n%s\n", _("Options:"));
	for (i = 0; i < OPT_COUNT; i++) {
		if ((takes >> i & 1) != 0)
			print_option(f, &option_helps[i]);
	}
}

static void
print_verb(FILE *f, const struct verb *v)
{
	char left[64];

	(void)snprintf(left, sizeof(left), "%s%s%s %s", v->name, v->sub == NULL ? "" : " ",
	    v->sub == NULL ? "" : v->sub, v->args[0] == '\0' ? "" : _(v->args));
	print_row(f, left, _(v->help));
}

static void
print_program(FILE *f)
{
	size_t i;

	fprintf(f, "%s\n\n%s\n", _("Usage: signetctl [OPTIONS] VERB ..."), _("Verbs:"));
	for (i = 0; i < verb_count; i++)
		print_verb(f, &verbs[i]);
	print_options(f, TAKES(SOCKET) | TAKES(JSON) | TAKES(HELP) | TAKES(VERSION));
	fprintf(f, "\n%s\n", _("Exit status:"));
	for (i = 0; i < array_len(exits); i++)
		fprintf(f, "  %d  %s\n", (int)exits[i].code, _(exits[i].help));
	fprintf(f, "\n%s\n", _("signetctl help VERB shows the options of a verb; signetctl(1) tells more."));
}

void
help_print(FILE *f, const struct verb *verb)
{
	if (verb == NULL) {
		print_program(f);
		return;
	}
	fprintf(f, "%s signetctl %s%s%s %s\n  %s\n", _("Usage:"), verb->name, verb->sub == NULL ? "" : " ",
	    verb->sub == NULL ? "" : verb->sub, verb->args[0] == '\0' ? "" : _(verb->args), _(verb->help));
	print_options(f, verb->takes);
}

int
verb_help(struct ctl *c)
{
	size_t i, shown = 0;

	if (c->arg_count == 0) {
		help_print(stdout, NULL);
		return CTL_OK;
	}
	for (i = 0; i < verb_count; i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(v->name, c->args[0]) != 0)
			continue;
		if (c->arg_count > 1 && (v->sub == NULL || strcmp(v->sub, c->args[1]) != 0))
			continue;
		help_print(stdout, v);
		shown++;
	}
	if (shown == 0)
		return fail_text(CTL_USAGE, _("signetctl cannot \"%s\": see signetctl help"), c->args[0]);
	return CTL_OK;
}
