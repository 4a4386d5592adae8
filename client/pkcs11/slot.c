/*
 * Slots: one for each token that the daemon has shown to this process, in the
 * order in which it did; the number of a slot stays what it is.
 *
 * Invariant: a token that the daemon says was taken out closes its sessions
 * and its login, as PKCS #11 wants it. A daemon that is not there, or starts
 * anew, is no removal: `epoch` tells in which connection's life a token was
 * seen, and only what was seen in this one can go in it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge.h"

enum { FRESH_MS = 1000 };

bool
slot_needs_login(const struct slot *s)
{
	/* what our own C_Login unlocked still counts as in need of it, or logging in would change the rules */
	return s->until != 0 || (s->pin_needed && !s->shared && !s->prompted && s->uses <= 0);
}

bool
slot_shows_private(const struct slot *s)
{
	return s->logged_in || !slot_needs_login(s);
}

bool
slot_is_final(const struct slot *s)
{
	/* most tokens take three; the daemon keeps the third for the holder's word */
	return s->final_try || s->pin_failures > 1;
}

void
slot_logout(struct slot *s)
{
	s->logged_in = false;
	s->until = 0;
}

bool
slot_is_ours(const struct slot *s, int64_t until)
{
	return s->until != 0 && until >= s->until - 1 && until <= s->until + 1;
}

struct slot *
slot_get(CK_SLOT_ID id)
{
	return id < state->slot_count && state->slots[id]->listed ? state->slots[id] : NULL;
}

static size_t
slot_index(const char *token)
{
	for (size_t i = 0; i < state->slot_count; i++)
		if (strcmp(state->slots[i]->name, token) == 0)
			return i;
	return SIZE_MAX;
}

static void
slot_free(struct slot *s)
{
	if (s == NULL)
		return;
	free(s->name);
	free(s->serial);
	free(s->label);
	free(s->manufacturer);
	free(s->model);
	secret_free(s->refused);
	free(s);
}

/* The slot of a token, made if it is new. NULL: memory. */
static struct slot *
slot_of(const char *token)
{
	size_t i = slot_index(token);
	struct slot **grown, *s;

	if (i != SIZE_MAX)
		return state->slots[i];
	grown = reallocarray(state->slots, state->slot_count + 1, sizeof(struct slot *));
	if (grown == NULL)
		return NULL;
	state->slots = grown;
	s = calloc(1, sizeof(*s));
	if (s != NULL)
		s->name = strdup(token);
	if (s == NULL || s->name == NULL) {
		slot_free(s);
		return NULL;
	}
	s->uses = -1;
	grown[state->slot_count++] = s;
	return s;
}

static void
set_present(struct slot *s, size_t index, bool present)
{
	if (present != s->present)
		s->event = true;
	if (!present && s->present && s->epoch == state->links.epoch) {
		sessions_close(index);
		slot_logout(s);
	}
	s->present = present;
	if (present)
		s->epoch = state->links.epoch;
}

static void
take(char **to, char **from)
{
	free(*to);
	*to = *from;
	*from = NULL;
}

void
slots_update_one(struct listed_token *t)
{
	struct slot *s = slot_of(t->name);

	if (s == NULL)
		return; /* memory was short: it is there when the next listing comes */
	take(&s->serial, &t->serial);
	take(&s->label, &t->label);
	take(&s->manufacturer, &t->manufacturer);
	take(&s->model, &t->model);
	s->listed = true;
	s->shared = t->shared;
	s->pin_needed = t->pin_needed;
	s->prompted = t->prompted;
	s->count_low = t->count_low;
	s->final_try = t->final_try;
	s->uses = t->uses;
	s->pin_failures = t->pin_failures;
	s->max_uses = t->max_uses;
	s->max_seconds = t->max_seconds;
	s->blocked = strcmp(t->state, "blocked") == 0;
	/* a right PIN was entered since, wherever that was: what was wrong may be right now */
	if (t->pin_failures == 0) {
		secret_free(s->refused);
		s->refused = NULL;
	}
	if (!slot_is_ours(s, t->until))
		s->until = 0; /* ours has ended: what stands now is another's */
	set_present(s, slot_index(s->name), strcmp(t->state, "absent") != 0 && strcmp(t->state, "failed") != 0);
}

/* Has it any key that is shown? */
static bool
has_key(const struct listing *l, const char *token)
{
	for (size_t i = 0; i < l->key_count; i++)
		if (strcmp(l->keys[i].token, token) == 0)
			return true;
	return false;
}

void
slots_update(struct listing *l)
{
	bool *seen = calloc(state->slot_count + l->token_count + 1, sizeof(*seen));
	struct object_list fresh;

	if (seen == NULL)
		return;
	for (size_t i = 0; i < l->token_count; i++) {
		bool known = slot_index(l->tokens[i].name) != SIZE_MAX;

		/* a token without keys for us is none of ours, unless it was: then it is only out of its slot */
		if (!known && !has_key(l, l->tokens[i].name))
			continue;
		slots_update_one(&l->tokens[i]);
		if (slot_index(l->tokens[i].name) != SIZE_MAX)
			seen[slot_index(l->tokens[i].name)] = true;
	}
	for (size_t i = 0; i < state->slot_count; i++)
		if (!seen[i])
			set_present(state->slots[i], i, false);
	free(seen);
	if (objects_make(&fresh, l, slot_index))
		objects_replace(&state->objects, &fresh, &state->next_handle);
}

void
slots_unreachable(void)
{
	for (size_t i = 0; i < state->slot_count; i++)
		set_present(state->slots[i], i, false);
}

void
slots_done(void)
{
	for (size_t i = 0; i < state->slot_count; i++)
		slot_free(state->slots[i]);
	free(state->slots);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

/* The answer to the question of that number, unless a later one came first. */
static void
take_answer(signet_err err, struct listing *l, uint64_t number)
{
	bool first = state->listed_ms == 0;

	if (number < state->listing)
		return;
	state->listing = number;
	state->listed_ms = now_ms();
	if (err == SIGNET_OK)
		slots_update(l);
	else
		slots_unreachable();
	/* what was there from the beginning is no event */
	for (size_t i = 0; first && i < state->slot_count; i++)
		state->slots[i]->event = false;
}

CK_RV
refresh(enum refresh how)
{
	struct link link = {0};
	struct listing listing = {0};
	uint64_t generation, number;
	signet_err err;

	if (how == REFRESH_OLD && state->listed_ms != 0 && now_ms() - state->listed_ms < FRESH_MS)
		return CKR_OK;
	number = ++state->listings;
	err = link_take(&link, LIST_TIMEOUT_MS);
	if (err == LINK_FINALISED)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (err == SIGNET_OK) {
		generation = step_out();
		err = listing_read(&listing, link.conn);
		if (!step_in(generation)) {
			link_close(link.conn);
			listing_done(&listing);
			return CKR_CRYPTOKI_NOT_INITIALIZED;
		}
		link_give(&link);
	}
	take_answer(err, &listing, number);
	listing_done(&listing);
	return CKR_OK;
}
