/* PDF files with signatures of libcrypto: their digests, who finds which, and what a check of the CMS says. */
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"

#include "cms.h"
#include "hash.h"
#include "pdf_file.h"

#include "unit.h"

static const char page[] = "%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
			   "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
			   "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>\nendobj\n"
			   "xref\n1 3\n0000000009 00000 n \n0000000058 00000 n \n0000000115 00000 n \n"
			   "trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n182\n%%EOF\n";

static X509 *
certificate_of(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	assert_non_null(key);
	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 7), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
			     (const unsigned char *)"Leader", -1, -1, 0),
	    1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)), 1);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

/* A detached CMS over these bytes. */
static size_t
make_cms(const uint8_t *bytes, size_t n, const char *md, unsigned flags, uint8_t **der)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = certificate_of(key);
	BIO *content = BIO_new_mem_buf(bytes, (int)n);
	const unsigned all = flags | CMS_DETACHED | CMS_BINARY | CMS_NOSMIMECAP | CMS_PARTIAL;
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, all);
	int size;

	assert_non_null(cms);
	assert_non_null(CMS_add1_signer(cms, cert, key, EVP_get_digestbyname(md), all));
	assert_int_equal(CMS_final(cms, content, NULL, all), 1);
	*der = NULL;
	size = i2d_CMS_ContentInfo(cms, der);
	assert_true(size > 0);
	CMS_ContentInfo_free(cms);
	BIO_free(content);
	X509_free(cert);
	EVP_PKEY_free(key);
	return (size_t)size;
}

static void
write_file(char *path, const void *bytes, size_t n)
{
	int fd;

	strcpy(path, "/tmp/test_pdf_file.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	assert_int_equal(close(fd), 0);
}

static void
draft_of(const char *path, struct pdf_draft *d)
{
	const struct pdf_signing how = {.room = 2048, .time = 1740000000};
	struct pdf_file f;

	assert_int_equal(pdf_file_open(&f, path), CTL_OK);
	assert_int_equal(pdf_sign(f.pdf, &how, d), PDF_OK);
	pdf_file_close(&f);
}

/* Sign the file once more; `path` becomes that of the result. */
static void
sign_file(char *path, char *value_hash)
{
	struct pdf_draft d;
	struct buf part;
	uint8_t *der;
	size_t n, size;

	draft_of(path, &d);
	buf_init(&part, 1 << 20);
	buf_put(&part, d.bytes.data, d.hole);
	buf_put(&part, d.bytes.data + d.hole_end, d.bytes.len - d.hole_end);
	n = make_cms(part.data, part.len, "SHA256", CMS_CADES, &der);
	assert_true(cms_value_hash(der, n, &size, value_hash));
	assert_int_equal(size, n);
	assert_int_equal(pdf_draft_fill(&d, der, n), PDF_OK);
	assert_int_equal(unlink(path), 0);
	write_file(path, d.bytes.data, d.bytes.len);
	OPENSSL_free(der);
	buf_done(&part);
	pdf_draft_done(&d);
}

static void
a_signature_is_found_by_its_value(void **state)
{
	char path[64], first[DIGEST_TEXT_MAX], second[DIGEST_TEXT_MAX], last[DIGEST_TEXT_MAX];
	struct pdf_signature a, b, none;
	struct pdf_file f;
	struct buf cms;

	(void)state;
	write_file(path, page, sizeof(page) - 1);
	sign_file(path, first);
	sign_file(path, second);
	assert_string_not_equal(first, second);
	assert_int_equal(pdf_file_open(&f, path), CTL_OK);
	assert_int_equal(pdf_file_find(&f, first, &a), PDF_OK);
	assert_int_equal(pdf_file_find(&f, second, &b), PDF_OK);
	assert_string_equal(a.field, "Signature1");
	assert_string_equal(b.field, "Signature2");
	assert_int_equal(pdf_file_find(&f, "sha256:00", &none), PDF_NO_SIGNATURE);
	pdf_file_close(&f);
	buf_init(&cms, PDF_CONTENTS_MAX);
	assert_true(pdf_file_last_cms(path, &cms, last));
	assert_string_equal(last, second);
	assert_true(cms.len < 2048);
	buf_done(&cms);
	assert_int_equal(unlink(path), 0);
}

static void
the_last_digest_is_that_of_the_draft(void **state)
{
	char path[64], draft_path[64], value[DIGEST_TEXT_MAX];
	uint8_t of_draft[SIGNET_DIGEST_MAX], found[SIGNET_DIGEST_MAX];
	struct pdf_draft d;
	unsigned h;

	(void)state;
	write_file(path, page, sizeof(page) - 1);
	assert_int_equal(pdf_file_last_digest(path, SIGNET_SHA256, found), CTL_FAILED);
	sign_file(path, value);
	/* a copy that waits for its second signature */
	draft_of(path, &d);
	write_file(draft_path, d.bytes.data, d.bytes.len);
	for (h = SIGNET_SHA256; h <= SIGNET_SHA512; h++) {
		assert_true(
		    pdf_file_digest(d.bytes.data, d.hole, d.hole_end, d.bytes.len, (signet_hash)h, of_draft));
		assert_int_equal(pdf_file_last_digest(draft_path, (signet_hash)h, found), CTL_OK);
		assert_memory_equal(found, of_draft, signet_hash_size((signet_hash)h));
		assert_true(pdf_file_has_digest(draft_path, (signet_hash)h, found));
		assert_false(pdf_file_has_digest(path, (signet_hash)h, found));
	}
	/* one byte of it, and the approver has another file */
	d.bytes.data[120] ^= 1;
	assert_true(pdf_file_digest(d.bytes.data, d.hole, d.hole_end, d.bytes.len, SIGNET_SHA512, of_draft));
	assert_memory_not_equal(found, of_draft, 64);
	pdf_draft_done(&d);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(draft_path), 0);
}

