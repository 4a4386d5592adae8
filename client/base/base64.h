/* base64 with padding [RFC 4648, 4]; decoding refuses anything but the one canonical form. */
#ifndef SIGNET_BASE_BASE64_H
#define SIGNET_BASE_BASE64_H

#include "base/base.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(n) characters, no NUL. */
void base64_encode(char *out, const uint8_t *bytes, size_t n);
/* *n in: room at `out`; out: bytes. SIGNET_ERR_ARGUMENT (not canonical), SIGNET_ERR_LIMIT. */
must_check signet_err base64_decode(const char *text, size_t len, uint8_t *out, size_t *n);

#endif
