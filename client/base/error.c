/*
 * The error codes as tables, all made from the one list in <signet/error.h>.
 *
 * Invariant: every code below SIGNET_ERR_COUNT has a text, and a wire name
 * names at most one code.
 */
#include <string.h>

#include "base/base.h"

static const char *const err_texts[] = {
#define ERROR_TEXT(code, wire, text) [SIGNET_ERR_##code] = (text),
    SIGNET_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
};

static const char *const err_wires[] = {
#define ERROR_WIRE(code, wire, text) [SIGNET_ERR_##code] = (wire),
    SIGNET_ERRORS(ERROR_WIRE)
#undef ERROR_WIRE
};

static bool
err_known(signet_err err)
{
	/* a code may come from outside the library: the enum's type promises nothing */
	return (unsigned)err < SIGNET_ERR_COUNT;
}

/* Visible here, not in the header: the library's symbol map decides what leaves it. */
__attribute__((visibility("default"))) const char *
signet_strerror(signet_err err)
{
	return err_known(err) ? err_texts[err] : "unknown error";
}

const char *
err_wire_name(signet_err err)
{
	return err_known(err) ? err_wires[err] : NULL;
}

signet_err
err_from_wire(const char *name)
{
	const char *dot;
	unsigned i;

	if (name == NULL)
		return SIGNET_ERR_PROTOCOL;
	dot = strrchr(name, '.');
	if (dot != NULL)
		name = dot + 1;
	for (i = 0; i < SIGNET_ERR_COUNT; i++) {
		if (err_wires[i] != NULL && strcmp(err_wires[i], name) == 0)
			return (signet_err)i;
	}
	return SIGNET_ERR_PROTOCOL;
}
