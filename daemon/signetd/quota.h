/*
 * What one uid may hold at a time. A charge is released with the object it was
 * made for, so the books always balance: a uid with nothing open has no row.
 */
#ifndef SIGNET_SIGNETD_QUOTA_H
#define SIGNET_SIGNETD_QUOTA_H

#include <sys/types.h>

#include "base/base.h"

enum quota_kind { QUOTA_CONNECTIONS, QUOTA_JOBS, QUOTA_BYTES, QUOTA_PROMPTS, QUOTA_KINDS };

struct quota_user { /* one per uid; found by quota_user_get, kept by reference */
	struct quota_user *next;
	uid_t uid;
	unsigned refs;
	uint64_t used[QUOTA_KINDS];
};

struct quota {
	uint64_t limit[QUOTA_KINDS];
	struct quota_user *users[64]; /* by uid */
};

/* The row of this uid with one more reference, NULL without memory. */
struct quota_user *quota_user_get(struct quota *q, uid_t uid);
void quota_user_put(struct quota *q, struct quota_user *u);
/* False, and nothing charged, if `n` more would pass the limit. */
bool quota_charge(const struct quota *q, struct quota_user *u, enum quota_kind kind, uint64_t n);
void quota_release(struct quota_user *u, enum quota_kind kind, uint64_t n);

#endif
