/*
 * Answer: a person's word on a prompt.
 *
 * Invariant: the PIN is taken out of the message before anything can fail, and
 * lives on only if the prompt is closed by it, in the same turn of the loop.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "identity.h"
#include "inbox.h"
#include "text.h"
#include "token.h"
#include "token_queue.h"

struct given { /* by the person */
	bool accept, last_try;
	const char *digest, *reason;
	struct secret *pin;
};

static bool
fail(struct fault *f, signet_err err, const char *subject, const char *sentence)
{
	fault_set(f, err, subject, "%s", sentence);
	return false;
}

static bool
read_given(const json_t *params, struct given *g, struct fault *f)
{
	json_t *pin = json_object_get(params, "pin");
	const char *verdict = json_member_str(params, "verdict"), *why = "";

	memset(g, 0, sizeof(*g));
	if (json_is_string(pin) && secret_take(&g->pin, (void *)(uintptr_t)json_string_value(pin),
				       json_string_length(pin)) != SIGNET_OK) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "pin", "a PIN has 1 to %d bytes", SECRET_MAX);
		return false;
	}
	g->accept = strcmp(verdict, "accept") == 0;
	g->last_try = json_is_true(json_object_get(params, "lastTry"));
	g->digest = json_member_str(params, "digest");
	g->reason = json_member_str(params, "reason");
	if (g->reason != NULL && text_check(g->reason, strlen(g->reason), &why) != SIGNET_OK)
		return fail(f, SIGNET_ERR_INVALID_PARAMETER, "reason", why);
	return true;
}

static void
not_there(struct request *r, const char *id)
{
	const struct inbox_closed *c = inbox_find_closed(r->broker, id, r->who);

	if (c == NULL)
		request_fail_with(r, SIGNET_ERR_PROMPT_NOT_FOUND, id,
		    "there is no prompt of this id that is yours; `signetctl inbox` lists yours");
	else
		request_fail_with(r, SIGNET_ERR_PROMPT_CLOSED, id,
		    "this prompt is closed already (%s): your answer changes nothing",
		    prompt_end_word(c->end));
}

/* The token may have changed its mind since the prompt was opened: then the call begins anew. */
static bool
pin_may_go(struct prompt *p, bool last_try, struct fault *f)
{
	const char *name = p->whose.token;
	int64_t wait_us = 0;

	switch (pin_may(p->token->pin, PIN_AGENT, last_try, clock_now_us(NULL), &wait_us)) {
	case PIN_GO:
		return true;
	case PIN_WAIT:
		fail(f, SIGNET_ERR_BUSY, NULL,
		    "after a wrong PIN the next one waits a few seconds; send it again then");
		f->retry_after_ms = (int)(wait_us / 1000) + 1;
		return false;
	case PIN_ASK_LAST:
		fail(f, SIGNET_ERR_PIN_LAST_TRY, name,
		    "one more wrong PIN may block the token; its holder, sure of the PIN, answers with "
		    "lastTry");
		break;
	default:
		token_blocked(p->token, f);
		break;
	}
	if (p->whose.kind != PROMPT_LAST_TRY || p->token->pin->locked)
		prompt_close(p, PROMPT_VOID);
	return false;
}

/* False: nothing was taken, the prompt stays unless what it says is not true any more. */
static bool
check_accept(struct prompt *p, const struct given *g, struct fault *f)
{
	const char *name = p->whose.token;

	if (!prompt_kind_takes_pin(p->whose.kind))
		return fail(
		    f, SIGNET_ERR_INVALID_PARAMETER, "verdict", "insert the token: that answers this prompt");
	if (g->digest != NULL && strcmp(g->digest, p->digest) != 0)
		return fail(
		    f, SIGNET_ERR_INVALID_PARAMETER, "digest", "this prompt is not about that digest");
	if (g->pin == NULL)
		return fail(f, SIGNET_ERR_PIN_REQUIRED, name, "the answer to this prompt is the token's PIN");
	if (p->whose.kind == PROMPT_LAST_TRY && !g->last_try)
		return fail(f, SIGNET_ERR_PIN_LAST_TRY, name,
		    "one more wrong PIN may block the token; its holder, sure of the PIN, answers with "
		    "lastTry");
	return pin_may_go(p, p->whose.kind == PROMPT_LAST_TRY, f);
}

/* The reply is written first: what the answer sets off may take its time. */
static void
take_accept(struct request *r, struct prompt *p, struct given *g)
{
	p->pin = g->pin;
	g->pin = NULL;
	p->last_try = p->whose.kind == PROMPT_LAST_TRY;
	p->by = identity_ref(r->who);
	request_reply(r, json_object());
	prompt_close(p, PROMPT_ANSWERED);
}

static void
take_reject(struct request *r, struct prompt *p, const struct given *g)
{
	snprintf(p->reason, sizeof(p->reason), "%s", g->reason != NULL ? g->reason : "");
	request_reply(r, json_object());
	prompt_close(p, PROMPT_REJECTED);
}

void
method_inbox_answer(struct request *r)
{
	const char *id = json_member_str(r->call.parameters, "prompt");
	struct prompt *p;
	struct given g;
	struct fault f;

	if (!read_given(r->call.parameters, &g, &f)) {
		secret_free(g.pin);
		request_fail(r, &f);
		return;
	}
	p = inbox_find(r->broker, id, r->who);
	if (p == NULL)
		not_there(r, id);
	else if (!g.accept)
		take_reject(r, p, &g);
	else if (check_accept(p, &g, &f))
		take_accept(r, p, &g);
	else
		request_fail(r, &f);
	secret_free(g.pin);
}
