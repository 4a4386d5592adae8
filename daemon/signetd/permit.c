/* Verdicts with their faults and their notes in the log. */
#include "permit.h"

#include <string.h>

#include "broker.h"
#include "disabled.h"
#include "refusal.h"
#include "token.h"

static void
not_permitted(struct fault *f, enum verb verb, const char *object)
{
	fault_set(f, SIGNET_ERR_NOT_PERMITTED, NULL, "no rule permits you `%s`%s%s; an administrator can add one",
	    verb_name(verb), object != NULL ? " on " : "", object != NULL ? object : "");
}

struct verdict
permit_again(const struct broker *b, const struct identity *who, enum verb verb, const char *key)
{
	return policy_permit(b->config->policy, &who->peer, verb, key);
}

struct key *
permit_key(struct broker *b, const struct identity *who, const struct method *m, const char *name, struct fault *f)
{
	struct key *k = broker_key(b, name);
	const char *known = k != NULL ? k->conf->name : NULL;

	if (k != NULL && permit_again(b, who, m->verb, known).permitted)
		return k;
	refusal_note(b, who, m, m->verb, known);
	if (k != NULL && policy_visible(b->config->policy, &who->peer, known))
		not_permitted(f, m->verb, known);
	else
		fault_set(f, SIGNET_ERR_KEY_NOT_FOUND, name, "there is no key of this name that you may use; "
							     "`signetctl keys` lists yours");
	return NULL;
}

struct verdict
permit_on_token(const struct broker *b, const struct identity *who, enum verb verb, const struct token *t)
{
	for (size_t i = 0; i < t->key_count; i++) {
		struct verdict v = permit_again(b, who, verb, t->keys[i].conf->name);

		if (v.permitted)
			return v;
	}
	return (struct verdict){.permitted = false};
}

static bool
token_visible(const struct broker *b, const struct identity *who, const struct token *t)
{
	for (size_t i = 0; i < t->key_count; i++)
		if (policy_visible(b->config->policy, &who->peer, t->keys[i].conf->name))
			return true;
	return false;
}

bool
permit_enabled(struct broker *b, const struct identity *who, const struct method *m, const struct key *k, struct fault *f)
{
	const struct disabled *d = disabled_find(b, k->conf);

	if (d == NULL)
		return true;
	if (m != NULL)
		refusal_note(b, who, m, m->verb, k->conf->name);
	fault_set(f, SIGNET_ERR_KEY_DISABLED, k->conf->name, "the key %s was disabled: %s; an administrator can enable it again",
	    k->conf->name, d->reason);
	fault_set_reason(f, "%s", d->reason);
	return false;
}

struct token *
permit_token(struct broker *b, const struct identity *who, const struct method *m, const char *name, struct fault *f)
{
	struct token *t = broker_token(b, name);

	if (t != NULL && permit_on_token(b, who, m->verb, t).permitted)
		return t;
	refusal_note(b, who, m, m->verb, NULL);
	if (t != NULL && token_visible(b, who, t))
		not_permitted(f, m->verb, name);
	else
		fault_set(f, SIGNET_ERR_TOKEN_NOT_FOUND, name, "there is no token of this name that you may use; "
							       "`signetctl token list` lists yours");
	return NULL;
}

bool
permit_whole(struct broker *b, const struct identity *who, const struct method *m, struct fault *f)
{
	if (permit_again(b, who, m->verb, NULL).permitted)
		return true;
	refusal_note(b, who, m, m->verb, NULL);
	not_permitted(f, m->verb, NULL);
	return false;
}

bool
permit_pin(struct broker *b, const struct identity *who, const struct method *m, struct token *t, struct fault *f)
{
	if (!permit_on_token(b, who, VERB_UNLOCK, t).permitted) {
		refusal_note(b, who, m, VERB_UNLOCK, NULL);
		not_permitted(f, VERB_UNLOCK, t->conf->name);
		return false;
	}
	if (!t->conf->pin_from_client) {
		fault_set(f, SIGNET_ERR_NOT_PERMITTED, NULL, "token %s takes no PIN from a program (pin-from-client = no)",
		    t->conf->name);
		return false;
	}
	return true;
}
