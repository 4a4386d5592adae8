/*
 * signet_pdf against files that are put together here: each limit one below,
 * at, and one above; every kind of cross-reference; and what lies in wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "pdf/file.h"

#include "unit.h"

enum { MAKER_OBJECTS = 64 };

/* A file that grows object by object. */
struct maker {
	struct buf out;
	size_t at[MAKER_OBJECTS];
};

static void
maker_init(struct maker *m)
{
	memset(m, 0, sizeof(*m));
	buf_init(&m->out, SIZE_MAX / 4);
	buf_str(&m->out, "%PDF-1.7\n");
}

static void
put_object(struct maker *m, size_t number, const char *text)
{
	m->at[number] = m->out.len;
	buf_printf(&m->out, "%zu 0 obj\n", number);
	buf_str(&m->out, text);
	buf_str(&m->out, "\nendobj\n");
}

static void
put_page(struct maker *m)
{
	put_object(m, 1, "<< /Type /Catalog /Pages 2 0 R >>");
	put_object(m, 2, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
	put_object(m, 3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>");
}

static size_t
put_table(struct maker *m, const char *trailer, int64_t prev)
{
	size_t start = m->out.len, i;

	buf_str(&m->out, "xref\n");
	for (i = 1; i < MAKER_OBJECTS; i++) {
		if (m->at[i] > 0)
			buf_printf(&m->out, "%zu 1\n%010zu 00000 n \n", i, m->at[i]);
	}
	buf_printf(&m->out, "trailer\n<< /Size %d %s ", (int)MAKER_OBJECTS, trailer);
	if (prev >= 0)
		buf_printf(&m->out, "/Prev %lld ", (long long)prev);
	buf_str(&m->out, ">>\n");
	return start;
}

static void
put_end(struct maker *m, size_t start)
{
	buf_printf(&m->out, "startxref\n%zu\n%%%%EOF\n", start);
	assert_false(m->out.failed);
}

static void
finish(struct maker *m)
{
	put_end(m, put_table(m, "/Root 1 0 R", -1));
}

static pdf_err
open_bytes(const struct buf *b)
{
	struct pdf *f = NULL;
	pdf_err err = pdf_open(&f, b->data, b->len);

	pdf_close(f);
	return err;
}

static pdf_err
sign_bytes(const struct buf *b, const struct pdf_signing *how, struct pdf_draft *draft)
{
	static const struct pdf_signing plain = {.room = 32, .time = 1740000000};
	struct pdf_draft own = {0};
	struct pdf *f = NULL;
	pdf_err err = pdf_open(&f, b->data, b->len);

	if (err == PDF_OK)
		err = pdf_sign(f, how == NULL ? &plain : how, draft == NULL ? &own : draft);
	pdf_close(f);
	pdf_draft_done(&own);
	return err;
}

static pdf_err
sign_made(struct maker *m)
{
	pdf_err err = sign_bytes(&m->out, NULL, NULL);

	buf_done(&m->out);
	return err;
}

/* --- words for every error --- */

static void
every_error_has_a_word_and_a_sentence(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < PDF_ERR_COUNT; i++) {
		assert_true(strlen(pdf_strerror((pdf_err)i)) > 5);
		for (k = 0; k < i; k++)
			assert_string_not_equal(pdf_word((pdf_err)i), pdf_word((pdf_err)k));
	}
	assert_non_null(pdf_strerror(PDF_ERR_COUNT));
}

/* --- drafts --- */

static void
draft_is_the_file_and_a_signature(void **state)
{
	const struct pdf_signing how = {.room = 4,
	    .time = 1740817800,
	    .offset_minutes = 420,
	    .name = "A (b) \\",
	    .reason = "\xc4\x91\xe1\xbb\x93ng \xc3\xbd \xf0\x9f\x96\x8b",
	    .location = "x"};
	static const uint8_t cms[5] = {0x30, 0x02, 0x05, 0x00, 0x07};
	struct pdf_signature *list = NULL;
	struct pdf_draft d;
	struct pdf *f = NULL;
	struct maker m;
	struct buf der;
	size_t count;

	(void)state;
	maker_init(&m);
	put_page(&m);
	finish(&m);
	assert_int_equal(sign_bytes(&m.out, &how, &d), PDF_OK);
	assert_memory_equal(d.bytes.data, m.out.data, m.out.len);
	assert_string_equal(d.field, "Signature1");
	assert_int_equal(pdf_draft_fill(&d, cms, 5), PDF_NO_ROOM);
	assert_int_equal(d.bytes.data[d.hole + 1], '0');
	assert_int_equal(pdf_draft_fill(&d, cms, 4), PDF_OK);

	assert_int_equal(pdf_open(&f, d.bytes.data, d.bytes.len), PDF_OK);
	assert_int_equal(pdf_signatures(f, &list, &count), PDF_OK);
	assert_int_equal(count, 1);
	assert_true(list[0].whole && list[0].filled);
	assert_int_equal(list[0].end, d.bytes.len);
	assert_int_equal(list[0].hole, d.hole);
	assert_int_equal(list[0].hole_end, d.hole_end);
	assert_string_equal(list[0].kind, "ETSI.CAdES.detached");
	assert_string_equal(list[0].time, "2025-03-01T08:30:00Z");
	assert_string_equal(list[0].name, how.name);
	assert_string_equal(list[0].reason, how.reason);
	assert_string_equal(list[0].location, how.location);
	buf_init(&der, PDF_CONTENTS_MAX);
	assert_int_equal(pdf_signature_bytes(&list[0], &der), PDF_OK);
	assert_int_equal(der.len, 4);
	assert_memory_equal(der.data, cms, 4);
	buf_done(&der);
	free(list);
	pdf_close(f);
	pdf_draft_done(&d);
	buf_done(&m.out);
}

static void
texts_and_room_have_bounds(void **state)
{
	char text[PDF_TEXT_MAX + 2];
	struct pdf_signing how = {.room = 1, .time = 1740000000, .reason = text};
	struct maker m;
	size_t n;

	(void)state;
	maker_init(&m);
	put_page(&m);
	finish(&m);
	for (n = PDF_TEXT_MAX - 1; n <= PDF_TEXT_MAX + 1; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		assert_int_equal(sign_bytes(&m.out, &how, NULL), n <= PDF_TEXT_MAX ? PDF_OK : PDF_TEXT);
	}
	how.reason = "\xff";
	assert_int_equal(sign_bytes(&m.out, &how, NULL), PDF_TEXT);
	how.reason = "a\nb";
	assert_int_equal(sign_bytes(&m.out, &how, NULL), PDF_TEXT);
	how.reason = "\xed\xa0\x80"; /* half of a pair */
	assert_int_equal(sign_bytes(&m.out, &how, NULL), PDF_TEXT);
	how.reason = NULL;
	how.room = 0;
	assert_int_equal(sign_bytes(&m.out, &how, NULL), PDF_TEXT);
	for (n = PDF_CONTENTS_MAX - 1; n <= PDF_CONTENTS_MAX + 1; n++) {
		how.room = n;
		assert_int_equal(sign_bytes(&m.out, &how, NULL), n <= PDF_CONTENTS_MAX ? PDF_OK : PDF_TEXT);
	}
	how.room = 1;
	for (how.offset_minutes = -1440; how.offset_minutes <= 1440; how.offset_minutes++)
		assert_int_equal(sign_bytes(&m.out, &how, NULL),
		    how.offset_minutes > -1440 && how.offset_minutes < 1440 ? PDF_OK : PDF_TEXT);
	buf_done(&m.out);
}

/* --- limits --- */

static void
file_size_has_a_limit(void **state)
{
	struct maker m;
	uint8_t *room;
	size_t size;

	(void)state;
	maker_init(&m);
	put_page(&m);
	finish(&m);
	/* pages that nobody touches cost nothing; the file's end is its end */
	room = mmap(NULL, (size_t)PDF_FILE_MAX + 1, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(room != MAP_FAILED);
	for (size = (size_t)PDF_FILE_MAX - 1; size <= (size_t)PDF_FILE_MAX + 1; size++) {
		struct buf b = {.data = room, .len = size};

		memcpy(room, m.out.data, m.out.len);
		memcpy(room + size - 64, m.out.data + m.out.len - 64, 64);
		assert_int_equal(open_bytes(&b), size <= (size_t)PDF_FILE_MAX ? PDF_OK : PDF_TOO_LARGE);
	}
	assert_int_equal(munmap(room, (size_t)PDF_FILE_MAX + 1), 0);
	buf_done(&m.out);
}

static pdf_err
open_with_number(unsigned long first, bool packed)
{
	struct maker m;
	size_t start;
	pdf_err err;

	maker_init(&m);
	put_page(&m);
	start = m.out.len;
	if (packed) {
		buf_printf(&m.out,
		    "9 0 obj\n<< /Type /XRef /Size 4 /W [1 1 0] /Index [%lu 1] /Length 2 "
		    ">>\nstream\n\1\11\nendstream\n",
		    first);
	} else {
		buf_printf(&m.out, "xref\n%lu 1\n0000000009 00000 n \ntrailer << /Size 4 >>\n", first);
	}
	put_end(&m, start);
	err = open_bytes(&m.out);
	buf_done(&m.out);
	return err;
}

static void
object_numbers_have_a_limit(void **state)
{
	(void)state;
	for (int packed = 0; packed < 2; packed++) {
		assert_int_equal(open_with_number(PDF_OBJECTS_MAX - 2, packed), PDF_OK);
		assert_int_equal(open_with_number(PDF_OBJECTS_MAX - 1, packed), PDF_OK);
		assert_int_equal(open_with_number(PDF_OBJECTS_MAX, packed), PDF_LIMIT);
	}
}

static void
sections_have_a_limit(void **state)
{
	(void)state;
	for (int n = PDF_SECTIONS_MAX - 1; n <= PDF_SECTIONS_MAX + 1; n++) {
		struct maker m;
		int64_t prev = -1;

		maker_init(&m);
		put_page(&m);
		for (int i = 0; i < n; i++)
			prev = (int64_t)put_table(&m, "/Root 1 0 R", prev);
		put_end(&m, (size_t)prev);
		assert_int_equal(open_bytes(&m.out), n <= PDF_SECTIONS_MAX ? PDF_OK : PDF_LIMIT);
		buf_done(&m.out);
	}
}

static void
chain_that_bites_its_tail_is_refused(void **state)
{
	struct maker m;
	size_t start;

	(void)state;
	maker_init(&m);
	put_page(&m);
	start = m.out.len;
	assert_int_equal(put_table(&m, "/Root 1 0 R", (int64_t)start), start);
	put_end(&m, start);
	assert_int_equal(open_bytes(&m.out), PDF_BAD_XREF);
	buf_done(&m.out);
}

/* Is the catalog's entry read, that has arrays and dictionaries so deep in each other? */
static pdf_err
sign_nested(int depth, const char *open, const char *close)
{
	struct maker m;
	struct buf text;
	int i;

	buf_init(&text, 4096);
	buf_str(&text, "<< /Type /Catalog /Pages 2 0 R /X ");
	for (i = 1; i < depth; i++)
		buf_str(&text, open);
	for (i = 1; i < depth; i++)
		buf_str(&text, close);
	buf_str(&text, " >>");
	buf_chr(&text, '\0');
	maker_init(&m);
	put_page(&m);
	put_object(&m, 1, (const char *)text.data);
	buf_done(&text);
	finish(&m);
	return sign_made(&m);
}

static void
nesting_has_a_limit(void **state)
{
	(void)state;
	for (int n = PDF_NESTING_MAX - 1; n <= PDF_NESTING_MAX + 1; n++) {
		assert_int_equal(sign_nested(n, "[", "]"), n <= PDF_NESTING_MAX ? PDF_OK : PDF_LIMIT);
		assert_int_equal(sign_nested(n, "<</a", ">>"), n <= PDF_NESTING_MAX ? PDF_OK : PDF_LIMIT);
	}
	assert_int_equal(sign_nested(2, "[", ">>"), PDF_BAD_OBJECT);
	assert_int_equal(sign_nested(2, "[", ""), PDF_BAD_OBJECT);
	assert_int_equal(sign_nested(2, "", ")"), PDF_BAD_OBJECT);
}

static void
references_have_a_limit(void **state)
{
	(void)state;
	/* the form behind a chain of n references, the one in the catalog included */
	for (int n = PDF_REFERENCE_HOPS_MAX - 1; n <= PDF_REFERENCE_HOPS_MAX + 1; n++) {
		struct maker m;
		char text[64];

		maker_init(&m);
		put_page(&m);
		put_object(&m, 1, "<< /Type /Catalog /Pages 2 0 R /AcroForm 10 0 R >>");
		for (int i = 0; i < n - 1; i++) {
			(void)snprintf(text, sizeof(text), "%d 0 R", 11 + i);
			put_object(&m, (size_t)(10 + i), text);
		}
		put_object(&m, (size_t)(9 + n), "<< /Fields [] >>");
		finish(&m);
		assert_int_equal(sign_made(&m), n <= PDF_REFERENCE_HOPS_MAX ? PDF_OK : PDF_LIMIT);
	}
}

static void
page_tree_has_a_limit(void **state)
{
	(void)state;
	for (int n = PDF_PAGE_DEPTH_MAX - 1; n <= PDF_PAGE_DEPTH_MAX + 1; n++) {
		struct maker m;
		char text[64];

		maker_init(&m);
		put_page(&m);
		put_object(&m, 2, "<< /Kids [10 0 R] >>");
		for (int i = 0; i < n - 1; i++) {
			(void)snprintf(
			    text, sizeof(text), "<< /Kids [null %d 0 R] >>", i == n - 2 ? 3 : 11 + i);
			put_object(&m, (size_t)(10 + i), text);
		}
		finish(&m);
		assert_int_equal(sign_made(&m), n <= PDF_PAGE_DEPTH_MAX ? PDF_OK : PDF_LIMIT);
	}
}

static void
first_page_may_come_behind_empty_branches(void **state)
{
	struct maker m;

	(void)state;
	maker_init(&m);
	put_page(&m);
	put_object(&m, 2, "<< /Type /Pages /Kids [10 0 R 99 0 R 11 0 R 3 0 R] /Count 1 >>");
	put_object(&m, 10, "<< /Type /Pages /Kids [] /Count 0 >>");
	put_object(&m, 11, "<< /Type /Pages /Kids [10 0 R 10 0 R] /Count 0 >>");
	finish(&m);
	assert_int_equal(sign_made(&m), PDF_OK);
}

/* A form whose fields are this. */
static pdf_err
sign_with_fields(const char *fields, const char *ten, const char *eleven)
{
	struct maker m;
	struct buf text;

	buf_init(&text, 64 << 20);
	buf_printf(&text, "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>", fields);
	buf_chr(&text, '\0');
	maker_init(&m);
	put_page(&m);
	put_object(&m, 1, (const char *)text.data);
	buf_done(&text);
	put_object(&m, 10, ten);
	put_object(&m, 11, eleven);
	finish(&m);
	return sign_made(&m);
}

static void
field_tree_has_a_depth(void **state)
{
	(void)state;
	for (int n = PDF_FIELD_DEPTH_MAX - 1; n <= PDF_FIELD_DEPTH_MAX + 1; n++) {
		struct maker m;
		char text[64];

		maker_init(&m);
		put_page(&m);
		put_object(&m, 1, "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [10 0 R] >> >>");
		for (int i = 0; i < n - 1; i++) {
			(void)snprintf(
			    text, sizeof(text), "<< /T (abcdefghijklmnopqrst) /Kids [%d 0 R] >>", 11 + i);
			put_object(&m, (size_t)(10 + i), text);
		}
		put_object(&m, (size_t)(9 + n), "<< /T (leaf) >>");
		finish(&m);
		assert_int_equal(sign_made(&m), n <= PDF_FIELD_DEPTH_MAX ? PDF_OK : PDF_LIMIT);
	}
	assert_int_equal(sign_with_fields("10 0 R", "<< /Kids [10 0 R] >>", "null"), PDF_LIMIT);
}

static char *
repeated(const char *text, size_t n)
{
	size_t size = strlen(text), i;
	char *all = malloc(size * n + 1);

	assert_non_null(all);
	for (i = 0; i < n; i++)
		memcpy(all + i * size, text, size);
	all[size * n] = '\0';
	return all;
}

static void
fields_have_a_number(void **state)
{
	(void)state;
	/* the new field is one of those that are found again */
	for (size_t n = PDF_FIELDS_MAX - 2; n <= PDF_FIELDS_MAX; n++) {
		char *fields = repeated("<<>>", n);

		assert_int_equal(
		    sign_with_fields(fields, "null", "null"), n < PDF_FIELDS_MAX ? PDF_OK : PDF_LIMIT);
		free(fields);
	}
}

static void
signatures_have_a_number(void **state)
{
	(void)state;
	for (size_t n = PDF_SIGNATURES_MAX - 2; n <= PDF_SIGNATURES_MAX; n++) {
		char *fields = repeated("10 0 R ", n);

		assert_int_equal(sign_with_fields(fields, "<< /FT /Sig /T (a) /V 11 0 R >>",
				     "<< /Contents <30> /ByteRange [0 1 2 3] >>"),
		    n < PDF_SIGNATURES_MAX ? PDF_OK : PDF_LIMIT);
		free(fields);
	}
}

/* A cross-reference stream of n bytes of zeroes, packed, for objects that are not. */
static pdf_err
open_unpacked(size_t n)
{
	uLongf packed_size = compressBound(n);
	uint8_t *zeroes = calloc(1, n), *packed = malloc(packed_size);
	struct maker m;
	size_t start;
	pdf_err err;

	assert_non_null(zeroes);
	assert_non_null(packed);
	assert_int_equal(compress(packed, &packed_size, zeroes, n), Z_OK);
	maker_init(&m);
	start = m.out.len;
	buf_printf(&m.out,
	    "9 0 obj\n<< /Type /XRef /Size 4 /W [8 8 8] /Index [] /Filter /FlateDecode /Length %lu "
	    ">>\nstream\n",
	    (unsigned long)packed_size);
	buf_put(&m.out, packed, packed_size);
	buf_str(&m.out, "\nendstream\nendobj\n");
	/* what is unpacked is work: the file is long enough for it */
	for (size_t i = 0; i < 20000; i++)
		buf_str(&m.out, "% more to read, which is skipped by everyone who reads this file\n");
	put_end(&m, start);
	err = open_bytes(&m.out);
	buf_done(&m.out);
	free(packed);
	free(zeroes);
	return err;
}

static void
unpacked_streams_have_a_size(void **state)
{
	(void)state;
	for (size_t n = PDF_STREAM_MAX - 1; n <= PDF_STREAM_MAX + 1; n++)
		assert_int_equal(open_unpacked(n), n <= PDF_STREAM_MAX ? PDF_OK : PDF_LIMIT);
}

/* An object stream of n bytes, packed, that holds one field: object `number`. */
static void
put_packed(struct maker *m, size_t stream, size_t number, size_t n)
{
	uLongf packed_size = compressBound(n);
	uint8_t *plain = malloc(n), *packed = malloc(packed_size);

	assert_non_null(plain);
	assert_non_null(packed);
	memset(plain, ' ', n);
	assert_true(number >= 10 && number < 100 && n >= 6);
	memcpy(plain, "00 0 1", 6); /* the field is a number: no dictionary, and so passed over */
	plain[0] = (uint8_t)('0' + number / 10);
	plain[1] = (uint8_t)('0' + number % 10);
	assert_int_equal(compress2(packed, &packed_size, plain, n, 1), Z_OK);
	m->at[stream] = m->out.len;
	buf_printf(&m->out,
	    "%zu 0 obj\n<< /Type /ObjStm /N 1 /First 5 /Filter /FlateDecode /Length %lu >>\nstream\n", stream,
	    (unsigned long)packed_size);
	buf_put(&m->out, packed, packed_size);
	buf_str(&m->out, "\nendstream\nendobj\n");
	free(packed);
	free(plain);
}

static void
put_row(struct buf *out, uint8_t type, size_t at)
{
	buf_u8(out, type);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_u8(out, (uint8_t)(at >> shift));
	buf_u8(out, 0);
}

/* Five fields in five object streams of these sizes. */
static pdf_err
list_with_packed(const size_t size[5])
{
	struct pdf_signature *list = NULL;
	struct pdf *f = NULL;
	struct maker m;
	size_t start, count, i;
	pdf_err err;

	maker_init(&m);
	put_page(&m);
	put_object(&m, 1,
	    "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [10 0 R 11 0 R 12 0 R 13 0 R 14 0 R] >> >>");
	for (i = 0; i < 5; i++)
		put_packed(&m, 20 + i, 10 + i, size[i]);
	/* long enough for the work that unpacking is */
	while (m.out.len < 2 * (size_t)PDF_UNPACKED_MAX / PDF_WORK_PER_BYTE)
		buf_str(&m.out, "% a line that nobody reads, one of very many of its kind in this file\n");
	start = m.out.len;
	buf_str(&m.out, "30 0 obj\n<< /Type /XRef /Size 31 /Root 1 0 R /W [1 4 1] /Index [1 3 10 5 20 5] "
			"/Length 78 >>\nstream\n");
	for (i = 1; i <= 3; i++)
		put_row(&m.out, 1, m.at[i]);
	for (i = 0; i < 5; i++)
		put_row(&m.out, 2, 20 + i);
	for (i = 0; i < 5; i++)
		put_row(&m.out, 1, m.at[20 + i]);
	buf_str(&m.out, "\nendstream\nendobj\n");
	put_end(&m, start);
	assert_int_equal(pdf_open(&f, m.out.data, m.out.len), PDF_OK);
	err = pdf_signatures(f, &list, &count);
	assert_true(err != PDF_OK || count == 0);
	free(err == PDF_OK ? list : NULL);
	pdf_close(f);
	buf_done(&m.out);
	return err;
}

static void
unpacked_streams_have_a_size_together(void **state)
{
	enum { LAST = 8 };
	size_t size[5] = {PDF_STREAM_MAX, PDF_STREAM_MAX, PDF_STREAM_MAX, 0, LAST};

	(void)state;
	_Static_assert(PDF_UNPACKED_MAX == 4 * PDF_STREAM_MAX, "four full ones fill it");
	for (size_t n = PDF_UNPACKED_MAX - 1; n <= PDF_UNPACKED_MAX + 1; n++) {
		size[3] = n - 3 * (size_t)PDF_STREAM_MAX - LAST;
		assert_int_equal(list_with_packed(size), n <= PDF_UNPACKED_MAX ? PDF_OK : PDF_LIMIT);
	}
}

static void
widths_of_rows_have_a_limit(void **state)
{
	(void)state;
	for (int width = 7; width <= 9; width++) {
		struct maker m;
		size_t start;

		maker_init(&m);
		start = m.out.len;
		buf_printf(&m.out,
		    "9 0 obj\n<< /Type /XRef /Size 0 /W [1 %d 0] /Length 0 >>\nstream\n\nendstream\n", width);
		put_end(&m, start);
		assert_int_equal(open_bytes(&m.out), width <= 8 ? PDF_OK : PDF_BAD_XREF);
		buf_done(&m.out);
	}
}

static void
work_is_bounded(void **state)
{
	struct watch w = {.work = 10};

	(void)state;
	assert_true(spend(&w, 9));
	assert_true(spend(&w, 1));
	assert_false(spend(&w, 1));
	assert_int_equal(w.err, PDF_LIMIT);
	/* a budget of so many bytes reads a value of so many, and none of one more */
	for (uint64_t n = 6; n <= 8; n++) {
		struct lexer l;

		w = (struct watch){.work = n};
		lexer_init(&l, &w, (const uint8_t *)"(abcde)", (const uint8_t *)"(abcde)" + 7);
		assert_int_equal(lexer_value(&l).type, n >= 7 ? VALUE_STRING : VALUE_NONE);
		assert_int_equal(w.err, n >= 7 ? PDF_OK : PDF_LIMIT);
	}
	/* what a file gets grows with it, to a limit */
	for (size_t n = 0; n < 2; n++) {
		struct pdf *f = NULL;
		struct maker m;
		size_t start;

		maker_init(&m);
		put_page(&m);
		while (m.out.len < n * (PDF_WORK_MAX / PDF_WORK_PER_BYTE))
			buf_str(&m.out,
			    "% a line that nobody reads, one of very many of its kind in this file\n");
		start = put_table(&m, "/Root 1 0 R", -1);
		put_end(&m, start);
		assert_int_equal(pdf_open(&f, m.out.data, m.out.len), PDF_OK);
		assert_true(f->watch.work <= PDF_WORK_MAX);
		assert_true(f->watch.work > (n == 0 ? PDF_WORK_BASE : PDF_WORK_MAX - PDF_WORK_BASE));
		assert_true(n > 0 || f->watch.work < PDF_WORK_BASE + PDF_WORK_PER_BYTE * m.out.len);
		pdf_close(f);
		buf_done(&m.out);
	}
	/* the same small page, asked for so often that it would take minutes */
	w = (struct watch){0};
	assert_int_equal(
	    sign_with_fields("10 0 R", "<< /Kids [10 0 R 10 0 R 10 0 R 10 0 R] >>", "null"), PDF_LIMIT);
}

/* --- what is signed --- */

/* How one signature dictionary is seen, of which Contents begins at `hole` when %zu is filled in. */
static struct pdf_signature
seen(const char *range_format, size_t shift_hole, size_t shift_end)
{
	struct pdf_signature *list = NULL, s;
	char text[256], range[96];
	struct pdf *f = NULL;
	struct maker m;
	size_t count, hole, hole_end, end = 0;
	int pass;

	for (pass = 0; pass < 3; pass++) {
		maker_init(&m);
		put_page(&m);
		put_object(&m, 1, "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [10 0 R] >> >>");
		put_object(&m, 10, "<< /FT /Sig /T (a) /V 11 0 R >>");
		hole = m.out.len + strlen("11 0 obj\n<< /Contents ") + shift_hole;
		hole_end = hole + 6 - shift_hole + shift_end;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(range, sizeof(range), range_format, hole, hole_end, end - hole_end);
#pragma GCC diagnostic pop
		(void)snprintf(text, sizeof(text), "<< /Contents <3001> /ByteRange %-40s >>", range);
		put_object(&m, 11, text);
		finish(&m);
		end = m.out.len;
		if (pass < 2)
			buf_done(&m.out);
	}
	assert_int_equal(pdf_open(&f, m.out.data, m.out.len), PDF_OK);
	assert_int_equal(pdf_signatures(f, &list, &count), PDF_OK);
	assert_int_equal(count, 1);
	s = list[0];
	s.contents = NULL;
	free(list);
	pdf_close(f);
	buf_done(&m.out);
	return s;
}

static void
only_the_signature_itself_may_be_left_out(void **state)
{
	static const char *const not_ranges[] = {"[1 %zu %zu %zu]", "[0 %zu %zu %zu 1]", "[0 %zu %zu]",
	    "null", "[0 %zu %zu %zu.0]", "[0 %zu %zu -%zu]", "[0 %zu 12 0 R %zu]", "[0 %zu %zu 1%zu]"};
	size_t i;

	(void)state;
	assert_true(seen("[0 %zu %zu %zu]", 0, 0).whole);
	assert_false(seen("[0 %zu %zu %zu]", 1, 0).whole); /* the bracket is signed */
	assert_false(seen("[0 %zu %zu %zu]", 0, 1).whole); /* one byte behind it is not */
	assert_false(seen("[0 %zu %zu %zu]", 1, 1).whole);
	for (i = 0; i < array_len(not_ranges); i++)
		assert_false(seen(not_ranges[i], 0, 0).whole);
}

/* --- syntax --- */

static struct value
value_of(const char *text, pdf_err *err)
{
	struct watch w = {.work = 1000};
	struct lexer l;
	struct value v;

	lexer_init(&l, &w, (const uint8_t *)text, (const uint8_t *)text + strlen(text));
	v = lexer_value(&l);
	*err = w.err;
	return v;
}

static void
values_are_what_they_look_like(void **state)
{
	static const struct {
		const char *text;
		enum value_type type;
		int64_t number;
	} cases[] = {{"12", VALUE_INT, 12}, {"-3 ", VALUE_INT, -3}, {"+3]", VALUE_INT, 3},
	    {"1.5", VALUE_REAL, 1}, {".5", VALUE_REAL, 0}, {"12 0 R", VALUE_REF, 12},
	    {"12 0 Rx", VALUE_INT, 12}, {"12 65536 R", VALUE_INT, 12}, {"-12 0 R", VALUE_INT, -12},
	    {"12 0", VALUE_INT, 12}, {"1e5", VALUE_WORD, 0}, {"1-2", VALUE_WORD, 0},
	    {"99999999999999999999", VALUE_REAL, 0}, {"true", VALUE_BOOL, 0}, {"null", VALUE_NULL, 0},
	    {"%x\n/a", VALUE_NAME, 0}, {"/", VALUE_NAME, 0}, {"(a(b)\\)c)", VALUE_STRING, 0},
	    {"<61 6>", VALUE_HEX, 0}, {"[1 2 (]) <</a[]>>]", VALUE_ARRAY, 0}, {"<</a>>", VALUE_DICT, 0},
	    {"", VALUE_NONE, 0}};
	pdf_err err;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(cases); i++) {
		struct value v = value_of(cases[i].text, &err);

		assert_int_equal(v.type, cases[i].type);
		assert_int_equal(err, PDF_OK);
		if (v.type == VALUE_INT || v.type == VALUE_REF)
			assert_int_equal(v.number, cases[i].number);
	}
}

static void
what_is_no_value_is_an_error(void **state)
{
	static const char *const texts[] = {
	    "(a", "(a\\)", "<6", "]", ">>", ">", ")", "{", "[1", "<</a 1", "[>>", "<<]"};
	pdf_err err;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(texts); i++) {
		assert_int_equal(value_of(texts[i], &err).type, VALUE_NONE);
		assert_int_equal(err, PDF_BAD_OBJECT);
	}
}

