/*
 * One list for all of them. Invariant: a person who asks twice stays one
 * person.
 */
#include "pair.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "identity.h"
#include "request.h"

enum { WAIT_MS = 15 * 60 * 1000, WAITING_MAX = 64 };

struct pair {
	struct pair *next;
	char what[128];
	uid_t asked_by;
	uint64_t until_ms;
};

static void
forget(struct broker *b, struct pair *p)
{
	struct pair **at = &b->pairs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

void
pairs_expire(struct broker *b, uint64_t now_ms)
{
	struct pair *p = b->pairs, *next;

	for (; p != NULL; p = next) {
		next = p->next;
		if (now_ms >= p->until_ms)
			forget(b, p);
	}
}

static struct pair *
find(const struct broker *b, const char *what, size_t *waiting)
{
	struct pair *found = NULL;

	*waiting = 0;
	for (struct pair *p = b->pairs; p != NULL; p = p->next, (*waiting)++)
		if (strcmp(p->what, what) == 0)
			found = p;
	return found;
}

static void
begin(struct request *r, const char *what, size_t waiting)
{
	struct broker *b = r->broker;
	struct pair *p = waiting < WAITING_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (p == NULL || (size_t)snprintf(p->what, sizeof(p->what), "%s", what) >= sizeof(p->what)) {
		free(p);
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "too much waits for a second person");
		return;
	}
	p->asked_by = r->who->peer.uid;
	p->until_ms = uv_now(&b->loop) + WAIT_MS;
	p->next = b->pairs;
	b->pairs = p;
	request_reply(r, json_pack("{s:s}", "state", "waiting"));
}

bool
pair_complete(struct request *r, const char *what, uid_t *asked_by)
{
	size_t waiting;
	struct pair *p = find(r->broker, what, &waiting);

	if (p == NULL) {
		begin(r, what, waiting);
		return false;
	}
	if (p->asked_by == r->who->peer.uid) {
		request_reply(r, json_pack("{s:s}", "state", "waiting"));
		return false;
	}
	*asked_by = p->asked_by;
	forget(r->broker, p);
	return true;
}
