/*
 * CAdES and PAdES of level B-B, from a digest and a certificate.
 *
 * The signed attributes are those of EN 319 122-1, 6.3 and EN 319 142-1, 6.3:
 * content-type, message-digest, signing-certificate-v2 (SHA-256, with
 * issuerSerial [RFC 5035, 4]), a commitment, and signing-time in CAdES and
 * never in PAdES. What is signed is the DER of their SET OF [RFC 5652, 5.4].
 *
 * Nothing here sees a private key, and none of OpenSSL's signing functions is
 * called: CMS_SignerInfo_sign() would add a signing-time by itself and knows no
 * parameters for PSS without a key's context. So the algorithm identifier of
 * PSS is set here, with all four of its fields [RFC 4056, 3].
 */
#include "format/cms.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/rsa.h>

#include "format/cms_internal.h"

static const struct {
	int nid;
	const char *name;
} hashes[] = {
    [DIGEST_SHA256] = {NID_sha256, "SHA256"},
    [DIGEST_SHA384] = {NID_sha384, "SHA384"},
    [DIGEST_SHA512] = {NID_sha512, "SHA512"},
};

static signet_err
no_luck(void)
{
	ERR_clear_error();
	return SIGNET_ERR_MEMORY;
}

/* --- who signs --- */

static bool
is_self_issued(X509 *x509)
{
	return X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
}

static X509 *
parse(const uint8_t *der, size_t len)
{
	const uint8_t *p = der;
	X509 *x509 = d2i_X509(NULL, &p, (long)len);

	if (x509 != NULL && p == der + len)
		return x509;
	X509_free(x509);
	return NULL;
}

static bool
state_certificate(struct cms_signer *s)
{
	ESS_SIGNING_CERT_V2 *ess = OSSL_ESS_signing_cert_v2_new_init(EVP_sha256(), s->own, NULL, 1);
	int len = ess == NULL ? 0 : i2d_ESS_SIGNING_CERT_V2(ess, &s->ess);

	ESS_SIGNING_CERT_V2_free(ess);
	s->ess_len = len > 0 ? (size_t)len : 0;
	return len > 0;
}

/* The keys that have a place in CMS here: RSA and ECDSA. */
static bool
key_fits(X509 *own)
{
	const EVP_PKEY *key = X509_get0_pubkey(own);
	int id = key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);

	return id == EVP_PKEY_RSA || id == EVP_PKEY_EC;
}

signet_err
cms_signer_new(struct cms_signer **out, const uint8_t *const *certs, const size_t *lens, size_t count)
{
	struct cms_signer *s = calloc(1, sizeof(*s));
	signet_err err = SIGNET_ERR_UNSUPPORTED;

	if (s == NULL)
		return SIGNET_ERR_MEMORY;
	s->own = count == 0 ? NULL : parse(certs[0], lens[0]);
	if (s->own == NULL || !key_fits(s->own))
		goto fail;
	for (size_t i = 1; i < count && s->chain_count < CMS_CHAIN_MAX; i++) {
		X509 *issuer = parse(certs[i], lens[i]);

		if (issuer == NULL)
			goto fail;
		if (is_self_issued(issuer)) /* who believes it has it already */
			X509_free(issuer);
		else
			s->chain[s->chain_count++] = issuer;
	}
	if (state_certificate(s)) {
		*out = s;
		return SIGNET_OK;
	}
	err = SIGNET_ERR_MEMORY;
fail:
	cms_signer_free(s);
	ERR_clear_error();
	return err;
}

void
cms_signer_free(struct cms_signer *s)
{
	if (s == NULL)
		return;
	X509_free(s->own);
	for (size_t i = 0; i < s->chain_count; i++)
		X509_free(s->chain[i]);
	OPENSSL_free(s->ess);
	free(s);
}

/* --- the algorithm --- */

static X509_ALGOR *
mgf1_of(const EVP_MD *md)
{
	X509_ALGOR *inner = X509_ALGOR_new(), *outer = X509_ALGOR_new();
	ASN1_STRING *packed = NULL;

	if (inner != NULL && outer != NULL) {
		X509_ALGOR_set_md(inner, md);
		packed = ASN1_item_pack(inner, ASN1_ITEM_rptr(X509_ALGOR), NULL);
	}
	X509_ALGOR_free(inner);
	if (packed != NULL && X509_ALGOR_set0(outer, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, packed) == 1)
		return outer;
	ASN1_STRING_free(packed);
	X509_ALGOR_free(outer);
	return NULL;
}

