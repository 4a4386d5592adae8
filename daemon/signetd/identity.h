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
/*
 * Does every uid keep its number on the way to this process? In a user namespace with a partial map
 * [user_namespaces(7)] strangers arrive as one uid, 65534, and policy would take them for one person.
 * `map` is /proc/self/uid_map. SIGNET_ERR_CONFIG, or SIGNET_ERR_IO; `why` says what to change.
 */
must_check signet_err identity_map_is_full(const char *map, char *why, size_t why_size);
struct identity *identity_ref(struct identity *i);
void identity_unref(struct identity *i);

#endif
