/*
 * Text for people. What is taken is valid, short, in NFC and visible; a
 * request id is always also such a text.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uninorm.h>
#include <unictype.h>
#include <unistr.h>

#include "fuzz.h"
#include "signetd/text.h"

static void
check_characters(const uint8_t *s, size_t len)
{
	bool seen = false;
	ucs4_t c;
	int n;

	while (len > 0) {
		n = u8_strmbtouc(&c, s);
		assert(n > 0 && (size_t)n <= len);
		assert(c >= 0x20 && !uc_is_property_bidi_control(c));
		assert(!uc_is_general_category_withtable(c,
		    UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cn | UC_CATEGORY_MASK_Co | UC_CATEGORY_MASK_Cs));
		seen = seen || !uc_is_property_white_space(c);
		s += n;
		len -= (size_t)n;
	}
	assert(seen);
}

static void
check_composed(const uint8_t *s, size_t len)
{
	size_t n = 0;
	uint8_t *nfc = u8_normalize(UNINORM_NFC, s, len, NULL, &n);

	assert(nfc != NULL && n == len && memcmp(nfc, s, len) == 0);
	free(nfc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *why = NULL;
	signet_err err;

	assert(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	err = text_check(text, size, &why);
	if (err == SIGNET_OK) {
		assert(size >= 1 && size <= TEXT_MAX && u8_check(data, size) == NULL);
		check_characters((const uint8_t *)text, size);
		check_composed(data, size);
	} else {
		assert(err == SIGNET_ERR_INVALID_PARAMETER && why != NULL);
	}
	if (text_is_request_id(text, size))
		assert(err == SIGNET_OK && size <= 128 && strlen(text) == size);
	free(text);
	return 0;
}
