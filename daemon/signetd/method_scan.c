/*
 * Admin.Scan: what is plugged in, and which certificates lie on it; no PIN. One
 * process for each driver, one after the other. A driver that is not in the
 * configuration must pass what those there have passed; its paths and its
 * environment are believed of root only.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "config_parse.h"
#include "dispatch.h"
#include "once.h"
#include "token/wire.h"

struct place { /* a driver and what it may have */
	const char *module;
	char **paths, **environment; /* borrowed */
	size_t path_count, environment_count;
};

struct scan {
	struct request *r;
	struct config *config; /* a reference: places borrow from it */
	struct place *places;
	size_t place_count, at;
	char *words[WIRE_PATHS_MAX + WIRE_ENV_MAX]; /* of the call; borrowed from it */
	struct once *once;
	json_t *replies;
};

static void
scan_free(struct scan *s)
{
	json_decref(s->replies);
	config_unref(s->config);
	free(s->places);
	free(s);
}

static void
on_cancel(struct request *r)
{
	struct scan *s = r->state;

	r->cancel = NULL;
	r->state = NULL;
	if (s->once != NULL)
		once_leave(s->once);
	scan_free(s);
}

/* --- the places --- */

static bool
same_words(char *const *a, size_t n, char *const *b, size_t m)
{
	bool same = n == m;

	for (size_t i = 0; same && i < n; i++)
		same = strcmp(a[i], b[i]) == 0;
	return same;
}

static void
add_place(struct scan *s, const struct config_token *t)
{
	struct place *p;

	for (size_t i = 0; i < s->place_count; i++) {
		p = &s->places[i];
		if (strcmp(p->module, t->module) == 0 && same_words(p->paths, p->path_count, t->paths, t->path_count) &&
		    same_words(p->environment, p->environment_count, t->environment, t->environment_count))
			return;
	}
	p = &s->places[s->place_count++];
	*p = (struct place){t->module, t->paths, t->environment, t->path_count, t->environment_count};
}

/* Words of the call; false: there are some, and the caller may not give any, or they are none. */
static bool
take_words(struct scan *s, const char *name, size_t first, size_t max, size_t *count, struct fault *f)
{
	const json_t *list = json_object_get(s->r->call.parameters, name);
	uid_t uid = s->r->who->peer.uid;

	*count = json_array_size(list);
	if (*count > 0 && uid != 0 && !(s->config->own_uid && uid == geteuid())) {
		fault_set(f, SIGNET_ERR_NOT_PERMITTED, NULL, "`%s` is taken from root only", name);
		return false;
	}
	if (*count > max) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, name, "%s: at most %zu words", name, max);
		return false;
	}
	for (size_t i = 0; i < *count; i++)
		s->words[first + i] = (char *)(uintptr_t)json_string_value(json_array_get(list, i));
	return true;
}

static bool
check_words(const struct place *p, struct fault *f)
{
	for (size_t i = 0; i < p->path_count; i++)
		if (p->paths[i][0] != '/' || strlen(p->paths[i]) >= WIRE_PATH_SIZE) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "paths", "paths: absolute paths are needed");
			return false;
		}
	for (size_t i = 0; i < p->environment_count; i++)
		if (strchr(p->environment[i], '=') == NULL || strncmp(p->environment[i], "LD_", 3) == 0) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "environment", "environment: words of the form NAME=VALUE are "
										  "needed, and none that loads code");
			return false;
		}
	return true;
}

static bool
take_module(struct scan *s, const char *module, struct fault *f)
{
	struct place *p = &s->places[0];
	char why[600];

	if (strlen(module) >= WIRE_PATH_SIZE || !config_file_is_safe(module, s->config->own_uid, why, sizeof(why))) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "module", "module: %s",
		    strlen(module) >= WIRE_PATH_SIZE ? "the path is too long" : why);
		return false;
	}
	p->module = module;
	p->paths = s->words;
	p->environment = s->words + WIRE_PATHS_MAX;
	s->place_count = 1;
	return take_words(s, "paths", 0, WIRE_PATHS_MAX, &p->path_count, f) &&
	       take_words(s, "environment", WIRE_PATHS_MAX, WIRE_ENV_MAX, &p->environment_count, f) && check_words(p, f);
}

static bool
take_places(struct scan *s, struct fault *f)
{
	const char *module = json_member_str(s->r->call.parameters, "module");
	const struct config *c = s->config;
	bool words = json_array_size(json_object_get(s->r->call.parameters, "paths")) > 0 ||
		     json_array_size(json_object_get(s->r->call.parameters, "environment")) > 0;

	for (size_t i = 0; i < c->token_count; i++)
		if (module == NULL || (!words && strcmp(module, c->tokens[i].module) == 0))
			add_place(s, &c->tokens[i]);
	return module == NULL || s->place_count > 0 || take_module(s, module, f);
}

/* --- what was found --- */

static const char *
configured_name(const struct config *c, const char *module, const json_t *token)
{
	const char *serial = json_member_str(token, "serial"), *label = json_member_str(token, "label");

	for (size_t i = 0; i < c->token_count; i++) {
		const struct config_token *t = &c->tokens[i];

		if (strcmp(t->module, module) == 0 &&
		    ((t->serial != NULL && serial != NULL && strcmp(t->serial, serial) == 0) ||
			(t->label != NULL && label != NULL && strcmp(t->label, label) == 0)))
			return t->name;
	}
	return NULL;
}

