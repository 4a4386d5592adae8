/*
 * One call and its replies over the socket.
 *
 * Invariant: between two calls no byte of the connection is unread and none
 * unsent; what breaks that makes the connection dead. Each wait is a poll()
 * against one deadline. The outgoing frame is wiped before the lock is given
 * back, because it may have held a PIN.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"

enum {
	READ_MIN = 4096,  /* an ordinary reply in one read */
	KEEP = 64 * 1024, /* memory that a connection keeps between calls */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static signet_err
conn_kill(signet_conn *conn)
{
	conn->dead = true;
	/* the peer sees the end at once and can drop what it still works on for us */
	(void)shutdown(conn->fd, SHUT_RDWR);
	return SIGNET_ERR_IO;
}

static signet_err
lost(struct exchange *x, const char *how)
{
	x->open = false;
	return error_set(x->conn, conn_kill(x->conn),
	    "the connection to signetd was lost (%s): ask the log before a retry", how);
}

static signet_err
conn_enter(signet_conn *conn, const signet_pin *pin)
{
	/* before the lock: another thread of the parent may have held it in the moment of the fork */
	if (conn->pid != getpid())
		return error_set(conn, SIGNET_ERR_IO,
		    "this connection belongs to the process that this one was forked from: connect again");
	if (pthread_mutex_lock(&conn->lock) != 0)
		return error_set(
		    conn, SIGNET_ERR_ARGUMENT, "a callback must not use the connection that called it");
	if (conn->dead) {
		(void)pthread_mutex_unlock(&conn->lock);
		return error_set(conn, SIGNET_ERR_IO, "this connection was lost before: connect again");
	}
	if (pin != NULL && !conn->trusted) {
		(void)pthread_mutex_unlock(&conn->lock);
		return error_plain(conn, SIGNET_ERR_UNTRUSTED);
	}
	return SIGNET_OK;
}

