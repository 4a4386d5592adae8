/*
 * What a person reads of a prompt.
 *
 * Invariant: whatever stands in a prompt was written by somebody else, the
 * daemon's configuration apart: it is made safe as it is put in, and cut where
 * it is long. What a program says of itself is shown as that.
 */
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"

#include "inbox.h"

enum { ITEMS_SHOWN = 10, VALUE_MAX = 160 };

struct text {
	char *bytes;
	size_t len;
};

static void add(struct text *t, const char *fmt, ...) printf_like(2, 3);

/* One more line. */
static void
add(struct text *t, const char *fmt, ...)
{
	char *line, *joined;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&line, fmt, args) < 0)
		abort();
	va_end(args);
	if (asprintf(
		&joined, "%s%s%s", t->bytes == NULL ? "" : t->bytes, t->bytes == NULL ? "" : "\n", line) < 0)
		abort();
	free(line);
	free(t->bytes);
	t->bytes = joined;
}

/* Cut before a byte that goes on a character [RFC 3629, 3]. */
static void
cut(char *text, size_t max)
{
	if (strlen(text) <= max)
		return;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	text[max] = '\0';
}

/* A member, safe and short; "" where there is none. free() it. */
static char *
value(const json_t *object, const char *name)
{
	const char *raw = json_member_str(object, name);
	char *text = safe_text(raw == NULL ? "" : raw);

	cut(text, VALUE_MAX);
	return text;
}

const char *
prompt_token(const json_t *prompt)
{
	const char *name = json_member_str(prompt, "token");

	return name == NULL ? "?" : name;
}

bool
prompt_is(const json_t *prompt, const char *kind)
{
	const char *is = json_member_str(prompt, "kind");

	return is != NULL && strcmp(is, kind) == 0;
}

const char *
prompt_closed(const json_t *prompt)
{
	static const char *const words[] = {
	    N_("answered"), N_("rejected"), N_("expired"), N_("inserted"), N_("cancelled")};
	const char *closed = json_member_str(prompt, "closed");
	size_t i;

	for (i = 0; closed != NULL && i < array_len(words); i++) {
		if (strcmp(closed, words[i]) == 0)
			return _(words[i]);
	}
	return closed == NULL ? NULL : _("cancelled");
}

unsigned
prompt_seconds(const json_t *prompt)
{
	const char *expires = json_member_str(prompt, "expires");
	struct tm t = {0};
	time_t left;

	if (expires == NULL || strptime(expires, "%Y-%m-%dT%H:%M:%SZ", &t) == NULL)
		return 60;
	left = timegm(&t) - time(NULL);
	return left < 1 ? 1 : left > 600 ? 600 : (unsigned)left;
}

/* --- who asks --- */

/* By the kernel's word a number; its name is this machine's. */
static char *
user_name(const json_t *who)
{
	json_int_t uid = json_integer_value(json_object_get(who, "uid"));
	char *name = value(who, "user");
	const struct passwd *entry;

	if (name[0] != '\0')
		return name;
	free(name);
	entry = getpwuid((uid_t)uid);
	if (entry != NULL)
		return safe_text(entry->pw_name);
	if (asprintf(&name, "%lld", (long long)uid) < 0)
		abort();
	return name;
}

static void
add_requester(struct text *t, const json_t *prompt)
{
	const json_t *who = json_object_get(prompt, "requester");
	char *user = user_name(who), *exe = value(who, "exe"), *unit = value(who, "unit");

	add(t, _("Asked for by the user %s"), user);
	if (exe[0] != '\0' && unit[0] != '\0')
		add(t, _("  through the program %s (%s), as far as can be seen"), exe, unit);
	else if (exe[0] != '\0' || unit[0] != '\0')
		add(t, _("  through %s, as far as can be seen"), exe[0] != '\0' ? exe : unit);
	free(user);
	free(exe);
	free(unit);
}

/* --- what for --- */

static void
add_item(struct text *t, const json_t *item)
{
	char *number = value(item, "number"), *title = value(item, "title"), *date = value(item, "date");
	char *digest = value(item, "digest");

	cut(digest, 23); /* algorithm and 16 digits: enough to compare */
	if (number[0] == '\0' && title[0] == '\0')
		add(t, _("  a document that was not named, digest %s..."), digest);
	else
		add(t, "  %s%s%s%s%s", number, number[0] != '\0' && title[0] != '\0' ? ": " : "", title,
		    date[0] != '\0' ? ", " : "", date);
	free(number);
	free(title);
	free(date);
	free(digest);
}

