/*
 * What an update did to a file that was signed before.
 *
 * Invariant: an object that is another one now counts as foreign unless the
 * difference is one that signing makes: new signature fields in the form and
 * in lists of annotations, and what the catalog says about signatures. Of what
 * is not understood nothing is assumed.
 */
#include <stdlib.h>
#include <string.h>

#include "pdf/file.h"

struct comparison {
	struct pdf *then, *now;
	struct pdf_changes *changes;
	int64_t root, form, info; /* object numbers; -1: none */
	uint8_t *added;           /* a bit per object number: there is one now, there was none then */
};

static int64_t
number_of(struct pdf *f, const struct value *dict, const char *key)
{
	struct value v = value_entry(dict, &f->watch, key);

	return v.type == VALUE_REF ? v.number : -1;
}

/* A signature field, or a widget of one. */
static bool
is_signature_field(struct pdf *f, struct value v)
{
	struct value type, parent;

	v = object_resolve(f, v, NULL);
	type = object_entry(f, &v, "FT");
	if (type.type == VALUE_NULL) {
		parent = object_entry(f, &v, "Parent");
		type = object_entry(f, &parent, "FT");
	}
	return value_is_name(&type, "Sig");
}

/* The new list is the old one, and signature fields behind it. */
static bool
grew_by_signatures(struct comparison *c, struct value old, struct value new)
{
	struct lexer a, b;
	struct value x, y;

	old = object_resolve(c->then, old, NULL);
	new = object_resolve(c->now, new, NULL);
	if ((old.type != VALUE_ARRAY && old.type != VALUE_NULL) || new.type != VALUE_ARRAY)
		return old.type == VALUE_NULL && new.type == VALUE_NULL;
	value_inside(&old, &c->then->watch, &a);
	value_inside(&new, &c->now->watch, &b);
	while ((x = lexer_value(&a)).type != VALUE_NONE) {
		y = lexer_value(&b);
		if (!value_same(&x, &y, &c->now->watch))
			return false;
	}
	while ((y = lexer_value(&b)).type != VALUE_NONE) {
		if (!is_signature_field(c->now, y))
			return false;
	}
	return true;
}

static bool
named(const struct value *key, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (value_is_name(key, *names))
			return true;
	}
	return false;
}

/* Every entry of `a` is in `b` as it is, but for the names: those may differ. */
static bool
entries_in(
    struct watch *wa, const struct value *a, struct watch *wb, const struct value *b, const char *const *but)
{
	struct value key, value, other;
	struct lexer l;

	value_inside(a, wa, &l);
	while (lexer_entry(&l, &key, &value)) {
		if (named(&key, but))
			continue;
		other = value_entry_named(b, wb, &key);
		if (!value_same(&value, &other, wb))
			return false;
	}
	return true;
}

static bool
same_but(struct comparison *c, const struct value *old, const struct value *new, const char *const *but)
{
	return old->type == VALUE_DICT &&
	       new->type == VALUE_DICT &&entries_in(&c->then->watch, old, &c->now->watch, new, but) &&
	       entries_in(&c->now->watch, new, &c->then->watch, old, but);
}

static bool
lists_grew(struct comparison *c, const struct value *old, const struct value *new, const char *key)
{
	return grew_by_signatures(
	    c, value_entry(old, &c->then->watch, key), value_entry(new, &c->now->watch, key));
}

static bool
form_as_signed(struct comparison *c, const struct value *old, const struct value *new)
{
	/* what fields are drawn with, where there was nothing before: others give even an invisible one a font */
	static const char *const drawing[] = {"DR", "DA"};
	const char *may[5] = {"Fields", "SigFlags"};
	size_t i, n = 2;

	for (i = 0; i < array_len(drawing); i++) {
		if (value_entry(old, &c->then->watch, drawing[i]).type == VALUE_NULL)
			may[n++] = drawing[i];
	}
	if (old->type == VALUE_NULL) /* a form that is new brings signatures only */
		return new->type == VALUE_DICT &&lists_grew(c, old, new, "Fields");
	return same_but(c, old, new, may) && lists_grew(c, old, new, "Fields");
}

static bool
catalog_as_signed(struct comparison *c, const struct value *old, const struct value *new)
{
	static const char *const may[] = {"AcroForm", "DSS", "Perms", "Extensions", "Version", NULL};
	struct value was = object_entry(c->then, old, "AcroForm"), is = object_entry(c->now, new, "AcroForm");

	if (!same_but(c, old, new, may))
		return false;
	return (was.type == VALUE_NULL && is.type == VALUE_NULL) || form_as_signed(c, &was, &is);
}

static bool
page_as_signed(struct comparison *c, const struct value *old, const struct value *new)
{
	static const char *const may[] = {"Annots", NULL};

	return same_but(c, old, new, may) && lists_grew(c, old, new, "Annots");
}

