/* Which bytes a token gets to sign, and what its answer becomes. */
#include <string.h>

#include <openssl/ec.h>

#include "token/worker.h"
#include "unit.h"

static struct token_key
key_of(uint8_t algorithm, uint16_t bits)
{
	return (struct token_key){.state = WIRE_KEY_FOUND, .algorithm = algorithm, .bits = bits};
}

static struct digest
digest_of(enum signet_digest_alg alg)
{
	struct digest d = {.alg = alg};

	for (size_t i = 0; i < digest_size(alg); i++)
		d.bytes[i] = (uint8_t)(i + 1);
	return d;
}

static void
each_key_signs_its_own_schemes_only(void **state)
{
	static const uint8_t algorithms[] = {
	    WIRE_ALG_NONE, WIRE_RSA, WIRE_P256, WIRE_P384, WIRE_P521, WIRE_ED25519};
	struct digest d = digest_of(DIGEST_SHA256);
	struct sign_input in;

	(void)state;
	for (size_t a = 0; a < array_len(algorithms); a++) {
		for (uint8_t scheme = WIRE_PKCS1; scheme <= WIRE_EDDSA; scheme++) {
			struct token_key k = key_of(algorithms[a], 2048);
			bool rsa = algorithms[a] == WIRE_RSA && (scheme == WIRE_PKCS1 || scheme == WIRE_PSS);
			bool ec =
			    algorithms[a] >= WIRE_P256 && algorithms[a] <= WIRE_P521 && scheme == WIRE_ECDSA;
			bool ed = algorithms[a] == WIRE_ED25519 && scheme == WIRE_EDDSA;

			assert_int_equal(sign_prepare(&in, &k, scheme, &d),
			    rsa || ec || ed ? SIGNET_OK : SIGNET_ERR_UNSUPPORTED);
		}
	}
}

static void
no_digest_is_not_signed(void **state)
{
	struct token_key k = key_of(WIRE_P256, 0);
	struct digest d = {.alg = DIGEST_NONE};
	struct sign_input in;

	(void)state;
	assert_int_equal(sign_prepare(&in, &k, WIRE_ECDSA, &d), SIGNET_ERR_UNSUPPORTED);
}

static void
pkcs1_wraps_the_digest_in_a_digest_info(void **state)
{
	struct token_key k = key_of(WIRE_RSA, 2048);
	struct sign_input in;

	(void)state;
	for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++) {
		struct digest d = digest_of(alg);
		const uint8_t *p = in.bytes;
		ASN1_OCTET_STRING *octets;
		X509_SIG *info;
		const X509_ALGOR *algorithm;
		const ASN1_OBJECT *oid;
		const ASN1_OCTET_STRING *value;

		assert_int_equal(sign_prepare(&in, &k, WIRE_PKCS1, &d), SIGNET_OK);
		assert_int_equal(in.mechanism.mechanism, CKM_RSA_PKCS);
		assert_null(in.mechanism.pParameter);
		info = d2i_X509_SIG(NULL, &p, (long)in.len);
		assert_non_null(info);
		assert_ptr_equal(p, in.bytes + in.len);
		X509_SIG_get0(info, &algorithm, &value);
		X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
		assert_string_equal(OBJ_nid2ln(OBJ_obj2nid(oid)), digest_name(alg));
		octets = ASN1_STRING_dup(value);
		assert_int_equal(octets->length, digest_size(alg));
		assert_memory_equal(octets->data, d.bytes, digest_size(alg));
		ASN1_STRING_free(octets);
		X509_SIG_free(info);
	}
}

static void
pss_uses_one_hash_everywhere_and_a_salt_of_its_size(void **state)
{
	static const CK_ULONG hash[] = {0, CKM_SHA256, CKM_SHA384, CKM_SHA512};
	static const CK_ULONG mgf[] = {0, CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512};
	struct token_key k = key_of(WIRE_RSA, 2048);
	struct sign_input in;

	(void)state;
	for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++) {
		struct digest d = digest_of(alg);
		const CK_RSA_PKCS_PSS_PARAMS *pss;

		assert_int_equal(sign_prepare(&in, &k, WIRE_PSS, &d), SIGNET_OK);
		assert_int_equal(in.mechanism.mechanism, CKM_RSA_PKCS_PSS);
		assert_int_equal(in.mechanism.ulParameterLen, sizeof(*pss));
		pss = in.mechanism.pParameter;
		assert_int_equal(pss->hashAlg, hash[alg]);
		assert_int_equal(pss->mgf, mgf[alg]);
		assert_int_equal(pss->sLen, digest_size(alg));
		assert_int_equal(in.len, digest_size(alg));
		assert_memory_equal(in.bytes, d.bytes, in.len);
	}
}