/* RSASSA-PSS-params with hash, MGF1 of the same hash, and a salt as long as the digest [RFC 4055, 3.1]. */
static bool
set_pss(X509_ALGOR *alg, const EVP_MD *md)
{
	RSA_PSS_PARAMS *p = RSA_PSS_PARAMS_new();
	ASN1_STRING *packed = NULL;

	if (p == NULL)
		return false;
	p->hashAlgorithm = X509_ALGOR_new();
	p->maskGenAlgorithm = mgf1_of(md);
	p->saltLength = ASN1_INTEGER_new();
	if (p->hashAlgorithm != NULL && p->maskGenAlgorithm != NULL && p->saltLength != NULL &&
	    ASN1_INTEGER_set(p->saltLength, EVP_MD_get_size(md)) == 1) {
		X509_ALGOR_set_md(p->hashAlgorithm, md);
		packed = ASN1_item_pack(p, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
	}
	RSA_PSS_PARAMS_free(p);
	if (packed != NULL && X509_ALGOR_set0(alg, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed) == 1)
		return true;
	ASN1_STRING_free(packed);
	return false;
}

/* --- step 1 --- */

void
cms_free(struct cms *c)
{
	if (c == NULL)
		return;
	CMS_ContentInfo_free(c->info);
	free(c);
}

/* The content stands inside, in one piece of known length: it is to be DER. */
static bool
put_content(CMS_ContentInfo *info, const struct buf *content)
{
	ASN1_OCTET_STRING **at;

	if (CMS_set1_eContentType(info, OBJ_nid2obj(NID_id_smime_ct_TSTInfo)) != 1 || CMS_set_detached(info, 0) != 1)
		return false;
	at = CMS_get0_content(info);
	if (at == NULL || *at == NULL || ASN1_STRING_set(*at, content->data, (int)content->len) != 1)
		return false;
	(*at)->flags &= ~(ASN1_STRING_FLAG_CONT | ASN1_STRING_FLAG_NDEF);
	return true;
}

static bool
put_certs(CMS_ContentInfo *info, const struct cms_signer *s)
{
	if (CMS_add1_cert(info, s->own) != 1)
		return false;
	for (size_t i = 0; i < s->chain_count; i++)
		if (CMS_add1_cert(info, s->chain[i]) != 1)
			return false;
	return true;
}

/* All but the attributes. `content` NULL: a detached signature. */
signet_err
cms_start(struct cms **out, const struct cms_signer *s, enum signet_digest_alg hash, bool pss, bool with_certs,
    const struct buf *content)
{
	bool is_rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(s->own)) == EVP_PKEY_RSA;
	const EVP_MD *md = EVP_get_digestbyname(hashes[hash].name);
	struct cms *c = calloc(1, sizeof(*c));
	X509_ALGOR *alg = NULL;

	if (c == NULL || md == NULL || (pss && !is_rsa)) {
		free(c);
		return pss && !is_rsa ? SIGNET_ERR_UNSUPPORTED : no_luck();
	}
	c->hash = hash;
	c->info = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY | CMS_DETACHED);
	if (c->info == NULL || (content != NULL && !put_content(c->info, content)))
		goto fail;
	c->signer = CMS_add1_signer(
	    c->info, s->own, X509_get0_pubkey(s->own), md, CMS_BINARY | CMS_NOSMIMECAP | CMS_NOCERTS);
	if (c->signer == NULL || (with_certs && !put_certs(c->info, s)))
		goto fail;
	CMS_SignerInfo_get0_algs(c->signer, NULL, NULL, NULL, &alg);
	if (pss && !set_pss(alg, md))
		goto fail;
	*out = c;
	return SIGNET_OK;
fail:
	cms_free(c);
	return no_luck();
}

