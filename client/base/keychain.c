/*
 * Changes of the log key. The note is a checkpoint with a fourth line
 * [C2SP tlog-checkpoint, "extension lines"], so that the old key never signs
 * what could be taken for anything else than a head of its log.
 */
#include "base/keychain.h"

#include <jansson.h>
#include <string.h>

#include "base/note_text.h"

static const char next_line[] = "new-key ";
static const char kind[] = "{\"v\":1,\"kind\":\"logkey\",";

signet_err
key_link_sign(
    struct buf *out, const struct checkpoint *at, const struct note_key *next, const struct note_signer *old)
{
	owned(buf_done) struct buf text;

	buf_init(&text, NOTE_MAX);
	checkpoint_write(&text, at);
	buf_str(&text, next_line);
	note_key_write(&text, next);
	buf_chr(&text, '\n');
	if (text.failed)
		return SIGNET_ERR_MEMORY;
	return note_sign(out, (const char *)text.data, text.len, old);
}

bool
key_link_is(const char *entry, size_t size)
{
	return size >= sizeof(kind) - 1 && memcmp(entry, kind, sizeof(kind) - 1) == 0;
}

/* The fourth line, and no fifth. */
static bool
names_next(const char *text, size_t len, const struct note_key *next)
{
	const char *line = NULL;
	struct note_key named;
	size_t n = 0, prefix = sizeof(next_line) - 1;

	for (int i = 0; i < 4; i++)
		if (!note_line(&text, &len, &line, &n))
			return false;
	return len == 0 && n > prefix && memcmp(line, next_line, prefix) == 0 &&
	       note_key_parse(&named, line + prefix, n - prefix) == SIGNET_OK && note_key_same(&named, next);
}

static bool
read_key(struct note_key *k, const json_t *members, const char *name)
{
	const char *text = json_string_value(json_object_get(members, name));

	return text != NULL && note_key_parse(k, text, strlen(text)) == SIGNET_OK;
}

static signet_err
read_link(struct key_link *l, const json_t *members)
{
	const char *note = json_string_value(json_object_get(members, "handover"));
	size_t text_len;
	signet_err err;

	if (note == NULL || !read_key(&l->old, members, "oldKey") || !read_key(&l->next, members, "newKey"))
		return SIGNET_ERR_PROTOCOL;
	err = note_verify(note, strlen(note), &l->old, &text_len);
	if (err == SIGNET_OK)
		err = checkpoint_parse(&l->at, note, text_len);
	if (err != SIGNET_OK)
		return err;
	if (strcmp(l->at.origin, l->old.name) != 0 || strcmp(l->at.origin, l->next.name) != 0 ||
	    !names_next(note, text_len, &l->next))
		return SIGNET_ERR_VERIFY;
	return SIGNET_OK;
}

signet_err
key_link_read(struct key_link *l, const char *entry, size_t size)
{
	json_t *members = json_loadb(entry, size, JSON_REJECT_DUPLICATES, NULL);
	struct key_link found;
	signet_err err = members == NULL ? SIGNET_ERR_PROTOCOL : read_link(&found, members);

	json_decref(members);
	if (err == SIGNET_OK)
		*l = found;
	return err;
}

bool
note_key_same(const struct note_key *a, const struct note_key *b)
{
	return strcmp(a->name, b->name) == 0 && memcmp(a->id, b->id, sizeof(a->id)) == 0 &&
	       memcmp(a->public_key, b->public_key, sizeof(a->public_key)) == 0;
}
