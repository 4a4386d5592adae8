/* The signatures of a file, as its own writer needs them, too. */
#ifndef SIGNET_PDF_SIGNATURE_H
#define SIGNET_PDF_SIGNATURE_H

#include "pdf/file.h"

struct signatures {
	struct pdf_signature *list;
	size_t count;
	unsigned highest; /* of the numbers in names such as "Signature12", given or spoken for */
	bool certified;   /* the catalog says that nothing may change */
};

/* False after an error; free() the list in any case. */
bool signatures_read(struct pdf *f, struct signatures *s);

#endif
