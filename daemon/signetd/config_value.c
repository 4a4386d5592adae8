/*
 * The keys of the configuration: one table that knows them all, and the way of
 * each value into its field.
 *
 * Invariant: a field is written once, by the one line that names it, within
 * the limits that stand in the table; signetd.conf(5) lists the same keys.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config_parse.h"
#include "text.h"
#include "token/wire.h"

enum { SERIAL_MAX = 16, LABEL_MAX = 32 /* bytes in CK_TOKEN_INFO */ };

static const char *const verify_words[] = {"always", "first", NULL};
static const char *const lease_words[] = {"own", "shared", NULL};
static const char *const prompt_words[] = {
    [POLICY_PROMPT_NO] = "no",
    [POLICY_PROMPT_YES] = "yes",
    [POLICY_PROMPT_WAIT] = "wait",
    NULL,
};
static const char *const use_words[] = {
    [USE_PERSONAL] = "personal",
    [USE_SEAL] = "seal",
    [USE_TIMESTAMP] = "timestamp",
    [USE_LOG] = "log",
    NULL,
};
static const char *const scheme_words[] = {
    [SCHEME_DEFAULT] = "default",
    [SCHEME_PKCS1] = "pkcs1",
    [SCHEME_PSS] = "pss",
    [SCHEME_ECDSA] = "ecdsa",
    [SCHEME_EDDSA] = "eddsa",
    NULL,
};
static const char *const trust_words[] = {
    [TRUST_OFF] = "off",
    [TRUST_WARN] = "warn",
    [TRUST_STRICT] = "strict",
    NULL,
};
static const char *const clock_words[] = {"synchronised", "any", NULL};
static const char *const no_words[] = {"no", "false", "off", NULL};
static const char *const yes_words[] = {"yes", "true", "on", NULL};

struct unit {
	const char *word;
	uint64_t factor;
};

static const struct unit size_units[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
static const struct unit time_units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}};

/* Index of `value` among `words`, or their number. */
static unsigned
find_word(const char *const *words, const char *value)
{
	unsigned i;

	for (i = 0; words[i] != NULL && strcmp(words[i], value) != 0; i++)
		;
	return i;
}

static void
bad_value(struct reading *r, const struct config_keyword *k, const char *value, const char *expected)
{
	config_fail(r, r->file, r->line, "%s = %s: expected %s", k->name, value, expected);
}

/*
 * The ways of a value into its field
 */

static void
set_string(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	char **field = (char **)((char *)base + k->offset);

	if (strlen(value) > k->max) {
		config_fail(r, r->file, r->line, "%s is longer than %zu bytes", k->name, (size_t)k->max);
		return;
	}
	free(*field);
	*field = config_strdup(r, value);
}

static void
set_text(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	const char *why;

	if (text_check(value, strlen(value), &why) != SIGNET_OK)
		config_fail(r, r->file, r->line, "%s: %s", k->name, why);
	else
		set_string(r, k, base, value);
}

static bool
is_plain_path(const char *path)
{
	return path[0] == '/' && strstr(path, "//") == NULL && strstr(path, "/../") == NULL &&
	       strstr(path, "/./") == NULL;
}

static void
set_path(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	if (!is_plain_path(value))
		bad_value(r, k, value, "an absolute path without \"//\", \"/./\" and \"/../\"");
	else
		set_string(r, k, base, value);
}

static void
set_origin(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	const char *p;

	/* the name of a key in a signed note has neither blanks nor '+' [C2SP signed-note] */
	for (p = value; *p > ' ' && *p < 0x7f && *p != '+'; p++)
		;
	if (*p != '\0')
		bad_value(r, k, value, "ASCII without blanks and '+'");
	else
		set_string(r, k, base, value);
}

static void
set_credential(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	const char *p;

	for (p = value; *p != '\0' && *p != '/' && *p > ' ' && *p < 0x7f; p++)
		;
	/* the value is not repeated: it may be a PIN that stands in the wrong place */
	if (*p != '\0' || value[0] == '.')
		config_fail(r, r->file, r->line, "%s: expected the name of a systemd credential", k->name);
	else
		set_string(r, k, base, value);
}

