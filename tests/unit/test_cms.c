/*
 * What document software gets: every algorithm, digest and format is made in
 * two steps with a key that this library never sees, and judged by OpenSSL's
 * own verifier and on the bytes.
 */
#include "format/cms.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#include "support/x509.h"
#include "unit.h"

static const char content[] = "Dear Sir, we agree.\n";
static const char *const algorithms[] = {"rsa-2048", "rsa-3072", "p-256", "p-384", "p-521"};
static const char *const names[] = {"", "SHA256", "SHA384", "SHA512"};

struct world { /* root -> middle -> signer, and a time-stamp authority of the same root */
	EVP_PKEY *root_key, *middle_key, *keys[array_len(algorithms)];
	X509 *root, *middle, *certs[array_len(algorithms)], *stampers[array_len(algorithms)];
	struct cms_signer *signers[array_len(algorithms)], *tsas[array_len(algorithms)];
	X509_STORE *store;
};

static struct x509_plan
plan_of(const char *subject, const char *issuer, EVP_PKEY *key, EVP_PKEY *signer)
{
	int64_t now = (int64_t)time(NULL);

	return (struct x509_plan){.subject = subject, .issuer = issuer, .key = key, .signer = signer,
	    .not_before = now - 3600, .not_after = now + 86400};
}

static X509 *
authority(const char *subject, const char *issuer, EVP_PKEY *key, EVP_PKEY *signer)
{
	struct x509_plan p = plan_of(subject, issuer, key, signer);

	p.constraints = "critical,CA:TRUE";
	p.usage = "critical,keyCertSign,cRLSign";
	return x509_make(&p);
}

static struct cms_signer *
signer_of(X509 *const *chain, size_t count)
{
	uint8_t *der[4] = {NULL};
	const uint8_t *borrowed[4];
	size_t len[4];
	struct cms_signer *s = NULL;

	for (size_t i = 0; i < count; i++) {
		len[i] = (size_t)i2d_X509(chain[i], &der[i]);
		borrowed[i] = der[i];
	}
	assert_int_equal(cms_signer_new(&s, borrowed, len, count), SIGNET_OK);
	for (size_t i = 0; i < count; i++)
		OPENSSL_free(der[i]);
	return s;
}

static int
make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->root_key = x509_key();
	w->middle_key = x509_key();
	w->root = authority("Root", "Root", w->root_key, w->root_key);
	w->middle = authority("Middle", "Root", w->middle_key, w->root_key);
	w->store = X509_STORE_new();
	assert_int_equal(X509_STORE_add_cert(w->store, w->root), 1);
	for (size_t i = 0; i < array_len(algorithms); i++) {
		struct x509_plan p, t;

		w->keys[i] = x509_key_of(algorithms[i]);
		p = plan_of("Signer", "Middle", w->keys[i], w->middle_key);
		p.usage = "critical,digitalSignature,nonRepudiation";
		w->certs[i] = x509_make(&p);
		t = plan_of("Clock", "Middle", w->keys[i], w->middle_key);
		t.purpose = "critical,timeStamping";
		w->stampers[i] = x509_make(&t);
		w->signers[i] = signer_of((X509 *[]){w->certs[i], w->middle, w->root}, 3);
		w->tsas[i] = signer_of((X509 *[]){w->stampers[i], w->middle, w->root}, 3);
	}
	*state = w;
	return 0;
}

static int
end_world(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < array_len(algorithms); i++) {
		EVP_PKEY_free(w->keys[i]);
		X509_free(w->certs[i]);
		X509_free(w->stampers[i]);
		cms_signer_free(w->signers[i]);
		cms_signer_free(w->tsas[i]);
	}
	EVP_PKEY_free(w->root_key);
	EVP_PKEY_free(w->middle_key);
	X509_free(w->root);
	X509_free(w->middle);
	X509_STORE_free(w->store);
	free(w);
	return 0;
}

/* What a token would do. */
static size_t
sign(EVP_PKEY *key, const struct digest *d, bool pss, uint8_t *sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	const EVP_MD *md = EVP_get_digestbyname(names[d->alg]);
	size_t len = 512;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		assert_int_equal(
		    EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, md), 1);
	if (pss)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, d->bytes, digest_size(d->alg)), 1);
	EVP_PKEY_CTX_free(ctx);
	return len;
}

