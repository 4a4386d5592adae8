/*
 * Keys that an administrator has switched off: at once, for everyone, until he
 * switches them on again, restarts included. Kept in disabled.json in the state
 * directory, because it must hold also while the log cannot be written.
 */
#ifndef SIGNET_SIGNETD_DISABLED_H
#define SIGNET_SIGNETD_DISABLED_H

#include <sys/types.h>

#include "base/base.h"

enum { DISABLED_MAX = 1024 };

struct broker;
struct config_key;

struct disabled {
	struct disabled *next;
	char *name;   /* of the key */
	char *reason; /* as the administrator gave it */
	char since[24]; /* RFC 3339 */
	uid_t by;
};

/* At start. SIGNET_ERR_IO, SIGNET_ERR_CONFIG: the file cannot be read or is damaged; `why` says what to do. */
must_check signet_err disabled_load(struct broker *b, char *why, size_t why_size);
void disabled_done(struct broker *b);

/* Is this key switched off, under its own name or another one for the same object? NULL: it is not. */
const struct disabled *disabled_find(const struct broker *b, const struct config_key *k);
const struct disabled *disabled_named(const struct broker *b, const char *name);

/*
 * Change it: off with a reason, on with NULL. Off holds from this call on, on when `done` is called with SIGNET_OK: both
 * are in the file then. SIGNET_ERR_BUSY: another change is under way; SIGNET_ERR_LIMIT, SIGNET_ERR_MEMORY. `done` gets
 * SIGNET_ERR_IO where the file could not be written (`why`); a key that was to be off stays off until the daemon ends.
 */
must_check signet_err disabled_change(struct broker *b, const char *name, const char *reason, uid_t by,
    void (*done)(void *arg, signet_err err, const char *why), void *arg);
/* Whoever was to be told has gone. */
void disabled_forget(struct broker *b);

#endif
