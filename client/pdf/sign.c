/*
 * The incremental update that adds an invisible signature [ISO 32000-1, 7.5.6,
 * 12.7.4.5, 12.8.1; EN 319 142-1]: a signature dictionary, a field that is its
 * own widget, and new editions of what must name them: the first page (or its
 * list of annotations), the form (or its list of fields), the catalog.
 *
 * Invariant: the file is the beginning of the draft, byte for byte, so earlier
 * signatures stay good. Entries that are not ours are copied as they were
 * written. What is handed out was read again and found to be the last signature.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pdf/signature.h"

enum {
	UPDATES_MAX = 8,            /* objects of one update */
	UPDATE_SIZE_MAX = 64 << 20, /* bytes of it: copies of a page, a form, their lists */
	FLAGS_SIGNED = 3,           /* SignaturesExist, AppendOnly [Table 219] */
	FLAGS_WIDGET = 132,         /* Print, Locked [Table 165] */
};

struct update { /* an object of the update and where it stands */
	uint32_t number, generation;
	size_t at;
};

struct writer {
	struct pdf *f;
	const struct pdf_signing *how;
	struct pdf_draft *draft;
	struct buf *out;
	struct update updates[UPDATES_MAX];
	size_t count;
	uint32_t next;                   /* free object number */
	uint32_t signature, field, form; /* object numbers of what is new; form: 0 if there is one */
	size_t range_at;                 /* where the ByteRange's numbers stand */
	struct object catalog, page;
};

/* --- pieces --- */

static bool
is_written(const struct writer *w, uint32_t number)
{
	size_t i;

	for (i = 0; i < w->count; i++) {
		if (w->updates[i].number == number)
			return true;
	}
	return false;
}

static void
object_begin(struct writer *w, uint32_t number, uint32_t generation)
{
	if (w->count == UPDATES_MAX || is_written(w, number)) {
		(void)fail(&w->f->watch, PDF_BAD_OBJECT);
		return;
	}
	w->updates[w->count++] =
	    (struct update){.number = number, .generation = generation, .at = w->out->len};
	buf_printf(w->out, "%u %u obj\n", (unsigned)number, (unsigned)generation);
}

static void
object_end(struct writer *w)
{
	buf_str(w->out, "\nendobj\n");
}

static uint32_t
new_number(struct writer *w)
{
	if (w->next >= PDF_OBJECTS_MAX)
		(void)fail(&w->f->watch, PDF_LIMIT);
	return w->next++;
}

/* The entries of a dictionary but those named (NULL ends the names). */
static void
copy_entries(struct writer *w, const struct value *dict, const char *const *but)
{
	struct value key, value;
	struct lexer l;
	size_t i;

	value_inside(dict, &w->f->watch, &l);
	while (lexer_entry(&l, &key, &value)) {
		for (i = 0; but[i] != NULL && !value_is_name(&key, but[i]); i++)
			;
		if (but[i] != NULL)
			continue;
		buf_put(w->out, key.p, key.n);
		buf_chr(w->out, ' ');
		buf_put(w->out, value.p, value.n);
		buf_chr(w->out, '\n');
	}
}

/* The elements of a list (nothing for what is none), and our field behind them. */
static void
copy_list(struct writer *w, const struct value *list)
{
	struct lexer l;
	struct value v;

	if (list->type != VALUE_ARRAY && list->type != VALUE_NULL)
		(void)fail(&w->f->watch, PDF_BAD_OBJECT);
	buf_chr(w->out, '[');
	value_inside(list, &w->f->watch, &l);
	while ((v = lexer_value(&l)).type != VALUE_NONE) {
		buf_put(w->out, v.p, v.n);
		buf_chr(w->out, ' ');
	}
	buf_printf(w->out, "%u 0 R]", (unsigned)w->field);
}

/*
 * A list that grows by our field: as an object of its own it gets a new edition there; else it is written here, as
 * the entry `key` of the dictionary that is being written.
 */
static bool
list_is_object(struct pdf *f, const struct value *dict, const char *key, struct object *list)
{
	struct value v = value_entry(dict, &f->watch, key);

	*list = (struct object){.value = v};
	if (v.type != VALUE_REF)
		return false;
	(void)object_resolve(f, v, list);
	return list->value.type == VALUE_ARRAY;
}

static void
put_list_entry(struct writer *w, const char *key, const struct object *list)
{
	buf_printf(w->out, "/%s ", key);
	copy_list(w, &list->value);
	buf_chr(w->out, '\n');
}

static void
write_list(struct writer *w, const struct object *list)
{
	/* one list may serve as the annotations of a page and as the fields of the form */
	if (is_written(w, list->number))
		return;
	object_begin(w, list->number, list->generation);
	copy_list(w, &list->value);
	object_end(w);
}

