/*
 * Choosing the key for a person who named none.
 *
 * Invariant: never a guess. One key that signs is taken; of several none is,
 * whatever state they are in, so that the same command line signs with the
 * same key tomorrow.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pick.h"

struct choices {
	struct picked *first;
	struct libscols_table *table;
	size_t count;
};

static void
take_details(struct picked *p, const signet_key *key)
{
	p->token = strdup(key->token);
	if (key->certificate_count > 0)
		p->cert = cert_from_der(key->certificates[0], key->certificate_sizes[0]);
}

static void
add_choice(void *arg, const signet_key *key)
{
	struct choices *choices = arg;
	const char *cells[] = {key->name, key->holder, key->token, word_text(key->state)};

	if (strcmp(key->use, "personal") != 0)
		return;
	if (choices->count++ == 0) {
		choices->first->name = strdup(key->name);
		take_details(choices->first, key);
	}
	table_row(choices->table, cells, array_len(cells));
}

static int
show_choices(struct libscols_table *table)
{
	int code = fail_text(CTL_USAGE, _("there are several keys: choose one with --key"));

	table_print(table, stderr);
	return code;
}

static int
pick_only(struct picked *p, struct ctl *c)
{
	static const char *const headings[] = {N_("KEY"), N_("HOLDER"), N_("TOKEN"), N_("STATE")};
	owned(table_freep) struct libscols_table *table = table_new(headings, array_len(headings));
	struct choices choices = {.first = p, .table = table};
	signet_err err;

	err = signet_keys(c->conn, NULL, add_choice, &choices);
	if (err != SIGNET_OK && err != SIGNET_ERR_KEY_NOT_FOUND)
		return fail_call(c, err);
	if (choices.count == 0)
		return fail_text(CTL_REFUSED,
		    _("there is no key that you may sign with: ask the administrator for a rule"));
	return choices.count == 1 ? CTL_OK : show_choices(table);
}

int
pick_key(struct picked *p, struct ctl *c)
{
	int code;

	*p = (struct picked){0};
	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	if (!given(c, OPT_KEY))
		return pick_only(p, c);
	p->name = strdup(c->value[OPT_KEY]);
	return CTL_OK;
}

static void
add_details(void *arg, const signet_key *key)
{
	struct picked *p = arg;

	if (p->token == NULL)
		take_details(p, key);
}

int
pick_details(struct picked *p, struct ctl *c)
{
	signet_err err;

	if (p->token != NULL)
		return CTL_OK;
	err = signet_keys(c->conn, p->name, add_details, p);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	return p->token != NULL ? CTL_OK : fail_text(CTL_FAILED, _("the daemon says nothing about the key"));
}

void
pick_done(struct picked *p)
{
	free(p->name);
	free(p->token);
	X509_free(p->cert);
	*p = (struct picked){0};
}
