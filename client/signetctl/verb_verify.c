/*
 * signetctl verify FILE [FILE.sig]: is this a signature of this file, and by
 * whom? With --cert no daemon is needed.
 *
 * Invariant: "good" means that the key of the certificate shown made it, no
 * more: who issued the certificate is not judged here, and that is said.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ctl.h"
#include "base/digest.h"
#include "cms.h"
#include "cms_stamp.h"
#include "out.h"
#include "verify.h"

struct verification {
	struct ctl *c;
	const char *file;
	char *signature_file;
	unsigned which; /* digests to try */
	struct hashes hashes;
	struct signature signature;
	size_t tried; /* certificates */
	/* what was found */
	bool good;
	signet_hash hash;
	const char *scheme;
	char *key; /* its name, where the daemon gave the certificate */
	X509 *cert;
};

static int
read_inputs(struct verification *v)
{
	const char *hash = v->c->value[OPT_HASH];

	v->which = 1U << SIGNET_SHA256 | 1U << SIGNET_SHA384 | 1U << SIGNET_SHA512;
	if (hash != NULL) {
		if (hash_find(hash) == 0)
			return fail_text(CTL_USAGE, _("--hash is sha256, sha384 or sha512"));
		v->which = 1U << hash_find(hash);
	}
	switch (signature_read(&v->signature, v->signature_file)) {
	case SIGNET_OK:
		break;
	case SIGNET_ERR_IO:
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), v->signature_file, strerror(errno));
	default:
		return fail_text(CTL_FAILED, _("%s is not a bare signature"), v->signature_file);
	}
	if (hash_file(&v->hashes, v->file, v->which) != SIGNET_OK)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), v->file, strerror(errno));
	return CTL_OK;
}

/* Takes the certificate. */
static void
try_cert(struct verification *v, X509 *cert, const char *key)
{
	unsigned h;

	v->tried++;
	for (h = SIGNET_SHA256; h < HASH_COUNT && !v->good; h++) {
		if ((v->which >> h & 1) == 0)
			continue;
		v->good = check_signature(cert, (signet_hash)h, v->hashes.of[h], &v->signature,
		    v->c->value[OPT_SCHEME], &v->scheme);
		v->hash = (signet_hash)h;
	}
	if (!v->good) {
		X509_free(cert);
		return;
	}
	v->cert = cert;
	v->key = key == NULL ? NULL : strdup(key);
}

static void
try_key(void *arg, const signet_key *key)
{
	struct verification *v = arg;
	X509 *cert;

	if (v->good || key->certificate_count == 0)
		return;
	cert = cert_from_der(key->certificates[0], key->certificate_sizes[0]);
	if (cert != NULL)
		try_cert(v, cert, key->name);
}

static int
try_certs(struct verification *v)
{
	const char *path = v->c->value[OPT_CERT];
	signet_err err;
	int code;

	if (path != NULL) {
		X509 *cert = cert_from_file(path);

		if (cert == NULL)
			return fail_text(CTL_FAILED, _("there is no certificate, PEM or DER, in %s"), path);
		try_cert(v, cert, NULL);
		return CTL_OK;
	}
	code = ctl_connect(v->c);
	if (code != CTL_OK)
		return code;
	err = signet_keys(v->c->conn, v->c->value[OPT_KEY], try_key, v);
	if (err != SIGNET_OK)
		return fail_call(v->c, err);
	if (v->tried == 0)
		return fail_text(
		    CTL_REFUSED, _("no key with a certificate is to be seen: name the signer's with --cert"));
	return CTL_OK;
}

static int
report_json(const struct verification *v)
{
	char *subject = v->good ? cert_subject(v->cert) : NULL;
	json_t *object = json_pack("{s:s*, s:s*, s:b, s:s*, s:s*, s:s*, s:s*}", "file", v->file,
	    "signatureFile", v->signature_file, "good", v->good, "hash", v->good ? hash_name(v->hash) : NULL,
	    "scheme", v->scheme, "key", v->key, "subject", subject);
	int code = print_json(object);

	json_decref(object);
	free(subject);
	return code;
}

static void
report_text(const struct verification *v)
{
	char *subject = cert_subject(v->cert);
	int expired = X509_cmp_current_time(X509_get0_notAfter(v->cert)) < 0;

	printf(_("Good signature (%s, %s)"), hash_name(v->hash), v->scheme);
	if (v->key != NULL) {
		printf(" %s ", _("by the key"));
		print_safe(stdout, v->key);
	}
	printf("\n  %s ", _("certificate:"));
	print_safe(stdout, subject);
	printf("\n  %s\n", _("who issued the certificate was not checked"));
	if (expired)
		printf("  %s\n", _("the certificate has expired since, or was expired when it was used"));
	free(subject);
}

static int
report(const struct verification *v)
{
	if (given(v->c, OPT_JSON) && report_json(v) != CTL_OK)
		return CTL_FAILED;
	if (!v->good)
		return fail_text(CTL_FAILED,
		    _("%s is NOT a good signature of %s: file, signature or signer is another one"),
		    v->signature_file, v->file);
	if (!given(v->c, OPT_JSON))
		report_text(v);
	return CTL_OK;
}

/* False: it is none, or cannot be read, which shows soon enough. */
static bool
verified_as_cms(const struct verification *v, int *code)
{
	struct verify_cms cms = {.c = v->c, .file = v->file, .signature_file = v->signature_file};
	uint8_t *bytes = cms_load(v->signature_file, &cms.size);
	char hash[DIGEST_TEXT_MAX];
	size_t used;
	bool is_cms = bytes != NULL && cms_value_hash(bytes, cms.size, &used, hash);

	cms.bytes = bytes;
	if (is_cms && (given(v->c, OPT_KEY) || given(v->c, OPT_CERT)))
		*code = fail_text(CTL_USAGE,
		    _("%s holds its signer's certificate: --key and --cert are for bare signatures"), v->signature_file);
	else if (is_cms)
		*code = verify_cms(&cms);
	free(bytes);
	return is_cms;
}

int
verb_verify(struct ctl *c)
{
	static struct verification v;
	int code;

	if (given(c, OPT_KEY) && given(c, OPT_CERT))
		return fail_text(CTL_USAGE, _("say which: either --key or --cert"));
	v.c = c;
	v.file = c->args[0];
	v.signature_file = c->arg_count > 1 ? strdup(c->args[1]) : out_beside(c->args[0]);
	if (v.signature_file == NULL)
		abort();
	if (verified_as_cms(&v, &code)) {
		free(v.signature_file);
		return code;
	}
	code = read_inputs(&v);
	if (code == CTL_OK)
		code = try_certs(&v);
	if (code == CTL_OK)
		code = report(&v);
	X509_free(v.cert);
	free(v.key);
	free(v.signature_file);
	return code;
}
