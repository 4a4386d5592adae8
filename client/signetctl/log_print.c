/*
 * Entries for people: a line each in a listing, or all of one.
 *
 * Invariant: whatever stands in an entry is text of others and passes
 * print_safe(); a text whose hash is not the entry's is never shown as the
 * entry's.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "log.h"

enum { INDEX = 8, TIME = 17, WHAT = 13, OUTCOME = 12, WHO = 13, KEY = 16, LABEL = 24 };

/* Members in the order in which they are shown, and what a clerk calls them. */
static const struct {
	const char *name, *label;
	bool opening;
} labels[] = {{"kind", N_("what"), false}, {"time", N_("when"), false}, {"clock", N_("clock"), false},
    {"uid", N_("user"), false}, {"exe", N_("program"), false}, {"unit", N_("service"), false},
    {"operation", N_("operation"), false}, {"verb", N_("asked for"), false}, {"method", N_("call"), false},
    {"rule", N_("rule"), false}, {"proof", N_("person known by"), false}, {"outcome", N_("outcome"), false},
    {"error", N_("error"), false}, {"detail", N_("more about it"), false}, {"key", N_("key"), false},
    {"certSerial", N_("certificate number"), false}, {"certHash", N_("certificate hash"), false},
    {"token", N_("token"), false}, {"tokenSerial", N_("token number"), false}, {"state", N_("state"), false},
    {"number", N_("document number"), true}, {"title", N_("title"), true},
    {"date", N_("document date"), true}, {"documentId", N_("document id"), true},
    {"mediaType", N_("kind of document"), false}, {"documentTag", N_("document mark"), false},
    {"capacity", N_("capacity"), true}, {"onBehalfOf", N_("on behalf of"), true},
    {"handedBy", N_("handed over by"), true}, {"handedTo", N_("handed over to"), true},
    {"reason", N_("reason"), true}, {"digest", N_("digest"), false}, {"format", N_("format"), false},
    {"level", N_("level"), false}, {"scheme", N_("scheme"), false}, {"purpose", N_("purpose"), false},
    {"basis", N_("stands on entries"), false}, {"approvals", N_("approved by entries"), false},
    {"signatureHash", N_("signature hash"), false}, {"requestId", N_("request"), false},
    {"first", N_("first time"), false}, {"repeated", N_("times"), false}, {"version", N_("version"), false},
    {"config", N_("configuration"), false}, {"policy", N_("policy"), false}, {"rules", N_("rules"), false},
    {"sandbox", N_("sandbox"), false}, {"gid", N_("group"), false}, {"pid", N_("process"), false},
    {"boot", N_("start of the machine"), false}};

const char *
log_user(char *out, const struct log_entry *e, int64_t uid)
{
	const struct passwd *user = e->foreign || uid < 0 || uid > UINT32_MAX ? NULL : getpwuid((uid_t)uid);

	if (user != NULL)
		(void)snprintf(out, 64, "%s", user->pw_name);
	else
		(void)snprintf(out, 64, "%lld", (long long)uid);
	return out;
}

/* Kinds and outcomes of entries; others stay as they are. */
static const char *
word(const char *text)
{
	static const char *const words[] = {N_("start"), N_("reload"), N_("stop"), N_("sign"), N_("seal"),
	    N_("timestamp"), N_("unlock"), N_("lock"), N_("token"), N_("refusal"), N_("clock"), N_("key"),
	    N_("approval"), N_("delegation"), N_("withdrawal"), N_("export"), N_("erasure"), N_("logkey"),
	    N_("origin"), N_("ok"), N_("failed"), N_("unknown"), N_("cancelled"), N_("refused")};

	for (size_t i = 0; text != NULL && i < array_len(words); i++) {
		if (strcmp(text, words[i]) == 0)
			return _(words[i]);
	}
	return text == NULL ? "" : text;
}

static void
cell(const char *text, int columns)
{
	char *safe = safe_text(text);

	print_padded(stdout, safe, columns - 1);
	putchar(' ');
	free(safe);
}

void
log_print_heading(bool several)
{
	if (several)
		print_padded(stdout, _("LOG"), 24);
	printf("%*s  ", INDEX, _("ENTRY"));
	print_padded(stdout, _("WHEN"), TIME);
	print_padded(stdout, _("WHAT"), WHAT);
	print_padded(stdout, _("OUTCOME"), OUTCOME);
	print_padded(stdout, _("WHO"), WHO);
	print_padded(stdout, _("KEY"), KEY);
	puts(_("MORE"));
}

