/*
 * signetctl receipt: the entry of a signature and its proof, saved beside it;
 * and what such a file proves, years later and without a daemon.
 *
 * Invariant: no receipt is written that does not verify.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"

#include "check.h"
#include "hash.h"
#include "log.h"
#include "out.h"
#include "pdf_file.h"
#include "receipt.h"
#include "verify.h"

char *
receipt_path(const char *file)
{
	char *path = NULL;

	if (asprintf(&path, "%s.receipt", file) < 0)
		abort();
	return path;
}

char *
receipt_beside(const char *signature_file)
{
	size_t n = strlen(signature_file);
	char *path = NULL;

	if (n > 4 && (strcmp(signature_file + n - 4, ".sig") == 0 || strcmp(signature_file + n - 4, ".p7s") == 0))
		n -= 4;
	if (asprintf(&path, "%.*s.receipt", (int)n, signature_file) < 0)
		abort();
	return path;
}

int
receipt_write(const char *path, const char *json, bool replace)
{
	int failed = out_write(path, json, strlen(json), replace);

	if (failed == EEXIST)
		return fail_text(CTL_FAILED, _("%s exists already: --force replaces it"), path);
	return failed == 0 ? CTL_OK : fail_text(CTL_FAILED, _("cannot write %s: %s"), path, strerror(failed));
}

/* --- making one --- */

struct making {
	struct ctl *c;
	const char *file;
	char *signature_file;
	uint64_t index;
	bool found;
	char *entry, *proof, *json;
	struct log_head head;
	char *vkey;
};

static bool
keep_index(void *arg, struct log_entry *e)
{
	struct making *m = arg;

	m->index = e->index;
	m->found = true;
	return false;
}

/* How the log knows the signature: FILE.sig, or the last one in a PDF. free() it; NULL after the fault was printed. */
static char *
signature_hash(const struct making *m)
{
	char text[DIGEST_TEXT_MAX];
	struct buf cms;
	bool found;
	int saved;

	if (access(m->signature_file, R_OK) == 0)
		return signature_hash_of_file(m->signature_file);
	saved = errno;
	buf_init(&cms, PDF_CONTENTS_MAX);
	found = pdf_file_last_cms(m->file, &cms, text);
	buf_done(&cms);
	if (found)
		return strdup(text);
	warn_text(_("cannot read %s: %s; --index or --request-id can name the entry, too"), m->signature_file,
	    strerror(saved));
	return NULL;
}

/* By the signature's hash. `own` first: that needs the smallest right. */
static int
find_by_signature(struct making *m)
{
	struct log_query q = {.own = true, .limit = 1, .filter_count = 1};
	char *hash = signature_hash(m);
	int code;

	if (hash == NULL)
		return CTL_FAILED;
	q.filter[0] = json_pack("{s:s}", "signatureHash", hash);
	free(hash);
	code = log_read(m->c, &q, keep_index, m);
	q.own = false;
	if (code == CTL_OK && !m->found)
		code = log_read(m->c, &q, keep_index, m);
	log_query_done(&q);
	if (code == CTL_OK && !m->found)
		code = fail_text(
		    CTL_REFUSED, _("the log has no entry of yours with the signature %s"), m->signature_file);
	return code;
}

static int
find_by_request(struct making *m)
{
	signet_result *r = NULL;
	signet_err err;
	int code;

	code = ctl_connect(m->c);
	if (code != CTL_OK)
		return code;
	err = signet_collect(m->c->conn, NULL, m->c->value[OPT_REQUEST_ID], NULL, &r);
	if (err != SIGNET_OK)
		return fail_call(m->c, err);
	m->index = r->index;
	m->found = r->entry != NULL;
	signet_result_free(r);
	return m->found
		   ? CTL_OK
		   : fail_text(CTL_LATER, _("there is no entry of this request yet: ask again in a moment"));
}

static int
find_entry(struct making *m)
{
	unsigned long index = 0;

	if (given(m->c, OPT_INDEX) && given(m->c, OPT_REQUEST_ID))
		return fail_text(CTL_USAGE, _("say which: either --request-id or --index"));
	if (given(m->c, OPT_INDEX)) {
		if (!option_number(m->c, OPT_INDEX, 0, INT64_MAX, &index))
			return CTL_USAGE;
		m->index = index;
		return CTL_OK;
	}
	return given(m->c, OPT_REQUEST_ID) ? find_by_request(m) : find_by_signature(m);
}

