/*
 * A blocking Varlink client for test programs [varlink.org, Method-Call].
 *
 * One thread uses one client; a call is written whole before a reply is read.
 */
#include "varlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

signet_err
varlink_open(struct varlink *w, const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	w->fd = -1;
	if (strlen(path) >= sizeof(at.sun_path))
		return SIGNET_ERR_LIMIT;
	memcpy(at.sun_path, path, strlen(path) + 1);
	w->scan = (struct frame_scan){0};
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return SIGNET_ERR_CONNECT;
	if (connect(w->fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
		close(w->fd);
		w->fd = -1;
		return SIGNET_ERR_CONNECT;
	}
	buf_init(&w->in, JSON_MESSAGE_MAX + 1);
	return SIGNET_OK;
}

void
varlink_close(struct varlink *w)
{
	if (w->fd < 0)
		return;
	close(w->fd);
	w->fd = -1;
	buf_done(&w->in);
}

signet_err
varlink_send(struct varlink *w, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = send(w->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return SIGNET_ERR_IO;
		p += n;
		len -= (size_t)n;
	}
	return SIGNET_OK;
}

signet_err
varlink_call(struct varlink *w, const char *method, json_t *parameters, bool more)
{
	struct buf out;
	signet_err err;

	buf_init(&out, JSON_MESSAGE_MAX + 1);
	call_write(&out, method, parameters, more, false);
	json_decref(parameters);
	err = out.failed ? SIGNET_ERR_LIMIT : varlink_send(w, out.data, out.len);
	buf_done(&out);
	return err;
}

/* Read until a whole message stands at the front of the buffer. */
static signet_err
fill(struct varlink *w, size_t *len)
{
	for (;;) {
		enum frame_state state = frame_next(&w->scan, &w->in, len);
		uint8_t *room;
		ssize_t n;

		if (state == FRAME_COMPLETE)
			return SIGNET_OK;
		if (state == FRAME_TOO_LONG)
			return SIGNET_ERR_LIMIT;
		room = buf_room(&w->in, 4096);
		if (room == NULL)
			return SIGNET_ERR_MEMORY;
		n = read(w->fd, room, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return SIGNET_ERR_IO;
		w->in.len += (size_t)n;
	}
}

signet_err
varlink_reply(struct varlink *w, struct reply *r)
{
	json_t *message = NULL;
	size_t len;
	signet_err err = fill(w, &len);

	if (err != SIGNET_OK)
		return err;
	err = json_read(&message, (const char *)w->in.data, len, NULL);
	frame_drop(&w->scan, &w->in, len);
	if (err != SIGNET_OK)
		return err;
	err = reply_parse(r, message);
	json_decref(message);
	return err;
}