static void
ecdsa_takes_no_more_of_a_digest_than_the_curve_has(void **state)
{
	static const struct {
		uint8_t algorithm;
		enum signet_digest_alg alg;
		size_t len;
	} cases[] = {
	    {WIRE_P256, DIGEST_SHA256, 32},
	    {WIRE_P256, DIGEST_SHA384, 32},
	    {WIRE_P256, DIGEST_SHA512, 32},
	    {WIRE_P384, DIGEST_SHA256, 32},
	    {WIRE_P384, DIGEST_SHA384, 48},
	    {WIRE_P384, DIGEST_SHA512, 48},
	    {WIRE_P521, DIGEST_SHA256, 32},
	    {WIRE_P521, DIGEST_SHA384, 48},
	    {WIRE_P521, DIGEST_SHA512, 64},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct token_key k = key_of(cases[i].algorithm, 0);
		struct digest d = digest_of(cases[i].alg);
		struct sign_input in;

		assert_int_equal(sign_prepare(&in, &k, WIRE_ECDSA, &d), SIGNET_OK);
		assert_int_equal(in.mechanism.mechanism, CKM_ECDSA);
		assert_int_equal(in.len, cases[i].len);
		assert_memory_equal(in.bytes, d.bytes, in.len);
	}
}

static void
eddsa_signs_the_digest_as_the_message(void **state)
{
	struct token_key k = key_of(WIRE_ED25519, 0);
	struct digest d = digest_of(DIGEST_SHA512);
	struct sign_input in;

	(void)state;
	assert_int_equal(sign_prepare(&in, &k, WIRE_EDDSA, &d), SIGNET_OK);
	assert_int_equal(in.mechanism.mechanism, CKM_EDDSA);
	assert_int_equal(in.mechanism.ulParameterLen, 0);
	assert_int_equal(in.len, 64);
	assert_memory_equal(in.bytes, d.bytes, 64);
}

/* The DER that OpenSSL makes of r || s. */
static size_t
der_by_openssl(uint8_t *out, const uint8_t *raw, size_t half)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int len;

	ECDSA_SIG_set0(sig, BN_bin2bn(raw, (int)half, NULL), BN_bin2bn(raw + half, (int)half, NULL));
	len = i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
	assert_true(len > 0);
	return (size_t)len;
}

static void
der_is_what_openssl_writes(const struct token_key *k, const uint8_t *raw, size_t half)
{
	uint8_t ours[WIRE_SIG_MAX], theirs[WIRE_SIG_MAX];
	size_t len = der_by_openssl(theirs, raw, half);

	memcpy(ours, raw, 2 * half);
	assert_int_equal(sign_shape(k, ours, 2 * half), len);
	assert_memory_equal(ours, theirs, len);
}

static void
ecdsa_becomes_minimal_der(void **state)
{
	static const struct {
		uint8_t algorithm;
		size_t half;
	} curves[] = {{WIRE_P256, 32}, {WIRE_P384, 48}, {WIRE_P521, 66}};
	/* leading bytes of r and s: sign bit set, not set, zeroes before either, all zero */
	static const uint8_t heads[][3] = {{0x80, 0, 0}, {0x7f, 0xff, 0}, {0, 0x80, 0}, {0, 0x7f, 0},
	    {0, 0, 0x80}, {0, 0, 0}, {0xff, 0xff, 0xff}};
	uint8_t raw[2 * 66];

	(void)state;
	for (size_t c = 0; c < array_len(curves); c++) {
		struct token_key k = key_of(curves[c].algorithm, 0);
		size_t half = curves[c].half;

		for (size_t i = 0; i < array_len(heads) * array_len(heads); i++) {
			memset(raw, 0x11, sizeof(raw));
			memcpy(raw, heads[i % array_len(heads)], 3);
			memcpy(raw + half, heads[i / array_len(heads)], 3);
			der_is_what_openssl_writes(&k, raw, half);
		}
		memset(raw, 0, sizeof(raw));
		der_is_what_openssl_writes(&k, raw, half);
		memset(raw, 0xff, sizeof(raw));
		der_is_what_openssl_writes(&k, raw, half);
	}
}

static void
signature_of_another_length_is_none(void **state)
{
	static const struct {
		uint8_t algorithm;
		uint16_t bits;
		size_t len;
	} keys[] = {{WIRE_RSA, 2048, 256}, {WIRE_RSA, 2049, 257}, {WIRE_RSA, 4096, 512}, {WIRE_P256, 0, 64},
	    {WIRE_P384, 0, 96}, {WIRE_P521, 0, 132}, {WIRE_ED25519, 0, 64}};
	uint8_t sig[WIRE_SIG_MAX + 1];

	(void)state;
	for (size_t i = 0; i < array_len(keys); i++) {
		struct token_key k = key_of(keys[i].algorithm, keys[i].bits);

		memset(sig, 1, sizeof(sig));
		assert_int_equal(sign_shape(&k, sig, keys[i].len - 1), 0);
		assert_int_equal(sign_shape(&k, sig, keys[i].len + 1), 0);
		assert_int_equal(sign_shape(&k, sig, 0), 0);
		assert_true(sign_shape(&k, sig, keys[i].len) >= keys[i].len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_key_signs_its_own_schemes_only),
	    cmocka_unit_test(no_digest_is_not_signed),
	    cmocka_unit_test(pkcs1_wraps_the_digest_in_a_digest_info),
	    cmocka_unit_test(pss_uses_one_hash_everywhere_and_a_salt_of_its_size),
	    cmocka_unit_test(ecdsa_takes_no_more_of_a_digest_than_the_curve_has),
	    cmocka_unit_test(eddsa_signs_the_digest_as_the_message),
	    cmocka_unit_test(ecdsa_becomes_minimal_der),
	    cmocka_unit_test(signature_of_another_length_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
