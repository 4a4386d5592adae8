/*
 * Disk space set aside in a file (`log.reserve`) for the records of what is
 * already claimed.
 */
#ifndef SIGNET_LEDGER_RESERVE_H
#define SIGNET_LEDGER_RESERVE_H

#include "base/base.h"

struct reserve {
	int fd;
	uint64_t size;
	bool whole; /* `size` bytes are allocated to the file */
	int error;  /* errno of the last failure */
};

/* Open or create the file; reserves nothing yet. SIGNET_ERR_IO (r->error says why). */
must_check signet_err reserve_open(struct reserve *r, int dir_fd, const char *name, uint64_t size);
void reserve_close(struct reserve *r);

/* Make it whole; r->whole tells whether that worked. What was got of it is given back if not. */
void reserve_fill(struct reserve *r);
/* Give all of it to whoever writes next. */
void reserve_give_up(struct reserve *r);
/* Whether `extra` bytes could be allocated besides the reserve, which must be whole. */
bool reserve_has_room(struct reserve *r, uint64_t extra);

#endif
