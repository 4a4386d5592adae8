/* Receipt files beside signatures. */
#ifndef SIGNET_SIGNETCTL_RECEIPT_H
#define SIGNET_SIGNETCTL_RECEIPT_H

#include "ctl.h"

/* FILE.receipt; free() it. */
char *receipt_path(const char *file);
/* FILE.receipt for FILE.sig; free() it. */
char *receipt_beside(const char *signature_file);
/* CTL_OK, or the exit code after the fault was printed. */
int receipt_write(const char *path, const char *json, bool replace);

#endif
