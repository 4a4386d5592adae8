/*
 * The socket: systemd's, if it gave us one [sd_listen_fds(3)], else our own at
 * the configured path. It is open to everyone (0666): policy refuses by
 * default, and a place in the file system is not an identity.
 */
#ifndef SIGNET_SIGNETD_LISTENER_H
#define SIGNET_SIGNETD_LISTENER_H

#include <uv.h>

#include "base/base.h"

struct broker;

struct listener {
	struct broker *broker;
	uv_poll_t poll;
	int fd;
	bool open, own; /* own: we made the file and remove it */
	char path[108];
	uv_timer_t pause; /* out of descriptors: not accepting for a moment */
};

must_check signet_err listener_start(struct listener *l, struct broker *b, const char *path, char *why, size_t why_size);
void listener_stop(struct listener *l);

#endif
