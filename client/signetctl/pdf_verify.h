/* signetctl pdf verify: what was found out about each signature of a file. */
#ifndef SIGNET_SIGNETCTL_PDF_VERIFY_H
#define SIGNET_SIGNETCTL_PDF_VERIFY_H

#include <signet/log.h>

#include "cms.h"
#include "cms_stamp.h"
#include "pdf_file.h"

struct pdf_verdict {
	const struct pdf_signature *s;
	struct cms_report cms;
	struct stamp_report stamp;     /* the time-stamp in it */
	const char *fault;             /* why it is not good, untranslated; NULL: it is good */
	struct pdf_changes later;      /* by what was added to the file after it */
	const signet_receipt *receipt; /* of this signature; NULL: there is none */
};

struct pdf_verification {
	struct ctl *c;
	const char *path;
	struct pdf_file file;
	struct pdf_signature *list;
	struct pdf_verdict *verdicts;
	size_t count;
	X509_STORE *ca;          /* NULL: not asked for */
	char *vkey;              /* NULL: not given */
	signet_receipt *receipt; /* FILE.receipt, NULL: there is none */
	uint64_t behind;         /* bytes that no signature covers */
};

/* pdf_verify_report.c: CTL_OK where everything is good, else CTL_FAILED. */
int pdf_verify_report(const struct pdf_verification *v);

#endif
