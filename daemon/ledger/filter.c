/*
 * Filters. Entries have one form and no white space, so that most of those
 * that cannot pass are found by looking for bytes; what is left is judged by
 * its members.
 *
 * Invariant: an entry passes only if its JSON says so.
 */
#include "ledger/filter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static void
add_text(struct filter *f, const char *member, const char *value)
{
	struct filter_term *t = &f->terms[f->count];
	int n;

	if (value[0] == '\0')
		return;
	assert(f->count < FILTER_TERMS);
	t->member = member;
	t->number = false;
	n = snprintf(t->value, sizeof(t->value), "%s", value);
	assert(n < (int)sizeof(t->value)); /* the filter's own texts are no longer */
	f->count++;
}

static void
add_number(struct filter *f, const char *member, int64_t value)
{
	struct filter_term *t = &f->terms[f->count];

	if (value < 0)
		return;
	t->member = member;
	t->number = true;
	snprintf(t->value, sizeof(t->value), "%" PRId64, value);
	f->count++;
}

void
filter_init(struct filter *f, const struct ledger_filter *from)
{
	struct entry_clock clock = {0};

	memset(f, 0, sizeof(*f));
	if (from == NULL)
		return;
	add_text(f, "signatureHash", from->signature_hash);
	add_text(f, "requestId", from->request_id);
	add_text(f, "digest", from->digest);
	add_text(f, "documentTag", from->document_tag);
	add_text(f, "certHash", from->cert_hash);
	add_number(f, "uid", from->uid);
	add_text(f, "key", from->key);
	add_text(f, "token", from->token);
	add_text(f, "operation", from->operation);
	add_text(f, "kind", from->kind);
	add_text(f, "outcome", from->outcome);
	if (from->from_us > 0)
		entry_time(&clock, from->from_us, f->from);
	if (from->until_us > 0)
		entry_time(&clock, from->until_us, f->until);
}

/* All times have one length, so that their order is that of their texts. */
static bool
in_time(const struct filter *f, const void *entry, size_t len)
{
	char time[ENTRY_TIME];

	if (f->from[0] == '\0' && f->until[0] == '\0')
		return true;
	return entry_time_of(entry, len, time) && (f->from[0] == '\0' || strcmp(time, f->from) >= 0) &&
	       (f->until[0] == '\0' || strcmp(time, f->until) < 0);
}

/* Letters that JSON may write in another way could stand there and not be found. */
static bool
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e || *s == '"' || *s == '\\' || *s == '/')
			return false;
	return true;
}

static bool
may_pass(const struct filter *f, const void *entry, size_t len)
{
	for (unsigned i = 0; i < f->count; i++) {
		const char *value = f->terms[i].value;

		if (is_plain(value) && memmem(entry, len, value, strlen(value)) == NULL)
			return false;
	}
	return true;
}

static bool
has(const json_t *entry, const struct filter_term *t)
{
	const json_t *v = json_object_get(entry, t->member);
	char digits[24];

	if (!t->number)
		return json_is_string(v) && strcmp(json_string_value(v), t->value) == 0;
	if (!json_is_integer(v))
		return false;
	snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)json_integer_value(v));
	return strcmp(digits, t->value) == 0;
}

bool
filter_passes(const struct filter *f, const void *entry, size_t len)
{
	owned(json_decrefp) json_t *json = NULL;

	if (!in_time(f, entry, len) || !may_pass(f, entry, len))
		return false;
	if (f->count == 0)
		return true;
	if (json_read(&json, entry, len, NULL) != SIGNET_OK)
		return false;
	for (unsigned i = 0; i < f->count; i++)
		if (!has(json, &f->terms[i]))
			return false;
	return true;
}
