/* The life of one call, from its message to the last reply. */
#include "request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"

enum { TIMEOUT_MAX_MS = 600000 };

struct request *
request_new(struct peer *p, struct call *call)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->broker = p->broker;
	r->peer = p;
	r->who = p->who;
	r->user = p->user;
	r->call = *call;
	p->active = r;
	p->broker->counters.calls++;
	return r;
}

static void
unlist(struct request *r)
{
	if (r->deadline_ms == 0)
		return;
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->broker->waiting = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->deadline_ms = 0;
}

static void
request_free(struct request *r)
{
	unlist(r);
	call_done(&r->call);
	free(r);
}

/* The reply stands in the peer's buffer (or was not wanted): next call. */
static void
end(struct request *r)
{
	struct peer *p = r->peer;

	p->active = NULL;
	p->progress_ms = uv_now(&p->broker->loop); /* whatever it has said meanwhile, from now on it is looked at */
	request_free(r);
	peer_wake(p);
}

/* A reply begins: from now on the peer owes us its reading. */
static void
begin_reply(struct request *r)
{
	struct peer *p = r->peer;

	if (p->out.len == 0)
		p->progress_ms = uv_now(&p->broker->loop);
}

static void
put_text(struct request *r, const struct buf *parameters, bool continues)
{
	struct buf *out = &r->peer->out;

	if (r->call.oneway)
		return;
	begin_reply(r);
	buf_str(out, "{\"parameters\":");
	buf_put(out, parameters->data, parameters->len);
	if (parameters->failed)
		out->failed = true;
	if (continues)
		buf_str(out, ",\"continues\":true");
	buf_put(out, "}", 2); /* with the NUL that ends the message */
}

static void
put(struct request *r, json_t *parameters, bool continues)
{
	if (!r->call.oneway) {
		begin_reply(r);
		if (parameters == NULL)
			r->peer->out.failed = true; /* out of memory: the connection ends rather than lies */
		else
			reply_write(&r->peer->out, parameters, continues);
	}
	json_decref(parameters);
}

void
request_reply(struct request *r, json_t *parameters)
{
	put(r, parameters, false);
	end(r);
}

void
request_reply_text(struct request *r, const struct buf *parameters)
{
	put_text(r, parameters, false);
	end(r);
}

void
request_continue(struct request *r, json_t *parameters)
{
	put(r, parameters, true);
	peer_wake(r->peer);
}

void
request_continue_text(struct request *r, const struct buf *parameters)
{
	put_text(r, parameters, true);
	peer_wake(r->peer);
}

void
request_fail(struct request *r, const struct fault *f)
{
	char name[160];
	json_t *parameters = fault_parameters(f);

	if (!r->call.oneway) {
		begin_reply(r);
		fault_name(f, r->method != NULL ? r->method->interface : "org.signetd.Signer", name, sizeof(name));
		if (parameters == NULL)
			r->peer->out.failed = true;
		else
			reply_write_error(&r->peer->out, name, parameters);
	}
	json_decref(parameters);
	end(r);
}

void
request_fail_with(struct request *r, signet_err err, const char *subject, const char *fmt, ...)
{
	struct fault f;
	char message[sizeof(f.message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	fault_set(&f, err, subject, "%s", message);
	request_fail(r, &f);
}

bool
request_congested(const struct request *r)
{
	return r->peer->out.len > PEER_OUT_HIGH;
}

void
request_wait(struct request *r, unsigned timeout_ms)
{
	unlist(r);
	r->deadline_ms = uv_now(&r->broker->loop) + timeout_ms;
	r->prev = NULL;
	r->next = r->broker->waiting;
	if (r->next != NULL)
		r->next->prev = r;
	r->broker->waiting = r;
	broker_tick_on(r->broker);
}

bool
request_timeout(const struct request *r, unsigned fallback_ms, unsigned *ms, struct fault *f)
{
	const json_t *v = json_object_get(r->call.parameters, "timeoutMs");
	json_int_t n = json_integer_value(v);

	*ms = fallback_ms;
	if (!json_is_integer(v))
		return true;
	if (n < 1 || n > TIMEOUT_MAX_MS) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "timeoutMs", "1 to %d milliseconds", TIMEOUT_MAX_MS);
		return false;
	}
	*ms = (unsigned)n;
	return true;
}

void
request_abandon(struct request *r)
{
	if (r->cancel != NULL)
		r->cancel(r);
	r->peer->active = NULL;
	request_free(r);
}

void
requests_expire(struct broker *b, uint64_t now_ms)
{
	struct request *r = b->waiting, *next;

	while (r != NULL) {
		next = r->next;
		if (now_ms >= r->deadline_ms) {
			if (r->cancel != NULL)
				r->cancel(r);
			request_fail_with(r, SIGNET_ERR_TIMEOUT, NULL,
			    "no answer within the time allowed; ask Collect before a retry, what was begun goes on");
			next = b->waiting; /* ending one may have begun others: start again */
		}
		r = next;
	}
}
