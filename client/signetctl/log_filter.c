/*
 * What is searched for: options become the filter of org.signetd.Log; for
 * copies the same object is judged here.
 *
 * Invariant: daemon and copies get one and the same filter, so that a search
 * finds the same in both.
 */
#include <errno.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#include "check.h"
#include "cms.h"
#include "cms_stamp.h"
#include "hash.h"
#include "log.h"
#include "verify.h"

static const struct {
	enum option_id option;
	const char *name;
} plain[] = {{OPT_KEY, "key"}, {OPT_KIND, "kind"}, {OPT_TOKEN, "token"}, {OPT_OPERATION, "operation"},
    {OPT_OUTCOME, "outcome"}, {OPT_DIGEST, "digest"}, {OPT_NUMBER, "number"}, {OPT_DATE, "date"},
    {OPT_REQUEST_ID, "requestId"}};

char *
log_hash_text(const void *bytes, size_t size)
{
	struct digest d = {.alg = DIGEST_SHA256};
	char text[DIGEST_TEXT_MAX], *copy;

	tlog_sha256(d.bytes, bytes, size);
	digest_format(&d, text);
	copy = strdup(text);
	if (copy == NULL)
		abort();
	return copy;
}

static char *
digest_text(const struct hashes *h, signet_hash hash)
{
	struct digest d = {.alg = DIGEST_SHA256 + (hash - SIGNET_SHA256)};
	char text[DIGEST_TEXT_MAX], *copy;

	memcpy(d.bytes, h->of[hash], signet_hash_size(hash));
	digest_format(&d, text);
	copy = strdup(text);
	if (copy == NULL)
		abort();
	return copy;
}

char *
log_hash_of_file(const char *path)
{
	struct hashes h;

	if (hash_file(&h, path, 1U << SIGNET_SHA256) != SIGNET_OK) {
		warn_text(_("cannot read %s: %s"), path, strerror(errno));
		return NULL;
	}
	return digest_text(&h, SIGNET_SHA256);
}

char *
signature_hash_of_file(const char *path)
{
	size_t size = 0, used;
	uint8_t *bytes = cms_load(path, &size);
	char text[DIGEST_TEXT_MAX];
	bool is_cms = bytes != NULL && cms_value_hash(bytes, size, &used, text);

	free(bytes);
	return is_cms ? strdup(text) : log_hash_of_file(path);
}

static void
put(json_t *filter, const char *name, const char *value)
{
	if (json_object_set_new(filter, name, json_string(value)) != 0)
		abort(); /* checked to be UTF-8, so it is memory */
}

static bool
is_hash(const char *value)
{
	struct digest d;

	return digest_parse(&d, value, NULL) == SIGNET_OK && d.alg == DIGEST_SHA256;
}

/* "sha256:<hex>", or the hash of a file. */
static int
put_hash(json_t *filter, const char *name, const char *value)
{
	char *hash;

	if (is_hash(value)) {
		put(filter, name, value);
		return CTL_OK;
	}
	hash = signature_hash_of_file(value);
	if (hash == NULL)
		return CTL_FAILED;
	put(filter, name, hash);
	free(hash);
	return CTL_OK;
}

static int
put_cert(json_t *filter, const char *value)
{
	unsigned char *der = NULL;
	X509 *cert;
	char *hash;
	int n;

	if (is_hash(value)) {
		put(filter, "certHash", value);
		return CTL_OK;
	}
	cert = cert_from_file(value);
	if (cert == NULL)
		return fail_text(CTL_FAILED, _("there is no certificate, PEM or DER, in %s"), value);
	n = i2d_X509(cert, &der);
	X509_free(cert);
	if (n < 0)
		abort();
	hash = log_hash_text(der, (size_t)n);
	OPENSSL_free(der);
	put(filter, "certHash", hash);
	free(hash);
	return CTL_OK;
}

