/*
 * Log.Read: pages from the reader thread, entries to the peer as fast as he
 * reads them. A follower is woken by the loop turn in which the log grew.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "document.h"
#include "entry.h"
#include "ledger/proof.h"
#include "log_right.h"
#include "log_reader.h"

enum { PAGE_ROWS = 256, LIMIT_MAX = 1000000 };

struct log_reader {
	struct log_reader *next, *prev; /* among the followers */
	struct ledger_query query;
	struct request *r; /* NULL: the caller has gone */
	struct ledger_filter filter;
	uint64_t left;
	bool follow, titles, hashes, raw, asking, listed, at_end;
};

/* --- followers --- */

static void
unlist(struct log_reader *f)
{
	struct broker *b = f->r->broker;

	if (!f->listed)
		return;
	if (f->prev != NULL)
		f->prev->next = f->next;
	else
		b->followers = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	f->listed = false;
}

static void
enlist(struct log_reader *f)
{
	struct broker *b = f->r->broker;

	f->prev = NULL;
	f->next = b->followers;
	if (f->next != NULL)
		f->next->prev = f;
	b->followers = f;
	f->listed = true;
}

static void ask(struct log_reader *f);

void
log_readers_wake(struct broker *b)
{
	struct log_reader *f = b->followers, *next;

	for (; f != NULL; f = next) {
		next = f->next;
		unlist(f);
		ask(f);
	}
}

/* --- one entry as JSON: written on the reader thread, so that a long page does not hold up the loop --- */

static json_t *
base64_json(const uint8_t *bytes, size_t len)
{
	char text[BASE64_LEN(LEDGER_HASH)];

	base64_encode(text, bytes, len);
	return json_stringn(text, BASE64_LEN(len));
}

static int
put_dumped(const char *bytes, size_t n, void *out)
{
	buf_put(out, bytes, n);
	return 0;
}

static void
put_openings(struct buf *out, const struct ledger_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->opening_count; i++) {
		const char *text = row->openings[i].text;

		json_array_append_new(list, json_pack("{s:s,s:o,s:o}", "field", row->openings[i].field, "salt",
						text != NULL ? base64_json(row->openings[i].salt, LEDGER_HASH) : json_null(),
						"text", text != NULL ? json_string(text) : json_null()));
	}
	if (list == NULL || json_dump_callback(list, put_dumped, out, JSON_COMPACT) != 0)
		out->failed = true;
	json_decref(list);
}

static void
put_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
	buf_chr(out, '"');
	buf_base64(out, bytes, len);
	buf_chr(out, '"');
}

/* What was changed on the disk may be no text any more. */
static bool
is_text(const void *bytes, size_t len)
{
	json_t *j = json_stringn(bytes, len);

	json_decref(j);
	return j != NULL;
}

static void
put_entry(struct buf *out, const struct ledger_row *row)
{
	const char *text = (const char *)row->entry;

	if (row->as_hashed || is_text(text, row->entry_len)) {
		buf_json(out, text, row->entry_len);
		return;
	}
	buf_str(out, "\"\",\"bytes\":");
	put_base64(out, row->entry, row->entry_len);
}

/* A reader must see that there was a checkpoint, whatever has become of it. */
static void
put_checkpoint(struct buf *out, const struct ledger_row *row)
{
	if (is_text(row->checkpoint, row->checkpoint_len))
		buf_json(out, row->checkpoint, row->checkpoint_len);
	else
		buf_str(out, "\"?\"");
}

static void
render(const struct ledger_query *q, const struct ledger_row *row, struct buf *out)
{
	const struct log_reader *f = q->owner;

	buf_str(out, "{\"entry\":{\"index\":");
	buf_dec(out, row->index);
	buf_str(out, ",\"entry\":");
	put_entry(out, row);
	buf_str(out, ",\"leafHash\":");
	put_base64(out, row->leaf, row->leaf_len);
	if (f->hashes && row->subtrees_len > 0) {
		buf_str(out, ",\"subtrees\":");
		put_base64(out, row->subtrees, row->subtrees_len);
	}
	if (f->hashes && row->checkpoint_len > 0) {
		buf_str(out, ",\"checkpoint\":");
		put_checkpoint(out, row);
	}
	if (f->titles) {
		buf_str(out, ",\"openings\":");
		put_openings(out, row);
	}
	buf_str(out, "}}");
}

