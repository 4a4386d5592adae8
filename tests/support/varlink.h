/*
 * A blocking Varlink client for test programs: one connection, calls written
 * as text, replies parsed behind the limits of base/json. It does not go
 * through libsignet, so that it tests the wire and not our own library.
 */
#ifndef SIGNET_TESTS_VARLINK_H
#define SIGNET_TESTS_VARLINK_H

#include "base/call.h"
#include "base/frame.h"

struct varlink {
	int fd;
	struct buf in;
	struct frame_scan scan;
};

/* SIGNET_ERR_CONNECT, SIGNET_ERR_LIMIT (path too long) */
must_check signet_err varlink_open(struct varlink *w, const char *path);
void varlink_close(struct varlink *w);
/* SIGNET_ERR_IO */
must_check signet_err varlink_send(struct varlink *w, const void *bytes, size_t len);
/* One call; `parameters` is stolen. */
must_check signet_err varlink_call(struct varlink *w, const char *method, json_t *parameters, bool more);
/* The next reply; SIGNET_ERR_IO: the connection is closed; SIGNET_ERR_PROTOCOL, SIGNET_ERR_LIMIT. */
must_check signet_err varlink_reply(struct varlink *w, struct reply *r);

#endif
