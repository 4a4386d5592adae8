/*
 * Admin.GenerateKey, RequestCertificate, ImportCertificate: on a token that is
 * plugged in and that no worker owns. A fresh process does it; what it did is
 * in the log before anybody is told, since the key has signed.
 */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "driver_place.h"
#include "entry.h"
#include "identity.h"
#include "once.h"
#include "permit.h"
#include "text.h"

enum { WORK_MS = 600000 }; /* RSA-4096 on a card takes minutes */

struct provisioning {
	struct request *r; /* NULL: the caller has gone; what is done is logged all the same */
	struct broker *broker;
	struct identity *who;
	struct driver_places drivers;
	struct once *once;
	const char *operation; /* a static string */
	char serial[64];
	json_t *reply;
};

static void
provisioning_free(struct provisioning *p)
{
	if (p->r != NULL) {
		p->r->cancel = NULL;
		p->r->state = NULL;
	}
	driver_places_done(&p->drivers);
	identity_unref(p->who);
	json_decref(p->reply);
	free(p);
}

static void
on_cancel(struct request *r)
{
	struct provisioning *p = r->state;

	r->cancel = NULL;
	r->state = NULL;
	p->r = NULL; /* a key may be half made: it is finished, and logged */
}

/* --- how it ended --- */

static signet_err
error_of(const json_t *answer)
{
	static const struct {
		const char *name;
		signet_err err;
	} errors[] = {{"PinIncorrect", SIGNET_ERR_PIN_INCORRECT}, {"PinBlocked", SIGNET_ERR_PIN_BLOCKED},
	    {"PinLastTry", SIGNET_ERR_PIN_LAST_TRY}, {"TokenAbsent", SIGNET_ERR_TOKEN_ABSENT}, {"Busy", SIGNET_ERR_BUSY},
	    {"CertificateInvalid", SIGNET_ERR_CERTIFICATE_INVALID}};
	const char *name = json_member_str(answer, "error");

	for (size_t i = 0; name != NULL && i < array_len(errors); i++)
		if (strcmp(name, errors[i].name) == 0)
			return errors[i].err;
	return SIGNET_ERR_TOKEN_FAILED;
}

static void
fail(struct provisioning *p, signet_err err, const char *why)
{
	struct request *r = p->r;
	struct fault f;

	fault_set(&f, err, p->serial, "%s", why);
	fault_set_reason(&f, "%s", why);
	provisioning_free(p);
	if (r != NULL)
		request_fail(r, &f);
}

static void
on_logged(void *arg, signet_err err, uint64_t index)
{
	struct provisioning *p = arg;
	struct request *r = p->r;
	json_t *reply;

	(void)index;
	if (err != SIGNET_OK) {
		fail(p, SIGNET_ERR_LOG_UNAVAILABLE, ledger_why(p->broker->log));
		return;
	}
	reply = json_incref(p->reply);
	provisioning_free(p);
	if (r != NULL)
		request_reply(r, reply);
	else
		json_decref(reply);
}

static void
log_it(struct provisioning *p, const char *outcome, const char *error, const char *hash)
{
	struct entry *e = p->broker->closed_log ? NULL : entry_new(p->broker, "key", p->who);
	struct verdict v = permit_again(p->broker, p->who, VERB_ADMIN, NULL);

	if (e == NULL) {
		fail(p, SIGNET_ERR_LOG_UNAVAILABLE, "the daemon stops");
		return;
	}
	if (v.rule != NULL)
		entry_str(e, "rule", v.rule);
	entry_str(e, "proof", "pin");
	if (hash != NULL)
		entry_str(e, "certHash", hash);
	entry_str(e, "tokenSerial", p->serial);
	entry_str(e, "operation", p->operation);
	entry_str(e, "outcome", outcome);
	if (error != NULL)
		entry_str(e, "error", error);
	else
		entry_tell(e, on_logged, p);
	entry_append(e);
}

/* Member by member, and of the right kind. */
static json_t *
checked(const json_t *answer)
{
	static const char *const names[] = {"id", "publicKey", "request", "hash", "subject", "notAfter"};
	json_t *out = json_object();

	for (size_t i = 0; i < array_len(names); i++)
		if (json_member_str(answer, names[i]) != NULL)
			json_object_set_new(out, names[i], json_string(json_member_str(answer, names[i])));
	return out;
}

static bool
is_whole(const struct provisioning *p)
{
	const char *last = strcmp(p->operation, "generate") == 0 ? "publicKey" : strcmp(p->operation, "request") == 0 ? "request" : "hash";

	return json_member_str(p->reply, "id") != NULL && json_member_str(p->reply, last) != NULL;
}

