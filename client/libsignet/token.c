/*
 * Tokens for their holders [org.signetd.Token]: what is there, unlock, lock.
 *
 * Invariant: a PIN leaves in a frame of the connection only, and only to a
 * server that may see it (exchange_begin refuses otherwise).
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

enum { UNTIL_MAX = 32 }; /* room for a time, as signet_unlock() promises */

static int64_t
at_most(int64_t value, int64_t max)
{
	return value > max ? max : value;
}

static bool
read_token(signet_token *t, const char ***keys, const json_t *object)
{
	struct members m = {.object = object};

	t->name = member_str(&m, "name", true);
	t->state = member_str(&m, "state", true);
	t->reason = member_str(&m, "reason", false);
	t->serial = member_str(&m, "serial", false);
	t->label = member_str(&m, "label", false);
	t->manufacturer = member_str(&m, "manufacturer", false);
	t->model = member_str(&m, "model", false);
	t->holder = member_str(&m, "holder", false);
	t->keys = *keys = member_texts(&m, "keys");
	/* null stands for "not unlocked for you", which 0 would not say */
	t->uses = json_is_integer(json_object_get(object, "uses")) ? member_int(&m, "uses", 0) : -1;
	t->until = member_str(&m, "until", false);
	t->shared = member_bool(&m, "shared");
	t->pin_failures = (unsigned)at_most(member_int(&m, "pinFailures", -1), INT32_MAX);
	t->waiting = (unsigned)at_most(member_int(&m, "waiting", -1), INT32_MAX);
	t->max_uses = (unsigned)at_most(member_int(&m, "maxUses", 0), INT32_MAX);
	t->max_seconds = (unsigned)at_most(member_int(&m, "maxSeconds", 0), INT32_MAX);
	t->pin_count_low = json_is_true(json_object_get(object, "pinCountLow"));
	t->pin_final_try = json_is_true(json_object_get(object, "pinFinalTry"));
	t->prompted = json_is_true(json_object_get(object, "prompted"));
	t->pin_needed = !json_is_false(json_object_get(object, "pinNeeded"));
	return !m.bad;
}

static signet_err
next_token(struct exchange *x, signet_token_fn *fn, void *arg)
{
	signet_token token = {0};
	const char **keys = NULL;
	struct reply r;
	signet_err err;

	err = exchange_next(x, &r);
	if (err != SIGNET_OK)
		return err;
	if (read_token(&token, &keys, json_object_get(r.parameters, "token")))
		fn(arg, &token);
	else
		err = exchange_nonsense(x, "it has no proper `token`");
	free(keys);
	reply_done(&r);
	return err;
}

SIGNET_API signet_err
signet_tokens(signet_conn *conn, const char *name, signet_token_fn *fn, void *arg)
{
	struct exchange x;
	signet_err err;

	err = exchange_begin(&x, conn, "org.signetd.Token.List", NULL);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "token", name);
	err = fn == NULL ? error_plain(conn, SIGNET_ERR_ARGUMENT) : exchange_send(&x, SIGNET_CALL_MORE);
	while (err == SIGNET_OK && x.open)
		err = next_token(&x, fn, arg);
	exchange_end(&x);
	return err;
}

/* The outputs are all there or untouched. */
static signet_err
read_unlocked(struct exchange *x, const struct reply *r, unsigned *granted_uses, char *until)
{
	struct members m = {.object = r->parameters};
	int64_t uses = member_int(&m, "uses", -1);
	const char *end = member_str(&m, "until", true);

	if (m.bad || uses > UINT32_MAX || strlen(end) >= UNTIL_MAX)
		return exchange_nonsense(x, "it does not say how long the token is unlocked");
	if (granted_uses != NULL)
		*granted_uses = (unsigned)uses;
	if (until != NULL)
		strcpy(until, end);
	return SIGNET_OK;
}

SIGNET_API signet_err
signet_unlock(signet_conn *conn, const char *token, const signet_pin *pin, unsigned uses, unsigned seconds,
    bool last_try, unsigned *granted_uses, char *until)
{
	struct exchange x;
	struct reply r;
	signet_err err;

	err = exchange_begin(&x, conn, "org.signetd.Token.Unlock", pin);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "token", token);
	if (uses > 0)
		param_uint(&x, "uses", uses);
	if (seconds > 0)
		param_uint(&x, "seconds", seconds);
	if (last_try)
		param_true(&x, "lastTry");
	if (pin == NULL) { /* a person is asked: the daemon keeps the time */
		param_uint(&x, "timeoutMs", x.timeout_ms);
		x.timeout_ms += GRACE_MS;
	}
	err = token == NULL ? error_plain(conn, SIGNET_ERR_ARGUMENT) : exchange_one(&x, &r);
	if (err == SIGNET_OK) {
		err = read_unlocked(&x, &r, granted_uses, until);
		reply_done(&r);
	}
	exchange_end(&x);
	return err;
}

SIGNET_API signet_err
signet_lock(signet_conn *conn, const char *token)
{
	struct exchange x;
	struct reply r;
	signet_err err;

	err = exchange_begin(&x, conn, "org.signetd.Token.Lock", NULL);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "token", token);
	err = token == NULL ? error_plain(conn, SIGNET_ERR_ARGUMENT) : exchange_one(&x, &r);
	if (err == SIGNET_OK)
		reply_done(&r);
	exchange_end(&x);
	return err;
}