static struct digest
digest_of(enum signet_digest_alg alg, const void *bytes, size_t len)
{
	struct digest d = {.alg = alg};

	assert_int_equal(EVP_Q_digest(NULL, names[alg], NULL, bytes, len, d.bytes, NULL), 1);
	return d;
}

static void
make(struct world *w, size_t which, struct cms_plan *plan, struct buf *out)
{
	uint8_t sig[512];
	struct digest d;
	struct cms *c = NULL;
	size_t len;

	assert_int_equal(cms_begin(&c, w->signers[which], plan, &d), SIGNET_OK);
	len = sign(w->keys[which], &d, plan->pss, sig);
	buf_reset(out);
	assert_int_equal(cms_finish(c, sig, len, out), SIGNET_OK);
	cms_free(c);
}

static CMS_ContentInfo *
parse(const struct buf *der)
{
	const uint8_t *p = der->data;
	CMS_ContentInfo *info = d2i_CMS_ContentInfo(NULL, &p, (long)der->len);

	assert_non_null(info);
	assert_ptr_equal(p, der->data + der->len);
	return info;
}

static CMS_SignerInfo *
only_signer(CMS_ContentInfo *info)
{
	STACK_OF(CMS_SignerInfo) *list = CMS_get0_SignerInfos(info);

	assert_int_equal(sk_CMS_SignerInfo_num(list), 1);
	return sk_CMS_SignerInfo_value(list, 0);
}

static void
is_accepted(struct world *w, const struct buf *der)
{
	CMS_ContentInfo *info = parse(der);
	BIO *data = BIO_new_mem_buf(content, sizeof(content) - 1);

	X509_STORE_set_purpose(w->store, X509_PURPOSE_ANY);
	assert_int_equal(CMS_verify(info, NULL, w->store, data, NULL, CMS_BINARY | CMS_CADES), 1);
	BIO_free(data);
	CMS_ContentInfo_free(info);
}

/* DER has one form: what is parsed and written again is the same. */
static void
is_der(const struct buf *der)
{
	CMS_ContentInfo *info = parse(der);
	uint8_t *again = NULL;
	int len = i2d_CMS_ContentInfo(info, &again);

	assert_int_equal(len, der->len);
	assert_memory_equal(again, der->data, der->len);
	OPENSSL_free(again);
	CMS_ContentInfo_free(info);
}

static void
has_attributes(CMS_SignerInfo *si, const struct cms_plan *plan, X509 *own)
{
	bool cades = plan->format == CMS_FORMAT_CADES;
	bool committed = plan->commitment != CMS_COMMITMENT_NONE;
	const ASN1_OCTET_STRING *hash;
	const ASN1_STRING *ess;
	ESS_SIGNING_CERT_V2 *parsed;
	const uint8_t *p;
	uint8_t want[32];
	char *text;

	assert_int_equal(CMS_signed_get_attr_count(si), 3 + cades + committed);
	assert_true((CMS_signed_get_attr_by_NID(si, NID_pkcs9_signingTime, -1) >= 0) == cades);
	hash = CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(NID_pkcs9_messageDigest), -3, V_ASN1_OCTET_STRING);
	assert_non_null(hash);
	assert_memory_equal(hash->data, plan->digest.bytes, digest_size(plan->digest.alg));
	ess = CMS_signed_get0_data_by_OBJ(
	    si, OBJ_nid2obj(NID_id_smime_aa_signingCertificateV2), -3, V_ASN1_SEQUENCE);
	assert_non_null(ess);
	p = ess->data;
	parsed = d2i_ESS_SIGNING_CERT_V2(NULL, &p, ess->length);
	assert_non_null(parsed);
	ESS_SIGNING_CERT_V2_free(parsed);
	/* SHA-256 is the default and left out: the hash comes first, then the issuer and serial number */
	assert_int_equal(X509_digest(own, EVP_sha256(), want, NULL), 1);
	assert_non_null(memmem(ess->data, (size_t)ess->length, want, sizeof(want)));
	assert_int_equal(ess->data[ess->data[1] < 0x80 ? 2 : 3], 0x30);
	text = memmem(ess->data, (size_t)ess->length, "Middle", 6);
	assert_non_null(text);
}

