/*
 * Signatures: one digest, a batch of them, and what became of an earlier one
 * [org.signetd.Signer].
 *
 * Invariant: a result is complete (signature decoded, receipt checked for its
 * form) before anyone sees it, and of a batch each item is seen at most once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"

#include "conn.h"

enum { LEAF_SIZE = 32 };

struct result {
	signet_result shown; /* first: what callers hold is a pointer to it */
	json_t *parameters;  /* owns the texts */
	uint8_t leaf[LEAF_SIZE];
	uint8_t signature[];
};

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

SIGNET_API void
signet_result_free(signet_result *result)
{
	struct result *r = (struct result *)result;

	if (r == NULL)
		return;
	json_decref(r->parameters);
	free(r);
}

static bool
read_receipt(struct result *r, const json_t *receipt)
{
	struct members m = {.object = receipt};
	size_t size = LEAF_SIZE;
	const char *leaf;

	if (receipt == NULL || json_is_null(receipt))
		return true;
	if (!json_is_object(receipt))
		return false;
	r->shown.log = member_str(&m, "log", true);
	r->shown.index = (uint64_t)member_int(&m, "index", -1);
	r->shown.time = member_str(&m, "time", true);
	r->shown.entry = member_str(&m, "entry", true);
	r->shown.proof = member_str(&m, "proof", false);
	leaf = member_str(&m, "leafHash", true);
	if (m.bad || base64_decode(leaf, strlen(leaf), r->leaf, &size) != SIGNET_OK || size != LEAF_SIZE)
		return false;
	r->shown.leaf_hash = r->leaf;
	return true;
}

static bool
read_signature(struct result *r, const char *text, size_t len)
{
	size_t size = len / 4 * 3;

	if (text == NULL)
		return true;
	if (base64_decode(text, len, r->signature, &size) != SIGNET_OK || size == 0)
		return false;
	r->shown.signature = r->signature;
	r->shown.signature_size = size;
	return true;
}

/* What Sign, Collect and a Result have in common. NULL: not of that form, or no memory. */
static struct result *
result_new(const struct reply *reply, const json_t *object)
{
	const json_t *signature = json_object_get(object, "signature");
	size_t len = json_string_length(signature); /* 0 where it is none */
	struct members m = {.object = object};
	struct result *r;

	r = calloc(1, sizeof(*r) + len / 4 * 3);
	if (r == NULL)
		return NULL;
	r->parameters = json_incref(reply->parameters);
	r->shown.state = member_str(&m, "state", false);
	r->shown.request = member_str(&m, "request", false);
	if (read_signature(r, member_str(&m, "signature", false), len) &&
	    read_receipt(r, json_object_get(object, "receipt")) && !m.bad)
		return r;
	signet_result_free(&r->shown);
	return NULL;
}

/* `done` is a promise: signature and receipt are there. */
static bool
is_whole(const signet_result *r)
{
	if (r->state == NULL)
		return false;
	return strcmp(r->state, "done") != 0 || (r->signature != NULL && r->entry != NULL);
}

static signet_err
one_result(struct exchange *x, signet_result **result)
{
	struct result *made;
	struct reply r;
	signet_err err;

	err = call_one(x, &r);
	if (err != SIGNET_OK)
		return err;
	made = result_new(&r, r.parameters);
	if (made == NULL || !is_whole(&made->shown)) {
		signet_result_free(made == NULL ? NULL : &made->shown);
		err = call_nonsense(x, "it has no proper signature and receipt");
	} else {
		*result = &made->shown;
	}
	reply_done(&r);
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
signet_sign(signet_conn *conn, const char *key, signet_hash hash, const uint8_t *digest, const signet_options *options,
    signet_result **result)
{
	signet_options o;
	struct exchange x;
	signet_err err;

	error_clear();
	if (key == NULL || result == NULL || !read_options(&o, options))
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	err = call_begin(&x, conn, "org.signetd.Signer.Sign", o.pin);
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
	call_end(&x);
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
	err = call_begin(&x, conn, "org.signetd.Signer.Collect", NULL);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "request", request);
	param_str(&x, "requestId", request_id);
	if (index != NULL)
		param_uint(&x, "index", *index);
	err = one_result(&x, result);
	call_end(&x);
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

/* Fill in what only a batch's result has; false if the item has no business here. */
static bool
claim_item(struct batch *b, struct result *r, const json_t *object)
{
	struct members m = {.object = object};
	int64_t item = member_int(&m, "item", -1);

	r->shown.error_name = member_str(&m, "error", false);
	r->shown.message = member_str(&m, "message", false);
	if (m.bad || item >= (int64_t)b->count || b->seen[item])
		return false;
	r->shown.item = (size_t)item;
	if (r->shown.error_name != NULL) {
		r->shown.error = err_from_wire(r->shown.error_name);
		if (r->shown.message == NULL)
			r->shown.message = signet_strerror(r->shown.error);
	} else if (r->shown.signature == NULL || r->shown.entry == NULL) {
		return false;
	} else {
		r->shown.state = "done";
	}
	b->seen[item] = true;
	b->done++;
	return true;
}

static signet_err
next_result(struct exchange *x, struct batch *b)
{
	const json_t *object;
	struct result *made;
	struct reply r;
	signet_err err;

	err = call_next(x, &r);
	if (err != SIGNET_OK)
		return err;
	object = json_object_get(r.parameters, "result");
	made = result_new(&r, object);
	if (made != NULL && claim_item(b, made, object))
		b->fn(b->arg, &made->shown);
	else
		err = call_nonsense(x, "it has no proper `result`, or one item twice");
	signet_result_free(made == NULL ? NULL : &made->shown);
	reply_done(&r);
	return err;
}

static signet_err
run_batch(struct exchange *x, struct batch *b)
{
	signet_err err;

	err = call_send(x, SIGNET_CALL_MORE);
	while (err == SIGNET_OK && x->open)
		err = next_result(x, b);
	if (err == SIGNET_OK && b->done != b->count)
		err = call_nonsense(x, "it leaves items out");
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
	err = call_begin(&x, conn, "org.signetd.Signer.SignBatch", o.pin);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "key", key);
	if (param_items(&x, items, count)) {
		param_options(&x, &o);
		err = run_batch(&x, &b);
	} else {
		err = error_plain(conn, SIGNET_ERR_ARGUMENT);
	}
	call_end(&x);
	return err;
}
