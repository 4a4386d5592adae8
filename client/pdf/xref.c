/*
 * Cross-reference tables, streams and both at once [ISO 32000-1, 7.5.4, 7.5.8].
 *
 * Invariant: the newest section that says something about an object is
 * believed. No section is read twice, none more than PDF_SECTIONS_MAX; the
 * memory grows with what the file lists, never with what it announces.
 */
#include <stdlib.h>
#include <string.h>

#include "pdf/file.h"

struct chain {
	int64_t seen[PDF_SECTIONS_MAX];
	size_t count;
};

enum which { ENTRIES_USED, ENTRIES_FREE };

const struct entry *
xref_entry(const struct pdf *f, int64_t number)
{
	if (number < 0 || (uint64_t)number >= f->entry_count)
		return NULL;
	return f->entries[number].type == ENTRY_UNSET ? NULL : &f->entries[number];
}

static bool
grow(struct pdf *f, size_t count)
{
	size_t room = f->entry_room;
	struct entry *entries;

	if (count <= room) {
		f->entry_count = count > f->entry_count ? count : f->entry_count;
		return true;
	}
	room = room * 2 < count ? count : room * 2;
	if (room > PDF_OBJECTS_MAX)
		room = PDF_OBJECTS_MAX;
	entries = reallocarray(f->entries, room, sizeof(*entries));
	if (entries == NULL)
		return fail(&f->watch, PDF_MEMORY);
	memset(entries + f->entry_room, 0, (room - f->entry_room) * sizeof(*entries));
	f->entries = entries;
	f->entry_room = room;
	f->entry_count = count;
	return true;
}

static bool
add(struct pdf *f, int64_t number, enum entry_type type, int64_t at, int64_t generation)
{
	struct entry *e;

	if (number >= PDF_OBJECTS_MAX)
		return fail(&f->watch, PDF_LIMIT);
	if (!grow(f, (size_t)number + 1))
		return false;
	e = &f->entries[number];
	if (e->type != ENTRY_UNSET)
		return true;
	/* nothing lies there: as good as free, and some writers mean just that */
	if (type == ENTRY_PLAIN && (at <= 0 || (uint64_t)at >= f->size))
		type = ENTRY_FREE;
	if (type == ENTRY_PACKED && (at <= 0 || at >= PDF_OBJECTS_MAX))
		type = ENTRY_FREE;
	if (generation < 0 || generation > PDF_STREAM_MAX)
		type = ENTRY_FREE;
	*e = (struct entry){.type = (uint8_t)type};
	if (type != ENTRY_FREE) {
		e->at = (uint32_t)at;
		e->generation = (uint32_t)generation;
	}
	return true;
}

/* --- tables --- */

static bool
bad(struct pdf *f)
{
	/* what is malformed here is the table, not an object */
	if (f->watch.err == PDF_BAD_OBJECT)
		f->watch.err = PDF_BAD_XREF;
	return fail(&f->watch, PDF_BAD_XREF);
}

/* "0000000123 00000 n" */
static bool
table_entry(struct pdf *f, struct lexer *l, int64_t number, enum which which)
{
	int64_t at, generation;
	struct value word;

	if (!lexer_int(l, &at) || !lexer_int(l, &generation))
		return bad(f);
	word = lexer_value(l);
	if (value_is_word(&word, "n"))
		return which != ENTRIES_USED || add(f, number, ENTRY_PLAIN, at, generation);
	if (value_is_word(&word, "f"))
		return which != ENTRIES_FREE || add(f, number, ENTRY_FREE, 0, 0);
	return bad(f);
}

/* Behind the word xref: the subsections, and the trailer's dictionary into *trailer. */
static bool
table_read(struct pdf *f, struct lexer l, enum which which, struct value *trailer)
{
	int64_t first, count, i;
	struct value v;

	for (;;) {
		v = lexer_value(&l);
		if (value_is_word(&v, "trailer"))
			break;
		if (v.type != VALUE_INT || v.number < 0 || !lexer_int(&l, &count))
			return bad(f);
		first = v.number;
		if (count > PDF_OBJECTS_MAX || first > PDF_OBJECTS_MAX)
			return fail(&f->watch, PDF_LIMIT);
		for (i = 0; i < count; i++) {
			if (!table_entry(f, &l, first + i, which))
				return false;
		}
	}
	*trailer = lexer_value(&l);
	return trailer->type == VALUE_DICT || bad(f);
}

/* --- streams --- */

struct rows {
	const uint8_t *p, *end;
	size_t width[3];
};

