/*
 * The real signet-token makes what documents carry: each key, scheme and
 * digest, both formats and time-stamps, judged by OpenSSL's verifiers with
 * nothing but the authority's certificate.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ts.h>

#include "support/worker.h"
#include "unit.h"

static const char content[] = "Dear Sir, we agree.\n";
static struct token_dir dir;
static struct worker worker;
static X509_STORE *store;

enum { RSA2048, RSA4096, P256, P384, P521, AUTH, ED, BARE, CLOCK, KEYS };
static const char *const key_name[] = {"rsa", "rsa4096", "p256", "p384", "p521", "auth", "ed", "bare", "clock"};

static X509 *
authority(void)
{
	char path[300];
	BIO *file;
	X509 *x509;

	snprintf(path, sizeof(path), "%s/ca.crt", dir.path);
	file = BIO_new_file(path, "r");
	assert_non_null(file);
	x509 = d2i_X509_bio(file, NULL);
	assert_non_null(x509);
	BIO_free(file);
	return x509;
}

static int
set_up(void **state)
{
	struct wire_config c;
	struct wire_result r;
	X509 *ca;

	(void)state;
	token_dir_make(&dir, TEST_PIN);
	config_init(&c, &dir);
	for (int i = 0; i < KEYS; i++) {
		char uri[64];

		snprintf(uri, sizeof(uri), "pkcs11:object=%s", key_name[i]);
		config_key(&c, uri);
	}
	worker_start(&worker, &c);
	worker_login(&worker, TEST_PIN, WIRE_KEEP_PIN, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	store = X509_STORE_new();
	ca = authority();
	assert_int_equal(X509_STORE_add_cert(store, ca), 1);
	X509_free(ca);
	X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_stop(&worker);
	X509_STORE_free(store);
	token_dir_remove(&dir);
	return 0;
}

static const char *
hash_name(enum signet_digest_alg alg)
{
	return alg == DIGEST_SHA256 ? "SHA256" : alg == DIGEST_SHA384 ? "SHA384" : "SHA512";
}

static struct wire_job
job_of(uint16_t key, uint8_t scheme, enum signet_digest_alg alg, uint8_t format)
{
	struct wire_job j = sign_of(key, scheme, alg, 0);

	j.format = format;
	j.commitment = WIRE_COMMITMENT_APPROVAL;
	j.time_us = (int64_t)time(NULL) * 1000000;
	assert_int_equal(
	    EVP_Q_digest(NULL, hash_name(alg), NULL, content, sizeof(content) - 1, j.digest.bytes, NULL), 1);
	return j;
}

static void
is_accepted(const struct wire_result *r, uint8_t format)
{
	const uint8_t *p = r->cms;
	CMS_ContentInfo *info = d2i_CMS_ContentInfo(NULL, &p, (long)r->cms_len);
	BIO *data = BIO_new_mem_buf(content, sizeof(content) - 1);
	CMS_SignerInfo *si;
	ASN1_OCTET_STRING *sig;

	assert_non_null(info);
	assert_ptr_equal(p, r->cms + r->cms_len);
	assert_int_equal(CMS_verify(info, NULL, store, data, NULL, CMS_BINARY | CMS_CADES), 1);
	si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(info), 0);
	sig = CMS_SignerInfo_get0_signature(si);
	assert_int_equal(sig->length, r->sig_len);
	assert_memory_equal(sig->data, r->sig, r->sig_len);
	assert_true((CMS_signed_get_attr_by_NID(si, NID_pkcs9_signingTime, -1) >= 0) == (format == WIRE_CADES));
	BIO_free(data);
	CMS_ContentInfo_free(info);
}

static void
makes_cades_and_pades_with_every_key_scheme_and_digest(void **state)
{
	struct wire_result r;

	(void)state;
	for (uint16_t key = RSA2048; key <= AUTH; key++)
		for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++)
			for (uint8_t format = WIRE_CADES; format <= WIRE_PADES; format++)
				for (int pss = 0; pss <= (key <= RSA4096); pss++) {
					uint8_t scheme = key > RSA4096 ? WIRE_ECDSA : pss ? WIRE_PSS : WIRE_PKCS1;
					struct wire_job j = job_of(key, scheme, alg, format);

					worker_do(&worker, 0, &j, &r);
					if (r.err != SIGNET_OK)
						fail_msg("%s: %s at %s", key_name[key],
						    signet_strerror((signet_err)r.err), r.stage);
					is_accepted(&r, format);
					assert_true(r.cms_len <= worker.info.keys[key].cms_room);
				}
}

static void
a_bare_signature_has_nothing_around_it(void **state)
{
	struct wire_job j = job_of(P256, WIRE_ECDSA, DIGEST_SHA256, WIRE_RAW);
	struct wire_result r;

	(void)state;
	worker_do(&worker, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.cms_len, 0);
}

static void
keys_without_certificate_and_ed25519_are_refused_by_name(void **state)
{
	static const uint16_t keys[] = {ED, BARE};
	static const uint8_t schemes[] = {WIRE_EDDSA, WIRE_ECDSA};

	(void)state;
	for (size_t i = 0; i < array_len(keys); i++) {
		struct wire_job j = job_of(keys[i], schemes[i], DIGEST_SHA256, WIRE_CADES);
		struct wire_result r;

		assert_int_equal(worker.info.keys[keys[i]].cms_room, 0);
		assert_int_equal(worker.info.keys[keys[i]].tst_room, 0);
		worker_do(&worker, 0, &j, &r);
		assert_int_equal(r.err, SIGNET_ERR_UNSUPPORTED);
		assert_string_equal(r.stage, "format");
		assert_int_equal(r.sig_len, 0);
		assert_int_equal(r.cms_len, 0);
	}
}

static void
stamps(void **state)
{
	struct wire_job j = job_of(CLOCK, WIRE_ECDSA, DIGEST_SHA384, WIRE_TST);
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	struct wire_result r;
	const uint8_t *p;
	PKCS7 *token;

	(void)state;
	strcpy(j.stamp.policy, "1.3.6.1.4.1.99999.1");
	j.stamp.cert_req = 1;
	j.stamp.accuracy_ms = 1000;
	j.stamp.serial[0] = 1;
	j.stamp.nonce[0] = 7;
	j.stamp.nonce_len = 8;
	worker_do(&worker, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_true(r.cms_len <= worker.info.keys[CLOCK].tst_room);
	p = r.cms;
	token = d2i_PKCS7(NULL, &p, (long)r.cms_len);
	assert_non_null(token);
	X509_STORE_up_ref(store);
	TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_SIGNER | TS_VFY_SIGNATURE | TS_VFY_IMPRINT);
	TS_VERIFY_CTX_set_store(ctx, store);
	TS_VERIFY_CTX_set_imprint(ctx, OPENSSL_memdup(j.digest.bytes, 48), 48);
	assert_int_equal(TS_RESP_verify_token(ctx, token), 1);
	TS_VERIFY_CTX_free(ctx);
	PKCS7_free(token);
}

/* The first answer, small enough to wait, does not delay or spoil what follows it. */
static void
many_in_one_write_are_all_answered(void **state)
{
	enum { COUNT = 12 };
	struct wire_job j = job_of(P256, WIRE_ECDSA, DIGEST_SHA256, WIRE_PADES);
	struct wire_result r;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		j.job = 100 + i;
		worker_send(&worker, 0, &j);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		worker_receive(&worker, 0, &r);
		assert_int_equal(r.job, 100 + i);
		assert_int_equal(r.err, SIGNET_OK);
		is_accepted(&r, WIRE_PADES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(makes_cades_and_pades_with_every_key_scheme_and_digest),
	    cmocka_unit_test(a_bare_signature_has_nothing_around_it),
	    cmocka_unit_test(keys_without_certificate_and_ed25519_are_refused_by_name),
	    cmocka_unit_test(stamps),
	    cmocka_unit_test(many_in_one_write_are_all_answered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
