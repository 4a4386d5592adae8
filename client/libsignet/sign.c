/*
 * Signatures: one digest, a batch of them, and what became of an earlier one
 * [org.signetd.Signer].
 *
 * Invariant: of a batch each item is seen at most once, and the call is good
 * only if all were seen. The good reply is read without a tree of JSON; what
 * has another form, errors first of all, through one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#include "result.h"

static const enum signet_digest_alg algorithms[] = {
    [SIGNET_SHA256] = DIGEST_SHA256,
    [SIGNET_SHA384] = DIGEST_SHA384,
    [SIGNET_SHA512] = DIGEST_SHA512,
};

SIGNET_API size_t
signet_hash_size(signet_hash hash)
{
	return (unsigned)hash < array_len(algorithms) ? digest_size(algorithms[hash]) : 0;
}

/* `done` is a promise: signature and receipt are there. */
static bool
is_whole(const signet_result *r)
{
	if (r->state == NULL)
		return false;
	return strcmp(r->state, "done") != 0 || (r->signature != NULL && r->entry != NULL);
}

/* Through a tree: anything but the good reply in its usual form. */
static signet_err
parsed_result(struct exchange *x, size_t len, struct result **made)
{
	struct reply r;
	signet_err err;

	err = exchange_parse(x, len, &r);
	if (err != SIGNET_OK)
		return err;
	*made = result_from_tree(&r, r.parameters);
	reply_done(&r);
	if (*made != NULL && is_whole(&(*made)->shown))
		return SIGNET_OK;
	signet_result_free(*made == NULL ? NULL : &(*made)->shown);
	return exchange_nonsense(x, "it has no proper signature and receipt");
}

static signet_err
one_result(struct exchange *x, signet_result **result)
{
	struct result *made = NULL;
	const char *text;
	struct quick q;
	size_t len;
	signet_err err;

	err = exchange_send(x, 0);
	if (err == SIGNET_OK)
		err = exchange_frame(x, &text, &len);
	if (err != SIGNET_OK)
		return err;
	if (quick_read(&q, text, len, false))
		made = result_from_quick(&q);
	err = made != NULL ? exchange_taken(x, len, false) : parsed_result(x, len, &made);
	if (err == SIGNET_OK)
		*result = &made->shown;
	return err;
}

static bool
param_digest(struct exchange *x, signet_hash hash, const uint8_t *bytes)
{
	size_t n = signet_hash_size(hash);

	if (n == 0 || bytes == NULL)
		return false;
	param_raw(x, "digest", "\"");
	buf_str(&x->conn->out, digest_name(algorithms[hash]));
	buf_chr(&x->conn->out, ':');
	buf_hex(&x->conn->out, bytes, n);
	buf_chr(&x->conn->out, '"');
	return true;
}

static void
param_document(struct exchange *x, const signet_document *d)
{
	if (d == NULL)
		return;
	param_raw(x, "document", "{");
	x->first = true;
	param_str(x, "number", d->number);
	param_str(x, "title", d->title);
	param_str(x, "date", d->date);
	param_str(x, "mediaType", d->media_type);
	param_str(x, "id", d->id);
	buf_chr(&x->conn->out, '}');
	x->first = false;
}

/* Options of a caller that was built with an older, shorter struct: the rest has the defaults. */
static bool
read_options(signet_options *o, const signet_options *given)
{
	static const signet_options defaults = SIGNET_OPTIONS_INIT;

	*o = defaults;
	if (given == NULL)
		return true;
	if (given->size < offsetof(signet_options, scheme) + sizeof(o->scheme) || given->size > sizeof(*o) ||
	    given->timeout_ms > SIGNET_TIMEOUT_MAX_MS)
		return false;
	memcpy(o, given, given->size);
	return true;
}

static void
param_options(struct exchange *x, const signet_options *o)
{
	param_str(x, "format", o->format);
	param_str(x, "level", o->level);
	param_str(x, "scheme", o->scheme);
	param_str(x, "capacity", o->capacity);
	param_str(x, "onBehalfOf", o->on_behalf_of);
	if (o->last_try)
		param_true(x, "lastTry");
	if (o->proof)
		param_true(x, "proof");
	if (o->timeout_ms > 0)
		x->timeout_ms = o->timeout_ms;
	param_uint(x, "timeoutMs", x->timeout_ms);
	x->timeout_ms += GRACE_MS;
}

SIGNET_API signet_err
signet_sign(signet_conn *conn, const char *key, signet_hash hash, const uint8_t *digest,
    const signet_options *options, signet_result **result)
{
	signet_options o;
	struct exchange x;
	signet_err err;

	error_clear();
	if (key == NULL || result == NULL || !read_options(&o, options))
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	err = exchange_begin(&x, conn, "org.signetd.Signer.Sign", o.pin);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "key", key);
	if (param_digest(&x, hash, digest)) {
		param_document(&x, o.document);
		param_str(&x, "requestId", o.request_id);
		param_options(&x, &o);
		err = one_result(&x, result);
	} else {
		err = error_plain(conn, SIGNET_ERR_ARGUMENT);
	}
	exchange_end(&x);
	return err;
}

