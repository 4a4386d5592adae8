/* org.signetd.Log: heads and proofs. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "broker.h"
#include "cover.h"
#include "dispatch.h"
#include "log_proof.h"
#include "ledger/succeed.h"
#include "log_right.h"

static json_t *
hash_json(const uint8_t hash[32])
{
	char text[BASE64_LEN(32)];

	base64_encode(text, hash, 32);
	return json_stringn(text, sizeof(text));
}

static json_t *
keys_json(const struct broker *b)
{
	json_t *list = json_array();
	size_t n;

	for (const char *line = ledger_vkeys(b->log); *line != '\0'; line += n + (line[n] != '\0')) {
		n = strcspn(line, "\n");
		json_array_append_new(list, json_stringn(line, n));
	}
	return list;
}

static void
no_head(struct request *r)
{
	if (ledger_broken(r->broker->log)) {
		struct fault f;

		fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", "");
		fault_set_reason(&f, "%s", ledger_why(r->broker->log));
		request_fail(r, &f);
		return;
	}
	request_fail_with(r, SIGNET_ERR_BUSY, NULL, "the log has no signed checkpoint yet; try again in a second");
}

/* --- waiting for a checkpoint: then the same question is asked again --- */

struct delayed {
	struct cover cover;
	struct request *r;
	void (*again)(struct request *r);
};

static void
on_leave(struct request *r)
{
	struct delayed *d = r->state;

	cover_leave(r->broker, &d->cover);
	free(d);
	r->cancel = NULL;
	r->state = NULL;
}

static void
on_covered(struct cover *c)
{
	struct delayed *d = c->owner;
	struct request *r = d->r;
	void (*again)(struct request *) = d->again;

	free(d);
	r->cancel = NULL;
	r->state = NULL;
	again(r);
}

/* True: `again` comes when so many entries are covered, or will not be; the request waits. */
static bool
wait_for(struct request *r, uint64_t size, void (*again)(struct request *r))
{
	struct delayed *d = calloc(1, sizeof(*d));

	if (d == NULL || !cover_wait(r->broker, &d->cover, size, on_covered, d)) {
		free(d);
		return false;
	}
	d->r = r;
	d->again = again;
	r->state = d;
	r->cancel = on_leave;
	return true;
}

/* --- heads --- */

static void
answer_head(struct request *r)
{
	struct log_right right;
	struct checkpoint c;
	const char *note;
	size_t len;

	if (!log_right(r, &right))
		return;
	if (!ledger_head(r->broker->log, &c, &note, &len)) {
		no_head(r);
		return;
	}
	request_reply(r, json_pack("{s:s,s:I,s:o,s:s%,s:s,s:o}", "origin", c.origin, "size", (json_int_t)c.size, "rootHash",
			     hash_json(c.root), "checkpoint", note, len, "key", ledger_vkey(r->broker->log), "keys",
			     keys_json(r->broker)));
}

/* Of all that is logged by now: a proof of it may be asked for next. */
void
method_log_head(struct request *r)
{
	if (!wait_for(r, ledger_size(r->broker->log), answer_head))
		answer_head(r);
}

/* --- proofs: one question to the reader thread --- */

struct question {
	struct ledger_query query;
	struct request *r; /* NULL: the caller has gone */
	struct ledger_filter own;
	struct buf note; /* of the newest checkpoint, where the question is about that */
};

static void
question_free(struct question *q)
{
	buf_done(&q->note);
	free(q);
}

static void
on_cancel(struct request *r)
{
	struct question *q = r->state;

	r->cancel = NULL;
	r->state = NULL;
	q->r = NULL;
}

static void
ask(struct request *r, struct question *q, void (*done)(struct ledger_query *q))
{
	q->r = r;
	q->query.done = done;
	q->query.owner = q;
	r->state = q;
	r->cancel = on_cancel;
	ledger_query(r->broker->log, &q->query);
}

static json_t *
proof_json(const struct tlog_proof *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->count; i++)
		json_array_append_new(list, hash_json(p->hash[i]));
	return list;
}

static bool
failed(struct request *r, const struct ledger_query *q)
{
	if (q->err == SIGNET_OK)
		return false;
	if (q->err == SIGNET_ERR_REQUEST_NOT_FOUND)
		request_fail_with(r, q->err, NULL, "the log has no such entry or size");
	else
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "the log cannot be read: %s", q->why);
	return true;
}

