/* DER as the bridge reads it, signatures as it turns them, digests as it takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bridge.h"

static void
takes_lengths_in_their_shortest_form_only(void **unused)
{
	static const struct {
		uint8_t bytes[300];
		size_t n;
		bool good;
	} cases[] = {
	    {{0x04, 0x00}, 2, true},
	    {{0x04, 0x7f}, 2 + 127, true},
	    {{0x04, 0x7f}, 2 + 126, false},
	    {{0x04, 0x81, 0x80}, 3 + 128, true},
	    {{0x04, 0x81, 0x7f}, 3 + 127, false},
	    {{0x04, 0x82, 0x01, 0x00}, 4 + 256, true},
	    {{0x04, 0x82, 0x00, 0xff}, 4 + 255, false},
	    {{0x04, 0x80}, 2, false},
	    {{0x04, 0x83, 0x00, 0x00, 0x01}, 6, false},
	    {{0x1f, 0x01, 0x00}, 3, false},
	    {{0x04}, 1, false},
	    {{0x04, 0x81}, 2, false},
	};

	(void)unused;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct slice in = {cases[i].bytes, cases[i].n}, whole, body;
		uint8_t tag;

		assert_int_equal(der_next(&in, &tag, &whole, &body), cases[i].good);
		if (cases[i].good) {
			assert_int_equal(in.n, 0);
			assert_int_equal(whole.n, cases[i].n);
		}
	}
}

static void
turns_ecdsa_signatures_into_halves(void **unused)
{
	static const uint8_t short_numbers[] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x7f};
	static const uint8_t top_bit[] = {0x30, 0x07, 0x02, 0x02, 0x00, 0x80, 0x02, 0x01, 0x05};
	static const uint8_t bad[][10] = {
	    {0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x7f},       /* negative */
	    {0x30, 0x07, 0x02, 0x02, 0x00, 0x7f, 0x02, 0x01, 0x05}, /* not the shortest */
	    {0x30, 0x06, 0x02, 0x01, 0x01, 0x04, 0x01, 0x7f},       /* no INTEGER */
	    {0x31, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x7f},       /* no SEQUENCE */
	    {0x30, 0x03, 0x02, 0x01, 0x01},                         /* one number */
	};
	uint8_t raw[8], wanted[8] = {0, 0, 0, 1, 0, 0, 0, 0x7f};

	(void)unused;
	assert_true(der_to_raw(short_numbers, sizeof(short_numbers), 4, raw));
	assert_memory_equal(raw, wanted, 8);
	assert_true(der_to_raw(top_bit, sizeof(top_bit), 1, raw));
	assert_int_equal(raw[0], 0x80);
	assert_int_equal(raw[1], 5);
	assert_false(der_to_raw(short_numbers, sizeof(short_numbers) - 1, 4, raw));
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(der_to_raw(bad[i], 2u + bad[i][1], 4, raw));
}

/* A number one byte too long for its half is refused. */
static void
refuses_numbers_that_do_not_fit(void **unused)
{
	static const uint8_t sig[] = {0x30, 0x08, 0x02, 0x03, 0x01, 0x00, 0x00, 0x02, 0x01, 0x05};
	uint8_t raw[8];

	(void)unused;
	assert_true(der_to_raw(sig, sizeof(sig), 3, raw));
	assert_false(der_to_raw(sig, sizeof(sig), 2, raw));
}

static void
takes_the_digest_info_of_sha2_and_nothing_else(void **unused)
{
	static const uint8_t head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
	    0x01, 0x05, 0x00, 0x04, 0x20};
	const struct mechanism *m = mechanism_find(CKM_RSA_PKCS);
	uint8_t info[52] = {0};
	struct to_sign in;

	(void)unused;
	memcpy(info, head, sizeof(head));
	memset(info + sizeof(head), 0xd1, 32);
	assert_int_equal(sign_input(&in, m, 0, info, 51), CKR_OK);
	assert_int_equal(in.hash, SIGNET_SHA256);
	assert_memory_equal(in.digest, info + sizeof(head), 32);
	assert_int_equal(sign_input(&in, m, 0, info, 50), CKR_DATA_INVALID);
	assert_int_equal(sign_input(&in, m, 0, info, 52), CKR_DATA_INVALID);
	assert_int_equal(sign_input(&in, m, 0, info, 0), CKR_DATA_INVALID);
	for (size_t i = 0; i < sizeof(head); i++) {
		info[i] ^= 1;
		assert_int_equal(sign_input(&in, m, 0, info, 51), CKR_DATA_INVALID);
		info[i] ^= 1;
	}
}

static void
takes_digests_by_their_length(void **unused)
{
	const struct mechanism *ecdsa = mechanism_find(CKM_ECDSA), *pss = mechanism_find(CKM_RSA_PKCS_PSS);
	uint8_t digest[65] = {0};
	struct to_sign in;

	(void)unused;
	for (size_t n = 0; n <= 65; n++) {
		bool good = n == 32 || n == 48 || n == 64;

		assert_int_equal(sign_input(&in, ecdsa, 0, digest, n), good ? CKR_OK : CKR_DATA_LEN_RANGE);
		if (good)
			assert_int_equal(signet_hash_size(in.hash), n);
		assert_int_equal(sign_input(&in, pss, SIGNET_SHA384, digest, n), n == 48 ? CKR_OK : CKR_DATA_LEN_RANGE);
	}
}

static void
knows_the_names_of_keys(void **unused)
{
	static const struct {
		const char *name;
		enum key_kind kind;
		unsigned bits, size;
	} names[] = {{"rsa-2048", KEY_RSA, 2048, 256}, {"rsa-3000", KEY_RSA, 3000, 375}, {"p-256", KEY_EC, 256, 64},
	    {"p-384", KEY_EC, 384, 96}, {"p-521", KEY_EC, 521, 132}, {"ed25519", KEY_ED25519, 255, 64},
	    {"unknown", KEY_NONE, 0, 0}, {"rsa-", KEY_NONE, 0, 0}, {"rsa-1023", KEY_NONE, 0, 0},
	    {"rsa-2048x", KEY_NONE, 0, 0}, {"p-257", KEY_NONE, 0, 0}, {"rsa-16385", KEY_NONE, 0, 0}};

	(void)unused;
	for (size_t i = 0; i < array_len(names); i++) {
		unsigned bits = 0;
		enum key_kind kind = key_kind_of(names[i].name, &bits);

		assert_int_equal(kind, names[i].kind);
		if (kind != KEY_NONE) {
			assert_int_equal(bits, names[i].bits);
			assert_int_equal(key_signature_size(kind, bits), names[i].size);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_lengths_in_their_shortest_form_only),
	    cmocka_unit_test(turns_ecdsa_signatures_into_halves),
	    cmocka_unit_test(refuses_numbers_that_do_not_fit),
	    cmocka_unit_test(takes_the_digest_info_of_sha2_and_nothing_else),
	    cmocka_unit_test(takes_digests_by_their_length),
	    cmocka_unit_test(knows_the_names_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
