/*
 * Log.Erase: the texts behind an entry go, the entry stays. Two people: what
 * one asks another does.
 */
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "entry.h"
#include "pair.h"
#include "text.h"

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
carry_out(struct request *r, uint64_t index, const char *field, uid_t asked_by, const char *reason)
{
	struct entry *e = entry_new(r->broker, "erasure", r->who);
	char detail[80];

	if (e == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	snprintf(detail, sizeof(detail), "entry %llu%s%s, asked by uid %u", (unsigned long long)index,
	    field[0] != '\0' ? " " : "", field, asked_by);
	entry_str(e, "operation", "erase");
	entry_opening(e, "reason", reason);
	entry_str(e, "outcome", "ok");
	entry_str(e, "detail", detail);
	entry_erases(e, index, field);
	entry_tell(e, on_erased, r);
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
	char what[80];
	uid_t asked_by;

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
	snprintf(what, sizeof(what), "erase %lld %s", (long long)index, field);
	if (pair_complete(r, what, &asked_by))
		carry_out(r, (uint64_t)index, field, asked_by, reason);
}