static void
every_algorithm_digest_and_format_is_accepted(void **state)
{
	struct world *w = *state;
	struct buf out;

	buf_init(&out, CMS_MAX);
	for (size_t i = 0; i < array_len(algorithms); i++)
		for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++)
			for (int format = CMS_FORMAT_CADES; format <= CMS_FORMAT_PADES; format++)
				for (int pss = 0; pss <= (algorithms[i][0] == 'r'); pss++)
					for (int commitment = 0; commitment <= CMS_COMMITMENT_ORIGIN; commitment++) {
						struct cms_plan plan = {.format = (enum cms_format)format,
						    .commitment = (enum cms_commitment)commitment, .pss = pss != 0,
						    .time = (int64_t)time(NULL),
						    .digest = digest_of(alg, content, sizeof(content) - 1)};
						CMS_ContentInfo *info;

						make(w, i, &plan, &out);
						is_accepted(w, &out);
						is_der(&out);
						assert_true(out.len <= cms_room(w->signers[i]));
						info = parse(&out);
						has_attributes(only_signer(info), &plan, w->certs[i]);
						CMS_ContentInfo_free(info);
					}
	buf_done(&out);
}

static void
another_document_is_not_accepted(void **state)
{
	struct world *w = *state;
	struct cms_plan plan = {.format = CMS_FORMAT_CADES, .time = (int64_t)time(NULL),
	    .digest = digest_of(DIGEST_SHA256, content, sizeof(content) - 2)};
	CMS_ContentInfo *info;
	struct buf out;
	BIO *data = BIO_new_mem_buf(content, sizeof(content) - 1);

	buf_init(&out, CMS_MAX);
	make(w, 2, &plan, &out);
	info = parse(&out);
	assert_int_equal(CMS_verify(info, NULL, w->store, data, NULL, CMS_BINARY | CMS_CADES), 0);
	ERR_clear_error();
	BIO_free(data);
	CMS_ContentInfo_free(info);
	buf_done(&out);
}

static void
pss_states_all_its_parameters(void **state)
{
	static const int sizes[] = {0, 32, 48, 64};
	static const int nids[] = {0, NID_sha256, NID_sha384, NID_sha512};
	struct world *w = *state;
	struct buf out;

	buf_init(&out, CMS_MAX);
	for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++) {
		struct cms_plan plan = {.format = CMS_FORMAT_PADES, .pss = true,
		    .digest = digest_of(alg, content, sizeof(content) - 1)};
		CMS_ContentInfo *info;
		RSA_PSS_PARAMS *p;
		X509_ALGOR *a, *inner;
		const ASN1_OBJECT *oid;
		const void *value;
		int type;

		make(w, 0, &plan, &out);
		info = parse(&out);
		CMS_SignerInfo_get0_algs(only_signer(info), NULL, NULL, NULL, &a);
		X509_ALGOR_get0(&oid, &type, &value, a);
		assert_int_equal(OBJ_obj2nid(oid), NID_rsassaPss);
		assert_int_equal(type, V_ASN1_SEQUENCE);
		p = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
		assert_non_null(p);
		assert_int_equal(OBJ_obj2nid(p->hashAlgorithm->algorithm), nids[alg]);
		assert_int_equal(OBJ_obj2nid(p->maskGenAlgorithm->algorithm), NID_mgf1);
		inner = ASN1_item_unpack(p->maskGenAlgorithm->parameter->value.sequence, ASN1_ITEM_rptr(X509_ALGOR));
		assert_non_null(inner);
		assert_int_equal(OBJ_obj2nid(inner->algorithm), nids[alg]);
		assert_int_equal(ASN1_INTEGER_get(p->saltLength), sizes[alg]);
		X509_ALGOR_free(inner);
		RSA_PSS_PARAMS_free(p);
		CMS_ContentInfo_free(info);
	}
	buf_done(&out);
}

