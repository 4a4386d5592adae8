/*
 * The scheduled health signature of a [device]: its key with `probe = yes` signs
 * a digest of ours, the worker verifies it, and the log has it as an operation of
 * its own. A wrong or late one makes the device `failed` for everybody, until one
 * is right again; where it cannot be tried (absent, locked, no log) it says nothing.
 */
#include "health.h"

#include <openssl/rand.h>
#include <string.h>

#include "broker.h"
#include "journal.h"
#include "text.h"
#include "token_lease.h"
#include "token_queue.h"

enum { AGAIN_MS = 60000 }; /* after one that said nothing, or was wrong */

static struct key *
probe_key(const struct token *t)
{
	for (size_t i = 0; i < t->key_count; i++)
		if (t->keys[i].conf->probe)
			return &t->keys[i];
	return NULL;
}

/* No person's unlocking is used up for it. */
static bool
can_sign(const struct token *t)
{
	return t->worker != NULL && t->worker->informed && t->state == TOKEN_READY && !t->storing &&
	       (!token_lease_needed(t) || (t->lease.stands && t->lease.stored));
}

static void
recover(struct token *t)
{
	if (!t->unhealthy)
		return;
	t->unhealthy = false;
	t->reason[0] = '\0';
	say_info("device %s works again", t->conf->name);
	token_log_state(t, NULL);
}

static void
sicken(struct token *t, const struct fault *f)
{
	struct journal_fields fields = {.message_id = SIGNET_MSG_TOKEN_FAILED, .token = t->conf->name};
	const char *why = f->err == SIGNET_ERR_TIMEOUT ? "it was late" : f->reason[0] != '\0' ? f->reason : fault_message(f);
	int n = snprintf(t->health_reason, sizeof(t->health_reason), "its health signature failed: %s", why);

	text_tidy(t->health_reason, n >= (int)sizeof(t->health_reason));
	snprintf(t->reason, sizeof(t->reason), "%s", t->health_reason);
	if (!t->unhealthy)
		journal(LOG_ERR, &fields, "device %s: %s", t->conf->name, t->health_reason);
	t->unhealthy = true;
	token_log_state(t, "health");
}

static void
on_signed(struct job *j)
{
	struct token *t = j->token;
	uint64_t pause = AGAIN_MS;

	t->checking = false;
	if (j->fault.err == SIGNET_ERR_TOKEN_FAILED && j->generation != t->generation)
		j->fault.err = SIGNET_ERR_BUSY; /* its worker died: that is told, and the next one is asked */
	switch (j->fault.err) {
	case SIGNET_OK:
		recover(t);
		pause = t->conf->probe_interval_ms;
		break;
	case SIGNET_ERR_TOKEN_FAILED:
	case SIGNET_ERR_TIMEOUT:
	case SIGNET_ERR_UNSUPPORTED:
	case SIGNET_ERR_KEY_NOT_FOUND:
		sicken(t, &j->fault);
		break;
	default: /* it could not be tried: that is told elsewhere */
		break;
	}
	t->health_due_ms = uv_now(&t->broker->loop) + pause;
}

void
health_tick(struct token *t, uint64_t now_ms)
{
	struct key *k = t->conf->device && !t->checking && now_ms >= t->health_due_ms ? probe_key(t) : NULL;
	struct job *j;

	if (k == NULL || !can_sign(t))
		return;
	t->health_due_ms = now_ms + AGAIN_MS;
	j = job_new(JOB_SIGN, t, t->broker->self);
	if (j == NULL)
		return;
	j->digest.alg = DIGEST_SHA256;
	if (RAND_bytes(j->digest.bytes, 32) != 1) {
		job_free(j);
		return;
	}
	j->key = k;
	j->wanted = SCHEME_DEFAULT;
	j->health = true;
	j->finished = on_signed;
	t->checking = true;
	token_submit_own(t, j);
}
