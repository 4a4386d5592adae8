/*
 * The list of keys that are switched off, in memory and in a file.
 *
 * Invariant: what the file says is at least as strict as what was answered: a
 * key is off in memory before the file is written, and on only after. The file
 * is written whole, on a thread of the pool, one change at a time. A file that
 * cannot be understood stops the start: nobody may be let in by damage.
 */
#include "disabled.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "clock.h"
#include "ledger/files.h"
#include "token.h"

#define FILE_NAME "disabled.json"
enum { FILE_MAX = 4 << 20 };

struct change {
	uv_work_t work;
	struct broker *broker;
	char *folder, *text; /* the new content */
	int error;
	char *enable; /* name; NULL: a key was switched off */
	void (*done)(void *arg, signet_err err, const char *why);
	void *arg;
};

static void
row_free(struct disabled *d)
{
	free(d->name);
	free(d->reason);
	free(d);
}

void
disabled_done(struct broker *b)
{
	while (b->disabled != NULL) {
		struct disabled *d = b->disabled;

		b->disabled = d->next;
		row_free(d);
	}
}

const struct disabled *
disabled_named(const struct broker *b, const char *name)
{
	const struct disabled *d = b->disabled;

	while (d != NULL && strcmp(d->name, name) != 0)
		d = d->next;
	return d;
}

/* A second name for the same object would be a way around. */
const struct disabled *
disabled_find(const struct broker *b, const struct config_key *k)
{
	const struct config *c = b->config;
	const struct disabled *d;

	if (b->disabled == NULL)
		return NULL;
	d = disabled_named(b, k->name);
	for (size_t i = 0; d == NULL && i < c->key_count; i++)
		if (c->keys[i].token == k->token && strcmp(c->keys[i].uri, k->uri) == 0)
			d = disabled_named(b, c->keys[i].name);
	return d;
}

static struct disabled *
add(struct broker *b, const char *name, const char *reason, const char *since, uid_t by)
{
	struct disabled *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->name = strdup(name);
	d->reason = strdup(reason);
	snprintf(d->since, sizeof(d->since), "%s", since);
	d->by = by;
	if (d->name == NULL || d->reason == NULL) {
		row_free(d);
		return NULL;
	}
	d->next = b->disabled;
	b->disabled = d;
	return d;
}

static void
take_out(struct broker *b, const char *name)
{
	struct disabled **at = &b->disabled, *d;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	d = *at;
	if (d == NULL)
		return;
	*at = d->next;
	row_free(d);
}

/* --- the file --- */

