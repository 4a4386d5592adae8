/*
 * The data of a stream, unpacked: none or FlateDecode, with PNG and TIFF
 * predictors [ISO 32000-1, 7.3.8, 7.4.4]. That is what cross-reference and
 * object streams are packed with.
 *
 * Invariant: no more than PDF_STREAM_MAX bytes come out, and each is charged.
 */
#include <string.h>
#include <zlib.h>

#include "pdf/file.h"

enum { COLUMNS_MAX = 1 << 16, COLOURS_MAX = 32 };

struct packing {
	bool flate;
	int64_t predictor, colours, bits, columns;
};

/* Where it is a reference, that is to a plain object: an object stream must be readable without another [7.5.7]. */
static bool
stream_length(struct pdf *f, const struct value *dict, uint64_t *n)
{
	struct value v = value_entry(dict, &f->watch, "Length");
	const struct entry *e;
	struct object o;

	if (v.type == VALUE_REF) {
		e = xref_entry(f, v.number);
		if (e == NULL || e->type != ENTRY_PLAIN || !object_get(f, v.number, v.generation, &o))
			return fail(&f->watch, PDF_BAD_OBJECT);
		v = o.value;
	}
	if (v.type != VALUE_INT || v.number < 0)
		return fail(&f->watch, PDF_BAD_OBJECT);
	*n = (uint64_t)v.number;
	return true;
}

/* A name or an array with one; what stands behind it in `parameters` belongs to it. */
static bool
only_of(struct pdf *f, struct value *v)
{
	struct value second;
	struct lexer l;

	*v = object_resolve(f, *v, NULL);
	if (v->type != VALUE_ARRAY)
		return f->watch.err == PDF_OK;
	value_inside(v, &f->watch, &l);
	*v = lexer_value(&l);
	second = lexer_value(&l);
	if (second.type != VALUE_NONE)
		return fail(&f->watch, PDF_FILTER);
	*v = object_resolve(f, *v, NULL);
	return f->watch.err == PDF_OK;
}

static bool
parameter(struct pdf *f, const struct value *dict, const char *key, int64_t max, int64_t *n)
{
	struct value v = object_entry(f, dict, key);

	if (v.type == VALUE_NULL)
		return f->watch.err == PDF_OK;
	if (v.type != VALUE_INT || v.number < 1 || v.number > max)
		return fail(&f->watch, PDF_FILTER);
	*n = v.number;
	return true;
}

static bool
packing_read(struct pdf *f, const struct value *dict, struct packing *p)
{
	struct value filter = value_entry(dict, &f->watch, "Filter");
	struct value parameters = value_entry(dict, &f->watch, "DecodeParms");

	*p = (struct packing){.predictor = 1, .colours = 1, .bits = 8, .columns = 1};
	if (!only_of(f, &filter) || !only_of(f, &parameters))
		return false;
	if (filter.type == VALUE_NULL || filter.type == VALUE_NONE)
		return true;
	if (!value_is_name(&filter, "FlateDecode"))
		return fail(&f->watch, PDF_FILTER);
	p->flate = true;
	return parameter(f, &parameters, "Predictor", 15, &p->predictor) &&
	       parameter(f, &parameters, "Colors", COLOURS_MAX, &p->colours) &&
	       parameter(f, &parameters, "BitsPerComponent", 16, &p->bits) &&
	       parameter(f, &parameters, "Columns", COLUMNS_MAX, &p->columns);
}

/* --- inflate --- */

static bool
inflate_all(struct pdf *f, z_stream *z, struct buf *out)
{
	enum { PIECE = 64 * 1024 };
	uint8_t *room, spare;
	int got = Z_OK;

	while (got == Z_OK) {
		size_t left = out->max - out->len, n = left < PIECE ? left : PIECE;

		room = buf_room(out, n);
		if (room == NULL)
			return fail(&f->watch, PDF_MEMORY);
		/* full, and not told yet that this is the end: one byte more would be too many */
		z->next_out = left == 0 ? &spare : room;
		z->avail_out = left == 0 ? 1 : (uInt)n;
		got = inflate(z, Z_NO_FLUSH);
		if (left == 0 && z->avail_out == 0)
			return fail(&f->watch, PDF_LIMIT);
		n = left == 0 ? 0 : n - z->avail_out;
		out->len += n;
		if (!spend(&f->watch, n + 1))
			return false;
	}
	if (got == Z_MEM_ERROR)
		return fail(&f->watch, PDF_MEMORY);
	return got == Z_STREAM_END || fail(&f->watch, PDF_BAD_STREAM);
}