signet_err
cms_attribute(struct cms *c, int nid, int type, const void *value, size_t len)
{
	/* objects and times come as such, everything else as bytes */
	int n = len == 0 ? -1 : (int)len;

	return CMS_signed_add1_attr_by_NID(c->signer, nid, type, value, n) == 1 ? SIGNET_OK : no_luck();
}

struct attribute {
	uint8_t *der;
	size_t len;
};

/* The order of a SET OF in DER: by the octets, a shorter one before its longer twin [X.690, 11.6]. */
static int
compare(const void *a, const void *b)
{
	const struct attribute *x = a, *y = b;
	int order = memcmp(x->der, y->der, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Tag SET OF and a length of the definite form. */
static void
put_head(struct buf *out, size_t len)
{
	buf_u8(out, 0x31);
	if (len < 0x80) {
		buf_u8(out, (uint8_t)len);
	} else if (len < 0x100) {
		buf_u8(out, 0x81);
		buf_u8(out, (uint8_t)len);
	} else {
		buf_u8(out, 0x82);
		buf_u8(out, (uint8_t)(len >> 8));
		buf_u8(out, (uint8_t)len);
	}
}

static bool
write_attributes(const struct cms *c, struct buf *out)
{
	struct attribute list[ATTRIBUTES_MAX];
	int count = CMS_signed_get_attr_count(c->signer), made = 0;
	size_t total = 0;
	bool ok = count > 0 && count <= ATTRIBUTES_MAX;

	for (; ok && made < count; made++) {
		struct attribute *a = &list[made];
		int len;

		a->der = NULL;
		len = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(c->signer, made), &a->der);
		ok = len > 0;
		a->len = ok ? (size_t)len : 0;
		total += a->len;
	}
	ok = ok && total <= ATTRIBUTES_SIZE_MAX;
	if (ok) {
		qsort(list, (size_t)count, sizeof(list[0]), compare);
		put_head(out, total);
		for (int i = 0; i < count; i++)
			buf_put(out, list[i].der, list[i].len);
	}
	while (made > 0)
		OPENSSL_free(list[--made].der);
	return ok && !out->failed;
}

signet_err
cms_seal_attributes(struct cms *c, struct digest *to_sign)
{
	owned(buf_done) struct buf set;

	buf_init(&set, ATTRIBUTES_SIZE_MAX + 8);
	to_sign->alg = c->hash;
	if (!write_attributes(c, &set) ||
	    EVP_Q_digest(NULL, hashes[c->hash].name, NULL, set.data, set.len, to_sign->bytes, NULL) != 1)
		return no_luck();
	return SIGNET_OK;
}

static signet_err
add_time(struct cms *c, int64_t time)
{
	ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)time); /* UTCTime through 2049 [RFC 5652, 11.3] */
	signet_err err = at == NULL ? no_luck() : cms_attribute(c, NID_pkcs9_signingTime, at->type, at, 0);

	ASN1_TIME_free(at);
	return err;
}

/* CommitmentTypeIndication with nothing but its identifier [EN 319 122-1, 5.2.3]. */
static signet_err
add_commitment(struct cms *c, enum cms_commitment commitment)
{
	/* id-cti-ets-proofOfOrigin (1) and -proofOfApproval (5) */
	uint8_t der[] = {0x30, 0x0d, 0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x06, 0x00};

	if (commitment == CMS_COMMITMENT_NONE)
		return SIGNET_OK;
	der[sizeof(der) - 1] = commitment == CMS_COMMITMENT_ORIGIN ? 1 : 5;
	return cms_attribute(c, NID_id_smime_aa_ets_commitmentType, V_ASN1_SEQUENCE, der, sizeof(der));
}

