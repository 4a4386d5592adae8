/*
 * Agents: who has called Attach. Each has a cursor: prompts up to that number
 * it has been told, if they are its person's. Nothing is queued for one that
 * does not read: it is told later what is open by then.
 */
#include "inbox.h"

#include <stdlib.h>

#include "broker.h"
#include "dispatch.h"
#include "identity.h"
#include "permit.h"
#include "refusal.h"
#include "request.h"

struct inbox_agent {
	struct inbox_agent *next, *prev;
	struct request *r;
	uint64_t told; /* number of the newest prompt that was looked at for it */
	bool begun;    /* the end of the first state was told */
};

bool
inbox_has_agent(const struct broker *b, const struct prompt_for *whose)
{
	for (const struct inbox_agent *a = b->inbox.agents; a != NULL; a = a->next)
		if (prompt_is_for(b, whose, a->r->who))
			return true;
	return false;
}

static void
send_prompt(struct request *r, const struct prompt *p, bool continues)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	prompt_write(&text, p);
	if (continues)
		request_continue_text(r, &text);
	else
		request_reply_text(r, &text);
	buf_done(&text);
}

static void
tell(struct inbox_agent *a)
{
	const struct broker *b = a->r->broker;

	if (a->begun && a->told == b->inbox.numbers)
		return;
	for (const struct prompt *p = b->inbox.first; p != NULL; p = p->next) {
		if (p->number <= a->told)
			continue;
		if (request_congested(a->r))
			return; /* `resume` goes on */
		a->told = p->number;
		if (prompt_is_for(b, &p->whose, a->r->who))
			send_prompt(a->r, p, true);
	}
	a->told = b->inbox.numbers;
	if (!a->begun)
		request_continue(a->r, json_pack("{s:n}", "prompt"));
	a->begun = true;
}

void
inbox_tell_open(struct broker *b)
{
	for (struct inbox_agent *a = b->inbox.agents; a != NULL; a = a->next)
		tell(a);
}

/* To those who were told that it is open: at most as many as fitted, so this is bounded too. */
void
inbox_tell_closed(struct broker *b, const struct prompt *p)
{
	for (struct inbox_agent *a = b->inbox.agents; a != NULL; a = a->next)
		if (p->number <= a->told && prompt_is_for(b, &p->whose, a->r->who))
			send_prompt(a->r, p, true);
}

/* --- attach --- */

static void
agent_free(struct inbox_agent *a)
{
	struct inbox *i = &a->r->broker->inbox;

	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		i->agents = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	a->r->cancel = NULL;
	a->r->resume = NULL;
	free(a);
}

void
inbox_end_agents(struct broker *b)
{
	while (b->inbox.agents != NULL) {
		struct request *r = b->inbox.agents->r;

		agent_free(b->inbox.agents);
		request_fail_with(
		    r, SIGNET_ERR_BUSY, NULL, "the daemon is stopping; attach again in a moment");
	}
}

static void
on_cancel(struct request *r)
{
	agent_free(r->state);
}

static void
on_resume(struct request *r)
{
	tell(r->state);
}

/* Whoever could never be asked has no inbox. */
static bool
permit(struct request *r)
{
	for (size_t i = 0; i < r->broker->token_count; i++)
		if (permit_on_token(r->broker, r->who, r->method->verb, r->broker->tokens[i]).permitted)
			return true;
	refusal_note(r->broker, r->who, r->method, r->method->verb, NULL);
	request_fail_with(r, SIGNET_ERR_NOT_PERMITTED, NULL,
	    "no rule permits you `%s` on any token, so nobody would ask you; an administrator can add one",
	    verb_name(r->method->verb));
	return false;
}

void
method_inbox_attach(struct request *r)
{
	struct inbox_agent *a;

	if (!permit(r))
		return;
	if (!r->call.more || r->call.oneway) {
		request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	a->r = r;
	a->next = r->broker->inbox.agents;
	if (a->next != NULL)
		a->next->prev = a;
	r->broker->inbox.agents = a;
	r->state = a;
	r->cancel = on_cancel;
	r->resume = on_resume;
	tell(a);
}

/* --- list --- */

/* The next one of the caller's behind `p` (NULL: the first). */
static const struct prompt *
next_of(const struct request *r, const struct prompt *p)
{
	p = p != NULL ? p->next : r->broker->inbox.first;
	while (p != NULL && !prompt_is_for(r->broker, &p->whose, r->who))
		p = p->next;
	return p;
}

void
method_inbox_list(struct request *r)
{
	const struct prompt *p, *next;

	if (!permit(r))
		return;
	p = next_of(r, NULL);
	if (p == NULL) {
		request_reply(r, json_pack("{s:n}", "prompt"));
		return;
	}
	if (!r->call.more && next_of(r, p) != NULL) {
		request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
		return;
	}
	while ((next = next_of(r, p)) != NULL) {
		send_prompt(r, p, true);
		p = next;
	}
	send_prompt(r, p, false);
}
