/*
 * Who is at the other end of a socket: uid, gid and supplementary groups as
 * the kernel recorded them when the peer connected [unix(7), SO_PEERCRED,
 * SO_PEERGROUPS]. These decide. Process, program and unit only describe: a pid
 * may have been reused by the time it is looked at.
 */
#ifndef SIGNET_SIGNETD_IDENTITY_H
#define SIGNET_SIGNETD_IDENTITY_H

#include "base/buf.h"
#include "policy.h"

struct identity { /* reference-counted: jobs outlive connections */
	unsigned refs;
	struct policy_peer peer;
	gid_t *groups; /* what peer.groups points to */
	pid_t pid;
	struct buf members; /* "uid":..,"gid":..,"pid":..[,"exe":..][,"unit":..] as they stand in an entry */
};

/* SIGNET_ERR_IO: the kernel did not say who this is; the connection must be closed. */
must_check signet_err identity_of(struct identity **out, int fd);
/* The daemon itself, for entries that no peer caused. */
must_check signet_err identity_self(struct identity **out);
struct identity *identity_ref(struct identity *i);
void identity_unref(struct identity *i);

#endif
