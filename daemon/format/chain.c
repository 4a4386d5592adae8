/*
 * Certificates as they are judged before a signature [RFC 5280, 6].
 *
 * What is sure (expired, revoked, not for signatures, a broken signature) is
 * told from what cannot be known here (no path to an anchor, no current list):
 * the policy decides about the second only. A missing list never hides a
 * revocation that another list has.
 *
 * The folder with revocation lists is looked at before each check, by names,
 * sizes and times; only when one of these changed are the lists read again.
 */
#include "format/chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* --- what is believed --- */

static void
complain(char *reason, size_t size, const char *path, const char *what)
{
	if (reason[0] == '\0')
		snprintf(reason, size, "%.100s: %s", path, what);
}

/* Each certificate of a PEM file. False: there is none. */
static bool
read_file(const char *path, bool (*add)(struct chain_trust *t, X509 *x509), struct chain_trust *t)
{
	FILE *file = fopen(path, "re");
	X509 *x509;
	unsigned n = 0;

	if (file == NULL)
		return false;
	while ((x509 = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
		if (add(t, x509))
			n++;
		X509_free(x509);
	}
	fclose(file);
	ERR_clear_error();
	return n > 0;
}

static bool
add_anchor(struct chain_trust *t, X509 *x509)
{
	if (X509_STORE_add_cert(t->anchors, x509) != 1)
		return false;
	t->anchor_count++;
	return true;
}

static bool
add_intermediate(struct chain_trust *t, X509 *x509)
{
	return X509_add_cert(t->intermediates, x509, X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) == 1;
}

signet_err
chain_trust_init(struct chain_trust *t, const struct ask *config, char *reason, size_t size)
{
	memset(t, 0, sizeof(*t));
	t->crls = -1;
	t->anchors = X509_STORE_new();
	t->intermediates = sk_X509_new_null();
	t->lists = sk_X509_CRL_new_null();
	if (t->anchors == NULL || t->intermediates == NULL || t->lists == NULL)
		return SIGNET_ERR_MEMORY;
	for (size_t i = 0; i < config->anchor_count; i++)
		if (!read_file(config->anchors[i], add_anchor, t))
			complain(reason, size, config->anchors[i], "no certificate can be read from it");
	for (size_t i = 0; i < config->intermediate_count; i++)
		if (!read_file(config->intermediates[i], add_intermediate, t))
			complain(reason, size, config->intermediates[i], "no certificate can be read from it");
	if (config->crls[0] == '\0')
		return SIGNET_OK;
	t->crls = open(config->crls, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->crls < 0)
		complain(reason, size, config->crls, strerror(errno));
	return SIGNET_OK;
}

void
chain_trust_done(struct chain_trust *t)
{
	X509_STORE_free(t->anchors);
	sk_X509_pop_free(t->intermediates, X509_free);
	sk_X509_CRL_pop_free(t->lists, X509_CRL_free);
	if (t->crls >= 0)
		close(t->crls);
}

/* --- revocation lists --- */

static X509_CRL *
parse_crl(const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)len);
	BIO *bio;

	if (crl != NULL)
		return crl;
	bio = BIO_new_mem_buf(bytes, (int)len);
	crl = bio == NULL ? NULL : PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return crl;
}

static X509_CRL *
read_crl(int folder, const char *name, const struct stat *st)
{
	uint8_t *bytes = malloc((size_t)st->st_size);
	int fd = bytes == NULL ? -1 : openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = 0;
	size_t have = 0;
	X509_CRL *crl = NULL;

	while (fd >= 0 && have < (size_t)st->st_size &&
	       (n = read(fd, bytes + have, (size_t)st->st_size - have)) > 0)
		have += (size_t)n;
	if (fd >= 0 && have == (size_t)st->st_size)
		crl = parse_crl(bytes, have);
	if (fd >= 0)
		close(fd);
	free(bytes);
	return crl;
}

struct crl_file {
	char name[256];
	struct stat st;
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct crl_file *)a)->name, ((const struct crl_file *)b)->name);
}

static bool
is_list(int folder, const char *name, struct stat *st)
{
	return name[0] != '.' && strlen(name) < 256 && fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st->st_mode) && st->st_size > 0 && st->st_size <= CHAIN_CRL_MAX;
}