static void
set_bool(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	bool *field = (bool *)((char *)base + k->offset);

	if (yes_words[find_word(yes_words, value)] != NULL)
		*field = true;
	else if (no_words[find_word(no_words, value)] != NULL)
		*field = false;
	else
		bad_value(r, k, value, "yes or no");
}

static void
refuse_word(struct reading *r, const struct config_keyword *k, const char *value)
{
	char expected[128] = "one of";
	unsigned i;

	for (i = 0; k->words[i] != NULL; i++) {
		strncat(expected, " ", sizeof(expected) - strlen(expected) - 1);
		strncat(expected, k->words[i], sizeof(expected) - strlen(expected) - 1);
	}
	bad_value(r, k, value, expected);
}

/* One of two words, the second is true. */
static void
set_either(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	unsigned i = find_word(k->words, value);

	if (k->words[i] == NULL)
		refuse_word(r, k, value);
	else
		*(bool *)((char *)base + k->offset) = i == 1;
}

static void
set_use(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	unsigned i = find_word(k->words, value);

	if (k->words[i] == NULL)
		refuse_word(r, k, value);
	else
		((struct config_key *)base)->use = (enum key_use)i;
}

static void
set_scheme(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	unsigned i = find_word(k->words, value);

	if (k->words[i] == NULL)
		refuse_word(r, k, value);
	else
		((struct config_key *)base)->scheme = (enum key_scheme)i;
}

static void
set_trust(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	unsigned i = find_word(k->words, value);

	if (k->words[i] == NULL)
		refuse_word(r, k, value);
	else
		((struct config *)base)->certificate_check = (enum config_trust)i;
}

/* Two or more numbers with dots between them; the first is 0, 1 or 2 [X.660, 7.6]. */
static bool
is_oid(const char *value)
{
	unsigned arcs = 0;

	if (value[0] < '0' || value[0] > '2' || value[1] != '.')
		return false;
	for (;; arcs++) {
		size_t n = strspn(value, "0123456789");

		if (n == 0 || n > 9 || (n > 1 && value[0] == '0'))
			return false;
		value += n;
		if (*value == '\0')
			return arcs >= 1;
		if (*value++ != '.')
			return false;
	}
}

static void
set_oid(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	if (!is_oid(value))
		bad_value(r, k, value, "an object identifier, such as 1.3.6.1.4.1.99999.1");
	else
		set_string(r, k, base, value);
}

static void
set_prompt(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	unsigned i = find_word(k->words, value);

	if (k->words[i] == NULL)
		refuse_word(r, k, value);
	else
		((struct policy_rule *)base)->prompt = (enum policy_prompt)i;
}

/* Decimal digits at the front of *p, which moves behind them. */
static bool
take_number(const char **p, uint64_t *n)
{
	const char *start = *p;

	for (*n = 0; **p >= '0' && **p <= '9'; (*p)++) {
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, **p - '0', n))
			return false;
	}
	return *p > start;
}

/* A number with one of the units, in the smallest one. */
static bool
take_quantity(const char *value, const struct unit *units, size_t count, uint64_t *n)
{
	size_t i;

	if (!take_number(&value, n))
		return false;
	for (i = 0; i < count; i++) {
		if (strcmp(value, units[i].word) == 0)
			return !__builtin_mul_overflow(*n, units[i].factor, n);
	}
	return false;
}

static bool
in_range(struct reading *r, const struct config_keyword *k, const char *value, uint64_t n, const char *unit)
{
	if (n >= k->min && n <= k->max)
		return true;
	config_fail(r, r->file, r->line, "%s = %s: expected %llu to %llu%s", k->name, value,
	    (unsigned long long)k->min, (unsigned long long)k->max, unit);
	return false;
}

static void
set_count(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	const char *p = value;
	uint64_t n;

	if (!take_number(&p, &n) || *p != '\0')
		bad_value(r, k, value, "a number");
	else if (in_range(r, k, value, n, ""))
		*(unsigned *)((char *)base + k->offset) = (unsigned)n;
}

static void
set_size(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	uint64_t n;

	if (!take_quantity(value, size_units, array_len(size_units), &n))
		bad_value(r, k, value, "a number of bytes, such as 16M (units: K, M, G)");
	else if (in_range(r, k, value, n, " bytes"))
		*(uint64_t *)((char *)base + k->offset) = n;
}

