/*
 * Who may read what of the log: everything (`read-log`), what he caused
 * himself (`read-own`), the texts behind hashes (`read-titles`, or his own).
 */
#ifndef SIGNET_SIGNETD_LOG_RIGHT_H
#define SIGNET_SIGNETD_LOG_RIGHT_H

#include "dispatch.h"

struct log_right {
	bool all;    /* read-log */
	bool titles; /* of others */
	const char *rule;
};

/* False: neither; refused, noted, answered. */
bool log_right(struct request *r, struct log_right *right);

#endif