/* What lies in the folder, by name; as many as it may be. */
static size_t
list_folder(int folder, struct crl_file *files)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *d;
	struct stat st;
	size_t n = 0;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return 0;
	}
	while (n < CHAIN_CRLS_MAX && (d = readdir(dir)) != NULL)
		if (is_list(folder, d->d_name, &st)) {
			snprintf(files[n].name, sizeof(files[n].name), "%s", d->d_name);
			files[n++].st = st;
		}
	closedir(dir);
	qsort(files, n, sizeof(files[0]), compare_names);
	return n;
}

static bool
generation_of(const struct crl_file *files, size_t n, uint8_t out[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++) {
		int64_t facts[] = {(int64_t)files[i].st.st_size, (int64_t)files[i].st.st_mtim.tv_sec,
		    (int64_t)files[i].st.st_mtim.tv_nsec, (int64_t)files[i].st.st_ino};

		ok = EVP_DigestUpdate(ctx, files[i].name, strlen(files[i].name) + 1) == 1 &&
		     EVP_DigestUpdate(ctx, facts, sizeof(facts)) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void
read_lists(struct chain_trust *t, const struct crl_file *files, size_t n)
{
	sk_X509_CRL_pop_free(t->lists, X509_CRL_free);
	t->lists = sk_X509_CRL_new_null();
	for (size_t i = 0; i < n && t->lists != NULL; i++) {
		X509_CRL *crl = read_crl(t->crls, files[i].name, &files[i].st);

		if (crl != NULL && sk_X509_CRL_push(t->lists, crl) <= 0)
			X509_CRL_free(crl);
	}
}

static void
refresh_lists(struct chain_trust *t)
{
	struct crl_file *files = calloc(CHAIN_CRLS_MAX, sizeof(files[0]));
	uint8_t generation[32];
	size_t n;

	if (files == NULL)
		return;
	n = list_folder(t->crls, files);
	if (generation_of(files, n, generation) && memcmp(generation, t->generation, sizeof(generation)) != 0) {
		read_lists(t, files, n);
		memcpy(t->generation, generation, sizeof(generation));
	}
	free(files);
}

/* --- the check --- */

struct check {
	enum ask_verdict verdict;
	int error; /* of OpenSSL, behind the verdict */
	int depth;
};

static enum ask_verdict
verdict_of(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return VERDICT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return VERDICT_NOT_YET_VALID;
	case X509_V_ERR_CERT_REVOKED:
		return VERDICT_REVOKED;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
	case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
	case X509_V_ERR_INVALID_EXTENSION:
		return VERDICT_BROKEN;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
	case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
	case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
		return VERDICT_NO_REVOCATION;
	default:
		return VERDICT_UNTRUSTED;
	}
}

/* A fault of a list is noted and the search goes on: a revocation may still come. Everything else ends it. */
static int
on_verified(int ok, X509_STORE_CTX *ctx)
{
	struct check *c = X509_STORE_CTX_get_app_data(ctx);
	int error = X509_STORE_CTX_get_error(ctx);
	enum ask_verdict v;

	if (ok)
		return 1;
	v = verdict_of(error);
	if (c->verdict == VERDICT_GOOD || v != VERDICT_NO_REVOCATION) {
		c->verdict = v;
		c->error = error;
		c->depth = X509_STORE_CTX_get_error_depth(ctx);
	}
	return v == VERDICT_NO_REVOCATION;
}

static bool
set_up(X509_STORE_CTX *ctx, struct chain_trust *t, X509 *own, STACK_OF(X509) *others, int64_t now,
    struct check *c)
{
	X509_VERIFY_PARAM *param;
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;

	if (X509_STORE_CTX_init(ctx, t->anchors, own, others) != 1)
		return false;
	param = X509_STORE_CTX_get0_param(ctx);
	if (t->crls >= 0)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_EXTENDED_CRL_SUPPORT;
	X509_VERIFY_PARAM_set_flags(param, flags);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	X509_STORE_CTX_set0_crls(ctx, t->lists);
	X509_STORE_CTX_set_app_data(ctx, c);
	X509_STORE_CTX_set_verify_cb(ctx, on_verified);
	return true;
}

static void
verify(struct chain_trust *t, X509 *own, STACK_OF(X509) *others, int64_t now, struct check *c)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	c->verdict = VERDICT_GOOD;
	if (ctx == NULL || !set_up(ctx, t, own, others, now, c) ||
	    (X509_verify_cert(ctx) != 1 && c->verdict == VERDICT_GOOD)) {
		c->verdict = VERDICT_UNTRUSTED;
		c->error = ctx == NULL ? X509_V_ERR_OUT_OF_MEM : X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

/* Critical and alone [RFC 3161, 2.3]. */
static bool
is_for_stamps(X509 *own)
{
	int critical = 0;
	EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(own, NID_ext_key_usage, &critical, NULL);
	bool ok = list != NULL && critical == 1 && sk_ASN1_OBJECT_num(list) == 1 &&
		  OBJ_obj2nid(sk_ASN1_OBJECT_value(list, 0)) == NID_time_stamp;

	EXTENDED_KEY_USAGE_free(list);
	return ok;
}

static bool
usage_fits(X509 *own, enum ask_purpose purpose)
{
	uint32_t usage = X509_get_key_usage(own); /* all ones where the certificate does not say */

	if ((usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
		return false;
	return purpose != ASK_FOR_STAMPS || is_for_stamps(own);
}

static X509 *
parse(const struct ask_blob *b)
{
	const uint8_t *p = b->bytes;
	X509 *x509 = d2i_X509(NULL, &p, (long)b->len);

	if (x509 != NULL && p == b->bytes + b->len)
		return x509;
	X509_free(x509);
	ERR_clear_error();
	return NULL;
}

/* What came along and what the configuration has, to build a path from. */
static STACK_OF(X509) *
others_of(const struct chain_trust *t, const struct ask_blob *certs, size_t count)
{
	STACK_OF(X509) *list = sk_X509_new_null();

	for (size_t i = 1; list != NULL && i < count; i++) {
		X509 *x509 = parse(&certs[i]);

		if (x509 != NULL && sk_X509_push(list, x509) <= 0)
			X509_free(x509);
	}
	if (list != NULL && X509_add_certs(list, t->intermediates, X509_ADD_FLAG_UP_REF) == 1)
		return list;
	sk_X509_pop_free(list, X509_free);
	return NULL;
}

static enum ask_verdict
judge(struct chain_trust *t, X509 *own, STACK_OF(X509) *others, enum ask_purpose purpose, int64_t now,
    char *reason, size_t size)
{
	struct check c = {.verdict = VERDICT_GOOD};

	if (!usage_fits(own, purpose)) {
		snprintf(reason, size, "%s", purpose == ASK_FOR_STAMPS
			? "the certificate is not for time-stamps, and for nothing else"
			: "the certificate's key usage does not allow signatures");
		return VERDICT_USAGE;
	}
	if (t->crls >= 0)
		refresh_lists(t);
	verify(t, own, others, now, &c);
	if (c.verdict != VERDICT_GOOD)
		snprintf(reason, size, "%s%s", X509_verify_cert_error_string(c.error),
		    c.depth > 0 ? " (of an authority above it)" : "");
	return c.verdict;
}

enum ask_verdict
chain_check(struct chain_trust *t, const struct ask_blob *certs, size_t count, enum ask_purpose purpose,
    int64_t now, char *reason, size_t size)
{
	X509 *own = count == 0 ? NULL : parse(&certs[0]);
	STACK_OF(X509) *others = own == NULL ? NULL : others_of(t, certs, count);
	enum ask_verdict v = VERDICT_BROKEN;

	reason[0] = '\0';
	if (own == NULL)
		snprintf(reason, size, "the certificate cannot be read");
	else
		v = judge(t, own, others, purpose, now, reason, size);
	X509_free(own);
	sk_X509_pop_free(others, X509_free);
	return v;
}

signet_err
chain_import(const struct ask_blob *in, uint8_t **der, size_t *len)
{
	X509 *x509 = parse(in);
	BIO *bio = x509 != NULL ? NULL : BIO_new_mem_buf(in->bytes, (int)in->len);
	int n;

	if (bio != NULL)
		x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	*der = NULL;
	n = x509 == NULL ? 0 : i2d_X509(x509, der);
	X509_free(x509);
	ERR_clear_error();
	if (n <= 0)
		return SIGNET_ERR_PROTOCOL;
	*len = (size_t)n;
	return SIGNET_OK;
}
