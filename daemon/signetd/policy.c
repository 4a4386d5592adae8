/*
 * The permit, decided over rules in their order.
 *
 * Invariant: nothing is permitted that no rule names: not to root, not for a
 * verb out of range, not for a verb on a key when the caller of this file
 * forgot the key.
 */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static const char *const verb_words[VERB_COUNT] = {[VERB_NONE] = "none",
    [VERB_PUBLIC] = "public",
#define POLICY_WORD(code, word) [VERB_##code] = word,
    POLICY_VERBS(POLICY_WORD)
#undef POLICY_WORD
};

/* What these do, they do with a key: asked without one they are refused. */
static const uint32_t verbs_on_keys =
    1u << VERB_SIGN | 1u << VERB_SEAL | 1u << VERB_UNLOCK | 1u << VERB_LIST | 1u << VERB_APPROVE;

const char *
verb_name(enum verb verb)
{
	return (unsigned)verb < VERB_COUNT ? verb_words[verb] : verb_words[VERB_NONE];
}

enum verb
verb_find(const char *word)
{
	unsigned v;

	for (v = VERB_PUBLIC + 1; v < VERB_COUNT; v++) {
		if (strcmp(word, verb_words[v]) == 0)
			return (enum verb)v;
	}
	return VERB_NONE;
}

bool
verb_needs_key(enum verb verb)
{
	return (unsigned)verb < VERB_COUNT && (verbs_on_keys >> verb & 1) != 0;
}

static bool
has_uid(const struct policy_rule *r, uid_t uid)
{
	size_t i;

	for (i = 0; i < r->user_count; i++) {
		if (r->users[i] == uid)
			return true;
	}
	return false;
}

static bool
has_gid(const struct policy_rule *r, gid_t gid)
{
	size_t i;

	for (i = 0; i < r->group_count; i++) {
		if (r->groups[i] == gid)
			return true;
	}
	return false;
}

static bool
matches_peer(const struct policy_rule *r, const struct policy_peer *peer)
{
	size_t i;

	if (r->any_user || has_uid(r, peer->uid))
		return true;
	if (r->group_count == 0)
		return false;
	if (has_gid(r, peer->gid))
		return true;
	for (i = 0; i < peer->group_count; i++) {
		if (has_gid(r, peer->groups[i]))
			return true;
	}
	return false;
}

static bool
matches_key(const struct policy_rule *r, const char *key)
{
	size_t i;

	if (key == NULL || r->any_key)
		return true;
	for (i = 0; i < r->key_count; i++) {
		if (strcmp(r->keys[i], key) == 0)
			return true;
	}
	return false;
}

/* The first rule with one of `verbs` for this peer and key; cheapest test first. */
static const struct policy_rule *
find_rule(const struct policy *p, const struct policy_peer *peer, uint32_t verbs, const char *key)
{
	size_t i;

	for (i = 0; i < p->rule_count; i++) {
		const struct policy_rule *r = &p->rules[i];

		if ((r->verbs & verbs) != 0 && matches_peer(r, peer) && matches_key(r, key))
			return r;
	}
	return NULL;
}

struct verdict
policy_permit(const struct policy *p, const struct policy_peer *peer, enum verb verb, const char *key)
{
	const struct policy_rule *r;

	if (verb == VERB_PUBLIC)
		return (struct verdict){.permitted = true};
	if (verb == VERB_NONE || (unsigned)verb >= VERB_COUNT || (key == NULL && verb_needs_key(verb)))
		return (struct verdict){.permitted = false};
	r = find_rule(p, peer, 1u << verb, key);
	if (r == NULL)
		return (struct verdict){.permitted = false};
	return (struct verdict){.permitted = true, .rule = r->name, .prompt = r->prompt};
}

bool
policy_visible(const struct policy *p, const struct policy_peer *peer, const char *key)
{
	return find_rule(p, peer, verbs_on_keys | 1u << VERB_TIMESTAMP, key) != NULL;
}

static void
rule_done(struct policy_rule *r)
{
	size_t i;

	for (i = 0; i < r->key_count; i++)
		free(r->keys[i]);
	free(r->keys);
	free(r->users);
	free(r->groups);
	free(r->file);
	free(r->name);
}

void
policy_free(struct policy *p)
{
	size_t i;

	if (p == NULL)
		return;
	for (i = 0; i < p->rule_count; i++)
		rule_done(&p->rules[i]);
	free(p->rules);
	free(p);
}
