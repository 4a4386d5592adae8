/* Accounts per uid. A release of more than was charged is a bug of ours and ends the process. */
#include "quota.h"

#include <assert.h>
#include <stdlib.h>

static struct quota_user **
bucket(struct quota *q, uid_t uid)
{
	return &q->users[uid % array_len(q->users)];
}

struct quota_user *
quota_user_get(struct quota *q, uid_t uid)
{
	struct quota_user **head = bucket(q, uid), *u;

	for (u = *head; u != NULL; u = u->next)
		if (u->uid == uid)
			break;
	if (u == NULL) {
		u = calloc(1, sizeof(*u));
		if (u == NULL)
			return NULL;
		u->uid = uid;
		u->next = *head;
		*head = u;
	}
	u->refs++;
	return u;
}

void
quota_user_put(struct quota *q, struct quota_user *u)
{
	struct quota_user **at;

	if (u == NULL || --u->refs > 0)
		return;
	for (int k = 0; k < QUOTA_KINDS; k++)
		assert(u->used[k] == 0);
	for (at = bucket(q, u->uid); *at != u; at = &(*at)->next)
		assert(*at != NULL);
	*at = u->next;
	free(u);
}

bool
quota_charge(const struct quota *q, struct quota_user *u, enum quota_kind kind, uint64_t n)
{
	if (n > q->limit[kind] || u->used[kind] > q->limit[kind] - n)
		return false;
	u->used[kind] += n;
	return true;
}

void
quota_release(struct quota_user *u, enum quota_kind kind, uint64_t n)
{
	assert(u->used[kind] >= n);
	u->used[kind] -= n;
}
