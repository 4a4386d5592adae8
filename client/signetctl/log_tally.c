/* Counting by name: how often, with which outcome, when for the last time. */
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct tally_row *
tally_at(struct tally *t, const char *name)
{
	const json_t *place;
	struct tally_row *row;

	if (t->places == NULL)
		t->places = json_object();
	place = json_object_get(t->places, name);
	if (place != NULL)
		return &t->rows[json_integer_value(place)];
	if (t->count == t->room) {
		t->room = t->room == 0 ? 16 : 2 * t->room;
		t->rows = realloc(t->rows, t->room * sizeof(*t->rows));
		if (t->rows == NULL)
			abort();
	}
	row = &t->rows[t->count];
	memset(row, 0, sizeof(*row));
	row->name = strdup(name);
	if (row->name == NULL ||
	    json_object_set_new(t->places, name, json_integer((json_int_t)t->count)) != 0)
		abort();
	t->count++;
	return row;
}

void
tally_add(struct tally *t, const char *name, const char *outcome, const char *time)
{
	struct tally_row *row = tally_at(t, name);

	row->count++;
	if (outcome != NULL) {
		row->ok += strcmp(outcome, "ok") == 0;
		row->failed += strcmp(outcome, "failed") == 0 || strcmp(outcome, "cancelled") == 0;
		row->refused += strcmp(outcome, "refused") == 0;
		row->unknown += strcmp(outcome, "unknown") == 0;
	}
	if (time != NULL && strcmp(time, row->last) > 0)
		(void)snprintf(row->last, sizeof(row->last), "%s", time);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct tally_row *)a)->name, ((const struct tally_row *)b)->name);
}

static int
by_count(const void *a, const void *b)
{
	const struct tally_row *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* After this nothing may be added. */
void
tally_sort(struct tally *t, bool names)
{
	if (t->count > 0)
		qsort(t->rows, t->count, sizeof(*t->rows), names ? by_name : by_count);
}

void
tally_done(struct tally *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].name);
	free(t->rows);
	json_decref(t->places);
	memset(t, 0, sizeof(*t));
}
