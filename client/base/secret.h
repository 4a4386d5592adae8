/*
 * A PIN. It lives in one fixed block of locked memory (mlock where the limit
 * allows, never in a core file, not in a forked child) and is wiped by its
 * destructor. Nothing else may keep a copy of the bytes.
 */
#ifndef SIGNET_BASE_SECRET_H
#define SIGNET_BASE_SECRET_H

#include "base/base.h"

enum { SECRET_MAX = 255 }; /* longest PIN in bytes; Cryptoki tokens take at most 255 */

struct secret;

/*
 * Move `len` bytes into a new secret. The source is wiped, even on error.
 * SIGNET_ERR_LIMIT (len > SECRET_MAX), SIGNET_ERR_ARGUMENT (len == 0), SIGNET_ERR_MEMORY
 */
must_check signet_err secret_take(struct secret **out, void *bytes, size_t len);
/*
 * Read a PIN from a descriptor to end of file or the first newline, which is not part of it. Nothing
 * behind the newline is read, so that two PINs can come from one descriptor.
 * SIGNET_ERR_IO besides the codes of secret_take.
 */
must_check signet_err secret_read_fd(struct secret **out, int fd);
/* A second secret with the same bytes. */
must_check signet_err secret_dup(struct secret **out, const struct secret *s);
const uint8_t *secret_bytes(const struct secret *s);
size_t secret_len(const struct secret *s);
void secret_free(struct secret *s);	/* NULL is fine */
void secret_freep(struct secret **s);	/* for owned() */
void wipe(void *bytes, size_t n);	/* never optimised away */

#endif