static int
put_uid(json_t *filter, const char *value)
{
	const struct passwd *user = getpwnam(value);
	unsigned long number;
	char *end;

	if (user != NULL) {
		number = user->pw_uid;
	} else {
		errno = 0;
		number = strtoul(value, &end, 10);
		if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number > UINT32_MAX)
			return fail_text(
			    CTL_USAGE, _("%s is neither a user of this machine nor a number"), value);
	}
	if (json_object_set_new(filter, "uid", json_integer((json_int_t)number)) != 0)
		abort();
	return CTL_OK;
}

static int
put_time(json_t *filter, const char *name, const char *value, bool end)
{
	char text[LOG_TIME];

	if (!log_time_read(value, end, text))
		return fail_text(CTL_USAGE,
		    _("\"%s\" is no time: 2026-11-21, \"2026-11-21 10:30\" or 2026-11-21T03:30:00Z"), value);
	put(filter, name, text);
	return CTL_OK;
}

static bool
is_index(const char *value)
{
	return value[strspn(value, "0123456789")] == '\0' && value[0] != '\0';
}

static int
put_special(struct ctl *c, json_t *filter)
{
	const char *from = c->value[OPT_FROM];
	int code = CTL_OK;

	if (from != NULL && !is_index(from))
		code = put_time(filter, "from", from, false);
	if (code == CTL_OK && given(c, OPT_UNTIL))
		code = put_time(filter, "until", c->value[OPT_UNTIL], true);
	if (code == CTL_OK && given(c, OPT_UID))
		code = put_uid(filter, c->value[OPT_UID]);
	if (code == CTL_OK && given(c, OPT_CERT))
		code = put_cert(filter, c->value[OPT_CERT]);
	if (code == CTL_OK && given(c, OPT_SIGNATURE))
		code = put_hash(filter, "signatureHash", c->value[OPT_SIGNATURE]);
	return code;
}

static int
put_plain(struct ctl *c, json_t *filter)
{
	struct digest d;
	const char *why;

	for (size_t i = 0; i < array_len(plain); i++) {
		const char *value = c->value[plain[i].option];
		json_t *text;

		if (value == NULL)
			continue;
		if (plain[i].option == OPT_DIGEST && digest_parse(&d, value, &why) != SIGNET_OK)
			return fail_text(CTL_USAGE, "--digest: %s", why);
		text = json_string(value);
		if (text == NULL)
			return fail_text(CTL_USAGE, _("\"%s\" is not UTF-8"), value);
		if (json_object_set_new(filter, plain[i].name, text) != 0)
			abort();
	}
	if (given(c, OPT_DATE) && !given(c, OPT_NUMBER))
		return fail_text(CTL_USAGE, _("--date goes with --number"));
	return CTL_OK;
}

/* The entry of a receipt: by the signature's hash in the entry itself. False: it is no receipt. */
static bool
add_receipt(struct log_query *q, const char *path)
{
	signet_receipt *r = NULL;
	struct log_entry e = {0};
	const char *hash;
	char *text;
	size_t size;
	FILE *f = fopen(path, "rbe");
	bool found = false;

	if (f == NULL)
		return false;
	text = malloc((1 << 20) + 1);
	if (text == NULL)
		abort();
	size = fread(text, 1, (1 << 20) + 1, f);
	(void)fclose(f);
	if (size <= 1 << 20 && signet_receipt_read(&r, text, size) == SIGNET_OK) {
		e.text = r->entry;
		e.size = strlen(r->entry);
		hash = log_text(&e, "signatureHash");
		if (hash != NULL) {
			put(q->filter[0], "signatureHash", hash);
			found = true;
		}
		json_decref(e.read);
		signet_receipt_free(r);
	}
	free(text);
	return found;
}

