/*
 * Public keys: from a token's object where there is no certificate, and the
 * judgement which of them sign at all. RSA of 2048 to 4096 bits, P-256, P-384,
 * P-521 and Ed25519; anything else is refused by name.
 *
 * CKA_EC_POINT is an OCTET STRING around the point [PKCS #11 2.40, 2.3.3]; some
 * modules leave the wrapping out. Ed25519 appears as CKK_EC_EDWARDS with the
 * curve as PrintableString or as object identifier [PKCS #11 3.0, 2.3.10].
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "token/worker.h"

enum { ATTRIBUTE_MAX = 1024 };

struct value {
	CK_ULONG len;
	uint8_t bytes[ATTRIBUTE_MAX];
};

static bool
read_value(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
    struct value *out)
{
	CK_ATTRIBUTE a = {type, out->bytes, sizeof(out->bytes)};

	if (p11->C_GetAttributeValue(s, object, &a, 1) != CKR_OK || a.ulValueLen > sizeof(out->bytes))
		return false;
	out->len = a.ulValueLen;
	return out->len > 0;
}

static EVP_PKEY *
key_from_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *
rsa_key(const struct value *n, const struct value *e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = BN_bin2bn(n->bytes, (int)n->len, NULL), *bn_e = BN_bin2bn(e->bytes, (int)e->len, NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (bld != NULL && bn_n != NULL && bn_e != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	key = key_from_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn_n);
	BN_free(bn_e);
	return key;
}

/* The octets of an EC point, with or without their OCTET STRING. */
static void
unwrap_point(const struct value *point, const uint8_t **bytes, size_t *len)
{
	const uint8_t *p = point->bytes;
	ASN1_OCTET_STRING *octets = d2i_ASN1_OCTET_STRING(NULL, &p, (long)point->len);

	*bytes = point->bytes;
	*len = point->len;
	if (octets != NULL && p == point->bytes + point->len) {
		*len = (size_t)ASN1_STRING_length(octets);
		*bytes = p - *len; /* the content is the tail */
	}
	ASN1_OCTET_STRING_free(octets);
	ERR_clear_error();
}

static EVP_PKEY *
ec_key(const struct value *curve, const struct value *point)
{
	const uint8_t *p = curve->bytes, *bytes;
	ASN1_OBJECT *oid = d2i_ASN1_OBJECT(NULL, &p, (long)curve->len);
	int nid = oid == NULL ? NID_undef : OBJ_obj2nid(oid);
	OSSL_PARAM params[3];
	EVP_PKEY *key = NULL;
	char name[80] = "";
	size_t len;

	ASN1_OBJECT_free(oid);
	if (nid == NID_undef)
		return NULL;
	unwrap_point(point, &bytes, &len);
	strncpy(name, OBJ_nid2sn(nid), sizeof(name) - 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)bytes, len);
	params[2] = OSSL_PARAM_construct_end();
	key = key_from_params("EC", params);
	return key;
}

static EVP_PKEY *
edwards_key(const struct value *curve, const struct value *point)
{
	static const uint8_t by_name[] = "\x13\x0c"
					 "edwards25519",
			     by_oid[] = "\x06\x03\x2b\x65\x70";
	const uint8_t *bytes;
	size_t len;

	if (!(curve->len == sizeof(by_name) - 1 && memcmp(curve->bytes, by_name, curve->len) == 0) &&
	    !(curve->len == sizeof(by_oid) - 1 && memcmp(curve->bytes, by_oid, curve->len) == 0))
		return NULL;
	unwrap_point(point, &bytes, &len);
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, len);
}

EVP_PKEY *
public_from_object(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object)
{
	CK_KEY_TYPE type = CKK_VENDOR_DEFINED;
	CK_ATTRIBUTE a = {CKA_KEY_TYPE, &type, sizeof(type)};
	struct value first, second;
	EVP_PKEY *key = NULL;

	if (p11->C_GetAttributeValue(s, object, &a, 1) != CKR_OK)
		return NULL;
	if (type == CKK_RSA && read_value(p11, s, object, CKA_MODULUS, &first) &&
	    read_value(p11, s, object, CKA_PUBLIC_EXPONENT, &second))
		key = rsa_key(&first, &second);
	else if (type == CKK_EC && read_value(p11, s, object, CKA_EC_PARAMS, &first) &&
		 read_value(p11, s, object, CKA_EC_POINT, &second))
		key = ec_key(&first, &second);
	else if (type == CKK_EC_EDWARDS && read_value(p11, s, object, CKA_EC_PARAMS, &first) &&
		 read_value(p11, s, object, CKA_EC_POINT, &second))
		key = edwards_key(&first, &second);
	ERR_clear_error();
	return key;
}

static uint8_t
rsa_algorithm(EVP_PKEY *key, uint16_t *bits, char *reason, size_t size)
{
	int n = EVP_PKEY_get_bits(key);

	if (n < 2048 || n > 8 * WIRE_SIG_MAX) {
		text_printf(reason, size, "RSA keys have 2048 to 4096 bits here, not %d", n);
		return WIRE_ALG_NONE;
	}
	*bits = (uint16_t)n;
	return WIRE_RSA;
}

static uint8_t
ec_algorithm(EVP_PKEY *key, char *reason, size_t size)
{
	static const struct {
		int nid;
		uint8_t algorithm;
	} curves[] = {
	    {NID_X9_62_prime256v1, WIRE_P256}, {NID_secp384r1, WIRE_P384}, {NID_secp521r1, WIRE_P521}};
	char name[80] = "";

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) == 1)
		for (size_t i = 0; i < array_len(curves); i++)
			if (OBJ_sn2nid(name) == curves[i].nid)
				return curves[i].algorithm;
	text_printf(reason, size, "the curve is not P-256, P-384, P-521 or Ed25519 but %s", name);
	return WIRE_ALG_NONE;
}

uint8_t
public_algorithm(EVP_PKEY *key, uint16_t *bits, char *reason, size_t size)
{
	*bits = 0;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return rsa_algorithm(key, bits, reason, size);
	case EVP_PKEY_EC:
		return ec_algorithm(key, reason, size);
	case EVP_PKEY_ED25519:
		return WIRE_ED25519;
	default:
		text_printf(reason, size, "keys of this kind do not sign here");
		return WIRE_ALG_NONE;
	}
}