static void
strings_become_text(void **state)
{
	static const struct {
		const char *written, *text;
	} cases[] = {{"(a\\(b\\)\\\\)", "a(b)\\"}, {"(\\101\\7)", "A\xef\xbf\xbd"}, {"(a\\\nb)", "ab"},
	    {"<414>", "A@"}, {"<FEFF0041D83DDD8B>", "A\xf0\x9f\x96\x8b"},
	    {"<FEFFD83D0041>", "\xef\xbf\xbd"
			       "A"},
	    {"(\\376\\377\\000A)", "A"}, {"(\xe9)", "\xc3\xa9"}, {"/Name", ""}, {"()", ""}, {"<>", ""},
	    {"<FEFF00>", ""}};
	char out[32];
	pdf_err err;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(cases); i++) {
		struct value v = value_of(cases[i].written, &err);

		value_text(&v, out, sizeof(out));
		assert_string_equal(out, cases[i].text);
	}
	/* cut at a character */
	for (i = 1; i <= 4; i++) {
		struct value v = value_of("<FEFF1EBF0041>", &err);

		value_text(&v, out, i);
		assert_string_equal(out, i < 4 ? "" : "\xe1\xba\xbf");
	}
}

static void
names_are_what_they_mean(void **state)
{
	struct value a, b;
	pdf_err err;

	(void)state;
	a = value_of("/S#69g", &err);
	assert_true(value_is_name(&a, "Sig"));
	assert_false(value_is_name(&a, "Sigx"));
	assert_false(value_is_name(&a, "Si"));
	b = value_of("/Sig", &err);
	assert_true(value_same_name(&a, &b));
	b = value_of("/Si", &err);
	assert_false(value_same_name(&a, &b));
	b = value_of("(Sig)", &err);
	assert_false(value_is_name(&b, "Sig"));
	b = value_of("/a#0", &err);
	assert_true(value_is_name(&b, "a#0"));
	b = value_of("/", &err);
	assert_true(value_is_name(&b, ""));
}