/* The digest of the document, which must be the entry's. */
static int
digest_document(const struct making *m, struct log_entry *e, struct digest *d)
{
	const char *stated = log_text(e, "digest");
	struct hashes h;
	signet_hash hash;

	if (stated == NULL || digest_parse(d, stated, NULL) != SIGNET_OK)
		return fail_text(
		    CTL_FAILED, _("entry %llu is not about a signature"), (unsigned long long)m->index);
	hash = hash_find(digest_name(d->alg));
	if (access(m->file, F_OK) != 0)
		return CTL_OK;
	if (hash_file(&h, m->file, 1U << hash) != SIGNET_OK)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), m->file, strerror(errno));
	if (memcmp(h.of[hash], d->bytes, digest_size(d->alg)) != 0 && !pdf_file_has_digest(m->file, hash, d->bytes))
		return fail_text(CTL_FAILED, _("%s is not what was signed in entry %llu"), m->file,
		    (unsigned long long)m->index);
	return CTL_OK;
}

/* The signature into `bytes`, where there is one to keep. */
static int
take_signature(const struct making *m, struct buf *bytes)
{
	static struct signature s;
	char ignored[DIGEST_TEXT_MAX];

	if (access(m->signature_file, F_OK) != 0) {
		if (!pdf_file_last_cms(m->file, bytes, ignored))
			buf_reset(bytes);
		return CTL_OK;
	}
	if (signature_read(&s, m->signature_file) != SIGNET_OK)
		return fail_text(CTL_FAILED, _("%s is not a bare signature"), m->signature_file);
	buf_put(bytes, s.bytes, s.size);
	return CTL_OK;
}

static int
compose(struct making *m, const struct digest *d, const char *time)
{
	uint8_t leaf[SIGNET_LOG_HASH];
	signet_result r = {.log = m->head.origin,
	    .index = m->index,
	    .time = time,
	    .entry = m->entry,
	    .leaf_hash = leaf,
	    .proof = m->proof};
	struct buf signature;
	signet_err err;
	int code;

	signet_log_leaf(m->entry, strlen(m->entry), leaf);
	buf_init(&signature, PDF_CONTENTS_MAX);
	code = take_signature(m, &signature);
	if (code == CTL_OK) {
		r.signature = signature.len > 0 ? signature.data : NULL;
		r.signature_size = signature.len;
		err = signet_receipt_make(&r, hash_find(digest_name(d->alg)), d->bytes, &m->json);
		if (err != SIGNET_OK)
			code = fail_error(err, signet_error_message(NULL));
	}
	buf_done(&signature);
	return code;
}

/* As who reads it later would do. */
static int
prove_good(const struct making *m)
{
	signet_receipt *r = NULL;
	signet_err err;

	err = signet_receipt_read(&r, m->json, strlen(m->json));
	if (err == SIGNET_OK)
		err = signet_receipt_verify(r, m->vkey != NULL ? m->vkey : m->head.key, NULL);
	signet_receipt_free(r);
	return err == SIGNET_OK ? CTL_OK : fail_text(CTL_FAILED, "%s", signet_error_message(NULL));
}

static int
make(struct making *m)
{
	struct log_entry e = {0};
	struct digest d;
	char *path;
	int code;

	code = log_vkey(m->c, &m->vkey);
	if (code == CTL_OK)
		code = find_entry(m);
	if (code == CTL_OK)
		code = log_head(m->c, &m->head);
	if (code == CTL_OK)
		code =
		    log_prove(m->c, m->index, m->vkey != NULL ? m->vkey : m->head.key, &m->entry, &m->proof);
	if (code != CTL_OK)
		return code;
	e.text = m->entry;
	e.size = strlen(m->entry);
	code = digest_document(m, &e, &d);
	if (code == CTL_OK)
		code = compose(m, &d, log_text(&e, "time") == NULL ? "" : log_text(&e, "time"));
	if (code == CTL_OK)
		code = prove_good(m);
	json_decref(e.read);
	if (code != CTL_OK)
		return code;
	path = given(m->c, OPT_OUT) ? strdup(m->c->value[OPT_OUT]) : receipt_path(m->file);
	code = receipt_write(path, m->json, given(m->c, OPT_FORCE));
	if (code == CTL_OK) {
		print_safe(stdout, path);
		printf(_(": receipt of log entry %llu\n"), (unsigned long long)m->index);
	}
	free(path);
	return code;
}

