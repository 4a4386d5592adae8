/*
 * Copies of logs: a published folder, or the file that `signetctl log export`
 * wrote: first {"head": {...}}, as org.signetd.Log.Head answers, then one
 * {"entry": {...}} a line, as Read answers.
 *
 * Invariant: a folder is verified while it is read, and what is wrong is said;
 * a file is only read here, log_walk.c judges it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"

#include "log.h"

bool
log_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

void
log_copy_done(struct log_copy *copy)
{
	log_head_done(&copy->head);
}

/* --- folders --- */

struct folder_reading {
	const struct log_query *q;
	log_entry_fn *fn;
	void *arg;
	char *origin;
	uint64_t seen, faults;
};

enum { FAULTS_SHOWN = 100 };

static bool
folder_entry(void *arg, uint64_t index, const char *bytes, size_t size)
{
	struct folder_reading *r = arg;
	struct log_entry e = {.log = r->origin, .index = index, .size = size, .foreign = true};
	bool go_on = true;
	char *text;

	if (index < r->q->from)
		return true;
	text = strndup(bytes, size);
	if (text == NULL)
		abort();
	e.text = text;
	if (log_passes(r->q, &e)) {
		r->seen++;
		go_on = r->fn(r->arg, &e) && r->seen != r->q->limit;
	}
	log_entry_done(&e);
	free(text);
	return go_on;
}

static void
folder_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct folder_reading *r = arg;

	if (r->q->progress)
		log_progress(done, total);
}

/* Its checkpoint names the log; who cannot read it learns why from the verification. */
static void
folder_head(const char *path, struct log_head *h)
{
	char name[4096], root[BASE64_LEN(SIGNET_LOG_HASH) + 1] = "", *note = NULL;
	signet_checkpoint c;
	size_t size = 0;
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s/checkpoint", path);
	f = fopen(name, "rbe");
	note = calloc(1, NOTE_MAX + 1);
	if (note == NULL)
		abort();
	if (f != NULL) {
		size = fread(note, 1, NOTE_MAX, f);
		(void)fclose(f);
	}
	if (size > 0 && signet_log_checkpoint(note, size, NULL, &c) == SIGNET_OK) {
		h->origin = strdup(c.origin);
		h->size = c.size;
		base64_encode(root, c.root, sizeof(c.root));
	}
	h->checkpoint = note;
	if (h->origin == NULL)
		h->origin = strdup("");
	h->key = strdup("");
	h->root = strdup(root);
	if (h->origin == NULL || h->key == NULL || h->root == NULL)
		abort();
}

static bool
folder_fault(void *arg, const signet_log_check *fault)
{
	struct folder_reading *r = arg;

	if (r->q->tell && r->faults++ < FAULTS_SHOWN)
		warn_text("%s%s%s", fault->place, fault->place[0] == '\0' ? "" : ": ", fault->fault);
	return true;
}

static int
read_folder(const char *path, const char *vkey, const struct log_query *q, const signet_checkpoint *since,
    log_entry_fn *fn, void *arg, struct log_copy *copy)
{
	struct folder_reading r = {.q = q, .fn = fn, .arg = arg};
	signet_log_visitor visitor = {.size = sizeof(visitor),
	    .arg = &r,
	    .entry = fn == NULL ? NULL : folder_entry,
	    .progress = folder_progress,
	    .fault = folder_fault};

	copy->folder = true;
	folder_head(path, &copy->head);
	r.origin = copy->head.origin;
	copy->check.size = sizeof(copy->check);
	copy->err = signet_log_verify_folder(path, vkey, since, &visitor, &copy->check);
	copy->entries = copy->check.checked;
	if (q->progress)
		log_progress_end();
	if (copy->err != SIGNET_OK && copy->err != SIGNET_ERR_VERIFY)
		return fail_text(CTL_FAILED, "%s: %s", path, signet_error_message(NULL));
	if (copy->err != SIGNET_OK && !q->believe)
		return fail_text(CTL_FAILED, _("%s is damaged: %s; signetctl log verify tells more"), path,
		    signet_error_message(NULL));
	return CTL_OK;
}

/* --- files --- */

struct file_reading {
	const struct log_query *q;
	struct log_copy *copy;
	const char *path;
	log_entry_fn *fn;
	void *arg;
	uint64_t line, next, seen;
	bool stopped;
};

static int
bad_line(const struct file_reading *r)
{
	return fail_text(CTL_FAILED, _("%s, line %llu, is no line of an exported log"), r->path,
	    (unsigned long long)r->line);
}

static char *
head_text(const json_t *head, const char *name)
{
	const char *text = json_string_value(json_object_get(head, name));
	char *copy = strdup(text == NULL ? "" : text);

	if (copy == NULL)
		abort();
	return copy;
}

