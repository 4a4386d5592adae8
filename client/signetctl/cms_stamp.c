/*
 * Checking the time-stamp in a CMS: its imprint is the hash of the signature's
 * octets, its own signature is good, its attributes name its certificate
 * [RFC 3161, 2.2 and 2.4.2], and, where the caller says whom he believes, there
 * was a path to him at the time that it states.
 */
#include "cms_stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/ts.h>
#include <openssl/x509_vfy.h>

static CMS_SignerInfo *
only_signer(CMS_ContentInfo *info)
{
	STACK_OF(CMS_SignerInfo) *list = CMS_get0_SignerInfos(info);

	return list != NULL && sk_CMS_SignerInfo_num(list) == 1 ? sk_CMS_SignerInfo_value(list, 0) : NULL;
}

static CMS_ContentInfo *
parse(const uint8_t *bytes, size_t n)
{
	const uint8_t *p = bytes;
	CMS_ContentInfo *info = n > CMS_FILE_MAX ? NULL : d2i_CMS_ContentInfo(NULL, &p, (long)n);

	ERR_clear_error();
	if (info != NULL && OBJ_obj2nid(CMS_get0_type(info)) == NID_pkcs7_signed && only_signer(info) != NULL)
		return info;
	CMS_ContentInfo_free(info);
	ERR_clear_error();
	return NULL;
}

uint8_t *
cms_load(const char *path, size_t *size)
{
	uint8_t *bytes = malloc(CMS_FILE_MAX + 1);
	FILE *f = bytes == NULL ? NULL : fopen(path, "rbe");
	bool failed;

	if (f == NULL) {
		free(bytes);
		return NULL;
	}
	*size = fread(bytes, 1, CMS_FILE_MAX + 1, f);
	failed = ferror(f) != 0;
	(void)fclose(f);
	if (!failed && *size <= CMS_FILE_MAX)
		return bytes;
	if (!failed)
		errno = EFBIG;
	free(bytes);
	return NULL;
}

static TS_TST_INFO *
content_of(CMS_ContentInfo *token)
{
	ASN1_OCTET_STRING **content = CMS_get0_content(token);
	const uint8_t *p = content == NULL || *content == NULL ? NULL : (*content)->data;

	if (p == NULL || OBJ_obj2nid(CMS_get0_eContentType(token)) != NID_id_smime_ct_TSTInfo)
		return NULL;
	return d2i_TS_TST_INFO(NULL, &p, (*content)->length);
}

static bool
is_over(TS_TST_INFO *tst, const ASN1_OCTET_STRING *value)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(tst);
	const ASN1_OCTET_STRING *stated = TS_MSG_IMPRINT_get_msg(imprint);
	const ASN1_OBJECT *oid = NULL;
	uint8_t hash[EVP_MAX_MD_SIZE];
	const EVP_MD *md;
	unsigned n = 0;

	X509_ALGOR_get0(&oid, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
	md = EVP_get_digestbyobj(oid);
	return md != NULL && EVP_MD_get_size(md) >= 32 &&
	       EVP_Digest(value->data, (size_t)value->length, hash, &n, md, NULL) == 1 &&
	       (unsigned)stated->length == n && memcmp(stated->data, hash, n) == 0;
}

static bool
names_certificate(CMS_SignerInfo *si, X509 *signer)
{
	const ASN1_STRING *der =
	    CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(NID_id_smime_aa_signingCertificateV2), -3, V_ASN1_SEQUENCE);
	const uint8_t *p = der == NULL ? NULL : der->data;
	ESS_SIGNING_CERT_V2 *ess = p == NULL ? NULL : d2i_ESS_SIGNING_CERT_V2(NULL, &p, der->length);
	STACK_OF(X509) *chain = sk_X509_new_null();
	bool ok = ess != NULL && chain != NULL && sk_X509_push(chain, signer) > 0 &&
		  OSSL_ESS_check_signing_certs(NULL, ess, chain, 1) > 0;

	sk_X509_free(chain);
	ESS_SIGNING_CERT_V2_free(ess);
	return ok;
}

