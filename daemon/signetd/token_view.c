/*
 * What a caller is shown of a token. Everything here is remembered: nobody's
 * look touches a card. Of the keys he sees those that he may use.
 */
#include "token_view.h"

#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "inbox.h"
#include "permit.h"

static json_t *
text_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

static json_t *
visible_keys(const struct request *r, const struct token *t)
{
	json_t *names = json_array();

	for (size_t i = 0; i < t->key_count; i++)
		if (permit_again(r->broker, r->who, r->method->verb, t->keys[i].conf->name).permitted)
			json_array_append_new(names, json_string(t->keys[i].conf->name));
	return names;
}

/* What is left of an unlocking, where the caller may use it; a standing one has neither count nor end. */
static void
add_lease(json_t *o, const struct request *r, const struct token *t)
{
	const struct lease *l = &t->lease;
	char until[CLOCK_TEXT];

	if (!token_lease_serves(t, r->who->peer.uid, 0) || !l->stands || l->stored)
		return;
	json_object_set_new(o, "uses", json_integer((json_int_t)l->uses));
	clock_format(clock_now_us(NULL) + ((int64_t)l->until_ms - (int64_t)uv_now(&r->broker->loop)) * 1000, until);
	json_object_set_new(o, "until", json_string(until));
}

/* What an unlocking can ask for, and whether one is needed at all: that is known once the token was seen. */
static void
add_limits(json_t *o, struct request *r, struct token *t)
{
	json_object_set_new(o, "maxUses", json_integer((json_int_t)t->conf->uses_max));
	json_object_set_new(o, "maxSeconds", json_integer((json_int_t)t->conf->seconds_max));
	if (t->serial[0] != '\0')
		json_object_set_new(o, "pinNeeded", json_boolean(token_lease_needed(t)));
	json_object_set_new(o, "pinCountLow", json_boolean(t->pin->count_low));
	json_object_set_new(o, "pinFinalTry", json_boolean(t->pin->final_try));
	json_object_set_new(o, "prompted", json_boolean(inbox_would_ask(r, t)));
}

json_t *
token_view(struct request *r, struct token *t)
{
	json_t *o = json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:i,s:i}", "name", t->conf->name, "state",
	    token_state_name(t), "reason", text_or_null(t->reason), "serial", text_or_null(t->serial), "label",
	    text_or_null(t->label), "manufacturer", text_or_null(t->manufacturer), "model", text_or_null(t->model),
	    "holder", text_or_null(t->conf->holder), "keys", visible_keys(r, t), "shared",
	    t->lease.stands && t->lease.shared, "pinFailures", (int)pin_failures(t->pin), "waiting", (int)t->queued.count);

	if (o != NULL) {
		add_lease(o, r, t);
		add_limits(o, r, t);
	}
	return json_pack("{s:o}", "token", o);
}

json_t *
token_view_gone(const char *name)
{
	return json_pack("{s:{s:s,s:s,s:s,s:n,s:n,s:n,s:n,s:n,s:[],s:b,s:i,s:i}}", "token", "name", name, "state", "absent",
	    "reason", "the configuration has changed: it is not there for you any more", "serial", "label", "manufacturer",
	    "model", "holder", "keys", "shared", false, "pinFailures", 0, "waiting", 0);
}

bool
token_view_permitted(const struct request *r, const struct token *t)
{
	return permit_on_token(r->broker, r->who, r->method->verb, t).permitted;
}
