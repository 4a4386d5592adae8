/*
 * An interface definition, a NUL, and parameters in JSON for all its methods.
 * What parses is closed and answers every question about itself; what a check
 * finds wrong it names in UTF-8, within its room.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "signetd/idl.h"

enum { ROOM = 24 };

/* A cut path is still a text that JSON can carry. */
static void
check_field(bool fits, const char *field)
{
	json_t *text;

	assert(strnlen(field, ROOM) < ROOM);
	if (fits)
		return;
	text = json_string(field);
	assert(text != NULL);
	json_decref(text);
}

static void
check_methods(const struct idl *i, const json_t *parameters)
{
	size_t n, count = idl_method_count(i);
	char field[ROOM] = "";

	for (n = 0; n < count; n++) {
		const struct idl_method *m = idl_method(i, idl_method_name(i, n));

		assert(m != NULL);
		assert(!idl_has_error(i, idl_method_name(i, n)));
		check_field(idl_check_input(m, parameters, field, sizeof(field)), field);
		check_field(idl_check_output(m, parameters, field, sizeof(field)), field);
		assert(!idl_check_error(i, idl_method_name(i, n), parameters, field, sizeof(field)));
	}
	assert(idl_method_name(i, count) == NULL);
}

static void
check_interface(const char *text, const char *values, size_t len)
{
	json_t *parameters = NULL;
	char why[128] = "";
	struct idl *i = NULL;

	if (idl_parse(&i, text, why, sizeof(why)) != SIGNET_OK) {
		assert(i == NULL && strtoul(why, NULL, 10) >= 1);
		return;
	}
	assert(idl_text(i) == text && strchr(idl_name(i), '.') != NULL);
	if (json_read(&parameters, values, len, NULL) != SIGNET_OK)
		parameters = json_object();
	check_methods(i, parameters);
	json_decref(parameters);
	idl_free(i);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	size_t head = nul != NULL ? (size_t)(nul - data) : size;
	char *text = malloc(head + 1);

	assert(text != NULL);
	memcpy(text, data, head);
	text[head] = '\0';
	if (nul != NULL)
		check_interface(text, (const char *)nul + 1, size - head - 1);
	else
		check_interface(text, "{}", 2);
	free(text);
	return 0;
}