/* What tells most of an entry in half a line. */
static void
print_more(struct log_entry *e)
{
	static const char *const openings[] = {"number", "title", "reason"};
	static const char *const members[] = {
	    "error", "detail", "requestId", "token", "state", "digest", "version"};
	const char *text;
	unsigned shown = 0;

	for (size_t i = 0; i < array_len(openings); i++) {
		text = log_opening(e, openings[i]);
		if (text == NULL)
			continue;
		if (shown++ > 0)
			fputs(", ", stdout);
		print_safe(stdout, text);
	}
	for (size_t i = 0; i < array_len(members) && shown < 2; i++) {
		text = log_text(e, members[i]);
		if (text == NULL || (strcmp(members[i], "digest") == 0 && shown > 0))
			continue;
		if (shown++ > 0)
			fputs(", ", stdout);
		print_safe(stdout, text);
	}
}

void
log_print_line(struct log_entry *e, bool several)
{
	const char *kind = log_text(e, "kind"), *time = log_text(e, "time"), *key = log_text(e, "key");
	char when[64], who[64] = "";
	int64_t uid;

	if (several)
		cell(e->log, 24);
	printf("%*llu  ", INDEX, (unsigned long long)e->index);
	cell(time == NULL ? "" : local_time(when, time), TIME);
	cell(word(kind), WHAT);
	cell(word(log_text(e, "outcome")), OUTCOME);
	cell(log_number(e, "uid", &uid) ? log_user(who, e, uid) : "", WHO);
	cell(key == NULL ? "" : key, KEY);
	print_more(e);
	putchar('\n');
}

static void
label(const char *text)
{
	fputs("  ", stdout);
	print_padded(stdout, text, LABEL);
}

/* Whether salt and text are those whose hash stands in the entry. */
static bool
opening_holds(struct log_entry *e, const char *field, const char *text)
{
	const json_t *list = json_object_get(log_wire(e), "openings"), *o;
	uint8_t salt[SIGNET_LOG_HASH];
	size_t i, n;

	json_array_foreach(list, i, o)
	{
		const char *name = json_string_value(json_object_get(o, "field"));
		const char *given = json_string_value(json_object_get(o, "salt"));

		if (name == NULL || given == NULL || strcmp(name, field) != 0)
			continue;
		n = sizeof(salt);
		return base64_decode(given, strlen(given), salt, &n) == SIGNET_OK && n == sizeof(salt) &&
		       signet_log_verify_opening(log_text(e, field), salt, text, strlen(text)) == SIGNET_OK;
	}
	return false;
}

static void
print_opening(struct log_entry *e, const char *name)
{
	const char *text = log_opening(e, name);

	if (text == NULL) {
		puts(_("(hidden: not to be read by you, not in this copy, or erased)"));
		return;
	}
	print_safe(stdout, text);
	if (!opening_holds(e, name, text))
		printf("  %s", _("(NOT the text that was logged!)"));
	putchar('\n');
}

static void
print_value(const struct log_entry *e, const char *name, const json_t *value)
{
	char out[64], *text;

	if (strcmp(name, "uid") == 0 && json_is_integer(value)) {
		print_safe(stdout, log_user(out, e, json_integer_value(value)));
		if (!e->foreign)
			printf(" (%lld)", (long long)json_integer_value(value));
		putchar('\n');
		return;
	}
	if (strcmp(name, "time") == 0 && json_is_string(value)) {
		print_safe(stdout, local_time(out, json_string_value(value)));
		printf(" (%s)\n", json_string_value(value));
		return;
	}
	if (json_is_string(value)) {
		print_safe(stdout, strcmp(name, "kind") == 0 || strcmp(name, "outcome") == 0
				       ? word(json_string_value(value))
				       : word_text(json_string_value(value)));
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		print_safe(stdout, text == NULL ? "" : text);
		free(text);
	}
	putchar('\n');
}

static bool
is_labelled(const char *name)
{
	for (size_t i = 0; i < array_len(labels); i++) {
		if (strcmp(name, labels[i].name) == 0)
			return true;
	}
	return strcmp(name, "v") == 0 || strcmp(name, "index") == 0;
}

void
log_print_details(struct log_entry *e)
{
	const json_t *members = log_members(e), *value;
	const char *name;

	printf(_("Entry %llu of "), (unsigned long long)e->index);
	print_safe(stdout, e->log);
	putchar('\n');
	for (size_t i = 0; i < array_len(labels); i++) {
		value = json_object_get(members, labels[i].name);
		if (value == NULL)
			continue;
		label(_(labels[i].label));
		if (labels[i].opening)
			print_opening(e, labels[i].name);
		else
			print_value(e, labels[i].name, value);
	}
	/* of a newer daemon */
	json_object_foreach((json_t *)members, name, value)
	{
		if (is_labelled(name))
			continue;
		label(name);
		print_value(e, name, value);
	}
}
