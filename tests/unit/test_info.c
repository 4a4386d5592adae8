/* INFO: the token's own words, and a frame that always fits. */
#include <stdlib.h>
#include <string.h>

#include "token/worker.h"
#include "unit.h"

static struct wire_info *
info_of(uint16_t keys, uint8_t certs, size_t size)
{
	struct wire_info *info = calloc(1, sizeof(*info));

	assert_non_null(info);
	info->presence = WIRE_PRESENT;
	info->key_count = keys;
	for (uint16_t i = 0; i < keys; i++) {
		struct wire_key *k = &info->keys[i];

		k->state = WIRE_KEY_FOUND;
		k->algorithm = WIRE_P256;
		k->not_after = 1000 + i;
		k->cert_count = certs;
		k->certs = calloc(certs, sizeof(k->certs[0]));
		for (uint8_t c = 0; c < certs; c++)
			k->certs[c].len = size;
	}
	return info;
}

/* Puts and gets it; each key is told with `left` certificates. */
static void
arrives_with(uint16_t keys, uint8_t certs, size_t size, uint8_t left)
{
	struct wire_info *info = info_of(keys, certs, size), *got = calloc(1, sizeof(*got));
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX);
	info_put(&out, info);
	assert_false(out.failed);
	assert_int_equal(wire_get_info(got, out.data, out.len), SIGNET_OK);
	assert_int_equal(got->key_count, keys);
	for (uint16_t i = 0; i < keys; i++) {
		assert_int_equal(got->keys[i].not_after, 1000 + i);
		assert_int_equal(got->keys[i].cert_count, left);
	}
	buf_done(&out);
	wire_info_done(got);
	wire_info_done(info);
	free(got);
	free(info);
}

static void
chains_are_cut_until_the_frame_fits(void **state)
{
	(void)state;
	arrives_with(1, WIRE_CERTS_MAX, WIRE_CERT_MAX, WIRE_CERTS_MAX);
	arrives_with(WIRE_KEYS_MAX, WIRE_CERTS_MAX, 1000, WIRE_CERTS_MAX);
	arrives_with(WIRE_KEYS_MAX, WIRE_CERTS_MAX, 2000, 4);
	arrives_with(WIRE_KEYS_MAX, WIRE_CERTS_MAX, 8000, 1);
	arrives_with(WIRE_KEYS_MAX, 1, WIRE_CERT_MAX, 0);
}

static void
lengths_of_a_pin_fit_a_byte(void **state)
{
	static const struct {
		CK_ULONG given;
		uint8_t told;
	} cases[] = {{0, 0}, {254, 254}, {255, 255}, {256, 255}, {CK_UNAVAILABLE_INFORMATION, 255}};
	struct wire_info info;

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		CK_TOKEN_INFO about;

		memset(&about, ' ', sizeof(about));
		about.ulMinPinLen = about.ulMaxPinLen = cases[i].given;
		info_describe(&info, &about);
		assert_int_equal(info.pin_min, cases[i].told);
		assert_int_equal(info.pin_max, cases[i].told);
		assert_string_equal(info.serial, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chains_are_cut_until_the_frame_fits),
	    cmocka_unit_test(lengths_of_a_pin_fit_a_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
