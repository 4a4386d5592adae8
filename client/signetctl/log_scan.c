/*
 * A reply of Log.Read without a tree: a log of a million entries is read in
 * seconds that way.
 *
 * Invariant: only the one form that our daemon writes is taken, and then its
 * members are those that a tree would have; whatever else comes is left to the
 * tree. libsignet has seen that the text is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "log.h"

struct scan {
	const char *p, *end;
	char *to; /* where the next text goes: there is room for all of them */
};

static bool
take(struct scan *s, const char *literal)
{
	size_t n = strlen(literal);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, literal, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* The content of a string and its closing quote. */
static bool
take_text(struct scan *s, const char **out, size_t *size)
{
	const char *stop;
	char *from = s->to;

	for (;;) {
		size_t n = 0;

		while (s->p + n < s->end && s->p[n] != '"' && s->p[n] != '\\')
			n++;
		memcpy(s->to, s->p, n);
		s->to += n;
		stop = s->p += n;
		if (s->end - stop < 2)
			return false;
		if (*stop == '"')
			break;
		if (stop[1] != '"' && stop[1] != '\\' && stop[1] != 'n')
			return false;
		*s->to++ = stop[1] == 'n' ? '\n' : stop[1];
		s->p += 2;
	}
	s->p++;
	*out = from;
	*size = (size_t)(s->to - from);
	*s->to++ = '\0';
	return true;
}

static bool
take_number(struct scan *s, uint64_t *out)
{
	const char *from = s->p;

	for (*out = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9' && s->p - from < 18; s->p++)
		*out = 10 * *out + (uint64_t)(*s->p - '0');
	return s->p > from;
}

static void
make_room(struct log_scanned *s, size_t size)
{
	if (size <= s->room_size)
		return;
	free(s->room);
	s->room_size = size < 65536 ? 65536 : size;
	s->room = malloc(s->room_size);
	if (s->room == NULL)
		abort();
}

bool
log_scan(struct log_scanned *out, const char *reply, size_t size)
{
	struct scan s = {.p = reply, .end = reply + size};
	size_t n;

	make_room(out, size + 4);
	s.to = out->room;
	out->reply = reply;
	out->size = size;
	out->subtrees = out->checkpoint = NULL;
	if (!take(&s, "{\"entry\":{\"index\":") || !take_number(&s, &out->index) ||
	    !take(&s, ",\"entry\":\"") || !take_text(&s, &out->entry, &out->entry_size) ||
	    !take(&s, ",\"leafHash\":\"") || !take_text(&s, &out->leaf, &n))
		return false;
	if (take(&s, ",\"subtrees\":\"") && !take_text(&s, &out->subtrees, &n))
		return false;
	if (take(&s, ",\"checkpoint\":\"") && !take_text(&s, &out->checkpoint, &n))
		return false;
	return take(&s, "}}") && s.p == s.end;
}

void
log_scan_done(struct log_scanned *s)
{
	free(s->room);
	s->room = NULL;
	s->room_size = 0;
}

const json_t *
log_wire(struct log_entry *e)
{
	json_t *reply;

	if (e->wire != NULL || e->scanned == NULL)
		return e->wire;
	if (e->scanned_wire == NULL) {
		reply = json_loadb(e->scanned->reply, e->scanned->size, 0, NULL);
		e->scanned_wire = json_incref(json_object_get(reply, "entry"));
		json_decref(reply);
	}
	return e->scanned_wire;
}

const char *
log_stored(const struct log_entry *e, const char *name)
{
	const struct log_scanned *s = e->scanned;

	if (e->wire != NULL || s == NULL)
		return json_string_value(json_object_get(e->wire, name));
	if (strcmp(name, "leafHash") == 0)
		return s->leaf;
	return strcmp(name, "subtrees") == 0 ? s->subtrees : s->checkpoint;
}

char *
log_stored_bytes(const json_t *wire, size_t *size)
{
	const json_t *bytes = json_object_get(wire, "bytes");
	size_t n = json_string_length(bytes);
	char *text;

	if (!json_is_string(bytes))
		return NULL;
	text = calloc(1, n + 1);
	if (text == NULL)
		abort();
	*size = n;
	if (base64_decode(json_string_value(bytes), n, (uint8_t *)text, size) == SIGNET_OK)
		return text;
	free(text);
	return NULL;
}

void
log_entry_done(struct log_entry *e)
{
	json_decref(e->read);
	json_decref(e->scanned_wire);
	e->read = e->scanned_wire = NULL;
}
