/* Certificates that end soon: 60, 30 and 7 days before, in words that grow louder. */
#include <string.h>
#include <time.h>

#include "doctor.h"

static bool
days_left(const char *text, long *days)
{
	struct tm t = {0};

	if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &t) == NULL)
		return false;
	*days = (long)((timegm(&t) - time(NULL)) / 86400);
	if (timegm(&t) < time(NULL))
		*days = -1;
	return true;
}

/* False: nothing to say. */
static bool
look_at(struct doctor *d, const json_t *key)
{
	const char *name = text_of(key, "name"), *state = text_of(key, "state");
	long days;

	if (name == NULL)
		return false;
	if (state != NULL && (strcmp(state, "missing") == 0 || strcmp(state, "ambiguous") == 0))
		found(d, FOUND_WARN, _("correct its `uri`; signetctl token scan shows what is on the token"),
		    _("the key %s is not found on its token: %s"), name, word_text(state));
	if (!days_left(text_of(key, "notAfter"), &days) || days >= 60)
		return false;
	if (days < 0)
		found(d, FOUND_FAIL, _("have it renewed, then: signetctl token replace"), _("the certificate of the key %s has expired"),
		    name);
	else if (days < 7)
		found(d, FOUND_FAIL, _("have it renewed at once, then: signetctl token replace"),
		    _("the certificate of the key %s ends in %ld days"), name, days);
	else if (days < 30)
		found(d, FOUND_WARN, _("have it renewed now, then: signetctl token replace"),
		    _("the certificate of the key %s ends in %ld days"), name, days);
	else
		found(d, FOUND_WARN, _("have it renewed, then: signetctl token replace"),
		    _("the certificate of the key %s ends in %ld days"), name, days);
	return true;
}

void
doctor_certificates(struct doctor *d)
{
	const json_t *key;
	bool any = false;
	size_t i;

	if (d->keys == NULL) {
		found(d, FOUND_SKIPPED, NULL, "%s", _("the daemon shows you no keys"));
		return;
	}
	json_array_foreach(d->keys, i, key)
	{
		if (look_at(d, key))
			any = true;
	}
	if (!any)
		found(d, FOUND_OK, NULL, _("of the keys that you may see (%zu) no certificate ends within 60 days"),
		    json_array_size(d->keys));
}
