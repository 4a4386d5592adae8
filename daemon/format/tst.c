/*
 * Time-stamp tokens [RFC 3161, 2.4.2, with ESSCertIDv2 as RFC 5816 allows]: a
 * CMS around a TSTInfo, in the same two steps as every other signature here.
 *
 * genTime has milliseconds and no trailing zeros; ordering, tsa and extensions
 * are left out [EN 319 422, 5.2]. The serial number is the caller's, who has
 * written it into the log before the key is touched.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/ts.h>

#include "format/cms_internal.h"

static const char *const hash_names[] = {
    [DIGEST_SHA256] = "SHA256", [DIGEST_SHA384] = "SHA384", [DIGEST_SHA512] = "SHA512"};

static ASN1_INTEGER *
integer_of(const uint8_t *bytes, size_t len)
{
	BIGNUM *n = BN_bin2bn(bytes, (int)len, NULL);
	ASN1_INTEGER *i = n == NULL ? NULL : BN_to_ASN1_INTEGER(n, NULL);

	BN_free(n);
	return i;
}

/* A field's value goes in as a copy. */
static bool
set_integer(TS_TST_INFO *info, int (*set)(TS_TST_INFO *, const ASN1_INTEGER *), const uint8_t *bytes, size_t len)
{
	ASN1_INTEGER *i = integer_of(bytes, len);
	bool ok = i != NULL && set(info, i) == 1;

	ASN1_INTEGER_free(i);
	return ok;
}

static bool
set_policy(TS_TST_INFO *info, const char *dots)
{
	ASN1_OBJECT *policy = OBJ_txt2obj(dots, 1);
	bool ok = policy != NULL && TS_TST_INFO_set_policy_id(info, policy) == 1;

	ASN1_OBJECT_free(policy);
	return ok;
}

static bool
set_imprint(TS_TST_INFO *info, const struct digest *d)
{
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *alg = X509_ALGOR_new();
	uint8_t copy[DIGEST_MAX];
	bool ok;

	memcpy(copy, d->bytes, sizeof(copy));
	ok = imprint != NULL && alg != NULL &&
	     X509_ALGOR_set0(alg, OBJ_txt2obj(hash_names[d->alg], 0), V_ASN1_NULL, NULL) == 1 &&
	     TS_MSG_IMPRINT_set_algo(imprint, alg) == 1 &&
	     TS_MSG_IMPRINT_set_msg(imprint, copy, (int)digest_size(d->alg)) == 1 &&
	     TS_TST_INFO_set_msg_imprint(info, imprint) == 1;
	X509_ALGOR_free(alg);
	TS_MSG_IMPRINT_free(imprint);
	return ok;
}

/* "20261121192641.25Z": a fraction without trailing zeros, none if it is zero [RFC 3161, 2.4.2]. */
static bool
set_time(TS_TST_INFO *info, int64_t us)
{
	ASN1_GENERALIZEDTIME *at = ASN1_GENERALIZEDTIME_new();
	time_t seconds = (time_t)(us / 1000000);
	unsigned ms = (unsigned)(us / 1000 % 1000);
	char text[40], fraction[8];
	struct tm tm;
	bool ok;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm);
	if (ms > 0) {
		snprintf(fraction, sizeof(fraction), ".%03u", ms % 1000);
		for (char *end = fraction + strlen(fraction) - 1; *end == '0'; end--)
			*end = '\0';
		strcat(text, fraction);
	}
	strcat(text, "Z");
	ok = at != NULL && ASN1_STRING_set(at, text, -1) == 1 && TS_TST_INFO_set_time(info, at) == 1;
	ASN1_GENERALIZEDTIME_free(at);
	return ok;
}

static bool
set_accuracy(TS_TST_INFO *info, unsigned ms)
{
	TS_ACCURACY *accuracy = TS_ACCURACY_new();
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	bool ok = accuracy != NULL && n != NULL;

	if (ok && ms >= 1000)
		ok = ASN1_INTEGER_set(n, ms / 1000) == 1 && TS_ACCURACY_set_seconds(accuracy, n) == 1;
	if (ok && ms % 1000 > 0)
		ok = ASN1_INTEGER_set(n, ms % 1000) == 1 && TS_ACCURACY_set_millis(accuracy, n) == 1;
	ok = ok && TS_TST_INFO_set_accuracy(info, accuracy) == 1;
	ASN1_INTEGER_free(n);
	TS_ACCURACY_free(accuracy);
	return ok;
}

