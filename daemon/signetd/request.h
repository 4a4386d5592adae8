/*
 * One call being answered. A request belongs to its connection; it ends by
 * exactly one of request_reply, request_reply_text, request_fail (or by the
 * connection going away, or its time running out, and then through `cancel`).
 * A `oneway` call is done like any other and its reply is dropped
 * [varlink.org, Method-Call].
 */
#ifndef SIGNET_SIGNETD_REQUEST_H
#define SIGNET_SIGNETD_REQUEST_H

#include "base/call.h"
#include "fault.h"
#include "policy.h"

struct broker;
struct identity;
struct method;
struct peer;
struct quota_user;

struct request {
	struct request *next, *prev; /* list of requests that wait */
	struct broker *broker;
	struct peer *peer;
	struct identity *who; /* the peer's; a job that outlives the request takes its own reference */
	struct quota_user *user;
	const struct method *method;
	struct call call;
	uint64_t deadline_ms; /* loop time; 0: none */
	/*
	 * The handler's, NULL while it holds nothing: the peer is gone or the wait is over. It must let go of the
	 * request and free `state`; it does not reply.
	 */
	void (*cancel)(struct request *r);
	/* In each turn of the peer in which further replies have room, also where nothing changed; may be NULL. */
	void (*resume)(struct request *r);
	void *state;
};

/* For dispatch: takes the content of `call`. NULL without memory. */
struct request *request_new(struct peer *p, struct call *call);

/* Final replies: the request is gone afterwards. `parameters` is stolen, NULL means memory ran out. */
void request_reply(struct request *r, json_t *parameters);
/* `members`: the text of the parameters object, braces included. */
void request_reply_text(struct request *r, const struct buf *parameters);
void request_fail(struct request *r, const struct fault *f);
void request_fail_with(struct request *r, signet_err err, const char *subject, const char *fmt, ...) printf_like(4, 5);

/* One of several replies; the caller has checked r->call.more. It is sent in the peer's turn: `r` stays. */
void request_continue(struct request *r, json_t *parameters);
void request_continue_text(struct request *r, const struct buf *parameters);
/* Is there so much unread by the peer that further replies should wait for `resume`? */
bool request_congested(const struct request *r);

/* From now on the wait ends after timeout_ms: then cancel is called and the caller gets Timeout. */
void request_wait(struct request *r, unsigned timeout_ms);

/* The call's timeoutMs, or `fallback_ms` where it has none; false and the fault if it is out of bounds. */
bool request_timeout(const struct request *r, unsigned fallback_ms, unsigned *ms, struct fault *f);

/* The peer is gone: cancel, then free. */
void request_abandon(struct request *r);
/* End the waits whose time has come. */
void requests_expire(struct broker *b, uint64_t now_ms);


#endif
