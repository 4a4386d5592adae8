/*
 * Verifying entries that come with stored hashes: each leaf, each subtree that
 * an entry completed, each checkpoint that was signed after it [RFC 6962, 2.1].
 *
 * Where an entry and its stored hash differ, two trees grow from there, one
 * with what was computed and one with what was stored, until a checkpoint
 * tells which of them was logged.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "log.h"

enum {
	FAULTS_SHOWN = 100,
	HEAD_MAX = 256, /* the index of an entry stands before this */
};

void
log_walk_begin(
    struct log_walk *w, const struct note_key *key, const char *origin, const signet_checkpoint *since)
{
	memset(w, 0, sizeof(*w));
	w->key = key;
	if (key != NULL)
		w->trusted = *key;
	w->origin = origin;
	w->since = since;
}

static void fault(struct log_walk *w, const char *fmt, ...) printf_like(2, 3);

static void
fault(struct log_walk *w, const char *fmt, ...)
{
	char text[sizeof(w->first_fault)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (w->faults++ == 0)
		memcpy(w->first_fault, text, sizeof(text));
	if (!w->quiet && w->faults <= FAULTS_SHOWN)
		warn_text("%s", text);
}

void
log_walk_unread(struct log_walk *w, const char *why)
{
	fault(w, _("entry %llu and those after it cannot be read: %s"), (unsigned long long)w->computed.size, why);
	w->unread = true;
}

/* base64 of exactly so many bytes. */
static bool
decode(const struct log_entry *e, const char *name, uint8_t *out, size_t size)
{
	const char *text = log_stored(e, name);
	size_t n = size;

	return text != NULL && base64_decode(text, strlen(text), out, &n) == SIGNET_OK && n == size;
}

static void
check_since(struct log_walk *w)
{
	uint8_t root[TLOG_HASH];

	if (w->since == NULL || w->gap || w->computed.size != w->since->size)
		return;
	tlog_tree_root(&w->computed, root);
	if (memcmp(root, w->since->root, sizeof(root)) != 0)
		fault(w, _("the first %llu entries are not those of the remembered checkpoint"),
		    (unsigned long long)w->since->size);
}

/* A checkpoint decides which of the two trees was logged. False: neither. */
static bool
decide(struct log_walk *w, const uint8_t logged[TLOG_HASH])
{
	uint8_t computed[TLOG_HASH], stored[TLOG_HASH];
	bool by_entries, by_hashes;

	tlog_tree_root(&w->computed, computed);
	tlog_tree_root(&w->stored, stored);
	by_entries = memcmp(computed, logged, TLOG_HASH) == 0;
	by_hashes = memcmp(stored, logged, TLOG_HASH) == 0;
	if (w->differ && by_entries)
		fault(w,
		    _("the stored hash of entry %llu is wrong; the entry itself is the one that was logged"),
		    (unsigned long long)w->first_difference);
	else if (w->differ && by_hashes)
		fault(w, _("entry %llu is not the one that was logged"),
		    (unsigned long long)w->first_difference);
	else if (w->differ)
		fault(w, _("entry %llu and its stored hash differ, and neither leads to the checkpoint"),
		    (unsigned long long)w->first_difference);
	if (w->differ) {
		/* go on from one of them: the next difference is another one */
		if (by_entries || !by_hashes)
			w->stored = w->computed;
		else
			w->computed = w->stored;
		w->differ = false;
		return true;
	}
	return by_entries;
}

/* Entry and hashes were changed together: no more can be said than where the last good checkpoint was. */
static void
lose(struct log_walk *w, uint64_t last)
{
	w->lost = true;
	if (w->key != NULL)
		fault(w, _("one of the entries %llu to %llu is not the one that was logged"),
		    (unsigned long long)w->good_until, (unsigned long long)last);
	else
		fault(w, _("one of the entries %llu to %llu, or the checkpoint after them, was changed"),
		    (unsigned long long)w->good_until, (unsigned long long)last);
}

/*
 * By the trusted key, or by any that the log names: what an old key has signed is compared with the tree like all
 * else, so that whoever has got hold of it gains nothing.
 */
static signet_err
open_note(const struct log_walk *w, struct checkpoint *c, const char *note)
{
	size_t text_len, i, size = strlen(note);
	struct note_key key;
	const json_t *text;
	signet_err err;

	if (w->key == NULL) {
		err = note_read(note, size, &text_len);
		return err == SIGNET_OK ? checkpoint_parse(c, note, text_len) : err;
	}
	err = checkpoint_open(c, note, size, &w->trusted);
	json_array_foreach(w->keys, i, text)
	{
		if (err != SIGNET_OK && json_is_string(text) &&
		    note_key_parse(&key, json_string_value(text), json_string_length(text)) == SIGNET_OK)
			err = checkpoint_open(c, note, size, &key);
	}
	return err;
}

static void
check_note(struct log_walk *w, uint64_t index, const char *note)
{
	struct checkpoint c;
	signet_err err = open_note(w, &c, note);

	if (err != SIGNET_OK || strcmp(c.origin, w->origin) != 0 || c.size != index + 1)
		fault(w, _("the checkpoint stored with entry %llu is not one of this log, or was changed"),
		    (unsigned long long)index);
	else if (!w->gap && !w->lost && !decide(w, c.root))
		lose(w, index);
	else
		w->checkpoints++;
	w->good_until = w->lost ? w->good_until : index + 1;
}

static void
check_subtrees(struct log_walk *w, const struct log_entry *e, uint8_t (*computed)[TLOG_HASH],
    uint8_t (*stored)[TLOG_HASH], unsigned count)
{
	uint8_t given[TLOG_LEVELS * TLOG_HASH];
	bool there = log_stored(e, "subtrees") != NULL;

	/* an export may have been made without them */
	if (!there && log_stored(e, "leafHash") == NULL)
		return;
	if (there != (count > 0) ||
	    (there && !decode(e, "subtrees", given, count * (size_t)TLOG_HASH))) {
		fault(w, _("the hashes stored with entry %llu are not so many as they must be"),
		    (unsigned long long)e->index);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *hash = given + i * (size_t)TLOG_HASH;

		if (memcmp(hash, computed[i], TLOG_HASH) == 0 || memcmp(hash, stored[i], TLOG_HASH) == 0)
			continue;
		fault(w, _("the hash of %llu entries that is stored with entry %llu is wrong"), 2ULL << i,
		    (unsigned long long)e->index);
		return;
	}
}

static void
grow(struct log_walk *w, const struct log_entry *e, const uint8_t computed[TLOG_HASH],
    const uint8_t stored[TLOG_HASH])
{
	uint8_t of_computed[TLOG_LEVELS][TLOG_HASH], of_stored[TLOG_LEVELS][TLOG_HASH];
	unsigned count;

	if (!w->differ && memcmp(computed, stored, TLOG_HASH) != 0) {
		w->differ = true;
		w->first_difference = e->index;
	}
	count = tlog_tree_push(&w->computed, computed, of_computed);
	if (w->differ) {
		(void)tlog_tree_push(&w->stored, stored, of_stored);
	} else {
		memcpy(of_stored, of_computed, count * sizeof(of_stored[0]));
		w->stored = w->computed;
	}
	if (!w->lost) /* a tree that is not the log's says nothing about hashes */
		check_subtrees(w, e, of_computed, of_stored, count);
}

/* Another key signs from here on, if the old one says so of the tree before this entry. */
static void
follow_key(struct log_walk *w, const struct log_entry *e)
{
	uint8_t root[TLOG_HASH];
	struct key_link link;

	tlog_tree_root(&w->computed, root);
	if (key_link_read(&link, e->text, e->size) != SIGNET_OK || link.at.size != e->index ||
	    strcmp(link.at.origin, w->origin) != 0 ||
	    (!w->gap && !w->lost && memcmp(link.at.root, root, sizeof(root)) != 0)) {
		fault(w, _("entry %llu changes the log key, but the old key has not signed that"),
		    (unsigned long long)e->index);
		return;
	}
	if (w->key == NULL || !note_key_same(&link.old, &w->trusted))
		return;
	w->trusted = link.next;
	w->key_changes++;
}

char *
log_continues(struct log_entry *e)
{
	static const char kind[] = "{\"v\":1,\"kind\":\"origin\",";
	int64_t size = 0, entries = 0;
	const char *log;
	char *text = NULL;
	int n;

	if (e->index != 0 || strncmp(e->text, kind, sizeof(kind) - 1) != 0)
		return NULL;
	log = log_text(e, "oldLog");
	(void)log_number(e, "oldSize", &size);
	(void)log_number(e, "oldEntries", &entries);
	if (log == NULL)
		n = asprintf(&text, _("it continues a log of which no checkpoint was found"));
	else
		n = asprintf(&text, _("it continues %s, whose newest known checkpoint has %lld entries; %lld stood in its database"), log,
		    (long long)size, (long long)entries);
	if (n < 0)
		abort();
	return text;
}

void
log_walk_entry(struct log_walk *w, struct log_entry *e)
{
	const char *note = log_stored(e, "checkpoint");
	uint8_t computed[TLOG_HASH], stored[TLOG_HASH];
	char begin[64];

	tlog_leaf(computed, e->text, e->size);
	memcpy(stored, computed, sizeof(stored));
	if (log_stored(e, "leafHash") != NULL &&
	    !decode(e, "leafHash", stored, sizeof(stored)))
		fault(w, _("the stored hash of entry %llu is none"), (unsigned long long)e->index);
	(void)snprintf(begin, sizeof(begin), ",\"index\":%llu,\"clock\":", (unsigned long long)e->index);
	if (memmem(e->text, e->size < HEAD_MAX ? e->size : HEAD_MAX, begin, strlen(begin)) == NULL ||
	    strncmp(e->text, "{\"v\":1,\"kind\":\"", 15) != 0)
		fault(w, _("entry %llu does not begin as entry %llu must"), (unsigned long long)e->index,
		    (unsigned long long)e->index);
	w->entries++;
	if (!w->gap && w->computed.size != e->index) {
		w->gap = true;
		fault(w, _("entries %llu to %llu are missing"), (unsigned long long)w->computed.size,
		    (unsigned long long)e->index - 1);
	}
	if (key_link_is(e->text, e->size) && memcmp(computed, stored, sizeof(stored)) == 0)
		follow_key(w, e);
	if (!w->gap)
		grow(w, e, computed, stored);
	else if (memcmp(computed, stored, sizeof(stored)) != 0)
		fault(w, _("entry %llu is not the one of its stored hash"), (unsigned long long)e->index);
	if (note != NULL)
		check_note(w, e->index, note);
	check_since(w);
}

void
log_walk_end(struct log_walk *w, const signet_checkpoint *head)
{
	if (w->gap || w->unread)
		return;
	if (w->computed.size < head->size) {
		fault(w, _("entry %llu is missing: the checkpoint has %llu entries"),
		    (unsigned long long)w->computed.size, (unsigned long long)head->size);
		return;
	}
	if (!w->lost && !decide(w, head->root))
		lose(w, head->size - 1);
}

bool
log_walk_signed(struct log_walk *w, const char *note)
{
	struct checkpoint c;

	if (w->key == NULL || checkpoint_open(&c, note, strlen(note), &w->trusted) == SIGNET_OK)
		return true;
	fault(w, _("the checkpoint is not signed with the log's key, or was changed"));
	return false;
}
