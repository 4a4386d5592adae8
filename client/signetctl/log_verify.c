/*
 * Verifying one log, the daemon's or a copy.
 *
 * Invariant: "good" is said only of entries that were all read and that lead
 * to a checkpoint signed with the log's key; whose word that key is, is said.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "log.h"

void
log_verdict_done(struct log_verdict *v)
{
	free(v->place);
	free(v->origin);
	free(v->key);
	free(v->checkpoint);
	free(v->newest);
	free(v->continues);
	memset(v, 0, sizeof(*v));
}

static char *
copy_text(const char *text)
{
	char *copy = strdup(text == NULL ? "" : text);

	if (copy == NULL)
		abort();
	return copy;
}

enum {
	READ_MAX = 1000000, /* entries of one call with a limit */
};

struct verifying {
	struct log_walk walk;
	struct log_verdict *verdict;
	uint64_t until; /* 0: all there are */
	log_entry_fn *fn;
	void *arg;
};

static bool
walk_entry(void *arg, struct log_entry *e)
{
	struct verifying *v = arg;

	log_walk_entry(&v->walk, e);
	if (e->index == 0)
		v->verdict->continues = log_continues(e);
	return (v->fn == NULL || v->fn(v->arg, e)) && e->index + 1 != v->until;
}

static void
say(struct log_verdict *v, const char *text)
{
	if (v->faults++ == 0)
		(void)snprintf(v->fault, sizeof(v->fault), "%s", text);
}

/* The newest checkpoint is by the key that was given, or one that follows from it. */
static void
end_walk(struct log_verdict *v, struct log_walk *w, const struct log_head *head)
{
	struct buf newest;

	if (!w->unread && !w->gap && log_walk_signed(w, head->checkpoint) && w->key != NULL) {
		buf_init(&newest, NOTE_MAX);
		note_key_write(&newest, &w->trusted);
		buf_chr(&newest, '\0');
		v->newest = copy_text((const char *)newest.data);
		buf_done(&newest);
	}
	v->key_changes = w->key_changes;
}

static void
take_walk(struct log_verdict *v, const struct log_walk *w)
{
	if (w->faults > 0)
		say(v, w->first_fault);
	v->faults = w->faults > v->faults ? w->faults : v->faults;
	v->entries = w->entries;
	v->checkpoints = w->checkpoints;
	v->good = v->faults == 0;
}

/* Which key to verify with: the one that was given, or the log's own word. */
static int
choose_key(struct ctl *c, const struct log_head *head, const signet_checkpoint *since, struct log_verdict *v,
    struct note_key *key, bool *there)
{
	int code = log_vkey(c, &v->key);

	if (code != CTL_OK)
		return code;
	v->key_was_given = v->key != NULL;
	/* the first of them: the newest must follow from it */
	if (v->key == NULL && json_is_string(json_array_get(head->keys, 0)) && since == NULL)
		v->key = copy_text(json_string_value(json_array_get(head->keys, 0)));
	if (v->key == NULL && head->key[0] != '\0')
		v->key = copy_text(head->key);
	*there = v->key != NULL && note_key_parse(key, v->key, strlen(v->key)) == SIGNET_OK;
	return CTL_OK;
}

/* The head's checkpoint must be good, and say what the head says. */
static bool
open_head(const struct log_head *head, struct log_verdict *v, signet_checkpoint *c)
{
	uint8_t root[TLOG_HASH];
	size_t n = sizeof(root);

	/* by whom it is signed is known when all changes of key were seen */
	if (signet_log_checkpoint(head->checkpoint, strlen(head->checkpoint), NULL, c) != SIGNET_OK) {
		say(v, signet_error_message(NULL));
		return false;
	}
	if (strcmp(c->origin, head->origin) != 0 || c->size != head->size ||
	    base64_decode(head->root, strlen(head->root), root, &n) != SIGNET_OK || n != sizeof(root) ||
	    memcmp(root, c->root, n) != 0) {
		say(v, _("the checkpoint does not say what is said of it"));
		return false;
	}
	return true;
}

static bool
goes_back(struct log_verdict *v, const signet_checkpoint *since, const signet_checkpoint *head)
{
	char text[sizeof(v->fault)];

	if (since == NULL)
		return false;
	if (strcmp(since->origin, head->origin) != 0) {
		say(v, _("this is another log than the remembered one"));
		return true;
	}
	if (since->size <= head->size)
		return false;
	(void)snprintf(text, sizeof(text),
	    _("there are %llu entries, but %llu were there before: entries are missing at the end"),
	    (unsigned long long)head->size, (unsigned long long)since->size);
	say(v, text);
	return true;
}

