/*
 * The first page: the leftmost leaf of the page tree [ISO 32000-1, 7.7.3].
 *
 * Invariant: a stack of PDF_PAGE_DEPTH_MAX levels, no call into itself; every
 * node that is looked at is charged.
 */
#include "pdf/file.h"

static bool
is_page(struct pdf *f, const struct value *node)
{
	struct value type = object_entry(f, node, "Type");

	return value_is_name(&type, "Page");
}

bool
page_first(struct pdf *f, struct object *page)
{
	struct lexer levels[PDF_PAGE_DEPTH_MAX];
	struct object catalog;
	struct value v, kids;
	size_t depth = 0;

	if (!form_catalog(f, &catalog))
		return false;
	v = value_entry(&catalog.value, &f->watch, "Pages");
	for (;;) {
		(void)object_resolve(f, v, page);
		/* only an object with a number can get another annotation */
		if (page->value.type == VALUE_DICT) {
			if (is_page(f, &page->value))
				return f->watch.err == PDF_OK;
			kids = object_entry(f, &page->value, "Kids");
			if (kids.type == VALUE_ARRAY) {
				if (depth == PDF_PAGE_DEPTH_MAX)
					return fail(&f->watch, PDF_LIMIT);
				value_inside(&kids, &f->watch, &levels[depth++]);
			}
		}
		while (depth > 0 && (v = lexer_value(&levels[depth - 1])).type == VALUE_NONE)
			depth--;
		if (depth == 0 || f->watch.err != PDF_OK)
			return fail(&f->watch, PDF_NO_PAGE);
	}
}
