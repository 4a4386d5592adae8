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

const struct filter_member filter_members[] = {
    /* the rarest values first */
    {"signatureHash", false},
    {"requestId", false},
    {"digest", false},
    {"documentTag", false},
    {"certHash", false},
    {"uid", true},
    {"key", false},
    {"token", false},
    {"operation", false},
    {"kind", false},
    {"outcome", false},
};
const unsigned filter_member_count = array_len(filter_members);

/* "": does not matter. */
static void
add(struct filter *f, unsigned member, const char *value)
{
	struct filter_term *t = &f->terms[f->count];
	int n;

	if (value[0] == '\0')
		return;
	assert(f->count < FILTER_TERMS);
	t->member = &filter_members[member];
	n = snprintf(t->value, sizeof(t->value), "%s", value);
	assert(n < (int)sizeof(t->value)); /* the filter's own texts are no longer */
	f->count++;
}

void
filter_init(struct filter *f, const struct ledger_filter *from)
{
	struct entry_clock clock = {0};
	char uid[24] = "";

	memset(f, 0, sizeof(*f));
	if (from == NULL)
		return;
	if (from->uid >= 0)
		snprintf(uid, sizeof(uid), "%" PRId64, from->uid);
	const char *values[] = {from->signature_hash, from->request_id, from->digest, from->document_tag,
	    from->cert_hash, uid, from->key, from->token, from->operation, from->kind, from->outcome};
	static_assert(array_len(values) == array_len(filter_members), "a value for each member");
	for (unsigned i = 0; i < array_len(values); i++)
		add(f, i, values[i]);
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

bool
filter_value(const json_t *entry, const struct filter_member *m, char value[FILTER_VALUE])
{
	const json_t *v = json_object_get(entry, m->name);

	if (m->number)
		return json_is_integer(v) &&
		       snprintf(value, FILTER_VALUE, "%" PRId64, (int64_t)json_integer_value(v)) > 0;
	return json_is_string(v) && json_string_length(v) < FILTER_VALUE &&
	       snprintf(value, FILTER_VALUE, "%s", json_string_value(v)) > 0;
}

static bool
has(const json_t *entry, const struct filter_term *t)
{
	char value[FILTER_VALUE];

	return filter_value(entry, t->member, value) && strcmp(value, t->value) == 0;
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
