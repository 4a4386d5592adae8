/*
 * Processes that answer once. Everything ends in one place: the process is
 * reaped and the stream is at its end, then whoever asked is told. What the
 * process says is hostile: it is read up to a limit and parsed behind limits.
 */
#include "once.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "token/wire.h"

struct once {
	struct once *next;
	struct broker *broker;
	uv_process_t process;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles;
	bool running, reading, late;
	int fd;
	struct buf out, in; /* out may have a PIN */
	void (*done)(void *arg, const json_t *answer, const char *why);
	void *arg;
};

static unsigned
count(const struct broker *b)
{
	unsigned n = 0;

	for (const struct once *o = b->onces; o != NULL; o = o->next)
		n++;
	return n;
}

static void
forget(struct once *o)
{
	struct once **at = &o->broker->onces;

	while (*at != NULL && *at != o)
		at = &(*at)->next;
	if (*at == o)
		*at = o->next;
}

static void
on_closed(uv_handle_t *handle)
{
	struct once *o = handle->data;

	if (--o->handles > 0)
		return;
	forget(o);
	buf_done(&o->in);
	buf_done(&o->out);
	close(o->fd);
	free(o);
}

/* jansson alone: an answer may be larger than a message, and nests as much as we do. */
static json_t *
parse(const struct once *o)
{
	json_t *answer = o->in.failed ? NULL : json_loadb((const char *)o->in.data, o->in.len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	return NULL;
}

static void
tell(struct once *o)
{
	void (*done)(void *arg, const json_t *answer, const char *why) = o->done;
	json_t *answer;

	if (done == NULL)
		return;
	o->done = NULL;
	answer = o->late ? NULL : parse(o);
	done(o->arg, answer, answer != NULL ? NULL
			     : o->late	   ? "the driver did not answer in time and was ended"
					   : "the driver process ended without an answer");
	json_decref(answer);
}

static void
end_if_over(struct once *o)
{
	if (o->running || o->reading)
		return;
	uv_close((uv_handle_t *)&o->process, on_closed);
	uv_close((uv_handle_t *)&o->poll, on_closed);
	uv_close((uv_handle_t *)&o->timer, on_closed);
	tell(o);
}

static void
on_reaped(uv_process_t *process, int64_t status, int term_signal)
{
	struct once *o = process->data;

	(void)status;
	(void)term_signal;
	o->running = false;
	end_if_over(o);
}

static void
stop_reading(struct once *o)
{
	uv_poll_stop(&o->poll);
	o->reading = false;
	end_if_over(o);
}

static void
kill_it(struct once *o)
{
	if (o->running)
		uv_process_kill(&o->process, SIGKILL);
}

static void
on_timeout(uv_timer_t *timer)
{
	struct once *o = timer->data;

	o->late = true;
	kill_it(o);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void
send_some(struct once *o)
{
	while (o->out.len > 0) {
		ssize_t n = send(o->fd, o->out.data, o->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: wait; broken: the reader sees the end */
		buf_consume(&o->out, (size_t)n);
	}
	uv_poll_start(&o->poll, o->out.len > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_ready);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct once *o = poll->data;
	uint8_t *at;
	ssize_t n;

	if (status >= 0 && (events & UV_WRITABLE) != 0)
		send_some(o);
	if (status >= 0 && (events & UV_READABLE) == 0)
		return;
	at = buf_room(&o->in, 65536);
	n = at != NULL ? recv(o->fd, at, 65536, MSG_DONTWAIT) : 0;
	if (n > 0) {
		o->in.len += (size_t)n;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (at == NULL)
		kill_it(o); /* too much; what came is no answer */
	stop_reading(o);
}

/* --- start --- */

static char **
make_environment(const struct once_question *q)
{
	char **env = calloc(q->environment_count + 3, sizeof(*env));
	size_t n = 0;

	if (env == NULL)
		return NULL;
	env[n++] = (char *)"PATH=/usr/bin:/bin";
	env[n++] = (char *)"LC_ALL=C.UTF-8";
	for (size_t i = 0; i < q->environment_count; i++)
		env[n++] = q->environment[i];
	return env;
}

static int
spawn(struct once *o, const struct once_question *q, int theirs)
{
	const char *program = o->broker->config->token_program;
	char *args[] = {(char *)(uintptr_t)program, (char *)"--once", NULL};
	uv_stdio_container_t stdio[SIGNET_TOKEN_FD + 1];
	char **env = make_environment(q);
	uv_process_options_t options = {.file = program, .args = args, .env = env, .exit_cb = on_reaped, .stdio = stdio,
	    .stdio_count = SIGNET_TOKEN_FD + 1};
	int rc;

	if (env == NULL)
		return UV_ENOMEM;
	stdio[0].flags = UV_IGNORE;
	stdio[1].flags = UV_IGNORE;
	stdio[2] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO};
	stdio[SIGNET_TOKEN_FD] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = theirs};
	o->process.data = o;
	rc = uv_spawn(&o->broker->loop, &o->process, &options);
	free(env);
	o->handles++; /* uv_spawn initialises the handle even when it fails */
	o->running = rc == 0;
	return rc;
}

static bool
put_config(struct once *o, const struct once_question *q)
{
	struct wire_config *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return false;
	snprintf(c->module, sizeof(c->module), "%s", q->module);
	snprintf(c->serial, sizeof(c->serial), "%s", q->serial != NULL ? q->serial : "");
	snprintf(c->label, sizeof(c->label), "%s", q->label != NULL ? q->label : "");
	snprintf(c->lock_dir, sizeof(c->lock_dir), "%s", o->broker->config->lock_directory);
	c->lanes = 1;
	c->confine = o->broker->config->sandbox;
	for (size_t i = 0; i < q->path_count && i < WIRE_PATHS_MAX; i++)
		snprintf(c->paths[c->path_count++], WIRE_PATH_SIZE, "%s", q->paths[i]);
	wire_put_config(&o->out, c);
	free(c);
	return true;
}

static bool
put_request(struct once *o, const struct once_question *q)
{
	char *text = json_dumps(q->request, JSON_COMPACT);
	size_t len = text != NULL ? strlen(text) : 0;

	for (unsigned i = 0; i < 4; i++)
		buf_u8(&o->out, (uint8_t)(len >> 8 * i));
	if (len > 0) {
		buf_put(&o->out, text, len);
		wipe(text, len);
	}
	free(text);
	return len > 0 && !o->out.failed;
}

static struct once *
once_new(struct broker *b, const struct once_question *q)
{
	struct once *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->broker = b;
	o->done = q->done;
	o->arg = q->arg;
	o->fd = -1;
	buf_init(&o->in, ONCE_ANSWER_MAX);
	buf_init_secret(&o->out, WIRE_FRAME_MAX);
	if (put_config(o, q) && put_request(o, q))
		return o;
	buf_done(&o->out);
	free(o);
	return NULL;
}

static void
begin(struct once *o, unsigned timeout_ms)
{
	uv_poll_init(&o->broker->loop, &o->poll, o->fd);
	uv_timer_init(&o->broker->loop, &o->timer);
	o->poll.data = o->timer.data = o;
	o->handles += 2;
	o->reading = true;
	uv_timer_start(&o->timer, on_timeout, timeout_ms, 0);
	o->next = o->broker->onces;
	o->broker->onces = o;
	send_some(o);
}

signet_err
once_ask(struct once **out, struct broker *b, const struct once_question *q, char *why, size_t why_size)
{
	struct once *o;
	int pair[2], rc;

	if (b->stopping || count(b) >= ONCE_MAX)
		return SIGNET_ERR_BUSY;
	o = once_new(b, q);
	if (o == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		snprintf(why, why_size, "no memory or descriptors for a driver process");
		if (o != NULL)
			buf_done(&o->out);
		free(o);
		return SIGNET_ERR_TOKEN_FAILED;
	}
	o->fd = pair[0];
	rc = spawn(o, q, pair[1]);
	close(pair[1]);
	if (rc != 0) {
		snprintf(why, why_size, "cannot start %s: %s", b->config->token_program, uv_strerror(rc));
		o->done = NULL;
		if (o->handles > 0)
			uv_close((uv_handle_t *)&o->process, on_closed);
		return SIGNET_ERR_TOKEN_FAILED;
	}
	begin(o, q->timeout_ms);
	*out = o;
	return SIGNET_OK;
}

void
once_leave(struct once *o)
{
	o->done = NULL;
	kill_it(o);
}

void
onces_end(struct broker *b)
{
	for (struct once *o = b->onces; o != NULL; o = o->next)
		kill_it(o);
}
