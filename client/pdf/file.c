/*
 * A file from its two ends: the header, and the last startxref [ISO 32000-1, 7.5].
 *
 * Invariant: the header is the first thing in the file. Signed ranges and
 * offsets count from there; what stands before it would make two files of one.
 */
#include <stdlib.h>
#include <string.h>

#include "pdf/file.h"

enum { TAIL = 2048 }; /* in which startxref is looked for; others look through 1024 bytes */

static const struct {
	const char *word, *text;
} errors[PDF_ERR_COUNT] = {
#define PDF_ERROR_TEXT(code, word, text) {word, text},
    PDF_ERRORS(PDF_ERROR_TEXT)
#undef PDF_ERROR_TEXT
};

const char *
pdf_word(pdf_err err)
{
	return (unsigned)err < PDF_ERR_COUNT ? errors[err].word : errors[PDF_BAD_OBJECT].word;
}

const char *
pdf_strerror(pdf_err err)
{
	return (unsigned)err < PDF_ERR_COUNT ? errors[err].text : errors[PDF_BAD_OBJECT].text;
}

/* The last "startxref" of the tail. */
static bool
find_start(struct pdf *f)
{
	static const char word[] = "startxref";
	size_t n = sizeof(word) - 1, least = f->size > TAIL ? f->size - TAIL : 0, at;
	struct lexer l;

	for (at = f->size - n; at > least; at--) {
		if (memcmp(f->bytes + at, word, n) != 0)
			continue;
		lexer_init(&l, &f->watch, f->bytes + at + n, f->bytes + f->size);
		return lexer_int(&l, &f->startxref) || fail(&f->watch, PDF_NO_END);
	}
	return fail(&f->watch, PDF_NO_END);
}

static pdf_err
read_all(struct pdf *f)
{
	if (!find_start(f))
		return f->watch.err == PDF_BAD_OBJECT ? PDF_NO_END : f->watch.err;
	(void)xref_read(f);
	return f->watch.err;
}

pdf_err
pdf_open(struct pdf **file, const uint8_t *bytes, size_t size)
{
	struct pdf *f;
	pdf_err err;

	if (size > PDF_FILE_MAX)
		return PDF_TOO_LARGE;
	if (size < sizeof("%PDF-1.0 startxref") || memcmp(bytes, "%PDF-", 5) != 0)
		return PDF_NO_PDF;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return PDF_MEMORY;
	f->bytes = bytes;
	f->size = size;
	f->watch.work = PDF_WORK_BASE + (uint64_t)PDF_WORK_PER_BYTE * size;
	if (f->watch.work > PDF_WORK_MAX)
		f->watch.work = PDF_WORK_MAX;
	err = read_all(f);
	if (err != PDF_OK) {
		pdf_close(f);
		return err;
	}
	*file = f;
	return PDF_OK;
}

void
pdf_close(struct pdf *f)
{
	if (f == NULL)
		return;
	while (f->packed != NULL) {
		struct packed *s = f->packed;

		f->packed = s->next;
		free(s);
	}
	free(f->entries);
	free(f);
}

void
pdf_closep(struct pdf **file)
{
	pdf_close(*file);
}
