/*
 * value of the signature -> stamp over it -> both in one. What was made is never
 * made again: a stamp that is kept is read, one that is under way is waited for.
 */
#include "stamping.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include <signet/log.h>

#include "broker.h"
#include "clock.h"
#include "stamp.h"
#include "token.h"

static void look_for_stamp(struct stamping *s);

static void
stamping_free(struct stamping *s)
{
	identity_unref(s->who);
	buf_done(&s->entry);
	buf_done(&s->proof);
	buf_done(&s->cms);
	buf_done(&s->tst);
	buf_done(&s->whole);
	free(s);
}

static void
finish(struct stamping *s)
{
	if (s->done != NULL)
		s->done(s);
	stamping_free(s);
}

/* The cause's own error, with a message that says what has happened nevertheless. */
static void
fail(struct stamping *s, const struct fault *cause)
{
	char why[sizeof(cause->message)];

	snprintf(why, sizeof(why), "%s", fault_message(cause));
	s->fault = *cause;
	snprintf(s->fault.message, sizeof(s->fault.message),
	    "it was signed (log entry %llu) but not time-stamped: %.300s; ask for it again later, nothing is signed twice",
	    (unsigned long long)s->outcome.index, why);
	s->fault.index = (int64_t)s->outcome.index;
	finish(s);
}

static void
fail_busy(struct stamping *s, const char *why)
{
	struct fault f;

	fault_set(&f, SIGNET_ERR_BUSY, NULL, "%s", why);
	fail(s, &f);
}

static bool
send_ask(struct stamping *s, enum ask_type type, void (*done)(struct format_ask *, const struct ask_answer *))
{
	struct ask *a = calloc(1, sizeof(*a));
	bool sent;

	if (a == NULL)
		return false;
	a->type = (uint8_t)type;
	a->blobs[a->blob_count++] = (struct ask_blob){s->cms.data, s->cms.len};
	if (type == ASK_ADD_STAMP)
		a->blobs[a->blob_count++] = (struct ask_blob){s->tst.data, s->tst.len};
	s->ask = (struct format_ask){.done = done, .owner = s};
	sent = format_submit(&s->broker->format, &s->ask, a) == SIGNET_OK;
	free(a);
	return sent;
}

/* --- both in one --- */

static void
on_whole(struct format_ask *a, const struct ask_answer *answer)
{
	struct stamping *s = a->owner;

	if (answer == NULL || answer->err != SIGNET_OK) {
		fail_busy(s, "signet-format could not put the time-stamp in");
		return;
	}
	buf_put(&s->whole, answer->blob.bytes, answer->blob.len);
	if (s->whole.failed) {
		fail_busy(s, "out of memory");
		return;
	}
	s->outcome.sig = s->whole.data;
	s->outcome.sig_len = s->whole.len;
	finish(s);
}

static void
join(struct stamping *s, const uint8_t *tst, size_t len)
{
	buf_put(&s->tst, tst, len);
	if (s->tst.failed || !send_ask(s, ASK_ADD_STAMP, on_whole))
		fail_busy(s, "too much is waiting");
}

/* --- a stamp that was made before --- */

static void
on_row(struct ledger_read *read)
{
	struct stamping *s = read->owner;
	struct fault f;

	if (read->err == SIGNET_OK && read->value.len > 0) {
		join(s, read->value.data, read->value.len);
	} else {
		fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "the time-stamp's entry cannot be read");
		fault_set_reason(&f, "the entry cannot be read");
		fail(s, &f);
	}
	buf_done(&read->entry);
	buf_done(&read->value);
	free(read);
}

static void
read_stamp(struct stamping *s, uint64_t index)
{
	struct ledger_read *read = calloc(1, sizeof(*read));

	if (read == NULL) {
		fail_busy(s, "out of memory");
		return;
	}
	read->index = index;
	read->done = on_row;
	read->owner = s;
	ledger_read_row(s->broker->log, read);
}

static void
on_settled(struct replay_waiter *w)
{
	look_for_stamp((struct stamping *)(void *)((char *)w - offsetof(struct stamping, waiter)));
}

/* --- a new one --- */

static void
on_stamped(struct job *j)
{
	struct stamping *s = j->owner;

	if (j->fault.err != SIGNET_OK)
		fail(s, &j->fault);
	else
		join(s, j->cms, j->cms_len);
}