static void
spacing_makes_no_difference(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {{"<< /A [0 1 2 R]/B(x) >>", "<</A [ 0 1  2 R ] /#42 (x)>>", true},
	    {"[1 2]", "[12]", false}, {"[1 2]", "[1 2 3]", false}, {"[1 2 3]", "[1 2]", false},
	    {"<</A 1>>", "<</A 2>>", false}, {"[(a b)]", "[(a  b)]", false}, {"[[1] 2]", "[[1 2]]", false},
	    {"1", "1 0 R", false}, {"/A", "/B", false}, {"12 0 R", "12  0 R", true}};
	pdf_err err;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(cases); i++) {
		struct value a = value_of(cases[i].a, &err), b = value_of(cases[i].b, &err);
		struct watch w = {.work = 1000};

		assert_int_equal(value_same(&a, &b, &w), cases[i].same);
		assert_int_equal(value_same(&b, &a, &w), cases[i].same);
		assert_int_equal(w.err, PDF_OK);
	}
}

static void
one_key_twice_is_refused(void **state)
{
	struct watch w = {.work = 1000};
	struct value d, v;
	pdf_err err;

	(void)state;
	d = value_of("<< /a 1 /b 2 /#61 3 >>", &err);
	v = value_entry(&d, &w, "b");
	assert_int_equal(v.number, 2);
	assert_int_equal(value_entry(&d, &w, "c").type, VALUE_NULL);
	assert_int_equal(w.err, PDF_OK);
	assert_int_equal(value_entry(&d, &w, "a").type, VALUE_NULL);
	assert_int_equal(w.err, PDF_BAD_OBJECT);
}

