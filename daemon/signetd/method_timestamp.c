/* Timestamp: a token of RFC 3161 over a digest, by a key of this machine. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "broker.h"
#include "dispatch.h"
#include "receipt.h"
#include "stamp.h"

enum { TIMEOUT_MS = 60000 };

static void
on_cancel(struct request *r)
{
	struct job *j = r->state;

	r->state = NULL;
	r->cancel = NULL;
	job_detach(j);
}

static void
on_finished(struct job *j)
{
	struct request *r = j->owner;
	struct outcome o = {.name = "token", .sig = j->cms, .sig_len = j->cms_len, .index = j->op.index,
	    .time = j->op.time, .entry = j->op.entry.data, .entry_len = j->op.entry.len, .leaf = j->op.leaf};
	struct fault f = j->fault;
	struct buf reply;

	r->state = NULL;
	r->cancel = NULL;
	if (f.err != SIGNET_OK) {
		request_fail(r, &f);
		return;
	}
	buf_init(&reply, 512 * 1024);
	buf_chr(&reply, '{');
	receipt_write(&reply, r->broker->config->origin, &o);
	buf_chr(&reply, '}');
	request_reply_text(r, &reply);
	buf_done(&reply);
}

static bool
read_nonce(const char *text, struct stamp_wish *w, struct fault *f)
{
	size_t n = sizeof(w->nonce);

	if (text == NULL)
		return true;
	if (base64_decode(text, strlen(text), w->nonce, &n) == SIGNET_OK && n > 0) {
		w->nonce_len = n;
		return true;
	}
	fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "nonce", "base64 of 1 to %d bytes", WIRE_NONCE_MAX);
	return false;
}

static bool
read_wish(const struct request *r, struct stamp_wish *w, struct fault *f)
{
	const json_t *params = r->call.parameters;
	const json_t *cert_req = json_object_get(params, "certReq");
	const char *why = NULL;

	memset(w, 0, sizeof(*w));
	w->verb = r->method->verb;
	w->cert_req = !json_is_false(cert_req);
	if (digest_parse(&w->imprint, json_member_str(params, "digest"), &why) != SIGNET_OK) {
		fault_set(f, SIGNET_ERR_BAD_DIGEST, NULL, "digest: %s", why);
		return false;
	}
	return read_nonce(json_member_str(params, "nonce"), w, f);
}

static bool
charge(struct request *r, struct job *j, struct fault *f)
{
	if (!quota_charge(&r->broker->quota, r->user, QUOTA_JOBS, 1)) {
		fault_set(f, SIGNET_ERR_BUSY, NULL, "you have too many requests waiting (jobs-per-uid)");
		return false;
	}
	j->user = quota_user_get(&r->broker->quota, r->user->uid);
	return true;
}

void
method_timestamp(struct request *r)
{
	struct stamp_wish wish;
	struct fault f;
	struct key *k = read_wish(r, &wish, &f) ? stamp_source(r->broker, &f) : NULL;
	struct job *j;

	if (k == NULL) {
		request_fail(r, &f);
		return;
	}
	j = stamp_job(r->broker, k, r->who, &wish);
	if (j == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	if (!charge(r, j, &f)) {
		job_free(j);
		request_fail(r, &f);
		return;
	}
	j->finished = on_finished;
	j->owner = r;
	r->state = j;
	r->cancel = on_cancel;
	request_wait(r, TIMEOUT_MS);
	if (token_submit(k->token, j) != SIGNET_OK) {
		token_refusal(k->token, &f);
		r->state = NULL;
		r->cancel = NULL;
		job_free(j);
		request_fail(r, &f);
	}
}