/* A client's requestId has no slash: these are nobody's but ours. */
static bool
bind_id(struct stamping *s, struct job *j)
{
	if (!s->bound)
		return true;
	memcpy(j->request_id, s->request_id, sizeof(s->request_id));
	memcpy(j->input, s->imprint.bytes, sizeof(j->input));
	j->replay = replay_bind(
	    &s->broker->replay, s->who->peer.uid, j->request_id, j->input, clock_now_us(NULL));
	return j->replay != NULL;
}

static void
make_stamp(struct stamping *s)
{
	struct stamp_wish wish = {.imprint = s->imprint, .cert_req = true, .verb = VERB_NONE};
	struct fault f;
	struct key *k = stamp_source(s->broker, &f);
	struct job *j = k == NULL ? NULL : stamp_job(s->broker, k, s->who, &wish);

	if (k == NULL) {
		fail(s, &f);
		return;
	}
	if (j == NULL || !bind_id(s, j)) {
		job_free(j);
		fail_busy(s, "out of memory");
		return;
	}
	j->finished = on_stamped;
	j->owner = s;
	if (token_submit(k->token, j) != SIGNET_OK) {
		token_refusal(k->token, &f);
		job_free(j);
		fail(s, &f);
	}
}

/* The imprint is that of the signature's octets [EN 319 122-1, 5.3]. */
static void
on_value(struct format_ask *a, const struct ask_answer *answer)
{
	struct stamping *s = a->owner;

	s->imprint.alg = DIGEST_SHA256;
	if (answer == NULL || answer->err != SIGNET_OK ||
	    EVP_Digest(answer->blob.bytes, answer->blob.len, s->imprint.bytes, NULL, EVP_sha256(), NULL) != 1)
		fail_busy(s, "signet-format could not read the signature");
	else if (s->bound)
		look_for_stamp(s);
	else
		make_stamp(s);
}

/* --- which --- */

static void
look_for_stamp(struct stamping *s)
{
	struct replay *r;

	for (;; s->turn++) {
		snprintf(s->request_id, sizeof(s->request_id), "/t/%llu/%u", (unsigned long long)s->outcome.index, s->turn);
		r = replay_find(&s->broker->replay, s->who->peer.uid, s->request_id);
		if (r == NULL || r->state != REPLAY_UNKNOWN)
			break;
	}
	if (r == NULL) {
		make_stamp(s);
	} else if (r->state == REPLAY_RUNNING) {
		s->waiter.done = on_settled;
		replay_wait(r, &s->waiter);
	} else {
		read_stamp(s, r->index);
	}
}

static void
copy(struct stamping *s, const struct outcome *o)
{
	buf_init(&s->entry, SIGNET_ENTRY_MAX);
	buf_init(&s->proof, 64 * 1024);
	buf_init(&s->cms, ASK_BLOB_MAX);
	buf_init(&s->tst, ASK_BLOB_MAX);
	buf_init(&s->whole, ASK_BLOB_MAX);
	buf_put(&s->entry, o->entry, o->entry_len);
	buf_put(&s->cms, o->sig, o->sig_len);
	if (o->proof_len > 0)
		buf_put(&s->proof, o->proof, o->proof_len);
	snprintf(s->time, sizeof(s->time), "%s", o->time);
	memcpy(s->leaf, o->leaf, sizeof(s->leaf));
	s->outcome = (struct outcome){.sig = s->cms.data, .sig_len = s->cms.len, .index = o->index, .time = s->time,
	    .entry = s->entry.data, .entry_len = s->entry.len, .leaf = s->leaf, .proof = (const char *)s->proof.data,
	    .proof_len = s->proof.len};
}

static bool
begin(struct stamping *s)
{
	/* whether a stamp is kept or not, the first step is a question: so `done` is never called from here */
	return !s->entry.failed && !s->cms.failed && !s->proof.failed && send_ask(s, ASK_VALUE, on_value);
}

struct stamping *
stamping_begin(struct broker *b, struct identity *who, bool bound, const struct outcome *o,
    void (*done)(struct stamping *s), void *owner, struct fault *f)
{
	struct stamping *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->broker = b;
		s->who = identity_ref(who);
		s->bound = bound;
		s->done = done;
		s->owner = owner;
		s->fault.index = -1;
		copy(s, o);
		if (begin(s))
			return s;
		stamping_free(s);
	}
	fault_set(f, SIGNET_ERR_BUSY, NULL, "it was signed (log entry %llu), but too much is waiting for a time-stamp: "
	    "ask for it again later, nothing is signed twice", (unsigned long long)o->index);
	return NULL;
}

void
stamping_leave(struct stamping *s)
{
	if (s != NULL)
		s->done = NULL;
}
