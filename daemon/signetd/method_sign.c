/* Sign: one digest, one signature, one reply. */
#include <stdlib.h>

#include "broker.h"
#include "dispatch.h"
#include "signing.h"

struct sign_call {
	struct sign_params params;
	struct signing signing;
};

static void
sign_call_free(struct sign_call *c)
{
	secret_free(c->signing.pin);
	free(c);
}

static void
on_cancel(struct request *r)
{
	struct sign_call *c = r->state;

	r->state = NULL;
	r->cancel = NULL;
	signing_leave(&c->signing);
	sign_call_free(c);
}

static void
on_done(struct signing *s)
{
	struct request *r = s->r;
	struct sign_call *c = s->owner;
	struct buf reply;

	r->cancel = NULL;
	if (s->fault.err != SIGNET_OK) {
		struct fault f = s->fault;

		sign_call_free(c);
		request_fail(r, &f);
		return;
	}
	buf_init(&reply, 256 * 1024);
	buf_chr(&reply, '{');
	receipt_write(&reply, r->broker->config->origin, &s->outcome);
	buf_str(&reply, ",\"state\":\"done\"}");
	sign_call_free(c);
	request_reply_text(r, &reply);
	buf_done(&reply);
}

void
method_sign(struct request *r)
{
	struct sign_call *c = calloc(1, sizeof(*c));
	struct signing *s;
	struct fault f;

	if (c == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	s = &c->signing;
	if (!sign_params_read(r, &c->params, &s->pin, &f)) {
		sign_call_free(c);
		request_fail(r, &f);
		return;
	}
	s->r = r;
	s->params = &c->params;
	s->item = -1;
	s->digest = json_member_str(r->call.parameters, "digest");
	s->document = json_object_get(r->call.parameters, "document");
	s->request_id = json_member_str(r->call.parameters, "requestId");
	s->done = on_done;
	s->owner = c;
	r->state = c;
	r->cancel = on_cancel;
	request_wait(r, c->params.timeout_ms);
	signing_start(s);
}
