/*
 * PDF files. Whatever comes: no read past the end, an end in bounded time, and
 * where a signature can be added the file is the unchanged beginning of the
 * draft, whose new signature is found again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "pdf/pdf.h"

static void
check_list(struct pdf *f, const uint8_t *data, size_t size, size_t *count)
{
	struct pdf_signature *list;
	struct buf b;
	size_t i;

	if (pdf_signatures(f, &list, count) != PDF_OK)
		return;
	for (i = 0; i < *count; i++) {
		const struct pdf_signature *s = &list[i];

		assert(i == 0 || list[i - 1].end <= s->end);
		if (s->whole) {
			assert(s->hole < s->hole_end && s->hole_end < s->end && s->end <= size);
			assert(data[s->hole] == '<' && data[s->hole_end - 1] == '>');
		}
		buf_init(&b, PDF_CONTENTS_MAX);
		if (pdf_signature_bytes(s, &b) == PDF_OK)
			assert(b.len <= s->contents_size / 2);
		buf_done(&b);
	}
	free(list);
}

static void
check_draft(struct pdf_draft *d, const uint8_t *data, size_t size)
{
	owned(pdf_closep) struct pdf *then = NULL, *now = NULL;
	static const uint8_t signature[17] = {0x30, 15};
	struct pdf_changes changes;
	pdf_err err;

	assert(d->bytes.len > size && memcmp(d->bytes.data, data, size) == 0);
	assert(pdf_draft_fill(d, signature, 17) == PDF_NO_ROOM);
	assert(pdf_draft_fill(d, signature, 16) == PDF_OK);
	err = pdf_open(&now, d->bytes.data, d->bytes.len);
	assert(err == PDF_OK);
	err = pdf_open(&then, data, size);
	assert(err == PDF_OK);
	/* a new object may answer a reference to nothing: so `foreign` can be anything here */
	if (pdf_compare(then, now, &changes) == PDF_OK)
		assert(changes.added >= 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pdf_signing how = {
	    .room = 16, .time = 1740000000, .reason = "\xc3\xa9(", .id = {1}};
	struct pdf_draft draft;
	struct pdf *f = NULL;
	size_t count = 0;

	if (pdf_open(&f, data, size) != PDF_OK)
		return 0;
	check_list(f, data, size, &count);
	if (pdf_sign(f, &how, &draft) == PDF_OK)
		check_draft(&draft, data, size);
	pdf_draft_done(&draft);
	pdf_close(f);
	return 0;
}
