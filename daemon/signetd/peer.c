/*
 * A connection is a small machine: read -> frames -> one request at a time ->
 * replies -> write. Reading is what descriptors cause; all the rest is a turn.
 * [varlink.org, Method-Call]
 */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "broker.h"
#include "dispatch.h"
#include "journal.h"

static void on_ready(uv_poll_t *handle, int status, int events);

static void
on_closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	close(p->fd);
	buf_done(&p->in);
	buf_done(&p->out);
	identity_unref(p->who);
	quota_release(p->user, QUOTA_BYTES, p->charged);
	quota_user_put(&p->broker->quota, p->user);
	broker_peer_gone(p->broker, p);
	free(p);
}

static void
leave_turn(struct peer *p)
{
	if (p->turn_at == NULL)
		return;
	*p->turn_at = p->turn_next;
	if (p->turn_next != NULL)
		p->turn_next->turn_at = p->turn_at;
	else if (p->broker->turns_end == &p->turn_next)
		p->broker->turns_end = p->turn_at;
	p->turn_at = NULL;
}

void
peer_wake(struct peer *p)
{
	struct broker *b = p->broker;

	if (p->turn_at != NULL || p->closing)
		return;
	p->turn_next = NULL;
	p->turn_at = b->turns_end;
	*b->turns_end = p;
	b->turns_end = &p->turn_next;
}

void
peer_close(struct peer *p)
{
	if (p->closing)
		return;
	p->closing = true;
	quota_release(p->user, QUOTA_CONNECTIONS, 1);
	leave_turn(p);
	if (p->active != NULL)
		request_abandon(p->active);
	uv_close((uv_handle_t *)&p->poll, on_closed);
}

static bool
congested(const struct peer *p)
{
	return p->out.len > PEER_OUT_HIGH;
}

static void
watch(struct peer *p)
{
	int events = 0;

	if (p->closing)
		return;
	if (!p->eof && !p->draining && !congested(p) && (p->active == NULL || p->in.len < PEER_IN_HIGH))
		events |= UV_READABLE;
	if (p->out.len > 0)
		events |= UV_WRITABLE;
	if (events == p->events)
		return;
	p->events = events;
	if (events == 0)
		uv_poll_stop(&p->poll);
	else
		uv_poll_start(&p->poll, events, on_ready);
}

/* Bytes held for this peer are charged to its user; above his limit the connection ends. */
static bool
charge(struct peer *p)
{
	uint64_t held = p->in.len + p->out.len;

	if (held > p->charged && !quota_charge(&p->broker->quota, p->user, QUOTA_BYTES, held - p->charged)) {
		broker_protocol_error(p->broker, p->who, "more unread bytes than limits.bytes-per-uid");
		peer_close(p);
		return false;
	}
	if (held < p->charged)
		quota_release(p->user, QUOTA_BYTES, p->charged - held);
	p->charged = held;
	return true;
}

/* What the socket takes now. The peer may be closing afterwards. */
static void
flush(struct peer *p)
{
	ssize_t n;

	while (p->out.len > 0) {
		n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			peer_close(p);
			return;
		}
		if (n < 0)
			break;
		buf_consume(&p->out, (size_t)n);
		p->progress_ms = uv_now(&p->broker->loop);
	}
	if (p->out.failed) { /* replies that no memory could hold */
		peer_close(p);
		return;
	}
	if (p->out.len == 0)
		buf_shrink(&p->out, 4096);
	(void)charge(p);
}

/* A message that is no call at all: said why; the framing is intact, so the connection goes on. */
void
peer_refuse_message(struct peer *p, const char *why)
{
	struct fault f;
	json_t *parameters;

	fault_set(&f, SIGNET_ERR_INVALID_PARAMETER, NULL, "%s", why);
	parameters = fault_parameters(&f);
	reply_write_error(&p->out, "org.varlink.service.InvalidParameter", parameters);
	json_decref(parameters);
	broker_protocol_error(p->broker, p->who, why);
}

static void
take_message(struct peer *p, size_t len)
{
	json_t *message = NULL;
	const char *why = "the message is not one JSON object";
	signet_err err = json_read(&message, (const char *)p->in.data, len, &why);

	frame_drop(&p->scan, &p->in, len);
	if (err == SIGNET_OK)
		dispatch(p, message);
	else
		peer_refuse_message(p, why);
	json_decref(message);
}

/* Begin calls while nothing is running and replies have room. False: what is in the buffer is not a whole one. */
static bool
begin_calls(struct peer *p, unsigned *left)
{
	size_t len;

	while (p->active == NULL && !congested(p) && !p->closing && *left > 0) {
		enum frame_state state = frame_next(&p->scan, &p->in, &len);

		if (state == FRAME_PARTIAL)
			return false;
		if (state == FRAME_TOO_LONG) {
			peer_refuse_message(p, "the message is longer than 1 MiB");
			buf_reset(&p->in);
			p->scan.seen = 0;
			p->eof = true; /* where it ends is not known: answer, then close */
			return false;
		}
		(*left)--;
		take_message(p, len);
	}
	return true;
}

/* Nothing more is owed to it, and nothing more will be read from it. */
static bool
is_done(const struct peer *p, bool more)
{
	return (p->eof || p->draining) && p->active == NULL && p->out.len == 0 && !more;
}