static void
times_are_read(void **state)
{
	static const struct {
		const char *written, *time;
	} cases[] = {{"(D:20250301153000+07'00')", "2025-03-01T08:30:00Z"},
	    {"(D:20250301153000Z)", "2025-03-01T15:30:00Z"}, {"(D:20250301)", "2025-03-01T00:00:00Z"},
	    {"(20250301153000-0130)", "2025-03-01T17:00:00Z"}, {"(D:2025)", "2025-01-01T00:00:00Z"},
	    {"(yesterday)", ""}, {"()", ""}, {"/x", ""}};
	char out[24];
	pdf_err err;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(cases); i++) {
		struct value v = value_of(cases[i].written, &err);

		text_read_time(&v, out);
		assert_string_equal(out, cases[i].time);
	}
}

/* --- streams --- */

/* What comes out of one stream with these entries. */
static pdf_err
unpack(const char *entries, const uint8_t *data, size_t n, struct buf *out)
{
	struct object o;
	struct maker m;
	struct pdf *f = NULL;
	size_t start;
	pdf_err err;

	maker_init(&m);
	put_page(&m);
	m.at[10] = m.out.len;
	buf_printf(&m.out, "10 0 obj\n<< %s /Length %zu >>\nstream\r\n", entries, n);
	buf_put(&m.out, data, n);
	buf_str(&m.out, "\nendstream\nendobj\n");
	start = put_table(&m, "/Root 1 0 R", -1);
	put_end(&m, start);
	assert_int_equal(pdf_open(&f, m.out.data, m.out.len), PDF_OK);
	buf_init(out, PDF_STREAM_MAX);
	assert_true(object_get(f, 10, 0, &o));
	(void)stream_read(f, &o, out);
	err = f->watch.err;
	pdf_close(f);
	buf_done(&m.out);
	return err;
}

