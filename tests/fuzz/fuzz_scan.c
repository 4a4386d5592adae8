/*
 * A certificate as it lies on a token: whatever the bytes are, it is described
 * whole or not at all, and the description is one that the wire can carry.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"

#include "token/once.h"

/* Text without control characters. */
static void
check_text(const json_t *c, const char *name, bool needed)
{
	const char *text = json_member_str(c, name);

	assert(text != NULL || (!needed && json_is_null(json_object_get(c, name))));
	for (; text != NULL && *text != '\0'; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void
check_bytes(const json_t *c, const uint8_t *data, size_t size)
{
	const char *text = json_member_str(c, "certificate");
	uint8_t *der = malloc(size + 1);
	size_t len = size + 1;

	assert(der != NULL && text != NULL);
	assert(base64_decode(text, strlen(text), der, &len) == SIGNET_OK);
	assert(len == size && memcmp(der, data, size) == 0);
	free(der);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const needed[] = {"notBefore", "notAfter", "serial", "hash"};
	static const char *const others[] = {"subject", "organisation", "issuer", "id", "label"};
	static const uint8_t id[] = {0, 0xff};
	json_t *c = scan_certificate(data, size, id, sizeof(id), "label\x01");

	if (c == NULL)
		return 0;
	assert(size <= WIRE_CERT_MAX);
	for (size_t i = 0; i < array_len(needed); i++)
		check_text(c, needed[i], true);
	for (size_t i = 0; i < array_len(others); i++)
		check_text(c, others[i], false);
	assert(strcmp(json_member_str(c, "id"), "00ff") == 0);
	assert(strcmp(json_member_str(c, "label"), "label?") == 0);
	check_bytes(c, data, size);
	json_decref(c);
	return 0;
}
