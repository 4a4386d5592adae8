/*
 * A detached CMS signature, taken apart with libcrypto [RFC 5652, 5.4 to 5.6;
 * RFC 5035, 3; EN 319 122-1].
 *
 * Invariant: nothing is good by default. The content is never handed to
 * libcrypto: its digest is compared with the signed attribute, so that a
 * content of any size costs one pass; signatures without signed attributes,
 * with several signers, or over SHA-1 are not readable here.
 */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <string.h>

#include "base/digest.h"

#include "cms.h"
#include "hash.h"

struct parts {
	CMS_ContentInfo *cms;
	CMS_SignerInfo *si;
	STACK_OF(X509) * certs; /* all that came with it */
};

static CMS_ContentInfo *
decode(const uint8_t *bytes, size_t n, size_t *used)
{
	const uint8_t *p = bytes;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)n);
	const uint8_t *end = p;

	if (cms == NULL)
		return NULL;
	*used = (size_t)(p - bytes);
	for (; p < bytes + n; p++) {
		if (*p != 0) {
			CMS_ContentInfo_free(cms);
			return NULL;
		}
	}
	return end > bytes ? cms : NULL;
}

static signet_hash
hash_of(CMS_SignerInfo *si, X509 **signer)
{
	X509_ALGOR *digest = NULL;
	const ASN1_OBJECT *oid = NULL;

	CMS_SignerInfo_get0_algs(si, NULL, signer, &digest, NULL);
	X509_ALGOR_get0(&oid, NULL, NULL, digest);
	switch (OBJ_obj2nid(oid)) {
	case NID_sha256:
		return SIGNET_SHA256;
	case NID_sha384:
		return SIGNET_SHA384;
	case NID_sha512:
		return SIGNET_SHA512;
	default:
		return (signet_hash)0;
	}
}

/* One signer with his certificate, detached, about plain data. */
static bool
take_apart(struct cms_report *r, struct parts *p, const uint8_t *bytes, size_t n)
{
	STACK_OF(CMS_SignerInfo) * signers;
	const ASN1_OBJECT *content;
	X509 *signer = NULL;

	p->cms = decode(bytes, n, &r->size);
	if (p->cms == NULL || OBJ_obj2nid(CMS_get0_type(p->cms)) != NID_pkcs7_signed ||
	    CMS_is_detached(p->cms) != 1)
		return false;
	signers = CMS_get0_SignerInfos(p->cms);
	if (sk_CMS_SignerInfo_num(signers) != 1)
		return false;
	p->si = sk_CMS_SignerInfo_value(signers, 0);
	p->certs = CMS_get1_certs(p->cms);
	if (CMS_set1_signers_certs(p->cms, NULL, 0) != 1)
		return false;
	content = CMS_signed_get0_data_by_OBJ(p->si, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
	r->hash = hash_of(p->si, &signer);
	if (content == NULL || OBJ_obj2nid(content) != NID_pkcs7_data || signer == NULL || r->hash == 0)
		return false;
	r->signer = X509_dup(signer);
	return r->signer != NULL;
}

static bool
check_digest(const struct parts *p, signet_hash hash, cms_digest_fn *digest, void *arg)
{
	const ASN1_OCTET_STRING *stated =
	    CMS_signed_get0_data_by_OBJ(p->si, OBJ_nid2obj(NID_pkcs9_messageDigest), -3, V_ASN1_OCTET_STRING);
	uint8_t own[SIGNET_DIGEST_MAX];

	return stated != NULL && ASN1_STRING_length(stated) == (int)signet_hash_size(hash) &&
	       digest(arg, hash, own) &&
	       memcmp(ASN1_STRING_get0_data(stated), own, signet_hash_size(hash)) == 0;
}

/* The signer's certificate first: that is what the attribute must name first. */
static STACK_OF(X509) * signer_first(const struct parts *p, X509 *signer)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	int i;

	if (list == NULL || sk_X509_push(list, signer) <= 0)
		return list;
	for (i = 0; i < sk_X509_num(p->certs); i++)
		(void)sk_X509_push(list, sk_X509_value(p->certs, i));
	return list;
}

