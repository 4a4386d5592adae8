/*
 * signetctl log report: a page about what was signed, by whom, and whether the
 * log can be believed. The whole log is read and verified, whatever time the
 * page is about.
 */
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "log.h"
#include "log_out.h"

enum { SOON_DAYS = 60 };

static bool
take_entry(void *arg, struct log_entry *e)
{
	report_entry(arg, e);
	return true;
}

static char *
subject_of(const signet_key *key)
{
	X509 *cert = key->certificate_count == 0
			 ? NULL
			 : cert_from_der(key->certificates[0], key->certificate_sizes[0]);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *data = NULL;
	long n;

	if (bio == NULL)
		abort();
	if (cert != NULL)
		(void)X509_NAME_print_ex(
		    bio, X509_get_subject_name(cert), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
	n = BIO_get_mem_data(bio, &data);
	text = strndup(n > 0 ? data : "", n > 0 ? (size_t)n : 0);
	BIO_free(bio);
	X509_free(cert);
	if (text == NULL)
		abort();
	return text;
}

static bool
is_soon(const char *not_after)
{
	struct tm t = {0};

	if (strptime(not_after, "%Y-%m-%dT%H:%M:%S", &t) == NULL)
		return false;
	return timegm(&t) < time(NULL) + (time_t)SOON_DAYS * 24 * 3600;
}

static void
take_key(void *arg, const signet_key *key)
{
	struct report *r = arg;
	struct report_certificate *c;

	if (key->organisation != NULL)
		(void)json_object_set_new(r->key_organisation, key->name, json_string(key->organisation));
	if (key->not_after == NULL)
		return;
	r->certificates = realloc(r->certificates, (r->certificate_count + 1) * sizeof(*r->certificates));
	if (r->certificates == NULL)
		abort();
	c = &r->certificates[r->certificate_count++];
	c->key = strdup(key->name);
	c->not_after = strdup(key->not_after);
	c->subject = subject_of(key);
	c->soon = is_soon(key->not_after);
	if (c->key == NULL || c->not_after == NULL)
		abort();
}

static int
by_end(const void *a, const void *b)
{
	return strcmp(((const struct report_certificate *)a)->not_after,
	    ((const struct report_certificate *)b)->not_after);
}

/* What the daemon knows of its keys. Not to see any is no fault of the report. */
static void
ask_keys(struct ctl *c, struct report *r)
{
	signet_err err;

	if (ctl_connect(c) != CTL_OK)
		return;
	err = signet_keys(c->conn, NULL, take_key, r);
	r->keys_known = err == SIGNET_OK || err == SIGNET_ERR_KEY_NOT_FOUND;
	if (r->certificate_count > 0)
		qsort(r->certificates, r->certificate_count, sizeof(*r->certificates), by_end);
}

static int
read_times(struct ctl *c, struct report *r)
{
	const char *from = c->value[OPT_FROM], *until = c->value[OPT_UNTIL];

	if (from != NULL && !log_time_read(from, false, r->from))
		return fail_text(CTL_USAGE,
		    _("\"%s\" is no time: 2026-11-21, \"2026-11-21 10:30\" or 2026-11-21T03:30:00Z"), from);
	if (until != NULL && !log_time_read(until, true, r->until))
		return fail_text(CTL_USAGE,
		    _("\"%s\" is no time: 2026-11-21, \"2026-11-21 10:30\" or 2026-11-21T03:30:00Z"), until);
	return CTL_OK;
}

static int
collect(struct ctl *c, struct report *r)
{
	size_t count = c->copy_count > 0 ? (size_t)c->copy_count : 1;
	int code = CTL_OK;

	r->key_organisation = json_object();
	r->verdicts = calloc(count, sizeof(*r->verdicts));
	if (r->verdicts == NULL || r->key_organisation == NULL)
		abort();
	if (c->copy_count == 0)
		ask_keys(c, r);
	for (size_t i = 0; i < count && code == CTL_OK; i++) {
		code = log_verify(
		    c, c->copy_count > 0 ? c->copies[i] : NULL, NULL, &r->verdicts[i], false, take_entry, r);
		r->verdict_count++;
	}
	tally_sort(&r->keys, false);
	tally_sort(&r->people, false);
	tally_sort(&r->organisations, false);
	tally_sort(&r->operations, false);
	tally_sort(&r->days, true);
	return code;
}

/* A page about a log that is not as it was logged is made all the same, and says so; so does the exit status. */
static int
judgement(const struct report *r)
{
	int code = CTL_OK;

	for (size_t i = 0; i < r->verdict_count; i++) {
		char *line;

		if (r->verdicts[i].good)
			continue;
		line = log_verdict_text(&r->verdicts[i]);
		code = fail_text(CTL_FAILED, "%s", line);
		free(line);
	}
	return code;
}

int
verb_log_report(struct ctl *c)
{
	static struct report r;
	struct log_out out;
	int code, judged;

	code = read_times(c, &r);
	if (code == CTL_OK)
		code = log_out_open(&out, c);
	if (code != CTL_OK)
		return code;
	code = collect(c, &r);
	if (code == CTL_OK)
		report_html(&r, out.f);
	code = log_out_close(&out, code);
	judged = judgement(&r);
	report_done(&r);
	return code == CTL_OK ? judged : code;
}