/* A signature, or a document: four things that may stand in an entry. */
static int
add_file(struct log_query *q, const char *path)
{
	static const unsigned all = 1U << SIGNET_SHA256 | 1U << SIGNET_SHA384 | 1U << SIGNET_SHA512;
	struct hashes h;
	unsigned i;
	char *text;

	if (add_receipt(q, path))
		return CTL_OK;
	if (hash_file(&h, path, all) != SIGNET_OK)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), path, strerror(errno));
	for (i = 1; i < LOG_FILTERS_MAX; i++) {
		q->filter[i] = json_copy(q->filter[0]);
		if (q->filter[i] == NULL)
			abort();
	}
	text = digest_text(&h, SIGNET_SHA256);
	put(q->filter[0], "signatureHash", text);
	free(text);
	for (i = SIGNET_SHA256; i < HASH_COUNT; i++) {
		text = digest_text(&h, (signet_hash)i);
		put(q->filter[i], "digest", text);
		free(text);
	}
	q->filter_count = LOG_FILTERS_MAX;
	return CTL_OK;
}

int
log_query_read(struct ctl *c, struct log_query *q)
{
	unsigned long from = 0, limit = 0;
	const char *value = c->value[OPT_FROM];
	int code;

	q->filter[0] = json_object();
	if (q->filter[0] == NULL)
		abort();
	if (value != NULL && is_index(value) && !option_number(c, OPT_FROM, 0, INT64_MAX, &from))
		return CTL_USAGE;
	if (!option_number(c, OPT_LIMIT, 1, 1000000, &limit))
		return CTL_USAGE;
	q->from = from;
	q->limit = limit;
	q->titles = given(c, OPT_TITLES);
	code = put_plain(c, q->filter[0]);
	if (code == CTL_OK)
		code = put_special(c, q->filter[0]);
	if (code == CTL_OK && given(c, OPT_FILE))
		code = add_file(q, c->value[OPT_FILE]);
	if (q->filter_count == 0)
		q->filter_count = json_object_size(q->filter[0]) > 0;
	return code;
}

void
log_query_done(struct log_query *q)
{
	for (size_t i = 0; i < LOG_FILTERS_MAX; i++)
		json_decref(q->filter[i]);
}

/* number and date are not in the entry: their texts lie beside it. */
static bool
text_passes(struct log_entry *e, const char *name, const json_t *want)
{
	bool opening = strcmp(name, "number") == 0 || strcmp(name, "date") == 0;
	const char *is = opening ? log_opening(e, name) : log_text(e, name);

	return is != NULL && strcmp(is, json_string_value(want)) == 0;
}

static bool
one_passes(const json_t *filter, struct log_entry *e)
{
	const json_t *want;
	const char *name, *time;
	int64_t uid;

	json_object_foreach((json_t *)filter, name, want)
	{
		if (strcmp(name, "from") == 0 || strcmp(name, "until") == 0) {
			time = log_text(e, "time");
			if (time == NULL || (strcmp(time, json_string_value(want)) < 0) == (name[0] == 'f'))
				return false;
		} else if (json_is_integer(want)) {
			if (!log_number(e, name, &uid) || uid != json_integer_value(want))
				return false;
		} else if (!text_passes(e, name, want)) {
			return false;
		}
	}
	return true;
}

/*
 * Whether the entry's bytes could hold all that is wanted, told without reading them as JSON: the daemon writes what
 * needs no escape as it is. For large copies; true may mean no.
 */
static bool
may_pass(const json_t *filter, const struct log_entry *e)
{
	const json_t *want;
	const char *name, *text, *p;

	json_object_foreach((json_t *)filter, name, want)
	{
		text = json_string_value(want);
		if (text == NULL || strcmp(name, "from") == 0 || strcmp(name, "until") == 0 ||
		    strcmp(name, "number") == 0 || strcmp(name, "date") == 0)
			continue;
		for (p = text; (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\'; p++)
			;
		if (*p == '\0' && memmem(e->text, e->size, text, strlen(text)) == NULL)
			return false;
	}
	return true;
}

bool
log_passes(const struct log_query *q, struct log_entry *e)
{
	if (e->index < q->from)
		return false;
	for (size_t i = 0; i < q->filter_count; i++) {
		if (may_pass(q->filter[i], e) && one_passes(q->filter[i], e))
			return true;
	}
	return q->filter_count == 0;
}
