/*
 * Text for people, checked with libunistring.
 *
 * Invariant: what is accepted has one way to be written (NFC) and nothing that
 * cannot be seen. That is why all default-ignorable characters are refused
 * and not only the bidirectional controls; of them only the joiners have a use,
 * and only inside scripts that join [RFC 5892, A.1 and A.2].
 */
#include <stdlib.h>
#include <string.h>

#include <uninorm.h>
#include <unictype.h>
#include <unistr.h>

#include "text.h"

enum {
	ZWNJ = 0x200c,
	ZWJ = 0x200d,
	NFC_GROWTH = 3, /* UTF-8 bytes may triple under NFC [UAX 15, table 9] */
};

static signet_err
refuse(const char **why, const char *sentence)
{
	if (why != NULL)
		*why = sentence;
	return SIGNET_ERR_INVALID_PARAMETER;
}

/* What stands before a character: right before it, and the last letter under any marks. */
struct before {
	ucs4_t any, letter;
};

/* A joiner does something visible only behind a virama or a letter that joins to what follows. */
static bool
joins(const struct before *b)
{
	int type = uc_joining_type(b->letter);

	return uc_combining_class(b->any) == UC_CCC_VR || type == UC_JOINING_TYPE_D ||
	       type == UC_JOINING_TYPE_L;
}

/* NULL, or what is wrong with `c`. */
static const char *
why_not_char(ucs4_t c, const struct before *b)
{
	if (uc_is_general_category_withtable(
		c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp))
		return "the text has a control character or a line break: write it on one line";
	if (uc_is_property_bidi_control(c))
		return "the text has a character that changes the direction of writing: remove it";
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Co | UC_CATEGORY_MASK_Cs))
		return "the text has a private-use character: remove it";
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cn))
		return "the text has a character that Unicode does not define: remove it";
	if ((c == ZWNJ || c == ZWJ) && joins(b))
		return NULL;
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cf) ||
	    uc_is_property_default_ignorable_code_point(c))
		return "the text has an invisible character: remove it";
	return NULL;
}

static void
pass(struct before *b, ucs4_t c)
{
	b->any = c;
	if (uc_joining_type(c) != UC_JOINING_TYPE_T)
		b->letter = c;
}

static bool
is_nfc(const uint8_t *s, size_t len)
{
	uint8_t room[NFC_GROWTH * TEXT_MAX], *nfc;
	size_t n = sizeof(room);
	bool same;

	nfc = u8_normalize(UNINORM_NFC, s, len, room, &n);
	same = nfc != NULL && n == len && memcmp(nfc, s, len) == 0;
	if (nfc != room)
		free(nfc);
	return same;
}

signet_err
text_check(const char *s, size_t len, const char **why)
{
	const uint8_t *p = (const uint8_t *)s;
	struct before before = {0};
	bool blank = true, ascii = true;
	ucs4_t c;
	const char *wrong;
	size_t at;

	if (len == 0)
		return refuse(why, "the text is empty: leave it out or say something");
	if (len > TEXT_MAX)
		return refuse(why, "the text is longer than 512 bytes: shorten it");
	if (u8_check(p, len) != NULL)
		return refuse(why, "the text is not valid UTF-8");
	for (at = 0; at < len; pass(&before, c)) {
		at += (size_t)u8_mbtouc(&c, p + at, len - at);
		wrong = why_not_char(c, &before);
		if (wrong != NULL)
			return refuse(why, wrong);
		blank = blank && uc_is_property_white_space(c);
		ascii = ascii && c < 0x80;
	}
	if (blank)
		return refuse(why, "the text is only blanks: leave it out or say something");
	if (!ascii && !is_nfc(p, len))
		return refuse(why, "the text is not in Unicode normalisation form C: normalise it");
	return SIGNET_OK;
}

void
text_tidy(char *s, bool cut)
{
	size_t n = strlen(s);
	const uint8_t *bad;

	while (cut && n > 0 && ((uint8_t)s[n - 1] & 0xc0) == 0x80)
		n--;
	if (cut && n > 0 && (uint8_t)s[n - 1] >= 0xc0)
		n--;
	s[n] = '\0';
	while ((bad = u8_check((const uint8_t *)s, n)) != NULL)
		s[bad - (const uint8_t *)s] = '?';
}

bool
text_is_request_id(const char *s, size_t len)
{
	static const char other[] = "._:-";
	size_t i;

	if (len == 0 || len > 128)
		return false;
	for (i = 0; i < len; i++) {
		char c = s[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (memchr(other, c, sizeof(other) - 1) == NULL)
			return false;
	}
	return true;
}
