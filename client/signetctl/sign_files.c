/*
 * The files of a job: where each signature will go, and the digest of each.
 *
 * Invariant: before anything is signed it is known that no signature would
 * replace a file (unless asked to) and no two share a name; a signature that
 * was spent and cannot be put down is the worst outcome.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "check.h"
#include "cms.h"
#include "cms_stamp.h"
#include "out.h"
#include "receipt.h"
#include "sign.h"

void
file_fail(struct file *f, int code, const char *fmt, ...)
{
	va_list args;

	free(f->why);
	va_start(args, fmt);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* checked where file_fail is called */
	if (vasprintf(&f->why, fmt, args) < 0)
		abort();
#pragma GCC diagnostic pop
	va_end(args);
	f->state = FILE_FAILED;
	f->code = code;
}

size_t
files_count(const struct job *j, enum file_state state)
{
	size_t i, n = 0;

	for (i = 0; i < j->count; i++)
		n += j->files[i].state == state;
	return n;
}

static int
compare_out(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two files of one name go to one folder: one would replace, or stop, the other. */
static int
check_distinct(const struct job *j)
{
	char **names = calloc(j->count, sizeof(*names));
	int code = CTL_OK;
	size_t i;

	if (names == NULL)
		abort();
	for (i = 0; i < j->count; i++)
		names[i] = j->files[i].out;
	qsort(names, j->count, sizeof(*names), compare_out);
	for (i = 1; i < j->count && code == CTL_OK; i++) {
		if (strcmp(names[i - 1], names[i]) == 0)
			code = fail_text(CTL_USAGE,
			    _("two of the files would have the same signature file, %s"), names[i]);
	}
	free(names);
	return code;
}

static size_t
is_there(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	warn_text(_("%s exists already"), path);
	return 1;
}

static int
check_absent(const struct job *j)
{
	size_t i, there = 0;

	for (i = 0; i < j->count; i++) {
		there += is_there(j->files[i].out);
		if (given(j->c, OPT_RECEIPT)) {
			char *receipt = receipt_beside(j->files[i].out);

			there += is_there(receipt);
			free(receipt);
		}
	}
	if (there == 0)
		return CTL_OK;
	if (j->compose != NULL)
		return fail_text(CTL_FAILED, _("nothing was signed; --force replaces it"));
	return fail_text(CTL_FAILED, _("nothing was signed; --resume leaves out files that have their "
				       "signature, --force replaces it"));
}

static int
check_folder(const char *folder)
{
	struct stat st;

	if (folder == NULL)
		return CTL_OK;
	if (stat(folder, &st) != 0)
		return fail_text(CTL_FAILED, _("cannot use the folder %s: %s"), folder, strerror(errno));
	return S_ISDIR(st.st_mode) ? CTL_OK : fail_text(CTL_USAGE, _("%s is not a folder"), folder);
}

/* One id per file, so that what became of it can be asked even after the connection was lost. */
static void
name_requests(struct job *j)
{
	const char *given_id = j->c->value[OPT_REQUEST_ID];
	char run[48] = "signetctl:";
	uint64_t random[2];
	size_t i;

	if (given_id == NULL) {
		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			abort();
		(void)snprintf(run + strlen(run), sizeof(run) - strlen(run), "%016llx%016llx",
		    (unsigned long long)random[0], (unsigned long long)random[1]);
		given_id = run;
	}
	for (i = 0; i < j->count; i++) {
		struct file *f = &j->files[i];

		if (j->count == 1)
			(void)snprintf(f->request_id, sizeof(f->request_id), "%s", given_id);
		else
			(void)snprintf(f->request_id, sizeof(f->request_id), "%s:%zu", given_id, i + 1);
	}
}

static int
check_options(const struct job *j)
{
	const struct ctl *c = j->c;
	bool many = j->count > 1;

	if (given(c, OPT_FORCE) && given(c, OPT_RESUME))
		return fail_text(CTL_USAGE, _("--force and --resume exclude each other"));
	if (given(c, OPT_STDOUT) &&
	    (many || given(c, OPT_JSON) || given(c, OPT_OUT) || given(c, OPT_FORCE) || given(c, OPT_RESUME)))
		return fail_text(
		    CTL_USAGE, _("--stdout is for one file, without --json, --out, --force and --resume"));
	if (given(c, OPT_STDOUT) && given(c, OPT_RECEIPT))
		return fail_text(
		    CTL_USAGE, _("--receipt needs a signature file to stand beside: not --stdout"));
	if (many && (given(c, OPT_TITLE) || given(c, OPT_NUMBER) || given(c, OPT_DATE)))
		return fail_text(
		    CTL_USAGE, _("--title, --number and --date describe one file: sign one at a time"));
	if (given(c, OPT_REQUEST_ID) && strlen(c->value[OPT_REQUEST_ID]) > 120)
		return fail_text(CTL_USAGE, _("--request-id has at most 120 characters"));
	return CTL_OK;
}

static int
take_hash(struct job *j)
{
	const char *hash = j->c->value[OPT_HASH];

	j->hash = hash == NULL ? SIGNET_SHA256 : hash_find(hash);
	return j->hash == 0 ? fail_text(CTL_USAGE, _("--hash is sha256, sha384 or sha512")) : CTL_OK;
}

static void
take_places(struct job *j, size_t count)
{
	j->count = count;
	j->files = calloc(count, sizeof(*j->files));
	if (j->files == NULL)
		abort();
}

int
files_one(struct job *j, const char *path, char *out)
{
	int code;

	take_places(j, 1);
	j->files[0].path = path;
	j->files[0].out = out;
	code = take_hash(j);
	if (code == CTL_OK)
		code = check_options(j);
	if (code != CTL_OK)
		return code;
	name_requests(j);
	return given(j->c, OPT_FORCE) ? CTL_OK : check_absent(j);
}

static bool
is_bare(const struct job *j)
{
	return strcmp(j->format, "raw") == 0;
}

static int
check_format(struct job *j)
{
	const char *level = j->c->value[OPT_LEVEL];

	j->format = given(j->c, OPT_FORMAT) ? j->c->value[OPT_FORMAT] : "cades";
	if (!is_bare(j) && strcmp(j->format, "cades") != 0 && strcmp(j->format, "pades") != 0)
		return fail_text(CTL_USAGE, _("--format is cades, pades or raw"));
	if (level != NULL && strcmp(level, "b") != 0 && strcmp(level, "t") != 0)
		return fail_text(CTL_USAGE, _("--level is b, or t with a time-stamp"));
	return CTL_OK;
}

int
files_read(struct job *j)
{
	const char *folder = j->c->value[OPT_OUT];
	size_t i;
	int code;

	j->count = (size_t)j->c->arg_count;
	code = take_hash(j);
	if (code == CTL_OK)
		code = check_options(j);
	if (code == CTL_OK)
		code = check_format(j);
	if (code == CTL_OK)
		code = check_folder(folder);
	if (code != CTL_OK)
		return code;
	take_places(j, j->count);
	for (i = 0; i < j->count; i++) {
		j->files[i].path = j->c->args[i];
		if (!given(j->c, OPT_STDOUT))
			j->files[i].out = out_path(j->c->args[i], folder, is_bare(j) ? ".sig" : ".p7s");
	}
	name_requests(j);
	if (given(j->c, OPT_STDOUT))
		return CTL_OK;
	code = check_distinct(j);
	if (code == CTL_OK && !given(j->c, OPT_FORCE) && !given(j->c, OPT_RESUME))
		code = check_absent(j);
	return code;
}

void
files_hash(struct job *j)
{
	struct hashes hashes;
	size_t i;

	for (i = 0; i < j->count; i++) {
		struct file *f = &j->files[i];

		switch (hash_file(&hashes, f->path, 1U << j->hash)) {
		case SIGNET_OK:
			memcpy(f->digest, hashes.of[j->hash], signet_hash_size(j->hash));
			break;
		case SIGNET_ERR_IO:
			file_fail(f, CTL_FAILED, _("cannot read it: %s"), strerror(errno));
			break;
		default:
			file_fail(f, CTL_FAILED, "%s", _("its digest cannot be computed"));
			break;
		}
	}
}

static bool
digest_of_job(void *arg, signet_hash hash, uint8_t *digest)
{
	struct hashes h;
	const struct file *f = arg;

	if (hash_file(&h, f->path, 1U << hash) != SIGNET_OK)
		return false;
	memcpy(digest, h.of[hash], signet_hash_size(hash));
	return true;
}

/* Its .p7s is a signature of it by this key, with a time-stamp if one is asked for. */
static bool
is_whole(const struct job *j, struct file *f)
{
	const char *level = j->c->value[OPT_LEVEL];
	struct cms_report r;
	size_t size = 0;
	uint8_t *bytes = cms_load(f->out, &size);
	bool good;

	if (bytes == NULL)
		return false;
	cms_check(&r, bytes, size, digest_of_job, f, NULL);
	good = r.readable && r.digest_good && r.signature_good && X509_cmp(r.signer, j->key.cert) == 0 &&
	       (level == NULL || strcmp(level, "t") != 0 || r.stamped);
	cms_report_done(&r);
	free(bytes);
	return good;
}

static void
resume_file(struct job *j, struct file *f)
{
	static struct signature s;
	struct stat st;

	if (lstat(f->out, &st) != 0)
		return;
	if (is_bare(j) ? signature_read(&s, f->out) == SIGNET_OK &&
			     check_signature(j->key.cert, j->hash, f->digest, &s, j->c->value[OPT_SCHEME], NULL)
		       : is_whole(j, f))
		f->state = FILE_KEPT;
	else
		file_fail(f, CTL_FAILED,
		    _("%s exists and is no signature of this file by this key: move it away, or use --force"),
		    f->out);
}

int
files_resume(struct job *j)
{
	size_t i;
	int code;

	if (!given(j->c, OPT_RESUME))
		return CTL_OK;
	code = pick_details(&j->key, j->c);
	if (code != CTL_OK)
		return code;
	if (j->key.cert == NULL)
		return fail_text(CTL_FAILED,
		    _("the key has no certificate, so --resume cannot tell what is signed already"));
	for (i = 0; i < j->count; i++) {
		if (j->files[i].state == FILE_WAITING)
			resume_file(j, &j->files[i]);
	}
	return CTL_OK;
}

void
files_done(struct job *j)
{
	size_t i;

	for (i = 0; i < j->count && j->files != NULL; i++) {
		free(j->files[i].out);
		free(j->files[i].why);
		json_decref(j->files[i].result);
	}
	free(j->files);
}
