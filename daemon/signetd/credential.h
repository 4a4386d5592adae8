/* Stored PINs: systemd credentials [systemd.exec(5), CREDENTIALS]. There is no `pin =` key. */
#ifndef SIGNET_SIGNETD_CREDENTIAL_H
#define SIGNET_SIGNETD_CREDENTIAL_H

#include "base/secret.h"

/* SIGNET_ERR_IO, SIGNET_ERR_LIMIT, SIGNET_ERR_MEMORY; `why` says what to do. */
must_check signet_err credential_read(struct secret **out, const char *name, char *why, size_t why_size);

/* Where the credential of this name lies; false: nowhere, `why` says what to do. */
bool credential_path(const char *name, char *path, size_t size, char *why, size_t why_size);

/* Is this PIN the stored one? False also where the credential cannot be read. */
bool credential_is(const char *name, const struct secret *pin);

#endif