/* As the replies want it; borrowed. */
static struct buf
text_of(const struct ledger_row *row)
{
	return (struct buf){.data = (uint8_t *)row->text, .len = row->text_len, .cap = row->text_len, .max = row->text_len};
}

/* --- pages --- */

static void
end(struct log_reader *f)
{
	struct request *r = f->r;

	r->cancel = NULL;
	r->resume = NULL;
	free(f);
	request_reply(r, json_pack("{s:n}", "entry"));
}

static void
go_on(struct log_reader *f)
{
	if (f->left == 0 || (f->at_end && !f->follow))
		end(f);
	else if (f->at_end)
		enlist(f);
	else if (!request_congested(f->r))
		ask(f); /* else `resume` does */
}

/* A single entry without `more` is the whole answer. */
static bool
answer_one(struct log_reader *f, const struct ledger_query *q)
{
	struct request *r = f->r;

	if (r->call.more)
		return false;
	r->cancel = NULL;
	r->resume = NULL;
	if (q->row_count > 0) {
		struct buf text = text_of(&q->rows[0]);

		request_reply_text(r, &text);
	} else {
		request_reply(r, json_pack("{s:n}", "entry"));
	}
	return true;
}

static void
on_page(struct ledger_query *q)
{
	struct log_reader *f = q->owner;

	f->asking = false;
	if (f->r == NULL) {
		free(f);
		return;
	}
	if (q->err != SIGNET_OK) {
		struct request *r = f->r;

		r->cancel = NULL;
		r->resume = NULL;
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "the log cannot be read: %s", q->why);
		free(f);
		return;
	}
	if (answer_one(f, q)) {
		free(f);
		return;
	}
	for (size_t i = 0; i < q->row_count && f->left > 0; i++, f->left--) {
		struct buf text = text_of(&q->rows[i]);

		request_continue_text(f->r, &text);
	}
	f->query.from = q->next_from;
	f->at_end = q->at_end;
	go_on(f);
}

static void
ask(struct log_reader *f)
{
	struct ledger_query *q = &f->query;
	uint64_t from = q->from;

	memset(q, 0, sizeof(*q));
	q->what = LEDGER_PAGE;
	q->from = from;
	q->limit = f->left < PAGE_ROWS ? f->left : PAGE_ROWS;
	q->filter = &f->filter;
	q->titles = f->titles;
	q->raw = f->raw;
	q->render = render;
	q->done = on_page;
	q->owner = f;
	f->asking = true;
	ledger_query(f->r->broker->log, q);
}

static void
on_cancel(struct request *r)
{
	struct log_reader *f = r->state;

	r->cancel = NULL;
	r->resume = NULL;
	unlist(f);
	if (f->asking)
		f->r = NULL; /* the reader thread has it: freed when it comes back */
	else
		free(f);
}

static void
on_resume(struct request *r)
{
	struct log_reader *f = r->state;

	if (!f->asking && !f->listed)
		go_on(f);
}

/* --- parameters --- */

static bool
copy(struct request *r, const json_t *from, const char *name, char *out, size_t size)
{
	const char *text = json_member_str(from, name);

	if (text == NULL)
		return true;
	if ((size_t)snprintf(out, size, "%s", text) < size && text[0] != '\0')
		return true;
	request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, name, "filter.%s: 1 to %zu bytes", name, size - 1);
	return false;
}

static bool
read_time(struct request *r, const json_t *from, const char *name, int64_t *out)
{
	const char *text = json_member_str(from, name);

	if (text == NULL || clock_parse(text, out))
		return true;
	request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, name, "filter.%s: a time like 2026-01-31T08:00:00Z", name);
	return false;
}

