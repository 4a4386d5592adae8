/*
 * Verifying a published log, entry by entry: the hash of each entry against
 * its tile, the root of each tile against the tile above it, the root of all
 * against the checkpoint. One pass; what is kept is the right edge of the tree
 * and one tile per level.
 *
 * Where two things that should agree do not, either may be the wrong one: the
 * one that has no proof up to the checkpoint is. The tree goes on with the
 * right one, so one fault is reported once and hides no other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/note_text.h"
#include "log.h"

struct verifier {
	struct folder folder;
	struct tlog_tree tree;
	struct bundle bundle, part;
	uint8_t right[FOLDER_LEVELS][TLOG_TILE]
		     [TLOG_HASH]; /* the hashes of the tiles at the edge, as they should be */
	signet_log_visitor visitor;
	const signet_checkpoint *since;
	signet_log_check *check;
	bool has_key;
	struct note_key key; /* the one that was given, and then those that follow from it */
	bool
	    lost; /* for a fault it could not be told which side is right: what follows from it says no more */
	bool stopped;                 /* by the visitor */
	bool unread[FOLDER_LEVELS];   /* tile `seen` of this level could not be read */
	uint64_t seen[FOLDER_LEVELS]; /* number + 1 of the tile that was looked at last, per level */
};

static void
tell(struct verifier *v, const signet_log_check *fault)
{
	if (v->check->faults++ == 0) {
		v->check->has_index = fault->has_index;
		v->check->index = fault->index;
		memcpy(v->check->place, fault->place, sizeof(fault->place));
		memcpy(v->check->fault, fault->fault, sizeof(fault->fault));
	}
	if (v->visitor.fault != NULL && !v->visitor.fault(v->visitor.arg, fault))
		v->stopped = true;
}

static void fault_at(struct verifier *v, const char *place, const uint64_t *index, const char *fmt, ...)
    printf_like(4, 5);

static void
fault_at(struct verifier *v, const char *place, const uint64_t *index, const char *fmt, ...)
{
	signet_log_check fault = *v->check;
	va_list args;

	fault.has_index = index != NULL;
	fault.index = index == NULL ? 0 : *index;
	(void)snprintf(fault.place, sizeof(fault.place), "%s", place);
	va_start(args, fmt);
	(void)vsnprintf(fault.fault, sizeof(fault.fault), fmt, args);
	va_end(args);
	tell(v, &fault);
}

/* What the folder could not do becomes a fault of the copy, or ends the verification. */
static signet_err
folder_fault(struct verifier *v, signet_err err)
{
	if (err == SIGNET_ERR_VERIFY) {
		fault_at(v, v->folder.place, NULL, "%s", v->folder.why);
		return SIGNET_OK;
	}
	(void)snprintf(v->check->place, sizeof(v->check->place), "%s", v->folder.place);
	(void)snprintf(v->check->fault, sizeof(v->check->fault), "%s", v->folder.why);
	return err;
}

/* Is there a proof from this node, by the stored hashes beside it, to the checkpoint? */
static bool
is_proven(struct verifier *v, unsigned level, uint64_t number, const uint8_t node[TLOG_HASH])
{
	struct tlog_proof p;

	return tlog_prove_node(level, number, v->folder.head.size, folder_node, &v->folder, &p) ==
		   SIGNET_OK &&
	       tlog_check_node(level, number, v->folder.head.size, node, &p, v->folder.head.root) ==
		   SIGNET_OK;
}

/* --- older parts of tiles --- */

/* A part of hashes against those that were found right; `count` of them are known. */
static void
compare_hashes(struct verifier *v, unsigned row, const char *place, unsigned width, unsigned count)
{
	const struct buf *bytes = &v->part.bytes;

	if (bytes->len != width * (size_t)TLOG_HASH) {
		fault_at(v, place, NULL, "this file has %zu bytes where %u belong", bytes->len,
		    width * (unsigned)TLOG_HASH);
		return;
	}
	for (unsigned i = 0; i < width && i < count; i++) {
		if (memcmp(bytes->data + i * (size_t)TLOG_HASH, v->right[row][i], TLOG_HASH) == 0)
			continue;
		fault_at(v, place, NULL, "hash %u of this file is wrong", i);
		return;
	}
}

