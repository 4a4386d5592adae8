/*
 * A refusal is told apart by uid, verb and configured key. Rows live in memory
 * only: after a crash the count of the last minutes is lost, the first refusal
 * of each kind never is.
 */
#include "refusal.h"

#include <stdlib.h>
#include <string.h>

#include <signet/log.h>

#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "entry.h"
#include "identity.h"

struct refusal {
	struct refusal *next;
	uid_t uid;
	enum verb verb;
	char key[CONFIG_NAME_MAX + 1];
	const struct method *method;
	struct identity *who; /* of the last one */
	uint64_t since_ms;    /* loop time of the last entry */
	uint64_t repeated;
	char first[CLOCK_TEXT];
};

struct refusal_day {
	struct refusal_day *next;
	uid_t uid;
	unsigned entries;
};

static struct refusal *
find(struct refusals *all, uid_t uid, enum verb verb, const char *key)
{
	struct refusal *r = all->first;

	while (r != NULL && (r->uid != uid || r->verb != verb || strcmp(r->key, key) != 0))
		r = r->next;
	return r;
}

static void
new_day(struct refusals *all)
{
	int64_t today = clock_now_us(NULL) / (INT64_C(86400) * 1000000);

	if (today == all->day)
		return;
	all->day = today;
	while (all->days != NULL) {
		struct refusal_day *d = all->days;

		all->days = d->next;
		free(d);
	}
}

/* May this uid make one more entry today? */
static bool
within_day(struct broker *b, uid_t uid)
{
	struct refusals *all = &b->refusals;
	struct refusal_day *d;

	new_day(all);
	for (d = all->days; d != NULL && d->uid != uid; d = d->next)
		;
	if (d == NULL) {
		d = calloc(1, sizeof(*d));
		if (d == NULL)
			return false;
		d->uid = uid;
		d->next = all->days;
		all->days = d;
	}
	if (d->entries >= b->config->refusals_per_day)
		return false;
	d->entries++;
	return true;
}

static void
write_entry(struct broker *b, const struct refusal *r)
{
	struct entry *e = entry_new(b, "refusal", r->who);

	if (e == NULL)
		return;
	entry_str(e, "verb", verb_name(r->verb));
	entry_str(e, "method", r->method->name);
	if (r->key[0] != '\0')
		entry_str(e, "key", r->key);
	if (r->repeated > 0) {
		entry_str(e, "first", r->first);
		entry_int(e, "repeated", r->repeated);
	}
	entry_str(e, "outcome", "refused");
	entry_str(e, "error", "NotPermitted");
	entry_append(e);
}

static void
drop(struct refusals *all, struct refusal *r)
{
	struct refusal **at = &all->first;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	all->count--;
	identity_unref(r->who);
	free(r);
}

static void
begin(struct broker *b, const struct identity *who, const struct method *m, enum verb verb, const char *key)
{
	struct refusal *r;

	if (b->refusals.count >= REFUSAL_KINDS_MAX || (r = calloc(1, sizeof(*r))) == NULL)
		return; /* counted in the status all the same */
	r->uid = who->peer.uid;
	r->verb = verb;
	r->method = m;
	snprintf(r->key, sizeof(r->key), "%s", key);
	r->who = identity_ref((struct identity *)who);
	r->since_ms = uv_now(&b->loop);
	r->next = b->refusals.first;
	b->refusals.first = r;
	b->refusals.count++;
	if (within_day(b, r->uid))
		write_entry(b, r);
}

void
refusal_note(struct broker *b, const struct identity *who, const struct method *m, enum verb verb, const char *key)
{
	struct refusal *r = find(&b->refusals, who->peer.uid, verb, key != NULL ? key : "");

	b->counters.refusals++;
	if (r == NULL) {
		begin(b, who, m, verb, key != NULL ? key : "");
		return;
	}
	if (r->repeated++ == 0)
		clock_format(clock_now_us(NULL), r->first);
	if (r->who != who) {
		identity_unref(r->who);
		r->who = identity_ref((struct identity *)who);
	}
}

void
refusals_flush(struct broker *b, uint64_t now_ms, bool at_end)
{
	struct refusal *r = b->refusals.first, *next;

	for (; r != NULL; r = next) {
		next = r->next;
		if (!at_end && now_ms - r->since_ms < REFUSAL_FOLD_MS)
			continue;
		if (r->repeated > 0 && within_day(b, r->uid))
			write_entry(b, r);
		drop(&b->refusals, r);
	}
}

void
refusals_done(struct refusals *all)
{
	while (all->first != NULL)
		drop(all, all->first);
	all->day = -1;
	new_day(all);
}
