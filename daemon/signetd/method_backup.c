/* Admin.Backup: one question to the log's reader thread, which copies while the writer goes on. */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "ledger/proof.h"

struct backup {
	struct ledger_query query;
	struct request *r; /* NULL: the caller has gone; the copy is made all the same */
	char path[1024];
};

static void
on_cancel(struct request *r)
{
	struct backup *c = r->state;

	r->cancel = NULL;
	r->state = NULL;
	c->r = NULL;
}

static void
on_done(struct ledger_query *q)
{
	struct backup *c = q->owner;
	struct request *r = c->r;

	if (r != NULL) {
		r->cancel = NULL;
		if (q->err == SIGNET_OK)
			request_reply(r, json_pack("{s:s,s:I}", "directory", c->path, "size", (json_int_t)q->size));
		else
			request_fail_with(r, SIGNET_ERR_BACKUP_FAILED, NULL, "%s: %s", c->path, q->why);
	}
	free(c);
}

void
method_backup(struct request *r)
{
	const char *directory = json_member_str(r->call.parameters, "directory");
	struct backup *c;

	if (directory[0] != '/' || strlen(directory) >= sizeof(c->path)) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "directory", "directory: an absolute path that does not exist yet");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	strcpy(c->path, directory);
	c->r = r;
	c->query.what = LEDGER_BACKUP;
	c->query.path = c->path;
	c->query.done = on_done;
	c->query.owner = c;
	r->state = c;
	r->cancel = on_cancel;
	ledger_query(r->broker->log, &c->query);
}
