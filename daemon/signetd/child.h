/*
 * signet-token as a child of the broker: lanes and the configured environment,
 * nothing else. Whoever starts one keeps the uv_process_t and reaps it.
 */
#ifndef SIGNET_SIGNETD_CHILD_H
#define SIGNET_SIGNETD_CHILD_H

#include <uv.h>

#include "config.h"
#include "token/wire.h"

struct child_lanes {
	int ours[WIRE_LANES_MAX], theirs[WIRE_LANES_MAX];
	unsigned count;
};

/* False: no descriptors; nothing is left open. */
must_check bool child_lanes_make(struct child_lanes *l, unsigned n);
void child_lanes_close_theirs(const struct child_lanes *l);
void child_lanes_close_ours(const struct child_lanes *l);

struct child {
	const char *program;
	char *const *args;
	const struct config_token *conf; /* its environment */
	const struct child_lanes *lanes;
	uv_exit_cb reaped;
};
/* An error of libuv, or 0. `process` is initialised either way: it must be closed. */
must_check int child_spawn(uv_loop_t *loop, uv_process_t *process, const struct child *c);

/* Module, confinement and paths of this section; the rest is empty. */
void child_config(struct wire_config *out, const struct config *c, const struct config_token *conf);

#endif