static void
take_turn(struct peer *p)
{
	unsigned left = PEER_CALLS_PER_TURN;
	bool more, held_up;

	do {
		more = begin_calls(p, &left);
		if (!p->closing && p->active != NULL && p->active->resume != NULL && !congested(p))
			p->active->resume(p->active);
		held_up = congested(p);
		if (!p->closing)
			flush(p);
	} while (!p->closing && held_up && !congested(p));
	if (p->closing)
		return;
	if (p->in.len == 0)
		buf_shrink(&p->in, 4096);
	if (is_done(p, more)) {
		peer_close(p);
		return;
	}
	if (more && p->active == NULL && !congested(p))
		peer_wake(p);
	watch(p);
}

bool
peers_take_turns(struct broker *b)
{
	enum { ROUNDS = 8 }; /* a turn may answer another peer's call */
	struct peer *list;

	for (int i = 0; i < ROUNDS && b->turns != NULL; i++) {
		list = b->turns;
		list->turn_at = &list;
		b->turns = NULL;
		b->turns_end = &b->turns;
		while (list != NULL) {
			struct peer *p = list;

			leave_turn(p);
			take_turn(p);
		}
	}
	return b->turns != NULL;
}

static bool
has_gone(const struct peer *p)
{
	struct pollfd fd = {.fd = p->fd};

	return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLHUP | POLLERR)) != 0;
}

static void
read_some(struct peer *p)
{
	size_t room = p->in.len >= 16384 ? 65536 : 4096;
	uint8_t *at = buf_room(&p->in, room);
	ssize_t n;

	if (at == NULL) { /* the buffer's maximum is above one message: only memory can be at fault */
		peer_close(p);
		return;
	}
	n = recv(p->fd, at, room, MSG_DONTWAIT);
	if (n > 0) {
		p->in.len += (size_t)n;
		p->progress_ms = uv_now(&p->broker->loop);
	} else if (n == 0) {
		p->eof = true; /* half a close leaves a reader who waits for his replies */
		if (has_gone(p))
			peer_close(p);
	} else if (errno != EAGAIN && errno != EINTR) {
		peer_close(p);
	}
}

static void
on_ready(uv_poll_t *handle, int status, int events)
{
	struct peer *p = handle->data;

	if (status < 0) {
		peer_close(p);
		return;
	}
	if ((events & UV_READABLE) != 0)
		read_some(p);
	if (!p->closing && charge(p))
		peer_wake(p);
}

void
peer_check_silence(struct peer *p, uint64_t now_ms)
{
	bool owes = p->out.len > 0 || (p->active == NULL && p->in.len > 0);

	/* half closed or not to be read for now: no event tells that the rest has gone, too */
	if (!p->closing && p->events == 0 && has_gone(p))
		peer_close(p);
	if (!p->closing && owes && now_ms - p->progress_ms >= PEER_SILENCE_MS) {
		broker_protocol_error(p->broker, p->who, p->out.len > 0 ? "replies not read" : "half a message");
		peer_close(p);
	}
}

void
peer_drain(struct peer *p)
{
	p->draining = true;
	peer_wake(p);
}

/* At the limit: who has closed his connections a moment ago must not be told that they are still open. */
static bool
charge_connection(struct broker *b, struct quota_user *user)
{
	if (quota_charge(&b->quota, user, QUOTA_CONNECTIONS, 1))
		return true;
	for (struct peer *p = b->peers; p != NULL; p = p->next)
		if (p->user == user && !p->closing && has_gone(p))
			peer_close(p);
	return quota_charge(&b->quota, user, QUOTA_CONNECTIONS, 1);
}

/* Charges come first: whoever may not connect costs no more than the accept. */
static signet_err
admit(struct broker *b, int fd, struct identity **who, struct quota_user **user)
{
	signet_err err = identity_of(who, fd);

	if (err != SIGNET_OK)
		return err;
	*user = quota_user_get(&b->quota, (*who)->peer.uid);
	if (*user == NULL)
		return SIGNET_ERR_MEMORY;
	if (b->peer_count >= b->config->connections || !charge_connection(b, *user)) {
		quota_user_put(&b->quota, *user);
		*user = NULL;
		return SIGNET_ERR_BUSY;
	}
	return SIGNET_OK;
}

/* One word before the door closes, if the socket takes it: the caller should know why. */
static void
turn_away(int fd)
{
	static const char busy[] = "{\"error\":\"org.signetd.Signer.Busy\",\"parameters\":{\"retryAfterMs\":1000,"
				   "\"message\":\"too many connections; close some or raise connections-per-uid\"}}";

	(void)!send(fd, busy, sizeof(busy), MSG_NOSIGNAL | MSG_DONTWAIT); /* its NUL ends the message */
	close(fd);
}

void
peer_accept(struct broker *b, int fd)
{
	struct identity *who = NULL;
	struct quota_user *user = NULL;
	struct peer *p = NULL;
	signet_err err = admit(b, fd, &who, &user);

	if (err == SIGNET_OK)
		p = calloc(1, sizeof(*p));
	if (p == NULL || uv_poll_init(&b->loop, &p->poll, fd) != 0)
		goto fail;
	p->broker = b;
	p->fd = fd;
	p->poll.data = p;
	p->who = who;
	p->user = user;
	p->refused = who->peer.uid == geteuid() && !b->config->own_uid;
	p->progress_ms = uv_now(&b->loop);
	buf_init_secret(&p->in, JSON_MESSAGE_MAX + 2 * 65536);
	buf_init(&p->out, 8 * JSON_MESSAGE_MAX);
	broker_peer_here(b, p);
	watch(p);
	return;
fail:
	free(p);
	if (user != NULL) {
		quota_release(user, QUOTA_CONNECTIONS, 1);
		quota_user_put(&b->quota, user);
	}
	if (err == SIGNET_ERR_BUSY)
		broker_protocol_error(b, who, "too many connections");
	identity_unref(who);
	turn_away(fd);
}