SIGNET_API signet_err
signet_collect(signet_conn *conn, const char *request, const char *request_id, const uint64_t *index,
    signet_result **result)
{
	struct exchange x;
	signet_err err;

	error_clear();
	if (result == NULL || (request != NULL) + (request_id != NULL) + (index != NULL) != 1)
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	err = exchange_begin(&x, conn, "org.signetd.Signer.Collect", NULL);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "request", request);
	param_str(&x, "requestId", request_id);
	if (index != NULL)
		param_uint(&x, "index", *index);
	err = one_result(&x, result);
	exchange_end(&x);
	return err;
}

static bool
param_items(struct exchange *x, const signet_item *items, size_t count)
{
	size_t i;

	param_raw(x, "items", "[");
	for (i = 0; i < count; i++) {
		buf_str(&x->conn->out, i == 0 ? "{" : ",{");
		x->first = true;
		if (!param_digest(x, items[i].hash, items[i].digest))
			return false;
		param_document(x, items[i].document);
		param_str(x, "requestId", items[i].request_id);
		buf_chr(&x->conn->out, '}');
	}
	buf_chr(&x->conn->out, ']');
	x->first = false;
	return true;
}

struct batch {
	bool seen[SIGNET_BATCH_MAX];
	size_t count, done;
	signet_result_fn *fn;
	void *arg;
};

/* Each item once. False: it has no business here. */
static bool
claim_item(struct batch *b, uint64_t item)
{
	if (item >= b->count || b->seen[item])
		return false;
	b->seen[item] = true;
	b->done++;
	return true;
}

/* Fill in what only a batch's result has. */
static bool
complete_item(struct batch *b, struct result *r, const json_t *object)
{
	struct members m = {.object = object};
	int64_t item = member_int(&m, "item", -1);

	r->shown.error_name = member_str(&m, "error", false);
	r->shown.message = member_str(&m, "message", false);
	if (m.bad || item < 0 || !claim_item(b, (uint64_t)item))
		return false;
	r->shown.item = (size_t)item;
	if (r->shown.error_name == NULL) {
		r->shown.state = "done";
		return is_whole(&r->shown);
	}
	r->shown.error = err_from_wire(r->shown.error_name);
	if (r->shown.message == NULL)
		r->shown.message = signet_strerror(r->shown.error);
	return true;
}

static signet_err
parsed_item(struct exchange *x, struct batch *b, size_t len, struct result **made)
{
	const json_t *object;
	struct reply r;
	signet_err err;

	err = exchange_parse(x, len, &r);
	if (err != SIGNET_OK)
		return err;
	object = json_object_get(r.parameters, "result");
	*made = result_from_tree(&r, object);
	if (*made == NULL || !complete_item(b, *made, object))
		err = exchange_nonsense(x, "it has no proper `result`, or one item twice");
	reply_done(&r);
	return err;
}

static signet_err
quick_item(struct exchange *x, struct batch *b, size_t len, const struct quick *q)
{
	signet_err err;

	err = exchange_taken(x, len, q->continues);
	if (err == SIGNET_OK && !claim_item(b, q->item))
		err = exchange_nonsense(x, "it has one item twice");
	return err;
}

static signet_err
next_result(struct exchange *x, struct batch *b)
{
	struct result *made = NULL;
	const char *text;
	struct quick q;
	size_t len;
	signet_err err;

	err = exchange_frame(x, &text, &len);
	if (err != SIGNET_OK)
		return err;
	if (quick_read(&q, text, len, true))
		made = result_from_quick(&q);
	err = made != NULL ? quick_item(x, b, len, &q) : parsed_item(x, b, len, &made);
	if (err == SIGNET_OK)
		b->fn(b->arg, &made->shown);
	signet_result_free(made == NULL ? NULL : &made->shown);
	return err;
}

static signet_err
run_batch(struct exchange *x, struct batch *b)
{
	signet_err err;

	err = exchange_send(x, SIGNET_CALL_MORE);
	while (err == SIGNET_OK && x->open)
		err = next_result(x, b);
	if (err == SIGNET_OK && b->done != b->count)
		err = exchange_nonsense(x, "it leaves items out");
	return err;
}

SIGNET_API signet_err
signet_sign_batch(signet_conn *conn, const char *key, const signet_item *items, size_t count,
    const signet_options *options, signet_result_fn *fn, void *arg)
{
	struct batch b = {.count = count, .fn = fn, .arg = arg};
	signet_options o;
	struct exchange x;
	signet_err err;

	error_clear();
	if (key == NULL || items == NULL || fn == NULL || !read_options(&o, options) || o.document != NULL ||
	    o.request_id != NULL)
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	if (count == 0 || count > SIGNET_BATCH_MAX)
		return error_set(conn, SIGNET_ERR_LIMIT, "a batch has 1 to %d items", SIGNET_BATCH_MAX);
	if (o.timeout_ms == 0)
		o.timeout_ms = SIGNET_TIMEOUT_MAX_MS;
	err = exchange_begin(&x, conn, "org.signetd.Signer.SignBatch", o.pin);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "key", key);
	if (param_items(&x, items, count)) {
		param_options(&x, &o);
		err = run_batch(&x, &b);
	} else {
		err = error_plain(conn, SIGNET_ERR_ARGUMENT);
	}
	exchange_end(&x);
	return err;
}
