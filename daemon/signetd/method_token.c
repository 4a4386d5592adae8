/* org.signetd.Token: what is there, unlocking, locking. */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "permit.h"
#include "token_view.h"
#include "unlocking.h"

enum { DEFAULT_USES = 1, DEFAULT_SECONDS = 300, ANSWER_MS = 300000 };

/* --- List --- */

static struct token *
nth_token(const struct request *r, size_t n)
{
	for (size_t i = 0; i < r->broker->token_count; i++) {
		struct token *t = r->broker->tokens[i];

		if (token_view_permitted(r, t) && n-- == 0)
			return t;
	}
	return NULL;
}

static void
list_all(struct request *r)
{
	struct token *t = nth_token(r, 0), *next;
	struct fault f;

	if (t == NULL) {
		(void)permit_token(r->broker, r->who, r->method, "", &f);
		fault_set(&f, SIGNET_ERR_TOKEN_NOT_FOUND, "", "there is no token that you may use");
		request_fail(r, &f);
		return;
	}
	if (!r->call.more && nth_token(r, 1) != NULL) {
		request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
		return;
	}
	for (size_t n = 1; (next = nth_token(r, n)) != NULL; n++) {
		request_continue(r, token_view(r, t));
		t = next;
	}
	request_reply(r, token_view(r, t));
}

void
method_token_list(struct request *r)
{
	const char *name = json_member_str(r->call.parameters, "token");
	struct fault f;
	struct token *t;

	if (name == NULL) {
		list_all(r);
		return;
	}
	t = permit_token(r->broker, r->who, r->method, name, &f);
	if (t == NULL)
		request_fail(r, &f);
	else
		request_reply(r, token_view(r, t));
}

/* --- Unlock --- */

static void
unlock_free(struct unlocking *u)
{
	secret_free(u->pin);
	free(u);
}

static void
on_unlock_cancel(struct request *r)
{
	struct unlocking *u = r->state;

	r->cancel = NULL;
	r->state = NULL;
	unlocking_leave(u);
	unlock_free(u);
}

static void
on_unlocked(struct unlocking *u)
{
	struct request *r = u->r;
	struct fault f = u->fault;
	json_int_t uses = (json_int_t)u->got_uses;
	char until[CLOCK_TEXT];

	clock_format(u->until_us, until);
	r->cancel = NULL;
	unlock_free(u);
	if (f.err != SIGNET_OK)
		request_fail(r, &f);
	else
		request_reply(r, json_pack("{s:s,s:I,s:s}", "token", json_member_str(r->call.parameters, "token"), "uses", uses,
				     "until", until));
}

static bool
read_limit(const json_t *params, const char *name, uint64_t fallback, unsigned max, uint64_t *out, struct fault *f)
{
	const json_t *v = json_object_get(params, name);
	json_int_t n = json_integer_value(v);

	*out = fallback < max ? fallback : max;
	if (!json_is_integer(v))
		return true;
	if (n < 1 || n > (json_int_t)max) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, name, "%s: 1 to %u on this token", name, max);
		return false;
	}
	*out = (uint64_t)n;
	return true;
}

static bool
read_unlock(struct unlocking *u, const struct config_token *conf, unsigned *ms, struct fault *f)
{
	json_t *params = u->r->call.parameters;
	json_t *pin = json_object_get(params, "pin");

	if (!read_limit(params, "uses", DEFAULT_USES, conf->uses_max, &u->uses, f) ||
	    !read_limit(params, "seconds", DEFAULT_SECONDS, conf->seconds_max, &u->seconds, f) ||
	    !request_timeout(u->r, ANSWER_MS, ms, f))
		return false;
	u->last_try = json_is_true(json_object_get(params, "lastTry"));
	if (!json_is_string(pin) ||
	    secret_take(&u->pin, (void *)(uintptr_t)json_string_value(pin), json_string_length(pin)) == SIGNET_OK)
		return true;
	fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "pin", "a PIN has 1 to %d bytes", SECRET_MAX);
	return false;
}

void
method_token_unlock(struct request *r)
{
	const char *name = json_member_str(r->call.parameters, "token");
	struct fault f;
	const struct token *t = permit_token(r->broker, r->who, r->method, name, &f);
	struct unlocking *u;
	unsigned ms;

	if (t == NULL) {
		request_fail(r, &f);
		return;
	}
	u = calloc(1, sizeof(*u));
	if (u == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	u->r = r;
	u->token_name = name;
	u->done = on_unlocked;
	if (!read_unlock(u, t->conf, &ms, &f)) {
		unlock_free(u);
		request_fail(r, &f);
		return;
	}
	r->state = u;
	r->cancel = on_unlock_cancel;
	request_wait(r, ms);
	unlocking_start(u);
}

/* --- Lock --- */

static void
on_cancel(struct request *r)
{
	struct job *j = r->state;

	r->cancel = NULL;
	r->state = NULL;
	job_detach(j);
}

static void
on_locked(struct job *j)
{
	struct request *r = j->owner;

	r->cancel = NULL;
	if (j->fault.err != SIGNET_OK)
		request_fail(r, &j->fault);
	else
		request_reply(r, json_object());
}

static void
submit_lock(struct request *r, struct job *j)
{
	struct quota_user *user = r->user;

	j->verb = VERB_NONE; /* it was judged above, for good */
	j->finished = on_locked;
	j->owner = r;
	if (!quota_charge(&r->broker->quota, user, QUOTA_JOBS, 1)) {
		job_free(j);
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "you have too many requests waiting (jobs-per-uid)");
		return;
	}
	j->user = quota_user_get(&r->broker->quota, user->uid);
	r->state = j;
	r->cancel = on_cancel;
	request_wait(r, ANSWER_MS);
	if (token_submit(j->token, j) != SIGNET_OK) {
		struct fault f;

		token_refusal(j->token, &f);
		r->cancel = NULL;
		job_free(j);
		request_fail(r, &f);
	}
}

/* One's own unlocking, or any with `admin`: locking is never dangerous, but it is not everyone's to do. */
static bool
may_lock(struct request *r, const struct token *t, struct fault *f)
{
	if (!t->lease.stands || t->lease.shared || t->lease.owner == r->who->peer.uid ||
	    permit_again(r->broker, r->who, VERB_ADMIN, NULL).permitted)
		return true;
	fault_set(f, SIGNET_ERR_NOT_PERMITTED, NULL, "another person unlocked this token; he or an administrator locks it");
	return false;
}

void
method_token_lock(struct request *r)
{
	const char *name = json_member_str(r->call.parameters, "token");
	struct token *t = NULL;
	struct job *j = NULL;
	struct fault f;

	if (permit_again(r->broker, r->who, VERB_ADMIN, NULL).permitted)
		t = broker_token(r->broker, name);
	if (t == NULL)
		t = permit_token(r->broker, r->who, r->method, name, &f);
	if (t != NULL && may_lock(r, t, &f)) {
		j = job_new(JOB_LOCK, t, r->who);
		if (j == NULL)
			fault_set(&f, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
	}
	if (j == NULL)
		request_fail(r, &f);
	else
		submit_lock(r, j);
}
