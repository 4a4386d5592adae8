/*
 * Invisible signatures in PDF files [ISO 32000-1, 12.8; EN 319 142-1]: reading
 * what an incremental update has to know, writing that update, and finding the
 * signatures of a file again. Bytes in, bytes out: nothing here opens a file,
 * computes a digest or reads ASN.1.
 *
 * Every file is hostile. Each limit below is one that the reader keeps; a file
 * that passes one is PDF_LIMIT. Values are spans of the file: there is no tree,
 * and nothing calls itself.
 */
#ifndef SIGNET_PDF_PDF_H
#define SIGNET_PDF_PDF_H

#include "base/buf.h"

enum {
	PDF_FILE_MAX = 1 << 30,       /* bytes of a file */
	PDF_OBJECTS_MAX = 1 << 20,    /* object numbers are below this */
	PDF_SECTIONS_MAX = 1024,      /* cross-reference sections: as many updates */
	PDF_NESTING_MAX = 64,         /* arrays and dictionaries in each other */
	PDF_STREAM_MAX = 32 << 20,    /* bytes of one unpacked stream */
	PDF_UNPACKED_MAX = 128 << 20, /* bytes of all object streams that are kept */
	PDF_PAGE_DEPTH_MAX = 32,      /* page tree */
	PDF_FIELD_DEPTH_MAX = 32,     /* field tree */
	PDF_FIELDS_MAX = 65536,       /* nodes of the field tree */
	PDF_SIGNATURES_MAX = 256,
	PDF_REFERENCE_HOPS_MAX = 8, /* a reference to a reference to ... */
	PDF_CONTENTS_MAX = 1 << 20, /* bytes of one signature */
	PDF_TEXT_MAX = 512,         /* bytes of a name, a reason, a place */
	PDF_ID_SIZE = 16,
	/*
	 * Bytes that may be read or unpacked, again and again, before it is given up: so many, and so often the file,
	 * but never more than that.
	 */
	PDF_WORK_BASE = 16 << 20,
	PDF_WORK_PER_BYTE = 32,
	PDF_WORK_MAX = 1 << 30,
};

/* PDF_ERRORS(X) calls X(CODE, word, text): a word for programs, a sentence for people. */
#define PDF_ERRORS(X)                                                                                        \
	X(OK, "ok", "success")                                                                               \
	X(MEMORY, "memory", "out of memory")                                                                 \
	X(TOO_LARGE, "too-large", "the file is larger than 1 GiB")                                           \
	X(NO_PDF, "no-pdf", "this is not a PDF file: it does not begin with %PDF-")                          \
	X(NO_END, "no-end", "the PDF file is damaged: its end is missing")                                   \
	X(BAD_XREF, "bad-xref", "the PDF file is damaged: its table of contents cannot be read")             \
	X(BAD_OBJECT, "bad-object",                                                                          \
	    "the PDF file is damaged: a part that is needed is missing or malformed")                        \
	X(BAD_STREAM, "bad-stream", "the PDF file is damaged: a packed part of it cannot be unpacked")       \
	X(FILTER, "filter", "the PDF file is packed in a way that is not supported")                         \
	X(NO_PAGE, "no-page", "the PDF file has no page")                                                    \
	X(LIMIT, "limit", "the PDF file is larger or more entangled inside than any that is accepted")       \
	X(ENCRYPTED, "encrypted", "the PDF file is encrypted: it can be signed only without its password")   \
	X(CERTIFIED, "certified",                                                                            \
	    "the PDF file is certified, and its author permits no change, no signature either")              \
	X(LOCKED, "locked", "a signature in the PDF file forbids further signatures")                        \
	X(TEXT, "text", "the text is too long, or no text")                                                  \
	X(NO_ROOM, "no-room", "the signature is larger than the room that was kept for it")                  \
	X(NO_SIGNATURE, "no-signature", "the PDF file has no signature")

typedef enum pdf_err {
#define PDF_ERROR_CODE(code, word, text) PDF_##code,
	PDF_ERRORS(PDF_ERROR_CODE)
#undef PDF_ERROR_CODE
	    PDF_ERR_COUNT
} pdf_err;

const char *pdf_word(pdf_err err);     /* "encrypted" */
const char *pdf_strerror(pdf_err err); /* one sentence, untranslated (msgid) */

struct pdf;

