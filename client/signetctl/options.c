/*
 * The command line: one pass over all of it, options anywhere, the first word
 * that is none is the verb.
 *
 * Invariant: parsing, help and the rule which verb takes which option come
 * from the one list in ctl.h.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum { LONG_BASE = 256 }; /* getopt's value of option N is LONG_BASE + N */

static const struct option long_options[] = {
#define OPTION_LONG(id, letter, name, arg, help)                                                             \
	{name, (arg) == NULL ? no_argument : required_argument, NULL, LONG_BASE + OPT_##id},
    CTL_OPTIONS(OPTION_LONG)
#undef OPTION_LONG
	{NULL, 0, NULL, 0},
};

static const char letters[OPT_COUNT] = {
#define OPTION_LETTER(id, letter, name, arg, help) [OPT_##id] = (letter),
    CTL_OPTIONS(OPTION_LETTER)
#undef OPTION_LETTER
};

/* "-:s:jh...": words in order, and our own words for faults. */
static void
short_options(char *out)
{
	size_t i;

	out = stpcpy(out, "-:");
	for (i = 0; i < OPT_COUNT; i++) {
		if (letters[i] == '\0')
			continue;
		*out++ = letters[i];
		if (long_options[i].has_arg == required_argument)
			*out++ = ':';
	}
	*out = '\0';
}

static int
option_of(int got)
{
	int i;

	if (got >= LONG_BASE)
		return got - LONG_BASE;
	for (i = 0; i < OPT_COUNT; i++) {
		if (letters[i] == got)
			return i;
	}
	return -1;
}

static int
bad_option(int got, char **argv)
{
	const char *word = argv[optind > 1 ? optind - 1 : 1];

	if (got == ':')
		return fail_text(CTL_USAGE, _("%s needs an argument: see signetctl help"), word);
	return fail_text(CTL_USAGE, _("%s is not an option here: see signetctl help"), word);
}

/* Options into c->value, words into c->args. */
static int
split(struct ctl *c, int argc, char **argv)
{
	char shorts[2 * OPT_COUNT + 3];
	int got, id;

	short_options(shorts);
	c->args = calloc((size_t)argc + 1, sizeof(*c->args));
	c->copies = calloc((size_t)argc + 1, sizeof(*c->copies));
	if (c->args == NULL || c->copies == NULL)
		return fail_text(CTL_FAILED, _("out of memory"));
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, long_options, NULL)) != -1) {
		if (got == 1) {
			c->args[c->arg_count++] = optarg;
			continue;
		}
		id = got == ':' || got == '?' ? -1 : option_of(got);
		if (id < 0)
			return bad_option(got, argv);
		if (id == OPT_COPY)
			c->copies[c->copy_count++] = optarg; /* the one option that may come several times */
		else if (c->value[id] != NULL)
			return fail_text(CTL_USAGE, _("--%s is given twice"), long_options[id].name);
		c->value[id] = optarg == NULL ? "" : optarg;
	}
	while (optind < argc)
		c->args[c->arg_count++] = argv[optind++];
	return -1;
}

/* How many words of the command line name this verb; 0: it is another. */
static int
names(const struct verb *v, char *const *args, int count)
{
	if (count == 0 || strcmp(args[0], v->name) != 0)
		return 0;
	if (v->sub == NULL)
		return 1;
	return count > 1 && strcmp(args[1], v->sub) == 0 ? 2 : 0;
}

static const struct verb *
find_verb(char *const *args, int count, int *words)
{
	size_t i;

	for (i = 0; i < verb_count; i++) {
		*words = names(&verbs[i], args, count);
		if (*words > 0)
			return &verbs[i];
	}
	return NULL;
}

static int
unknown_verb(const struct ctl *c)
{
	if (c->arg_count == 0) {
		help_print(stderr, NULL);
		return CTL_USAGE;
	}
	if (strcmp(c->args[0], "token") == 0)
		return fail_text(
		    CTL_USAGE, _("say what to do with the token: token list, token unlock, token lock"));
	if (strcmp(c->args[0], "key") == 0)
		return fail_text(CTL_USAGE, _("say what to do with the key: key disable, key enable, key generate, key csr"));
	if (strcmp(c->args[0], "pdf") == 0)
		return fail_text(CTL_USAGE, _("say what to do with the PDF file: pdf sign, pdf verify"));
	if (strcmp(c->args[0], "cert") == 0)
		return fail_text(CTL_USAGE, _("say what to do with certificates: cert list, cert export, cert import"));
	if (strcmp(c->args[0], "log") == 0)
		return fail_text(
		    CTL_USAGE, _("say what to do with the log, as in log show: signetctl help log lists it"));
	return fail_text(CTL_USAGE, _("signetctl cannot \"%s\": see signetctl help"), c->args[0]);
}

static int
check(const struct ctl *c, const struct verb *v)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++) {
		if (c->value[i] != NULL && (v->takes >> i & 1) == 0)
			return fail_text(CTL_USAGE, _("%s does not take --%s: see signetctl help %s"),
			    v->name, long_options[i].name, v->name);
	}
	if (c->arg_count < v->min_args)
		return fail_text(CTL_USAGE, _("something is missing: signetctl %s %s"), v->name, _(v->args));
	if (v->max_args >= 0 && c->arg_count > v->max_args)
		return fail_text(
		    CTL_USAGE, _("\"%s\" is too much: see signetctl help %s"), c->args[v->max_args], v->name);
	return -1;
}

int
options_read(struct ctl *c, int argc, char **argv, const struct verb **verb)
{
	int code, words = 0;

	code = split(c, argc, argv);
	if (code >= 0)
		return code;
	*verb = find_verb(c->args, c->arg_count, &words);
	if (given(c, OPT_VERSION)) {
		printf("signetctl %s\n", SIGNET_VERSION);
		return CTL_OK;
	}
	if (given(c, OPT_HELP)) {
		help_print(stdout, *verb);
		return CTL_OK;
	}
	if (*verb == NULL)
		return unknown_verb(c);
	c->arg_count -= words;
	memmove(c->args, c->args + words, ((size_t)c->arg_count + 1) * sizeof(*c->args));
	return check(c, *verb);
}

bool
option_number(
    const struct ctl *c, enum option_id id, unsigned long min, unsigned long max, unsigned long *out)
{
	const char *text = c->value[id];
	unsigned long n;
	char *end;

	assert(min <= max);
	if (text == NULL)
		return true;
	errno = 0;
	n = strtoul(text, &end, 10);
	/* strtoul takes blanks and signs too */
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < min || n > max) {
		(void)fail_text(
		    CTL_USAGE, _("--%s needs a number from %lu to %lu"), long_options[id].name, min, max);
		return false;
	}
	*out = n;
	return true;
}
