/*
 * Signing the files of a job: one with Sign, several with SignBatch.
 *
 * Invariant: a file leaves FILE_WAITING once, with its signature on the disk
 * or with a reason. What a lost connection left open is asked for by its
 * requestId, which never signs twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include <signet/log.h>

#include "out.h"
#include "receipt.h"
#include "sign.h"

enum { RECOVER_MS = 5000 }; /* a daemon that was silent before is not waited for as long again */

struct chunk { /* one call of SignBatch */
	struct job *job;
	struct file *files[SIGNET_BATCH_MAX];
	signet_item items[SIGNET_BATCH_MAX];
	size_t count;
	signet_err pin_err; /* an item was not tried for want of a (right) PIN */
	char *pin_message;
};

/* The daemon's object for --json. */
static json_t *
result_json(const signet_result *r)
{
	char *signature = malloc(BASE64_LEN(r->signature_size) + 1), leaf[BASE64_LEN(32) + 1];
	json_t *object;

	if (signature == NULL)
		return NULL;
	base64_encode(signature, r->signature, r->signature_size);
	signature[BASE64_LEN(r->signature_size)] = '\0';
	base64_encode(leaf, r->leaf_hash, 32);
	leaf[BASE64_LEN(32)] = '\0';
	object = json_pack("{s:s, s:{s:s, s:I, s:s, s:s, s:s, s:s*}}", "signature", signature, "receipt",
	    "log", r->log, "index", (json_int_t)r->index, "time", r->time, "entry", r->entry, "leafHash",
	    leaf, "proof", r->proof);
	free(signature);
	return object;
}

/* Put the signature where it belongs. */
static int
deliver(const struct job *j, const struct file *f, const signet_result *r)
{
	const uint8_t *bytes = r->signature;
	size_t size = r->signature_size;
	int failed = 0;

	if (j->compose != NULL)
		failed = j->compose(j->compose_arg, r, &bytes, &size);
	if (failed != 0)
		return failed;
	if (f->out != NULL)
		return out_write(f->out, bytes, size, given(j->c, OPT_FORCE));
	return fwrite(bytes, 1, size, stdout) == size ? 0 : errno;
}

/* The signature is where it belongs: now its receipt. */
static void
deliver_receipt(const struct job *j, struct file *f, const signet_result *r)
{
	char *path = receipt_beside(f->out), *json = NULL;
	int failed = 0;
	signet_err err;

	err = signet_receipt_make(r, j->hash, f->digest, &json);
	if (err == SIGNET_OK)
		failed = out_write(path, json, strlen(json), given(j->c, OPT_FORCE));
	if (err == SIGNET_ERR_UNSUPPORTED)
		file_fail(f, CTL_FAILED,
		    _("it was signed (log entry %llu), but came without proof; signetctl receipt %s fetches "
		      "it"),
		    (unsigned long long)r->index, f->path);
	else if (err != SIGNET_OK || failed != 0)
		file_fail(f, CTL_FAILED,
		    _("it was signed (log entry %llu), but %s cannot be written: %s; signetctl receipt %s "
		      "fetches it again"),
		    (unsigned long long)r->index, path,
		    err != SIGNET_OK ? signet_strerror(err) : strerror(failed), f->path);
	free(json);
	free(path);
}

static void
file_signed(struct job *j, struct file *f, const signet_result *r)
{
	int failed;

	f->index = r->index;
	if (r->signature == NULL || r->leaf_hash == NULL) {
		file_fail(f, CTL_UNSURE,
		    _("the request is %s; signetctl collect --request-id %s tells how it ends"),
		    word_text(r->state), f->request_id);
		return;
	}
	failed = deliver(j, f, r);
	if (failed != 0 && j->compose != NULL) {
		/* the signature alone is worth nothing: it is sooner made anew */
		file_fail(f, CTL_FAILED, _("it was signed (log entry %llu), but %s cannot be written: %s"),
		    (unsigned long long)r->index, f->out, strerror(failed));
		return;
	}
	if (failed != 0) {
		file_fail(f, CTL_FAILED,
		    _("it was signed (log entry %llu), but %s cannot be written: %s; signetctl collect "
		      "--index %llu "
		      "--out FILE fetches the signature again"),
		    (unsigned long long)r->index, f->out == NULL ? "stdout" : f->out, strerror(failed),
		    (unsigned long long)r->index);
		return;
	}
	f->state = FILE_DONE;
	f->result = result_json(r);
	if (given(j->c, OPT_RECEIPT))
		deliver_receipt(j, f, r);
}