static bool
fill(TS_TST_INFO *info, const struct tst_plan *plan)
{
	return TS_TST_INFO_set_version(info, 1) == 1 && set_policy(info, plan->policy) &&
	       set_imprint(info, &plan->imprint) &&
	       set_integer(info, TS_TST_INFO_set_serial, plan->serial, sizeof(plan->serial)) &&
	       set_time(info, plan->time_us) && (plan->accuracy_ms == 0 || set_accuracy(info, plan->accuracy_ms)) &&
	       (plan->nonce_len == 0 || set_integer(info, TS_TST_INFO_set_nonce, plan->nonce, plan->nonce_len));
}

static bool
write_info(const struct tst_plan *plan, struct buf *out)
{
	TS_TST_INFO *info = TS_TST_INFO_new();
	uint8_t *der = NULL;
	int len = info != NULL && fill(info, plan) ? i2d_TS_TST_INFO(info, &der) : 0;

	TS_TST_INFO_free(info);
	if (len > 0)
		buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	ERR_clear_error();
	return len > 0 && !out->failed;
}

static signet_err
add_attributes(struct cms *c, const struct cms_signer *s, const struct buf *content)
{
	uint8_t hash[DIGEST_MAX];
	signet_err err;

	if (EVP_Q_digest(NULL, hash_names[c->hash], NULL, content->data, content->len, hash, NULL) != 1)
		return SIGNET_ERR_MEMORY;
	err = cms_attribute(c, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_nid2obj(NID_id_smime_ct_TSTInfo), 0);
	if (err == SIGNET_OK)
		err = cms_attribute(c, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, hash, digest_size(c->hash));
	if (err == SIGNET_OK)
		err = cms_attribute(c, NID_id_smime_aa_signingCertificateV2, V_ASN1_SEQUENCE, s->ess, s->ess_len);
	return err;
}

signet_err
tst_begin(struct cms **out, const struct cms_signer *s, const struct tst_plan *plan, struct digest *to_sign)
{
	owned(buf_done) struct buf content;
	struct cms *c = NULL;
	signet_err err;

	buf_init(&content, 1024);
	if (digest_size(plan->imprint.alg) == 0 || digest_size(plan->hash) == 0 || plan->nonce_len > TST_NONCE_MAX)
		return SIGNET_ERR_UNSUPPORTED;
	if (!write_info(plan, &content))
		return SIGNET_ERR_UNSUPPORTED;
	err = cms_start(&c, s, plan->hash, plan->pss, plan->cert_req, &content);
	if (err == SIGNET_OK)
		err = add_attributes(c, s, &content);
	if (err == SIGNET_OK)
		err = cms_seal_attributes(c, to_sign);
	if (err != SIGNET_OK) {
		cms_free(c);
		return err;
	}
	*out = c;
	return SIGNET_OK;
}

size_t
tst_room(const struct cms_signer *s)
{
	struct tst_plan plan = {.imprint.alg = DIGEST_SHA512, .hash = DIGEST_SHA512, .cert_req = true,
	    .pss = EVP_PKEY_get_base_id(X509_get0_pubkey(s->own)) == EVP_PKEY_RSA,
	    .time_us = INT64_C(1700000000123456), .accuracy_ms = 59999, .policy = "1.2.3", .nonce_len = TST_NONCE_MAX};
	struct digest unused;
	struct cms *c = NULL;
	size_t n;

	memset(plan.nonce, 0xff, sizeof(plan.nonce));
	memset(plan.serial, 0x7f, sizeof(plan.serial));
	if (tst_begin(&c, s, &plan, &unused) != SIGNET_OK)
		return 0;
	n = cms_measure(c, s);
	cms_free(c);
	return n == 0 ? 0 : n + TST_POLICY_MAX; /* an identifier takes fewer bytes than its text */
}
