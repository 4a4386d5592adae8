/* Collect: what became of a request of one's own. Asks the log's row, not memory. */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "permit.h"
#include "receipt.h"
#include "stamping.h"
#include "text.h"

enum { STAMPING_TIMEOUT_MS = 60000 };

static void
on_cancel(struct request *r)
{
	struct ledger_read *read = r->state;

	r->cancel = NULL;
	r->state = NULL;
	read->owner = NULL;
}

static void
not_found(struct request *r)
{
	request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "%s", "");
}

/* Not "not found": who hears that signs again. */
static void
not_readable(struct request *r)
{
	struct fault f;

	fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "the log has this entry, but it cannot be read now");
	fault_set_reason(&f, "the entry cannot be read");
	request_fail(r, &f);
}

/* The entry is the caller's own signature, and the policy still lets him use the key. */
static bool
is_own(struct request *r, const json_t *entry, struct fault *f)
{
	const char *kind = json_member_str(entry, "kind"), *key = json_member_str(entry, "key");
	const json_t *uid = json_object_get(entry, "uid");

	if (kind == NULL || strcmp(kind, "sign") != 0 || key == NULL || !json_is_integer(uid) ||
	    json_integer_value(uid) != (json_int_t)r->who->peer.uid) {
		fault_set(f, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "%s", "");
		return false;
	}
	return permit_key(r->broker, r->who, r->method, key, f) != NULL;
}

static const char *
state_of(const json_t *entry)
{
	const char *outcome = json_member_str(entry, "outcome");

	if (outcome != NULL && strcmp(outcome, "ok") == 0)
		return "done";
	return outcome != NULL && strcmp(outcome, "unknown") == 0 ? "unknown" : "refused";
}

static void
answer_with(struct request *r, const char *state, const struct outcome *o)
{
	struct buf reply;

	buf_init(&reply, 512 * 1024);
	buf_printf(&reply, "{\"state\":\"%s\",", state);
	receipt_write(&reply, r->broker->config->origin, o);
	buf_chr(&reply, '}');
	request_reply_text(r, &reply);
	buf_done(&reply);
}

static void
on_stamped(struct stamping *s)
{
	struct request *r = s->owner;

	r->state = NULL;
	r->cancel = NULL;
	/* without its time-stamp it is what it is: the signature, and not what was asked for */
	answer_with(r, s->fault.err == SIGNET_OK ? "done" : "upgrading", &s->outcome);
}

static void
on_stamping_cancel(struct request *r)
{
	stamping_leave(r->state);
	r->state = NULL;
	r->cancel = NULL;
}

/* True: it is to have a time-stamp, and the answer comes with it. */
static bool
stamp_first(struct request *r, const struct outcome *o, const json_t *entry)
{
	const char *level = json_member_str(entry, "level");
	struct fault f;

	if (level == NULL || strcmp(level, "t") != 0 || o->sig_len == 0)
		return false;
	r->state = stamping_begin(
	    r->broker, r->who, json_member_str(entry, "requestId") != NULL, o, on_stamped, r, &f);
	if (r->state == NULL)
		return false;
	r->cancel = on_stamping_cancel;
	request_wait(r, STAMPING_TIMEOUT_MS);
	return true;
}

static void
answer(struct request *r, const struct ledger_read *read, const json_t *entry)
{
	struct outcome o = {.sig = read->value.data, .sig_len = read->value.len, .index = read->index,
	    .time = read->time, .entry = read->entry.data, .entry_len = read->entry.len, .leaf = read->leaf};

	if (!stamp_first(r, &o, entry))
		answer_with(r, state_of(entry), &o);
}

static void
on_row(struct ledger_read *read)
{
	struct request *r = read->owner;
	json_t *entry = NULL;
	struct fault f;

	if (r != NULL) {
		r->cancel = NULL;
		if (read->err == SIGNET_ERR_REQUEST_NOT_FOUND)
			not_found(r);
		else if (read->err != SIGNET_OK ||
			 json_read(&entry, (const char *)read->entry.data, read->entry.len, NULL) != SIGNET_OK)
			not_readable(r);
		else if (!is_own(r, entry, &f))
			request_fail(r, &f);
		else
			answer(r, read, entry);
	}
	json_decref(entry);
	buf_done(&read->entry);
	buf_done(&read->value);
	free(read);
}

static void
read_index(struct request *r, uint64_t index)
{
	struct ledger_read *read = calloc(1, sizeof(*read));

	if (read == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	read->index = index;
	read->done = on_row;
	read->owner = r;
	r->state = read;
	r->cancel = on_cancel;
	ledger_read_row(r->broker->log, read);
}

static void
collect_request_id(struct request *r, const char *id)
{
	const struct replay *bound = NULL;

	if (text_is_request_id(id, strlen(id)))
		bound = replay_find(&r->broker->replay, r->who->peer.uid, id);
	if (bound == NULL)
		not_found(r);
	else if (bound->state == REPLAY_RUNNING)
		request_reply(r, json_pack("{s:s}", "state", "waiting"));
	else
		read_index(r, bound->index);
}

void
method_collect(struct request *r)
{
	const char *request = json_member_str(r->call.parameters, "request");
	const char *id = json_member_str(r->call.parameters, "requestId");
	const json_t *index = json_object_get(r->call.parameters, "index");
	int given = (request != NULL) + (id != NULL) + json_is_integer(index);

	if (given != 1 || (json_is_integer(index) && json_integer_value(index) < 0)) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, json_is_integer(index) ? "index" : "requestId",
		    "exactly one of request, requestId and index (from 0)");
		return;
	}
	if (json_is_integer(index))
		read_index(r, (uint64_t)json_integer_value(index));
	else if (id != NULL)
		collect_request_id(r, id);
	else
		not_found(r); /* no request waits for an approval: this daemon asks nobody */
}
