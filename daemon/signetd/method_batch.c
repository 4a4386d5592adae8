/*
 * SignBatch: many digests, one key, one PIN. Results are sent as they come;
 * the newest one is held back until the next, so that the last reply is known
 * to be the last. With a PIN, one login serves the batch and ends before that
 * last reply [DESIGN: leases].
 */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "disabled.h"
#include "dispatch.h"
#include "permit.h"
#include "signing.h"
#include "token.h"
#include "unlocking.h"

enum { ITEMS_MAX = 1000, IN_FLIGHT_MAX = 32, BATCH_SECONDS = 3600 };

struct batch {
	struct request *r;
	struct sign_params params;
	const json_t *items;
	size_t count, next, done;
	struct signing *under_way[IN_FLIGHT_MAX];
	size_t in_flight;
	struct secret *pin;
	struct unlocking unlock;
	bool unlocking; /* `unlock` is under way */
	struct job *relock;
	struct buf held;
	bool has_held, launching;
};

static void launch(struct batch *b);

static void
batch_free(struct batch *b)
{
	secret_free(b->pin);
	buf_done(&b->held);
	free(b);
}

static void
leave_all(struct batch *b)
{
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		if (b->under_way[i] != NULL) {
			signing_leave(b->under_way[i]);
			free(b->under_way[i]);
		}
	if (b->unlocking)
		unlocking_leave(&b->unlock);
	if (b->relock != NULL)
		job_leave(b->relock);
	else
		(void)token_end_batch(b->r->broker, b->params.batch, b->r->who, NULL, NULL, NULL);
}

static void
on_cancel(struct request *r)
{
	struct batch *b = r->state;

	r->state = NULL;
	r->cancel = NULL;
	r->resume = NULL;
	if (b->has_held) /* its time is over: what was signed is still told */
		request_continue_text(r, &b->held);
	leave_all(b);
	batch_free(b);
}

/* --- results --- */

static void
write_result(struct batch *b, int item, const struct fault *f, const struct outcome *o)
{
	struct buf *out = &b->held;

	buf_reset(out);
	buf_str(out, "{\"result\":{\"item\":");
	buf_dec(out, (uint64_t)item);
	buf_chr(out, ',');
	if (f->err == SIGNET_OK) {
		receipt_write(out, b->r->broker->config->origin, o);
	} else {
		const char *name = err_wire_name(f->err), *message = fault_message(f);

		buf_str(out, "\"error\":\"");
		buf_str(out, name != NULL ? name : "Busy");
		buf_str(out, "\",\"message\":");
		buf_json(out, message, strlen(message));
	}
	buf_str(out, "}}");
}

static void
finish(struct batch *b)
{
	struct request *r = b->r;
	struct buf last = b->held;

	buf_init(&b->held, 1);
	r->cancel = NULL;
	r->resume = NULL;
	batch_free(b);
	request_reply_text(r, &last);
	buf_done(&last);
}

static void
on_relocked(struct job *j)
{
	struct batch *b = j->owner;

	b->relock = NULL;
	finish(b);
}

static void
finish_when_locked(struct batch *b)
{
	if (!token_end_batch(b->r->broker, b->params.batch, b->r->who, on_relocked, b, &b->relock))
		finish(b);
}

static void
on_item(struct signing *s)
{
	struct batch *b = s->owner;

	if (b->has_held)
		request_continue_text(b->r, &b->held);
	b->has_held = true;
	write_result(b, s->item, &s->fault, &s->outcome);
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		if (b->under_way[i] == s)
			b->under_way[i] = NULL;
	secret_free(s->pin);
	free(s);
	b->in_flight--;
	b->done++;
	if (b->done == b->count)
		finish_when_locked(b);
	else if (!b->launching)
		launch(b);
}

/* --- items --- */

static void
start_item(struct batch *b, size_t slot)
{
	struct signing *s = calloc(1, sizeof(*s));
	const json_t *item = json_array_get(b->items, b->next);

	if (s == NULL)
		abort(); /* a few hundred bytes: nothing else would work either; the log is safe */
	s->r = b->r;
	s->params = &b->params;
	s->item = (int)b->next++;
	s->digest = json_member_str(item, "digest");
	s->document = json_object_get(item, "document");
	s->request_id = json_member_str(item, "requestId");
	s->done = on_item;
	s->owner = b;
	b->under_way[slot] = s;
	b->in_flight++;
	signing_start(s);
}

