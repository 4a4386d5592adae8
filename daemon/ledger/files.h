/* Small files written whole or not at all. */
#ifndef SIGNET_LEDGER_FILES_H
#define SIGNET_LEDGER_FILES_H

#include <sys/types.h>

#include "base/buf.h"

/*
 * Write `name` in the folder `dir`: to a temporary name beside it, synced, then renamed. The folder is not
 * synced. Returns 0 or errno; what was there before then stays.
 */
must_check int file_replace(
    int dir, const char *temporary, const char *name, mode_t mode, const void *bytes, size_t len);
/* All of a regular file of at most `max` bytes, into an initialised buffer. 0, ENOENT, EFBIG or another errno. */
must_check int file_read(int dir, const char *name, struct buf *out, size_t max);
/* Split "a/b/c": opens "a/b" (or `.`) and *name is "c". Returns the folder, or -1 and errno. */
must_check int file_open_folder(const char *path, const char **name);

#endif
