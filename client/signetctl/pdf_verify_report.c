/* What signetctl pdf verify says. Names, reasons and places are what the signer wrote: shown, never believed. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"
#include "pdf_verify.h"

static void
print_pair(const char *what, const char *text)
{
	if (text[0] == '\0')
		return;
	printf("  %s ", what);
	print_safe(stdout, text);
	putchar('\n');
}

static void
print_certificate(const struct pdf_verdict *d)
{
	char *subject;

	if (d->cms.signer == NULL)
		return;
	subject = cert_subject(d->cms.signer);
	print_pair(_("certificate:"), subject);
	free(subject);
	if (!d->cms.chain_checked)
		printf("  %s\n", _("who issued the certificate was not checked"));
	else if (d->cms.chain_good)
		printf("  %s\n", _("the certificate leads to one that you trust"));
	else if (d->cms.chain_fault != NULL)
		print_pair(_("certificate:"), d->cms.chain_fault);
}

static void
print_stamp(const struct stamp_report *s)
{
	char *subject, shown[64];

	if (!s->present || !s->good)
		return;
	print_pair(_("time-stamp:"), local_time(shown, s->time));
	subject = cert_subject(s->signer);
	print_pair(_("stamped by:"), subject);
	free(subject);
	if (s->chain_checked)
		printf("  %s\n", s->chain_good ? _("who stamped it is one that you trust")
					       : _("who stamped it is NOT one that you trust"));
}

static void
print_cover(const struct pdf_verification *v, const struct pdf_verdict *d)
{
	if (!d->s->whole)
		return;
	if (d->s->end == v->file.size)
		printf("  %s\n", _("covers the whole file"));
	else
		printf(
		    _("  covers the first %llu of %zu bytes; later %zu parts were added and %zu changed\n"),
		    (unsigned long long)d->s->end, v->file.size, d->later.added, d->later.changed);
}

static void
print_log(const struct pdf_verification *v, const struct pdf_verdict *d)
{
	char time[64];

	if (d->receipt == NULL)
		return;
	printf(_("  log: entry %llu of "), (unsigned long long)d->receipt->index);
	print_safe(stdout, d->receipt->log);
	printf(_(", recorded %s\n"), local_time(time, d->receipt->time));
	if (v->vkey == NULL)
		printf("  %s\n", _("the receipt was not checked: give the log's key with --vkey"));
}

static void
print_verdict(const struct pdf_verification *v, const struct pdf_verdict *d)
{
	const char *time = d->cms.time[0] != '\0' ? d->cms.time : d->s->time;
	char shown[64];

	print_safe(stdout, d->s->field);
	if (d->fault == NULL)
		printf(": %s\n", _("good signature"));
	else
		printf(": %s: %s\n", _("NOT good"), _(d->fault));
	print_certificate(d);
	if (time[0] != '\0')
		printf(_("  time: %s, as the signer states it\n"), local_time(shown, time));
	print_pair(_("name:"), d->s->name);
	print_pair(_("reason:"), d->s->reason);
	print_pair(_("place:"), d->s->location);
	print_stamp(&d->stamp);
	print_cover(v, d);
	print_log(v, d);
}

/* Texts of the file may be any bytes made UTF-8; NULL for what is empty. */
static const char *
or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static json_t *
verdict_json(const struct pdf_verification *v, const struct pdf_verdict *d)
{
	char *subject = d->cms.signer == NULL ? NULL : cert_subject(d->cms.signer);
	json_t *object;

	object = json_pack(
	    "{s:s, s:b, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b, s:I, s:I, s:I, s:I}", "field",
	    d->s->field, "good", d->fault == NULL, "fault", d->fault, "kind", or_null(d->s->kind), "subject",
	    subject, "hash", d->cms.readable ? hash_name(d->cms.hash) : NULL, "time",
	    or_null(d->cms.time[0] != '\0' ? d->cms.time : d->s->time), "name", or_null(d->s->name), "reason",
	    or_null(d->s->reason), "location", or_null(d->s->location), "wholeFile",
	    d->s->whole && d->s->end == v->file.size, "coveredBytes",
	    (json_int_t)(d->s->whole ? d->s->end : 0), "partsAdded", (json_int_t)d->later.added,
	    "partsChanged", (json_int_t)d->later.changed, "partsForeign", (json_int_t)d->later.foreign);
	if (object != NULL && d->cms.chain_checked)
		(void)json_object_set_new(object, "trusted", json_boolean(d->cms.chain_good));
	if (object != NULL && d->stamp.present && d->stamp.good)
		(void)json_object_set_new(object, "timeStamp",
		    json_pack("{s:s, s:o}", "time", d->stamp.time, "trusted",
			d->stamp.chain_checked ? json_boolean(d->stamp.chain_good) : json_null()));
	if (object != NULL && d->receipt != NULL)
		(void)json_object_set_new(object, "logEntry",
		    json_pack("{s:s, s:I, s:s, s:b}", "log", d->receipt->log, "index",
			(json_int_t)d->receipt->index, "time", d->receipt->time, "checked", v->vkey != NULL));
	free(subject);
	return object;
}

static int
report_json(const struct pdf_verification *v, bool good)
{
	json_t *list = json_array(), *object;
	size_t i;
	int code;

	for (i = 0; i < v->count; i++)
		(void)json_array_append_new(list, verdict_json(v, &v->verdicts[i]));
	object = json_pack("{s:s*, s:b, s:I, s:o}", "file", v->path, "good", good, "bytesBehind",
	    (json_int_t)v->behind, "signatures", list);
	code = print_json(object);
	json_decref(object);
	return code;
}

int
pdf_verify_report(const struct pdf_verification *v)
{
	size_t i, bad = 0;
	bool good;

	for (i = 0; i < v->count; i++)
		bad += v->verdicts[i].fault != NULL;
	good = bad == 0 && v->behind == 0;
	if (given(v->c, OPT_JSON) && report_json(v, good) != CTL_OK)
		return CTL_FAILED;
	for (i = 0; i < v->count && !given(v->c, OPT_JSON); i++)
		print_verdict(v, &v->verdicts[i]);
	(void)fflush(stdout);
	if (bad > 0)
		return fail_text(
		    CTL_FAILED, _("%s: %zu of %zu signatures are NOT good"), v->path, bad, v->count);
	if (v->behind > 0)
		return fail_text(CTL_FAILED, _("%s: %llu bytes were added after the last signature"), v->path,
		    (unsigned long long)v->behind);
	return CTL_OK;
}
