/*
 * Sections of the configuration, and lines that find their key in them.
 *
 * Invariant: a token, key or rule exists as soon as its header was read, with
 * defaults in every field, so that half a configuration can be freed like a
 * whole one.
 */
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

static const char *const kind_words[KIND_COUNT] = {
    [KIND_NONE] = "",
    [KIND_DAEMON] = "daemon",
    [KIND_LIMITS] = "limits",
    [KIND_LOG] = "log",
    [KIND_TRUST] = "trust",
    [KIND_CONTACT] = "contact",
    [KIND_TOKEN] = "token",
    [KIND_DEVICE] = "device",
    [KIND_KEY] = "key",
    [KIND_TIMESTAMP] = "timestamp",
    [KIND_RULE] = "rule",
};

const char *
config_kind_word(enum config_kind kind)
{
	return kind_words[kind];
}

static enum config_kind
find_kind(const char *word)
{
	unsigned k;

	for (k = KIND_NONE + 1; k < KIND_COUNT; k++) {
		if (strcmp(word, kind_words[k]) == 0)
			return (enum config_kind)k;
	}
	return KIND_NONE;
}

/* [a-z0-9] then [a-z0-9._-]: a name is written in rules and commands, and logged, without quotes. */
static bool
is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= CONFIG_NAME_MAX && strspn(name, allowed) == len && name[0] != '.' &&
	       name[0] != '_' && name[0] != '-';
}

