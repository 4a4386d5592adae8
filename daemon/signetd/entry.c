/* Small entries of the daemon's own. */
#include "entry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <signet/log.h>

#include "broker.h"
#include "document.h"
#include "identity.h"
#include "journal.h"
#include "ledger/ledger.h"
#include "token.h"

enum { ENTRY_OPENINGS = 6 }; /* no entry of our own has more texts */

struct entry {
	struct ledger_op op;
	struct broker *broker;
	struct buf body;
	struct ledger_opening openings[ENTRY_OPENINGS];
	char erase_field[32];
	void (*told)(void *arg, signet_err err, uint64_t index);
	void *arg;
};

static void
entry_free(struct entry *e)
{
	buf_done(&e->op.entry);
	buf_done(&e->op.proof);
	buf_done(&e->body);
	for (size_t i = 0; i < e->op.opening_count; i++)
		free(e->openings[i].text);
	free(e);
}

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

void
entry_members(struct entry *e, const char *members)
{
	if (e->body.len > 0)
		buf_chr(&e->body, ',');
	buf_str(&e->body, members);
}

void
entry_opening(struct entry *e, const char *field, const char *text)
{
	struct ledger_opening *o = &e->openings[e->op.opening_count];

	if (e->op.opening_count == ENTRY_OPENINGS) {
		e->body.failed = true;
		return;
	}
	o->field = field;
	o->text = strdup(text);
	e->op.openings = e->openings;
	e->op.opening_count++;
	if (o->text == NULL || getrandom(o->salt, sizeof(o->salt), 0) != (ssize_t)sizeof(o->salt)) {
		e->body.failed = true;
		return;
	}
	buf_chr(&e->body, ',');
	opening_write(&e->body, o);
}

void
entry_erases(struct entry *e, uint64_t index, const char *field)
{
	e->op.erase = true;
	e->op.erase_index = index;
	snprintf(e->erase_field, sizeof(e->erase_field), "%s", field);
	e->op.erase_field = field[0] != '\0' ? e->erase_field : NULL;
}

void
entry_changes_key(struct entry *e)
{
	e->op.change_key = true;
}

void
entry_tell(struct entry *e, void (*told)(void *arg, signet_err err, uint64_t index), void *arg)
{
	e->told = told;
	e->arg = arg;
}

void
entry_forget(struct entry *e)
{
	e->told = NULL;
}

static void
on_done(struct ledger_op *op)
{
	struct entry *e = op->owner;

	if (op->err != SIGNET_OK && op->err != SIGNET_ERR_REQUEST_NOT_FOUND) /* that is for the one to be told */
		say_error("an entry of kind %s could not be written: %s", op->kind, ledger_why(e->broker->log));
	if (e->told != NULL)
		e->told(e->arg, op->err, op->index);
	entry_free(e);
}

void
entry_append(struct entry *e)
{
	if (e->body.failed) {
		say_error("an entry of kind %s is too long and not in the log", e->op.kind);
		if (e->told != NULL)
			e->told(e->arg, SIGNET_ERR_LIMIT, 0);
		entry_free(e);
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
entry_token(struct broker *b, const struct token *t, const char *state, const char *detail, uint64_t repeated)
{
	struct entry *e = entry_new(b, "token", NULL);

	if (e == NULL)
		return;
	entry_str(e, "token", t->conf->name);
	if (t->serial[0] != '\0')
		entry_str(e, "tokenSerial", t->serial);
	entry_str(e, "state", state);
	if (repeated > 0)
		entry_int(e, "repeated", repeated);
	if (detail != NULL && detail[0] != '\0')
		entry_str(e, "detail", detail);
	entry_append(e);
}
