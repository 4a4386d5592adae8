/*
 * Token.Watch: a caller learns of each token that he may see how it is now,
 * and again whenever that changed.
 *
 * A change is a number that the token gets; a watcher remembers by name which
 * number he was told. So nothing is ever queued for him: who reads slowly gets
 * the newest state later, and what lay between is folded. What he may see is
 * asked of the policy each time something is to be told.
 *
 * Changes are looked for once in a turn of the loop, by comparing: whatever
 * alters a token, nobody can forget to say so.
 */
#include "token_watch.h"

#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "permit.h"
#include "token_view.h"

struct told {
	char name[CONFIG_NAME_MAX + 1];
	uint64_t change; /* of the token as it was told */
};

struct token_watcher {
	struct token_watcher *next, *prev;
	struct request *r;
	struct told *told; /* one for each token that he knows of */
	size_t told_count, room;
	uint64_t seen; /* change up to which he knows everything */
	bool begun;    /* the end of the first state was told */
};

/* --- what has changed --- */

static struct token_face
face_of(const struct token *t)
{
	struct token_face face = {.state = t->state, .stands = t->lease.stands, .shared = t->lease.shared, .unhealthy = t->unhealthy,
	    .lease = t->lease.number, .infos = t->infos, .pin_failures = pin_failures(t->pin)};

	memcpy(face.reason, t->reason, sizeof(face.reason));
	return face;
}

static bool
same_face(const struct token_face *a, const struct token_face *b)
{
	return a->state == b->state && a->stands == b->stands && a->shared == b->shared && a->unhealthy == b->unhealthy && a->lease == b->lease &&
	       a->infos == b->infos && a->pin_failures == b->pin_failures && strcmp(a->reason, b->reason) == 0;
}

static void
find_changes(struct broker *b)
{
	for (size_t i = 0; i < b->token_count; i++) {
		struct token *t = b->tokens[i];
		struct token_face face = face_of(t);

		if (t->change != 0 && same_face(&face, &t->face))
			continue;
		t->face = face;
		t->change = ++b->changes;
	}
}

void
token_watch_reload(struct broker *b)
{
	for (size_t i = 0; i < b->token_count; i++)
		b->tokens[i]->change = 0; /* rights and names may be others */
	b->changes++;
}

/* --- one watcher --- */

static void
enlist(struct token_watcher *w)
{
	struct broker *b = w->r->broker;

	w->next = b->token_watchers;
	if (w->next != NULL)
		w->next->prev = w;
	b->token_watchers = w;
}

static void
watcher_free(struct token_watcher *w)
{
	struct broker *b = w->r->broker;

	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		b->token_watchers = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	w->r->cancel = NULL;
	w->r->resume = NULL;
	free(w->told);
	free(w);
}

static struct told *
find_told(struct token_watcher *w, const char *name)
{
	for (size_t i = 0; i < w->told_count; i++)
		if (strcmp(w->told[i].name, name) == 0)
			return &w->told[i];
	return NULL;
}

/* NULL without memory. */
static struct told *
add_told(struct token_watcher *w, const char *name)
{
	struct told *more;

	if (w->told_count == w->room) {
		more = reallocarray(w->told, w->room + 8, sizeof(*more));
		if (more == NULL)
			return NULL;
		w->told = more;
		w->room += 8;
	}
	more = &w->told[w->told_count++];
	memset(more, 0, sizeof(*more));
	snprintf(more->name, sizeof(more->name), "%s", name);
	return more;
}

/* Those that he was told of and that are not there for him any more. False: he must read first. */
static bool
tell_gone(struct token_watcher *w)
{
	size_t i = 0;

	while (i < w->told_count) {
		struct token *t = broker_token(w->r->broker, w->told[i].name);

		if (t != NULL && token_view_permitted(w->r, t)) {
			i++;
			continue;
		}
		if (request_congested(w->r))
			return false;
		request_continue(w->r, token_view_gone(w->told[i].name));
		w->told[i] = w->told[--w->told_count];
	}
	return true;
}

static bool
tell_changed(struct token_watcher *w)
{
	const struct broker *b = w->r->broker;

	for (size_t i = 0; i < b->token_count; i++) {
		struct token *t = b->tokens[i];
		struct told *told = find_told(w, t->conf->name);

		if ((told != NULL && told->change == t->change) || !token_view_permitted(w->r, t))
			continue;
		if (request_congested(w->r) || (told == NULL && (told = add_told(w, t->conf->name)) == NULL))
			return false;
		told->change = t->change;
		request_continue(w->r, token_view(w->r, t));
	}
	return true;
}

static void
tell(struct token_watcher *w)
{
	const struct broker *b = w->r->broker;

	if (w->begun && w->seen == b->changes)
		return;
	if (!tell_gone(w) || !tell_changed(w))
		return; /* `resume` goes on, with what is true by then */
	w->seen = b->changes;
	if (!w->begun)
		request_continue(w->r, json_pack("{s:n}", "token"));
	w->begun = true;
}

static void
end_all(struct broker *b)
{
	while (b->token_watchers != NULL) {
		struct request *r = b->token_watchers->r;

		watcher_free(b->token_watchers);
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "the daemon is stopping; try again in a moment");
	}
}

void
token_watch_turn(struct broker *b)
{
	if (b->token_watchers == NULL)
		return;
	if (b->stopping) {
		end_all(b);
		return;
	}
	find_changes(b);
	for (struct token_watcher *w = b->token_watchers; w != NULL; w = w->next)
		tell(w);
}

/* --- the method --- */

static void
on_cancel(struct request *r)
{
	watcher_free(r->state);
}

static void
on_resume(struct request *r)
{
	tell(r->state);
}

static bool
sees_any(const struct request *r)
{
	for (size_t i = 0; i < r->broker->token_count; i++)
		if (token_view_permitted(r, r->broker->tokens[i]))
			return true;
	return false;
}

/* Whoever may see nothing is refused as by List; his refusal is noted. */
static bool
permit(struct request *r)
{
	struct fault f;

	if (sees_any(r))
		return true;
	(void)permit_token(r->broker, r->who, r->method, "", &f);
	fault_set(&f, SIGNET_ERR_TOKEN_NOT_FOUND, "", "there is no token that you may use");
	request_fail(r, &f);
	return false;
}

void
method_token_watch(struct request *r)
{
	struct token_watcher *w;

	if (!permit(r))
		return;
	if (!r->call.more || r->call.oneway) {
		request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	w->r = r;
	r->state = w;
	r->cancel = on_cancel;
	r->resume = on_resume;
	enlist(w);
	find_changes(r->broker);
	tell(w);
}
