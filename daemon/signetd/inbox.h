/*
 * What waits for people: the open prompts, the agents that are attached, and
 * what a call without a PIN can be helped with.
 */
#ifndef SIGNET_SIGNETD_INBOX_H
#define SIGNET_SIGNETD_INBOX_H

#include "prompt.h"

enum { INBOX_CLOSED_MAX = 64 }; /* prompts that are remembered to be closed */

struct inbox_agent;

struct inbox {
	struct prompt *first, *last; /* open, in the order of their numbers */
	size_t count;
	uint64_t numbers; /* the newest one's */
	struct inbox_agent *agents;
	struct inbox_closed {
		char id[PROMPT_ID_MAX];
		struct prompt_for whose;
		enum prompt_end end;
	} closed[INBOX_CLOSED_MAX];
	unsigned closed_at;
};

/*
 * A call ended with `f` before anything was done. If a person can help and the rule says so, the prompt that asks him;
 * else NULL, and `f` says what is to be told to the caller. The request must have a deadline.
 */
struct prompt *inbox_ask(const struct asking *a, struct fault *f);
/* Would somebody be asked for the PIN, if a call of this caller's lacked it now? */
bool inbox_would_ask(struct request *r, struct token *t);
/* Once before the loop sleeps: tokens that came, prompts that agents do not know yet. */
void inbox_turn(struct broker *b);
/* Prompts whose time is over. */
void inbox_expire(struct broker *b, uint64_t now_ms);
/* The token is being taken out: whoever waits for a person because of it is told. */
void inbox_token_gone(struct token *t);

/* For prompt.c */
void inbox_add(struct broker *b, struct prompt *p);
void inbox_remove(struct broker *b, struct prompt *p);

/* For method_inbox.c: NULL if it is not open, or not this peer's. */
struct prompt *inbox_find(const struct broker *b, const char *id, const struct identity *who);
/* The memory of one that was; NULL: nothing is known, or it was not this peer's. */
const struct inbox_closed *inbox_find_closed(
    const struct broker *b, const char *id, const struct identity *who);

/* inbox_agent.c */
bool inbox_has_agent(const struct broker *b, const struct prompt_for *whose);
void inbox_tell_open(struct broker *b);
void inbox_tell_closed(struct broker *b, const struct prompt *p);
/* The daemon stops. */
void inbox_end_agents(struct broker *b);

#endif