int
verb_receipt(struct ctl *c)
{
	struct making m = {.c = c, .file = c->args[0]};
	int code;

	if (given(c, OPT_JSON))
		return fail_text(CTL_USAGE, _("a receipt is a JSON document itself: see its file"));
	m.signature_file = out_beside(m.file);
	code = make(&m);
	free(m.signature_file);
	free(m.entry);
	free(m.proof);
	free(m.json);
	free(m.vkey);
	log_head_done(&m.head);
	return code;
}

/* --- verifying one --- */

/* NULL: there is none to compare. The document that was named, or the file beside the receipt. */
static char *
document_of(const struct ctl *c)
{
	const char *path = c->args[0], *end = strrchr(path, '.');
	char *document;

	if (c->arg_count > 1)
		return strdup(c->args[1]);
	if (end == NULL || strcmp(end, ".receipt") != 0)
		return NULL;
	document = strndup(path, (size_t)(end - path));
	if (document != NULL && access(document, F_OK) == 0)
		return document;
	free(document);
	return NULL;
}

static int
compare_document(const signet_receipt *r, struct log_entry *e, const char *document)
{
	const char *stated = r->digest != NULL ? r->digest : log_text(e, "digest");
	struct digest d;
	struct hashes h;
	signet_hash hash;

	if (stated == NULL || digest_parse(&d, stated, NULL) != SIGNET_OK)
		return fail_text(CTL_FAILED, _("the entry is not about a document"));
	hash = hash_find(digest_name(d.alg));
	if (hash_file(&h, document, 1U << hash) != SIGNET_OK)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), document, strerror(errno));
	/* a PDF holds its signature: then the rest of it was signed */
	if (memcmp(h.of[hash], d.bytes, digest_size(d.alg)) != 0 && !pdf_file_has_digest(document, hash, d.bytes))
		return fail_text(CTL_FAILED,
		    _("the receipt is good, but %s is NOT the document that was signed"), document);
	return CTL_OK;
}

static int
report(struct ctl *c, const signet_receipt *r, struct log_entry *e, const signet_checkpoint *covered,
    const char *document)
{
	char time[64];
	json_t *object;
	int code;

	if (given(c, OPT_JSON)) {
		object = json_pack("{s:b, s:s, s:I, s:s, s:s, s:I, s:s*, s:s*}", "good", 1, "log", r->log,
		    "index", (json_int_t)r->index, "time", r->time, "entry", r->entry, "coveredBy",
		    (json_int_t)covered->size, "digest", r->digest, "document", document);
		code = print_json(object);
		json_decref(object);
		return code;
	}
	e->log = r->log;
	printf(_("Good receipt: entry %llu of "), (unsigned long long)r->index);
	print_safe(stdout, r->log);
	printf(_(", recorded %s\n"), local_time(time, r->time));
	printf(_("  covered by a signed checkpoint of %llu entries\n"), (unsigned long long)covered->size);
	if (document != NULL) {
		printf("  %s ", _("what was signed is"));
		print_safe(stdout, document);
		putchar('\n');
	} else {
		printf("  %s\n", _("no document was compared"));
	}
	log_print_details(e);
	return CTL_OK;
}

static int
verify(struct ctl *c, const char *text, size_t size, const char *vkey)
{
	signet_receipt *r = NULL;
	signet_checkpoint covered;
	struct log_entry e = {0};
	char *document = NULL;
	signet_err err;
	int code = CTL_OK;

	err = signet_receipt_read(&r, text, size);
	if (err == SIGNET_OK)
		err = signet_receipt_verify(r, vkey, &covered);
	if (err != SIGNET_OK) {
		signet_receipt_free(r);
		return fail_text(
		    CTL_FAILED, _("%s is NOT a good receipt: %s"), c->args[0], signet_error_message(NULL));
	}
	e = (struct log_entry){
	    .text = r->entry, .size = strlen(r->entry), .index = r->index, .foreign = true};
	document = document_of(c);
	if (document != NULL)
		code = compare_document(r, &e, document);
	if (code == CTL_OK)
		code = report(c, r, &e, &covered, document);
	json_decref(e.read);
	free(document);
	signet_receipt_free(r);
	return code;
}

int
verb_receipt_verify(struct ctl *c)
{
	char *text, *vkey;
	size_t size;
	int code;

	code = log_vkey(c, &vkey);
	if (code != CTL_OK)
		return code;
	if (vkey == NULL)
		return fail_text(CTL_USAGE, _("--vkey is needed: the log's key from your own record; "
					      "signetctl log head shows that of a daemon"));
	text = log_file(c->args[0], 1 << 20, &size);
	code = text == NULL ? CTL_FAILED : verify(c, text, size, vkey);
	free(text);
	free(vkey);
	return code;
}