static void
set_time(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	uint64_t n;

	if (!take_quantity(value, time_units, array_len(time_units), &n))
		bad_value(r, k, value, "a time, such as 15s (units: ms, s, min)");
	else if (in_range(r, k, value, n, " ms"))
		*(unsigned *)((char *)base + k->offset) = (unsigned)n;
}

static void
set_token(struct reading *r, const struct config_keyword *k, void *base, const char *value)
{
	(void)k;
	(void)base; /* an index once all tokens are known */
	r->sections[r->section_count - 1].token = config_strdup(r, value);
}

/*
 * Lists: a word each time
 */

/* Room for one more element at *array, NULL and r->err if there can be none. */
static void *
grow(struct reading *r, const struct config_keyword *k, void *array, size_t count, size_t size)
{
	void *grown;

	if (count >= k->max) {
		config_fail(r, r->file, r->line, "%s has more than %zu words", k->name, (size_t)k->max);
		return NULL;
	}
	grown = reallocarray(array, count + 1, size);
	if (grown == NULL)
		config_no_memory(r);
	return grown;
}

static void
append(struct reading *r, const struct config_keyword *k, char ***list, size_t *count, const char *word)
{
	char **grown = grow(r, k, *list, *count, sizeof(**list));

	if (grown == NULL)
		return;
	*list = grown;
	grown[*count] = config_strdup(r, word);
	*count += grown[*count] != NULL;
}

static void
add_path(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct config_token *t = base;

	if (!is_plain_path(word))
		bad_value(r, k, word, "absolute paths without \"//\", \"/./\" and \"/../\"");
	else
		append(r, k, &t->paths, &t->path_count, word);
}

/* A file of certificates into a struct config_list. */
static void
add_file(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct config_list *list = (struct config_list *)(void *)((char *)base + k->offset);

	if (!is_plain_path(word))
		bad_value(r, k, word, "absolute paths without \"//\", \"/./\" and \"/../\"");
	else
		append(r, k, &list->words, &list->count, word);
}

/* Length of NAME in "NAME=VALUE", 0 if it is none. */
static size_t
name_length(const char *word)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t len = strspn(word, letters);

	if (len > 0)
		len += strspn(word + len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	return word[len] == '=' ? len : 0;
}

static bool
ends_with(const char *name, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(name + len - n, end, n) == 0;
}

static void
add_environment(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct config_token *t = base;
	size_t i, len = name_length(word);

	if (len == 0)
		config_fail(r, r->file, r->line, "%s: expected words of the form NAME=VALUE", k->name);
	else if (strncmp(word, "LD_", 3) == 0)
		config_fail(r, r->file, r->line, "%s: %.*s would load code that was never checked", k->name,
		    (int)len, word);
	else if (ends_with(word, len, "PIN") || ends_with(word, len, "PASSWORD"))
		config_fail(r, r->file, r->line, "%s: no PIN belongs into a file: use `credential`", k->name);
	for (i = 0; i < t->environment_count; i++) {
		if (strncmp(t->environment[i], word, len + 1) == 0)
			config_fail(r, r->file, r->line, "%s: %.*s is there twice", k->name, (int)len, word);
	}
	if (r->err == SIGNET_OK)
		append(r, k, &t->environment, &t->environment_count, word);
}

/* "*" stands for all, and alone. */
static void
refuse_star(struct reading *r, const struct config_keyword *k, bool any, size_t count, const char *word)
{
	if (any || (strcmp(word, "*") == 0 && count > 0))
		config_fail(r, r->file, r->line, "%s = *: nothing can stand beside the *", k->name);
}

static void
add_user(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct policy_rule *rule = base;
	uid_t uid, *grown;

	refuse_star(r, k, rule->any_user, rule->user_count, word);
	if (strcmp(word, "*") == 0) {
		rule->any_user = true;
		return;
	}
	if (r->err != SIGNET_OK || !config_uid(r, word, &uid))
		return;
	grown = grow(r, k, rule->users, rule->user_count, sizeof(uid));
	if (grown == NULL)
		return;
	rule->users = grown;
	rule->users[rule->user_count++] = uid;
}

