/*
 * Admin.Backup: one question to the log's reader thread, which copies while the
 * writer goes on. With it go the files of the configuration, the list of keys that
 * are switched off, and a small file that says what this is a copy of; log keys only where they are asked for.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "entry.h"
#include "ledger/proof.h"

enum { FILES_MAX = 256, PATH_ROOM = 1024 };

/* Made once per machine for this purpose, so that nobody learns the machine's own id from a backup. */
#define MACHINE_APP SD_ID128_MAKE(6f, 3b, 1d, 52, 9a, 40, 4c, 1e, 8a, 55, 0d, 7e, 21, c9, 44, 9b)

struct backup {
	struct ledger_query query;
	struct request *r; /* NULL: the caller has gone; the copy is made all the same */
	char path[PATH_ROOM];
	struct ledger_file files[FILES_MAX];
	size_t count;
	char *texts[2 * FILES_MAX]; /* what the files point to */
	size_t text_count;
};

static void
backup_free(struct backup *c)
{
	for (size_t i = 0; i < c->text_count; i++)
		free(c->texts[i]);
	free(c);
}

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
	backup_free(c);
}

/* Takes the texts; NULL among them: no memory. */
static bool
add_file(struct backup *c, char *name, char *path, char *text, bool may_lack)
{
	if (name == NULL || (path == NULL && text == NULL) || c->count == FILES_MAX) {
		free(name);
		free(path);
		free(text);
		return false;
	}
	c->texts[c->text_count++] = name;
	c->texts[c->text_count++] = path != NULL ? path : text;
	c->files[c->count++] = (struct ledger_file){.name = name, .path = path, .text = text, .may_lack = may_lack};
	return true;
}

static char *
join(const char *a, const char *b)
{
	char *text;

	return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

static bool
add_config(struct backup *c, const struct broker *b)
{
	char *pattern = join(b->config_path, ".d/*.conf");
	glob_t found = {0};
	bool ok = pattern != NULL && add_file(c, strdup("signetd.conf"), strdup(b->config_path), NULL, false);

	if (ok && glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && ok; i++) {
			const char *path = found.gl_pathv[i];

			ok = add_file(c, join("signetd.conf.d", strrchr(path, '/')), strdup(path), NULL, true);
		}
	}
	globfree(&found);
	free(pattern);
	return ok;
}

static bool
add_keys(struct backup *c, const struct broker *b)
{
	/* a credential is not here, and whoever made it has it */
	return add_file(c, strdup("log.key"), join(b->config->state, "/log.key"), NULL, true) &&
	       add_file(c, strdup("installation.key"), join(b->config->state, "/installation.key"), NULL, true);
}

/* What is not in the log and must not be forgotten: which keys are switched off. */
static bool
add_state(struct backup *c, const struct broker *b)
{
	return add_file(c, strdup("disabled.json"), join(b->config->state, "/disabled.json"), NULL, true);
}

static bool
add_description(struct backup *c, const struct broker *b)
{
	char machine[SD_ID128_STRING_MAX] = "", time[CLOCK_TEXT];
	sd_id128_t id;
	json_t *j;
	bool ok;

	if (sd_id128_get_machine_app_specific(MACHINE_APP, &id) >= 0)
		sd_id128_to_string(id, machine);
	clock_format(clock_now_us(NULL), time);
	j = json_pack("{s:i,s:s,s:I,s:s,s:s}", "backup", 1, "origin", ledger_origin(b->log), "size",
	    (json_int_t)ledger_size(b->log), "machine", machine, "time", time);
	ok = add_file(c, strdup("backup"), NULL, j == NULL ? NULL : json_dumps(j, JSON_COMPACT), false);
	json_decref(j);
	return ok;
}

static void
record(const struct request *r, bool keys)
{
	struct entry *e = entry_new(r->broker, "export", r->who);

	if (e == NULL)
		return;
	entry_str(e, "operation", "backup");
	entry_str(e, "outcome", "ok");
	if (keys)
		entry_str(e, "detail", "with keys");
	entry_append(e);
}

void
method_backup(struct request *r)
{
	const char *directory = json_member_str(r->call.parameters, "directory");
	bool keys = json_is_true(json_object_get(r->call.parameters, "keys"));
	struct backup *c;

	if (directory[0] != '/' || strlen(directory) >= sizeof(c->path)) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "directory", "directory: an absolute path that does not exist yet");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL || !add_description(c, r->broker) || !add_config(c, r->broker) ||
	    !add_state(c, r->broker) || (keys && !add_keys(c, r->broker))) {
		if (c != NULL)
			backup_free(c);
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory, or more than %d files of configuration", FILES_MAX);
		return;
	}
	strcpy(c->path, directory);
	c->r = r;
	c->query.what = LEDGER_BACKUP;
	c->query.path = c->path;
	c->query.files = c->files;
	c->query.file_count = c->count;
	c->query.size = ledger_size(r->broker->log);
	c->query.done = on_done;
	c->query.owner = c;
	r->state = c;
	r->cancel = on_cancel;
	record(r, keys);
	ledger_query(r->broker->log, &c->query);
}
