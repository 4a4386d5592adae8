/* PDF files as the verbs meet them: read whole, opened, and the digests of what is signed in them. */
#ifndef SIGNET_SIGNETCTL_PDF_FILE_H
#define SIGNET_SIGNETCTL_PDF_FILE_H

#include "pdf/pdf.h"

#include "ctl.h"

struct pdf_file {
	uint8_t *bytes;
	size_t size;
	struct pdf *pdf;
};

/* CTL_OK, or the exit code after the fault was printed. pdf_file_close() also then. */
int pdf_file_open(struct pdf_file *f, const char *path);
void pdf_file_close(struct pdf_file *f);
/* Print why it is refused. */
int pdf_file_refused(const char *path, pdf_err err);

/* The digest of the bytes 0 to `hole` and `hole_end` to `end`. `digest` has SIGNET_DIGEST_MAX bytes. */
must_check bool pdf_file_digest(
    const uint8_t *bytes, uint64_t hole, uint64_t hole_end, uint64_t end, signet_hash hash, uint8_t *digest);
/*
 * What is signed, or shall be, by the last signature or room for one in a file: what its approver agrees to. CTL_OK,
 * or the exit code after the fault was printed.
 */
int pdf_file_last_digest(const char *path, signet_hash hash, uint8_t *digest);
/*
 * The signature that the log knows by this hash of its value: the one that somebody else's act stands on. PDF_OK, or
 * PDF_NO_SIGNATURE: it is not in the file; also the errors of pdf_signatures().
 */
must_check pdf_err pdf_file_find(
    const struct pdf_file *f, const char *value_hash, struct pdf_signature *found);
/* The CMS of the last signature and the hash of its value (DIGEST_TEXT_MAX bytes); false: there is none. */
bool pdf_file_last_cms(const char *path, struct buf *cms, char *value_hash);
/* Is there a signature in this file, and it is over this digest? False also where it is no PDF. */
bool pdf_file_has_digest(const char *path, signet_hash hash, const uint8_t *digest);

int verb_pdf_sign(struct ctl *c);
int verb_pdf_verify(struct ctl *c);

#endif
