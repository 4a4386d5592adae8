/* Public keys as modules hand them out, and which of them may sign. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "token/worker.h"
#include "unit.h"

/* An object of a module that has these attributes and no others. */
static struct {
	CK_KEY_TYPE type;
	CK_ATTRIBUTE attributes[2];
} object;

static CK_RV
get_attribute(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	const CK_ATTRIBUTE *have = NULL;
	CK_ATTRIBUTE type = {CKA_KEY_TYPE, &object.type, sizeof(object.type)};

	(void)s;
	(void)o;
	assert_int_equal(n, 1);
	if (a->type == CKA_KEY_TYPE)
		have = &type;
	for (size_t i = 0; i < 2; i++)
		if (object.attributes[i].type == a->type && object.attributes[i].pValue != NULL)
			have = &object.attributes[i];
	if (have == NULL)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (have->ulValueLen > a->ulValueLen) {
		a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	memcpy(a->pValue, have->pValue, have->ulValueLen);
	a->ulValueLen = have->ulValueLen;
	return CKR_OK;
}

static EVP_PKEY *
understood(void)
{
	CK_FUNCTION_LIST module = {.C_GetAttributeValue = get_attribute};

	return public_from_object(&module, 1, 1);
}

static void
object_is(CK_KEY_TYPE type, CK_ATTRIBUTE_TYPE first, const void *a, size_t a_len, CK_ATTRIBUTE_TYPE second,
    const void *b, size_t b_len)
{
	object.type = type;
	object.attributes[0] = (CK_ATTRIBUTE){first, (void *)(uintptr_t)a, a_len};
	object.attributes[1] = (CK_ATTRIBUTE){second, (void *)(uintptr_t)b, b_len};
}

static const uint8_t p256_oid[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* The uncompressed point of `key` after `head` bytes of room. */
static size_t
point_of(EVP_PKEY *key, uint8_t *out, size_t size)
{
	size_t n = 0;

	assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, out, size, &n), 1);
	return n;
}

static void
point_is_understood_with_and_without_its_wrapping(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), *got;
	uint8_t point[2 + 65] = {0x04, 65};

	(void)state;
	assert_int_equal(point_of(key, point + 2, 65), 65);
	object_is(CKK_EC, CKA_EC_PARAMS, p256_oid, sizeof(p256_oid), CKA_EC_POINT, point, sizeof(point));
	got = understood();
	assert_int_equal(EVP_PKEY_eq(got, key), 1);
	EVP_PKEY_free(got);
	object_is(CKK_EC, CKA_EC_PARAMS, p256_oid, sizeof(p256_oid), CKA_EC_POINT, point + 2, 65);
	got = understood();
	assert_int_equal(EVP_PKEY_eq(got, key), 1);
	EVP_PKEY_free(got);
	EVP_PKEY_free(key);
}

static void
point_that_is_not_on_the_curve_is_refused(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	uint8_t point[65];

	(void)state;
	assert_int_equal(point_of(key, point, 65), 65);
	point[64] ^= 1;
	object_is(CKK_EC, CKA_EC_PARAMS, p256_oid, sizeof(p256_oid), CKA_EC_POINT, point, 65);
	assert_null(understood());
	EVP_PKEY_free(key);
}

static void
edwards_curve_is_known_by_name_and_by_number(void **state)
{
	static const uint8_t name[] = "\x13\x0c"
				      "edwards25519",
			     oid[] = "\x06\x03\x2b\x65\x70", other[] = "\x06\x03\x2b\x65\x71";
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *got;
	uint8_t point[2 + 32] = {0x04, 32};

	(void)state;
	assert_int_equal(point_of(key, point + 2, 32), 32);
	object_is(CKK_EC_EDWARDS, CKA_EC_PARAMS, name, sizeof(name) - 1, CKA_EC_POINT, point, sizeof(point));
	got = understood();
	assert_int_equal(EVP_PKEY_eq(got, key), 1);
	EVP_PKEY_free(got);
	object_is(CKK_EC_EDWARDS, CKA_EC_PARAMS, oid, sizeof(oid) - 1, CKA_EC_POINT, point + 2, 32);
	got = understood();
	assert_int_equal(EVP_PKEY_eq(got, key), 1);
	EVP_PKEY_free(got);
	object_is(
	    CKK_EC_EDWARDS, CKA_EC_PARAMS, other, sizeof(other) - 1, CKA_EC_POINT, point, sizeof(point));
	assert_null(understood());
	EVP_PKEY_free(key);
}

