/*
 * Reading the configuration again: everything is prepared first, then taken
 * over in one go that cannot fail. A token whose sections say the same keeps
 * its worker, its lease and its queue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "journal.h"
#include "token.h"
#include "token_watch.h"
#include "watcher.h"

static bool
same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool
same_or_both_absent(const char *a, const char *b)
{
	return a != NULL && b != NULL ? same(a, b) : a == b;
}

/* What only a start can change. */
static const char *
fixed_difference(const struct config *a, const struct config *b)
{
	if (!same(a->socket, b->socket))
		return "[daemon] socket";
	if (!same(a->state, b->state))
		return "[daemon] state";
	if (!same(a->lock_directory, b->lock_directory))
		return "[daemon] lock-directory";
	if (!same(a->token_program, b->token_program))
		return "[daemon] token-program";
	if (a->own_uid != b->own_uid)
		return "[daemon] own-uid";
	if (a->sandbox != b->sandbox)
		return "[daemon] sandbox";
	if (!same(a->origin, b->origin))
		return "[log] origin";
	if (a->reserve != b->reserve)
		return "[log] reserve";
	if (!same_or_both_absent(a->log_credential, b->log_credential))
		return "[log] credential";
	if (!same_or_both_absent(a->tiles, b->tiles))
		return "[log] tiles";
	return same_or_both_absent(a->anchor, b->anchor) ? NULL : "[log] anchor";
}

static struct token *
unchanged(struct broker *b, const struct config *c, const struct config_token *conf)
{
	struct token *t = broker_token(b, conf->name);

	return t != NULL && config_token_equal(b->config, t->conf, c, conf) ? t : NULL;
}

struct plan {
	struct token **tokens;
	bool *fresh;
	size_t count;
};

static void
plan_drop(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->fresh[i]) {
			broker_token_going(p->tokens[i]->broker, p->tokens[i]);
			token_stop(p->tokens[i]); /* never started: goes at once */
		}
	free(p->tokens);
	free(p->fresh);
}

static signet_err
plan_make(struct plan *p, struct broker *b, struct config *c)
{
	size_t n = c->token_count > 0 ? c->token_count : 1;

	p->count = 0;
	p->tokens = calloc(n, sizeof(struct token *));
	p->fresh = calloc(n, sizeof(bool));
	if (p->tokens == NULL || p->fresh == NULL)
		return SIGNET_ERR_MEMORY;
	for (; p->count < c->token_count; p->count++) {
		const struct config_token *conf = &c->tokens[p->count];

		p->tokens[p->count] = unchanged(b, c, conf);
		if (p->tokens[p->count] != NULL)
			continue;
		p->fresh[p->count] = true;
		if (token_new(&p->tokens[p->count], b, c, conf) != SIGNET_OK) {
			p->fresh[p->count] = false;
			return SIGNET_ERR_MEMORY;
		}
	}
	return SIGNET_OK;
}

static bool
is_kept(const struct plan *p, const struct token *t)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->tokens[i] == t)
			return true;
	return false;
}

/* Everything new is in place before the first token is stopped: who is told so may come back at once. */
static void
take_over(struct broker *b, struct config *c, struct plan *p, json_t *changed)
{
	struct token **old = b->tokens;
	size_t old_count = b->token_count;
	struct config *before = b->config;

	b->tokens = p->tokens;
	b->token_count = p->count;
	b->config = c;
	trust_forget(&b->trust);
	format_reload(&b->format);
	broker_apply_limits(b);
	for (size_t i = 0; i < p->count; i++)
		if (!p->fresh[i])
			token_rebind(p->tokens[i], c, &c->tokens[i]);
	for (size_t i = 0; i < old_count; i++)
		if (!is_kept(p, old[i])) {
			if (broker_token(b, old[i]->conf->name) == NULL)
				json_array_append_new(changed, json_string(old[i]->conf->name));
			broker_token_going(b, old[i]);
			token_stop(old[i]);
		}
	if (!watchers_update(b))
		say_error("out of memory: not all modules are watched");
	for (size_t i = 0; i < p->count; i++)
		if (p->fresh[i])
			watcher_look_again(p->tokens[i]->watcher, p->tokens[i]->conf);
	watchers_start(b);
	for (size_t i = 0; i < p->count; i++)
		if (p->fresh[i]) {
			json_array_append_new(changed, json_string(p->tokens[i]->conf->name));
			token_start(p->tokens[i]); /* finds its token owned until the old worker is gone, and tries again */
		}
	token_watch_reload(b);
	free(p->fresh);
	free(old);
	config_unref(before);
}

signet_err
broker_reload(struct broker *b, json_t *changed, char *why, size_t why_size)
{
	struct config *c = NULL;
	struct plan plan = {.count = 0};
	const char *fixed;

	if (config_load(&c, b->config_path, why, why_size) != SIGNET_OK)
		return SIGNET_ERR_RELOAD_FAILED;
	fixed = fixed_difference(b->config, c);
	if (fixed != NULL) {
		snprintf(why, why_size, "%s has changed: only a restart of signetd can apply that", fixed);
		config_unref(c);
		return SIGNET_ERR_RELOAD_FAILED;
	}
	if (plan_make(&plan, b, c) != SIGNET_OK) {
		snprintf(why, why_size, "out of memory");
		plan_drop(&plan);
		config_unref(c);
		return SIGNET_ERR_RELOAD_FAILED;
	}
	take_over(b, c, &plan, changed);
	broker_log_policy(b, "reload");
	say_info("the configuration was read again; %zu tokens restarted", json_array_size(changed));
	return SIGNET_OK;
}
