/*
 * Indirect objects, where they stand in the file or packed in object streams
 * [ISO 32000-1, 7.3.10, 7.5.7].
 *
 * Invariant: an object is believed only where its own number stands in front of
 * it. Reading one never unpacks more than one object stream, and that needs no
 * other: so nothing here goes deeper than that.
 */
#include <stdlib.h>
#include <string.h>

#include "pdf/file.h"

/* Behind the word stream: CR LF or LF; some writers leave a CR alone [7.3.8.1]. */
static const uint8_t *
data_begin(const struct lexer *l)
{
	const uint8_t *p = l->p;

	if (p < l->end && *p == '\r')
		p++;
	if (p < l->end && *p == '\n')
		p++;
	return p;
}

bool
object_at(struct pdf *f, uint64_t at, struct object *o)
{
	int64_t number, generation;
	struct lexer l, behind;

	*o = (struct object){.plain = true};
	if (at >= f->size)
		return fail(&f->watch, PDF_BAD_OBJECT);
	lexer_init(&l, &f->watch, f->bytes + at, f->bytes + f->size);
	if (!lexer_int(&l, &number) || !lexer_int(&l, &generation) || !lexer_is_word(&l, "obj") ||
	    number >= PDF_OBJECTS_MAX || generation > 65535)
		return fail(&f->watch, PDF_BAD_OBJECT);
	o->number = (uint32_t)number;
	o->generation = (uint32_t)generation;
	o->value = lexer_value(&l);
	if (o->value.type == VALUE_WORD && value_is_word(&o->value, "endobj")) {
		o->value = (struct value){.type = VALUE_NULL};
		return true;
	}
	if (o->value.type == VALUE_NONE || o->value.type == VALUE_WORD)
		return fail(&f->watch, PDF_BAD_OBJECT);
	behind = l;
	if (o->value.type == VALUE_DICT && lexer_is_word(&behind, "stream"))
		o->stream = data_begin(&behind);
	return f->watch.err == PDF_OK;
}

/* --- object streams --- */

static bool
packed_keep(struct pdf *f, uint32_t number, int64_t count, int64_t first, const struct buf *b)
{
	struct packed *s;

	if (b->len > PDF_UNPACKED_MAX - f->unpacked)
		return fail(&f->watch, PDF_LIMIT);
	s = malloc(sizeof(*s) + b->len);
	if (s == NULL)
		return fail(&f->watch, PDF_MEMORY);
	s->next = f->packed;
	s->number = number;
	s->count = count;
	s->first = first;
	s->size = b->len;
	if (b->len > 0)
		memcpy(s->bytes, b->data, b->len);
	f->packed = s;
	f->unpacked += b->len;
	return true;
}

static bool
packed_read(struct pdf *f, uint32_t number)
{
	const struct entry *e = xref_entry(f, number);
	struct value type, count, first;
	struct object o;
	struct buf b;
	bool good;

	if (e == NULL || e->type != ENTRY_PLAIN || !object_at(f, e->at, &o) || o.number != number ||
	    o.stream == NULL)
		return fail(&f->watch, PDF_BAD_OBJECT);
	type = value_entry(&o.value, &f->watch, "Type");
	count = value_entry(&o.value, &f->watch, "N");
	first = value_entry(&o.value, &f->watch, "First");
	if (!value_is_name(&type, "ObjStm") || count.type != VALUE_INT || first.type != VALUE_INT ||
	    count.number < 0 || first.number < 0)
		return fail(&f->watch, PDF_BAD_OBJECT);
	buf_init(&b, PDF_STREAM_MAX);
	good = stream_read(f, &o, &b);
	if (good && (uint64_t)first.number > b.len)
		good = fail(&f->watch, PDF_BAD_OBJECT);
	good = good && packed_keep(f, number, count.number, first.number, &b);
	buf_done(&b);
	return good;
}

static const struct packed *
packed_get(struct pdf *f, uint32_t number)
{
	const struct packed *s;

	for (s = f->packed; s != NULL; s = s->next) {
		if (s->number == number)
			return s;
		if (!spend(&f->watch, 1))
			return NULL;
	}
	return packed_read(f, number) ? f->packed : NULL;
}

static bool
packed_object(struct pdf *f, uint32_t number, const struct entry *e, struct object *o)
{
	const struct packed *s = packed_get(f, e->at);
	int64_t n = 0, offset = 0, i;
	struct lexer l;

	if (s == NULL || (int64_t)e->generation >= s->count)
		return fail(&f->watch, PDF_BAD_OBJECT);
	lexer_init(&l, &f->watch, s->bytes, s->bytes + s->first);
	for (i = 0; i <= (int64_t)e->generation; i++) {
		if (!lexer_int(&l, &n) || !lexer_int(&l, &offset))
			return fail(&f->watch, PDF_BAD_OBJECT);
	}
	if (n != number || offset > (int64_t)s->size - s->first)
		return fail(&f->watch, PDF_BAD_OBJECT);
	lexer_init(&l, &f->watch, s->bytes + s->first + offset, s->bytes + s->size);
	*o = (struct object){.number = number, .value = lexer_value(&l)};
	if (o->value.type == VALUE_NONE || o->value.type == VALUE_WORD)
		return fail(&f->watch, PDF_BAD_OBJECT);
	return true;
}

bool
object_get(struct pdf *f, int64_t number, uint32_t generation, struct object *o)
{
	const struct entry *e = xref_entry(f, number);

	*o = (struct object){.value = {.type = VALUE_NULL}};
	if (f->watch.err != PDF_OK || e == NULL || !spend(&f->watch, 1))
		return false;
	if (e->type == ENTRY_PACKED)
		return generation == 0 && packed_object(f, (uint32_t)number, e, o);
	if (e->type != ENTRY_PLAIN || e->generation != generation)
		return false;
	if (!object_at(f, e->at, o))
		return false;
	return (o->number == number && o->generation == generation) || fail(&f->watch, PDF_BAD_OBJECT);
}

struct value
object_resolve(struct pdf *f, struct value v, struct object *last)
{
	struct object o = {0};
	int hops;

	if (last != NULL)
		*last = o;
	for (hops = 0; v.type == VALUE_REF; hops++) {
		if (hops == PDF_REFERENCE_HOPS_MAX) {
			(void)fail(&f->watch, PDF_LIMIT);
			return (struct value){.type = VALUE_NULL};
		}
		if (!object_get(f, v.number, v.generation, &o))
			return (struct value){.type = VALUE_NULL};
		v = o.value;
		if (last != NULL)
			*last = o;
	}
	return v;
}

struct value
object_entry(struct pdf *f, const struct value *dict, const char *key)
{
	return object_resolve(f, value_entry(dict, &f->watch, key), NULL);
}
