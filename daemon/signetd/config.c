/*
 * The configuration as a value: loaded whole or not at all, shared by count,
 * compared section by section.
 *
 * Invariant: who holds a struct config holds one that passed every check; what
 * fails on the way is freed with all that was read, and the caller's old one
 * is untouched.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_parse.h"

void
config_fail(struct reading *r, const char *file, int line, const char *fmt, ...)
{
	va_list args;
	int n;

	if (r->err != SIGNET_OK)
		return;
	r->err = SIGNET_ERR_CONFIG;
	if (line > 0)
		n = snprintf(r->why, r->why_size, "%s:%d: ", file, line);
	else
		n = snprintf(r->why, r->why_size, "%s: ", file);
	if (n < 0 || (size_t)n >= r->why_size)
		return;
	va_start(args, fmt);
	vsnprintf(r->why + n, r->why_size - (size_t)n, fmt, args);
	va_end(args);
}

void
config_no_memory(struct reading *r)
{
	if (r->err != SIGNET_OK)
		return;
	r->err = SIGNET_ERR_MEMORY;
	snprintf(r->why, r->why_size, "%s", signet_strerror(SIGNET_ERR_MEMORY));
}

char *
config_strdup(struct reading *r, const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		config_no_memory(r);
	return copy;
}

/* signet.invalid/<hostname>: names the log until someone gives it a name of its own. */
static char *
default_origin(struct reading *r)
{
	char host[65], *origin = NULL, *p;

	if (gethostname(host, sizeof(host)) != 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	for (p = host; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '+')
			*p = '-';
	}
	if (asprintf(&origin, "signet.invalid/%s", host[0] != '\0' ? host : "localhost") < 0) {
		config_no_memory(r);
		return NULL;
	}
	return origin;
}

static void
set_defaults(struct reading *r)
{
	struct config *c = r->c;

	c->refs = 1;
	c->socket = config_strdup(r, "/run/signet/signet.sock");
	c->state = config_strdup(r, "/var/lib/signet");
	c->lock_directory = config_strdup(r, "/run/lock");
	c->token_program = config_strdup(r, SIGNET_LIBEXECDIR "/signet-token");
	c->format_program = config_strdup(r, SIGNET_LIBEXECDIR "/signet-format");
	c->certificate_check = TRUST_WARN;
	c->sandbox = true;
	c->connections = 1024;
	c->connections_per_uid = 256;
	c->prompts = 256;
	c->prompts_per_uid = 32;
	c->jobs_per_uid = 1024;
	c->queue_per_token = 4096;
	c->bytes_per_uid = 16 << 20;
	c->refusals_per_day = 200;
	c->origin = default_origin(r);
	c->reserve = 64 << 20;
	c->policy = calloc(1, sizeof(*c->policy));
	if (c->policy == NULL)
		config_no_memory(r);
}

static void
reading_done(struct reading *r)
{
	size_t i;

	for (i = 0; i < r->section_count; i++) {
		free(r->sections[i].file);
		free(r->sections[i].token);
	}
	free(r->sections);
	EVP_MD_CTX_free(r->hash);
	config_unref(r->c);
}

static void
start_hash(struct reading *r)
{
	r->hash = EVP_MD_CTX_new();
	if (r->hash == NULL || EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) != 1)
		config_no_memory(r);
}

static void
finish_hash(struct reading *r)
{
	if (r->err == SIGNET_OK && EVP_DigestFinal_ex(r->hash, r->c->hash, NULL) != 1)
		config_no_memory(r);
}

signet_err
config_load(struct config **out, const char *path, char *why, size_t why_size)
{
	struct reading r = {.c = calloc(1, sizeof(struct config)), .why = why, .why_size = why_size};

	if (r.c == NULL) {
		config_no_memory(&r);
		return r.err;
	}
	set_defaults(&r);
	start_hash(&r);
	if (r.err == SIGNET_OK)
		config_read_all(&r, path);
	if (r.err == SIGNET_OK)
		config_check_all(&r);
	finish_hash(&r);
	if (r.err == SIGNET_OK) {
		*out = r.c;
		r.c = NULL;
	}
	reading_done(&r);
	return r.err;
}

struct config *
config_ref(struct config *c)
{
	assert(c->refs > 0);
	c->refs++;
	return c;
}

static void
free_strings(char **strings, size_t n)
{
	while (n > 0)
		free(strings[--n]);
	free(strings);
}