static void
ecdsa_and_rsa_identifiers_have_their_parameters(void **state)
{
	struct world *w = *state;
	struct buf out;

	buf_init(&out, CMS_MAX);
	for (size_t i = 0; i < array_len(algorithms); i++) {
		struct cms_plan plan = {.format = CMS_FORMAT_PADES,
		    .digest = digest_of(DIGEST_SHA256, content, sizeof(content) - 1)};
		CMS_ContentInfo *info;
		X509_ALGOR *a;
		const ASN1_OBJECT *oid;
		int type;

		make(w, i, &plan, &out);
		info = parse(&out);
		CMS_SignerInfo_get0_algs(only_signer(info), NULL, NULL, NULL, &a);
		X509_ALGOR_get0(&oid, &type, NULL, a);
		assert_int_equal(type, algorithms[i][0] == 'r' ? V_ASN1_NULL : V_ASN1_UNDEF);
		assert_int_equal(OBJ_obj2nid(oid),
		    algorithms[i][0] == 'r' ? NID_rsaEncryption : NID_ecdsa_with_SHA256);
		CMS_ContentInfo_free(info);
	}
	buf_done(&out);
}

static void
the_chain_goes_along_without_its_root(void **state)
{
	struct world *w = *state;
	struct cms_plan plan = {.format = CMS_FORMAT_PADES,
	    .digest = digest_of(DIGEST_SHA256, content, sizeof(content) - 1)};
	STACK_OF(X509) *certs;
	CMS_ContentInfo *info;
	struct buf out;

	buf_init(&out, CMS_MAX);
	make(w, 2, &plan, &out);
	info = parse(&out);
	certs = CMS_get1_certs(info);
	assert_int_equal(sk_X509_num(certs), 2);
	for (int i = 0; i < 2; i++)
		assert_true(X509_cmp(sk_X509_value(certs, i), w->certs[2]) == 0 ||
			    X509_cmp(sk_X509_value(certs, i), w->middle) == 0);
	sk_X509_pop_free(certs, X509_free);
	CMS_ContentInfo_free(info);
	buf_done(&out);
}

static void
times_after_2049_are_written_in_full(void **state)
{
	static const struct {
		int64_t time;
		int type;
	} cases[] = {{2524607999, V_ASN1_UTCTIME}, {2524608000, V_ASN1_GENERALIZEDTIME}};
	struct world *w = *state;
	struct buf out;

	buf_init(&out, CMS_MAX);
	for (size_t i = 0; i < array_len(cases); i++) {
		struct cms_plan plan = {.format = CMS_FORMAT_CADES, .time = cases[i].time,
		    .digest = digest_of(DIGEST_SHA256, content, sizeof(content) - 1)};
		CMS_ContentInfo *info;
		X509_ATTRIBUTE *a;
		int at;

		make(w, 2, &plan, &out);
		info = parse(&out);
		at = CMS_signed_get_attr_by_NID(only_signer(info), NID_pkcs9_signingTime, -1);
		a = CMS_signed_get_attr(only_signer(info), at);
		assert_int_equal(X509_ATTRIBUTE_get0_type(a, 0)->type, cases[i].type);
		CMS_ContentInfo_free(info);
	}
	buf_done(&out);
}

