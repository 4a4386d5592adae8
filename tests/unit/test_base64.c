/* client/base/base64.c: the vectors are those of RFC 4648, 10. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "unit.h"

static const struct {
	const char *bytes, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void
encodes_the_vectors_of_the_standard(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(vectors); i++) {
		char out[16] = "................";
		size_t n = strlen(vectors[i].bytes);

		base64_encode(out, (const uint8_t *)vectors[i].bytes, n);
		assert_int_equal(BASE64_LEN(n), strlen(vectors[i].text));
		assert_memory_equal(out, vectors[i].text, BASE64_LEN(n));
		assert_int_equal(out[BASE64_LEN(n)], '.');
	}
}

static void
decodes_the_vectors_of_the_standard(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(vectors); i++) {
		uint8_t out[8];
		size_t n = sizeof(out);

		assert_int_equal(base64_decode(vectors[i].text, strlen(vectors[i].text), out, &n), SIGNET_OK);
		assert_int_equal(n, strlen(vectors[i].bytes));
		assert_memory_equal(out, vectors[i].bytes, n);
	}
}

/* The text is decoded where a sanitizer sees a byte too many being read or written. */
static signet_err
decode(const char *text, size_t room)
{
	size_t len = strlen(text), n = room;
	char *in = malloc(len + 1);
	uint8_t *out = malloc(room + 1);
	signet_err err;

	assert_non_null(in);
	assert_non_null(out);
	memcpy(in, text, len);
	out[room] = 0xa5;
	err = base64_decode(in, len, out, &n);
	assert_int_equal(out[room], 0xa5);
	if (err != SIGNET_OK)
		assert_int_equal(n, room);
	free(in);
	free(out);
	return err;
}

static void
every_byte_comes_back_at_every_length(void **state)
{
	uint8_t bytes[256], back[256];
	char text[BASE64_LEN(256)];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		size_t got = n;

		base64_encode(text, bytes, n);
		assert_int_equal(base64_decode(text, BASE64_LEN(n), back, &got), SIGNET_OK);
		assert_int_equal(got, n);
		assert_memory_equal(back, bytes, n);
	}
}

static void
refuses_padding_that_is_missing_or_misplaced(void **state)
{
	static const char *const wrong[] = {"Z", "Zg", "Zg=", "Zm8", "=",
	    "==", "===", "====", "Z===", "Zg==Zg==", "Zm8=Zm8=", "Zg=g", "=Zg=", "Zm9v=", "Zm9v====", "Z=g="};

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++)
		assert_int_equal(decode(wrong[i], 64), SIGNET_ERR_ARGUMENT);
}

static void
refuses_unused_bits_that_are_set(void **state)
{
	(void)state;
	assert_int_equal(decode("Zg==", 64), SIGNET_OK);
	assert_int_equal(decode("Zh==", 64), SIGNET_ERR_ARGUMENT);
	assert_int_equal(decode("Zo==", 64), SIGNET_ERR_ARGUMENT);
	assert_int_equal(decode("Zm8=", 64), SIGNET_OK);
	assert_int_equal(decode("Zm9=", 64), SIGNET_ERR_ARGUMENT);
	assert_int_equal(decode("Zm+=", 64), SIGNET_ERR_ARGUMENT);
}

static void
refuses_every_byte_outside_the_alphabet_in_every_place(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (int c = 1; c < 256; c++) {
		bool good = memchr(alphabet, c, 64) != NULL;

		for (size_t at = 0; at < 8; at++) {
			char text[] = "AAAAAAAA";

			text[at] = (char)c;
			if (c == '=' && at == 7)
				assert_int_equal(decode(text, 64), SIGNET_OK);
			else
				assert_int_equal(decode(text, 64), good ? SIGNET_OK : SIGNET_ERR_ARGUMENT);
		}
	}
}

static void
needs_exactly_the_room_of_the_bytes(void **state)
{
	(void)state;
	assert_int_equal(decode("Zm9vYmFy", 5), SIGNET_ERR_LIMIT);
	assert_int_equal(decode("Zm9vYmFy", 6), SIGNET_OK);
	assert_int_equal(decode("Zm9vYmFy", 7), SIGNET_OK);
	assert_int_equal(decode("Zm9vYg==", 3), SIGNET_ERR_LIMIT);
	assert_int_equal(decode("Zm9vYg==", 4), SIGNET_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encodes_the_vectors_of_the_standard),
	    cmocka_unit_test(decodes_the_vectors_of_the_standard),
	    cmocka_unit_test(every_byte_comes_back_at_every_length),
	    cmocka_unit_test(refuses_padding_that_is_missing_or_misplaced),
	    cmocka_unit_test(refuses_unused_bits_that_are_set),
	    cmocka_unit_test(refuses_every_byte_outside_the_alphabet_in_every_place),
	    cmocka_unit_test(needs_exactly_the_room_of_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