static void
add_holder_user(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct config_token *t = base;
	uid_t uid, *grown;

	if (strcmp(word, "*") == 0) {
		bad_value(r, k, word, "users by name or number: those who are asked for its PIN");
		return;
	}
	if (!config_uid(r, word, &uid))
		return;
	grown = grow(r, k, t->holder_users, t->holder_user_count, sizeof(uid));
	if (grown == NULL)
		return;
	t->holder_users = grown;
	t->holder_users[t->holder_user_count++] = uid;
}

static void
add_group(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct policy_rule *rule = base;
	gid_t gid, *grown;

	if (!config_gid(r, word, &gid))
		return;
	grown = grow(r, k, rule->groups, rule->group_count, sizeof(gid));
	if (grown == NULL)
		return;
	rule->groups = grown;
	rule->groups[rule->group_count++] = gid;
}

static void
add_verb(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	enum verb verb = verb_find(word);

	if (verb == VERB_NONE)
		bad_value(r, k, word,
		    "verbs among sign seal timestamp unlock list read-log read-own read-titles approve "
		    "admin");
	else
		((struct policy_rule *)base)->verbs |= 1u << verb;
}

static void
add_key(struct reading *r, const struct config_keyword *k, void *base, const char *word)
{
	struct policy_rule *rule = base;

	refuse_star(r, k, rule->any_key, rule->key_count, word);
	if (strcmp(word, "*") == 0)
		rule->any_key = true;
	else if (r->err == SIGNET_OK)
		append(r, k, &rule->keys, &rule->key_count, word);
}

#define AT(type, field) offsetof(struct type, field)