static void
assert_unpacks(const char *entries, const uint8_t *plain, size_t n, const char *result)
{
	uint8_t packed[256];
	uLongf size = sizeof(packed);
	struct buf out;

	assert_int_equal(compress(packed, &size, plain, n), Z_OK);
	assert_int_equal(unpack(entries, packed, size, &out), PDF_OK);
	assert_int_equal(out.len, strlen(result));
	assert_memory_equal(out.data, result, out.len);
	buf_done(&out);
}

static void
predictors_are_undone(void **state)
{
	static const uint8_t png[] = {
	    0, 'a', 'b', 'c', 1, 'a', 1, 1, 2, 1, 1, 1, 3, 'd' - 'b' / 2, 0, 0, 4, 0, 1, 0};
	static const uint8_t tiff[] = {'a', 1, 1, 'x', 0, 1};

	(void)state;
	assert_unpacks("/Filter /FlateDecode", (const uint8_t *)"plain", 5, "plain");
	assert_unpacks("/Filter [/FlateDecode] /DecodeParms [null]", (const uint8_t *)"plain", 5, "plain");
	assert_unpacks(
	    "/Filter /FlateDecode /DecodeParms << /Predictor 2 /Columns 3 >>", tiff, sizeof(tiff), "abcxxy");
	/* none, left, above; average of left and above; the nearest of three */
	assert_unpacks(
	    "/Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 3 >>", png, 12, "abcabcbcd");
	assert_unpacks("/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 3 >>", png + 4, 4, "abc");
	assert_unpacks("/Filter /FlateDecode /DecodeParms << /Predictor 10 /Colors 3 >>", png, 4, "abc");
}