static bool
same_name(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static const struct config_section *
find_section(const struct reading *r, enum config_kind kind, const char *name)
{
	size_t i;

	for (i = 0; i < r->section_count; i++) {
		const struct config_section *s = &r->sections[i];

		if (s->kind == kind && same_name(s->name, name))
			return s;
	}
	return NULL;
}

static struct config_token *
add_token_section(struct reading *r)
{
	struct config *c = r->c;
	struct config_token *t;

	if (c->token_count == CONFIG_TOKENS_MAX) {
		config_fail(r, r->file, r->line, "more than %d tokens", CONFIG_TOKENS_MAX);
		return NULL;
	}
	t = reallocarray(c->tokens, c->token_count + 1, sizeof(*t));
	if (t == NULL) {
		config_no_memory(r);
		return NULL;
	}
	c->tokens = t;
	t += c->token_count++;
	*t = (struct config_token){
	    .lanes = 1,
	    .uses_max = 1000,
	    .seconds_max = 28800,
	    .pin_from_client = true,
	    .sign_timeout_ms = 15000,
	    .login_timeout_ms = 15000,
	    .pinpad_timeout_ms = 120000,
	    .probe_interval_ms = 3600000,
	};
	return t;
}

static struct config_key *
add_key_section(struct reading *r)
{
	struct config *c = r->c;
	struct config_key *k;

	if (c->key_count == CONFIG_KEYS_MAX) {
		config_fail(r, r->file, r->line, "more than %d keys", CONFIG_KEYS_MAX);
		return NULL;
	}
	k = reallocarray(c->keys, c->key_count + 1, sizeof(*k));
	if (k == NULL) {
		config_no_memory(r);
		return NULL;
	}
	c->keys = k;
	k += c->key_count++;
	*k = (struct config_key){.use = USE_PERSONAL};
	return k;
}

static struct config_timestamp *
add_timestamp_section(struct reading *r)
{
	struct config *c = r->c;
	struct config_timestamp *t;

	if (c->timestamp_count == CONFIG_TIMESTAMPS_MAX) {
		config_fail(r, r->file, r->line, "more than %d sources of time-stamps", CONFIG_TIMESTAMPS_MAX);
		return NULL;
	}
	t = reallocarray(c->timestamps, c->timestamp_count + 1, sizeof(*t));
	if (t == NULL) {
		config_no_memory(r);
		return NULL;
	}
	c->timestamps = t;
	t += c->timestamp_count++;
	*t = (struct config_timestamp){.accuracy_ms = 1000};
	return t;
}

static struct policy_rule *
add_rule_section(struct reading *r)
{
	struct policy *p = r->c->policy;
	struct policy_rule *rule;

	if (p->rule_count == CONFIG_RULES_MAX) {
		config_fail(r, r->file, r->line, "more than %d rules", CONFIG_RULES_MAX);
		return NULL;
	}
	rule = reallocarray(p->rules, p->rule_count + 1, sizeof(*rule));
	if (rule == NULL) {
		config_no_memory(r);
		return NULL;
	}
	p->rules = rule;
	rule += p->rule_count++;
	*rule = (struct policy_rule){0};
	return rule;
}

/* A new token, key or rule for the section, which borrows its name. */
static void
add_named(struct reading *r, struct config_section *s, const char *name)
{
	struct config_token *t;
	struct config_key *k;
	struct config_timestamp *stamp;
	struct policy_rule *rule;

	if (s->kind == KIND_TOKEN && (t = add_token_section(r)) != NULL) {
		s->index = r->c->token_count - 1;
		t->device = s->device;
		t->at = (struct config_place){config_strdup(r, r->file), r->line};
		s->name = t->name = config_strdup(r, name);
	} else if (s->kind == KIND_KEY && (k = add_key_section(r)) != NULL) {
		s->index = r->c->key_count - 1;
		k->at = (struct config_place){config_strdup(r, r->file), r->line};
		s->name = k->name = config_strdup(r, name);
	} else if (s->kind == KIND_TIMESTAMP && (stamp = add_timestamp_section(r)) != NULL) {
		s->index = r->c->timestamp_count - 1;
		stamp->at = (struct config_place){config_strdup(r, r->file), r->line};
		s->name = stamp->name = config_strdup(r, name);
	} else if (s->kind == KIND_RULE && (rule = add_rule_section(r)) != NULL) {
		s->index = r->c->policy->rule_count - 1;
		rule->file = config_strdup(r, r->file);
		rule->line = r->line;
		s->name = rule->name = config_strdup(r, name);
	}
}

static void
add_section(struct reading *r, enum config_kind word, const char *name)
{
	/* tokens and devices share their names: keys call either `token` */
	enum config_kind kind = word == KIND_DEVICE ? KIND_TOKEN : word;
	const struct config_section *twin = find_section(r, kind, name);
	struct config_section *s;

	if (twin != NULL) {
		config_fail(r, r->file, r->line, "[%s%s%s] is there twice: first in %s:%d", kind_words[word],
		    name != NULL ? " " : "", name != NULL ? name : "", twin->file, twin->line);
		return;
	}
	s = reallocarray(r->sections, r->section_count + 1, sizeof(*s));
	if (s == NULL) {
		config_no_memory(r);
		return;
	}
	r->sections = s;
	s += r->section_count++;
	*s = (struct config_section){.kind = kind, .device = word == KIND_DEVICE, .line = r->line, .file = config_strdup(r, r->file)};
	if (name != NULL)
		add_named(r, s, name);
}

/* Cut a header after its "]" and blanks inside it; what may follow is a comment. NULL: not a header. */
static char *
header_content(char *header)
{
	char *end = strchr(header, ']'), *rest;

	if (end == NULL)
		return NULL;
	rest = end + 1 + strspn(end + 1, " \t");
	if (*rest != '\0' && *rest != ';' && *rest != '#')
		return NULL;
	while (end > header + 1 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return header + 1 + strspn(header + 1, " \t");
}

/* `header` is the line from its "["; its content is cut up. */
void
config_begin_section(struct reading *r, char *header)
{
	char *word = header_content(header), *name;
	enum config_kind kind;

	r->last = NULL;
	if (word == NULL) {
		config_fail(r, r->file, r->line, "expected [SECTION] or [SECTION NAME]");
		return;
	}
	name = word + strcspn(word, " \t");
	if (*name != '\0') {
		*name++ = '\0';
		name += strspn(name, " \t");
	} else {
		name = NULL;
	}
	kind = find_kind(word);
	if (kind == KIND_NONE)
		config_fail(r, r->file, r->line,
		    "unknown section [%s]: there are daemon, limits, log, trust, contact, token, device, key, timestamp and rule", word);
	else if (kind < KIND_TOKEN && name != NULL)
		config_fail(r, r->file, r->line, "[%s] takes no name", word);
	else if (kind >= KIND_TOKEN && (name == NULL || !is_name(name)))
		config_fail(r, r->file, r->line,
		    "[%s NAME] needs a name of 1 to %d letters a-z, digits and . _ -, not beginning with . _ "
		    "-",
		    word, CONFIG_NAME_MAX);
	else
		add_section(r, kind, name);
}

/*
 * Keys
 */

static struct config_section *
current(struct reading *r)
{
	return &r->sections[r->section_count - 1];
}

static const struct config_keyword *
find_keyword(enum config_kind kind, const char *name)
{
	size_t i;

	for (i = 0; i < config_keyword_count; i++) {
		if (config_keywords[i].kind == kind && strcmp(config_keywords[i].name, name) == 0)
			return &config_keywords[i];
	}
	return NULL;
}

static void *
base_of(struct reading *r, const struct config_section *s)
{
	switch (s->kind) {
	case KIND_TOKEN:
		return &r->c->tokens[s->index];
	case KIND_KEY:
		return &r->c->keys[s->index];
	case KIND_TIMESTAMP:
		return &r->c->timestamps[s->index];
	case KIND_RULE:
		return &r->c->policy->rules[s->index];
	default:
		return r->c;
	}
}

static void
set_list(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	char copy[CONFIG_LINE_MAX + 1], *rest = copy, *word;

	strncpy(copy, value, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	while (r->err == SIGNET_OK && (word = strsep(&rest, " \t")) != NULL) {
		if (*word != '\0')
			k->set(r, k, base, word);
	}
}

/* The usual attempts at a PIN in the configuration. */
static bool
is_pin(const char *name)
{
	static const char *const words[] = {
	    "pin", "user-pin", "so-pin", "pin-value", "pin-source", "password"};
	size_t i;

	for (i = 0; i < array_len(words); i++) {
		if (strcmp(words[i], name) == 0)
			return true;
	}
	return false;
}

/* A device has a keeper where a token has a holder, and it is probed. */
static bool
fits_section(const struct config_section *s, const char *name)
{
	if (s->kind != KIND_TOKEN)
		return true;
	if (strcmp(name, "keeper") == 0 || strcmp(name, "probe-interval") == 0)
		return s->device;
	return !s->device || strcmp(name, "holder") != 0;
}

static const struct config_keyword *
expect_keyword(struct reading *r, const char *name)
{
	const struct config_keyword *k;

	if (is_pin(name)) {
		config_fail(r, r->file, r->line,
		    "no PIN belongs into a file: remove it, and use `credential` to name a systemd "
		    "credential");
		return NULL;
	}
	if (r->section_count == 0 || (r->indented && r->last == NULL)) {
		config_fail(r, r->file, r->line,
		    r->indented ? "a key begins at the start of its line"
				: "a key before the first [section]");
		return NULL;
	}
	k = find_keyword(current(r)->kind, name);
	if (k == NULL || !fits_section(current(r), name))
		config_fail(r, r->file, r->line, "unknown key \"%s\" in [%s]", name,
		    kind_words[current(r)->device ? KIND_DEVICE : current(r)->kind]);
	else if (r->indented && !k->list)
		config_fail(
		    r, r->file, r->line, "an indented line goes on with a list, and \"%s\" is none", name);
	return r->err == SIGNET_OK ? k : NULL;
}

void
config_set(struct reading *r, const char *name, const char *value)
{
	const struct config_keyword *k = expect_keyword(r, name);
	struct config_section *s;
	int *line;

	if (k == NULL)
		return;
	s = current(r);
	line = &s->lines[k - config_keywords];
	if (*line > 0 && !k->list) {
		config_fail(r, r->file, r->line, "\"%s\" is there twice: first in line %d", name, *line);
		return;
	}
	if (*line == 0)
		*line = r->line;
	r->last = k;
	if (value[0] == '\0')
		config_fail(r, r->file, r->line, "\"%s\" has no value", name);
	else if (k->list)
		set_list(r, k, base_of(r, s), value);
	else
		k->set(r, k, base_of(r, s), value);
}
