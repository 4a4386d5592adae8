/*
 * A lane: frames in, results out, one job after the other.
 *
 * Several frames may arrive in one read; their results leave in one write as
 * long as nobody waits for them noticeably: a finished result is sent before a
 * job that may take longer than a millisecond, and before it is a millisecond
 * old. End of file on any lane means that the broker gave this worker up, so
 * the process ends, whatever other lanes are doing; so does a frame that is not
 * one of ours. _exit, because modules crash in exit handlers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "token/worker.h"

enum {
	JOIN_US = 1000,
	OUT_FULL = 64 * 1024,
	OUT_MAX = OUT_FULL + WIRE_CMS_MAX + 2 * WIRE_JOB_MAX, /* a result more still fits */
};

static _Noreturn void
gone(void)
{
	_exit(EX_OK);
}

void
lane_block(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		_exit(EX_OSERR);
}

void
lane_send(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			gone();
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

static void
flush(struct lane *l)
{
	if (l->out.failed)
		_exit(EX_OSERR);
	lane_send(l->fd, l->out.data, l->out.len);
	buf_reset(&l->out);
}

/* Would this job make the oldest unsent result wait for more than a millisecond? */
static bool
may_be_slow(const struct lane *l, const struct wire_job *j)
{
	if (l->waited_us >= JOIN_US)
		return true;
	return j->type != WIRE_SIGN || j->flags != 0 || l->usual_us[j->key] >= JOIN_US - l->waited_us;
}

static void
serve_frame(struct lane *l, uint8_t *frame, size_t len)
{
	struct wire_result r;
	struct wire_job j;

	if (wire_get_job(&j, frame, len) != SIGNET_OK)
		_exit(EX_PROTOCOL);
	if (l->out.len > 0 && may_be_slow(l, &j))
		flush(l);
	job_run(l, &j, &r);
	wire_job_done(&j);
	l->waited_us = l->out.len > 0 ? l->waited_us + r.work_us : 0;
	if (j.type == WIRE_SIGN)
		l->usual_us[j.key] = r.work_us;
	wire_put_result(&l->out, &r);
}

/* All whole frames in the buffer; the rest moves to its front, and nothing stays behind it. */
static void
serve_buffer(struct lane *l)
{
	size_t at = 0, n;

	while ((n = wire_next(l->in + at, l->in_len - at, WIRE_JOB_MAX)) != 0) {
		if (n == SIZE_MAX)
			_exit(EX_PROTOCOL);
		serve_frame(l, l->in + at, n);
		at += n;
		if (l->out.len > OUT_FULL)
			flush(l);
	}
	if (at == 0)
		return;
	memmove(l->in, l->in + at, l->in_len - at);
	wipe(l->in + l->in_len - at, at);
	l->in_len -= at;
}

void
lane_serve(struct lane *l)
{
	buf_init(&l->out, OUT_MAX);
	buf_init(&l->container, WIRE_CMS_MAX);
	memset(l->usual_us, 0xff, sizeof(l->usual_us));
	for (;;) {
		ssize_t n = recv(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			gone();
		l->in_len += (size_t)n;
		serve_buffer(l);
		flush(l);
	}
}