static bool
read_filter(struct request *r, struct ledger_filter *f)
{
	const json_t *j = json_object_get(r->call.parameters, "filter");
	const json_t *uid = json_object_get(j, "uid");
	const char *number = json_member_str(j, "number");

	memset(f, 0, sizeof(*f));
	f->uid = json_is_integer(uid) ? json_integer_value(uid) : -1;
	if (number != NULL && !document_tag(r->broker, number, json_member_str(j, "date"), f->document_tag)) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return false;
	}
	return read_time(r, j, "from", &f->from_us) && read_time(r, j, "until", &f->until_us) &&
	       copy(r, j, "kind", f->kind, sizeof(f->kind)) && copy(r, j, "key", f->key, sizeof(f->key)) &&
	       copy(r, j, "token", f->token, sizeof(f->token)) &&
	       copy(r, j, "operation", f->operation, sizeof(f->operation)) &&
	       copy(r, j, "outcome", f->outcome, sizeof(f->outcome)) &&
	       copy(r, j, "digest", f->digest, sizeof(f->digest)) &&
	       copy(r, j, "documentTag", f->document_tag, sizeof(f->document_tag)) &&
	       copy(r, j, "certHash", f->cert_hash, sizeof(f->cert_hash)) &&
	       copy(r, j, "signatureHash", f->signature_hash, sizeof(f->signature_hash)) &&
	       copy(r, j, "requestId", f->request_id, sizeof(f->request_id));
}

static bool
read_range(struct request *r, struct log_reader *f)
{
	const json_t *params = r->call.parameters;
	const json_t *from = json_object_get(params, "from"), *limit = json_object_get(params, "limit");

	f->query.from = json_is_integer(from) ? (uint64_t)json_integer_value(from) : 0;
	f->left = json_is_integer(limit) ? (uint64_t)json_integer_value(limit) : UINT64_MAX;
	if (json_is_integer(from) && json_integer_value(from) < 0) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "from", "from: 0 or more");
		return false;
	}
	if (json_is_integer(limit) && (json_integer_value(limit) < 1 || json_integer_value(limit) > LIMIT_MAX)) {
		request_fail_with(r, SIGNET_ERR_INVALID_PARAMETER, "limit", "limit: 1 to %d", LIMIT_MAX);
		return false;
	}
	if (r->call.more || f->left == 1)
		return true;
	request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
	return false;
}

/* An auditor's reading is itself in the log, once per call. */
static void
record_reading(struct request *r, const struct log_right *right, const struct log_reader *f)
{
	struct entry *e = entry_new(r->broker, "export", r->who);

	if (e == NULL)
		return;
	if (right->rule != NULL)
		entry_str(e, "rule", right->rule);
	entry_str(e, "operation", "read");
	entry_str(e, "outcome", "ok");
	if (f->titles)
		entry_str(e, "detail", "titles");
	entry_append(e);
}

void
method_log_read(struct request *r)
{
	const json_t *params = r->call.parameters;
	struct log_right right;
	struct log_reader *f;
	bool own;

	if (!log_right(r, &right))
		return;
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	if (!read_range(r, f) || !read_filter(r, &f->filter)) {
		free(f);
		return;
	}
	own = !right.all || json_is_true(json_object_get(params, "own"));
	if (own)
		f->filter.uid = r->who->peer.uid;
	f->r = r;
	f->follow = r->call.more && json_is_true(json_object_get(params, "follow"));
	f->hashes = json_is_true(json_object_get(params, "hashes"));
	f->raw = f->hashes && right.all; /* an auditor must see what was changed on the disk */
	f->titles = json_is_true(json_object_get(params, "titles")) && (own || right.titles);
	r->state = f;
	r->cancel = on_cancel;
	r->resume = on_resume;
	if (!own)
		record_reading(r, &right, f);
	ask(f);
}