/* In the order of signetd.conf(5). */
const struct config_keyword config_keywords[] = {
    {KIND_DAEMON, "socket", set_path, AT(config, socket), 1, sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
	NULL, false},
    {KIND_DAEMON, "state", set_path, AT(config, state), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_DAEMON, "lock-directory", set_path, AT(config, lock_directory), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_DAEMON, "token-program", set_path, AT(config, token_program), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_DAEMON, "format-program", set_path, AT(config, format_program), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_DAEMON, "own-uid", set_bool, AT(config, own_uid), 0, 1, NULL, false},
    {KIND_DAEMON, "sandbox", set_bool, AT(config, sandbox), 0, 1, NULL, false},

    {KIND_LIMITS, "connections", set_count, AT(config, connections), 1, 4096, NULL, false},
    {KIND_LIMITS, "connections-per-uid", set_count, AT(config, connections_per_uid), 1, 4096, NULL, false},
    {KIND_LIMITS, "jobs-per-uid", set_count, AT(config, jobs_per_uid), 1, 65536, NULL, false},
    {KIND_LIMITS, "queue-per-token", set_count, AT(config, queue_per_token), 1, 65536, NULL, false},
    {KIND_LIMITS, "bytes-per-uid", set_size, AT(config, bytes_per_uid), 64 << 10, 1 << 30, NULL, false},
    {KIND_LIMITS, "refusals-per-day", set_count, AT(config, refusals_per_day), 1, 10000, NULL, false},
    {KIND_LIMITS, "prompts", set_count, AT(config, prompts), 1, 4096, NULL, false},
    {KIND_LIMITS, "prompts-per-uid", set_count, AT(config, prompts_per_uid), 1, 1024, NULL, false},

    {KIND_LOG, "origin", set_origin, AT(config, origin), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_LOG, "reserve", set_size, AT(config, reserve), 1 << 20, 1 << 30, NULL, false},
    {KIND_LOG, "credential", set_credential, AT(config, log_credential), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_LOG, "tiles", set_path, AT(config, tiles), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_LOG, "anchor", set_path, AT(config, anchor), 1, CONFIG_LINE_MAX, NULL, false},

    {KIND_TRUST, "certificate-check", set_trust, 0, 0, 0, trust_words, false},
    {KIND_TRUST, "anchors", add_file, AT(config, anchors), 1, CONFIG_CERT_FILES_MAX, NULL, true},
    {KIND_TRUST, "intermediates", add_file, AT(config, intermediates), 1, CONFIG_CERT_FILES_MAX, NULL, true},
    {KIND_TRUST, "crls", set_path, AT(config, crls), 1, CONFIG_LINE_MAX, NULL, false},

    {KIND_CONTACT, "text", set_text, AT(config, contact), 1, CONFIG_LINE_MAX, NULL, false},

    {KIND_TOKEN, "module", set_path, AT(config_token, module), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_TOKEN, "serial", set_string, AT(config_token, serial), 1, SERIAL_MAX, NULL, false},
    {KIND_TOKEN, "label", set_string, AT(config_token, label), 1, LABEL_MAX, NULL, false},
    {KIND_TOKEN, "holder", set_text, AT(config_token, holder), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_TOKEN, "holder-user", add_holder_user, 0, 1, CONFIG_HOLDER_USERS_MAX, NULL, true},
    {KIND_TOKEN, "lanes", set_count, AT(config_token, lanes), 1, CONFIG_LANES_MAX, NULL, false},
    {KIND_TOKEN, "verify", set_either, AT(config_token, verify_first), 0, 0, verify_words, false},
    {KIND_TOKEN, "lease", set_either, AT(config_token, lease_shared), 0, 0, lease_words, false},
    {KIND_TOKEN, "max-uses", set_count, AT(config_token, uses_max), 1, 1000000, NULL, false},
    {KIND_TOKEN, "max-seconds", set_count, AT(config_token, seconds_max), 1, 86400, NULL, false},
    {KIND_TOKEN, "credential", set_credential, AT(config_token, credential), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_TOKEN, "pin-from-client", set_bool, AT(config_token, pin_from_client), 0, 1, NULL, false},
    {KIND_TOKEN, "sign-timeout", set_time, AT(config_token, sign_timeout_ms), 100, 600000, NULL, false},
    {KIND_TOKEN, "login-timeout", set_time, AT(config_token, login_timeout_ms), 100, 600000, NULL, false},
    {KIND_TOKEN, "pinpad-timeout", set_time, AT(config_token, pinpad_timeout_ms), 1000, 600000, NULL, false},
    {KIND_TOKEN, "paths", add_path, 0, 1, WIRE_PATHS_MAX, NULL, true},
    {KIND_TOKEN, "environment", add_environment, 0, 1, WIRE_ENV_MAX, NULL, true},
    /* of a [device] only */
    {KIND_TOKEN, "keeper", set_text, AT(config_token, holder), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_TOKEN, "probe-interval", set_time, AT(config_token, probe_interval_ms), 60000, 86400000, NULL, false},

    {KIND_KEY, "token", set_token, 0, 1, CONFIG_NAME_MAX, NULL, false},
    {KIND_KEY, "uri", set_string, AT(config_key, uri), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_KEY, "use", set_use, 0, 0, 0, use_words, false},
    {KIND_KEY, "scheme", set_scheme, 0, 0, 0, scheme_words, false},
    {KIND_KEY, "organisation", set_text, AT(config_key, organisation), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_KEY, "holder", set_text, AT(config_key, holder), 1, CONFIG_LINE_MAX, NULL, false},
    {KIND_KEY, "probe", set_bool, AT(config_key, probe), 0, 1, NULL, false},

    {KIND_TIMESTAMP, "key", set_token, 0, 1, CONFIG_NAME_MAX, NULL, false},
    {KIND_TIMESTAMP, "policy", set_oid, AT(config_timestamp, policy), 1, CONFIG_POLICY_MAX, NULL, false},
    {KIND_TIMESTAMP, "accuracy", set_time, AT(config_timestamp, accuracy_ms), 1, 60000, NULL, false},
    {KIND_TIMESTAMP, "clock", set_either, AT(config_timestamp, any_clock), 0, 0, clock_words, false},

    {KIND_RULE, "user", add_user, 0, 1, CONFIG_WORDS_MAX, NULL, true},
    {KIND_RULE, "group", add_group, 0, 1, CONFIG_WORDS_MAX, NULL, true},
    {KIND_RULE, "verbs", add_verb, 0, 1, CONFIG_WORDS_MAX, NULL, true},
    {KIND_RULE, "keys", add_key, 0, 1, CONFIG_WORDS_MAX, NULL, true},
    {KIND_RULE, "prompt", set_prompt, 0, 0, 0, prompt_words, false},
};

#undef AT

const size_t config_keyword_count = array_len(config_keywords);
_Static_assert(
    array_len(config_keywords) <= CONFIG_KEYWORDS_MAX, "config_section.lines has a place for each");