/*
 * Read the structure of a file. `bytes` must stay as they are until pdf_close().
 *
 * PDF_TOO_LARGE, PDF_NO_PDF, PDF_NO_END, PDF_BAD_XREF, PDF_BAD_STREAM, PDF_FILTER, PDF_LIMIT, PDF_ENCRYPTED,
 * PDF_MEMORY
 */
must_check pdf_err pdf_open(struct pdf **file, const uint8_t *bytes, size_t size);
void pdf_close(struct pdf *file);   /* NULL is fine */
void pdf_closep(struct pdf **file); /* for owned() */

/* ---- signatures that are there ---- */

struct pdf_signature {
	char field[PDF_TEXT_MAX + 1]; /* full name of its field, UTF-8, cut where it is longer */
	char kind[40];                /* the SubFilter: "ETSI.CAdES.detached"; "" where it has none */
	char time[24]; /* /M as "2025-03-01T08:30:00Z"; "" where there is none. Claimed by who signed */
	char name[PDF_TEXT_MAX + 1], reason[PDF_TEXT_MAX + 1], location[PDF_TEXT_MAX + 1]; /* claimed, too */
	/*
	 * Does the signed part leave out the signature itself and nothing else? Only then the rest means anything: the
	 * file is signed from 0 to `hole`, and from `hole_end` to `end`.
	 */
	bool whole;
	uint64_t hole, hole_end, end;
	bool filled;             /* false: room for a signature, all zeroes */
	const uint8_t *contents; /* hexadecimal digits and white space, in the file */
	size_t contents_size;
	bool certified, forbids_change, forbids_fields; /* what it says about later changes */
};

/*
 * The signatures of the file's form, in the order in which they were made (of their `end`). *list: free() it; NULL
 * where there is none.
 *
 * PDF_BAD_OBJECT, PDF_BAD_STREAM, PDF_FILTER, PDF_LIMIT, PDF_MEMORY
 */
must_check pdf_err pdf_signatures(struct pdf *file, struct pdf_signature **list, size_t *count);

/* The bytes of a signature, with the zeroes that fill its room. PDF_BAD_OBJECT, PDF_LIMIT, PDF_MEMORY */
must_check pdf_err pdf_signature_bytes(const struct pdf_signature *s, struct buf *out);

/* What an update did to an earlier state of the file. */
struct pdf_changes {
	size_t added;   /* objects that are new */
	size_t changed; /* objects that were there and are others now */
	/* objects that an update which only signs has no reason to change; then it may show something else */
	size_t foreign;
};

/*
 * Compare the file with what it was up to byte `end` (of a signature): `then` is that part, opened. Annotations, form
 * fields and the entries of the catalog that signing needs may change; anything else that differs is `foreign`.
 */
must_check pdf_err pdf_compare(struct pdf *then, struct pdf *now, struct pdf_changes *changes);

/* ---- one more signature ---- */

struct pdf_signing {
	size_t room;                          /* bytes for the signature, 1..PDF_CONTENTS_MAX */
	int64_t time;                         /* seconds since 1970, for /M */
	int offset_minutes;                   /* of local time, east of Greenwich */
	const char *name, *reason, *location; /* UTF-8; NULL: left out */
	uint8_t id[PDF_ID_SIZE];              /* random: tells this state of the file from the earlier one */
};

/* The file with room for a signature. */
struct pdf_draft {
	struct buf bytes;        /* the file as it was, then the update */
	uint64_t hole, hole_end; /* what is not signed: <, digits, > */
	char field[32];          /* its name */
};

/*
 * Add a signature field, its dictionary and whatever must name them, in an incremental update behind the unchanged
 * file. The draft was read again: it is what a reader finds. pdf_draft_done() also after an error.
 *
 * PDF_CERTIFIED, PDF_LOCKED    the file's author or a signature in it forbids this
 * PDF_TEXT                     a text is too long or no UTF-8, or the room or offset is out of bounds
 * PDF_NO_PAGE, PDF_BAD_OBJECT, PDF_BAD_STREAM, PDF_FILTER, PDF_LIMIT, PDF_TOO_LARGE, PDF_MEMORY
 */
must_check pdf_err pdf_sign(struct pdf *file, const struct pdf_signing *how, struct pdf_draft *draft);
/* Put the signature into its place. PDF_NO_ROOM: nothing was changed. */
must_check pdf_err pdf_draft_fill(struct pdf_draft *draft, const uint8_t *signature, size_t size);
void pdf_draft_done(struct pdf_draft *draft);

#endif