static enum cms_binding
check_binding(const struct parts *p, X509 *signer)
{
	const ASN1_STRING *text = CMS_signed_get0_data_by_OBJ(
	    p->si, OBJ_nid2obj(NID_id_smime_aa_signingCertificateV2), -3, V_ASN1_SEQUENCE);
	ESS_SIGNING_CERT_V2 *named = NULL;
	STACK_OF(X509) * certs;
	const uint8_t *der;
	bool same;

	if (text == NULL)
		return CMS_signed_get_attr_by_NID(p->si, NID_id_smime_aa_signingCertificateV2, -1) < 0
			   ? CMS_CERT_UNBOUND
			   : CMS_CERT_OTHER;
	der = ASN1_STRING_get0_data(text);
	named = d2i_ESS_SIGNING_CERT_V2(NULL, &der, ASN1_STRING_length(text));
	certs = signer_first(p, signer);
	same = named != NULL && certs != NULL && OSSL_ESS_check_signing_certs(NULL, named, certs, 1) > 0;
	ESS_SIGNING_CERT_V2_free(named);
	sk_X509_free(certs);
	return same ? CMS_CERT_BOUND : CMS_CERT_OTHER;
}

static void
check_chain(struct cms_report *r, const struct parts *p, X509_STORE *ca)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	r->chain_checked = true;
	if (ctx != NULL && X509_STORE_CTX_init(ctx, ca, r->signer, p->certs) == 1) {
		r->chain_good = X509_verify_cert(ctx) == 1;
		if (!r->chain_good)
			r->chain_fault = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	}
	X509_STORE_CTX_free(ctx);
}

static void
read_time(struct cms_report *r, const struct parts *p)
{
	int at = CMS_signed_get_attr_by_NID(p->si, NID_pkcs9_signingTime, -1);
	X509_ATTRIBUTE *a = at < 0 ? NULL : CMS_signed_get_attr(p->si, at);
	ASN1_TYPE *value = a == NULL ? NULL : X509_ATTRIBUTE_get0_type(a, 0);
	struct tm tm;

	if (value == NULL || (value->type != V_ASN1_UTCTIME && value->type != V_ASN1_GENERALIZEDTIME) ||
	    ASN1_TIME_to_tm(value->value.asn1_string, &tm) != 1)
		return;
	(void)strftime(r->time, sizeof(r->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void
cms_check(
    struct cms_report *r, const uint8_t *bytes, size_t n, cms_digest_fn *digest, void *arg, X509_STORE *ca)
{
	struct parts p = {0};

	*r = (struct cms_report){0};
	r->readable = take_apart(r, &p, bytes, n);
	if (r->readable) {
		r->digest_good = check_digest(&p, r->hash, digest, arg);
		r->signature_good = CMS_SignerInfo_verify(p.si) == 1;
		r->binding = check_binding(&p, r->signer);
		if (ca != NULL)
			check_chain(r, &p, ca);
		read_time(r, &p);
		r->stamped = CMS_unsigned_get_attr_by_NID(p.si, NID_id_smime_aa_timeStampToken, -1) >= 0;
	}
	sk_X509_pop_free(p.certs, X509_free);
	CMS_ContentInfo_free(p.cms);
	ERR_clear_error();
}

void
cms_report_done(struct cms_report *r)
{
	X509_free(r->signer);
	r->signer = NULL;
}

bool
cms_value_hash(const uint8_t *bytes, size_t n, size_t *size, char *text)
{
	CMS_ContentInfo *cms = decode(bytes, n, size);
	struct digest d = {.alg = DIGEST_SHA256};
	STACK_OF(CMS_SignerInfo) * signers;
	const ASN1_STRING *value;
	bool good = false;

	if (cms != NULL && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed) {
		signers = CMS_get0_SignerInfos(cms);
		if (sk_CMS_SignerInfo_num(signers) == 1) {
			value = CMS_SignerInfo_get0_signature(sk_CMS_SignerInfo_value(signers, 0));
			good = EVP_Digest(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value),
				   d.bytes, NULL, EVP_sha256(), NULL) == 1;
		}
	}
	if (good)
		digest_format(&d, text);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return good;
}

X509_STORE *
cms_trusted(const char *path)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		return NULL;
	if (X509_STORE_load_file(store, path) != 1) {
		X509_STORE_free(store);
		store = NULL;
	}
	ERR_clear_error();
	return store;
}