static void
file_refused(struct file *f, signet_err err, const char *message)
{
	char *sentence = error_sentence(err, message);

	f->err = err;
	if (exit_for(err) == CTL_UNSURE)
		file_fail(f, CTL_UNSURE, _("%s (request %s)"), sentence, f->request_id);
	else
		file_fail(f, exit_for(err), "%s", sentence);
	free(sentence);
}

static void
fill_options(const struct job *j, signet_options *o)
{
	const struct ctl *c = j->c;

	*o = (signet_options)SIGNET_OPTIONS_INIT;
	o->level = c->value[OPT_LEVEL];
	o->scheme = c->value[OPT_SCHEME];
	o->format = j->format;
	o->pin = j->pin.pin;
	o->last_try = j->pin.last_try;
	o->capacity = c->value[OPT_CAPACITY];
	o->on_behalf_of = c->value[OPT_FOR];
	o->timeout_ms = j->timeout_ms;
	o->proof = given(c, OPT_RECEIPT);
}

/* Where a PIN was missing or wrong: another one, then the call again. */
static int
answer(struct job *j, signet_err err)
{
	return pin_answer(
	    &j->pin, j->c, err, signet_error_message(j->c->conn), signet_error_parameters(j->c->conn));
}

/* After a lost connection: what became of this file? */
static void
ask_again(struct job *j, struct file *f)
{
	signet_result *r = NULL;
	signet_err err;

	err = signet_collect(j->c->conn, NULL, f->request_id, NULL, &r);
	if (err == SIGNET_OK)
		file_signed(j, f, r);
	else if (err == SIGNET_ERR_REQUEST_NOT_FOUND)
		file_fail(f, CTL_LATER, "%s", _("not signed: the request did not get that far"));
	else
		file_refused(f, err, signet_error_message(j->c->conn));
	signet_result_free(r);
}

static bool
reconnect(struct job *j)
{
	signet_close(j->c->conn);
	j->c->conn = NULL;
	return signet_connect(&j->c->conn, j->c->value[OPT_SOCKET]) == SIGNET_OK &&
	       signet_set_timeout(j->c->conn, RECOVER_MS) == SIGNET_OK;
}

/* No answer came, or the connection broke: ask once what became of each file that is open. */
static void
recover(struct job *j)
{
	/* an error that the daemon sent itself leaves the connection alive */
	bool alive = signet_error_name(j->c->conn)[0] != '\0';
	size_t i;

	if (!alive && !reconnect(j))
		return;
	j->recovered = true;
	for (i = 0; i < j->count; i++) {
		if (j->files[i].state == FILE_WAITING)
			ask_again(j, &j->files[i]);
	}
}

/* The call ended for good with err, which was printed. What it leaves open was not signed, or is not known. */
static int
close_open(struct job *j, signet_err err, int code)
{
	size_t i;

	if (err == SIGNET_ERR_IO || err == SIGNET_ERR_TIMEOUT)
		recover(j);
	for (i = 0; i < j->count; i++) {
		struct file *f = &j->files[i];

		if (f->state != FILE_WAITING)
			continue;
		if (code == CTL_UNSURE)
			file_fail(f, CTL_UNSURE,
			    _("what became of it is not known: signetctl collect --request-id %s tells"),
			    f->request_id);
		else
			file_fail(f, code, "%s", _("not signed"));
	}
	return code;
}

