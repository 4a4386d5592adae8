/* Between the two ways of `verify`: bare signatures and CMS. */
#ifndef SIGNET_SIGNETCTL_VERIFY_H
#define SIGNET_SIGNETCTL_VERIFY_H

#include "ctl.h"

struct verify_cms {
	struct ctl *c;
	const char *file, *signature_file;
	const uint8_t *bytes; /* of the signature file */
	size_t size;
};

/* Report on it; the exit code. */
int verify_cms(const struct verify_cms *v);

/* "sha256:..." of the signature in a file, bare or in a CMS, as the log has it; NULL after the fault was printed. */
char *signature_hash_of_file(const char *path);

#endif