static void
on_answer(void *arg, const json_t *answer, const char *why)
{
	struct provisioning *p = arg;
	signet_err err = error_of(answer);

	p->once = NULL;
	p->reply = checked(answer);
	if (is_whole(p)) {
		log_it(p, "ok", NULL, json_member_str(p->reply, "hash"));
		return;
	}
	if (why == NULL)
		why = json_member_str(answer, "reason");
	if (err != SIGNET_ERR_BUSY && err != SIGNET_ERR_TOKEN_ABSENT) /* nothing was tried then */
		log_it(p, "failed", err_wire_name(err), NULL);
	fail(p, err, why != NULL ? why : "the driver process does not speak our protocol");
}

/* --- the methods --- */

static bool
take_texts(const struct request *r, json_t *request, struct fault *f)
{
	static const char *const names[] = {"algorithm", "label", "id", "subject", "organisation"};

	for (size_t i = 0; i < array_len(names); i++) {
		const char *text = json_member_str(r->call.parameters, names[i]), *why = NULL;

		if (text == NULL)
			continue;
		if (text[0] == '\0' || text_check(text, strlen(text), &why) != SIGNET_OK) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, names[i], "%s: %s", names[i], why != NULL ? why : "it is empty");
			return false;
		}
		json_object_set_new(request, names[i], json_string(text));
	}
	return true;
}

/* The PIN is wiped with the message, with this object (base/json.h) and with the text that is sent. */
static json_t *
compose(const struct request *r, const char *operation, struct fault *f)
{
	json_t *request = json_pack("{s:s}", "operation", operation);
	const char *certificate = json_member_str(r->call.parameters, "certificate");

	if (!take_texts(r, request, f)) {
		json_decref(request);
		return NULL;
	}
	if (certificate != NULL)
		json_object_set_new(request, "certificate", json_string(certificate));
	json_object_set(request, "pin", json_object_get(r->call.parameters, "pin"));
	json_object_set_new(request, "lastTry", json_boolean(json_is_true(json_object_get(r->call.parameters, "lastTry"))));
	return request;
}

static bool
check_size(const struct request *r, struct fault *f)
{
	static const struct {
		const char *name;
		size_t max;
	} limits[] = {{"serial", 63}, {"pin", SECRET_MAX}, {"certificate", 11000}, {"id", 510}};

	for (size_t i = 0; i < array_len(limits); i++) {
		const char *text = json_member_str(r->call.parameters, limits[i].name);

		if (text != NULL && (text[0] == '\0' || strlen(text) > limits[i].max)) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, limits[i].name, "%s: 1 to %zu bytes", limits[i].name, limits[i].max);
			return false;
		}
	}
	return true;
}

static void
ask(struct provisioning *p, const json_t *request)
{
	const struct driver_place *d = p->drivers.places;
	struct once_question q = {.module = d->module, .serial = p->serial, .paths = d->paths, .path_count = d->path_count,
	    .environment = d->environment, .environment_count = d->environment_count, .request = request, .timeout_ms = WORK_MS,
	    .done = on_answer, .arg = p};
	char why[300] = "too many such questions are under way: try again";
	signet_err err = once_ask(&p->once, p->broker, &q, why, sizeof(why));

	if (err != SIGNET_OK)
		fail(p, err, why);
}

static void
begin(struct request *r, const char *operation)
{
	struct provisioning *p = calloc(1, sizeof(*p));
	json_t *request;
	struct fault f;

	if (p == NULL) {
		request_fail_with(r, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return;
	}
	p->broker = r->broker;
	p->operation = operation;
	request = check_size(r, &f) && driver_places_take(&p->drivers, r, &f) ? compose(r, operation, &f) : NULL;
	if (request == NULL || !ledger_available(r->broker->log)) {
		if (request != NULL)
			fault_set(&f, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", "");
		json_decref(request);
		provisioning_free(p);
		request_fail(r, &f);
		return;
	}
	snprintf(p->serial, sizeof(p->serial), "%s", json_member_str(r->call.parameters, "serial"));
	p->r = r;
	p->who = identity_ref(r->who);
	r->state = p;
	r->cancel = on_cancel;
	ask(p, request);
	json_decref(request);
}

void
method_generate_key(struct request *r)
{
	begin(r, "generate");
}

void
method_request_certificate(struct request *r)
{
	begin(r, "request");
}

void
method_import_certificate(struct request *r)
{
	begin(r, "import");
}