signet_err
exchange_begin(struct exchange *x, signet_conn *conn, const char *method, const signet_pin *pin)
{
	signet_err err;

	error_clear();
	if (conn == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	err = conn_enter(conn, pin);
	if (err != SIGNET_OK)
		return err;
	*x = (struct exchange){.conn = conn, .method = method, .first = true, .timeout_ms = conn->timeout_ms};
	buf_str(&conn->out, "{\"method\":\"");
	buf_str(&conn->out, method);
	buf_str(&conn->out, "\",\"parameters\":{");
	if (pin != NULL) {
		param_name(x, "pin");
		buf_json(&conn->out, (const char *)secret_bytes(pin->secret), secret_len(pin->secret));
	}
	return SIGNET_OK;
}

void
param_name(struct exchange *x, const char *name)
{
	struct buf *out = &x->conn->out;

	buf_str(out, x->first ? "\"" : ",\"");
	buf_str(out, name);
	buf_str(out, "\":");
	x->first = false;
}

void
param_text(struct exchange *x, const char *value)
{
	size_t n = strlen(value);

	if (!utf8_valid(value, n))
		x->bad_text = true;
	else
		buf_json(&x->conn->out, value, n);
}

void
param_str(struct exchange *x, const char *name, const char *value)
{
	if (value == NULL)
		return;
	param_name(x, name);
	param_text(x, value);
}

void
param_uint(struct exchange *x, const char *name, uint64_t value)
{
	param_name(x, name);
	buf_dec(&x->conn->out, value);
}

void
param_true(struct exchange *x, const char *name)
{
	param_raw(x, name, "true");
}

void
param_raw(struct exchange *x, const char *name, const char *text)
{
	param_name(x, name);
	buf_str(&x->conn->out, text);
}

/* Wait for `events`. SIGNET_ERR_TIMEOUT or SIGNET_ERR_IO end the connection. */
static signet_err
wait_for(struct exchange *x, short events)
{
	struct pollfd p = {.fd = x->conn->fd, .events = events};
	int64_t left;
	int n;

	for (;;) {
		left = x->deadline_ms - now_ms();
		n = poll(&p, 1, left <= 0 ? 0 : (int)left);
		if (n > 0)
			return SIGNET_OK;
		if (n < 0 && errno != EINTR)
			return lost(x, strerrordesc_np(errno));
		if (n == 0 && left <= 0)
			break;
	}
	x->open = false;
	(void)conn_kill(x->conn);
	return error_set(
	    x->conn, SIGNET_ERR_TIMEOUT, "signetd did not answer in time: ask the log before a retry");
}

/* Send the whole frame. A peer that hung up may have said why: that is for the reader to find. */
static signet_err
send_frame(struct exchange *x)
{
	struct buf *out = &x->conn->out;
	ssize_t n;
	signet_err err;

	while (out->len > 0) {
		n = send(x->conn->fd, out->data, out->len, MSG_NOSIGNAL);
		if (n >= 0) {
			buf_consume(out, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET)
			return SIGNET_OK;
		if (errno != EAGAIN)
			return lost(x, strerrordesc_np(errno));
		err = wait_for(x, POLLOUT);
		if (err != SIGNET_OK)
			return err;
	}
	return SIGNET_OK;
}

signet_err
exchange_send(struct exchange *x, unsigned flags)
{
	struct buf *out = &x->conn->out;
	signet_err err;

	buf_str(out, (flags & SIGNET_CALL_MORE) != 0 ? "},\"more\":true" : "}");
	buf_str(out, (flags & SIGNET_CALL_ONEWAY) != 0 ? ",\"oneway\":true}" : "}");
	buf_u8(out, 0);
	if (x->bad_text)
		return error_set(x->conn, SIGNET_ERR_ARGUMENT, "a text is not UTF-8");
	if (out->failed)
		return error_set(
		    x->conn, SIGNET_ERR_LIMIT, "the call is longer than 1 MiB, or memory is short");
	x->deadline_ms = now_ms() + x->timeout_ms;
	x->more = (flags & SIGNET_CALL_MORE) != 0;
	x->open = true;
	err = send_frame(x);
	if (err == SIGNET_OK && (flags & SIGNET_CALL_ONEWAY) != 0)
		x->open = false;
	return err;
}

static signet_err
read_some(struct exchange *x)
{
	struct buf *in = &x->conn->in;
	/* the longer a reply turns out, the larger the steps; where several are to come, many in one */
	size_t room = x->more || in->len > READ_CHUNK ? READ_CHUNK : in->len < READ_MIN ? READ_MIN : in->len;
	uint8_t *p = buf_room(in, room);
	ssize_t n;
	signet_err err;

	if (p == NULL)
		return error_plain(x->conn, SIGNET_ERR_MEMORY);
	err = wait_for(x, POLLIN);
	if (err != SIGNET_OK)
		return err;
	n = recv(x->conn->fd, p, room, 0);
	if (n == 0)
		return lost(x, in->len == 0 ? "it hung up" : "it hung up in the middle of a reply");
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? SIGNET_OK : lost(x, strerrordesc_np(errno));
	in->len += (size_t)n;
	return SIGNET_OK;
}

signet_err
exchange_nonsense(struct exchange *x, const char *what)
{
	x->open = false;
	(void)conn_kill(x->conn);
	return error_set(
	    x->conn, SIGNET_ERR_PROTOCOL, "signetd's answer to %s cannot be understood: %s", x->method, what);
}

signet_err
exchange_frame(struct exchange *x, const char **text, size_t *len)
{
	signet_conn *conn = x->conn;
	enum frame_state state;
	signet_err err;

	assert(x->open);
	if (x->renew)
		x->deadline_ms = now_ms() + x->timeout_ms;
	while ((state = frame_next(&conn->scan, &conn->in, len)) == FRAME_PARTIAL) {
		err = read_some(x);
		if (err != SIGNET_OK)
			return err;
	}
	if (state == FRAME_TOO_LONG)
		return exchange_nonsense(x, "it is longer than 1 MiB");
	*text = (const char *)conn->in.data;
	return SIGNET_OK;
}

signet_err
exchange_taken(struct exchange *x, size_t len, bool continues)
{
	frame_drop(&x->conn->scan, &x->conn->in, len);
	if (continues && !x->more)
		return exchange_nonsense(x, "more replies than were asked for");
	x->open = continues;
	return SIGNET_OK;
}

static signet_err
parse(struct exchange *x, size_t len, struct reply *r)
{
	const char *why = "it is no reply";
	json_t *message;
	signet_err err;

	err = json_read(&message, (const char *)x->conn->in.data, len, &why);
	if (err == SIGNET_OK) {
		err = reply_parse(r, message);
		json_decref(message);
	}
	if (err == SIGNET_ERR_MEMORY)
		return error_plain(x->conn, err);
	return err == SIGNET_OK ? SIGNET_OK : exchange_nonsense(x, why);
}

signet_err
exchange_parse(struct exchange *x, size_t len, struct reply *r)
{
	signet_err err;

	err = parse(x, len, r);
	if (err != SIGNET_OK)
		return err;
	err = r->continues && r->error != NULL ? exchange_nonsense(x, "an error that goes on")
					       : exchange_taken(x, len, r->continues);
	if (err == SIGNET_OK && r->error != NULL)
		err = error_from_reply(x->conn, r);
	if (err != SIGNET_OK)
		reply_done(r);
	return err;
}

signet_err
exchange_next(struct exchange *x, struct reply *r)
{
	const char *text;
	size_t len;
	signet_err err;

	err = exchange_frame(x, &text, &len);
	return err == SIGNET_OK ? exchange_parse(x, len, r) : err;
}

signet_err
exchange_one(struct exchange *x, struct reply *r)
{
	signet_err err = exchange_send(x, 0);

	return err == SIGNET_OK ? exchange_next(x, r) : err;
}

void
exchange_end(struct exchange *x)
{
	signet_conn *conn = x->conn;

	if (x->open || conn->in.len > 0)
		(void)conn_kill(conn);
	buf_reset(&conn->out); /* wipes */
	buf_shrink(&conn->in, KEEP);
	buf_shrink(&conn->out, KEEP);
	(void)pthread_mutex_unlock(&conn->lock);
}