signet_err
cms_begin(struct cms **out, const struct cms_signer *s, const struct cms_plan *plan, struct digest *to_sign)
{
	size_t n = digest_size(plan->digest.alg);
	struct cms *c = NULL;
	signet_err err = n == 0 ? SIGNET_ERR_UNSUPPORTED
				: cms_start(&c, s, plan->digest.alg, plan->pss, true, NULL);

	if (err == SIGNET_OK)
		err = cms_attribute(c, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_nid2obj(NID_pkcs7_data), 0);
	if (err == SIGNET_OK)
		err = cms_attribute(c, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, plan->digest.bytes, n);
	if (err == SIGNET_OK)
		err = cms_attribute(c, NID_id_smime_aa_signingCertificateV2, V_ASN1_SEQUENCE, s->ess, s->ess_len);
	if (err == SIGNET_OK && plan->format == CMS_FORMAT_CADES)
		err = add_time(c, plan->time);
	if (err == SIGNET_OK)
		err = add_commitment(c, plan->commitment);
	if (err == SIGNET_OK)
		err = cms_seal_attributes(c, to_sign);
	if (err != SIGNET_OK) {
		cms_free(c);
		return err;
	}
	*out = c;
	return SIGNET_OK;
}

/* --- step 2 --- */

static signet_err
write_out(CMS_ContentInfo *info, struct buf *out)
{
	int len = i2d_CMS_ContentInfo(info, NULL);
	uint8_t *at;

	if (len <= 0)
		return no_luck();
	if (len > CMS_MAX)
		return SIGNET_ERR_LIMIT;
	at = buf_room(out, (size_t)len);
	if (at == NULL)
		return SIGNET_ERR_LIMIT;
	out->len += (size_t)i2d_CMS_ContentInfo(info, &at);
	return SIGNET_OK;
}

signet_err
cms_finish(struct cms *c, const uint8_t *sig, size_t len, struct buf *out)
{
	if (ASN1_STRING_set(CMS_SignerInfo_get0_signature(c->signer), sig, (int)len) != 1)
		return no_luck();
	return write_out(c->info, out);
}

size_t
cms_signature_max(const struct cms_signer *s)
{
	int n = EVP_PKEY_get_size(X509_get0_pubkey(s->own)); /* RSA: the modulus; ECDSA: the longest DER */

	return n > 0 && n <= SIGNATURE_MAX ? (size_t)n : 0;
}

/* The longest of its kind, made with any bytes in place of a signature. */
size_t
cms_measure(struct cms *c, const struct cms_signer *s)
{
	uint8_t sig[SIGNATURE_MAX] = {0};
	owned(buf_done) struct buf out;

	buf_init(&out, CMS_MAX);
	if (cms_signature_max(s) == 0 || cms_finish(c, sig, cms_signature_max(s), &out) != SIGNET_OK)
		return 0;
	return out.len;
}

size_t
cms_room(const struct cms_signer *s)
{
	struct cms_plan plan = {.format = CMS_FORMAT_CADES, .commitment = CMS_COMMITMENT_APPROVAL,
	    .pss = EVP_PKEY_get_base_id(X509_get0_pubkey(s->own)) == EVP_PKEY_RSA, .time = INT64_C(2600000000),
	    .digest = {.alg = DIGEST_SHA512}};
	struct digest unused;
	struct cms *c = NULL;
	size_t n;

	if (cms_begin(&c, s, &plan, &unused) != SIGNET_OK)
		return 0;
	n = cms_measure(c, s);
	cms_free(c);
	return n;
}

/* --- level T --- */

signet_err
cms_add_stamp(const uint8_t *cms, size_t len, const uint8_t *tst, size_t tst_len, struct buf *out)
{
	const uint8_t *p = cms;
	CMS_ContentInfo *info = len > CMS_MAX || tst_len > CMS_MAX ? NULL : d2i_CMS_ContentInfo(NULL, &p, (long)len);
	STACK_OF(CMS_SignerInfo) *signers = info == NULL ? NULL : CMS_get0_SignerInfos(info);
	signet_err err = SIGNET_ERR_PROTOCOL;

	if (p == cms + len && signers != NULL && sk_CMS_SignerInfo_num(signers) == 1) {
		CMS_SignerInfo *si = sk_CMS_SignerInfo_value(signers, 0);

		/* the signature-time-stamp attribute over the signature's octets [EN 319 122-1, 5.3] */
		err = CMS_unsigned_add1_attr_by_NID(si, NID_id_smime_aa_timeStampToken, V_ASN1_SEQUENCE, tst,
			  (int)tst_len) == 1 ? write_out(info, out) : no_luck();
	}
	CMS_ContentInfo_free(info);
	ERR_clear_error();
	return err;
}