static int
take_head(struct file_reading *r, const json_t *head)
{
	const json_t *size = json_object_get(head, "size");
	struct log_head *h = &r->copy->head;

	if (!json_is_integer(size) || json_integer_value(size) < 0 || h->origin != NULL)
		return bad_line(r);
	h->origin = head_text(head, "origin");
	h->checkpoint = head_text(head, "checkpoint");
	h->key = head_text(head, "key");
	h->root = head_text(head, "rootHash");
	h->size = (uint64_t)json_integer_value(size);
	h->keys = json_incref(json_object_get(head, "keys"));
	return CTL_OK;
}

static int
take_entry(struct file_reading *r, const json_t *wire)
{
	const json_t *text = json_object_get(wire, "entry"), *index = json_object_get(wire, "index");
	struct log_entry e = {
	    .log = r->copy->head.origin, .wire = wire, .text = json_string_value(text), .foreign = true};
	char *bytes;

	if (e.text == NULL || !json_is_integer(index) || json_integer_value(index) < (json_int_t)r->next)
		return bad_line(r);
	e.size = json_string_length(text);
	bytes = log_stored_bytes(wire, &e.size);
	if (bytes != NULL)
		e.text = bytes;
	e.index = (uint64_t)json_integer_value(index);
	if (e.index != r->next)
		r->copy->complete = false;
	r->next = e.index + 1;
	r->copy->entries++;
	if (r->fn != NULL && log_passes(r->q, &e)) {
		r->seen++;
		r->stopped = !r->fn(r->arg, &e) || r->seen == r->q->limit;
	}
	log_entry_done(&e);
	free(bytes);
	return CTL_OK;
}

static int
take_line(struct file_reading *r, const char *line, size_t size)
{
	json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *head = json_object_get(object, "head"), *wire = json_object_get(object, "entry");
	int code;

	if (json_is_object(head) && wire == NULL)
		code = take_head(r, head);
	else if (json_is_object(wire) && r->copy->head.origin != NULL)
		code = take_entry(r, wire);
	else
		code = bad_line(r);
	json_decref(object);
	return code;
}

static int
read_lines(struct file_reading *r, FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int code = CTL_OK;

	while (code == CTL_OK && !r->stopped && (n = getline(&line, &room, f)) > 0) {
		r->line++;
		code = n > LOG_LINE_MAX ? bad_line(r) : take_line(r, line, (size_t)n);
		if (r->q->progress && r->copy->head.origin != NULL)
			log_progress(r->next, r->copy->head.size);
	}
	free(line);
	if (code == CTL_OK && ferror(f) != 0)
		code = fail_text(CTL_FAILED, _("cannot read %s: %s"), r->path, strerror(errno));
	if (code == CTL_OK && r->copy->head.origin == NULL)
		code = fail_text(CTL_FAILED, _("%s is neither a published log nor an exported one"), r->path);
	return code;
}

static int
read_file(const char *path, const struct log_query *q, log_entry_fn *fn, void *arg, struct log_copy *copy)
{
	struct file_reading r = {.q = q, .copy = copy, .path = path, .fn = fn, .arg = arg};
	FILE *f = fopen(path, "re");
	int code;

	if (f == NULL)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), path, strerror(errno));
	copy->complete = true;
	code = read_lines(&r, f);
	(void)fclose(f);
	if (q->progress)
		log_progress_end();
	if (r.next < copy->head.size)
		copy->complete = false;
	return code;
}

static bool
no_more(void *arg, struct log_entry *e)
{
	(void)arg;
	(void)e;
	return false;
}

int
log_copy_head(const char *path, struct log_head *h)
{
	struct log_query q = {.believe = true};
	struct log_copy copy = {0};
	int code;

	if (log_is_folder(path)) {
		folder_head(path, h);
		if (h->origin[0] != '\0')
			return CTL_OK;
		return fail_text(CTL_FAILED, _("%s has no checkpoint: it is not a published log"), path);
	}
	/* its first line */
	code = read_file(path, &q, no_more, NULL, &copy);
	*h = copy.head;
	return code;
}

int
log_copy_read(struct ctl *c, const char *path, const struct log_query *q, const signet_checkpoint *since,
    log_entry_fn *fn, void *arg, struct log_copy *copy)
{
	char *vkey;
	int code;

	if (!log_is_folder(path))
		return read_file(path, q, fn, arg, copy);
	if (q->filter_count > 0 && json_object_get(q->filter[0], "number") != NULL)
		return fail_text(CTL_USAGE,
		    _("%s has no document numbers: search in an export with --titles, or ask the daemon"),
		    path);
	code = log_vkey(c, &vkey);
	if (code != CTL_OK)
		return code;
	code = read_folder(path, vkey, q, since, fn, arg, copy);
	free(vkey);
	return code;
}
