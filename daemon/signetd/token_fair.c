/*
 * Fair shares of a token. Each queued job has a round: the one that is being
 * served, or the one after its user's last job. The queue is in order of rounds,
 * so that a user with one request waits for one of everybody else's, however many
 * they have. (Start-time fair queueing with jobs of equal length.)
 *
 * A quarter of the queue stays free for others, whatever one user has in it.
 */
#include "token_fair.h"

#include "identity.h"

enum { RETRY_MIN_MS = 100, RETRY_MAX_MS = 60000 };

static bool
same_user(const struct job *a, const struct job *b)
{
	return a->who->peer.uid == b->who->peer.uid;
}

static bool
has_room(const struct token *t, const struct job *j)
{
	size_t most = t->config->queue_per_token, share = most - most / 4, his = 0;

	if (t->queued.count >= most)
		return false;
	if (t->queued.count < share)
		return true;
	for (const struct job *p = t->queued.first; p != NULL; p = p->next)
		his += same_user(p, j);
	return his < share;
}

static uint64_t
round_of(const struct token *t, const struct job *j)
{
	const struct job *p = t->queued.last;

	while (p != NULL && !same_user(p, j))
		p = p->prev;
	return p != NULL && p->round + 1 > t->round ? p->round + 1 : t->round;
}

bool
fair_queue(struct token *t, struct job *j)
{
	struct job *behind = t->queued.last;

	if (!has_room(t, j))
		return false;
	j->round = round_of(t, j);
	while (behind != NULL && behind->round > j->round)
		behind = behind->prev;
	job_list_insert(&t->queued, behind, j);
	return true;
}

void
fair_served(struct token *t, const struct job *j)
{
	if (j->round > t->round)
		t->round = j->round;
}

int
fair_retry_after_ms(const struct token *t)
{
	uint64_t ms = (uint64_t)t->queued.count * t->mean_us / t->conf->lanes / 1000;

	return ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms > RETRY_MAX_MS ? RETRY_MAX_MS : (int)ms;
}
