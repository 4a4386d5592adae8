/*
 * What became of the files: a line for each, a count, and how to go on.
 *
 * Invariant: every file that has no signature is named with its reason.
 */
#include <stdlib.h>

#include "sign.h"

void
sign_progress(struct job *j)
{
	if (!j->progress)
		return;
	fputs("\r\033[K", stderr);
	fprintf(stderr, _("%zu of %zu signed, %zu failed"), files_count(j, FILE_DONE), j->count,
	    files_count(j, FILE_FAILED));
	(void)fflush(stderr);
}

static void
end_progress(const struct job *j)
{
	if (j->progress)
		fputs("\r\033[K", stderr);
}

/* A path may be any bytes; JSON may not. */
static json_t *
path_json(const char *path)
{
	json_t *text = json_string(path);

	return text != NULL ? text : json_null();
}

static json_t *
file_json(const struct job *j, const struct file *f)
{
	json_t *object = json_pack("{s:o, s:s}", "file", path_json(f->path), "key", j->key.name);

	if (f->out != NULL)
		(void)json_object_set_new(object, "signatureFile", path_json(f->out));
	(void)json_object_set_new(object, "requestId", json_string(f->request_id));
	if (f->result != NULL)
		(void)json_object_update(object, f->result);
	if (f->state == FILE_KEPT)
		(void)json_object_set_new(object, "kept", json_true());
	if (f->state == FILE_FAILED) {
		const char *name = f->err == SIGNET_OK ? NULL : err_wire_name(f->err);

		(void)json_object_set_new(
		    object, "error", name == NULL ? json_string("Failed") : json_string(name));
		(void)json_object_set_new(object, "message", path_json(f->why));
	}
	return object;
}

static int
report_json(const struct job *j)
{
	json_t *list = json_array();
	size_t i;
	int code;

	for (i = 0; i < j->count; i++)
		(void)json_array_append_new(list, file_json(j, &j->files[i]));
	code = print_json(list);
	json_decref(list);
	return code;
}

static void
report_good(const struct job *j)
{
	size_t i;

	for (i = 0; i < j->count; i++) {
		const struct file *f = &j->files[i];

		if (f->out == NULL || (f->state != FILE_DONE && f->state != FILE_KEPT))
			continue;
		print_safe(stdout, f->out);
		if (f->state == FILE_KEPT)
			printf(": %s\n", _("was signed before"));
		else
			printf(_(": signed with %s, log entry %llu\n"), j->key.name,
			    (unsigned long long)f->index);
	}
}

/* Advice once per kind of failure, not per file. */
static void
report_bad(const struct job *j)
{
	bool advised[SIGNET_ERR_COUNT] = {false};
	size_t i;

	for (i = 0; i < j->count; i++) {
		const struct file *f = &j->files[i];

		if (f->state != FILE_FAILED)
			continue;
		if (f->err == SIGNET_OK || advised[f->err]) {
			warn_text("%s: %s", f->path, f->why);
			continue;
		}
		warn_item(f->path, f->err, f->why);
		advised[f->err] = true;
	}
}

static void
report_count(const struct job *j)
{
	size_t good = files_count(j, FILE_DONE) + files_count(j, FILE_KEPT);

	fprintf(stderr, _("%zu of %zu files are signed."), good, j->count);
	if (good < j->count)
		fprintf(stderr, " %s", _("The same command with --resume signs the rest."));
	fputc('\n', stderr);
}

/* One reason for all: its code. Some signed, or several reasons: CTL_SOME. */
static int
exit_of(const struct job *j)
{
	int code = CTL_OK;
	size_t i, bad = files_count(j, FILE_FAILED);

	if (bad > 0 && bad < j->count)
		return CTL_SOME;
	for (i = 0; i < j->count; i++) {
		const struct file *f = &j->files[i];

		if (f->state != FILE_FAILED)
			continue;
		if (code != CTL_OK && code != f->code)
			return CTL_SOME;
		code = f->code;
	}
	return code;
}

int
sign_report(struct job *j)
{
	end_progress(j);
	/* one file that the daemon refused: its sentence was printed, there is no more to say */
	if (j->count > 1 || !j->ended || j->recovered || j->files[0].code == CTL_UNSURE)
		report_bad(j);
	if (given(j->c, OPT_JSON) && report_json(j) != CTL_OK)
		return CTL_FAILED;
	if (!given(j->c, OPT_JSON))
		report_good(j);
	if (j->count > 1)
		report_count(j);
	return exit_of(j);
}
