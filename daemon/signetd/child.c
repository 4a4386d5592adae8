/*
 * Starting signet-token. The child gets its lanes by inheritance: no environment
 * but the configured one, standard input and output on nothing.
 */
#include "child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

bool
child_lanes_make(struct child_lanes *l, unsigned n)
{
	for (l->count = 0; l->count < n; l->count++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
			child_lanes_close_ours(l);
			child_lanes_close_theirs(l);
			return false;
		}
		l->ours[l->count] = pair[0];
		l->theirs[l->count] = pair[1];
	}
	return true;
}

void
child_lanes_close_theirs(const struct child_lanes *l)
{
	close_all(l->theirs, l->count);
}

void
child_lanes_close_ours(const struct child_lanes *l)
{
	close_all(l->ours, l->count);
}

/* Only what the section says, and a path: vendor modules read surprising things from the environment. */
static char **
make_environment(const struct config_token *conf)
{
	char **env = calloc(conf->environment_count + 3, sizeof(*env));
	size_t n = 0;

	if (env == NULL)
		return NULL;
	env[n++] = (char *)"PATH=/usr/bin:/bin";
	env[n++] = (char *)"LC_ALL=C.UTF-8";
	for (size_t i = 0; i < conf->environment_count; i++)
		env[n++] = conf->environment[i];
	return env;
}

int
child_spawn(uv_loop_t *loop, uv_process_t *process, const struct child *c)
{
	uv_stdio_container_t stdio[SIGNET_TOKEN_FD + WIRE_LANES_MAX];
	char *nothing[] = {NULL}, **env = make_environment(c->conf);
	uv_process_options_t o = {.file = c->program, .args = (char **)(uintptr_t)c->args, .env = env, .exit_cb = c->reaped,
	    .stdio = stdio, .stdio_count = (int)(SIGNET_TOKEN_FD + c->lanes->count)};
	int rc;

	if (env == NULL) { /* no child without its own environment, but a handle to close */
		o.file = "";
		o.env = nothing;
	}
	stdio[0].flags = UV_IGNORE;
	stdio[1].flags = UV_IGNORE;
	stdio[2] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO};
	for (unsigned i = 0; i < c->lanes->count; i++)
		stdio[SIGNET_TOKEN_FD + i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = c->lanes->theirs[i]};
	rc = uv_spawn(loop, process, &o);
	free(env);
	return rc;
}

void
child_config(struct wire_config *out, const struct config *c, const struct config_token *conf)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->module, sizeof(out->module), "%s", conf->module);
	out->lanes = 1;
	out->confine = c->sandbox;
	for (size_t i = 0; i < conf->path_count && i < WIRE_PATHS_MAX; i++)
		snprintf(out->paths[out->path_count++], WIRE_PATH_SIZE, "%s", conf->paths[i]);
}