static void
on_inclusion(struct ledger_query *query)
{
	struct question *q = query->owner;
	struct request *r = q->r;
	struct buf text;

	if (r != NULL) {
		r->cancel = NULL;
		if (!failed(r, query)) {
			json_t *reply = json_pack("{s:I,s:I,s:o,s:o}", "index", (json_int_t)query->index, "size",
			    (json_int_t)query->size, "leafHash", hash_json(query->leaf), "proof",
			    proof_json(&query->proof));

			buf_init(&text, 64 * 1024);
			if (q->note.len > 0)
				tlog_proof_write(&text, query->index, &query->proof, (const char *)q->note.data, q->note.len);
			if (reply != NULL && text.len > 0 && !text.failed)
				json_object_set_new(reply, "tlogProof", json_stringn((const char *)text.data, text.len));
			buf_done(&text);
			request_reply(r, reply);
		}
	}
	question_free(q);
}

static void
prove(struct request *r, struct question *q)
{
	q->query.what = LEDGER_INCLUSION;
	ask(r, q, on_inclusion);
}

/* With `read-own` only: the entry must be the caller's; anything else is as if it were not there. */
static void
on_own_row(struct ledger_query *query)
{
	struct question *q = query->owner;
	struct request *r = q->r;

	if (r == NULL) {
		question_free(q);
		return;
	}
	r->cancel = NULL;
	if (query->err != SIGNET_OK || query->row_count != 1 || query->rows[0].index != query->index) {
		request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "the log has no such entry of yours");
		question_free(q);
		return;
	}
	query->next = NULL;
	query->rows = NULL;
	query->filter = NULL;
	prove(r, q);
}

static bool
read_count(struct request *r, const char *name, uint64_t fallback, uint64_t *out)
{
	const json_t *v = json_object_get(r->call.parameters, name);

	*out = fallback;
	if (!json_is_integer(v))
		return true;
	if (json_integer_value(v) < 0) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, name, "%s: 0 or more", name);
		return false;
	}
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static struct question *
question_new(struct request *r, const struct checkpoint *head, const char *note, size_t len, uint64_t size)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return NULL;
	}
	buf_init(&q->note, NOTE_MAX);
	if (size == head->size)
		buf_put(&q->note, note, len);
	q->query.size = size;
	return q;
}

static void
answer_prove(struct request *r)
{
	struct log_right right;
	struct checkpoint head;
	const char *note;
	size_t len;
	uint64_t index, size;
	struct question *q;

	if (!log_right(r, &right))
		return;
	if (!ledger_head(r->broker->log, &head, &note, &len)) {
		no_head(r);
		return;
	}
	if (!read_count(r, "index", 0, &index) || !read_count(r, "size", head.size, &size))
		return;
	if (index >= size || size > head.size) {
		request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "index below size, size at most %llu",
		    (unsigned long long)head.size);
		return;
	}
	q = question_new(r, &head, note, len, size);
	if (q == NULL)
		return;
	q->query.index = index;
	if (right.all) {
		prove(r, q);
		return;
	}
	q->own.uid = r->who->peer.uid;
	q->query.what = LEDGER_PAGE;
	q->query.from = index;
	q->query.limit = 1;
	q->query.filter = &q->own;
	ask(r, q, on_own_row);
}

/* An integer parameter; 0 where it is not there or is none: whoever answers says so. */
static uint64_t
wanted(const struct request *r, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(r->call.parameters, name));

	return v > 0 ? (uint64_t)v : 0;
}

void
method_log_prove(struct request *r)
{
	uint64_t past = wanted(r, "index") + 1, size = wanted(r, "size");

	if (!wait_for(r, size > past ? size : past, answer_prove))
		answer_prove(r);
}

static void
on_consistency(struct ledger_query *query)
{
	struct question *q = query->owner;
	struct request *r = q->r;

	if (r != NULL) {
		r->cancel = NULL;
		if (!failed(r, query))
			request_reply(r, json_pack("{s:I,s:I,s:o}", "first", (json_int_t)query->first, "second",
					     (json_int_t)query->size, "proof", proof_json(&query->proof)));
	}
	question_free(q);
}

static void
answer_consistency(struct request *r)
{
	struct log_right right;
	struct checkpoint head;
	const char *note;
	size_t len;
	uint64_t first, second;
	struct question *q;

	if (!log_right(r, &right))
		return;
	if (!ledger_head(r->broker->log, &head, &note, &len)) {
		no_head(r);
		return;
	}
	if (!read_count(r, "first", 0, &first) || !read_count(r, "second", head.size, &second))
		return;
	if (first > second || second > head.size) {
		request_fail_with(r, SIGNET_ERR_REQUEST_NOT_FOUND, NULL, "first at most second, second at most %llu",
		    (unsigned long long)head.size);
		return;
	}
	q = question_new(r, &head, note, len, second);
	if (q == NULL)
		return;
	q->query.what = LEDGER_CONSISTENCY;
	q->query.first = first;
	ask(r, q, on_consistency);
}

void
method_log_consistency(struct request *r)
{
	uint64_t first = wanted(r, "first"), second = wanted(r, "second");

	if (!wait_for(r, second > first ? second : first, answer_consistency))
		answer_consistency(r);
}
