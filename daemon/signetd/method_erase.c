/*
 * Log.Erase: the texts behind an entry go, the entry stays. Two people: what
 * one asks another does. Waiting requests live in memory only; nothing is lost
 * with them but the asking.
 */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "entry.h"
#include "erasure.h"
#include "text.h"

enum { WAIT_MS = 15 * 60 * 1000, WAITING_MAX = 64 };

struct erasure {
	struct erasure *next;
	uint64_t index;
	char field[32]; /* "": all */
	uid_t asked_by;
	uint64_t until_ms;
};

static void
forget(struct broker *b, struct erasure *e)
{
	struct erasure **at = &b->erasures;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	free(e);
}

void
erasures_expire(struct broker *b, uint64_t now_ms)
{
	struct erasure *e = b->erasures, *next;

	for (; e != NULL; e = next) {
		next = e->next;
		if (now_ms >= e->until_ms)
			forget(b, e);
	}
}

static struct erasure *
find(const struct broker *b, uint64_t index, const char *field)
{
	struct erasure *e = b->erasures;

	while (e != NULL && (e->index != index || strcmp(e->field, field) != 0))
		e = e->next;
	return e;
}

static size_t
waiting(const struct broker *b)
{
	size_t n = 0;

	for (const struct erasure *e = b->erasures; e != NULL; e = e->next)
		n++;
	return n;
}

/* The first of the two. */
static void
begin(struct request *r, uint64_t index, const char *field)
{
	struct broker *b = r->broker;
	struct erasure *e = waiting(b) < WAITING_MAX ? calloc(1, sizeof(*e)) : NULL;

	if (e == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "too many erasures wait for a second person");
		return;
	}
	e->index = index;
	snprintf(e->field, sizeof(e->field), "%s", field);
	e->asked_by = r->who->peer.uid;
	e->until_ms = uv_now(&b->loop) + WAIT_MS;
	e->next = b->erasures;
	b->erasures = e;
	request_reply(r, json_pack("{s:s}", "state", "waiting"));
}

/* --- the second one: the entry is written, then he is told --- */

static void
on_cancel(struct request *r)
{
	entry_forget(r->state);
	r->state = NULL;
	r->cancel = NULL;
}

static void
on_erased(void *arg, signet_err err, uint64_t index)
{
	struct request *r = arg;

	r->cancel = NULL;
	if (err == SIGNET_OK) {
		request_reply(r, json_pack("{s:s,s:I}", "state", "done", "index", (json_int_t)index));
	} else if (err == SIGNET_ERR_REQUEST_NOT_FOUND) {
		request_fail_with(r, err, NULL, "no such text stands behind this entry, or it is erased already");
	} else {
		struct fault f;

		fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", "");
		fault_set_reason(&f, "%s", ledger_why(r->broker->log));
		request_fail(r, &f);
	}
}

static void
carry_out(struct request *r, struct erasure *first, const char *reason)
{
	struct entry *e = entry_new(r->broker, "erasure", r->who);
	char detail[80];

	if (e == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	snprintf(detail, sizeof(detail), "entry %llu%s%s, asked by uid %u", (unsigned long long)first->index,
	    first->field[0] != '\0' ? " " : "", first->field, first->asked_by);
	entry_str(e, "operation", "erase");
	entry_opening(e, "reason", reason);
	entry_str(e, "outcome", "ok");
	entry_str(e, "detail", detail);
	entry_erases(e, first->index, first->field);
	entry_tell(e, on_erased, r);
	forget(r->broker, first);
	r->state = e;
	r->cancel = on_cancel;
	entry_append(e);
}

static bool
is_field(const char *field)
{
	static const char *const fields[] = {"", "number", "title", "date", "documentId", "capacity", "onBehalfOf", "handedBy", "handedTo", "reason"};

	for (size_t i = 0; i < array_len(fields); i++)
		if (strcmp(field, fields[i]) == 0)
			return true;
	return false;
}

void
method_log_erase(struct request *r)
{
	const json_t *params = r->call.parameters;
	json_int_t index = json_integer_value(json_object_get(params, "index"));
	const char *field = json_member_str(params, "field"), *reason = json_member_str(params, "reason"), *why = NULL;
	struct erasure *first;

	if (field == NULL)
		field = "";
	if (index < 0 || (uint64_t)index >= ledger_size(r->broker->log)) {
		request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "the log has no such entry");
		return;
	}
	if (!is_field(field)) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "field", "no text of this name stands behind an entry");
		return;
	}
	if (text_check(reason, strlen(reason), &why) != SIGNET_OK) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "reason", "reason: %s", why);
		return;
	}
	first = find(r->broker, (uint64_t)index, field);
	if (first == NULL)
		begin(r, (uint64_t)index, field);
	else if (first->asked_by == r->who->peer.uid)
		request_reply(r, json_pack("{s:s}", "state", "waiting")); /* one person stays one person */
	else
		carry_out(r, first, reason);
}