/* Content and attributes; `signer` is borrowed. */
static bool
is_signed(CMS_ContentInfo *token, X509 **signer)
{
	CMS_SignerInfo *si = only_signer(token);
	BIO *sink = BIO_new(BIO_s_null());
	bool good = sink != NULL && CMS_verify(token, NULL, NULL, NULL, sink, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1;

	BIO_free(sink);
	CMS_SignerInfo_get0_algs(si, NULL, signer, NULL, NULL);
	return good && *signer != NULL && names_certificate(si, *signer);
}

static void
check_chain(struct stamp_report *r, CMS_ContentInfo *token, X509_STORE *ca, time_t at)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *others = CMS_get1_certs(token);

	r->chain_checked = true;
	if (ctx != NULL && X509_STORE_CTX_init(ctx, ca, r->signer, others) == 1) {
		X509_STORE_CTX_set_time(ctx, 0, at);
		X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_TIMESTAMP_SIGN);
		r->chain_good = X509_verify_cert(ctx) == 1;
		if (!r->chain_good)
			r->chain_fault = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	}
	X509_STORE_CTX_free(ctx);
	sk_X509_pop_free(others, X509_free);
}

static void
judge(struct stamp_report *r, CMS_ContentInfo *token, const ASN1_OCTET_STRING *value, X509_STORE *ca)
{
	TS_TST_INFO *tst = content_of(token);
	X509 *signer = NULL;
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	if (tst != NULL && ASN1_TIME_to_tm(TS_TST_INFO_get_time(tst), &tm) == 1 && is_over(tst, value) &&
	    is_signed(token, &signer) && X509_up_ref(signer) == 1) {
		r->good = true;
		r->signer = signer;
		(void)strftime(r->time, sizeof(r->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
		if (ca != NULL)
			check_chain(r, token, ca, timegm(&tm));
	}
	TS_TST_INFO_free(tst);
}

void
stamp_check(struct stamp_report *r, const uint8_t *bytes, size_t n, X509_STORE *ca)
{
	CMS_ContentInfo *info = parse(bytes, n), *token = NULL;
	CMS_SignerInfo *si = info == NULL ? NULL : only_signer(info);
	const ASN1_STRING *der;

	memset(r, 0, sizeof(*r));
	if (si != NULL) {
		r->present = CMS_unsigned_get_attr_by_NID(si, NID_id_smime_aa_timeStampToken, -1) >= 0;
		/* several are not judged: which would be meant? */
		der = CMS_unsigned_get0_data_by_OBJ(
		    si, OBJ_nid2obj(NID_id_smime_aa_timeStampToken), -3, V_ASN1_SEQUENCE);
		token = der == NULL ? NULL : parse(der->data, (size_t)der->length);
	}
	if (token != NULL)
		judge(r, token, CMS_SignerInfo_get0_signature(si), ca);
	CMS_ContentInfo_free(token);
	CMS_ContentInfo_free(info);
	ERR_clear_error();
}

void
stamp_report_done(struct stamp_report *r)
{
	X509_free(r->signer);
	r->signer = NULL;
}

static bool
has_nonce(TS_TST_INFO *tst, const uint8_t *nonce, size_t size)
{
	const ASN1_INTEGER *stated = TS_TST_INFO_get_nonce(tst);
	BIGNUM *want = BN_bin2bn(nonce, (int)size, NULL), *got = stated == NULL ? NULL : ASN1_INTEGER_to_BN(stated, NULL);
	bool same = want != NULL && got != NULL && BN_cmp(want, got) == 0;

	BN_free(want);
	BN_free(got);
	return same;
}

static bool
has_imprint(TS_TST_INFO *tst, const char *hash, const uint8_t *digest)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(tst);
	const ASN1_OCTET_STRING *stated = TS_MSG_IMPRINT_get_msg(imprint);
	const EVP_MD *md = EVP_get_digestbyname(hash);
	const ASN1_OBJECT *oid = NULL;

	X509_ALGOR_get0(&oid, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
	return md != NULL && OBJ_obj2nid(oid) == EVP_MD_get_type(md) && stated->length == EVP_MD_get_size(md) &&
	       memcmp(stated->data, digest, (size_t)stated->length) == 0;
}

bool
stamp_answers(const uint8_t *token, size_t n, const char *hash, const uint8_t *digest, const uint8_t *nonce,
    size_t nonce_size)
{
	CMS_ContentInfo *info = token == NULL ? NULL : parse(token, n);
	TS_TST_INFO *tst = info == NULL ? NULL : content_of(info);
	X509 *signer = NULL;
	bool ok = tst != NULL && has_imprint(tst, hash, digest) && has_nonce(tst, nonce, nonce_size) &&
		  is_signed(info, &signer);

	TS_TST_INFO_free(tst);
	CMS_ContentInfo_free(info);
	ERR_clear_error();
	return ok;
}