/* --- the objects --- */

static bool
put_text_entry(struct writer *w, const char *key, const char *text)
{
	if (text == NULL)
		return true;
	buf_printf(w->out, "/%s ", key);
	if (!text_put(w->out, text))
		return fail(&w->f->watch, PDF_TEXT);
	buf_chr(w->out, '\n');
	return true;
}

static void
put_zeroes(struct buf *out, size_t n)
{
	uint8_t *room = buf_room(out, n);

	if (room == NULL)
		return;
	memset(room, '0', n);
	out->len += n;
}

static bool
write_signature(struct writer *w)
{
	const struct pdf_signing *how = w->how;
	struct buf *out = w->out;

	object_begin(w, w->signature, 0);
	buf_str(out, "<<\n/Type /Sig\n/Filter /Adobe.PPKLite\n/SubFilter /ETSI.CAdES.detached\n/ByteRange ");
	w->range_at = out->len;
	buf_printf(out, "[%10d %10d %10d %10d]\n/Contents ", 0, 0, 0, 0);
	w->draft->hole = out->len;
	buf_chr(out, '<');
	put_zeroes(out, 2 * how->room);
	buf_chr(out, '>');
	w->draft->hole_end = out->len;
	buf_str(out, "\n/M ");
	if (!text_put_time(out, how->time, how->offset_minutes))
		return fail(&w->f->watch, PDF_TEXT);
	buf_chr(out, '\n');
	if (!put_text_entry(w, "Name", how->name) || !put_text_entry(w, "Reason", how->reason) ||
	    !put_text_entry(w, "Location", how->location))
		return false;
	buf_str(out, ">>");
	object_end(w);
	return true;
}

static void
write_field(struct writer *w)
{
	object_begin(w, w->field, 0);
	buf_printf(w->out,
	    "<<\n/Type /Annot\n/Subtype /Widget\n/FT /Sig\n/T (%s)\n/V %u 0 R\n/F %d\n/Rect [0 0 0 0]\n/P %u "
	    "%u R\n>>",
	    w->draft->field, (unsigned)w->signature, (int)FLAGS_WIDGET, (unsigned)w->page.number,
	    (unsigned)w->page.generation);
	object_end(w);
}

static void
write_page(struct writer *w)
{
	static const char *const ours[] = {"Annots", NULL};
	struct object list;

	if (list_is_object(w->f, &w->page.value, "Annots", &list)) {
		write_list(w, &list);
		return;
	}
	object_begin(w, w->page.number, w->page.generation);
	buf_str(w->out, "<<\n");
	copy_entries(w, &w->page.value, ours);
	put_list_entry(w, "Annots", &list);
	buf_str(w->out, ">>");
	object_end(w);
}

/* The dictionary of the form, old or new; a list of fields that is an object of its own is written behind it. */
static void
put_form(struct writer *w, const struct value *form, struct object *list, bool *list_behind)
{
	static const char *const ours[] = {"Fields", "SigFlags", NULL};
	static const char *const flags_only[] = {"SigFlags", NULL};
	struct value flags = object_entry(w->f, form, "SigFlags");
	int64_t old = flags.type == VALUE_INT && flags.number > 0 ? flags.number & 0xff : 0;

	*list_behind = list_is_object(w->f, form, "Fields", list);
	buf_str(w->out, "<<\n");
	copy_entries(w, form, *list_behind ? flags_only : ours);
	if (!*list_behind)
		put_list_entry(w, "Fields", list);
	buf_printf(w->out, "/SigFlags %d\n>>", (int)(old | FLAGS_SIGNED));
}

static void
write_catalog(struct writer *w, const struct value *form, struct object *list, bool *list_behind)
{
	static const char *const ours[] = {"AcroForm", NULL};

	object_begin(w, w->catalog.number, w->catalog.generation);
	buf_str(w->out, "<<\n");
	copy_entries(w, &w->catalog.value, ours);
	buf_str(w->out, "/AcroForm ");
	if (form->type == VALUE_DICT)
		put_form(w, form, list, list_behind);
	else
		buf_printf(w->out, "%u 0 R", (unsigned)w->form);
	buf_str(w->out, "\n>>");
	object_end(w);
}

