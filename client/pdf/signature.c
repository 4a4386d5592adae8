/*
 * The signatures that a file carries: their ranges, what they claim, and what
 * they permit afterwards [ISO 32000-1, 12.8; EN 319 142-1].
 *
 * Invariant: `whole` is said only where the bytes left out are exactly the
 * hexadecimal string of this dictionary's Contents, as it stands in the file,
 * and the range begins with the file: so nobody hides a word in the gap.
 */
#include <stdlib.h>
#include <string.h>

#include "pdf/signature.h"

enum { NUMBER_DIGITS_MAX = 6 };

/* "Signature12" is 12; 0: another name. */
static unsigned
name_number(const char *name)
{
	static const char stem[] = "Signature";
	const char *p = name + sizeof(stem) - 1;
	unsigned n = 0;

	if (strncmp(name, stem, sizeof(stem) - 1) != 0 || strlen(p) > NUMBER_DIGITS_MAX)
		return 0;
	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return 0;
		n = n * 10 + (unsigned)(*p - '0');
	}
	return n;
}

static void
speak_for(struct signatures *s, const char *name)
{
	unsigned n = name_number(name);

	if (n > s->highest)
		s->highest = n;
}

/* --- what is permitted afterwards --- */

/* A FieldMDP's parameters, or a Lock [12.7.4.5, 12.8.2.4]. */
static void
read_field_lock(struct signatures *s, struct pdf *f, const struct value *lock, struct pdf_signature *sig)
{
	struct value action = object_entry(f, lock, "Action"), fields, v;
	char name[PDF_TEXT_MAX + 1];
	struct lexer l;

	if (action.type == VALUE_NULL)
		return;
	if (!value_is_name(&action, "Include")) {
		sig->forbids_fields = true; /* all, or all but those that are named: not ours */
		return;
	}
	fields = object_entry(f, lock, "Fields");
	value_inside(&fields, &f->watch, &l);
	while ((v = lexer_value(&l)).type != VALUE_NONE) {
		v = object_resolve(f, v, NULL);
		value_text(&v, name, sizeof(name));
		speak_for(s, name);
	}
}

static void
read_reference(struct signatures *s, struct pdf *f, const struct value *reference, struct pdf_signature *sig)
{
	struct value method = object_entry(f, reference, "TransformMethod");
	struct value parameters = object_entry(f, reference, "TransformParams"), p;

	if (value_is_name(&method, "FieldMDP"))
		read_field_lock(s, f, &parameters, sig);
	if (!value_is_name(&method, "DocMDP"))
		return;
	p = object_entry(f, &parameters, "P");
	sig->certified = true;
	sig->forbids_change = sig->forbids_change || (p.type == VALUE_INT && p.number == 1);
}

static void
read_references(struct signatures *s, struct pdf *f, const struct value *dict, struct pdf_signature *sig)
{
	struct value list = object_entry(f, dict, "Reference"), v;
	struct lexer l;

	value_inside(&list, &f->watch, &l);
	while ((v = lexer_value(&l)).type != VALUE_NONE) {
		v = object_resolve(f, v, NULL);
		read_reference(s, f, &v, sig);
	}
}

static void
read_lock(struct signatures *s, struct pdf *f, const struct value *field, struct pdf_signature *sig)
{
	struct value lock = object_entry(f, field, "Lock"), p = object_entry(f, &lock, "P");

	read_field_lock(s, f, &lock, sig);
	sig->forbids_change = sig->forbids_change || (p.type == VALUE_INT && p.number == 1);
}

/* --- ranges --- */

static bool
read_range(struct pdf *f, const struct value *dict, uint64_t range[4])
{
	struct value v = value_entry(dict, &f->watch, "ByteRange"), element;
	struct lexer l;
	int i;

	if (v.type != VALUE_ARRAY)
		return false;
	value_inside(&v, &f->watch, &l);
	for (i = 0; i < 4; i++) {
		element = lexer_value(&l);
		if (element.type != VALUE_INT || element.number < 0 || element.number > PDF_FILE_MAX)
			return false;
		range[i] = (uint64_t)element.number;
	}
	return lexer_value(&l).type == VALUE_NONE;
}

static bool
any_digit(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] > '0')
			return true;
	}
	return false;
}

static void
read_contents(struct pdf *f, const struct object *o, struct pdf_signature *sig)
{
	struct value v = value_entry(&o->value, &f->watch, "Contents");
	uint64_t range[4];

	if (v.type == VALUE_HEX) {
		sig->contents = v.p + 1;
		sig->contents_size = v.n - 2;
		sig->filled = any_digit(sig->contents, sig->contents_size);
	}
	if (!read_range(f, &o->value, range))
		return;
	sig->hole = range[1];
	sig->hole_end = range[2];
	sig->end = range[2] + range[3];
	sig->whole = range[0] == 0 && o->plain && v.type == VALUE_HEX && sig->hole < sig->hole_end &&
		     range[3] > 0 && sig->end <= f->size && v.p == f->bytes + sig->hole &&
		     v.n == sig->hole_end - sig->hole;
}

