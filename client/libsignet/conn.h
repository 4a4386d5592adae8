/*
 * One call after the other on one connection.
 *
 *	exchange_begin(&x, conn, method, pin)	locks the connection and opens the frame
 *	param_str(&x, "key", key) ...		parameters, in any number
 *	exchange_send(&x, flags)			closes the frame and sends it
 *	exchange_next(&x, &reply)			replies, while x.open
 *	exchange_end(&x)				always, once exchange_begin succeeded
 *
 * Whoever leaves while x.open (replies are still to come) leaves a dead connection.
 */
#ifndef SIGNET_LIBSIGNET_CONN_H
#define SIGNET_LIBSIGNET_CONN_H

#include <pthread.h>
#include <sys/types.h>

#include <signet/signet.h>

#include "base/call.h"
#include "base/frame.h"
#include "base/secret.h"

#define SIGNET_API __attribute__((visibility("default")))

enum {
	CONNECT_TIMEOUT_MS = 5000,
	CALL_TIMEOUT_MS = 60000, /* until signet_set_timeout() */
	READ_CHUNK = 16 * 1024,  /* most that is read ahead of the message that is waited for */
	GRACE_MS = 2000, /* the daemon keeps the caller's time itself; its own answer is worth this wait */
};

struct signet_conn {
	pthread_mutex_t lock; /* error-checking: a callback that comes back is told, not hung */
	uint64_t serial;      /* never reused: ties a thread's last error to its connection */
	pid_t pid;            /* who connected: a forked child must not mix its calls in */
	int fd;
	bool trusted; /* may see a PIN */
	bool dead;
	unsigned timeout_ms;
	struct buf in, out;
	struct frame_scan scan;
};

struct signet_pin {
	struct secret *secret;
};

struct exchange {
	signet_conn *conn;
	const char *method;
	bool first;    /* no parameter yet */
	bool bad_text; /* a parameter was not UTF-8 */
	bool more;
	bool open;  /* sent, and the last reply has not come */
	bool renew; /* the time is for each reply, not for the call */
	unsigned timeout_ms;
	int64_t deadline_ms;
};

must_check signet_err exchange_begin(
    struct exchange *x, signet_conn *conn, const char *method, const signet_pin *pin);
/* NULL values are left out. */
void param_str(struct exchange *x, const char *name, const char *value);
void param_uint(struct exchange *x, const char *name, uint64_t value);
void param_true(struct exchange *x, const char *name);
/* `text` is JSON already. */
void param_raw(struct exchange *x, const char *name, const char *text);
/* For what is written into conn->out by hand. */
void param_name(struct exchange *x, const char *name);
void param_text(struct exchange *x, const char *value);
must_check signet_err exchange_send(struct exchange *x, unsigned flags);
/* An error reply becomes the error and its texts; the connection lives on. */
must_check signet_err exchange_next(struct exchange *x, struct reply *r);
/*
 * The same in two steps, for who can do without a tree: the bytes of the next reply, valid until either
 * exchange_parse() or, where nothing is left to parse, exchange_taken().
 */
must_check signet_err exchange_frame(struct exchange *x, const char **text, size_t *len);
must_check signet_err exchange_parse(struct exchange *x, size_t len, struct reply *r);
must_check signet_err exchange_taken(struct exchange *x, size_t len, bool continues);
void exchange_end(struct exchange *x);
/* The only reply of a call without `more`. */
must_check signet_err exchange_one(struct exchange *x, struct reply *r);
/* The reply has not the form that its interface promises. Ends the connection: nothing it says can be relied on. */
must_check signet_err exchange_nonsense(struct exchange *x, const char *what);

/*
 * member.c: members of a reply, checked as they are taken. A required member that is not there, or any one of
 * the wrong type, sets `bad`; null is the same as absent. Borrowed.
 */
struct members {
	const json_t *object;
	bool bad;
};

const char *member_str(struct members *m, const char *name, bool required);
int64_t member_int(struct members *m, const char *name, int64_t absent); /* absent < 0: required */
bool member_bool(struct members *m, const char *name);                   /* required */
/* NULL-terminated texts, or NULL (and `bad`): free(). Required. */
const char **member_texts(struct members *m, const char *name);

/* error.c: the calling thread's last error. All return `err`. `conn` may be NULL. */
signet_err error_set(const signet_conn *conn, signet_err err, const char *fmt, ...) printf_like(3, 4);
signet_err error_plain(const signet_conn *conn, signet_err err); /* with signet_strerror()'s text */
signet_err error_from_reply(const signet_conn *conn, const struct reply *r);
void error_clear(void);

/* utf8.c: well-formed [RFC 3629, 4] and without a NUL. */
bool utf8_valid(const void *text, size_t n);

#endif
