/* Other programs: started without a shell, read to their end, never waited for without a deadline. */
#ifndef SIGNET_SIGNETCTL_RUN_H
#define SIGNET_SIGNETCTL_RUN_H

#include "base/base.h"

enum { RUN_OUTPUT_MAX = 1 << 20, RUN_SECONDS = 20 };

/*
 * Run a program (argv[0] is its path, or a name to be looked up in the usual folders) and take what it writes to standard
 * output and, with `errors`, to standard error: *out, NUL-terminated, free() it. Its exit status, or -1: it did not
 * start, was ended by a signal, or did not end in time; *out is NULL then.
 */
int run_program(const char *const *argv, bool errors, char **out);

/* Where signetd is: installed, or in the build that this signetctl is of; NULL: nowhere. free() it. */
char *run_find_signetd(void);

#endif
