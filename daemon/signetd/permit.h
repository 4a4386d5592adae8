/*
 * Where requests meet the policy. Each refusal is noted in the log (folded)
 * here and nowhere else. A key on which the caller has no right at all does
 * not exist for him: it is KeyNotFound, word for word as a key that nobody has.
 */
#ifndef SIGNET_SIGNETD_PERMIT_H
#define SIGNET_SIGNETD_PERMIT_H

#include "dispatch.h"
#include "fault.h"

struct key;
struct token;

/* The key of this name if the method's verb is permitted on it; else NULL and the fault. */
struct key *permit_key(struct broker *b, const struct identity *who, const struct method *m, const char *name,
    struct fault *f);
/* The token of this name if the verb is permitted on one of its keys (or, for `admin`, at all). */
struct token *permit_token(struct broker *b, const struct identity *who, const struct method *m, const char *name,
    struct fault *f);
/* False: an administrator has switched the key off. `m` NULL: not noted. */
bool permit_enabled(struct broker *b, const struct identity *who, const struct method *m, const struct key *k,
    struct fault *f);
/* Methods that concern no key. */
bool permit_whole(struct broker *b, const struct identity *who, const struct method *m, struct fault *f);
/* A PIN is taken only from a peer with the verb `unlock` on the token. */
bool permit_pin(struct broker *b, const struct identity *who, const struct method *m, struct token *t, struct fault *f);
/* Again, in the loop turn that writes the claim; this verdict counts and its rule is logged. */
struct verdict permit_again(const struct broker *b, const struct identity *who, enum verb verb, const char *key);
/* Is `verb` permitted on any key of the token? */
struct verdict permit_on_token(const struct broker *b, const struct identity *who, enum verb verb, const struct token *t);

#endif