/* A field that waited for its signature has one. */
static bool
field_as_signed(struct comparison *c, const struct value *old, const struct value *new)
{
	static const char *const may[] = {"V", "AP", "M", "F", NULL};
	struct value type = object_entry(c->then, old, "FT"), v = object_entry(c->then, old, "V");

	return value_is_name(&type, "Sig") && v.type == VALUE_NULL && same_but(c, old, new, may);
}

static bool
is_type(struct pdf *f, const struct value *dict, const char *name)
{
	struct value type = object_entry(f, dict, "Type");

	return value_is_name(&type, name);
}

static bool
as_signed(struct comparison *c, const struct object *old, const struct object *new, int64_t number)
{
	if (old->value.type == VALUE_ARRAY)
		return grew_by_signatures(c, old->value, new->value);
	if (number == c->root)
		return catalog_as_signed(c, &old->value, &new->value);
	if (number == c->form)
		return form_as_signed(c, &old->value, &new->value);
	if (number == c->info)
		return true; /* about the file, not in its pages */
	if (is_type(c->then, &old->value, "Page"))
		return page_as_signed(c, &old->value, &new->value);
	if (is_type(c->then, &old->value, "DSS"))
		return is_type(c->now, &new->value, "DSS");
	return field_as_signed(c, &old->value, &new->value);
}

/* Counted by what is done about it at the end: does anything that was signed refer to it? */
static void
note_added(struct comparison *c, int64_t number)
{
	c->changes->added++;
	c->added[number / 8] |= (uint8_t)(1 << number % 8);
}

static void
compare_object(struct comparison *c, int64_t number)
{
	const struct entry *was = xref_entry(c->then, number), *is = xref_entry(c->now, number);
	bool there = was != NULL && was->type != ENTRY_FREE, here = is != NULL && is->type != ENTRY_FREE;
	struct object old = {0}, new = {0};

	if (!there) {
		if (here)
			note_added(c, number);
		return;
	}
	/* `now` begins with all of `then`: the same place is the same object */
	if (here && was->type == is->type && was->at == is->at && was->generation == is->generation)
		return;
	if (!object_get(c->then, number, was->type == ENTRY_PACKED ? 0 : was->generation, &old)) {
		/* it was listed and not there: what is there now was not signed */
		c->changes->added += here;
		c->changes->foreign += here;
		return;
	}
	if (here)
		(void)object_get(c->now, number, is->type == ENTRY_PACKED ? 0 : is->generation, &new);
	if (old.stream == NULL && new.stream == NULL && value_same(&old.value, &new.value, &c->now->watch))
		return;
	c->changes->changed++;
	c->changes->foreign += old.stream != NULL || new.stream != NULL || !as_signed(c, &old, &new, number);
}

static void
look_for_added(struct comparison *c, const struct value *v)
{
	struct lexer l;
	int64_t number;

	if (v->n == 0) /* "endobj" stood there, and nothing else */
		return;
	lexer_init(&l, &c->then->watch, v->p, v->p + v->n);
	while (lexer_reference(&l, &number)) {
		if (number < PDF_OBJECTS_MAX && (c->added[number / 8] >> number % 8 & 1) != 0)
			c->changes->foreign++;
	}
}

/* What was signed with a reference to nothing shows something when an object of that number comes up. */
static void
look_for_dangling(struct comparison *c)
{
	const struct entry *e;
	struct object o;
	size_t i;

	if (c->changes->added == 0)
		return;
	look_for_added(c, &c->then->trailer);
	for (i = 0; i < c->then->entry_count && c->then->watch.err == PDF_OK; i++) {
		e = xref_entry(c->then, (int64_t)i);
		if (e != NULL && e->type != ENTRY_FREE &&
		    object_get(c->then, (int64_t)i, e->type == ENTRY_PACKED ? 0 : e->generation, &o))
			look_for_added(c, &o.value);
	}
}

static void
compare_all(struct comparison *c, size_t count)
{
	size_t i;

	for (i = 0; i < count && c->then->watch.err == PDF_OK && c->now->watch.err == PDF_OK; i++)
		compare_object(c, (int64_t)i);
	/* another catalog is another document */
	c->changes->foreign +=
	    number_of(c->then, &c->then->trailer, "Root") != number_of(c->now, &c->now->trailer, "Root");
	look_for_dangling(c);
}

pdf_err
pdf_compare(struct pdf *then, struct pdf *now, struct pdf_changes *changes)
{
	struct comparison c = {.then = then, .now = now, .changes = changes};
	size_t count = now->entry_count > then->entry_count ? now->entry_count : then->entry_count;
	struct object catalog;

	*changes = (struct pdf_changes){0};
	if (!form_catalog(then, &catalog))
		return then->watch.err;
	c.root = catalog.number;
	c.form = number_of(then, &catalog.value, "AcroForm");
	c.info = number_of(then, &then->trailer, "Info");
	c.added = calloc(1, PDF_OBJECTS_MAX / 8);
	if (c.added == NULL)
		return PDF_MEMORY;
	compare_all(&c, count);
	free(c.added);
	return then->watch.err != PDF_OK ? then->watch.err : now->watch.err;
}
