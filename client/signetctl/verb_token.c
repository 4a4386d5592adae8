/* signetctl token list, unlock, lock. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "pin.h"

static char *
join(const char *const *names)
{
	char *all = strdup("");
	char *longer;

	for (; all != NULL && *names != NULL; names++) {
		if (asprintf(&longer, "%s%s%s", all, all[0] == '\0' ? "" : ", ", *names) < 0)
			longer = NULL;
		free(all);
		all = longer;
	}
	if (all == NULL)
		abort();
	return all;
}

/* "for 5 signatures, until 10:30" */
static char *
unlocked_text(const signet_token *t)
{
	char end[64];
	char *text;
	int n;

	if (t->uses < 0 && t->until == NULL)
		return strdup(t->shared ? _("for everyone") : "");
	if (t->uses < 0)
		n = asprintf(&text, _("until %s"), local_time(end, t->until));
	else if (t->until == NULL)
		n = asprintf(&text, _("signatures left: %lld"), (long long)t->uses);
	else
		n = asprintf(&text, _("signatures left: %lld, until %s"), (long long)t->uses,
		    local_time(end, t->until));
	return n < 0 ? NULL : text;
}

static void
add_token(void *arg, const signet_token *t)
{
	char *keys = join(t->keys), *unlocked = unlocked_text(t);
	const char *cells[] = {t->name, word_text(t->state), t->holder, t->serial, keys, unlocked, t->reason};

	table_row(arg, cells, array_len(cells));
	free(keys);
	free(unlocked);
}

static int
list_tokens(struct ctl *c, const char *name)
{
	static const char *const headings[] = {N_("TOKEN"), N_("STATE"), N_("HOLDER"), N_("SERIAL NUMBER"),
	    N_("KEYS"), N_("UNLOCKED"), N_("REMARK")};
	owned(table_freep) struct libscols_table *table = NULL;
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	table = table_new(headings, array_len(headings));
	err = signet_tokens(c->conn, name, add_token, table);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	table_print(table, stdout);
	return CTL_OK;
}

int
verb_token_list(struct ctl *c)
{
	const char *name = c->arg_count > 0 ? c->args[0] : NULL;
	char *parameters;
	int code;

	if (!given(c, OPT_JSON))
		return list_tokens(c, name);
	parameters = json_text_of("token", name);
	code = print_list_json(c, "org.signetd.Token.List", parameters, "token");
	free(parameters);
	return code;
}

struct choice {
	char *only;
	size_t count;
};

static void
count_token(void *arg, const signet_token *t)
{
	struct choice *choice = arg;

	if (choice->count++ == 0)
		choice->only = strdup(t->name);
}

/* The token that is named, or the only one; NULL after the fault was printed. free() it. */
static char *
pick_token(struct ctl *c, int *code)
{
	struct choice choice = {0};
	signet_err err;

	if (c->arg_count > 0)
		return strdup(c->args[0]);
	err = signet_tokens(c->conn, NULL, count_token, &choice);
	if (err != SIGNET_OK && err != SIGNET_ERR_TOKEN_NOT_FOUND)
		*code = fail_call(c, err);
	else if (choice.count == 0)
		*code = fail_text(
		    CTL_REFUSED, _("there is no token that you may use: ask the administrator for a rule"));
	else if (choice.count > 1)
		*code = fail_text(CTL_USAGE, _("name the token: signetctl token list shows which there are"));
	else
		return choice.only;
	free(choice.only);
	return NULL;
}

static int
print_unlocked(struct ctl *c, const char *token, unsigned uses, const char *until)
{
	char end[64];

	if (given(c, OPT_JSON)) {
		json_t *reply =
		    json_pack("{s:s, s:I, s:s}", "token", token, "uses", (json_int_t)uses, "until", until);
		int code = print_json(reply);

		json_decref(reply);
		return code;
	}
	print_safe(stdout, token);
	printf(": ");
	printf(
	    ngettext("unlocked for %u signature, until %s\n", "unlocked for %u signatures, until %s\n", uses),
	    uses, local_time(end, until));
	return CTL_OK;
}

struct wish {
	unsigned long uses, seconds; /* 0: what the daemon gives */
};

static int
unlock(struct ctl *c, struct pin *pin, const char *token, const struct wish *wish)
{
	unsigned granted = 0;
	char until[32];
	signet_err err;
	int code;

	/* with neither PIN nor terminal: perhaps an agent of his is there */
	code = pin->pin == NULL && !pin->may_ask ? CTL_OK : pin_need(pin, c, token);
	while (code == CTL_OK) {
		err = signet_unlock(c->conn, token, pin->pin, (unsigned)wish->uses, (unsigned)wish->seconds,
		    pin->last_try, &granted, until);
		if (err == SIGNET_OK)
			return print_unlocked(c, token, granted, until);
		code =
		    pin_answer(pin, c, err, signet_error_message(c->conn), signet_error_parameters(c->conn));
	}
	return code;
}

int
verb_unlock(struct ctl *c)
{
	struct wish wish = {0};
	struct pin pin;
	char *token;
	int code;

	if (!option_number(c, OPT_USES, 1, 1000000, &wish.uses) ||
	    !option_number(c, OPT_SECONDS, 1, 86400, &wish.seconds))
		return CTL_USAGE;
	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	token = pick_token(c, &code);
	if (token == NULL)
		return code;
	code = pin_start(&pin, c);
	if (code == CTL_OK)
		code = unlock(c, &pin, token, &wish);
	pin_done(&pin);
	free(token);
	return code;
}

int
verb_lock(struct ctl *c)
{
	signet_err err;
	char *token;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	token = pick_token(c, &code);
	if (token == NULL)
		return code;
	err = signet_lock(c->conn, token);
	if (err != SIGNET_OK) {
		code = fail_call(c, err);
	} else if (given(c, OPT_JSON)) {
		puts("{}");
	} else {
		print_safe(stdout, token);
		printf(": %s\n", _("locked"));
	}
	free(token);
	return code;
}