/* Member by member: what a driver's process says is passed on only where it is of the right kind. */
static json_t *
text_of(const json_t *object, const char *name)
{
	const char *text = json_member_str(object, name);

	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static bool
is_certificate(const json_t *c)
{
	return json_member_str(c, "hash") != NULL && json_member_str(c, "certificate") != NULL &&
	       json_member_str(c, "notBefore") != NULL && json_member_str(c, "notAfter") != NULL &&
	       json_member_str(c, "serial") != NULL;
}

static json_t *
certificates_of(const json_t *token)
{
	static const char *const names[] = {"subject", "organisation", "issuer", "notBefore", "notAfter", "serial", "hash", "id",
	    "label", "certificate"};
	json_t *list = json_array();
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(token, "certificates"), i, c)
	{
		json_t *copy = is_certificate(c) ? json_object() : NULL;

		if (copy == NULL)
			continue;
		for (size_t n = 0; n < array_len(names); n++)
			json_object_set_new(copy, names[n], text_of(c, names[n]));
		json_object_set_new(copy, "authority", json_boolean(json_is_true(json_object_get(c, "authority"))));
		json_array_append_new(list, copy);
	}
	return list;
}

static json_t *
found_token(const struct config *c, const char *module, const json_t *t)
{
	static const char *const states[] = {"ok", "countLow", "finalTry", "blocked"};
	const char *name = configured_name(c, module, t), *state = json_member_str(t, "pinState"), *known = "ok";

	for (size_t i = 0; state != NULL && i < array_len(states); i++)
		if (strcmp(state, states[i]) == 0)
			known = states[i];
	return json_pack("{s:o,s:o,s:o,s:o,s:b,s:b,s:b,s:s,s:o,s:o}", "serial", text_of(t, "serial"), "label",
	    text_of(t, "label"), "manufacturer", text_of(t, "manufacturer"), "model", text_of(t, "model"), "initialised",
	    json_is_true(json_object_get(t, "initialised")), "pinSet", json_is_true(json_object_get(t, "pinSet")), "pinPad",
	    json_is_true(json_object_get(t, "pinPad")), "pinState", known, "configured",
	    name != NULL ? json_string(name) : json_null(), "certificates", certificates_of(t));
}

static json_t *
words(char *const *list, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, json_string(list[i]));
	return out;
}

static void
add_reply(struct scan *s, json_t *token, const char *reason)
{
	const struct place *p = &s->places[s->at];

	json_array_append_new(s->replies, json_pack("{s:s,s:o,s:o,s:o,s:o}", "module", p->module, "paths",
					      words(p->paths, p->path_count), "environment",
					      words(p->environment, p->environment_count), "token",
					      token != NULL ? token : json_null(), "reason",
					      reason != NULL ? json_string(reason) : json_null()));
}

static void
finish(struct scan *s)
{
	struct request *r = s->r;
	size_t count = json_array_size(s->replies);

	r->cancel = NULL;
	r->state = NULL;
	if (count == 0) {
		request_fail_with(r, SIGNET_ERR_TOKEN_NOT_FOUND, "", "no driver is configured: name one with `module`");
	} else if (count > 1 && !r->call.more) {
		request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
	} else {
		for (size_t i = 0; i + 1 < count; i++)
			request_continue(r, json_incref(json_array_get(s->replies, i)));
		request_reply(r, json_incref(json_array_get(s->replies, count - 1)));
	}
	scan_free(s);
}

static void scan_next(struct scan *s);

static void
on_answer(void *arg, const json_t *answer, const char *why)
{
	struct scan *s = arg;
	const json_t *t, *tokens = json_object_get(answer, "tokens");
	size_t i;

	s->once = NULL;
	if (!json_is_array(tokens))
		why = why != NULL ? why : json_member_str(answer, "reason");
	json_array_foreach(tokens, i, t)
		add_reply(s, found_token(s->config, s->places[s->at].module, t), NULL);
	if (json_array_size(tokens) == 0)
		add_reply(s, NULL, why); /* nothing is in: no reason */
	s->at++;
	scan_next(s);
}

static void
scan_next(struct scan *s)
{
	json_t *request = json_pack("{s:s}", "operation", "scan");
	char why[300] = "too many such questions are under way: try again";

	while (s->at < s->place_count) {
		const struct place *p = &s->places[s->at];
		struct once_question q = {.module = p->module, .paths = p->paths, .path_count = p->path_count,
		    .environment = p->environment, .environment_count = p->environment_count, .request = request,
		    .timeout_ms = ONCE_SCAN_MS, .done = on_answer, .arg = s};

		if (once_ask(&s->once, s->r->broker, &q, why, sizeof(why)) == SIGNET_OK) {
			json_decref(request);
			return;
		}
		s->once = NULL;
		add_reply(s, NULL, why);
		s->at++;
	}
	json_decref(request);
	finish(s);
}

void
method_scan(struct request *r)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct fault f;

	if (s != NULL) {
		s->r = r;
		s->config = config_ref(r->broker->config);
		s->places = calloc(s->config->token_count + 1, sizeof(*s->places));
		s->replies = json_array();
	}
	if (s == NULL || s->places == NULL) {
		if (s != NULL)
			scan_free(s);
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	if (!take_places(s, &f)) {
		scan_free(s);
		request_fail(r, &f);
		return;
	}
	r->state = s;
	r->cancel = on_cancel;
	scan_next(s);
}
