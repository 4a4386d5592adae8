/*
 * What can only be judged when every file is read, and what is judged against
 * the system: references between sections, users and groups, modules.
 *
 * Invariant of the module check: on the way to the file, links included, there
 * is nothing that anyone but root (or we, for a private daemon) can change; so
 * the file that is loaded later is the file that was checked.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_parse.h"
#include "token/wire.h"

enum { LINKS_MAX = 16 };

/*
 * Users and groups
 */

/* A decimal id; the highest is "no id" for the system calls. */
static bool
is_id(const char *word, uint32_t *id)
{
	uint64_t n = 0;
	const char *p;

	for (p = word; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	if (p == word || *p != '\0' || n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

bool
config_uid(struct reading *r, const char *word, uid_t *uid)
{
	const struct passwd *pw;

	if (is_id(word, uid))
		return true;
	errno = 0;
	pw = getpwnam(word);
	if (pw != NULL) {
		*uid = pw->pw_uid;
		return true;
	}
	config_fail(
	    r, r->file, r->line, "unknown user \"%s\": a name of this system or a number is needed", word);
	return false;
}

bool
config_gid(struct reading *r, const char *word, gid_t *gid)
{
	const struct group *gr;

	if (is_id(word, gid))
		return true;
	gr = getgrnam(word);
	if (gr != NULL) {
		*gid = gr->gr_gid;
		return true;
	}
	config_fail(
	    r, r->file, r->line, "unknown group \"%s\": a name of this system or a number is needed", word);
	return false;
}

/*
 * Files that code is loaded from
 */

struct walk {
	char done[PATH_MAX]; /* real folders so far, checked; "" is the root */
	char todo[PATH_MAX];
	bool own_uid;
	unsigned links;
	char *why;
	size_t why_size;
};

static bool printf_like(2, 3) unsafe(struct walk *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->why, w->why_size, fmt, args);
	va_end(args);
	return false;
}

static bool
is_trusted(const struct walk *w, uid_t uid)
{
	return uid == 0 || (w->own_uid && uid == geteuid());
}

static bool
check_ours(struct walk *w, const struct stat *st)
{
	const char *name = w->done[0] != '\0' ? w->done : "/";
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

	if (!is_trusted(w, st->st_uid))
		return unsafe(w, "%s belongs to uid %u: it must belong to root", name, st->st_uid);
	/* in a sticky folder nobody can replace what is ours; a private daemon lives with that */
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(sticky && w->own_uid))
		return unsafe(w, "%s can be written by others: chmod go-w it", name);
	return true;
}

static void
step_back(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* Put the target of the link at `done` in front of what is still to do. */
static bool
follow(struct walk *w)
{
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t len = readlink(w->done, target, sizeof(target));
	int n;

	if (++w->links > LINKS_MAX)
		return unsafe(w, "%s: too many symbolic links", w->done);
	if (len <= 0 || (size_t)len == sizeof(target))
		return unsafe(w, "%s cannot be followed", w->done);
	n = snprintf(joined, sizeof(joined), "%.*s/%s", (int)len, target, w->todo);
	if (n < 0 || (size_t)n >= sizeof(joined))
		return unsafe(w, "%s leads to a path that is too long", w->done);
	memcpy(w->todo, joined, (size_t)n + 1);
	if (target[0] == '/')
		w->done[0] = '\0';
	else
		step_back(w);
	return true;
}

/* Look at `done`, to which a name was just added. */
static bool
check_step(struct walk *w)
{
	bool last = w->todo[strspn(w->todo, "/")] == '\0';
	struct stat st;

	if (lstat(w->done, &st) != 0)
		return unsafe(w, "%s: %s", w->done, strerror(errno));
	if (S_ISLNK(st.st_mode))
		return follow(w);
	if (last && !S_ISREG(st.st_mode))
		return unsafe(w, "%s is not a regular file", w->done);
	if (!last && !S_ISDIR(st.st_mode))
		return unsafe(w, "%s is not a folder", w->done);
	return check_ours(w, &st);
}

/* Move the first name of `todo` to `done` and look at it. */
static bool
step(struct walk *w)
{
	const char *name = w->todo + strspn(w->todo, "/");
	size_t len = strcspn(name, "/"), have = strlen(w->done);
	bool up = len == 2 && memcmp(name, "..", 2) == 0;
	bool stay = len == 0 || (len == 1 && name[0] == '.');

	if (have + 1 + len >= sizeof(w->done))
		return unsafe(w, "%s: the path is too long", w->done);
	if (!up && !stay) {
		w->done[have] = '/';
		memcpy(w->done + have + 1, name, len);
		w->done[have + 1 + len] = '\0';
	}
	memmove(w->todo, name + len, strlen(name + len) + 1);
	if (up)
		step_back(w);
	return up || stay || check_step(w);
}

bool
config_file_is_safe(const char *path, bool own_uid, char *why, size_t why_size)
{
	struct walk w = {.own_uid = own_uid, .why = why, .why_size = why_size};
	int n = snprintf(w.todo, sizeof(w.todo), "%s", path);
	struct stat st;

	if (path[0] != '/' || n < 0 || (size_t)n >= sizeof(w.todo))
		return unsafe(&w, "%s is not an absolute path", path);
	if (stat("/", &st) != 0)
		return unsafe(&w, "/: %s", strerror(errno));
	if (!check_ours(&w, &st))
		return false;
	while (w.todo[0] != '\0') {
		if (!step(&w))
			return false;
	}
	/* "/", or links and dots that end at a folder: no step ended at a file */
	if (lstat(w.done, &st) != 0 || !S_ISREG(st.st_mode))
		return unsafe(&w, "%s is not a regular file", path);
	return true;
}

/*
 * Sections
 */

int
config_line_of(const struct config_section *s, const char *name)
{
	size_t i;

	for (i = 0; i < config_keyword_count; i++) {
		if (config_keywords[i].kind == s->kind && strcmp(config_keywords[i].name, name) == 0 &&
		    s->lines[i] > 0)
			return s->lines[i];
	}
	return s->line;
}

static bool
both_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Two sections for one token would be two owners. */
static void
check_twins(struct reading *r, const struct config_section *s)
{
	const struct config_token *t = &r->c->tokens[s->index], *other;
	size_t i;

	for (i = 0; i < s->index; i++) {
		other = &r->c->tokens[i];
		if (both_same(t->module, other->module) &&
		    (both_same(t->serial, other->serial) || both_same(t->label, other->label)))
			config_fail(r, s->file, s->line, "[token %s] is the same token as [token %s]",
			    t->name, other->name);
	}
}

static void
check_token(struct reading *r, const struct config_section *s)
{
	const struct config_token *t = &r->c->tokens[s->index];
	char why[PATH_MAX + 128];

	if (t->module == NULL)
		config_fail(r, s->file, s->line, "[token %s] needs `module`", t->name);
	else if (t->serial == NULL && t->label == NULL)
		config_fail(r, s->file, s->line, "[token %s] needs `serial` or `label`", t->name);
	else if (t->serial != NULL && t->label != NULL)
		config_fail(
		    r, s->file, s->line, "[token %s] has both `serial` and `label`: keep one", t->name);
	else if (t->credential != NULL && !t->lease_shared)
		config_fail(r, s->file, config_line_of(s, "credential"),
		    "credential: a PIN that the daemon enters by itself is nobody's own: add `lease = shared`");
	else if (!config_file_is_safe(t->module, r->c->own_uid, why, sizeof(why)))
		config_fail(r, s->file, config_line_of(s, "module"), "module: %s", why);
	check_twins(r, s);
}

static void
find_token(struct reading *r, const struct config_section *s, struct config_key *k)
{
	const struct config_token *t = config_token_find(r->c, s->token);

	if (t == NULL)
		config_fail(r, s->file, config_line_of(s, "token"), "there is no [token %s]", s->token);
	else
		k->token = (size_t)(t - r->c->tokens);
}

/* What the keys before this one forbid it. */
static void
check_neighbours(struct reading *r, const struct config_section *s)
{
	const struct config_key *k = &r->c->keys[s->index], *other;
	size_t i, count = 1;

	for (i = 0; i < s->index; i++) {
		other = &r->c->keys[i];
		if (other->token != k->token)
			continue;
		count++;
		/* a seal under a second name would be a way around all that guards seals */
		if (strcmp(other->uri, k->uri) == 0 && other->use != k->use)
			config_fail(r, s->file, config_line_of(s, "uri"),
			    "[key %s] has the same uri and another `use`", other->name);
	}
	if (count > WIRE_KEYS_MAX)
		config_fail(r, s->file, s->line, "more than %d keys on one token", WIRE_KEYS_MAX);
}

/* On the device no person's key: its loss must stop nobody's own signature. And it has one key for its health. */
static void
check_device_key(struct reading *r, const struct config_section *s)
{
	const struct config_key *k = &r->c->keys[s->index];
	const struct config_token *t = &r->c->tokens[k->token];
	size_t i;

	if (t->device && k->use == USE_PERSONAL)
		config_fail(r, s->file, config_line_of(s, "use"),
		    "[key %s] is on [device %s] and needs `use = seal`, `timestamp` or `log`: people sign with tokens of "
		    "their own",
		    k->name, t->name);
	if (k->probe && !t->device)
		config_fail(r, s->file, config_line_of(s, "probe"), "probe: [key %s] is not on a [device]", k->name);
	for (i = 0; i < s->index && k->probe; i++)
		if (r->c->keys[i].probe && r->c->keys[i].token == k->token)
			config_fail(r, s->file, config_line_of(s, "probe"), "probe: [key %s] has it already",
			    r->c->keys[i].name);
}

static void
check_key(struct reading *r, const struct config_section *s)
{
	struct config_key *k = &r->c->keys[s->index];
	const struct config_token *t;
	char why[512] = "out of memory";

	if (s->token == NULL)
		config_fail(r, s->file, s->line, "[key %s] needs `token`", k->name);
	else if (k->uri == NULL)
		config_fail(r, s->file, s->line, "[key %s] needs `uri`", k->name);
	else
		find_token(r, s, k);
	if (r->err != SIGNET_OK)
		return;
	t = &r->c->tokens[k->token];
	if (config_check_uri(k->uri, t->serial, t->label, why, sizeof(why)) != SIGNET_OK) {
		config_fail(r, s->file, config_line_of(s, "uri"), "uri: %s", why);
		return;
	}
	check_device_key(r, s);
	if (k->holder == NULL && t->holder != NULL)
		k->holder = config_strdup(r, t->holder);
	check_neighbours(r, s);
}

static void
check_timestamp(struct reading *r, const struct config_section *s)
{
	struct config_timestamp *t = &r->c->timestamps[s->index];
	const struct config_key *k = s->token == NULL ? NULL : config_key_find(r->c, s->token);
	int line = config_line_of(s, "key");

	if (s->token == NULL)
		config_fail(r, s->file, s->line, "[timestamp %s] needs `key`", t->name);
	else if (k == NULL)
		config_fail(r, s->file, line, "there is no [key %s]", s->token);
	else if (k->use != USE_TIMESTAMP)
		config_fail(r, s->file, line, "[key %s] needs `use = timestamp`", k->name);
	else if (k->scheme == SCHEME_PSS)
		config_fail(r, s->file, line, "[key %s] has `scheme = pss`, which few verifiers of time-stamps know", k->name);
	else if (t->policy == NULL)
		config_fail(r, s->file, s->line, "[timestamp %s] needs `policy`", t->name);
	else
		t->key = (size_t)(k - r->c->keys);
}

/* Who may change an anchor decides which certificates are good. */
static void
check_trust(struct reading *r, const struct config_section *s)
{
	char why[PATH_MAX + 128];
	size_t i;

	for (i = 0; i < r->c->anchors.count; i++)
		if (!config_file_is_safe(r->c->anchors.words[i], r->c->own_uid, why, sizeof(why)))
			config_fail(r, s->file, config_line_of(s, "anchors"), "anchors: %s", why);
	if (r->c->certificate_check == TRUST_STRICT && r->c->anchors.count == 0)
		config_fail(r, s->file, config_line_of(s, "certificate-check"),
		    "certificate-check = strict needs `anchors`: without any no certificate can be good");
}

static bool
has_verb_on_keys(const struct policy_rule *rule, enum verb *which)
{
	unsigned v;

	for (v = 0; v < VERB_COUNT; v++) {
		*which = (enum verb)v;
		if ((rule->verbs >> v & 1) != 0 && verb_needs_key(*which))
			return true;
	}
	return false;
}

static void
check_rule(struct reading *r, const struct config_section *s)
{
	const struct policy_rule *rule = &r->c->policy->rules[s->index];
	enum verb verb;
	size_t i;

	if (!rule->any_user && rule->user_count + rule->group_count == 0)
		config_fail(r, s->file, s->line, "[rule %s] needs `user` or `group`", rule->name);
	else if (rule->verbs == 0)
		config_fail(r, s->file, s->line, "[rule %s] needs `verbs`", rule->name);
	else if (!rule->any_key && rule->key_count == 0 && has_verb_on_keys(rule, &verb))
		config_fail(r, s->file, s->line,
		    "[rule %s] permits \"%s\" on no key: add `keys` (`keys = *` for all)", rule->name,
		    verb_name(verb));
	if (rule->prompt != POLICY_PROMPT_NO && (rule->verbs & (1u << VERB_SIGN | 1u << VERB_SEAL | 1u << VERB_UNLOCK)) == 0)
		config_fail(r, s->file, config_line_of(s, "prompt"),
		    "prompt: [rule %s] permits nothing that needs a PIN (sign, seal, unlock)", rule->name);
	for (i = 0; i < rule->key_count; i++) {
		if (config_key_find(r->c, rule->keys[i]) == NULL)
			config_fail(
			    r, s->file, config_line_of(s, "keys"), "there is no [key %s]", rule->keys[i]);
	}
}

/* A program that is run; one that comes with the system was installed by root. */
static void
check_program(struct reading *r, const struct config_section *s, const char *name, const char *path)
{
	char why[PATH_MAX + 128];

	if (config_line_of(s, name) == s->line || r->c->own_uid)
		return;
	if (!config_file_is_safe(path, false, why, sizeof(why)))
		config_fail(r, s->file, config_line_of(s, name), "%s: %s", name, why);
}

static void
check_daemon(struct reading *r, const struct config_section *s)
{
	check_program(r, s, "token-program", r->c->token_program); /* it sees PINs */
	check_program(r, s, "format-program", r->c->format_program);
}

void
config_check_all(struct reading *r)
{
	/* keys are judged against tokens, rules against keys; what needs only files comes last */
	static const enum config_kind order[] = {
	    KIND_DAEMON, KIND_TOKEN, KIND_KEY, KIND_TIMESTAMP, KIND_RULE, KIND_TRUST};
	static void (*const checks[KIND_COUNT])(struct reading *, const struct config_section *) = {
	    [KIND_DAEMON] = check_daemon,
	    [KIND_TOKEN] = check_token,
	    [KIND_TRUST] = check_trust,
	    [KIND_KEY] = check_key,
	    [KIND_TIMESTAMP] = check_timestamp,
	    [KIND_RULE] = check_rule,
	};
	size_t i, k;

	for (k = 0; k < array_len(order); k++) {
		for (i = 0; i < r->section_count; i++) {
			if (r->err == SIGNET_OK && r->sections[i].kind == order[k])
				checks[order[k]](r, &r->sections[i]);
		}
	}
}