static void
ed25519_is_refused(void **state)
{
	EVP_PKEY *key = x509_key_of("ed25519");
	struct x509_plan p = plan_of("Signer", "Signer", key, key);
	X509 *cert = x509_make(&p);
	uint8_t *der = NULL;
	size_t len = (size_t)i2d_X509(cert, &der);
	struct cms_signer *s = NULL;

	(void)state;
	assert_int_equal(
	    cms_signer_new(&s, (const uint8_t *const[]){der}, (size_t[]){len}, 1), SIGNET_ERR_UNSUPPORTED);
	/* nor is what is no certificate, or has something behind it */
	assert_int_equal(
	    cms_signer_new(&s, (const uint8_t *const[]){der}, (size_t[]){len - 1}, 1), SIGNET_ERR_UNSUPPORTED);
	assert_int_equal(cms_signer_new(&s, NULL, NULL, 0), SIGNET_ERR_UNSUPPORTED);
	assert_null(s);
	OPENSSL_free(der);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
pss_needs_rsa_and_a_digest_is_needed_at_all(void **state)
{
	struct world *w = *state;
	struct cms_plan plan = {.format = CMS_FORMAT_PADES, .pss = true,
	    .digest = digest_of(DIGEST_SHA256, content, sizeof(content) - 1)};
	struct cms *c = NULL;
	struct digest d;

	assert_int_equal(cms_begin(&c, w->signers[2], &plan, &d), SIGNET_ERR_UNSUPPORTED);
	plan.pss = false;
	plan.digest.alg = DIGEST_NONE;
	assert_int_equal(cms_begin(&c, w->signers[2], &plan, &d), SIGNET_ERR_UNSUPPORTED);
	assert_null(c);
}

/* --- time-stamps --- */

static struct tst_plan
stamp_plan(enum signet_digest_alg imprint, enum signet_digest_alg hash)
{
	struct tst_plan plan = {.imprint = digest_of(imprint, content, sizeof(content) - 1), .hash = hash,
	    .cert_req = true, .time_us = INT64_C(1790000000000000) + 250000, .accuracy_ms = 1500,
	    .policy = "1.3.6.1.4.1.99999.1", .nonce = {0x80, 1, 2, 3, 4, 5, 6, 7}, .nonce_len = 8};

	plan.serial[0] = 1;
	plan.serial[TST_SERIAL_SIZE - 1] = 9;
	return plan;
}

static void
make_stamp(struct world *w, size_t which, const struct tst_plan *plan, struct buf *out)
{
	uint8_t sig[512];
	struct digest d;
	struct cms *c = NULL;
	size_t len;

	assert_int_equal(tst_begin(&c, w->tsas[which], plan, &d), SIGNET_OK);
	len = sign(w->keys[which], &d, plan->pss, sig);
	buf_reset(out);
	assert_int_equal(cms_finish(c, sig, len, out), SIGNET_OK);
	cms_free(c);
}

static PKCS7 *
parse_stamp(const struct buf *der)
{
	const uint8_t *p = der->data;
	PKCS7 *token = d2i_PKCS7(NULL, &p, (long)der->len);

	assert_non_null(token);
	assert_ptr_equal(p, der->data + der->len);
	return token;
}

/* As `openssl ts -verify` does; `digest` is a copy that it takes. */
static int
judge_stamp(struct world *w, size_t which, PKCS7 *token, const struct digest *d, bool with_certs)
{
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	unsigned char *copy = OPENSSL_memdup(d->bytes, digest_size(d->alg));
	STACK_OF(X509) *certs = sk_X509_new_null();
	int good;

	X509_STORE_up_ref(w->store);
	TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_SIGNER | TS_VFY_SIGNATURE | TS_VFY_IMPRINT);
	TS_VERIFY_CTX_set_store(ctx, w->store);
	TS_VERIFY_CTX_set_imprint(ctx, copy, (long)digest_size(d->alg));
	if (!with_certs) {
		X509_up_ref(w->stampers[which]);
		sk_X509_push(certs, w->stampers[which]);
		X509_up_ref(w->middle);
		sk_X509_push(certs, w->middle);
	}
	TS_VERIFY_CTX_set_certs(ctx, certs);
	good = TS_RESP_verify_token(ctx, token);
	TS_VERIFY_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static void
every_stamp_is_accepted(void **state)
{
	struct world *w = *state;
	struct buf out;

	buf_init(&out, CMS_MAX);
	for (size_t i = 0; i < array_len(algorithms); i++)
		for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++)
			for (enum signet_digest_alg hash = DIGEST_SHA256; hash <= DIGEST_SHA512; hash++)
				for (int how = 0; how < 4; how++) {
					struct tst_plan plan = stamp_plan(alg, hash);
					struct digest other = plan.imprint;
					PKCS7 *token;

					plan.pss = (how & 1) != 0 && algorithms[i][0] == 'r';
					plan.cert_req = (how & 2) != 0;
					make_stamp(w, i, &plan, &out);
					is_der(&out);
					assert_true(out.len <= tst_room(w->tsas[i]));
					token = parse_stamp(&out);
					/* a PKCS7 of OpenSSL knows no PSS: the CMS verifier does */
					if (!plan.pss)
						assert_int_equal(
						    judge_stamp(w, i, token, &plan.imprint, plan.cert_req), 1);
					other.bytes[0] ^= 1;
					assert_int_equal(judge_stamp(w, i, token, &other, plan.cert_req), 0);
					PKCS7_free(token);
				}
	buf_done(&out);
}