static bool
digest_text(void *arg, signet_hash hash, uint8_t *digest)
{
	const char *text = arg;

	return EVP_Digest(text, strlen(text), digest, NULL, EVP_get_digestbyname(hash_name(hash)), NULL) == 1;
}

static void
a_cms_is_judged_piece_by_piece(void **state)
{
	static const char *const mds[] = {"SHA256", "SHA384", "SHA512"};
	char text[] = "text", other[] = "next";
	struct cms_report r;
	uint8_t *der, *changed;
	size_t n, i;

	(void)state;
	for (i = 0; i < array_len(mds); i++) {
		n = make_cms((const uint8_t *)text, 4, mds[i], CMS_CADES, &der);
		cms_check(&r, der, n, digest_text, text, NULL);
		assert_true(r.readable && r.digest_good && r.signature_good && !r.chain_checked);
		assert_int_equal(r.binding, CMS_CERT_BOUND);
		assert_int_equal(r.hash, SIGNET_SHA256 + i);
		assert_int_equal(r.size, n);
		cms_report_done(&r);
		cms_check(&r, der, n, digest_text, other, NULL);
		assert_true(r.readable && !r.digest_good && r.signature_good);
		cms_report_done(&r);
		/* the value is the last thing in it */
		changed = malloc(n + 2);
		memcpy(changed, der, n);
		changed[n - 1] ^= 1;
		cms_check(&r, changed, n, digest_text, text, NULL);
		assert_false(r.signature_good);
		cms_report_done(&r);
		/* zeroes behind it fill its room; anything else is none of it */
		changed[n - 1] ^= 1;
		changed[n] = changed[n + 1] = 0;
		cms_check(&r, changed, n + 2, digest_text, text, NULL);
		assert_true(r.readable && r.size == n);
		cms_report_done(&r);
		changed[n + 1] = 1;
		cms_check(&r, changed, n + 2, digest_text, text, NULL);
		assert_false(r.readable);
		cms_check(&r, changed, n - 1, digest_text, text, NULL);
		assert_false(r.readable || r.signature_good || r.digest_good);
		free(changed);
		OPENSSL_free(der);
	}
}

static void
what_is_weak_or_unusual_is_not_read(void **state)
{
	char text[] = "text";
	struct cms_report r;
	uint8_t *der;
	size_t n;

	(void)state;
	n = make_cms((const uint8_t *)text, 4, "SHA1", CMS_CADES, &der);
	cms_check(&r, der, n, digest_text, text, NULL);
	assert_false(r.readable);
	OPENSSL_free(der);
	n = make_cms((const uint8_t *)text, 4, "SHA256", CMS_NOATTR, &der);
	cms_check(&r, der, n, digest_text, text, NULL);
	assert_false(r.readable);
	OPENSSL_free(der);
	n = make_cms((const uint8_t *)text, 4, "SHA256", CMS_NOCERTS | CMS_CADES, &der);
	cms_check(&r, der, n, digest_text, text, NULL);
	assert_false(r.readable);
	OPENSSL_free(der);
	n = make_cms((const uint8_t *)text, 4, "SHA256", 0, &der);
	cms_check(&r, der, n, digest_text, text, NULL);
	assert_true(r.readable && r.signature_good);
	assert_int_equal(r.binding, CMS_CERT_UNBOUND);
	assert_true(strlen(r.time) == 20);
	cms_report_done(&r);
	OPENSSL_free(der);
}

static void
what_is_no_file_is_said(void **state)
{
	char path[64], value[DIGEST_TEXT_MAX];
	uint8_t digest[SIGNET_DIGEST_MAX] = {0};
	struct pdf_file f;
	struct buf cms;

	(void)state;
	buf_init(&cms, PDF_CONTENTS_MAX);
	write_file(path, "text", 4);
	assert_int_equal(pdf_file_open(&f, path), CTL_FAILED);
	pdf_file_close(&f);
	assert_false(pdf_file_has_digest(path, SIGNET_SHA256, digest));
	assert_false(pdf_file_last_cms(path, &cms, value));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pdf_file_open(&f, path), CTL_FAILED);
	pdf_file_close(&f);
	assert_int_equal(pdf_file_open(&f, "/tmp"), CTL_FAILED);
	pdf_file_close(&f);
	assert_int_equal(pdf_file_open(&f, "/dev/null"), CTL_FAILED);
	pdf_file_close(&f);
	buf_done(&cms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_signature_is_found_by_its_value),
	    cmocka_unit_test(the_last_digest_is_that_of_the_draft),
	    cmocka_unit_test(a_cms_is_judged_piece_by_piece),
	    cmocka_unit_test(what_is_weak_or_unusual_is_not_read),
	    cmocka_unit_test(what_is_no_file_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
