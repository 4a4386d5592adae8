/* Output that may be long: to standard output, or to a file that appears when it is whole. */
#ifndef SIGNET_SIGNETCTL_LOG_OUT_H
#define SIGNET_SIGNETCTL_LOG_OUT_H

#include "ctl.h"

struct log_out {
	FILE *f;
	char *draft; /* NULL: standard output */
	const char *path;
	bool replace;
};

/* By --out and --force. CTL_OK, or the exit code after the fault was printed. */
int log_out_open(struct log_out *o, struct ctl *c);
/* `code`: how it went; anything but CTL_OK leaves no file behind. Returns it, or the fault of the file. */
int log_out_close(struct log_out *o, int code);

#endif