static void
pss_stamps_are_good_cms(void **state)
{
	struct world *w = *state;
	struct tst_plan plan = stamp_plan(DIGEST_SHA256, DIGEST_SHA384);
	CMS_ContentInfo *info;
	struct buf out;

	buf_init(&out, CMS_MAX);
	plan.pss = true;
	make_stamp(w, 0, &plan, &out);
	info = parse(&out);
	X509_STORE_set_purpose(w->store, X509_PURPOSE_TIMESTAMP_SIGN);
	assert_int_equal(CMS_verify(info, NULL, w->store, NULL, NULL, CMS_BINARY | CMS_CADES), 1);
	X509_STORE_set_purpose(w->store, X509_PURPOSE_ANY);
	CMS_ContentInfo_free(info);
	buf_done(&out);
}

static TS_TST_INFO *
info_of(struct world *w, const struct tst_plan *plan)
{
	TS_TST_INFO *info;
	struct buf out;
	PKCS7 *token;

	buf_init(&out, CMS_MAX);
	make_stamp(w, 2, plan, &out);
	token = parse_stamp(&out);
	info = PKCS7_to_TS_TST_INFO(token);
	assert_non_null(info);
	PKCS7_free(token);
	buf_done(&out);
	return info;
}

static void
a_stamp_says_what_was_asked(void **state)
{
	struct tst_plan plan = stamp_plan(DIGEST_SHA384, DIGEST_SHA256);
	TS_TST_INFO *info = info_of(*state, &plan);
	const TS_ACCURACY *accuracy = TS_TST_INFO_get_accuracy(info);
	ASN1_OCTET_STRING *msg = TS_MSG_IMPRINT_get_msg(TS_TST_INFO_get_msg_imprint(info));
	char policy[64];
	BIGNUM *n;
	uint8_t bytes[TST_SERIAL_SIZE];

	assert_int_equal(TS_TST_INFO_get_version(info), 1);
	OBJ_obj2txt(policy, sizeof(policy), TS_TST_INFO_get_policy_id(info), 1);
	assert_string_equal(policy, plan.policy);
	assert_memory_equal(msg->data, plan.imprint.bytes, 48);
	n = ASN1_INTEGER_to_BN(TS_TST_INFO_get_serial(info), NULL);
	assert_int_equal(BN_bn2binpad(n, bytes, sizeof(bytes)), sizeof(bytes));
	assert_memory_equal(bytes, plan.serial, sizeof(bytes));
	BN_free(n);
	n = ASN1_INTEGER_to_BN(TS_TST_INFO_get_nonce(info), NULL);
	assert_int_equal(BN_is_negative(n), 0);
	assert_int_equal(BN_bn2binpad(n, bytes, 8), 8);
	assert_memory_equal(bytes, plan.nonce, 8);
	BN_free(n);
	assert_int_equal(ASN1_INTEGER_get(TS_ACCURACY_get_seconds(accuracy)), 1);
	assert_int_equal(ASN1_INTEGER_get(TS_ACCURACY_get_millis(accuracy)), 500);
	assert_int_equal(TS_TST_INFO_get_ordering(info), 0);
	TS_TST_INFO_free(info);
}

static void
gen_time_has_no_trailing_zeros(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {{INT64_C(1790000000000000), "20260921141320Z"}, {INT64_C(1790000000250000), "20260921141320.25Z"},
	    {INT64_C(1790000000100000), "20260921141320.1Z"}, {INT64_C(1790000000001999), "20260921141320.001Z"},
	    {INT64_C(1790000000000999), "20260921141320Z"}, {INT64_C(1790000000999999), "20260921141320.999Z"}};

	for (size_t i = 0; i < array_len(cases); i++) {
		struct tst_plan plan = stamp_plan(DIGEST_SHA256, DIGEST_SHA256);
		TS_TST_INFO *info;
		const ASN1_GENERALIZEDTIME *at;

		plan.time_us = cases[i].us;
		info = info_of(*state, &plan);
		at = TS_TST_INFO_get_time(info);
		assert_int_equal(at->length, strlen(cases[i].text));
		assert_memory_equal(at->data, cases[i].text, strlen(cases[i].text));
		TS_TST_INFO_free(info);
	}
}

