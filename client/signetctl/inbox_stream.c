/*
 * A connection on which only Attach is called. It is read when there is
 * something to read, because meanwhile a person is being asked; libsignet waits
 * for its replies. No PIN ever goes over it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/call.h"
#include "base/frame.h"
#include "base/json.h"

#include "inbox.h"

struct inbox_buffer {
	struct buf in;
	struct frame_scan scan;
};

enum { READ_CHUNK = 16 * 1024 };

static const char attach[] = "{\"method\":\"org.signetd.Inbox.Attach\",\"more\":true}"; /* with its NUL */

/* As signet_connect() finds it. */
static const char *
socket_path(const char *path)
{
	if (path == NULL)
		path = secure_getenv("SIGNET_SOCKET");
	return path == NULL || path[0] == '\0' ? SIGNET_DEFAULT_SOCKET : path;
}

static int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 5};
	int fd, saved;

	path = socket_path(path);
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* a full backlog cannot be polled for, but this ends the wait [socket(7)] */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(fd, attach, sizeof(attach), MSG_NOSIGNAL) == (ssize_t)sizeof(attach))
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

bool
stream_open(struct inbox_stream *s, const char *path)
{
	s->in = calloc(1, sizeof(*s->in));
	if (s->in == NULL)
		abort();
	buf_init(&s->in->in, JSON_MESSAGE_MAX + 1 + READ_CHUNK);
	s->fd = connect_to(path);
	if (s->fd >= 0)
		return true;
	stream_close(s);
	return false;
}

void
stream_close(struct inbox_stream *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	if (s->in != NULL)
		buf_done(&s->in->in);
	free(s->in);
	s->in = NULL;
}

static enum stream_event
event_of(const struct reply *r, json_t **event)
{
	json_t *prompt = json_object_get(r->parameters, "prompt");

	if (r->error != NULL) {
		*event = json_string(r->error);
		return STREAM_REFUSED;
	}
	if (json_is_object(prompt) && json_member_str(prompt, "id") != NULL) {
		*event = json_incref(prompt);
		return STREAM_PROMPT;
	}
	return json_is_null(prompt) && r->continues ? STREAM_BEGUN : STREAM_LOST;
}

static enum stream_event
take_frame(struct inbox_buffer *b, size_t len, json_t **event)
{
	enum stream_event is = STREAM_LOST;
	json_t *message = NULL;
	const char *why;
	struct reply r;

	if (json_read(&message, (const char *)b->in.data, len, &why) == SIGNET_OK &&
	    reply_parse(&r, message) == SIGNET_OK) {
		is = event_of(&r, event);
		reply_done(&r);
	}
	json_decref(message);
	frame_drop(&b->scan, &b->in, len);
	return is;
}

static enum stream_event
read_more(struct inbox_stream *s)
{
	uint8_t *at = buf_room(&s->in->in, READ_CHUNK);
	ssize_t n = at == NULL ? 0 : recv(s->fd, at, READ_CHUNK, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return STREAM_NOTHING;
	if (n <= 0)
		return STREAM_LOST;
	s->in->in.len += (size_t)n;
	return STREAM_PROMPT; /* look again */
}

enum stream_event
stream_next(struct inbox_stream *s, json_t **event)
{
	enum stream_event is;
	size_t len;

	for (;;) {
		switch (frame_next(&s->in->scan, &s->in->in, &len)) {
		case FRAME_COMPLETE:
			return take_frame(s->in, len, event);
		case FRAME_TOO_LONG:
			return STREAM_LOST;
		default:
			is = read_more(s);
			if (is != STREAM_PROMPT)
				return is;
		}
	}
}