static void
object_that_lacks_or_overfills_an_attribute_is_refused(void **state)
{
	static const uint8_t large[2048] = {1}, three[] = {3};

	(void)state;
	object_is(CKK_EC, CKA_EC_PARAMS, p256_oid, sizeof(p256_oid), CKA_EC_POINT, NULL, 0);
	assert_null(understood());
	object_is(CKK_RSA, CKA_MODULUS, large, sizeof(large), CKA_PUBLIC_EXPONENT, three, 1);
	assert_null(understood());
	object_is(CKK_RSA, CKA_MODULUS, large, 0, CKA_PUBLIC_EXPONENT, three, 1);
	assert_null(understood());
	object_is(CKK_DSA, CKA_MODULUS, large, 256, CKA_PUBLIC_EXPONENT, three, 1);
	assert_null(understood());
}

/* A modulus of exactly these bits; nobody has to know its factors. */
static EVP_PKEY *
rsa_of(size_t bits)
{
	static const uint8_t exponent[] = {1, 0, 1};
	uint8_t modulus[520];
	size_t len = (bits + 7) / 8;

	memset(modulus, 0xff, sizeof(modulus));
	modulus[0] = (uint8_t)(0xff >> (8 * len - bits));
	object_is(CKK_RSA, CKA_MODULUS, modulus, len, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	return understood();
}

static void
rsa_is(size_t bits, uint8_t algorithm)
{
	EVP_PKEY *key = rsa_of(bits);
	char reason[128] = "";
	uint16_t got;

	assert_non_null(key);
	assert_int_equal(public_algorithm(key, &got, reason, sizeof(reason)), algorithm);
	assert_int_equal(got, algorithm == WIRE_RSA ? bits : 0);
	assert_int_equal(reason[0] == '\0', algorithm == WIRE_RSA);
	EVP_PKEY_free(key);
}

static void
rsa_signs_from_2048_to_4096_bits(void **state)
{
	(void)state;
	rsa_is(1024, WIRE_ALG_NONE);
	rsa_is(2047, WIRE_ALG_NONE);
	rsa_is(2048, WIRE_RSA);
	rsa_is(2049, WIRE_RSA);
	rsa_is(4095, WIRE_RSA);
	rsa_is(4096, WIRE_RSA);
	rsa_is(4097, WIRE_ALG_NONE);
}

static void
curve_is(const char *name, uint8_t algorithm)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", name);
	char reason[128] = "";
	uint16_t bits;

	assert_non_null(key);
	assert_int_equal(public_algorithm(key, &bits, reason, sizeof(reason)), algorithm);
	assert_int_equal(reason[0] == '\0', algorithm != WIRE_ALG_NONE);
	EVP_PKEY_free(key);
}

static void
only_three_curves_sign(void **state)
{
	(void)state;
	curve_is("P-256", WIRE_P256);
	curve_is("P-384", WIRE_P384);
	curve_is("P-521", WIRE_P521);
	curve_is("P-224", WIRE_ALG_NONE);
	curve_is("secp256k1", WIRE_ALG_NONE);
	curve_is("brainpoolP256r1", WIRE_ALG_NONE);
}

static void
other_kinds_do_not_sign(void **state)
{
	EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
		 *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	char reason[128] = "";
	uint16_t bits;

	(void)state;
	assert_int_equal(public_algorithm(x25519, &bits, reason, sizeof(reason)), WIRE_ALG_NONE);
	assert_int_equal(public_algorithm(ed448, &bits, reason, sizeof(reason)), WIRE_ALG_NONE);
	assert_string_equal(reason, "keys of this kind do not sign here");
	EVP_PKEY_free(x25519);
	EVP_PKEY_free(ed448);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(point_is_understood_with_and_without_its_wrapping),
	    cmocka_unit_test(point_that_is_not_on_the_curve_is_refused),
	    cmocka_unit_test(edwards_curve_is_known_by_name_and_by_number),
	    cmocka_unit_test(object_that_lacks_or_overfills_an_attribute_is_refused),
	    cmocka_unit_test(rsa_signs_from_2048_to_4096_bits),
	    cmocka_unit_test(only_three_curves_sign),
	    cmocka_unit_test(other_kinds_do_not_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