static size_t
free_slot(const struct batch *b)
{
	size_t i = 0;

	while (b->under_way[i] != NULL)
		i++;
	return i;
}

/*
 * The batch may end inside start_item, with its last result; `last_started` says so beforehand, because afterwards
 * there may be no batch to ask.
 */
static void
launch(struct batch *b)
{
	bool last_started = false;

	b->launching = true;
	while (!last_started && b->next < b->count && b->in_flight < IN_FLIGHT_MAX && !request_congested(b->r)) {
		last_started = b->next + 1 == b->count;
		if (last_started)
			b->launching = false;
		start_item(b, free_slot(b));
	}
	if (!last_started)
		b->launching = false;
}

static void
on_resume(struct request *r)
{
	launch(r->state);
}

/* From here on, and not before, a turn of the peer may begin further items. */
static void
begin_items(struct batch *b)
{
	b->r->resume = on_resume;
	launch(b);
}

/* --- the PIN of the batch --- */

static void
on_unlocked(struct unlocking *u)
{
	struct batch *b = u->owner;
	struct request *r = b->r;
	struct fault f = u->fault;

	b->unlocking = false;
	if (f.err == SIGNET_OK) {
		begin_items(b);
		return;
	}
	r->cancel = NULL;
	r->resume = NULL;
	batch_free(b);
	request_fail(r, &f);
}

static void
unlock(struct batch *b)
{
	b->unlock = (struct unlocking){.r = b->r, .key_name = b->params.key_name, .pin = b->pin,
	    .last_try = b->params.last_try, .uses = b->count, .seconds = BATCH_SECONDS, .batch = b->params.batch,
	    .done = on_unlocked, .owner = b};
	b->pin = NULL;
	b->unlocking = true;
	unlocking_start(&b->unlock);
}

static bool
needs_token(const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (!signing_is_replay(b->r, json_member_str(json_array_get(b->items, i), "requestId")))
			return true;
	return false;
}

/* Without a PIN: must a person be asked first? If nobody can be, each item says so itself. */
static bool
must_ask(const struct batch *b)
{
	const struct request *r = b->r;
	const struct key *k = broker_key(r->broker, b->params.key_name);
	const struct token *t = k != NULL ? k->token : NULL;
	struct verdict v;

	if (t == NULL || t->conf->credential != NULL || disabled_find(r->broker, k->conf) != NULL)
		return false;
	v = permit_again(r->broker, r->who, r->method->verb, k->conf->name);
	if (!v.permitted || v.prompt == POLICY_PROMPT_NO)
		return false;
	return t->state == TOKEN_ABSENT || t->state == TOKEN_STARTING || !token_lease_serves(t, r->who->peer.uid, 0);
}

static bool
begin(struct batch *b, struct fault *f)
{
	struct request *r = b->r;

	if (!sign_params_read(r, &b->params, &b->pin, f))
		return false;
	if (b->count < 1 || b->count > ITEMS_MAX) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "items", "1 to %d items", ITEMS_MAX);
		return false;
	}
	if (b->count > 1 && !r->call.more) {
		fault_set(f, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
		return false;
	}
	if (!needs_token(b) || (b->pin == NULL && !must_ask(b)))
		return true;
	b->params.batch = ++r->broker->batches;
	return true;
}

void
method_sign_batch(struct request *r)
{
	struct batch *b = calloc(1, sizeof(*b));
	struct fault f;

	if (b == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	b->r = r;
	b->items = json_object_get(r->call.parameters, "items");
	b->count = json_array_size(b->items);
	buf_init(&b->held, 256 * 1024);
	if (!begin(b, &f)) {
		batch_free(b);
		request_fail(r, &f);
		return;
	}
	r->state = b;
	r->cancel = on_cancel;
	request_wait(r, b->params.timeout_ms);
	if (b->params.batch == 0)
		begin_items(b);
	else
		unlock(b);
}