static void
token_done(struct config_token *t)
{
	free(t->name);
	free(t->at.file);
	free(t->module);
	free(t->serial);
	free(t->label);
	free(t->holder);
	free(t->holder_users);
	free(t->credential);
	free_strings(t->paths, t->path_count);
	free_strings(t->environment, t->environment_count);
}

static void
timestamp_done(struct config_timestamp *t)
{
	free(t->name);
	free(t->at.file);
	free(t->policy);
}

static void
key_done(struct config_key *k)
{
	free(k->name);
	free(k->at.file);
	free(k->uri);
	free(k->organisation);
	free(k->holder);
}

void
config_unref(struct config *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	while (c->token_count > 0)
		token_done(&c->tokens[--c->token_count]);
	while (c->key_count > 0)
		key_done(&c->keys[--c->key_count]);
	while (c->timestamp_count > 0)
		timestamp_done(&c->timestamps[--c->timestamp_count]);
	free(c->timestamps);
	free_strings(c->anchors.words, c->anchors.count);
	free_strings(c->intermediates.words, c->intermediates.count);
	free(c->crls);
	free(c->contact);
	free(c->format_program);
	free(c->tokens);
	free(c->keys);
	policy_free(c->policy);
	free(c->socket);
	free(c->state);
	free(c->lock_directory);
	free(c->token_program);
	free(c->origin);
	free(c->log_credential);
	free(c->tiles);
	free(c->anchor);
	free(c);
}

const struct config_key *
config_key_find(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->key_count; i++) {
		if (strcmp(c->keys[i].name, name) == 0)
			return &c->keys[i];
	}
	return NULL;
}

const struct config_token *
config_token_find(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->token_count; i++) {
		if (strcmp(c->tokens[i].name, name) == 0)
			return &c->tokens[i];
	}
	return NULL;
}

/* NULL equals only NULL. */
static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_list(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	size_t i;

	if (a_count != b_count)
		return false;
	for (i = 0; i < a_count; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return false;
	}
	return true;
}

static bool
same_users(const struct config_token *x, const struct config_token *y)
{
	size_t size = x->holder_user_count * sizeof(*x->holder_users);

	return x->holder_user_count == y->holder_user_count && (size == 0 || memcmp(x->holder_users, y->holder_users, size) == 0);
}

static bool
same_section(const struct config_token *x, const struct config_token *y)
{
	return same(x->name, y->name) && same(x->module, y->module) && same(x->serial, y->serial) &&
	       same(x->label, y->label) && same(x->holder, y->holder) && same_users(x, y) && x->lanes == y->lanes &&
	       x->verify_first == y->verify_first && x->lease_shared == y->lease_shared &&
	       x->uses_max == y->uses_max && x->seconds_max == y->seconds_max &&
	       same(x->credential, y->credential) && x->pin_from_client == y->pin_from_client &&
	       x->sign_timeout_ms == y->sign_timeout_ms && x->login_timeout_ms == y->login_timeout_ms &&
	       x->pinpad_timeout_ms == y->pinpad_timeout_ms &&
	       x->device == y->device && x->probe_interval_ms == y->probe_interval_ms &&
	       same_list(x->paths, x->path_count, y->paths, y->path_count) &&
	       same_list(x->environment, x->environment_count, y->environment, y->environment_count);
}

static bool
same_key(const struct config_key *x, const struct config_key *y)
{
	return same(x->name, y->name) && same(x->uri, y->uri) && x->use == y->use && x->scheme == y->scheme &&
	       same(x->organisation, y->organisation) && same(x->holder, y->holder) && x->probe == y->probe;
}

/* The first key of this token at or behind *at, which moves behind it; NULL: no more. */
static const struct config_key *
next_key(const struct config *c, const struct config_token *t, size_t *at)
{
	while (*at < c->key_count) {
		const struct config_key *k = &c->keys[(*at)++];

		if (&c->tokens[k->token] == t)
			return k;
	}
	return NULL;
}

bool
config_token_equal(const struct config *a, const struct config_token *x, const struct config *b,
    const struct config_token *y)
{
	const struct config_key *k, *l;
	size_t i = 0, j = 0;

	/* a worker has read the certificates of the authorities */
	if (!same_section(x, y) ||
	    !same_list(a->anchors.words, a->anchors.count, b->anchors.words, b->anchors.count) ||
	    !same_list(a->intermediates.words, a->intermediates.count, b->intermediates.words, b->intermediates.count))
		return false;
	do {
		k = next_key(a, x, &i);
		l = next_key(b, y, &j);
		if (k == NULL || l == NULL)
			return k == l;
	} while (same_key(k, l));
	return false;
}
