/*
 * What people are shown of a call, as org.signetd.Inbox.Prompt has it.
 *
 * Invariant: a text that would be refused in a signature is not shown either;
 * what came from the peer's process (program, unit) stands where the interface
 * says that it proves nothing.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "clock.h"
#include "identity.h"
#include "dispatch.h"
#include "prompt.h"
#include "request.h"
#include "text.h"
#include "token.h"

static void
member_str(struct buf *b, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return; /* absent is null */
	buf_printf(b, ",\"%s\":", name);
	buf_json(b, text, strlen(text));
}

static void
member_int(struct buf *b, const char *name, uint64_t n)
{
	buf_printf(b, ",\"%s\":%llu", name, (unsigned long long)n);
}

/* Of a member of the call, if a person may be shown it. */
static const char *
shown(const json_t *object, const char *name)
{
	const char *text = json_member_str(object, name), *why;

	return text != NULL && text_check(text, strlen(text), &why) == SIGNET_OK ? text : NULL;
}

/* Local accounts only: asking a directory service could block the loop. The agent knows how to ask it. */
static bool
local_name(uid_t uid, char *name, size_t size)
{
	struct passwd entry, *found = NULL;
	char line[1024];
	FILE *f = fopen("/etc/passwd", "re");
	bool there = false;

	if (f == NULL)
		return false;
	while (!there && fgetpwent_r(f, &entry, line, sizeof(line), &found) == 0)
		if (entry.pw_uid == uid) {
			there = true;
			snprintf(name, size, "%s", entry.pw_name);
		}
	fclose(f);
	return there;
}

static void
add_requester(struct buf *b, const struct identity *who)
{
	char name[64] = "";

	buf_str(b, ",\"requester\":{");
	buf_put(b, who->members.data, who->members.len);
	if (local_name(who->peer.uid, name, sizeof(name)))
		member_str(b, "user", name);
	buf_chr(b, '}');
}

/* --- items --- */

static const char *
digest_of(const json_t *item)
{
	const char *text = json_member_str(item, "digest"), *why;
	struct digest d;

	return text != NULL && digest_parse(&d, text, &why) == SIGNET_OK ? text : NULL;
}

static void
add_item(struct buf *b, const json_t *item)
{
	const json_t *document = json_object_get(item, "document");
	size_t start;

	buf_chr(b, '{');
	start = b->len;
	member_str(b, "digest", digest_of(item));
	member_str(b, "number", shown(document, "number"));
	member_str(b, "title", shown(document, "title"));
	member_str(b, "date", shown(document, "date"));
	if (b->len > start)
		b->data[start] = ' '; /* the first member needs no comma */
	buf_chr(b, '}');
}

/* The call itself is the item of a call that has no items. */
static void
add_items(struct prompt *p, const json_t *call)
{
	const json_t *list = json_object_get(call, "items");
	size_t count = json_is_array(list) ? json_array_size(list) : json_member_str(call, "digest") != NULL;
	const char *digest = json_is_array(list) ? NULL : digest_of(call);

	if (count == 1 && json_is_array(list))
		digest = digest_of(json_array_get(list, 0));
	if (digest != NULL)
		snprintf(p->digest, sizeof(p->digest), "%s", digest);
	buf_str(&p->view, ",\"items\":[");
	for (size_t i = 0; i < count && i < PROMPT_ITEMS_MAX; i++) {
		if (i > 0)
			buf_chr(&p->view, ',');
		add_item(&p->view, json_is_array(list) ? json_array_get(list, i) : call);
	}
	buf_chr(&p->view, ']');
	member_int(&p->view, "itemCount", count);
}

static void
add_call(struct prompt *p, const json_t *call)
{
	const json_t *uses = json_object_get(call, "uses"), *seconds = json_object_get(call, "seconds");

	add_items(p, call);
	member_str(&p->view, "capacity", shown(call, "capacity"));
	member_str(&p->view, "onBehalfOf", shown(call, "onBehalfOf"));
	if (json_is_integer(uses))
		member_int(&p->view, "uses", (uint64_t)json_integer_value(uses));
	if (json_is_integer(seconds))
		member_int(&p->view, "seconds", (uint64_t)json_integer_value(seconds));
}

bool
prompt_compose(struct prompt *p, const struct asking *a, int64_t now_us, int64_t expires_us)
{
	const struct token *t = a->token;
	struct buf *b = &p->view;
	char time[CLOCK_TEXT];

	member_str(b, "token", t->conf->name);
	member_str(b, "label", t->label);
	member_str(b, "serial", t->serial);
	member_str(b, "holder", a->key != NULL ? a->key->conf->holder : t->conf->holder);
	if (a->key != NULL)
		member_str(b, "key", a->key->conf->name);
	member_str(b, "operation", verb_name(a->r->method->verb));
	add_requester(b, a->r->who);
	add_call(p, a->r->call.parameters);
	member_int(b, "failures", pin_failures(t->pin));
	clock_format(now_us, time);
	member_str(b, "created", time);
	clock_format(expires_us, time);
	member_str(b, "expires", time);
	return !b->failed;
}

void
prompt_write(struct buf *out, const struct prompt *p)
{
	const char *end = prompt_end_word(p->end);

	buf_printf(out, "{\"prompt\":{\"id\":\"%s\",\"number\":%llu,\"kind\":\"%s\"", p->id,
	    (unsigned long long)p->number, prompt_kind_word(p->whose.kind));
	if (end != NULL)
		buf_printf(out, ",\"closed\":\"%s\"", end);
	buf_put(out, p->view.data, p->view.len);
	buf_str(out, "}}");
}