static int64_t
row_field(struct rows *r, size_t i, int64_t otherwise)
{
	uint64_t n = 0;
	size_t k;

	if (r->width[i] == 0)
		return otherwise;
	for (k = 0; k < r->width[i]; k++)
		n = n << 8 | *r->p++;
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static bool
rows_widths(struct pdf *f, const struct value *dict, struct rows *r)
{
	struct value w = value_entry(dict, &f->watch, "W");
	struct lexer l;
	int64_t n;
	size_t i;

	value_inside(&w, &f->watch, &l);
	for (i = 0; i < 3; i++) {
		if (!lexer_int(&l, &n) || n > 8)
			return bad(f);
		r->width[i] = (size_t)n;
	}
	return r->width[0] + r->width[1] + r->width[2] > 0 || bad(f);
}

static bool
rows_add(struct pdf *f, struct rows *r, int64_t first, int64_t count)
{
	size_t width = r->width[0] + r->width[1] + r->width[2];
	int64_t i, type, at, generation;

	if (first > PDF_OBJECTS_MAX)
		return fail(&f->watch, PDF_LIMIT);
	for (i = 0; i < count; i++) {
		if ((size_t)(r->end - r->p) < width)
			return bad(f);
		if (!spend(&f->watch, width))
			return false;
		type = row_field(r, 0, 1);
		at = row_field(r, 1, 0);
		generation = row_field(r, 2, 0);
		/* a type of the future is a reference to nothing [7.5.8.3] */
		if (!add(f, first + i,
			type == 1   ? ENTRY_PLAIN
			: type == 2 ? ENTRY_PACKED
				    : ENTRY_FREE,
			at, generation))
			return false;
	}
	return true;
}

static bool
rows_read(struct pdf *f, const struct value *dict, struct rows *r)
{
	struct value index = value_entry(dict, &f->watch, "Index"), size, v;
	int64_t count;
	struct lexer l;

	if (!rows_widths(f, dict, r))
		return false;
	if (index.type == VALUE_NULL) {
		size = value_entry(dict, &f->watch, "Size");
		return size.type == VALUE_INT && size.number >= 0 ? rows_add(f, r, 0, size.number) : bad(f);
	}
	if (index.type != VALUE_ARRAY)
		return bad(f);
	value_inside(&index, &f->watch, &l);
	while (v = lexer_value(&l), v.type != VALUE_NONE) {
		if (v.type != VALUE_INT || v.number < 0 || !lexer_int(&l, &count))
			return bad(f);
		if (!rows_add(f, r, v.number, count))
			return false;
	}
	return f->watch.err == PDF_OK;
}

static bool
stream_section(struct pdf *f, int64_t at, struct value *trailer)
{
	struct rows r = {0};
	struct value type;
	struct object o;
	struct buf b;
	bool good;

	if (at < 0 || (uint64_t)at >= f->size || !object_at(f, (uint64_t)at, &o) || o.stream == NULL)
		return bad(f);
	type = value_entry(&o.value, &f->watch, "Type");
	if (!value_is_name(&type, "XRef"))
		return bad(f);
	buf_init(&b, PDF_STREAM_MAX);
	good = stream_read(f, &o, &b);
	if (good) {
		r.p = b.data;
		r.end = b.data + b.len;
		good = rows_read(f, &o.value, &r);
	}
	buf_done(&b);
	*trailer = o.value;
	return good;
}

/* --- sections --- */

/* A table that new readers read on in a stream [7.5.8.4]: what the table calls free may stand there. */
static bool
table_section(struct pdf *f, struct lexer l, struct value *trailer)
{
	struct value stream, ignored;

	if (!table_read(f, l, ENTRIES_USED, trailer))
		return false;
	stream = value_entry(trailer, &f->watch, "XRefStm");
	if (stream.type == VALUE_INT && !stream_section(f, stream.number, &ignored))
		return false;
	return table_read(f, l, ENTRIES_FREE, &ignored);
}

static bool
section_read(struct pdf *f, int64_t at, struct value *trailer, bool *stream)
{
	struct lexer l;
	struct value v;

	if (at < 0 || (uint64_t)at >= f->size)
		return bad(f);
	lexer_init(&l, &f->watch, f->bytes + at, f->bytes + f->size);
	v = lexer_value(&l);
	*stream = !value_is_word(&v, "xref");
	return *stream ? stream_section(f, at, trailer) : table_section(f, l, trailer);
}

static bool
chain_add(struct pdf *f, struct chain *c, int64_t at)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (c->seen[i] == at)
			return bad(f);
	}
	if (c->count == PDF_SECTIONS_MAX)
		return fail(&f->watch, PDF_LIMIT);
	c->seen[c->count++] = at;
	return true;
}

static bool
refuse_encrypted(struct pdf *f, const struct value *trailer)
{
	struct value v = value_entry(trailer, &f->watch, "Encrypt");

	return v.type == VALUE_NULL || fail(&f->watch, PDF_ENCRYPTED);
}

bool
xref_read(struct pdf *f)
{
	struct chain *c = calloc(1, sizeof(*c));
	struct value trailer, prev = {.type = VALUE_INT, .number = f->startxref};
	bool stream = false;

	if (c == NULL)
		return fail(&f->watch, PDF_MEMORY);
	while (prev.type == VALUE_INT) {
		if (!chain_add(f, c, prev.number) || !section_read(f, prev.number, &trailer, &stream) ||
		    !refuse_encrypted(f, &trailer))
			break;
		if (c->count == 1) {
			f->trailer = trailer;
			f->stream = stream;
		}
		prev = value_entry(&trailer, &f->watch, "Prev");
	}
	free(c);
	if (f->watch.err == PDF_OK && prev.type != VALUE_NULL)
		return bad(f);
	return f->watch.err == PDF_OK || bad(f);
}
