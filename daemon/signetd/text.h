/*
 * Text that people will read: titles, numbers, reasons, capacities. Accepted
 * as NFC, at most TEXT_MAX bytes, without control, bidi-control, private-use,
 * surrogate or unassigned characters, not empty and not only blanks: two
 * texts that look alike in a prompt are the same bytes in the log.
 */
#ifndef SIGNET_SIGNETD_TEXT_H
#define SIGNET_SIGNETD_TEXT_H

#include "base/base.h"

enum { TEXT_MAX = 512 };

/* `why` gets a static sentence that says what to change. SIGNET_ERR_INVALID_PARAMETER */
must_check signet_err text_check(const char *s, size_t len, const char **why);

/*
 * For text of ours that quotes what others said: what is no UTF-8 becomes question marks; `cut`: it was longer, so its
 * end may be half a character.
 */
void text_tidy(char *s, bool cut);

/* 1..128 of [A-Za-z0-9._:-]: a requestId. */
bool text_is_request_id(const char *s, size_t len);

#endif