static void
what_cannot_be_unpacked_is_named(void **state)
{
	static const struct {
		const char *entries;
		pdf_err err;
	} cases[] = {{"/Filter /LZWDecode", PDF_FILTER},
	    {"/Filter [/ASCIIHexDecode /FlateDecode]", PDF_FILTER},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 16 >>", PDF_FILTER},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 2 /BitsPerComponent 4 >>", PDF_FILTER},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 65537 >>", PDF_FILTER},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 65536 >>", PDF_BAD_STREAM},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 65535 >>", PDF_BAD_STREAM},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 0 >>", PDF_FILTER},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Colors 33 >>", PDF_FILTER},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Colors 32 >>", PDF_BAD_STREAM},
	    {"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Colors 31 >>", PDF_BAD_STREAM}};
	static const uint8_t bad_row[] = {9, 'a'};
	uint8_t packed[64];
	uLongf size = sizeof(packed);
	struct buf out;
	size_t i;

	(void)state;
	assert_int_equal(compress(packed, &size, bad_row, 2), Z_OK);
	for (i = 0; i < array_len(cases); i++) {
		assert_int_equal(unpack(cases[i].entries, packed, size, &out), cases[i].err);
		buf_done(&out);
	}
	assert_int_equal(unpack("/Filter /FlateDecode", packed, size - 1, &out), PDF_BAD_STREAM);
	buf_done(&out);
	assert_int_equal(unpack("/Filter /FlateDecode", (const uint8_t *)"junk", 4, &out), PDF_BAD_STREAM);
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_error_has_a_word_and_a_sentence),
	    cmocka_unit_test(draft_is_the_file_and_a_signature),
	    cmocka_unit_test(texts_and_room_have_bounds),
	    cmocka_unit_test(file_size_has_a_limit),
	    cmocka_unit_test(object_numbers_have_a_limit),
	    cmocka_unit_test(sections_have_a_limit),
	    cmocka_unit_test(chain_that_bites_its_tail_is_refused),
	    cmocka_unit_test(nesting_has_a_limit),
	    cmocka_unit_test(references_have_a_limit),
	    cmocka_unit_test(page_tree_has_a_limit),
	    cmocka_unit_test(first_page_may_come_behind_empty_branches),
	    cmocka_unit_test(field_tree_has_a_depth),
	    cmocka_unit_test(fields_have_a_number),
	    cmocka_unit_test(signatures_have_a_number),
	    cmocka_unit_test(unpacked_streams_have_a_size),
	    cmocka_unit_test(unpacked_streams_have_a_size_together),
	    cmocka_unit_test(widths_of_rows_have_a_limit),
	    cmocka_unit_test(work_is_bounded),
	    cmocka_unit_test(only_the_signature_itself_may_be_left_out),
	    cmocka_unit_test(values_are_what_they_look_like),
	    cmocka_unit_test(what_is_no_value_is_an_error),
	    cmocka_unit_test(strings_become_text),
	    cmocka_unit_test(names_are_what_they_mean),
	    cmocka_unit_test(spacing_makes_no_difference),
	    cmocka_unit_test(one_key_twice_is_refused),
	    cmocka_unit_test(times_are_read),
	    cmocka_unit_test(predictors_are_undone),
	    cmocka_unit_test(what_cannot_be_unpacked_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
