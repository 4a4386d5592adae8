/*
 * What a digest stands for: texts for people. In the log they are openings;
 * for equality there is a tag that only this installation can compute.
 */
#ifndef SIGNET_SIGNETD_DOCUMENT_H
#define SIGNET_SIGNETD_DOCUMENT_H

#include <jansson.h>

#include "fault.h"
#include "job.h"

struct broker;

/*
 * Check `document` (may be NULL), capacity and onBehalfOf (may be NULL) and put them into the job as openings with
 * fresh salts, tag and media type. False: the fault names the member; `path` is the document's own, e.g.
 * "items[3].document".
 */
bool document_take(const struct broker *b, struct job *j, const json_t *document, const char *path,
    const char *capacity, const char *on_behalf_of, struct fault *f);

/*
 * documentTag = HMAC-SHA-256(installation key, number | 0x1f | date) in hex: equality without the text.
 * False: no memory.
 */
bool document_tag(const struct broker *b, const char *number, const char *date, char out[2 * LEDGER_HASH + 1]);
/* "field":"sha256:<hex of SHA-256(salt || text)>", as it stands in an entry. */
void opening_write(struct buf *out, const struct ledger_opening *o);

#endif