static bool
unpack(struct pdf *f, const uint8_t *p, size_t n, struct buf *out)
{
	z_stream z = {0};
	bool good;

	if (inflateInit(&z) != Z_OK)
		return fail(&f->watch, PDF_MEMORY);
	z.next_in = (z_const Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	good = inflate_all(f, &z, out);
	(void)inflateEnd(&z);
	return good;
}

/* --- predictors --- */

static uint8_t
paeth(int left, int up, int corner)
{
	int estimate = left + up - corner;
	int a = estimate < left ? left - estimate : estimate - left;
	int b = estimate < up ? up - estimate : estimate - up;
	int c = estimate < corner ? corner - estimate : estimate - corner;

	if (a <= b && a <= c)
		return (uint8_t)left;
	return (uint8_t)(b <= c ? up : corner);
}

/* One row [PNG, 9.2]; `above` is the row before, or NULL. */
static bool
png_row(uint8_t type, uint8_t *row, const uint8_t *above, size_t n, size_t pixel)
{
	size_t i;

	if (type > 4)
		return false;
	for (i = 0; i < n; i++) {
		int left = i < pixel ? 0 : row[i - pixel], up = above == NULL ? 0 : above[i];
		int corner = i < pixel || above == NULL ? 0 : above[i - pixel];

		if (type == 1)
			row[i] = (uint8_t)(row[i] + left);
		else if (type == 2)
			row[i] = (uint8_t)(row[i] + up);
		else if (type == 3)
			row[i] = (uint8_t)(row[i] + (left + up) / 2);
		else if (type == 4)
			row[i] = (uint8_t)(row[i] + paeth(left, up, corner));
	}
	return true;
}

/* Rows with a type byte in front, into rows without, in place. */
static bool
png_undo(struct buf *b, size_t row, size_t pixel)
{
	size_t from, to = 0, n;

	for (from = 0; from < b->len; from += row + 1) {
		uint8_t type = b->data[from];

		n = b->len - from - 1 < row ? b->len - from - 1 : row;
		memmove(b->data + to, b->data + from + 1, n);
		if (!png_row(type, b->data + to, to == 0 ? NULL : b->data + to - row, n, pixel))
			return false;
		to += n;
	}
	b->len = to;
	return true;
}

static void
tiff_undo(struct buf *b, size_t row, size_t colours)
{
	size_t at, i;

	for (at = 0; at < b->len; at += row) {
		for (i = colours; i < row && at + i < b->len; i++)
			b->data[at + i] = (uint8_t)(b->data[at + i] + b->data[at + i - colours]);
	}
}

static bool
predictor_undo(struct pdf *f, const struct packing *p, struct buf *b)
{
	size_t bits = (size_t)(p->colours * p->bits);
	size_t row = (bits * (size_t)p->columns + 7) / 8;

	if (p->predictor == 1)
		return true;
	if (p->predictor >= 10)
		return png_undo(b, row, bits < 8 ? 1 : bits / 8) || fail(&f->watch, PDF_BAD_STREAM);
	if (p->predictor != 2 || p->bits != 8)
		return fail(&f->watch, PDF_FILTER);
	tiff_undo(b, row, (size_t)p->colours);
	return true;
}

bool
stream_read(struct pdf *f, const struct object *o, struct buf *out)
{
	const uint8_t *end = f->bytes + f->size;
	struct packing p;
	struct lexer l;
	uint64_t n = 0;

	if (o->stream == NULL || !stream_length(f, &o->value, &n) || !packing_read(f, &o->value, &p))
		return fail(&f->watch, PDF_BAD_OBJECT);
	if (n > (uint64_t)(end - o->stream))
		return fail(&f->watch, PDF_BAD_OBJECT);
	lexer_init(&l, &f->watch, o->stream + n, end);
	if (!lexer_is_word(&l, "endstream"))
		return fail(&f->watch, PDF_BAD_OBJECT);
	if (!spend(&f->watch, n))
		return false;
	if (p.flate)
		return unpack(f, o->stream, (size_t)n, out) && predictor_undo(f, &p, out);
	if (n > out->max)
		return fail(&f->watch, PDF_LIMIT);
	buf_put(out, o->stream, (size_t)n);
	return !out->failed || fail(&f->watch, PDF_MEMORY);
}
