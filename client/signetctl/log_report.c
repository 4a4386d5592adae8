/* What a report counts, entry by entry, in memory that does not grow with the log. */
#include <stdlib.h>
#include <string.h>

#include "log.h"

static char *
copy_text(const char *text)
{
	char *copy = strdup(text == NULL ? "" : text);

	if (copy == NULL)
		abort();
	return copy;
}

/* Entries by which somebody used a key. */
static bool
is_use(const char *kind)
{
	return strcmp(kind, "sign") == 0 || strcmp(kind, "seal") == 0 || strcmp(kind, "timestamp") == 0;
}

static bool
is_pin_error(const char *error)
{
	return error != NULL && strncmp(error, "Pin", 3) == 0 && strcmp(error, "PinRequired") != 0;
}

static void
add_text(char **to, const char *text)
{
	char *joined = NULL;

	if (text == NULL || text[0] == '\0')
		return;
	if (asprintf(&joined, "%s%s%s", *to, **to == '\0' ? "" : ", ", text) < 0)
		abort();
	free(*to);
	*to = joined;
}

/* Keep the newest: the list is a ring until it is shown. */
static void
list(struct report_refusal *rows, uint64_t *count, struct log_entry *e, const char *time, const char *who)
{
	struct report_refusal *row = &rows[(*count)++ % REPORT_LISTED];
	int64_t repeated = 0;

	free(row->log);
	free(row->who);
	free(row->what);
	free(row->why);
	row->log = copy_text(e->log);
	(void)snprintf(row->time, sizeof(row->time), "%s", time);
	row->who = copy_text(who);
	row->what = copy_text("");
	add_text(&row->what, log_text(e, "verb") != NULL ? log_text(e, "verb") : log_text(e, "operation"));
	add_text(&row->what, log_text(e, "key"));
	add_text(&row->what, log_text(e, "token"));
	row->why = copy_text("");
	add_text(&row->why, log_text(e, "error"));
	add_text(&row->why, log_text(e, "rule"));
	add_text(&row->why, log_text(e, "detail"));
	row->index = e->index;
	(void)log_number(e, "repeated", &repeated);
	row->repeated = repeated > 0 ? (uint64_t)repeated : 0;
}

static void
count_use(struct report *r, struct log_entry *e, const char *kind, const char *time, const char *who)
{
	const char *outcome = log_text(e, "outcome"), *key = log_text(e, "key");
	const char *operation = log_text(e, "operation"), *organisation;
	char day[16];

	organisation = key == NULL ? NULL : json_string_value(json_object_get(r->key_organisation, key));
	tally_add(&r->keys, key == NULL ? "" : key, outcome, time);
	tally_add(&r->people, who, outcome, time);
	tally_add(&r->organisations, organisation == NULL ? "" : organisation, outcome, time);
	tally_add(&r->operations, operation == NULL ? kind : operation, outcome, time);
	(void)snprintf(day, sizeof(day), "%.10s", time);
	tally_add(&r->days, day, outcome, time);
}

/* A seal on nothing, or by way of exception, is what an auditor looks at first. */
static bool
is_bare_seal(struct log_entry *e, const char *kind)
{
	const char *purpose = log_text(e, "purpose");

	if (strcmp(kind, "seal") != 0)
		return false;
	return json_array_size(json_object_get(log_members(e), "basis")) == 0 ||
	       (purpose != NULL && strcmp(purpose, "exception") == 0);
}

static bool
is_asked_for(const struct report *r, const char *time)
{
	return (r->from[0] == '\0' || strcmp(time, r->from) >= 0) &&
	       (r->until[0] == '\0' || strcmp(time, r->until) < 0);
}

void
report_entry(struct report *r, struct log_entry *e)
{
	const char *kind = log_text(e, "kind"), *time = log_text(e, "time");
	char who[64] = "";
	int64_t uid;

	if (kind == NULL || time == NULL || !is_asked_for(r, time))
		return;
	r->entries++;
	if (r->first[0] == '\0' || strcmp(time, r->first) < 0)
		(void)snprintf(r->first, sizeof(r->first), "%s", time);
	if (strcmp(time, r->last) > 0)
		(void)snprintf(r->last, sizeof(r->last), "%s", time);
	tally_add(&r->logs, e->log, NULL, time);
	if (log_number(e, "uid", &uid)) {
		char name[64], number[24];

		(void)snprintf(number, sizeof(number), "%lld", (long long)uid);
		if (strcmp(log_user(name, e, uid), number) == 0)
			(void)snprintf(who, sizeof(who), "%s", number);
		else
			(void)snprintf(who, sizeof(who), "%.36s (%s)", name, number);
	}
	if (is_use(kind))
		count_use(r, e, kind, time, who);
	if (strcmp(kind, "refusal") == 0)
		list(r->refusals, &r->refusal_count, e, time, who);
	if (is_pin_error(log_text(e, "error")))
		list(r->pins, &r->pin_count, e, time, who);
	if (is_bare_seal(e, kind))
		list(r->seals, &r->seal_count, e, time, who);
}

static void
free_list(struct report_refusal *rows)
{
	for (size_t i = 0; i < REPORT_LISTED; i++) {
		free(rows[i].log);
		free(rows[i].who);
		free(rows[i].what);
		free(rows[i].why);
	}
}

void
report_done(struct report *r)
{
	tally_done(&r->keys);
	tally_done(&r->people);
	tally_done(&r->organisations);
	tally_done(&r->operations);
	tally_done(&r->days);
	tally_done(&r->logs);
	free_list(r->refusals);
	free_list(r->pins);
	free_list(r->seals);
	for (size_t i = 0; i < r->certificate_count; i++) {
		free(r->certificates[i].key);
		free(r->certificates[i].subject);
		free(r->certificates[i].not_after);
	}
	free(r->certificates);
	for (size_t i = 0; i < r->verdict_count; i++)
		log_verdict_done(&r->verdicts[i]);
	free(r->verdicts);
	json_decref(r->key_organisation);
}
