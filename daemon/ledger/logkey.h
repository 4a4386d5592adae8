/* The log key on disk: an Ed25519 seed of 32 bytes, and its public half beside the log. */
#ifndef SIGNET_LEDGER_LOGKEY_H
#define SIGNET_LEDGER_LOGKEY_H

#include "base/note.h"

enum { LOGKEY_TEXT = NOTE_NAME_MAX + 64 }; /* a vkey and its NUL */

/*
 * Read the key from `path`, which for the log's own folder is DIR/log.key. *found is false, and SIGNET_OK, where
 * there is no such file. SIGNET_ERR_LOG_UNAVAILABLE; `why` gets a sentence.
 */
must_check signet_err logkey_read(
    const char *path, uint8_t seed[NOTE_SEED], bool *found, char *why, size_t size);
/* Make a key; the file is durable before this returns. Errors as above. */
must_check signet_err logkey_make(const char *path, uint8_t seed[NOTE_SEED], char *why, size_t size);
/* Make the key that may follow, in PATH.next; and give it the name of the key, durably. Errors as above. */
must_check signet_err logkey_make_next(const char *path, uint8_t seed[NOTE_SEED], char *why, size_t size);
must_check signet_err logkey_take(const char *path, char *why, size_t size);
/* Write the public half to log.vkey in the folder, if it does not stand there. Errors as above. */
must_check signet_err logkey_show(int dir_fd, const char *dir, const char *vkey, char *why, size_t size);

#endif
