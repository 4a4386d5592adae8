/* Signature files: whole or not there, and never written over by accident. */
#ifndef SIGNET_SIGNETCTL_OUT_H
#define SIGNET_SIGNETCTL_OUT_H

#include "base/base.h"

/*
 * Write a new file. With `replace` one that is there goes, otherwise it is EEXIST. 0, or an errno; then nothing
 * of it is left behind.
 */
must_check int out_write(const char *path, const void *bytes, size_t n, bool replace);

/* FILE<suffix> beside FILE, or in `folder` if that is not NULL. free() it. */
char *out_path(const char *file, const char *folder, const char *suffix);
/* The signature beside FILE: FILE.p7s if that is there, else FILE.sig. free() it. */
char *out_beside(const char *file);

#endif
