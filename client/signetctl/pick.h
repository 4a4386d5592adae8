/* Which key: the one that is named, or the caller's only one that signs. */
#ifndef SIGNET_SIGNETCTL_PICK_H
#define SIGNET_SIGNETCTL_PICK_H

#include <openssl/x509.h>

#include "ctl.h"

struct picked {
	char *name;
	char *token; /* NULL until pick_details() */
	X509 *cert;  /* the key's own; NULL until then, or where there is none */
};

/* CTL_OK, or the exit code after the fault (or the choices) was printed. Connects. */
int pick_key(struct picked *p, struct ctl *c);
/* Token and certificate of the key. No-op if they are there. */
int pick_details(struct picked *p, struct ctl *c);
void pick_done(struct picked *p);

#endif
