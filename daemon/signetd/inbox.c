/*
 * The list of open prompts and the question whether a person can help.
 *
 * A job that no PIN came with is tried first; the token's answer (locked,
 * absent, PIN wrong) decides what is asked. So a lease that serves the caller
 * is used without anybody being disturbed, and no state is guessed.
 */
#include "inbox.h"

#include <stdio.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "identity.h"
#include "permit.h"
#include "request.h"
#include "token.h"

void
inbox_add(struct broker *b, struct prompt *p)
{
	struct inbox *i = &b->inbox;

	p->prev = i->last;
	p->next = NULL;
	if (i->last != NULL)
		i->last->next = p;
	else
		i->first = p;
	i->last = p;
	i->count++;
}

void
inbox_remove(struct broker *b, struct prompt *p)
{
	struct inbox *i = &b->inbox;
	struct inbox_closed *note = &i->closed[i->closed_at++ % INBOX_CLOSED_MAX];

	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		i->first = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	else
		i->last = p->prev;
	i->count--;
	snprintf(note->id, sizeof(note->id), "%s", p->id);
	note->whose = p->whose;
	note->end = p->end;
}

struct prompt *
inbox_find(const struct broker *b, const char *id, const struct identity *who)
{
	for (struct prompt *p = b->inbox.first; p != NULL; p = p->next)
		if (strcmp(p->id, id) == 0)
			return prompt_is_for(b, &p->whose, who) ? p : NULL;
	return NULL;
}

const struct inbox_closed *
inbox_find_closed(const struct broker *b, const char *id, const struct identity *who)
{
	for (size_t i = 0; i < INBOX_CLOSED_MAX; i++) {
		const struct inbox_closed *c = &b->inbox.closed[i];

		if (c->id[0] != '\0' && strcmp(c->id, id) == 0)
			return prompt_is_for(b, &c->whose, who) ? c : NULL;
	}
	return NULL;
}

/* --- can a person help? --- */

static bool
kind_for(const struct token *t, signet_err err, enum prompt_kind *kind)
{
	int64_t wait_us;

	switch (err) {
	case SIGNET_ERR_TOKEN_ABSENT:
		*kind = PROMPT_INSERT;
		return true;
	case SIGNET_ERR_PIN_REQUIRED:
	case SIGNET_ERR_PIN_INCORRECT:
	case SIGNET_ERR_PIN_LAST_TRY:
		break;
	default:
		return false;
	}
	switch (pin_may(t->pin, PIN_AGENT, false, clock_now_us(NULL), &wait_us)) {
	case PIN_IS_LOCKED:
		return false;
	case PIN_ASK_LAST:
		*kind = PROMPT_LAST_TRY;
		return true;
	default:
		*kind = PROMPT_PIN;
		return true;
	}
}

static struct prompt_for
whose(const struct asking *a, enum prompt_kind kind)
{
	struct prompt_for w = {.kind = kind, .caller = a->r->who->peer.uid, .caller_only = a->caller_only};

	snprintf(w.token, sizeof(w.token), "%s", a->token->conf->name);
	return w;
}

/* An absent token's own fault says what to do: insert it. */
static struct prompt *
nobody(const struct asking *a, enum prompt_kind kind, const char *fmt, struct fault *f)
{
	const char *name = a->token->conf->name;

	if (kind == PROMPT_INSERT)
		return NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* ours, with the token's name */
	fault_set(f, SIGNET_ERR_PIN_REQUIRED, name, fmt, name);
#pragma GCC diagnostic pop
	return NULL;
}

/* An unlocking asks its caller, and the last try is not his. */
static struct prompt *
last_try_of_another(const struct asking *a, struct fault *f)
{
	fault_set(f, SIGNET_ERR_PIN_LAST_TRY, a->token->conf->name,
	    "one more wrong PIN may block the token: only its holder (holder-user) can unlock it now");
	return NULL;
}

struct prompt *
inbox_ask(const struct asking *a, struct fault *f)
{
	struct prompt_for w;
	enum prompt_kind kind;

	if (a->mode == POLICY_PROMPT_NO || a->r->broker->stopping || !kind_for(a->token, f->err, &kind))
		return NULL;
	if (!prompt_has_somebody(a, kind) && kind == PROMPT_LAST_TRY && a->caller_only)
		return last_try_of_another(a, f);
	if (!prompt_has_somebody(a, kind))
		return nobody(a, kind,
		    "the PIN of token %s is needed, and nobody can be asked for it: name its holder "
		    "in the configuration (holder-user)",
		    f);
	w = whose(a, kind);
	if (a->mode == POLICY_PROMPT_YES && !inbox_has_agent(a->r->broker, &w))
		return nobody(a, kind,
		    "the PIN of token %s is needed, and nobody is there to be asked: its holder "
		    "starts `signetctl agent`, then try again",
		    f);
	return prompt_open(a, kind, f);
}

bool
inbox_would_ask(struct request *r, struct token *t)
{
	struct asking a = {.r = r, .token = t, .mode = permit_on_token(r->broker, r->who, VERB_SIGN, t).prompt};
	struct prompt_for w = whose(&a, PROMPT_PIN);

	if (a.mode == POLICY_PROMPT_NO || !prompt_has_somebody(&a, PROMPT_PIN))
		return false;
	return a.mode == POLICY_PROMPT_WAIT || inbox_has_agent(r->broker, &w);
}

/* --- what closes them besides an answer --- */

static bool
is_there(const struct token *t)
{
	return t->state == TOKEN_LOCKED || t->state == TOKEN_READY || t->state == TOKEN_BLOCKED;
}

/* Has the token come, or is it another one than the person was shown? */
static enum prompt_end
overtaken(const struct prompt *p)
{
	if (!is_there(p->token))
		return PROMPT_OPEN;
	if (p->whose.kind == PROMPT_INSERT)
		return PROMPT_INSERTED;
	return strcmp(p->token->serial, p->serial) != 0 && p->serial[0] != '\0' ? PROMPT_VOID : PROMPT_OPEN;
}

/* Closing one may open others, behind it: begin again from the front each time. */
static bool
close_one(struct broker *b)
{
	for (struct prompt *p = b->inbox.first; p != NULL; p = p->next) {
		enum prompt_end end = overtaken(p);

		if (end == PROMPT_OPEN)
			continue;
		prompt_close(p, end);
		return true;
	}
	return false;
}

void
inbox_turn(struct broker *b)
{
	if (b->stopping)
		inbox_end_agents(b);
	while (close_one(b))
		;
	inbox_tell_open(b);
}

static struct prompt *
first_expired(const struct broker *b, uint64_t now_ms)
{
	struct prompt *p = b->inbox.first;

	while (p != NULL && p->expires_ms > now_ms)
		p = p->next;
	return p;
}

void
inbox_expire(struct broker *b, uint64_t now_ms)
{
	struct prompt *p;

	while ((p = first_expired(b, now_ms)) != NULL)
		prompt_close(p, PROMPT_EXPIRED);
}

void
inbox_token_gone(struct token *t)
{
	struct prompt *p = t->broker->inbox.first;

	while (p != NULL)
		if (p->token == t) {
			prompt_close(p, PROMPT_CANCELLED);
			p = t->broker->inbox.first;
		} else {
			p = p->next;
		}
}
