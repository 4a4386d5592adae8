/* The drivers of the tokens: there, and nobody but root can change them. */
#include <string.h>

#include "doctor.h"

static bool
seen_before(const json_t *tokens, size_t at, const char *module)
{
	size_t i;

	for (i = 0; i < at; i++) {
		const char *other = text_of(json_array_get(tokens, i), "module");

		if (other != NULL && strcmp(other, module) == 0)
			return true;
	}
	return false;
}

void
doctor_modules(struct doctor *d)
{
	const json_t *tokens = json_object_get(d->config, "tokens"), *t;
	bool own_uid = json_is_true(json_object_get(d->config, "ownUid"));
	char why[600];
	size_t i;

	if (d->config == NULL)
		found(d, FOUND_SKIPPED, NULL, "%s", _("without the configuration nobody knows which drivers there are"));
	json_array_foreach(tokens, i, t)
	{
		const char *module = text_of(t, "module");

		if (module == NULL || seen_before(tokens, i, module))
			continue;
		if (file_is_safe(module, own_uid, why, sizeof(why)))
			found(d, FOUND_OK, NULL, _("%s: only root can change it"), module);
		else
			found(d, FOUND_FAIL, _("chown root:root and chmod go-w what is named here"), "%s", why);
	}
}