/* --- the daemon's --- */

struct edge {
	struct ctl *c;
	int code;
};

struct row {
	uint8_t bytes[TLOG_LEVELS * TLOG_HASH];
	unsigned level;
	bool found;
};

static bool
take_row(void *arg, struct log_entry *e)
{
	struct row *r = arg;
	const char *text =
	    log_stored(e, r->level == 0 ? "leafHash" : "subtrees");
	size_t n = sizeof(r->bytes);

	r->found = text != NULL && base64_decode(text, strlen(text), r->bytes, &n) == SIGNET_OK &&
		   n >= (r->level == 0 ? 1 : r->level) * (size_t)TLOG_HASH;
	return true;
}

/* A complete subtree: its hash stands with the entry that completed it. */
static signet_err
get_row(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	struct edge *edge = arg;
	struct log_query q = {.from = ((number + 1) << level) - 1, .limit = 1, .hashes = true};
	struct row row = {.level = level};

	edge->code = log_read(edge->c, &q, take_row, &row);
	if (edge->code != CTL_OK || !row.found)
		return SIGNET_ERR_VERIFY;
	memcpy(out, row.bytes + (level == 0 ? 0 : level - 1) * (size_t)TLOG_HASH, TLOG_HASH);
	return SIGNET_OK;
}

/* Begin behind the remembered checkpoint: its tree is put together from stored hashes, and must have its root. */
static int
begin_since(struct ctl *c, const signet_checkpoint *since, struct log_verdict *v, struct log_walk *w)
{
	struct edge edge = {.c = c};
	uint8_t root[TLOG_HASH];
	signet_err err;

	if (since == NULL)
		return CTL_OK;
	err = tlog_tree_load(&w->computed, since->size, get_row, &edge);
	if (edge.code != CTL_OK)
		return edge.code;
	w->stored = w->computed;
	tlog_tree_root(&w->computed, root);
	if (err != SIGNET_OK || memcmp(root, since->root, sizeof(root)) != 0) {
		char text[sizeof(v->fault)];

		(void)snprintf(text, sizeof(text),
		    _("the first %llu entries are not those of the remembered checkpoint"),
		    (unsigned long long)since->size);
		say(v, text);
	}
	v->from = since->size;
	return CTL_OK;
}

/* All entries up to the checkpoint. What came since is left alone, also where it is too much for one limit. */
static int
read_all(struct ctl *c, struct log_verdict *v, const signet_checkpoint *head, struct verifying *work)
{
	struct log_failure failure = {0};
	struct log_query q = {
	    .from = v->from, .hashes = true, .progress = true, .total = head->size, .failure = &failure};
	int code;

	work->until = head->size;
	if (q.from >= head->size)
		return CTL_OK;
	q.limit = head->size - q.from > READ_MAX ? 0 : head->size - q.from;
	code = log_read(c, &q, walk_entry, work);
	if (failure.err == SIGNET_OK)
		return code;
	if (failure.err != SIGNET_ERR_BUSY) /* that is what a page of the database that cannot be read is answered with */
		return fail_error(failure.err, failure.message);
	log_walk_unread(&work->walk, failure.message);
	return CTL_OK;
}

static int
verify_daemon(struct ctl *c, const signet_checkpoint *since, struct log_verdict *v, bool tell,
    log_entry_fn *fn, void *arg)
{
	struct verifying work = {.fn = fn, .arg = arg, .verdict = v};
	struct log_head head = {0};
	signet_checkpoint newest;
	struct note_key key;
	bool has_key = false;
	int code;

	code = log_head(c, &head);
	if (code == CTL_OK)
		code = choose_key(c, &head, since, v, &key, &has_key);
	if (code != CTL_OK || !open_head(&head, v, &newest) || goes_back(v, since, &newest))
		goto done;
	log_walk_begin(&work.walk, has_key ? &key : NULL, head.origin, NULL);
	work.walk.quiet = !tell;
	work.walk.keys = head.keys;
	code = begin_since(c, since, v, &work.walk);
	if (code != CTL_OK || v->faults > 0)
		goto done;
	code = read_all(c, v, &newest, &work);
	if (code == CTL_OK) {
		log_walk_end(&work.walk, &newest);
		end_walk(v, &work.walk, &head);
		take_walk(v, &work.walk);
		if (work.walk.gap && tell)
			warn_text("%s",
			    _("perhaps you may read only your own entries: then you cannot verify the log"));
	}
done:
	v->origin = copy_text(head.origin);
	v->checkpoint = copy_text(head.checkpoint);
	log_head_done(&head);
	return code;
}