/* The same for entries; `whole`: the whole file is right, and bytes can be compared. */
static void
compare_entries(
    struct verifier *v, const char *place, uint64_t number, unsigned width, unsigned count, bool whole)
{
	struct bundle *part = &v->part;
	uint8_t leaf[TLOG_HASH];
	uint64_t index = number * TLOG_TILE;
	const char *entry;
	bool formed;
	size_t size;

	formed = bundle_cut(part, width);
	if (formed && whole && width <= count &&
	    memcmp(part->bytes.data, v->bundle.bytes.data, part->bytes.len) == 0)
		return;
	for (unsigned i = 0; i < part->count && i < count; i++, index++) {
		entry = bundle_entry(part, i, &size);
		tlog_leaf(leaf, entry, size);
		if (memcmp(leaf, v->right[0][i], TLOG_HASH) == 0)
			continue;
		fault_at(v, place, &index, "entry %llu in this file is not the one that was logged",
		    (unsigned long long)index);
		return;
	}
	if (formed)
		return;
	fault_at(v, place, part->count < width ? &index : NULL,
	    part->count < width ? "this file ends within its entry %u" : "this file goes on behind entry %u",
	    part->count);
}

static signet_err
check_part(struct verifier *v, int row, uint64_t number, unsigned width, unsigned count, bool whole)
{
	char place[TLOG_TILE_PATH];
	signet_err err;

	tlog_tile_path(place, sizeof(place), row, number, width);
	err = folder_read(&v->folder, place, &v->part.bytes, row < 0 ? BUNDLE_MAX : TLOG_TILE * TLOG_HASH);
	if (err != SIGNET_OK)
		return folder_fault(v, err);
	if (row < 0)
		compare_entries(v, place, number, width, count, whole);
	else
		compare_hashes(v, (unsigned)row, place, width, count);
	return SIGNET_OK;
}

/*
 * The names in `<tile>.p/`, but for the part that was read as the tile itself; names that are no widths are not the
 * log's and say nothing. `count` hashes of the tile are known; row < 0: entries.
 */
