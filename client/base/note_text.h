/* What may stand in a note and in the name of its keys; inside signet_tlog. */
#ifndef SIGNET_BASE_NOTE_TEXT_H
#define SIGNET_BASE_NOTE_TEXT_H

#include "base/base.h"

/* UTF-8 without control characters below 0x20 but the newline. */
bool note_text_ok(const char *text, size_t len);
/* 1 to NOTE_NAME_MAX bytes of such text on one line, without Unicode space or '+'. */
bool note_name_ok(const char *name, size_t len);
/* A decimal number without leading zeroes, at most INT64_MAX: what every reader of logs can hold. */
bool note_number(const char *text, size_t len, uint64_t *value);

/* Cut the next line, without its newline, off the front; false if there is no newline. */
bool note_line(const char **text, size_t *len, const char **line, size_t *line_len);

#endif
