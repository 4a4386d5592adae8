/*
 * Admin.Handover: a token went from one person to another, on paper. Nothing
 * but an entry: names and paper are openings of it.
 */
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "entry.h"
#include "permit.h"
#include "text.h"
#include "token.h"

static void
on_cancel(struct request *r)
{
	entry_forget(r->state);
	r->state = NULL;
	r->cancel = NULL;
}

static void
on_logged(void *arg, signet_err err, uint64_t index)
{
	struct request *r = arg;
	struct fault f;

	r->cancel = NULL;
	if (err == SIGNET_OK) {
		request_reply(r, json_pack("{s:I}", "index", (json_int_t)index));
		return;
	}
	fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", "");
	fault_set_reason(&f, "%s", ledger_why(r->broker->log));
	request_fail(r, &f);
}

static bool
check_texts(const struct request *r, struct fault *f)
{
	static const char *const names[] = {"from", "to", "number", "date"};

	for (size_t i = 0; i < array_len(names); i++) {
		const char *text = json_member_str(r->call.parameters, names[i]), *why = NULL;

		if (text != NULL && text_check(text, strlen(text), &why) != SIGNET_OK) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, names[i], "%s: %s", names[i], why);
			return false;
		}
	}
	return true;
}

static void
compose(struct entry *e, const struct request *r, const struct token *t)
{
	static const struct {
		const char *parameter, *field;
	} texts[] = {{"number", "number"}, {"date", "date"}, {"from", "handedBy"}, {"to", "handedTo"}};
	struct verdict v = permit_again(r->broker, r->who, VERB_ADMIN, NULL);

	if (v.rule != NULL)
		entry_str(e, "rule", v.rule);
	entry_str(e, "proof", "uid");
	entry_str(e, "token", t->conf->name);
	if (t->serial[0] != '\0')
		entry_str(e, "tokenSerial", t->serial);
	entry_str(e, "operation", "handover");
	for (size_t i = 0; i < array_len(texts); i++) {
		const char *text = json_member_str(r->call.parameters, texts[i].parameter);

		if (text != NULL && text[0] != '\0')
			entry_opening(e, texts[i].field, text);
	}
	entry_str(e, "outcome", "ok");
}

void
method_handover(struct request *r)
{
	const char *name = json_member_str(r->call.parameters, "token");
	const struct token *t = broker_token(r->broker, name);
	struct entry *e;
	struct fault f;

	if (t == NULL) {
		request_fail_with(r, SIGNET_ERR_TOKEN_NOT_FOUND, name, "there is no token of this name");
		return;
	}
	if (!check_texts(r, &f)) {
		request_fail(r, &f);
		return;
	}
	e = entry_new(r->broker, "token", r->who);
	if (e == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	compose(e, r, t);
	entry_tell(e, on_logged, r);
	r->state = e;
	r->cancel = on_cancel;
	entry_append(e);
}
