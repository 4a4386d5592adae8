/*
 * signetctl log export: entries for other programs, and whole logs for auditors
 * who verify them without the daemon.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "log.h"
#include "log_out.h"

struct exporting {
	FILE *f;
	bool csv;
	uint64_t until;        /* entries that the head has; 0: all */
	struct tlog_tree tree; /* hashes of a published folder are not handed over: made again */
};

static json_t *
base64_json(const uint8_t *bytes, size_t size)
{
	char *text = malloc(BASE64_LEN(size) + 1);
	json_t *value;

	if (text == NULL)
		abort();
	base64_encode(text, bytes, size);
	value = json_stringn(text, BASE64_LEN(size));
	free(text);
	return value;
}

static json_t *
entry_of_folder(struct exporting *x, const struct log_entry *e)
{
	uint8_t leaf[TLOG_HASH], completed[TLOG_LEVELS][TLOG_HASH];
	json_t *wire = json_pack("{s:I, s:s%}", "index", (json_int_t)e->index, "entry", e->text, e->size);
	unsigned count;

	tlog_leaf(leaf, e->text, e->size);
	(void)json_object_set_new(wire, "leafHash", base64_json(leaf, sizeof(leaf)));
	if (e->index != x->tree.size)
		return wire;
	count = tlog_tree_push(&x->tree, leaf, completed);
	if (count > 0)
		(void)json_object_set_new(
		    wire, "subtrees", base64_json(completed[0], count * sizeof(completed[0])));
	return wire;
}

static bool
put_entry(void *arg, struct log_entry *e)
{
	struct exporting *x = arg;
	json_t *line;

	if (x->csv) {
		log_csv_line(x->f, e);
	} else {
		line = json_pack("{s:o}", "entry",
		    log_wire(e) != NULL ? json_incref((json_t *)log_wire(e)) : entry_of_folder(x, e));
		(void)json_dumpf(line, x->f, JSON_COMPACT);
		fputc('\n', x->f);
		json_decref(line);
	}
	return !ferror(x->f) && e->index + 1 != x->until;
}

static void
put_head(struct exporting *x, const struct log_head *h, const char *vkey)
{
	json_t *line = json_pack("{s:{s:s, s:I, s:s, s:s, s:s, s:O*}}", "head", "origin", h->origin, "size",
	    (json_int_t)h->size, "rootHash", h->root, "checkpoint", h->checkpoint, "key",
	    vkey != NULL ? vkey : h->key, "keys", h->keys);

	(void)json_dumpf(line, x->f, JSON_COMPACT);
	fputc('\n', x->f);
	json_decref(line);
}

static int
export_log(struct ctl *c, struct exporting *x, struct log_query *q)
{
	struct log_head head = {0};
	char *vkey = NULL;
	int code;

	code = log_vkey(c, &vkey);
	if (code == CTL_OK)
		code = c->copy_count > 0 ? log_copy_head(c->copies[0], &head) : log_head(c, &head);
	if (code == CTL_OK) {
		put_head(x, &head, vkey);
		x->until = head.size;
		q->progress = given(c, OPT_OUT);
		q->total = head.size;
		if (head.size > q->from)
			code = log_read(c, q, put_entry, x);
	}
	log_head_done(&head);
	free(vkey);
	return code;
}

static int
export_to(struct ctl *c, struct log_out *out, struct log_query *q)
{
	const char *format = c->value[OPT_FORMAT];
	struct exporting x = {.f = out->f, .csv = format != NULL && strcmp(format, "csv") == 0};

	if (!x.csv)
		return export_log(c, &x, q);
	log_csv_heading(out->f);
	return log_read(c, q, put_entry, &x);
}

int
verb_log_export(struct ctl *c)
{
	const char *format = c->value[OPT_FORMAT];
	struct log_query q = {.hashes = true};
	struct log_out out;
	int code;

	if (format != NULL && strcmp(format, "csv") != 0 && strcmp(format, "jsonl") != 0)
		return fail_text(CTL_USAGE, _("--format is jsonl or csv"));
	if (c->copy_count > 1 && (format == NULL || strcmp(format, "jsonl") == 0))
		return fail_text(CTL_USAGE, _("one copy at a time"));
	code = log_query_read(c, &q);
	if (code == CTL_OK) {
		code = log_out_open(&out, c);
		if (code == CTL_OK)
			code = log_out_close(&out, export_to(c, &out, &q));
	}
	log_query_done(&q);
	return code;
}