static signet_err
check_parts(struct verifier *v, int row, uint64_t number, unsigned count, bool whole)
{
	char place[TLOG_TILE_PATH + 3];
	signet_err err = SIGNET_OK;
	struct dirent *entry;
	uint64_t width;
	DIR *dir;
	int fd;

	if (v->lost)
		return SIGNET_OK;
	tlog_tile_path(place, TLOG_TILE_PATH, row, number, TLOG_TILE);
	(void)strcat(place, ".p");
	fd = openat(v->folder.fd, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return SIGNET_OK;
	dir = fdopendir(fd);
	if (dir == NULL) {
		(void)close(fd);
		return SIGNET_ERR_MEMORY;
	}
	while (err == SIGNET_OK && !v->stopped && (entry = readdir(dir)) != NULL) {
		if (note_number(entry->d_name, strlen(entry->d_name), &width) && width > 0 &&
		    width < TLOG_TILE && width != folder_width(&v->folder, row, number))
			err = check_part(v, row, number, (unsigned)width, count, whole);
	}
	(void)closedir(dir);
	return err;
}

/* --- tiles of hashes --- */

/* Load the tile; one that cannot be read is told once. *there: it could be read. */
static signet_err
see_tile(struct verifier *v, unsigned level, uint64_t number, bool *there)
{
	bool first = v->seen[level] != number + 1;
	signet_err err;

	*there = false;
	if (!first && v->unread[level])
		return SIGNET_OK;
	v->seen[level] = number + 1;
	err = folder_tile(&v->folder, level, number);
	v->unread[level] = err != SIGNET_OK;
	if (err != SIGNET_OK)
		return folder_fault(v, err);
	*there = true;
	return SIGNET_OK;
}

/*
 * A node that was computed and its hash as stored: which of the two is the log's? *node becomes that one. Returns
 * whether the computed one is wrong.
 */
static bool
judge(struct verifier *v, unsigned level, uint64_t number, uint8_t node[TLOG_HASH])
{
	uint8_t stored[TLOG_HASH];

	memcpy(stored, v->folder.tile[level / 8].hash[number % TLOG_TILE], TLOG_HASH);
	if (v->lost || is_proven(v, level, number, node))
		return false;
	if (is_proven(v, level, number, stored)) {
		memcpy(node, stored, TLOG_HASH);
		return true;
	}
	v->lost = true;
	return true;
}

static void
hash_fault(struct verifier *v, unsigned level, uint64_t number, bool computed_is_wrong)
{
	uint64_t tile = number / TLOG_TILE, at = number % TLOG_TILE, first = number << level;
	char place[TLOG_TILE_PATH];

	tlog_tile_path(
	    place, sizeof(place), (int)(level / 8), tile, folder_width(&v->folder, (int)(level / 8), tile));
	if (!computed_is_wrong)
		fault_at(v, place, level == 0 ? &number : NULL, "hash %llu of this file is wrong",
		    (unsigned long long)at);
	else
		fault_at(v, place, NULL,
		    "entries %llu to %llu are not those whose hash %llu stands in this file",
		    (unsigned long long)first, (unsigned long long)(first + ((uint64_t)1 << level) - 1),
		    (unsigned long long)at);
}

/* A complete subtree that is one hash of a tile. *node becomes the one that leads to the checkpoint. */
static signet_err
check_node(struct verifier *v, unsigned level, uint64_t number, uint8_t node[TLOG_HASH])
{
	unsigned row = level / 8, at = (unsigned)(number % TLOG_TILE);
	bool there;
	signet_err err;

	err = see_tile(v, row, number / TLOG_TILE, &there);
	if (err != SIGNET_OK)
		return err;
	if (there && !v->lost && memcmp(v->folder.tile[row].hash[at], node, TLOG_HASH) != 0)
		hash_fault(v, level, number, judge(v, level, number, node));
	memcpy(v->right[row][at], node, TLOG_HASH);
	return at == TLOG_TILE - 1 ? check_parts(v, (int)row, number / TLOG_TILE, TLOG_TILE, false)
				   : SIGNET_OK;
}

static void
compare_since(struct verifier *v)
{
	uint8_t root[TLOG_HASH];

	if (v->since == NULL || v->tree.size != v->since->size || v->lost)
		return;
	tlog_tree_root(&v->tree, root);
	if (memcmp(root, v->since->root, TLOG_HASH) == 0)
		return;
	fault_at(v, "", NULL,
	    "the first %llu entries are not those of the remembered checkpoint; a verification of all "
	    "entries tells "
	    "more",
	    (unsigned long long)v->since->size);
	v->lost = true;
}

/* tlog_tree_push(), and on the way up each hash that stands in a tile is looked at. */
static signet_err
grow(struct verifier *v, const uint8_t leaf[TLOG_HASH])
{
	struct tlog_tree *t = &v->tree;
	uint8_t top[TLOG_HASH];
	unsigned level = 0;
	signet_err err;

	memcpy(top, leaf, TLOG_HASH);
	while ((t->size >> level & 1) != 0) {
		tlog_node(top, t->node[level], top);
		level++;
		if (level % 8 != 0)
			continue;
		err = check_node(v, level, t->size >> level, top);
		if (err != SIGNET_OK)
			return err;
	}
	memcpy(t->node[level], top, TLOG_HASH);
	t->size++;
	compare_since(v);
	return SIGNET_OK;
}

/* --- entries --- */

static void
entries_place(const struct verifier *v, uint64_t number, char place[TLOG_TILE_PATH])
{
	unsigned width = v->bundle.width;

	tlog_tile_path(
	    place, TLOG_TILE_PATH, -1, number, width == 0 ? folder_width(&v->folder, -1, number) : width);
}

/* An entry that was logged says that another key signs from here on: the tree before it is in v->tree. */
static void
follow_key(struct verifier *v, uint64_t index, const char *entry, size_t size)
{
	char place[TLOG_TILE_PATH];
	uint8_t root[TLOG_HASH];
	struct key_link link;

	tlog_tree_root(&v->tree, root);
	if (key_link_read(&link, entry, size) != SIGNET_OK || link.at.size != index ||
	    strcmp(link.at.origin, v->folder.head.origin) != 0 ||
	    (!v->lost && memcmp(link.at.root, root, sizeof(root)) != 0)) {
		entries_place(v, index / TLOG_TILE, place);
		fault_at(v, place, &index, "entry %llu changes the log key, but the old key has not signed that",
		    (unsigned long long)index);
		return;
	}
	if (!v->has_key || !note_key_same(&link.old, &v->key))
		return;
	v->key = link.next;
	v->check->key_changes++;
}

static void
check_entry(struct verifier *v, uint64_t index, const char *entry, size_t size)
{
	uint64_t own;
	char place[TLOG_TILE_PATH];

	if (key_link_is(entry, size))
		follow_key(v, index, entry, size);
	if (log_entry_index(entry, size, &own) && own == index)
		return;
	entries_place(v, index / TLOG_TILE, place);
	fault_at(v, place, &index, "entry %llu was logged, but does not begin as entry %llu must",
	    (unsigned long long)index, (unsigned long long)index);
}

static void
entry_fault(struct verifier *v, uint64_t index)
{
	char place[TLOG_TILE_PATH];

	entries_place(v, index / TLOG_TILE, place);
	fault_at(v, place, &index, "entry %llu is not the one that was logged", (unsigned long long)index);
}

/* One file of entries and the tile of their hashes. */
struct pair {
	uint64_t number;
	unsigned width;
	bool hashes;                                 /* could be read */
	bool told_entry, told_hash;                  /* of each file the first fault only */
	char why[sizeof(((struct folder *)0)->why)]; /* what is wrong with the form of the entries' file */
};

/* The form of the file is told where no entry before is the reason of it: a wrong length garbles what follows. */
static void
form_fault(struct verifier *v, struct pair *p, const uint64_t *index)
{
	char place[TLOG_TILE_PATH];

	if (p->told_entry || p->why[0] == '\0')
		return;
	p->told_entry = true;
	entries_place(v, p->number, place);
	fault_at(v, place, index, "%s", p->why);
}

/* Entry and hash do not agree: *leaf becomes the hash of the two that leads to the checkpoint. Is it the entry's? */
static bool
settle(struct verifier *v, struct pair *p, uint64_t index, uint8_t leaf[TLOG_HASH])
{
	bool wrong = judge(v, 0, index, leaf);

	if (wrong && !p->told_entry)
		entry_fault(v, index);
	if (!wrong && !p->told_hash)
		hash_fault(v, 0, index, false);
	p->told_entry = p->told_entry || wrong;
	p->told_hash = p->told_hash || !wrong;
	/* the proofs may have looked at other tiles */
	if (folder_tile(&v->folder, 0, p->number) != SIGNET_OK)
		p->hashes = false;
	return !wrong;
}

/* The hash of entry i that the tree goes on with. Returns whether it is the entry's own. */
static bool
choose_leaf(struct verifier *v, struct pair *p, unsigned i, uint8_t leaf[TLOG_HASH])
{
	uint64_t index = p->number * TLOG_TILE + i;
	const char *entry;
	size_t size;

	if (i >= v->bundle.count) {
		form_fault(v, p, v->bundle.width == 0 ? NULL : &index);
		memcpy(leaf, v->folder.tile[0].hash[i], TLOG_HASH);
		return false;
	}
	entry = bundle_entry(&v->bundle, i, &size);
	tlog_leaf(leaf, entry, size);
	if (p->hashes && memcmp(leaf, v->folder.tile[0].hash[i], TLOG_HASH) != 0 &&
	    !settle(v, p, index, leaf))
		return false;
	check_entry(v, index, entry, size);
	return true;
}

static void
visit(struct verifier *v, const struct pair *p, unsigned i)
{
	const char *entry;
	size_t size;

	if (v->visitor.entry == NULL)
		return;
	entry = bundle_entry(&v->bundle, i, &size);
	if (!v->visitor.entry(v->visitor.arg, p->number * TLOG_TILE + i, entry, size))
		v->stopped = true;
}

static signet_err
load_pair(struct verifier *v, struct pair *p)
{
	signet_err err;

	err = bundle_load(&v->folder, p->number, &v->bundle);
	if (err == SIGNET_ERR_VERIFY)
		memcpy(p->why, v->folder.why, sizeof(p->why));
	else if (err != SIGNET_OK)
		return folder_fault(v, err);
	return see_tile(v, 0, p->number, &p->hashes);
}

/* 256 entries, or what is left. */
static signet_err
check_bundle(struct verifier *v, uint64_t number)
{
	struct pair p = {.number = number, .width = folder_width(&v->folder, -1, number)};
	uint8_t leaf[TLOG_HASH];
	signet_err err;

	err = load_pair(v, &p);
	for (unsigned i = 0; i < p.width && err == SIGNET_OK && !v->stopped; i++) {
		bool own;

		if (i >= v->bundle.count && !p.hashes) {
			form_fault(v, &p, NULL);
			v->stopped = true; /* neither entry nor hash: the tree cannot go on */
			return SIGNET_OK;
		}
		own = choose_leaf(v, &p, i, leaf);
		memcpy(v->right[0][i], leaf, TLOG_HASH);
		err = grow(v, leaf);
		v->check->checked += err == SIGNET_OK;
		if (err == SIGNET_OK && own && !v->stopped)
			visit(v, &p, i);
	}
	if (err != SIGNET_OK || v->stopped)
		return err;
	form_fault(v, &p, NULL);
	err = check_parts(v, -1, number, p.width, !p.told_entry && v->bundle.count == v->bundle.width);
	return err == SIGNET_OK ? check_parts(v, 0, number, p.width, false) : err;
}

/* --- the whole --- */

static signet_err
begin(struct verifier *v)
{
	const struct checkpoint *head = &v->folder.head;
	uint64_t from;
	signet_err err;

	if (v->since == NULL)
		return SIGNET_OK;
	if (strcmp(v->since->origin, head->origin) != 0 || v->since->size > head->size) {
		if (v->since->size > head->size)
			fault_at(v, "checkpoint", NULL,
			    "the copy has %llu entries, but %llu were there before: entries are missing at "
			    "its end",
			    (unsigned long long)head->size, (unsigned long long)v->since->size);
		else
			fault_at(v, "checkpoint", NULL, "this is another log than the remembered one");
		v->stopped = true;
		return SIGNET_OK;
	}
	from = v->since->size - v->since->size % TLOG_TILE;
	v->check->first = from;
	err = tlog_tree_load(&v->tree, from, folder_node, &v->folder);
	for (unsigned row = 1; row < FOLDER_LEVELS && err == SIGNET_OK; row++) {
		if ((from >> 8 * row) % TLOG_TILE == 0)
			continue;
		err = folder_tile(&v->folder, row, from >> 8 * row >> 8);
		if (err == SIGNET_OK)
			memcpy(v->right[row], v->folder.tile[row].hash, sizeof(v->right[row]));
	}
	if (err != SIGNET_OK) {
		v->stopped = true;
		return folder_fault(v, err);
	}
	compare_since(v);
	return SIGNET_OK;
}

static void
compare_root(struct verifier *v)
{
	uint8_t root[TLOG_HASH];

	if (v->stopped || v->lost)
		return;
	tlog_tree_root(&v->tree, root);
	if (memcmp(root, v->folder.head.root, TLOG_HASH) != 0)
		fault_at(v, "checkpoint", NULL, "the checkpoint is not one of these %llu entries",
		    (unsigned long long)v->folder.head.size);
}

/* Whose word the checkpoint is, is known when all changes of key were seen. */
static void
check_key(struct verifier *v)
{
	struct buf text;

	if (!v->has_key || v->stopped)
		return;
	v->check->authentic = folder_is_by(&v->folder, &v->key);
	if (!v->check->authentic) {
		fault_at(v, "checkpoint", NULL, "it is not signed with the log's key, or was changed");
		return;
	}
	buf_init(&text, sizeof(v->check->vkey));
	note_key_write(&text, &v->key);
	(void)snprintf(v->check->vkey, sizeof(v->check->vkey), "%.*s", (int)text.len,
	    text.data == NULL ? "" : (const char *)text.data);
	buf_done(&text);
}

static signet_err
run(struct verifier *v)
{
	uint64_t size = v->folder.head.size;
	signet_err err;

	err = begin(v);
	while (err == SIGNET_OK && !v->stopped && v->tree.size < size) {
		err = check_bundle(v, v->tree.size / TLOG_TILE);
		if (err == SIGNET_OK && v->visitor.progress != NULL)
			v->visitor.progress(v->visitor.arg, v->tree.size, size);
	}
	/* tiles that are not full: whole ones were looked at when their last hash came */
	for (unsigned row = 1; row < FOLDER_LEVELS && err == SIGNET_OK && !v->stopped; row++) {
		uint64_t count = v->tree.size >> 8 * row;

		if (count % TLOG_TILE > 0)
			err =
			    check_parts(v, (int)row, count / TLOG_TILE, (unsigned)(count % TLOG_TILE), false);
	}
	if (err == SIGNET_OK)
		compare_root(v);
	if (err == SIGNET_OK)
		check_key(v);
	return err;
}

/* Only what the caller knows of. */
static void
give(signet_log_check *to, const signet_log_check *from, size_t size)
{
	memcpy(to, from, size);
	to->size = size;
}

static signet_err
verify(struct verifier *v, const char *path, const struct note_key *k)
{
	signet_err err;

	err = folder_open(&v->folder, path, k);
	if (err == SIGNET_OK) {
		log_show_checkpoint(&v->check->checkpoint, &v->folder.head);
		v->check->authentic = v->folder.authentic;
		err = run(v);
	} else if (err == SIGNET_ERR_PROTOCOL || err == SIGNET_ERR_VERIFY) {
		fault_at(v, v->folder.place, NULL, "%s", v->folder.why);
		err = SIGNET_OK;
	} else {
		(void)folder_fault(v, err);
	}
	folder_close(&v->folder);
	if (err == SIGNET_OK && v->check->faults > 0)
		err = SIGNET_ERR_VERIFY;
	if (err == SIGNET_OK)
		return SIGNET_OK;
	return error_set(
	    NULL, err, "%s%s%s", v->check->place, v->check->place[0] == '\0' ? "" : ": ", v->check->fault);
}

SIGNET_API signet_err
signet_log_verify_folder(const char *path, const char *vkey, const signet_checkpoint *since,
    const signet_log_visitor *visitor, signet_log_check *check)
{
	signet_log_check found = {.size = sizeof(found)};
	struct verifier *v;
	struct note_key k;
	signet_err err;

	error_clear();
	if (path == NULL || check == NULL ||
	    check->size < offsetof(signet_log_check, fault) + sizeof(check->fault) ||
	    check->size > sizeof(found) ||
	    (visitor != NULL &&
		(visitor->size < offsetof(signet_log_visitor, fault) + sizeof(visitor->fault) ||
		    visitor->size > sizeof(*visitor))))
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	if (vkey != NULL) {
		err = log_key(&k, vkey);
		if (err != SIGNET_OK)
			return err;
	}
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	if (visitor != NULL)
		memcpy(&v->visitor, visitor, visitor->size);
	v->since = since;
	v->check = &found;
	bundle_init(&v->bundle);
	bundle_init(&v->part);
	v->has_key = vkey != NULL;
	if (vkey != NULL)
		v->key = k;
	err = verify(v, path, vkey == NULL ? NULL : &k);
	bundle_done(&v->bundle);
	bundle_done(&v->part);
	free(v);
	give(check, &found, check->size);
	return err;
}
