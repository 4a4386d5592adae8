/*
 * Admin.Scan: what is plugged in, and which certificates lie on it; no PIN. One
 * process for each driver, one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "driver_place.h"
#include "once.h"

struct scan {
	struct request *r;
	struct driver_places drivers;
	size_t at;
	struct once *once;
	json_t *replies;
};

static void
scan_free(struct scan *s)
{
	json_decref(s->replies);
	driver_places_done(&s->drivers);
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
	const struct driver_place *p = &s->drivers.places[s->at];

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
		add_reply(s, found_token(s->drivers.config, s->drivers.places[s->at].module, t), NULL);
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

	while (s->at < s->drivers.place_count) {
		const struct driver_place *p = &s->drivers.places[s->at];
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
		s->replies = json_array();
	}
	if (s == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	if (!driver_places_take(&s->drivers, r, &f)) {
		scan_free(s);
		request_fail(r, &f);
		return;
	}
	r->state = s;
	r->cancel = on_cancel;
	scan_next(s);
}
