/*
 * signetctl pdf sign FILE.pdf: room for a signature in a copy, its digest to
 * the daemon, what comes back into the room, the copy beside the file.
 *
 * Invariant: the file itself is only read. Everything that can be refused is
 * refused before the daemon is asked to sign; then the copy is written as any
 * signature file is: whole, or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"

#include "pdf_file.h"
#include "sign.h"

enum { ESTIMATE_MAX = PDF_CONTENTS_MAX };

/* NAME.signed.pdf beside NAME.pdf. */
static char *
signed_path(const char *file)
{
	size_t n = strlen(file);
	char *path = NULL;

	if (n > 4 && strcasecmp(file + n - 4, ".pdf") == 0)
		n -= 4;
	if (asprintf(&path, "%.*s.signed.pdf", (int)n, file) < 0)
		abort();
	return path;
}

struct estimate {
	int64_t bytes;
};

static bool
keep_estimate(void *arg, const char *json, size_t size, bool continues)
{
	struct estimate *e = arg;
	json_t *object = NULL;

	(void)continues;
	if (json_read(&object, json, size, NULL) == SIGNET_OK)
		e->bytes = json_integer_value(json_object_get(object, "bytes"));
	json_decref(object);
	return true;
}

/* How many bytes the signature will have at most: the daemon knows key and certificates. */
static int
ask_room(struct ctl *c, const char *key, const char *level, size_t *room)
{
	json_t *parameters = json_pack("{s:s, s:s, s:s*}", "key", key, "format", "pades", "level", level);
	char *text = parameters == NULL ? NULL : json_dumps(parameters, JSON_COMPACT);
	struct estimate e = {0};
	signet_err err = SIGNET_ERR_MEMORY;

	if (text != NULL)
		err =
		    signet_call(c->conn, "org.signetd.Signer.EstimateSize", text, NULL, 0, keep_estimate, &e);
	free(text);
	json_decref(parameters);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	if (e.bytes < 1 || e.bytes > ESTIMATE_MAX)
		return fail_error(SIGNET_ERR_PROTOCOL, "");
	*room = (size_t)e.bytes;
	return CTL_OK;
}

static void
describe(const struct ctl *c, struct pdf_signing *how)
{
	time_t now = time(NULL);
	struct tm tm;

	how->time = (int64_t)now;
	if (localtime_r(&now, &tm) != NULL)
		how->offset_minutes = (int)(tm.tm_gmtoff / 60);
	how->name = c->value[OPT_NAME];
	how->reason = c->value[OPT_REASON];
	how->location = c->value[OPT_LOCATION];
	if (getrandom(how->id, sizeof(how->id), 0) != (ssize_t)sizeof(how->id))
		abort();
}

/* What is written in place of the bare signature. */
static int
compose(void *arg, const signet_result *r, const uint8_t **bytes, size_t *size)
{
	struct pdf_draft *draft = arg;

	if (pdf_draft_fill(draft, r->signature, r->signature_size) != PDF_OK)
		return EMSGSIZE;
	*bytes = draft->bytes.data;
	*size = draft->bytes.len;
	return 0;
}

static int
make_draft(struct job *j, struct pdf_draft *draft)
{
	struct pdf_signing how = {0};
	struct pdf_file f;
	pdf_err err = PDF_OK;
	int code;

	describe(j->c, &how);
	code = pdf_file_open(&f, j->files[0].path);
	if (code == CTL_OK)
		code = ask_room(j->c, j->key.name, j->c->value[OPT_LEVEL], &how.room);
	if (code == CTL_OK) {
		err = pdf_sign(f.pdf, &how, draft);
		if (err != PDF_OK)
			code = pdf_file_refused(j->files[0].path, err);
	}
	pdf_file_close(&f);
	if (code == CTL_OK && !pdf_file_digest(draft->bytes.data, draft->hole, draft->hole_end,
				  draft->bytes.len, j->hash, j->files[0].digest))
		code = fail_text(CTL_FAILED, _("out of memory"));
	return code;
}

static int
check_level(const char *level)
{
	if (level == NULL || strcmp(level, "b") == 0 || strcmp(level, "t") == 0)
		return CTL_OK;
	return fail_text(CTL_USAGE, _("--level is b, or t with a time-stamp"));
}

/* Whatever its name: with --force it would be gone. */
static int
refuse_itself(const char *file, const char *out)
{
	struct stat a, b;

	if (stat(file, &a) != 0 || stat(out, &b) != 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return CTL_OK;
	return fail_text(CTL_USAGE, _("the signed copy would replace %s itself"), file);
}

static int
sign_pdf(struct job *j, struct pdf_draft *draft)
{
	const struct ctl *c = j->c;
	char *out = given(c, OPT_OUT) ? strdup(c->value[OPT_OUT]) : signed_path(c->args[0]);
	int code;

	if (out == NULL)
		abort();
	code = sign_begin(j);
	if (code == CTL_OK)
		code = check_level(c->value[OPT_LEVEL]);
	if (code == CTL_OK)
		code = refuse_itself(c->args[0], out);
	if (code == CTL_OK)
		code = files_one(j, c->args[0], out);
	else
		free(out);
	if (code == CTL_OK)
		code = pick_key(&j->key, j->c);
	if (code == CTL_OK)
		code = make_draft(j, draft);
	return code == CTL_OK ? sign_with_pin(j) : code;
}

int
verb_pdf_sign(struct ctl *c)
{
	struct pdf_draft draft = {0};
	struct job j = {.c = c, .format = "pades", .compose = compose, .compose_arg = &draft};
	int code;

	code = sign_pdf(&j, &draft);
	pdf_draft_done(&draft);
	pin_done(&j.pin);
	pick_done(&j.key);
	files_done(&j);
	return code;
}