static int
sign_one(struct job *j, struct file *f)
{
	const struct ctl *c = j->c;
	const signet_document document = {
	    .title = c->value[OPT_TITLE], .number = c->value[OPT_NUMBER], .date = c->value[OPT_DATE]};
	bool described = given(c, OPT_TITLE) || given(c, OPT_NUMBER) || given(c, OPT_DATE);
	signet_result *r = NULL;
	signet_options o;
	signet_err err;
	int code;

	do {
		fill_options(j, &o);
		o.request_id = f->request_id;
		o.document = described ? &document : NULL;
		err = signet_sign(c->conn, j->key.name, j->hash, f->digest, &o, &r);
		if (err == SIGNET_OK) {
			file_signed(j, f, r);
			signet_result_free(r);
			return CTL_OK;
		}
		code = answer(j, err);
	} while (code == CTL_OK);
	return close_open(j, err, code);
}

static bool
is_about_pin(signet_err err)
{
	return err == SIGNET_ERR_PIN_REQUIRED || err == SIGNET_ERR_PIN_INCORRECT ||
	       err == SIGNET_ERR_PIN_LAST_TRY;
}

static void
chunk_result(void *arg, const signet_result *r)
{
	struct chunk *chunk = arg;
	struct file *f = chunk->files[r->item];

	if (r->error == SIGNET_OK) {
		file_signed(chunk->job, f, r);
	} else if (is_about_pin(r->error)) {
		/* stays open: a person may still give the right one */
		chunk->pin_err = r->error;
		free(chunk->pin_message);
		chunk->pin_message = strdup(r->message);
	} else {
		file_refused(f, r->error, r->message);
	}
	sign_progress(chunk->job);
}

static void
fill_chunk(struct chunk *chunk)
{
	struct job *j = chunk->job;
	size_t i;

	chunk->count = 0;
	for (i = 0; i < j->count && chunk->count < SIGNET_BATCH_MAX; i++) {
		struct file *f = &j->files[i];

		if (f->state != FILE_WAITING)
			continue;
		chunk->files[chunk->count] = f;
		chunk->items[chunk->count++] =
		    (signet_item){.hash = j->hash, .digest = f->digest, .request_id = f->request_id};
	}
}

/* A result names no token: the key's own does. */
static int
answer_item(struct job *j, struct chunk *chunk)
{
	char *parameters;
	int code;

	code = pick_details(&j->key, j->c);
	if (code != CTL_OK)
		return code;
	parameters = json_text_of("token", j->key.token);
	code = pin_answer(
	    &j->pin, j->c, chunk->pin_err, chunk->pin_message == NULL ? "" : chunk->pin_message, parameters);
	free(parameters);
	return code;
}

static int
sign_chunk(struct job *j, struct chunk *chunk)
{
	signet_options o;
	signet_err err;

	chunk->pin_err = SIGNET_OK;
	fill_options(j, &o);
	err = signet_sign_batch(j->c->conn, j->key.name, chunk->items, chunk->count, &o, chunk_result, chunk);
	if (err != SIGNET_OK) {
		int code = answer(j, err);

		return code == CTL_OK ? CTL_OK : close_open(j, err, code);
	}
	if (chunk->pin_err != SIGNET_OK) {
		int code = answer_item(j, chunk);

		return code == CTL_OK ? CTL_OK : close_open(j, chunk->pin_err, code);
	}
	return CTL_OK;
}

int
sign_run(struct job *j)
{
	static struct chunk chunk;
	int code = CTL_OK;

	if (j->count == 1)
		return j->files[0].state == FILE_WAITING ? sign_one(j, &j->files[0]) : CTL_OK;
	chunk.job = j;
	for (fill_chunk(&chunk); chunk.count > 0 && code == CTL_OK; fill_chunk(&chunk))
		code = sign_chunk(j, &chunk);
	free(chunk.pin_message);
	chunk.pin_message = NULL;
	return code;
}
