/*
 * The URI of a key. One that is taken names a key on this very token, and
 * p11-kit finds nothing in it that could name a PIN, a module or a slot.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "fuzz.h"
#include "signetd/config.h"

static bool
is_padded(const CK_UTF8CHAR *field, size_t size, const char *value)
{
	size_t i, len = strlen(value);

	if (memcmp(field, value, len) != 0)
		return false;
	for (i = len; i < size && field[i] == ' '; i++)
		;
	return i == size;
}

/* Not in the URI (then it is all zero), or this value. */
static bool
fits(const CK_UTF8CHAR *field, size_t size, const char *value)
{
	return value == NULL || field[0] == '\0' || is_padded(field, size, value);
}

static void
check_taken(const char *text, const char *serial, const char *label)
{
	P11KitUri *uri = p11_kit_uri_new();
	CK_TOKEN_INFO *info;
	CK_ATTRIBUTE *class;

	assert(uri != NULL && p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	assert(!p11_kit_uri_any_unrecognized(uri));
	assert(p11_kit_uri_get_pin_value(uri) == NULL && p11_kit_uri_get_pin_source(uri) == NULL);
	assert(p11_kit_uri_get_module_name(uri) == NULL && p11_kit_uri_get_module_path(uri) == NULL);
	assert(p11_kit_uri_get_slot_id(uri) == (CK_SLOT_ID)-1);
	assert(p11_kit_uri_get_module_info(uri)->libraryDescription[0] == '\0');
	info = p11_kit_uri_get_token_info(uri);
	assert(info->label[0] != '\0' || info->serialNumber[0] != '\0');
	assert(fits(info->label, sizeof(info->label), label));
	assert(fits(info->serialNumber, sizeof(info->serialNumber), serial));
	assert(p11_kit_uri_get_attribute(uri, CKA_ID) != NULL ||
	       p11_kit_uri_get_attribute(uri, CKA_LABEL) != NULL);
	class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
	assert(class == NULL || *(CK_OBJECT_CLASS *)class->pValue == CKO_PRIVATE_KEY);
	p11_kit_uri_free(uri);
}

static void
check(const char *text, const char *serial, const char *label)
{
	char why[512] = "";
	signet_err err = config_check_uri(text, serial, label, why, sizeof(why));

	if (err == SIGNET_OK)
		check_taken(text, serial, label);
	else
		assert(err == SIGNET_ERR_CONFIG && why[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check(text, "12ab", NULL);
	check(text, NULL, "My Token");
	free(text);
	return 0;
}
