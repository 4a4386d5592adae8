/*
 * Admin.DisableKey, EnableKey: at once, for everyone, with a reason that is an
 * opening of its entry. Off: in memory, in the file, then the entry; on: the
 * entry, then the file, then in memory. Whatever interrupts that leaves the key
 * off rather than on.
 */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "disabled.h"
#include "dispatch.h"
#include "entry.h"
#include "identity.h"
#include "permit.h"
#include "text.h"
#include "token.h"

struct key_change {
	struct broker *broker;
	struct request *r; /* NULL: the caller has gone; it goes on */
	struct identity *who;
	char key[CONFIG_NAME_MAX + 1];
	char *reason;
	bool enable;
	uint64_t index;
};

static void
finish(struct key_change *c)
{
	c->broker->key_change = NULL;
	if (c->r != NULL) {
		c->r->cancel = NULL;
		c->r->state = NULL;
	}
	identity_unref(c->who);
	free(c->reason);
	free(c);
}

static void
answer(struct key_change *c)
{
	struct request *r = c->r;
	json_t *reply = json_pack("{s:s,s:I}", "key", c->key, "index", (json_int_t)c->index);

	finish(c);
	if (r != NULL)
		request_reply(r, reply);
	else
		json_decref(reply);
}

static void
fail(struct key_change *c, const char *reason, const char *message)
{
	struct request *r = c->r;
	struct fault f;

	fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", message);
	fault_set_reason(&f, "%s", reason);
	finish(c);
	if (r != NULL)
		request_fail(r, &f);
}

/* Members that name the key; its own certificate among them where the token has shown it. */
static void
add_key(struct entry *e, const struct broker *b, const char *name)
{
	const struct key *k = broker_key(b, name);

	if (k != NULL && k->members != NULL) {
		entry_members(e, k->members);
		return;
	}
	entry_str(e, "key", name);
	if (k != NULL)
		entry_str(e, "token", k->token->conf->name);
}

static bool
append(struct key_change *c, void (*told)(void *arg, signet_err err, uint64_t index))
{
	struct broker *b = c->broker;
	struct entry *e = b->closed_log ? NULL : entry_new(b, "key", c->who);
	struct verdict v = permit_again(b, c->who, VERB_ADMIN, NULL);

	if (e == NULL)
		return false;
	if (v.rule != NULL)
		entry_str(e, "rule", v.rule);
	entry_str(e, "proof", "uid");
	add_key(e, b, c->key);
	entry_str(e, "operation", c->enable ? "enable" : "disable");
	entry_opening(e, "reason", c->reason);
	entry_str(e, "outcome", "ok");
	entry_tell(e, told, c);
	entry_append(e);
	return true;
}

/* --- off --- */

static void
on_off_logged(void *arg, signet_err err, uint64_t index)
{
	struct key_change *c = arg;

	c->index = index;
	if (err == SIGNET_OK)
		answer(c);
	else
		fail(c, ledger_why(c->broker->log), "the key is disabled, but that could not be written to the log: call again later");
}

static void
on_off_written(void *arg, signet_err err, const char *why)
{
	struct key_change *c = arg;

	if (err != SIGNET_OK)
		fail(c, why, "the key is disabled, but only until the daemon ends: make room and call again");
	else if (!append(c, on_off_logged))
		fail(c, "the daemon stops", "the key is disabled, but that is not in the log: call again later");
}

/* --- on --- */

static void
on_on_written(void *arg, signet_err err, const char *why)
{
	struct key_change *c = arg;

	if (err == SIGNET_OK)
		answer(c);
	else
		fail(c, why, "the key is still disabled: make room and call again");
}

static void
on_on_logged(void *arg, signet_err err, uint64_t index)
{
	struct key_change *c = arg;

	c->index = index;
	if (err != SIGNET_OK)
		fail(c, ledger_why(c->broker->log), "the key is still disabled: call again when the log can be written");
	else if (disabled_change(c->broker, c->key, NULL, 0, on_on_written, c) != SIGNET_OK)
		fail(c, "out of memory", "the key is still disabled: call again later");
}

/* --- the methods --- */

static void
on_cancel(struct request *r)
{
	struct key_change *c = r->state;

	c->r = NULL;
	r->cancel = NULL;
	r->state = NULL;
}

static bool
check(struct request *r, const char *key, const char *reason, bool enable, struct fault *f)
{
	const char *why = NULL;

	if (r->broker->key_change != NULL)
		fault_set(f, SIGNET_ERR_BUSY, NULL, "another key is being disabled or enabled; call again");
	else if (text_check(reason, strlen(reason), &why) != SIGNET_OK || reason[0] == '\0')
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "reason", "reason: %s", why != NULL ? why : "say why");
	else if (!enable && broker_key(r->broker, key) == NULL)
		fault_set(f, SIGNET_ERR_KEY_NOT_FOUND, key, "there is no key of this name");
	else if (enable && disabled_named(r->broker, key) == NULL)
		fault_set(f, SIGNET_ERR_KEY_NOT_FOUND, key, "there is no disabled key of this name");
	else
		return true;
	return false;
}

static struct key_change *
change_new(struct request *r, const char *key, const char *reason, bool enable)
{
	struct key_change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->broker = r->broker;
	c->r = r;
	c->who = identity_ref(r->who);
	c->enable = enable;
	snprintf(c->key, sizeof(c->key), "%s", key);
	c->reason = strdup(reason);
	r->broker->key_change = c;
	r->state = c;
	r->cancel = on_cancel;
	return c;
}

static void
change(struct request *r, bool enable)
{
	const char *key = json_member_str(r->call.parameters, "key"), *reason = json_member_str(r->call.parameters, "reason");
	struct key_change *c;
	struct fault f;
	bool begun;

	if (!check(r, key, reason, enable, &f)) {
		request_fail(r, &f);
		return;
	}
	c = change_new(r, key, reason, enable);
	if (c == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	if (enable)
		begun = c->reason != NULL && append(c, on_on_logged);
	else
		begun = c->reason != NULL &&
			disabled_change(c->broker, c->key, c->reason, r->who->peer.uid, on_off_written, c) == SIGNET_OK;
	if (!begun)
		fail(c, "out of memory", enable ? "the key is still disabled: call again later"
						: "out of memory, or too many keys are disabled: take some out of the configuration");
}

void
method_disable_key(struct request *r)
{
	change(r, false);
}

void
method_enable_key(struct request *r)
{
	change(r, true);
}