static char *
file_text(const struct broker *b, const char *without)
{
	json_t *all = json_object();
	char *text;

	for (const struct disabled *d = b->disabled; d != NULL; d = d->next)
		if (without == NULL || strcmp(d->name, without) != 0)
			json_object_set_new(all, d->name, json_pack("{s:s,s:s,s:I}", "reason", d->reason, "since", d->since,
							      "by", (json_int_t)d->by));
	text = json_dumps(all, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static bool
take_rows(struct broker *b, const json_t *all)
{
	const char *name;
	json_t *row;

	if (!json_is_object(all) || json_object_size(all) > DISABLED_MAX)
		return false;
	json_object_foreach((json_t *)(uintptr_t)all, name, row)
	{
		const char *reason = json_string_value(json_object_get(row, "reason"));
		const char *since = json_string_value(json_object_get(row, "since"));

		if (reason == NULL || since == NULL ||
		    add(b, name, reason, since, (uid_t)json_integer_value(json_object_get(row, "by"))) == NULL)
			return false;
	}
	return true;
}

signet_err
disabled_load(struct broker *b, char *why, size_t why_size)
{
	int dir = open(b->config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	struct buf text;
	json_t *all;
	bool good;

	buf_init(&text, FILE_MAX);
	rc = dir < 0 ? errno : file_read(dir, FILE_NAME, &text, FILE_MAX);
	if (dir >= 0)
		close(dir);
	if (rc == ENOENT || rc != 0) {
		buf_done(&text);
		if (rc == ENOENT)
			return SIGNET_OK;
		snprintf(why, why_size, "%s/" FILE_NAME " cannot be read: %s", b->config->state, strerror(rc));
		return SIGNET_ERR_IO;
	}
	all = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	good = take_rows(b, all);
	json_decref(all);
	buf_done(&text);
	if (good)
		return SIGNET_OK;
	snprintf(why, why_size, "%s/" FILE_NAME " is damaged, and which keys are disabled is not known: restore it, or remove it "
		 "and disable them again", b->config->state);
	return SIGNET_ERR_CONFIG;
}

/* --- changes --- */

/* On a thread of the pool. */
static void
write_file(uv_work_t *work)
{
	struct change *c = work->data;
	int dir = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	c->error = dir < 0 ? errno : file_replace(dir, FILE_NAME ".new", FILE_NAME, 0600, c->text, strlen(c->text));
	if (c->error == 0 && fsync(dir) < 0)
		c->error = errno;
	if (dir >= 0)
		close(dir);
}

static void
change_free(struct change *c)
{
	free(c->folder);
	free(c->text);
	free(c->enable);
	free(c);
}

static void
on_written(uv_work_t *work, int status)
{
	struct change *c = work->data;
	struct broker *b = c->broker;
	char why[200] = "";

	(void)status; /* it is never cancelled */
	b->disabling = NULL;
	if (c->error != 0)
		snprintf(why, sizeof(why), "%s/" FILE_NAME ": %s", c->folder, strerror(c->error));
	else if (c->enable != NULL)
		take_out(b, c->enable);
	if (c->done != NULL)
		c->done(c->arg, c->error == 0 ? SIGNET_OK : SIGNET_ERR_IO, why);
	change_free(c);
}

static struct change *
change_new(struct broker *b, const char *enable)
{
	struct change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->work.data = c;
	c->broker = b;
	c->folder = strdup(b->config->state);
	c->text = file_text(b, enable);
	c->enable = enable != NULL ? strdup(enable) : NULL;
	if (c->folder != NULL && c->text != NULL && (c->enable != NULL) == (enable != NULL))
		return c;
	change_free(c);
	return NULL;
}

static size_t
count(const struct broker *b)
{
	size_t n = 0;

	for (const struct disabled *d = b->disabled; d != NULL; d = d->next)
		n++;
	return n;
}

/* In memory. */
static signet_err
switch_off(struct broker *b, const char *name, const char *reason, uid_t by)
{
	char since[CLOCK_TEXT];

	if (disabled_named(b, name) == NULL && count(b) >= DISABLED_MAX)
		return SIGNET_ERR_LIMIT;
	take_out(b, name); /* a new reason takes the place of the old one */
	clock_format(clock_now_us(NULL), since);
	return add(b, name, reason, since, by) != NULL ? SIGNET_OK : SIGNET_ERR_MEMORY;
}

signet_err
disabled_change(struct broker *b, const char *name, const char *reason, uid_t by,
    void (*done)(void *arg, signet_err err, const char *why), void *arg)
{
	signet_err err = SIGNET_OK;
	struct change *c;

	if (b->disabling != NULL)
		return SIGNET_ERR_BUSY;
	if (reason != NULL)
		err = switch_off(b, name, reason, by);
	if (err != SIGNET_OK)
		return err;
	c = change_new(b, reason == NULL ? name : NULL);
	if (c == NULL)
		return SIGNET_ERR_MEMORY;
	c->done = done;
	c->arg = arg;
	if (uv_queue_work(&b->loop, &c->work, write_file, on_written) != 0) {
		change_free(c);
		return SIGNET_ERR_MEMORY;
	}
	b->disabling = c;
	return SIGNET_OK;
}

void
disabled_forget(struct broker *b)
{
	if (b->disabling != NULL)
		b->disabling->done = NULL;
}
