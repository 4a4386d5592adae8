/*
 * Members of a reply, checked as they are taken.
 *
 * Invariant: a failure sticks, so a struct is filled member by member and
 * judged once, at its end.
 */
#include <stdlib.h>

#include "conn.h"

static const json_t *
member(struct members *m, const char *name, bool required)
{
	const json_t *value = json_object_get(m->object, name);

	if (json_is_null(value))
		value = NULL;
	if (value == NULL && required)
		m->bad = true;
	return value;
}

const char *
member_str(struct members *m, const char *name, bool required)
{
	const json_t *value = member(m, name, required);

	if (value != NULL && !json_is_string(value))
		m->bad = true;
	return json_string_value(value);
}

int64_t
member_int(struct members *m, const char *name, int64_t absent)
{
	const json_t *value = member(m, name, absent < 0);

	if (value == NULL)
		return absent;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		m->bad = true;
	return json_integer_value(value);
}

bool
member_bool(struct members *m, const char *name)
{
	const json_t *value = member(m, name, true);

	if (!json_is_boolean(value))
		m->bad = true;
	return json_is_true(value);
}

const char **
member_texts(struct members *m, const char *name)
{
	const json_t *list = member(m, name, true), *text;
	const char **texts;
	size_t i;

	if (!json_is_array(list)) {
		m->bad = true;
		return NULL;
	}
	texts = calloc(json_array_size(list) + 1, sizeof(*texts));
	if (texts == NULL) {
		m->bad = true;
		return NULL;
	}
	json_array_foreach(list, i, text)
	{
		if (!json_is_string(text))
			m->bad = true;
		texts[i] = json_string_value(text);
	}
	return texts;
}