static void
add_items(struct text *t, const json_t *prompt)
{
	const json_t *items = json_object_get(prompt, "items");
	json_int_t all = json_integer_value(json_object_get(prompt, "itemCount"));
	size_t n = json_array_size(items), i;

	if (n > ITEMS_SHOWN)
		n = ITEMS_SHOWN;
	if (all == 1)
		add(t, "%s", _("To be signed:"));
	else
		add(t,
		    ngettext(
			"To be signed, %lld document:", "To be signed, %lld documents:", (unsigned long)all),
		    (long long)all);
	for (i = 0; i < n; i++)
		add_item(t, json_array_get(items, i));
	if (all > (json_int_t)n)
		add(t, _("  and %lld more"), (long long)(all - (json_int_t)n));
}

static void
add_purpose(struct text *t, const json_t *prompt)
{
	char *capacity = value(prompt, "capacity"), *other = value(prompt, "onBehalfOf");
	json_int_t uses = json_integer_value(json_object_get(prompt, "uses"));

	if (json_integer_value(json_object_get(prompt, "itemCount")) > 0)
		add_items(t, prompt);
	else
		add(t,
		    ngettext("To unlock the token for %lld signature",
			"To unlock the token for %lld signatures", (unsigned long)(uses < 1 ? 1 : uses)),
		    (long long)(uses < 1 ? 1 : uses));
	if (capacity[0] != '\0')
		add(t, _("In the capacity: %s"), capacity);
	if (other[0] != '\0')
		add(t, _("On behalf of: %s"), other);
	free(capacity);
	free(other);
}

/* --- all of it --- */

static void
add_head(struct text *t, const json_t *prompt)
{
	char *token = value(prompt, "token"), *serial = value(prompt, "serial"),
	     *holder = value(prompt, "holder");

	if (prompt_is(prompt, "insert"))
		add(t, _("Insert the token \"%s\", please."), token);
	else if (prompt_is(prompt, "pin") || prompt_is(prompt, "lastTry"))
		add(t, _("The PIN of the token \"%s\" is needed."), token);
	else
		add(t, _("Your word is needed about the token \"%s\"."), token);
	if (serial[0] != '\0')
		add(t, _("  serial number %s"), serial);
	if (holder[0] != '\0')
		add(t, _("  kept by %s"), holder);
	free(token);
	free(serial);
	free(holder);
}

char *
prompt_warning(const json_t *prompt)
{
	char *token = value(prompt, "token"), *text;

	if (asprintf(&text,
		_("One more wrong PIN blocks the token \"%s\".\n"
		  "Only its holder may go on. If that is you and you are sure of the PIN, type the token's "
		  "name: "),
		token) < 0)
		abort();
	free(token);
	return text;
}

char *
prompt_text(const json_t *prompt)
{
	json_int_t failures = json_integer_value(json_object_get(prompt, "failures"));
	struct text t = {0};

	add_head(&t, prompt);
	add_requester(&t, prompt);
	add_purpose(&t, prompt);
	if (prompt_is(prompt, "lastTry"))
		add(&t, "%s", _("ATTENTION: one more wrong PIN blocks the token."));
	else if (failures > 0)
		add(&t,
		    ngettext("The last PIN was wrong: %lld wrong one so far, and the token counts.",
			"The last PIN was wrong: %lld wrong ones so far, and the token counts.",
			(unsigned long)failures),
		    (long long)failures);
	return t.bytes;
}

char *
prompt_line(const json_t *prompt)
{
	char *token = value(prompt, "token"), *user = user_name(json_object_get(prompt, "requester")), *text;
	int n;

	if (prompt_is(prompt, "insert"))
		n = asprintf(&text, _("Insert the token %s, which %s asks for (signetctl inbox tells more)"),
		    token, user);
	else
		n = asprintf(&text, _("PIN of the token %s, which %s asks for (signetctl inbox tells more):"),
		    token, user);
	if (n < 0)
		abort();
	free(token);
	free(user);
	return text;
}

char *
prompt_question(const json_t *prompt)
{
	char *token = value(prompt, "token"), *text;

	if (asprintf(&text, _("PIN of the token \"%s\": "), token) < 0)
		abort();
	free(token);
	return text;
}
