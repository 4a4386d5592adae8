/* PIN tries: blocked, or wrong ones since the last right one. */
#include <string.h>

#include "doctor.h"

static bool
look_at(struct doctor *d, const json_t *token)
{
	json_int_t failures = json_integer_value(json_object_get(token, "pinFailures"));
	const char *name = text_of(token, "name"), *state = text_of(token, "state");

	if (name == NULL || state == NULL)
		return false;
	if (strcmp(state, "blocked") == 0)
		found(d, FOUND_FAIL, _("whoever issued the token can unblock it"), _("the PIN of the token %s is blocked"), name);
	else if (failures >= 2)
		found(d, FOUND_WARN, _("one more may block it: let its holder unlock it with signetctl unlock --last-try"),
		    _("the token %s: wrong PINs since the last right one: %lld"), name, (long long)failures);
	else if (failures > 0)
		found(d, FOUND_WARN, _("ask its holder whether it was he"),
		    _("the token %s: wrong PINs since the last right one: %lld"), name, (long long)failures);
	else
		return false;
	return true;
}

void
doctor_pins(struct doctor *d)
{
	const json_t *t;
	bool any = false;
	size_t i;

	if (d->tokens == NULL) {
		found(d, FOUND_SKIPPED, NULL, "%s", _("the daemon shows you no tokens"));
		return;
	}
	json_array_foreach(d->tokens, i, t)
	{
		if (look_at(d, t))
			any = true;
	}
	if (!any)
		found(d, FOUND_OK, NULL, _("of the tokens that you may see (%zu) none has had a wrong PIN since the last right one"),
		    json_array_size(d->tokens));
}