static bool
write_form(struct writer *w)
{
	struct value entry = value_entry(&w->catalog.value, &w->f->watch, "AcroForm");
	struct object old = {.value = entry}, list = {0};
	bool list_behind = false;

	if (entry.type == VALUE_REF)
		(void)object_resolve(w->f, entry, &old);
	if ((old.value.type != VALUE_DICT && old.value.type != VALUE_NULL) || old.stream != NULL)
		return fail(&w->f->watch, PDF_BAD_OBJECT);
	if (old.value.type == VALUE_NULL)
		w->form = new_number(w);
	if (old.value.type == VALUE_NULL || entry.type == VALUE_DICT)
		write_catalog(w, &old.value, &list, &list_behind);
	if (entry.type != VALUE_DICT) {
		if (old.value.type == VALUE_NULL)
			object_begin(w, w->form, 0);
		else
			object_begin(w, old.number, old.generation);
		put_form(w, &old.value, &list, &list_behind);
		object_end(w);
	}
	if (list_behind)
		write_list(w, &list);
	return w->f->watch.err == PDF_OK;
}

/* --- cross-references --- */

static int
compare_number(const void *a, const void *b)
{
	const struct update *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* How many updates from i on have numbers in a row. */
static size_t
run_from(const struct writer *w, size_t i)
{
	size_t n = 1;

	while (i + n < w->count && w->updates[i + n].number == w->updates[i].number + n)
		n++;
	return n;
}

/* ID, of which the second half changes [14.4]; left out where there was none. */
static void
put_id(struct writer *w)
{
	struct value id = object_entry(w->f, &w->f->trailer, "ID"), first;
	struct lexer l;

	value_inside(&id, &w->f->watch, &l);
	first = lexer_value(&l);
	if (first.type != VALUE_STRING && first.type != VALUE_HEX)
		return;
	buf_str(w->out, "/ID [");
	buf_put(w->out, first.p, first.n);
	buf_str(w->out, " <");
	buf_hex(w->out, w->how->id, PDF_ID_SIZE);
	buf_str(w->out, ">]\n");
}

static void
put_trailer_entries(struct writer *w)
{
	/* what belongs to one section, or to a stream, and not to the file */
	static const char *const ours[] = {"Type", "Size", "Prev", "XRefStm", "ID", "W", "Index", "Length",
	    "Filter", "DecodeParms", "F", "FFilter", "FDecodeParms", "DL", NULL};

	copy_entries(w, &w->f->trailer, ours);
	buf_printf(w->out, "/Size %u\n/Prev %lld\n", (unsigned)w->next, (long long)w->f->startxref);
	put_id(w);
}

static void
write_table(struct writer *w)
{
	size_t i, k, n;

	buf_str(w->out, "xref\n");
	for (i = 0; i < w->count; i += n) {
		n = run_from(w, i);
		buf_printf(w->out, "%u %zu\n", (unsigned)w->updates[i].number, n);
		for (k = i; k < i + n; k++)
			buf_printf(
			    w->out, "%010zu %05u n \n", w->updates[k].at, (unsigned)w->updates[k].generation);
	}
	buf_str(w->out, "trailer\n<<\n");
	put_trailer_entries(w);
	buf_str(w->out, ">>\n");
}

static void
put_row(struct buf *out, const struct update *u)
{
	int shift;

	buf_u8(out, 1);
	for (shift = 24; shift >= 0; shift -= 8)
		buf_u8(out, (uint8_t)(u->at >> shift));
	buf_u8(out, (uint8_t)(u->generation >> 8));
	buf_u8(out, (uint8_t)u->generation);
}

static void
write_stream(struct writer *w)
{
	size_t i;

	buf_printf(w->out, "<<\n/Type /XRef\n/W [1 4 2]\n/Index [");
	for (i = 0; i < w->count; i += run_from(w, i))
		buf_printf(w->out, "%u %zu ", (unsigned)w->updates[i].number, run_from(w, i));
	buf_printf(w->out, "]\n/Length %zu\n", w->count * 7);
	put_trailer_entries(w);
	buf_str(w->out, ">>\nstream\n");
	for (i = 0; i < w->count; i++)
		put_row(w->out, &w->updates[i]);
	buf_str(w->out, "\nendstream\nendobj\n");
}

/* In the kind of the file's last section: who reads that one reads ours. */
static void
write_section(struct writer *w)
{
	size_t at = w->out->len;

	if (w->f->stream)
		object_begin(w, new_number(w), 0); /* its own entry is among its rows */
	qsort(w->updates, w->count, sizeof(w->updates[0]), compare_number);
	if (w->f->stream)
		write_stream(w);
	else
		write_table(w);
	buf_printf(w->out, "startxref\n%zu\n%%%%EOF\n", at);
}

/* --- all of it --- */

static bool
check(struct writer *w, struct signatures *s)
{
	const struct pdf_signing *how = w->how;
	size_t i;

	if (how->room == 0 || how->room > PDF_CONTENTS_MAX)
		return fail(&w->f->watch, PDF_TEXT);
	if (!signatures_read(w->f, s))
		return false;
	for (i = 0; i < s->count; i++) {
		if (s->list[i].filled && s->list[i].forbids_change)
			return fail(&w->f->watch, PDF_CERTIFIED);
		if (s->list[i].filled && s->list[i].forbids_fields)
			return fail(&w->f->watch, PDF_LOCKED);
	}
	return !s->certified || fail(&w->f->watch, PDF_CERTIFIED);
}

static bool
number_objects(struct writer *w, unsigned highest)
{
	struct value size = value_entry(&w->f->trailer, &w->f->watch, "Size");

	if (size.type != VALUE_INT || size.number < 1 || size.number > PDF_OBJECTS_MAX)
		return fail(
		    &w->f->watch, size.type == VALUE_INT && size.number > 1 ? PDF_LIMIT : PDF_BAD_XREF);
	w->next = (uint32_t)size.number;
	if (w->next < w->f->entry_count)
		w->next = (uint32_t)w->f->entry_count;
	w->signature = new_number(w);
	w->field = new_number(w);
	(void)snprintf(w->draft->field, sizeof(w->draft->field), "Signature%u", highest + 1);
	return w->f->watch.err == PDF_OK;
}

static bool
write_update(struct writer *w)
{
	struct buf *out = w->out;
	char range[64];
	int n;

	(void)buf_room(out, w->f->size + 2 * w->how->room + 64 * 1024); /* at once: it may be large */
	buf_put(out, w->f->bytes, w->f->size);
	if (!out->failed && out->data[out->len - 1] != '\n')
		buf_chr(out, '\n');
	if (!write_signature(w))
		return false;
	write_field(w);
	write_page(w);
	if (!write_form(w))
		return false;
	write_section(w);
	if (out->failed)
		return fail(
		    &w->f->watch, out->len > PDF_FILE_MAX - UPDATE_SIZE_MAX ? PDF_TOO_LARGE : PDF_MEMORY);
	n = snprintf(range, sizeof(range), "[%10d %10llu %10llu %10llu]", 0,
	    (unsigned long long)w->draft->hole, (unsigned long long)w->draft->hole_end,
	    (unsigned long long)(out->len - w->draft->hole_end));
	memcpy(out->data + w->range_at, range, (size_t)n);
	return w->f->watch.err == PDF_OK;
}

/* A reader must find the draft's signature, and as the last one. */
static pdf_err
read_again(const struct pdf_draft *d)
{
	owned(pdf_closep) struct pdf *f = NULL;
	struct pdf_signature *list = NULL;
	size_t count = 0;
	pdf_err err;

	err = pdf_open(&f, d->bytes.data, d->bytes.len);
	if (err == PDF_OK)
		err = pdf_signatures(f, &list, &count);
	if (err == PDF_OK) {
		const struct pdf_signature *last = count == 0 ? NULL : &list[count - 1];

		if (last == NULL || !last->whole || last->filled || last->end != d->bytes.len ||
		    last->hole != d->hole || last->hole_end != d->hole_end ||
		    strcmp(last->field, d->field) != 0)
			err = PDF_BAD_OBJECT;
	}
	free(list);
	return err;
}

pdf_err
pdf_sign(struct pdf *f, const struct pdf_signing *how, struct pdf_draft *draft)
{
	struct writer w = {.f = f, .how = how, .draft = draft, .out = &draft->bytes};
	struct signatures s = {0};
	size_t max = f->size + UPDATE_SIZE_MAX;
	bool good;

	*draft = (struct pdf_draft){0};
	buf_init(&draft->bytes, max < PDF_FILE_MAX ? max : PDF_FILE_MAX);
	good = check(&w, &s) && number_objects(&w, s.highest) && form_catalog(f, &w.catalog) &&
	       page_first(f, &w.page);
	free(s.list);
	/* what is written again must be a dictionary with a number of its own */
	if (good && (w.catalog.number == 0 || w.page.number == 0 || w.catalog.stream != NULL ||
			w.page.stream != NULL))
		good = fail(&f->watch, PDF_BAD_OBJECT);
	if (!good || !write_update(&w))
		return f->watch.err;
	return read_again(draft);
}

pdf_err
pdf_draft_fill(struct pdf_draft *d, const uint8_t *signature, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *at = d->bytes.data + d->hole + 1;
	size_t i;

	if (size > (d->hole_end - d->hole - 2) / 2)
		return PDF_NO_ROOM;
	for (i = 0; i < size; i++) {
		*at++ = (uint8_t)digits[signature[i] >> 4];
		*at++ = (uint8_t)digits[signature[i] & 15];
	}
	return PDF_OK;
}

void
pdf_draft_done(struct pdf_draft *d)
{
	buf_done(&d->bytes);
}
