/*
 * The permit: peer x verb x key -> a rule by name, or a refusal. Pure: no
 * clock, no file, no lookup; users and groups are numbers here. The first rule
 * that matches decides, the default is refusal, and no uid (root included) has
 * a right that no rule gives.
 */
#ifndef SIGNET_SIGNETD_POLICY_H
#define SIGNET_SIGNETD_POLICY_H

#include <sys/types.h>

#include "base/base.h"

/* X(VERB, word in the configuration) */
#define POLICY_VERBS(X)                                                                                      \
	X(SIGN, "sign")                                                                                      \
	X(SEAL, "seal")                                                                                      \
	X(TIMESTAMP, "timestamp")                                                                            \
	X(UNLOCK, "unlock")                                                                                  \
	X(LIST, "list")                                                                                      \
	X(READ_LOG, "read-log")                                                                              \
	X(READ_OWN, "read-own")                                                                              \
	X(READ_TITLES, "read-titles")                                                                        \
	X(APPROVE, "approve")                                                                                \
	X(ADMIN, "admin")

enum verb {
	VERB_NONE,   /* never permitted: what a forgotten verb would be */
	VERB_PUBLIC, /* org.varlink.service only: needs no rule */
#define POLICY_VERB(code, word) VERB_##code,
	POLICY_VERBS(POLICY_VERB)
#undef POLICY_VERB
	    VERB_COUNT
};

const char *verb_name(enum verb verb);
enum verb verb_find(const char *word); /* VERB_NONE if unknown */
/*
 * sign, seal, unlock, list and approve are about a key: asked without one they are refused. timestamp may be
 * either. The others are about the daemon or the log, and `keys` of a rule does not narrow them.
 */
bool verb_needs_key(enum verb verb);

/* Is a person asked for what a call lacks? */
enum policy_prompt {
	POLICY_PROMPT_NO,
	POLICY_PROMPT_YES,  /* if somebody is there to be asked */
	POLICY_PROMPT_WAIT, /* also until somebody comes */
};

struct policy_rule { /* [rule NAME] */
	char *name;
	char *file;
	int line;
	bool any_user;	/* user = * */
	uid_t *users;	/* a peer matches by any user or any group */
	size_t user_count;
	gid_t *groups;
	size_t group_count;
	uint32_t verbs; /* bit 1 << verb */
	bool any_key;	/* keys = * */
	char **keys;	/* neither: matches no key, so only verbs that need none */
	size_t key_count;
	enum policy_prompt prompt;
};

struct policy {
	struct policy_rule *rules;
	size_t rule_count;
};

struct policy_peer {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary, as SO_PEERGROUPS gives them; may hold gid again */
	size_t group_count;
};

struct verdict {
	bool permitted;
	const char *rule; /* name of the deciding rule; NULL: none matched */
	enum policy_prompt prompt; /* of that rule */
};

/*
 * key NULL: the request concerns no key (admin, read-log, read-own, read-titles, a time-stamp from outside): the
 * keys of a rule do not matter then. VERB_PUBLIC is always permitted, with rule NULL.
 */
struct verdict policy_permit(const struct policy *p, const struct policy_peer *peer, enum verb verb, const char *key);
/* May the peer know that this key exists: is any verb permitted that can be about a key? */
bool policy_visible(const struct policy *p, const struct policy_peer *peer, const char *key);
void policy_free(struct policy *p);

#endif