/* --- one signature --- */

static void
read_text(struct pdf *f, const struct value *dict, const char *key, char *out)
{
	struct value v = object_entry(f, dict, key);

	value_text(&v, out, PDF_TEXT_MAX + 1);
}

static void
read_kind(struct pdf *f, const struct value *dict, struct pdf_signature *sig)
{
	struct value v = object_entry(f, dict, "SubFilter");
	size_t i;

	if (v.type != VALUE_NAME || v.n - 1 >= sizeof(sig->kind))
		return;
	for (i = 1; i < v.n; i++)
		sig->kind[i - 1] = (char)(v.p[i] > 0x20 && v.p[i] < 0x7f ? v.p[i] : '?');
}

static struct pdf_signature *
another(struct signatures *s, struct pdf *f)
{
	struct pdf_signature *list;

	if (s->count == PDF_SIGNATURES_MAX) {
		(void)fail(&f->watch, PDF_LIMIT);
		return NULL;
	}
	list = reallocarray(s->list, s->count + 1, sizeof(*list));
	if (list == NULL) {
		(void)fail(&f->watch, PDF_MEMORY);
		return NULL;
	}
	s->list = list;
	list[s->count] = (struct pdf_signature){0};
	return &list[s->count++];
}

static void
read_node(void *arg, struct pdf *f, const struct form_node *node)
{
	struct signatures *s = arg;
	struct pdf_signature *sig;
	struct value v, time;
	struct object o;

	if (node->top)
		speak_for(s, node->name);
	if (!node->is_signature)
		return;
	v = value_entry(&node->field, &f->watch, "V");
	if (v.type == VALUE_DICT)
		o = (struct object){.value = v}; /* signatures are objects of their own: this one is none */
	else
		v = object_resolve(f, v, &o);
	if (v.type != VALUE_DICT)
		return;
	sig = another(s, f);
	if (sig == NULL)
		return;
	memcpy(sig->field, node->name, sizeof(sig->field));
	read_contents(f, &o, sig);
	read_kind(f, &v, sig);
	read_text(f, &v, "Name", sig->name);
	read_text(f, &v, "Reason", sig->reason);
	read_text(f, &v, "Location", sig->location);
	time = object_entry(f, &v, "M");
	text_read_time(&time, sig->time);
	read_references(s, f, &v, sig);
	read_lock(s, f, &node->field, sig);
}

/* A certification is found by the catalog, whatever the form says [12.8.4]. */
static void
read_permissions(struct signatures *s, struct pdf *f)
{
	struct pdf_signature ignored = {0};
	struct value permissions, certification;
	struct object catalog;

	if (!form_catalog(f, &catalog))
		return;
	permissions = object_entry(f, &catalog.value, "Perms");
	certification = object_entry(f, &permissions, "DocMDP");
	read_references(s, f, &certification, &ignored);
	s->certified = ignored.forbids_change;
}

bool
signatures_read(struct pdf *f, struct signatures *s)
{
	*s = (struct signatures){0};
	if (form_walk(f, read_node, s))
		read_permissions(s, f);
	return f->watch.err == PDF_OK;
}

static int
compare_end(const void *a, const void *b)
{
	const struct pdf_signature *x = a, *y = b;

	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return strcmp(x->field, y->field);
}

pdf_err
pdf_signatures(struct pdf *f, struct pdf_signature **list, size_t *count)
{
	struct signatures s;

	if (!signatures_read(f, &s)) {
		free(s.list);
		return f->watch.err;
	}
	if (s.count > 0)
		qsort(s.list, s.count, sizeof(*s.list), compare_end);
	*list = s.list;
	*count = s.count;
	return PDF_OK;
}

static int
digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

pdf_err
pdf_signature_bytes(const struct pdf_signature *s, struct buf *out)
{
	int digit, high = -1;
	size_t i;

	if (s->contents == NULL)
		return PDF_BAD_OBJECT;
	if (s->contents_size / 2 > PDF_CONTENTS_MAX)
		return PDF_LIMIT;
	for (i = 0; i < s->contents_size; i++) {
		digit = digit_of(s->contents[i]);
		if (digit < 0) {
			if (strchr(" \t\r\n\f", s->contents[i]) == NULL)
				return PDF_BAD_OBJECT;
			continue;
		}
		if (high >= 0)
			buf_u8(out, (uint8_t)(high << 4 | digit));
		high = high >= 0 ? -1 : digit;
	}
	return out->failed ? PDF_MEMORY : high < 0 ? PDF_OK : PDF_BAD_OBJECT;
}