static void
what_cannot_be_stamped_is_refused(void **state)
{
	struct world *w = *state;
	struct tst_plan plan = stamp_plan(DIGEST_SHA256, DIGEST_SHA256);
	struct cms *c = NULL;
	struct digest d;

	plan.policy = "not.an.oid";
	assert_int_equal(tst_begin(&c, w->tsas[2], &plan, &d), SIGNET_ERR_UNSUPPORTED);
	plan = stamp_plan(DIGEST_SHA256, DIGEST_SHA256);
	plan.nonce_len = TST_NONCE_MAX + 1;
	assert_int_equal(tst_begin(&c, w->tsas[2], &plan, &d), SIGNET_ERR_UNSUPPORTED);
	plan = stamp_plan(DIGEST_SHA256, DIGEST_SHA256);
	plan.imprint.alg = DIGEST_NONE;
	assert_int_equal(tst_begin(&c, w->tsas[2], &plan, &d), SIGNET_ERR_UNSUPPORTED);
	assert_null(c);
}

static void
level_t_keeps_the_signature_and_is_accepted(void **state)
{
	struct world *w = *state;
	struct buf b, t, both;

	buf_init(&b, CMS_MAX);
	buf_init(&t, CMS_MAX);
	buf_init(&both, CMS_MAX);
	for (size_t i = 0; i < array_len(algorithms); i++) {
		struct cms_plan plan = {.format = i % 2 == 0 ? CMS_FORMAT_CADES : CMS_FORMAT_PADES,
		    .time = (int64_t)time(NULL), .digest = digest_of(DIGEST_SHA512, content, sizeof(content) - 1)};
		struct tst_plan stamp = stamp_plan(DIGEST_SHA256, DIGEST_SHA256);
		CMS_ContentInfo *info;
		CMS_SignerInfo *si;
		ASN1_OCTET_STRING *sig;
		const ASN1_STRING *inside;

		make(w, i, &plan, &b);
		info = parse(&b);
		sig = CMS_SignerInfo_get0_signature(only_signer(info));
		stamp.imprint = digest_of(DIGEST_SHA256, sig->data, (size_t)sig->length);
		make_stamp(w, i, &stamp, &t);
		buf_reset(&both);
		assert_int_equal(cms_add_stamp(b.data, b.len, t.data, t.len, &both), SIGNET_OK);
		CMS_ContentInfo_free(info);
		is_accepted(w, &both);
		is_der(&both);
		assert_true(both.len <= cms_room(w->signers[i]) + tst_room(w->tsas[i]) + CMS_ROOM_T);
		info = parse(&both);
		si = only_signer(info);
		inside = CMS_unsigned_get0_data_by_OBJ(
		    si, OBJ_nid2obj(NID_id_smime_aa_timeStampToken), -3, V_ASN1_SEQUENCE);
		assert_non_null(inside);
		assert_int_equal(inside->length, t.len);
		assert_memory_equal(inside->data, t.data, t.len);
		CMS_ContentInfo_free(info);
	}
	buf_reset(&both);
	assert_int_equal(cms_add_stamp(b.data, b.len - 1, t.data, t.len, &both), SIGNET_ERR_PROTOCOL);
	assert_int_equal(cms_add_stamp((const uint8_t *)"x", 1, t.data, t.len, &both), SIGNET_ERR_PROTOCOL);
	buf_done(&b);
	buf_done(&t);
	buf_done(&both);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_algorithm_digest_and_format_is_accepted),
	    cmocka_unit_test(another_document_is_not_accepted),
	    cmocka_unit_test(pss_states_all_its_parameters),
	    cmocka_unit_test(ecdsa_and_rsa_identifiers_have_their_parameters),
	    cmocka_unit_test(the_chain_goes_along_without_its_root),
	    cmocka_unit_test(times_after_2049_are_written_in_full),
	    cmocka_unit_test(ed25519_is_refused),
	    cmocka_unit_test(pss_needs_rsa_and_a_digest_is_needed_at_all),
	    cmocka_unit_test(every_stamp_is_accepted),
	    cmocka_unit_test(pss_stamps_are_good_cms),
	    cmocka_unit_test(a_stamp_says_what_was_asked),
	    cmocka_unit_test(gen_time_has_no_trailing_zeros),
	    cmocka_unit_test(what_cannot_be_stamped_is_refused),
	    cmocka_unit_test(level_t_keeps_the_signature_and_is_accepted),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
