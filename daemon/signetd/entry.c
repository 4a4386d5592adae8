/* Small entries of the daemon's own. */
#include "entry.h"

#include <stdlib.h>
#include <string.h>

#include <signet/log.h>

#include "broker.h"
#include "identity.h"
#include "journal.h"
#include "ledger/ledger.h"
#include "token.h"

struct entry {
	struct ledger_op op;
	struct broker *broker;
	struct buf body;
};

struct entry *
entry_new(struct broker *b, const char *kind, const struct identity *who)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		say_error("out of memory: an entry of kind %s is not in the log", kind);
		return NULL;
	}
	e->broker = b;
	e->op.kind = kind;
	buf_init(&e->body, SIGNET_ENTRY_MAX);
	if (who != NULL)
		buf_put(&e->body, who->members.data, who->members.len);
	return e;
}

static void
name_member(struct entry *e, const char *name)
{
	if (e->body.len > 0)
		buf_chr(&e->body, ',');
	buf_chr(&e->body, '"');
	buf_str(&e->body, name);
	buf_str(&e->body, "\":");
}

void
entry_str(struct entry *e, const char *name, const char *value)
{
	name_member(e, name);
	buf_json(&e->body, value, strlen(value));
}

void
entry_int(struct entry *e, const char *name, uint64_t value)
{
	name_member(e, name);
	buf_dec(&e->body, value);
}

void
entry_raw(struct entry *e, const char *name, const char *json, size_t len)
{
	name_member(e, name);
	buf_put(&e->body, json, len);
}

static void
on_done(struct ledger_op *op)
{
	struct entry *e = op->owner;

	if (op->err != SIGNET_OK)
		say_error("an entry of kind %s could not be written: %s", op->kind, ledger_why(e->broker->log));
	buf_done(&op->entry);
	buf_done(&e->body);
	free(e);
}

void
entry_append(struct entry *e)
{
	if (e->body.failed) {
		say_error("an entry of kind %s is too long and not in the log", e->op.kind);
		buf_done(&e->body);
		free(e);
		return;
	}
	e->op.what = LEDGER_APPEND;
	e->op.body = (const char *)e->body.data;
	e->op.body_len = e->body.len;
	e->op.done = on_done;
	e->op.owner = e;
	ledger_submit(e->broker->log, &e->op);
}

void
entry_token(struct broker *b, const struct token *t, const char *state, const char *detail)
{
	struct entry *e = entry_new(b, "token", NULL);

	if (e == NULL)
		return;
	entry_str(e, "token", t->conf->name);
	if (t->serial[0] != '\0')
		entry_str(e, "tokenSerial", t->serial);
	entry_str(e, "state", state);
	if (detail != NULL && detail[0] != '\0')
		entry_str(e, "detail", detail);
	entry_append(e);
}