/* --- copies --- */

struct visiting {
	struct log_verdict *verdict;
	log_entry_fn *fn;
	void *arg;
};

static bool
visit_entry(void *arg, struct log_entry *e)
{
	struct visiting *v = arg;

	if (e->index == 0)
		v->verdict->continues = log_continues(e);
	return v->fn == NULL || v->fn(v->arg, e);
}

static int
verify_folder(struct ctl *c, const char *path, const signet_checkpoint *since, struct log_verdict *v,
    bool tell, log_entry_fn *fn, void *arg)
{
	struct log_query q = {.progress = true, .believe = true, .tell = tell};
	struct visiting visiting = {.verdict = v, .fn = fn, .arg = arg};
	struct log_copy copy = {0};
	int code;

	code = log_vkey(c, &v->key);
	if (code != CTL_OK)
		return code;
	v->key_was_given = v->key != NULL;
	code = log_copy_read(c, path, &q, since, visit_entry, &visiting, &copy);
	if (code == CTL_OK) {
		v->entries = copy.check.checked;
		v->from = copy.check.first;
		v->faults = copy.check.faults;
		v->good = copy.err == SIGNET_OK;
		v->checkpoints = 1;
		v->key_changes = copy.check.key_changes;
		v->newest = copy.check.vkey[0] == '\0' ? NULL : copy_text(copy.check.vkey);
		if (!v->good)
			(void)snprintf(v->fault, sizeof(v->fault), "%s%s%.180s", copy.check.place,
			    copy.check.place[0] == '\0' ? "" : ": ", copy.check.fault);
	}
	v->origin = copy_text(copy.head.origin);
	v->checkpoint = copy_text(copy.head.checkpoint);
	log_copy_done(&copy);
	return code;
}

static int
verify_file(struct ctl *c, const char *path, const signet_checkpoint *since, struct log_verdict *v, bool tell,
    log_entry_fn *fn, void *arg)
{
	struct log_query q = {.progress = true, .believe = true};
	struct verifying work = {.fn = fn, .arg = arg, .verdict = v};
	struct log_copy copy = {0};
	struct log_head head = {0};
	signet_checkpoint newest = {0};
	struct note_key key;
	bool has_key = false, opened;
	int code;

	code = log_copy_head(path, &head);
	if (code == CTL_OK)
		code = choose_key(c, &head, since, v, &key, &has_key);
	if (code != CTL_OK)
		goto done;
	opened = open_head(&head, v, &newest);
	if (opened && goes_back(v, since, &newest))
		goto done;
	log_walk_begin(&work.walk, has_key ? &key : NULL, head.origin, since);
	work.walk.quiet = !tell;
	work.walk.keys = head.keys;
	code = log_copy_read(c, path, &q, NULL, walk_entry, &work, &copy);
	if (code != CTL_OK)
		goto done;
	if (opened) {
		log_walk_end(&work.walk, &newest);
		end_walk(v, &work.walk, &head);
	}
	take_walk(v, &work.walk);
	if (work.walk.gap)
		say(v, _("entries are missing between others: such a part of a log cannot be verified as a "
			 "whole"));
	v->good = v->faults == 0;
done:
	v->origin = copy_text(head.origin);
	v->checkpoint = copy_text(head.checkpoint);
	log_copy_done(&copy);
	log_head_done(&head);
	return code;
}

int
log_verify(struct ctl *c, const char *copy, const signet_checkpoint *since, struct log_verdict *v, bool tell,
    log_entry_fn *fn, void *arg)
{
	memset(v, 0, sizeof(*v));
	if (copy == NULL)
		return verify_daemon(c, since, v, tell, fn, arg);
	v->place = copy_text(copy);
	return log_is_folder(copy) ? verify_folder(c, copy, since, v, tell, fn, arg)
				   : verify_file(c, copy, since, v, tell, fn, arg);
}

char *
log_verdict_text(const struct log_verdict *v)
{
	char *text = NULL;
	int n;

	if (!v->good)
		n = asprintf(&text, _("%s is NOT as it was logged: %s"), v->origin, v->fault);
	else if (v->from > 0)
		n = asprintf(&text, _("%s: %llu entries after the remembered ones are as they were logged"),
		    v->origin, (unsigned long long)v->entries);
	else
		n = asprintf(&text, _("%s: all %llu entries are as they were logged"), v->origin,
		    (unsigned long long)v->entries);
	if (n < 0)
		abort();
	return text;
}
