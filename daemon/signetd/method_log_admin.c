/*
 * Log.NewKey and Log.Recover: what changes whose word the log is. Both take two
 * people.
 */
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "entry.h"
#include "ledger/proof.h"
#include "ledger/succeed.h"
#include "log_open.h"
#include "pair.h"
#include "text.h"

static void
fail_log(struct request *r)
{
	struct fault f;

	fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", "");
	fault_set_reason(&f, "%s", ledger_why(r->broker->log));
	request_fail(r, &f);
}

/* The parameter, or NULL after the call was answered. */
static const char *
read_reason(struct request *r)
{
	const char *reason = json_member_str(r->call.parameters, "reason"), *why = NULL;

	if (text_check(reason, strlen(reason), &why) == SIGNET_OK)
		return reason;
	request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "reason", "reason: %s", why);
	return NULL;
}

static void
on_cancel(struct request *r)
{
	entry_forget(r->state);
	r->state = NULL;
	r->cancel = NULL;
}

static void
on_changed(void *arg, signet_err err, uint64_t index)
{
	struct request *r = arg;

	r->cancel = NULL;
	if (err == SIGNET_OK)
		request_reply(r, json_pack("{s:s,s:I,s:s}", "state", "done", "index", (json_int_t)index, "key",
				     ledger_vkey(r->broker->log)));
	else
		fail_log(r);
}

static void
change_key(struct request *r, uid_t asked_by, const char *reason)
{
	struct entry *e = entry_new(r->broker, "logkey", r->who);
	char detail[64];

	if (e == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	snprintf(detail, sizeof(detail), "asked by uid %u", asked_by);
	entry_str(e, "operation", "new-key");
	entry_opening(e, "reason", reason);
	entry_str(e, "outcome", "ok");
	entry_str(e, "detail", detail);
	entry_changes_key(e);
	entry_tell(e, on_changed, r);
	r->state = e;
	r->cancel = on_cancel;
	entry_append(e);
}

void
method_log_new_key(struct request *r)
{
	const char *reason = read_reason(r);
	uid_t asked_by;

	if (reason == NULL)
		return;
	if (!ledger_available(r->broker->log)) {
		fail_log(r);
		return;
	}
	if (r->broker->config->log_credential != NULL) {
		request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL,
		    "the log key is a credential, which the daemon cannot change: remove `credential` from [log] first, with "
		    "the same key in log.key");
		return;
	}
	if (pair_complete(r, "new log key", &asked_by))
		change_key(r, asked_by, reason);
}

void
method_log_recover(struct request *r)
{
	const char *reason = read_reason(r);
	char why[512];
	uid_t asked_by;

	if (reason == NULL)
		return;
	if (!ledger_broken(r->broker->log)) {
		request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "the log goes on: there is nothing to recover");
		return;
	}
	if (!pair_complete(r, "recover", &asked_by))
		return;
	if (log_ask_recovery(r->broker, asked_by, r->who->peer.uid, reason, why, sizeof(why)) != SIGNET_OK)
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "%s", why);
	else
		request_reply(r, json_pack("{s:s}", "state", "done"));
}
