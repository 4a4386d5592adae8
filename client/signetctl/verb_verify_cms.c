/*
 * signetctl verify FILE FILE.p7s: who signed, when, with which certificate, and
 * each thing that was checked by itself; no daemon is needed. A receipt that
 * lies beside it says where the signature stands in the log.
 *
 * Invariant: the exit code is 0 only if every check that was made is good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <signet/log.h>

#include "base/json.h"
#include "check.h"
#include "cms.h"
#include "cms_stamp.h"
#include "ctl.h"
#include "hash.h"
#include "log.h"
#include "receipt.h"
#include "verify.h"

struct judgement {
	const struct verify_cms *v;
	struct cms_report cms;
	struct stamp_report stamp;
	int64_t index; /* of the log entry in FILE.receipt; -1: there is none of this signature */
};

static bool
digest_of_file(void *arg, signet_hash hash, uint8_t *digest)
{
	struct hashes h;

	if (hash_file(&h, arg, 1U << hash) != SIGNET_OK)
		return false;
	memcpy(digest, h.of[hash], signet_hash_size(hash));
	return true;
}

static bool
is_good(const struct judgement *j)
{
	const struct cms_report *c = &j->cms;
	const struct stamp_report *s = &j->stamp;

	return c->readable && c->digest_good && c->signature_good && c->binding == CMS_CERT_BOUND &&
	       (!c->chain_checked || c->chain_good) && (!s->present || (s->good && (!s->chain_checked || s->chain_good)));
}

static bool
is_about(const signet_receipt *r, const char *want)
{
	json_t *entry = NULL;
	const char *stated;
	bool same = false;

	if (json_read(&entry, r->entry, strlen(r->entry), NULL) == SIGNET_OK) {
		stated = json_member_str(entry, "signatureHash");
		same = stated != NULL && strcmp(stated, want) == 0;
	}
	json_decref(entry);
	return same;
}

static void
look_for_entry(struct judgement *j)
{
	char *path = receipt_path(j->v->file), *text = NULL, *want = signature_hash_of_file(j->v->signature_file);
	signet_receipt *receipt = NULL;
	size_t size = 0;

	if (access(path, R_OK) == 0)
		text = log_file(path, 1 << 20, &size);
	if (want != NULL && text != NULL && signet_receipt_read(&receipt, text, size) == SIGNET_OK &&
	    is_about(receipt, want))
		j->index = (int64_t)receipt->index;
	signet_receipt_free(receipt);
	free(text);
	free(want);
	free(path);
}

/* --- what is shown --- */

static void
show_chain(bool checked, bool good, const char *fault)
{
	if (!checked)
		printf("    %s\n", _("who issued the certificate was not checked (--ca FILE)"));
	else if (good)
		printf("    %s\n", _("issued under an authority in the file of --ca"));
	else
		printf("    %s %s\n", _("NOT issued under an authority in the file of --ca:"), fault);
}

static void
show_who(const char *label, X509 *cert)
{
	char *subject = cert_subject(cert);

	printf("  %s ", label);
	print_safe(stdout, subject);
	putchar('\n');
	free(subject);
}

static void
show_stamp(const struct stamp_report *s)
{
	if (!s->present) {
		printf("  %s\n", _("time-stamp: none"));
		return;
	}
	if (!s->good) {
		printf("  %s\n", _("time-stamp: NOT one of this signature"));
		return;
	}
	printf("  %s %s\n", _("time-stamp:"), s->time);
	show_who(_("stamped by:"), s->signer);
	show_chain(s->chain_checked, s->chain_good, s->chain_fault);
}

static void
show_text(const struct judgement *j)
{
	const struct cms_report *c = &j->cms;

	puts(is_good(j) ? _("Good signature") : _("NOT a good signature"));
	if (!c->readable)
		return;
	show_who(_("signed by:"), c->signer);
	show_chain(c->chain_checked, c->chain_good, c->chain_fault);
	if (c->time[0] != '\0')
		printf("  %s %s\n", _("time stated by the signer:"), c->time);
	show_stamp(&j->stamp);
	printf("  %s\n", c->digest_good ? _("the document is the one that was signed")
					: _("the document is NOT the one that was signed"));
	printf("  %s\n", c->signature_good ? _("the signature is by the key of this certificate")
					   : _("the signature is NOT by the key of this certificate"));
	printf("  %s\n", c->binding == CMS_CERT_BOUND ? _("the signature names this certificate")
						       : _("the signature does NOT name this certificate"));
	if (j->index >= 0)
		printf(_("  log entry: %lld (signetctl receipt verify proves it)\n"), (long long)j->index);
}

static json_t *
chain_json(bool checked, bool good)
{
	return checked ? json_boolean(good) : json_null();
}

static int
show_json(const struct judgement *j)
{
	const struct cms_report *c = &j->cms;
	const struct stamp_report *s = &j->stamp;
	char *subject = c->signer != NULL ? cert_subject(c->signer) : NULL;
	char *stamper = s->signer != NULL ? cert_subject(s->signer) : NULL;
	json_t *object, *stamp = json_null();
	int code;

	if (s->present)
		stamp = json_pack("{s:b, s:s*, s:s*, s:o}", "good", s->good, "time", s->good ? s->time : NULL, "subject",
		    stamper, "chainGood", chain_json(s->chain_checked, s->chain_good));
	object = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:s*, s:o, s:s*, s:o, s:o}", "file", j->v->file,
	    "signatureFile", j->v->signature_file, "good", is_good(j), "documentGood", c->digest_good, "signatureGood",
	    c->signature_good, "namesCertificate", c->binding == CMS_CERT_BOUND, "subject", subject, "chainGood",
	    chain_json(c->chain_checked, c->chain_good), "signingTime", c->time[0] != '\0' ? c->time : NULL,
	    "timeStamp", stamp, "index", j->index >= 0 ? json_integer(j->index) : json_null());
	code = print_json(object);
	json_decref(object);
	free(subject);
	free(stamper);
	return code;
}

int
verify_cms(const struct verify_cms *v)
{
	const char *ca_file = v->c->value[OPT_CA];
	X509_STORE *ca = ca_file == NULL ? NULL : cms_trusted(ca_file);
	struct judgement j = {.v = v, .index = -1};
	int code = CTL_OK;

	if (ca_file != NULL && ca == NULL)
		return fail_text(CTL_FAILED, _("there is no certificate, PEM or DER, in %s"), ca_file);
	cms_check(&j.cms, v->bytes, v->size, digest_of_file, (void *)(uintptr_t)v->file, ca);
	stamp_check(&j.stamp, v->bytes, v->size, ca);
	if (j.cms.signature_good)
		look_for_entry(&j);
	if (given(v->c, OPT_JSON))
		code = show_json(&j);
	else
		show_text(&j);
	if (code == CTL_OK && !is_good(&j))
		code = fail_text(CTL_FAILED,
		    _("%s is NOT a good signature of %s: file, signature or signer is another one"), v->signature_file,
		    v->file);
	cms_report_done(&j.cms);
	stamp_report_done(&j.stamp);
	X509_STORE_free(ca);
	return code;
}
