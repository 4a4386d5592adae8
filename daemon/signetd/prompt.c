/*
 * The life of a prompt.
 *
 * Invariant: a prompt is in the inbox exactly while it is open, and charged to
 * the user who called as long as it is there. Who may see it and who may
 * answer it is one question, asked of the policy in force each time.
 */
#include "prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker.h"
#include "clock.h"
#include "identity.h"
#include "inbox.h"
#include "permit.h"
#include "request.h"
#include "token.h"

static const struct {
	const char *word;
	enum verb verb;
	bool takes_pin;
} kinds[] = {
#define PROMPT_KIND(kind, word, verb, pin) [PROMPT_##kind] = {word, verb, pin},
    PROMPT_KINDS(PROMPT_KIND)
#undef PROMPT_KIND
};

const char *
prompt_kind_word(enum prompt_kind kind)
{
	return kinds[kind].word;
}

bool
prompt_kind_takes_pin(enum prompt_kind kind)
{
	return kinds[kind].takes_pin;
}

const char *
prompt_end_word(enum prompt_end end)
{
	switch (end) {
	case PROMPT_OPEN:
		return NULL;
	case PROMPT_ANSWERED:
		return "answered";
	case PROMPT_REJECTED:
		return "rejected";
	case PROMPT_EXPIRED:
		return "expired";
	case PROMPT_INSERTED:
		return "inserted";
	default:
		return "cancelled";
	}
}

/* --- whose it is --- */

/* Named, or, where nobody is, the one who called; a last try is the holder's alone even in his own unlocking. */
static bool
is_person(const struct token *t, const struct prompt_for *whose, uid_t uid)
{
	bool only_caller = whose->caller_only || t->conf->holder_user_count == 0;

	if (only_caller && uid != whose->caller)
		return false;
	if (only_caller && whose->kind != PROMPT_LAST_TRY)
		return true;
	return token_is_held_by(t, uid);
}

bool
prompt_is_for(const struct broker *b, const struct prompt_for *whose, const struct identity *who)
{
	const struct token *t = broker_token(b, whose->token);

	return t != NULL && is_person(t, whose, who->peer.uid) &&
	       permit_on_token(b, who, kinds[whose->kind].verb, t).permitted;
}

bool
prompt_has_somebody(const struct asking *a, enum prompt_kind kind)
{
	const struct request *r = a->r;
	const struct token *t = a->token;

	if (!a->caller_only && t->conf->holder_user_count > 0)
		return true;
	if (kind == PROMPT_LAST_TRY && !token_is_held_by(t, r->who->peer.uid))
		return false;
	return permit_on_token(r->broker, r->who, kinds[kind].verb, t).permitted;
}

/* --- open --- */

/* Its number is for people; the rest keeps an answer from a daemon before this one off it. */
static bool
make_id(struct prompt *p)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	snprintf(
	    p->id, sizeof(p->id), "%llu-%016llx", (unsigned long long)p->number, (unsigned long long)random);
	return true;
}

static bool
charge(struct prompt *p, const struct asking *a, struct fault *f)
{
	struct broker *b = p->broker;

	if (b->inbox.count >= b->config->prompts) {
		fault_set(f, SIGNET_ERR_BUSY, NULL, "too many prompts wait for people (prompts)");
		return false;
	}
	if (!quota_charge(&b->quota, a->r->user, QUOTA_PROMPTS, 1)) {
		fault_set(
		    f, SIGNET_ERR_BUSY, NULL, "too many of your prompts wait for people (prompts-per-uid)");
		return false;
	}
	p->user = quota_user_get(&b->quota, a->r->user->uid); /* his row is there already */
	return true;
}

static void
prompt_free(struct prompt *p)
{
	if (p == NULL)
		return;
	if (p->user != NULL) {
		quota_release(p->user, QUOTA_PROMPTS, 1);
		quota_user_put(&p->broker->quota, p->user);
	}
	secret_free(p->pin);
	identity_unref(p->by);
	buf_done(&p->view);
	free(p);
}

