/*
 * The interactive form: a tree of fields below the catalog [ISO 32000-1, 12.7].
 *
 * Invariant: the walk keeps its own stack of PDF_FIELD_DEPTH_MAX levels and
 * visits PDF_FIELDS_MAX nodes, so that a tree that bites its tail ends, too.
 */
#include <string.h>

#include "pdf/file.h"

struct level {
	struct lexer kids;
	bool is_signature;
	size_t name_length;
};

struct walk {
	struct pdf *f;
	form_fn *fn;
	void *arg;
	struct level levels[PDF_FIELD_DEPTH_MAX];
	size_t depth, nodes;
	struct form_node node;
};

bool
form_catalog(struct pdf *f, struct object *catalog)
{
	struct value root = value_entry(&f->trailer, &f->watch, "Root");

	(void)object_resolve(f, root, catalog);
	if (catalog->value.type != VALUE_DICT)
		return fail(&f->watch, PDF_BAD_OBJECT);
	return f->watch.err == PDF_OK;
}

static bool
descend(struct walk *w, const struct value *kids, bool is_signature)
{
	struct level *l;

	if (w->depth == PDF_FIELD_DEPTH_MAX)
		return fail(&w->f->watch, PDF_LIMIT);
	l = &w->levels[w->depth++];
	value_inside(kids, &w->f->watch, &l->kids);
	l->is_signature = is_signature;
	l->name_length = strlen(w->node.name);
	return true;
}

/* The name so far, a point, its own; cut where there is no room. */
static void
name_node(struct walk *w, const struct level *above)
{
	struct value own = object_entry(w->f, &w->node.field, "T");
	size_t n = above->name_length;
	char *name = w->node.name;

	name[n] = '\0';
	if (own.type != VALUE_STRING && own.type != VALUE_HEX)
		return;
	if (n > 0 && n < PDF_TEXT_MAX)
		name[n++] = '.';
	value_text(&own, name + n, sizeof(w->node.name) - n);
}

static void
visit(struct walk *w, struct value v)
{
	const struct level *above = &w->levels[w->depth - 1];
	struct value type, kids;

	w->node.field = object_resolve(w->f, v, NULL);
	if (w->node.field.type != VALUE_DICT)
		return;
	if (w->nodes++ == PDF_FIELDS_MAX) {
		(void)fail(&w->f->watch, PDF_LIMIT);
		return;
	}
	name_node(w, above);
	type = object_entry(w->f, &w->node.field, "FT");
	w->node.top = w->depth == 1;
	w->node.is_signature = type.type == VALUE_NULL ? above->is_signature : value_is_name(&type, "Sig");
	w->fn(w->arg, w->f, &w->node);
	kids = object_entry(w->f, &w->node.field, "Kids");
	if (kids.type == VALUE_ARRAY)
		(void)descend(w, &kids, w->node.is_signature);
}

bool
form_walk(struct pdf *f, form_fn *fn, void *arg)
{
	struct walk w = {.f = f, .fn = fn, .arg = arg};
	struct value form, fields;
	struct object catalog;

	if (!form_catalog(f, &catalog))
		return false;
	form = object_entry(f, &catalog.value, "AcroForm");
	fields = object_entry(f, &form, "Fields");
	if (fields.type == VALUE_ARRAY)
		(void)descend(&w, &fields, false);
	while (w.depth > 0 && f->watch.err == PDF_OK) {
		struct value v = lexer_value(&w.levels[w.depth - 1].kids);

		if (v.type == VALUE_NONE)
			w.depth--;
		else
			visit(&w, v);
	}
	return f->watch.err == PDF_OK;
}
