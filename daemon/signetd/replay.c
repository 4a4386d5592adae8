/*
 * A chained hash over (uid, requestId) and, per user, a list by age. RUNNING
 * bindings are never evicted: a job points to each.
 */
#include "replay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct replay_user {
	struct replay_user *next;
	uid_t uid;
	size_t count;
	struct replay *oldest, *newest;
};

static uint64_t seed; /* peers choose the ids: they must not choose the chains */

static size_t
slot_of(const struct replay_map *m, uid_t uid, const char *id)
{
	uint64_t h = seed ^ uid;

	for (; *id != '\0'; id++) {
		h ^= (unsigned char)*id;
		h *= UINT64_C(0x100000001b3);
		h ^= h >> 29;
	}
	return (size_t)(h & (m->slot_count - 1));
}

signet_err
replay_init(struct replay_map *m)
{
	memset(m, 0, sizeof(*m));
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return SIGNET_ERR_IO;
	m->slot_count = 1024;
	m->slots = calloc(m->slot_count, sizeof(struct replay *));
	return m->slots != NULL ? SIGNET_OK : SIGNET_ERR_MEMORY;
}

static void
unhash(struct replay_map *m, struct replay *r)
{
	struct replay **at = &m->slots[slot_of(m, r->user->uid, r->request_id)];

	for (; *at != r; at = &(*at)->hash_next)
		assert(*at != NULL);
	*at = r->hash_next;
	m->count--;
}

static void
forget(struct replay_map *m, struct replay *r)
{
	struct replay_user *u = r->user;

	unhash(m, r);
	if (r->older != NULL)
		r->older->newer = r->newer;
	else
		u->oldest = r->newer;
	if (r->newer != NULL)
		r->newer->older = r->older;
	else
		u->newest = r->older;
	u->count--;
	free(r);
}

void
replay_done(struct replay_map *m)
{
	while (m->users != NULL) {
		struct replay_user *u = m->users;

		while (u->oldest != NULL)
			forget(m, u->oldest);
		m->users = u->next;
		free(u);
	}
	free(m->slots);
	m->slots = NULL;
}

/* Room doubles while memory lasts; without it the chains get longer, nothing else. */
static void
grow(struct replay_map *m)
{
	struct replay_map bigger = {.slot_count = m->slot_count * 2};

	bigger.slots = calloc(bigger.slot_count, sizeof(struct replay *));
	if (bigger.slots == NULL)
		return;
	for (size_t i = 0; i < m->slot_count; i++)
		while (m->slots[i] != NULL) {
			struct replay *r = m->slots[i];
			struct replay **to = &bigger.slots[slot_of(&bigger, r->user->uid, r->request_id)];

			m->slots[i] = r->hash_next;
			r->hash_next = *to;
			*to = r;
		}
	free(m->slots);
	m->slots = bigger.slots;
	m->slot_count = bigger.slot_count;
}

static struct replay_user *
find_user(struct replay_map *m, uid_t uid)
{
	struct replay_user *u = m->users;

	while (u != NULL && u->uid != uid)
		u = u->next;
	return u;
}

struct replay *
replay_find(struct replay_map *m, uid_t uid, const char *request_id)
{
	struct replay *r = m->slots[slot_of(m, uid, request_id)];

	while (r != NULL && (r->user->uid != uid || strcmp(r->request_id, request_id) != 0))
		r = r->hash_next;
	return r;
}

static struct replay_user *
get_user(struct replay_map *m, uid_t uid)
{
	struct replay_user *u = find_user(m, uid);

	if (u == NULL && (u = calloc(1, sizeof(*u))) != NULL) {
		u->uid = uid;
		u->next = m->users;
		m->users = u;
	}
	return u;
}

static void
evict(struct replay_map *m, struct replay_user *u, int64_t now_us)
{
	struct replay *r = u->oldest, *newer;

	for (; r != NULL; r = newer) {
		newer = r->newer;
		if (u->count < REPLAY_PER_UID && now_us - r->bound_us < REPLAY_AGE_US)
			return;
		if (r->state != REPLAY_RUNNING)
			forget(m, r);
	}
}

struct replay *
replay_bind(struct replay_map *m, uid_t uid, const char *request_id, const uint8_t *input, int64_t now_us)
{
	size_t len = strlen(request_id) + 1;
	struct replay_user *u = get_user(m, uid);
	struct replay *r, **slot;

	if (u == NULL)
		return NULL;
	evict(m, u, now_us);
	r = calloc(1, sizeof(*r) + len);
	if (r == NULL)
		return NULL;
	if (m->count >= m->slot_count)
		grow(m);
	r->user = u;
	r->state = REPLAY_RUNNING;
	r->bound_us = now_us;
	memcpy(r->input, input, sizeof(r->input));
	memcpy(r->request_id, request_id, len);
	slot = &m->slots[slot_of(m, uid, request_id)];
	r->hash_next = *slot;
	*slot = r;
	r->older = u->newest;
	if (u->newest != NULL)
		u->newest->newer = r;
	else
		u->oldest = r;
	u->newest = r;
	u->count++;
	m->count++;
	return r;
}

static void
insert(struct replay_waiter **list, struct replay_waiter *w)
{
	w->next = *list;
	w->at = list;
	if (w->next != NULL)
		w->next->at = &w->next;
	*list = w;
}

void
replay_leave(struct replay_waiter *w)
{
	*w->at = w->next;
	if (w->next != NULL)
		w->next->at = w->at;
}

/* The first who came is the first who is called. Each may bind the id anew, wait again, or make others leave. */
static void
wake(struct replay_waiter **waiters)
{
	struct replay_waiter *list = NULL, *w;

	while ((w = *waiters) != NULL) {
		replay_leave(w);
		insert(&list, w);
	}
	while ((w = list) != NULL) {
		replay_leave(w);
		w->done(w);
	}
}

void
replay_settle(struct replay_map *m, struct replay *r, bool unknown, uint64_t index)
{
	(void)m;
	r->state = unknown ? REPLAY_UNKNOWN : REPLAY_DONE;
	r->index = index;
	wake(&r->waiters);
}

void
replay_release(struct replay_map *m, struct replay *r)
{
	struct replay_waiter *waiters = r->waiters;

	if (waiters != NULL)
		waiters->at = &waiters;
	forget(m, r);
	wake(&waiters);
}

void
replay_wait(struct replay *r, struct replay_waiter *w)
{
	insert(&r->waiters, w);
}