static void
fill(struct prompt *p, const struct asking *a, enum prompt_kind kind)
{
	p->broker = a->r->broker;
	p->token = a->token;
	p->done = a->done;
	p->owner = a->owner;
	p->expires_ms = a->r->deadline_ms;
	p->whose =
	    (struct prompt_for){.kind = kind, .caller = a->r->who->peer.uid, .caller_only = a->caller_only};
	snprintf(p->whose.token, sizeof(p->whose.token), "%s", a->token->conf->name);
	snprintf(p->serial, sizeof(p->serial), "%s", a->token->serial);
	buf_init(&p->view, 1 << 20);
}

struct prompt *
prompt_open(const struct asking *a, enum prompt_kind kind, struct fault *f)
{
	struct broker *b = a->r->broker;
	struct prompt *p = calloc(1, sizeof(*p));
	int64_t now = clock_now_us(NULL), left_ms;

	if (p == NULL)
		goto memory;
	fill(p, a, kind);
	if (!charge(p, a, f)) {
		prompt_free(p);
		return NULL;
	}
	left_ms = (int64_t)p->expires_ms - (int64_t)uv_now(&b->loop);
	p->number = b->inbox.numbers + 1;
	if (!make_id(p) || !prompt_compose(p, a, now, now + left_ms * 1000))
		goto memory;
	b->inbox.numbers++;
	inbox_add(b, p);
	return p;
memory:
	prompt_free(p);
	fault_set(f, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
	return NULL;
}

/* --- close --- */

static void
leave_inbox(struct prompt *p, enum prompt_end end)
{
	p->end = end;
	inbox_remove(p->broker, p);
	inbox_tell_closed(p->broker, p);
}

void
prompt_close(struct prompt *p, enum prompt_end end)
{
	leave_inbox(p, end);
	p->done(p);
}

void
prompt_withdraw(struct prompt *p)
{
	if (p == NULL)
		return;
	leave_inbox(p, PROMPT_CANCELLED);
	prompt_free(p);
}

static void
fault_of_expiry(const struct prompt *p, struct fault *f)
{
	const char *name = p->whose.token;

	if (p->whose.kind != PROMPT_INSERT) {
		fault_set(f, SIGNET_ERR_PIN_REQUIRED, name,
		    "nobody entered the PIN of token %s in time: nothing was done", name);
		return;
	}
	fault_set(
	    f, SIGNET_ERR_TOKEN_ABSENT, name, "token %s was not inserted in time: nothing was done", name);
	fault_set_holder(f, p->token->conf->holder);
	if (p->token->seen_us != 0)
		clock_format(p->token->seen_us, f->last_seen);
}

static void
fault_of_end(const struct prompt *p, struct fault *f)
{
	switch (p->end) {
	case PROMPT_REJECTED:
		fault_set(f, SIGNET_ERR_REJECTED, NULL,
		    "the person who was asked for token %s said no: nothing was done", p->whose.token);
		fault_set_reason(f, "%s", p->reason);
		break;
	case PROMPT_EXPIRED:
		fault_of_expiry(p, f);
		break;
	default:
		fault_set(f, SIGNET_ERR_BUSY, NULL,
		    "the daemon is stopping or its configuration has changed: nothing was done; try again");
		break;
	}
}

bool
prompt_take(struct prompt *p, struct answer *a, struct fault *f)
{
	bool go_on = p->end == PROMPT_ANSWERED || p->end == PROMPT_INSERTED || p->end == PROMPT_VOID;

	answer_done(a);
	if (go_on) {
		*a = (struct answer){.pin = p->pin, .last_try = p->last_try, .by = p->by};
		p->pin = NULL;
		p->by = NULL;
	} else {
		fault_of_end(p, f);
	}
	prompt_free(p);
	return go_on;
}

void
answer_done(struct answer *a)
{
	secret_free(a->pin);
	identity_unref(a->by);
	memset(a, 0, sizeof(*a));
}
