/*
 * signetctl pdf verify FILE.pdf: every signature of the file, checked without a
 * daemon.
 *
 * Invariant: a signature is good when all of these hold: it leaves out itself
 * and nothing else, it is about the bytes that it covers, it was made with the
 * key of a certificate that it names, that leads to one of --ca where given,
 * and what was added to the file later only signs.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

#include "log.h"
#include "pdf_verify.h"
#include "receipt.h"

struct signed_part {
	const struct pdf_file *file;
	const struct pdf_signature *s;
};

static bool
digest_part(void *arg, signet_hash hash, uint8_t *digest)
{
	const struct signed_part *p = arg;

	return pdf_file_digest(p->file->bytes, p->s->hole, p->s->hole_end, p->s->end, hash, digest);
}

static const char *
judge_cms(const struct pdf_verdict *d)
{
	/* the older kind need not name its certificate [ISO 32000-1, 12.8.3.3] */
	bool must_name = strcmp(d->s->kind, "ETSI.CAdES.detached") == 0;

	if (!d->cms.readable)
		return N_("it cannot be read, or is of a kind that is not checked here");
	if (!d->cms.digest_good)
		return N_("the file was changed after it was signed");
	if (!d->cms.signature_good)
		return N_("it was not made with the key of its certificate");
	if (d->cms.binding == CMS_CERT_OTHER || (must_name && d->cms.binding == CMS_CERT_UNBOUND))
		return N_("it does not name the certificate that it brings");
	if (d->cms.chain_checked && !d->cms.chain_good)
		return N_("its certificate does not lead to one that you trust");
	if (d->stamp.present && !d->stamp.good)
		return N_("the time-stamp in it is not one of this signature");
	return NULL;
}

static bool
kind_is_known(const char *kind)
{
	return strcmp(kind, "ETSI.CAdES.detached") == 0 || strcmp(kind, "adbe.pkcs7.detached") == 0;
}

static const char *
check_later(struct pdf_verification *v, struct pdf_verdict *d)
{
	owned(pdf_closep) struct pdf *then = NULL;

	if (d->s->end == v->file.size)
		return NULL;
	/* what was signed must be a file by itself, or else the rest shows it in another light */
	if (pdf_open(&then, v->file.bytes, d->s->end) != PDF_OK ||
	    pdf_compare(then, v->file.pdf, &d->later) != PDF_OK)
		return N_("what was added to the file after it cannot be told");
	return d->later.foreign == 0 ? NULL : N_("the file was changed after it otherwise than by signing");
}

static void
match_receipt(const struct pdf_verification *v, struct pdf_verdict *d, const struct buf *cms)
{
	const signet_receipt *r = v->receipt;

	if (r != NULL && r->signature != NULL && r->signature_size == d->cms.size &&
	    memcmp(r->signature, cms->data, r->signature_size) == 0)
		d->receipt = r;
}

static const char *
judge(struct pdf_verification *v, struct pdf_verdict *d)
{
	struct signed_part part = {.file = &v->file, .s = d->s};
	const char *fault;
	struct buf cms;

	if (!d->s->filled)
		return N_("it is only room for a signature: nobody has signed yet");
	if (!d->s->whole)
		return N_("it leaves out more of the file than itself");
	buf_init(&cms, PDF_CONTENTS_MAX);
	if (kind_is_known(d->s->kind) && pdf_signature_bytes(d->s, &cms) == PDF_OK)
		cms_check(&d->cms, cms.data, cms.len, digest_part, &part, v->ca);
	if (d->cms.readable) {
		stamp_check(&d->stamp, cms.data, cms.len, v->ca);
		match_receipt(v, d, &cms);
	}
	buf_done(&cms);
	fault = judge_cms(d);
	return fault != NULL ? fault : check_later(v, d);
}

/* FILE.receipt, where it is there and reads as one. */
static int
read_receipt(struct pdf_verification *v)
{
	char *path = receipt_path(v->path), *text = NULL;
	size_t size = 0;
	int code = CTL_OK;
	signet_err err;

	if (access(path, F_OK) == 0) {
		text = log_file(path, JSON_MESSAGE_MAX, &size);
		err = text == NULL ? SIGNET_ERR_IO : signet_receipt_read(&v->receipt, text, size);
		if (err == SIGNET_OK && v->vkey != NULL)
			err = signet_receipt_verify(v->receipt, v->vkey, NULL);
		if (text == NULL)
			code = CTL_FAILED;
		else if (err != SIGNET_OK)
			code = fail_text(
			    CTL_FAILED, _("%s is NOT a good receipt: %s"), path, signet_error_message(NULL));
	}
	free(text);
	free(path);
	return code;
}

static int
read_inputs(struct pdf_verification *v)
{
	const char *ca = v->c->value[OPT_CA];
	pdf_err err;
	int code;

	if (ca != NULL) {
		v->ca = cms_trusted(ca);
		if (v->ca == NULL)
			return fail_text(CTL_FAILED, _("there is no certificate in %s"), ca);
	}
	code = log_vkey(v->c, &v->vkey);
	if (code == CTL_OK)
		code = read_receipt(v);
	if (code == CTL_OK)
		code = pdf_file_open(&v->file, v->path);
	if (code != CTL_OK)
		return code;
	err = pdf_signatures(v->file.pdf, &v->list, &v->count);
	if (err == PDF_OK && v->count == 0)
		err = PDF_NO_SIGNATURE;
	return err == PDF_OK ? CTL_OK : pdf_file_refused(v->path, err);
}

static void
judge_all(struct pdf_verification *v)
{
	uint64_t covered = 0;
	size_t i;

	v->verdicts = calloc(v->count, sizeof(*v->verdicts));
	if (v->verdicts == NULL)
		abort();
	for (i = 0; i < v->count; i++) {
		v->verdicts[i].s = &v->list[i];
		v->verdicts[i].fault = judge(v, &v->verdicts[i]);
		if (v->verdicts[i].fault == NULL && v->list[i].end > covered)
			covered = v->list[i].end;
	}
	v->behind = v->file.size - covered;
}

int
verb_pdf_verify(struct ctl *c)
{
	struct pdf_verification v = {.c = c, .path = c->args[0]};
	size_t i;
	int code;

	code = read_inputs(&v);
	if (code == CTL_OK) {
		judge_all(&v);
		code = pdf_verify_report(&v);
	}
	for (i = 0; i < v.count && v.verdicts != NULL; i++) {
		cms_report_done(&v.verdicts[i].cms);
		stamp_report_done(&v.verdicts[i].stamp);
	}
	free(v.verdicts);
	free(v.list);
	pdf_file_close(&v.file);
	signet_receipt_free(v.receipt);
	X509_STORE_free(v.ca);
	free(v.vkey);
	return code;
}
