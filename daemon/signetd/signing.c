/*
 * The way of one signature. The order of the checks is the order of what they
 * give away: first whether the key exists for this caller, then what is wrong
 * with the call, then whether it was signed before.
 */
#include "signing.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "document.h"
#include "inbox.h"
#include "log_proof.h"
#include "permit.h"
#include "scheme.h"
#include "stamp.h"
#include "stamping.h"
#include "text.h"
#include "token.h"

enum { DEFAULT_TIMEOUT_MS = 60000 };

static bool
take_pin(const json_t *params, struct secret **pin, struct fault *f)
{
	json_t *text = json_object_get(params, "pin");
	size_t len = json_string_length(text);

	*pin = NULL;
	if (!json_is_string(text))
		return true;
	if (secret_take(pin, (void *)(uintptr_t)json_string_value(text), len) == SIGNET_OK) /* wiped in the message */
		return true;
	fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "pin", "a PIN has 1 to %d bytes", SECRET_MAX);
	return false;
}

bool
sign_params_read(struct request *r, struct sign_params *p, struct secret **pin, struct fault *f)
{
	const json_t *params = r->call.parameters;

	memset(p, 0, sizeof(*p));
	p->key_name = json_member_str(params, "key");
	p->format = json_member_str(params, "format");
	p->level = json_member_str(params, "level");
	p->scheme_word = json_member_str(params, "scheme");
	p->scheme = scheme_parse(p->scheme_word);
	p->capacity = json_member_str(params, "capacity");
	p->on_behalf_of = json_member_str(params, "onBehalfOf");
	p->last_try = json_is_true(json_object_get(params, "lastTry"));
	p->proof = json_is_true(json_object_get(params, "proof"));
	if (!take_pin(params, pin, f) || !request_timeout(r, DEFAULT_TIMEOUT_MS, &p->timeout_ms, f))
		return false;
	p->cms = format_parse(p->format);
	p->stamped = p->level != NULL && strcmp(p->level, "t") == 0;
	return level_check(r->broker, p->cms, p->level, f);
}

static void
drop_pin(struct signing *s)
{
	secret_free(s->pin);
	s->pin = NULL;
	answer_done(&s->answer);
}

static void
end(struct signing *s)
{
	drop_pin(s);
	s->done(s);
}

/* Whether it is there, how long it is, and what it says: no two lists of texts give the same bytes. */
static bool
hash_text(EVP_MD_CTX *ctx, const char *text)
{
	uint64_t len = text != NULL ? strlen(text) + 1 : 0;
	uint64_t head = htole64(len);

	return EVP_DigestUpdate(ctx, &head, sizeof(head)) == 1 && (len < 2 || EVP_DigestUpdate(ctx, text, len - 1) == 1);
}

/* What makes two calls with one requestId the same call: everything but PIN, lastTry, timeoutMs and proof. */
static bool
hash_input(const struct signing *s, uint8_t out[LEDGER_HASH])
{
	static EVP_MD_CTX *ctx;
	const struct sign_params *p = s->params;
	const char *parts[] = {"sign", p->key_name, s->digest, p->format != NULL ? p->format : "raw",
	    p->level != NULL ? p->level : "b", p->scheme_word, p->capacity, p->on_behalf_of,
	    json_member_str(s->document, "number"), json_member_str(s->document, "title"),
	    json_member_str(s->document, "date"), json_member_str(s->document, "mediaType"),
	    json_member_str(s->document, "id")};

	if (ctx == NULL)
		ctx = EVP_MD_CTX_new();
	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return false;
	for (size_t i = 0; i < array_len(parts); i++)
		if (!hash_text(ctx, parts[i]))
			return false;
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

/* --- the first reply again --- */

static void
read_free(struct ledger_read *read)
{
	buf_done(&read->entry);
	buf_done(&read->value);
	free(read);
}

static void
take_row(struct signing *s, const struct ledger_read *read)
{
	s->outcome = (struct outcome){.sig = read->value.data, .sig_len = read->value.len, .index = read->index,
	    .time = read->time, .entry = read->entry.data, .entry_len = read->entry.len, .leaf = read->leaf};
}

static void
on_stamped(struct stamping *st)
{
	struct signing *s = st->owner;

	s->stamping = NULL;
	s->fault = st->fault;
	s->outcome = st->outcome;
	end(s);
}

/* It is signed. Level t wants more; what is borrowed by the outcome may go after this. */
static void
deliver(struct signing *s)
{
	if (!s->params->stamped) {
		end(s);
		return;
	}
	s->stamping = stamping_begin(
	    s->r->broker, s->r->who, s->request_id != NULL, &s->outcome, on_stamped, s, &s->fault);
	if (s->stamping == NULL)
		end(s);
}

static void
end_with_row(struct signing *s, const struct buf *proof)
{
	struct ledger_read *read = s->read;

	s->read = NULL;
	take_row(s, read);
	if (proof != NULL) {
		s->outcome.proof = (const char *)proof->data;
		s->outcome.proof_len = proof->len;
	}
	deliver(s);
	read_free(read);
}

static void
on_proved(struct log_proof *p)
{
	struct signing *s = p->owner;
	struct buf text;

	if (s == NULL)
		return; /* left */
	s->proving = NULL;
	buf_init(&text, 64 * 1024);
	log_proof_write(&text, p);
	end_with_row(s, &text);
	buf_done(&text);
}

static void
on_row(struct ledger_read *read)
{
	struct signing *s = read->owner;

	if (s == NULL) { /* left */
		read_free(read);
		return;
	}
	if (read->err != SIGNET_OK) {
		s->read = NULL;
		fault_set(&s->fault, SIGNET_ERR_LOG_UNAVAILABLE, NULL, "%s", "");
		fault_set_reason(&s->fault, "the entry cannot be read");
		read_free(read);
		end(s);
		return;
	}
	if (s->params->proof)
		s->proving = log_proof_new(s->r->broker, read->index, on_proved, s);
	if (s->proving != NULL)
		log_proof_begin(s->proving);
	else
		end_with_row(s, NULL);
}

static void
read_again(struct signing *s, uint64_t index)
{
	struct ledger_read *read = calloc(1, sizeof(*read));

	if (read == NULL) {
		fault_set(&s->fault, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		end(s);
		return;
	}
	read->index = index;
	read->done = on_row;
	read->owner = s;
	s->read = read;
	ledger_read_row(s->r->broker->log, read);
}

static void
on_first_settled(struct replay_waiter *w)
{
	struct signing *s = (struct signing *)((char *)w - offsetof(struct signing, waiter));

	s->first = NULL;
	signing_start(s);
}

/* True: the request is bound, and answered or waiting. */
static bool
answer_again(struct signing *s, const uint8_t *input)
{
	struct replay *first = replay_find(&s->r->broker->replay, s->r->who->peer.uid, s->request_id);
	int64_t index;

	if (first == NULL)
		return false;
	index = first->state == REPLAY_RUNNING ? -1 : (int64_t)first->index;
	if (memcmp(first->input, input, LEDGER_HASH) != 0) {
		fault_set(&s->fault, SIGNET_ERR_REQUEST_ID_REUSED, NULL, "%s", "");
		s->fault.index = index;
	} else if (first->state == REPLAY_UNKNOWN) {
		fault_set(&s->fault, SIGNET_ERR_OUTCOME_UNKNOWN, NULL,
		    "an interruption hid whether this was signed; look at the token's side, then use a new requestId");
		s->fault.index = index;
	} else if (first->state == REPLAY_RUNNING) {
		s->first = first;
		s->waiter.done = on_first_settled;
		replay_wait(first, &s->waiter);
		return true;
	} else {
		read_again(s, first->index);
		return true;
	}
	end(s);
	return true;
}

bool
signing_is_replay(const struct request *r, const char *request_id)
{
	return request_id != NULL && text_is_request_id(request_id, strlen(request_id)) &&
	       replay_find(&r->broker->replay, r->who->peer.uid, request_id) != NULL;
}

/* --- the job --- */

static void
on_prompted(struct prompt *p)
{
	struct signing *s = p->owner;

	s->prompt = NULL;
	if (prompt_take(p, &s->answer, &s->fault))
		signing_start(s);
	else
		end(s);
}

/* False: nobody can help. An item of a batch never asks: the batch did. What the token began is not begun again. */
static bool
ask(struct signing *s, const struct job *j)
{
	const struct request *r = s->r;
	struct verdict v = permit_again(r->broker, r->who, r->method->verb, j->key->conf->name);
	struct asking a = {.r = s->r, .token = j->token, .key = j->key,
	    .mode = v.permitted ? v.prompt : POLICY_PROMPT_NO, .done = on_prompted, .owner = s};

	answer_done(&s->answer);
	if (s->item >= 0 || s->by_call || j->token->removed ||
	    (s->fault.index >= 0 && s->fault.err != SIGNET_ERR_PIN_INCORRECT))
		return false;
	s->prompt = inbox_ask(&a, &s->fault);
	return s->prompt != NULL;
}

static void
on_finished(struct job *j)
{
	struct signing *s = j->owner;

	s->job = NULL;
	s->fault = j->fault;
	if (j->fault.err != SIGNET_OK && ask(s, j))
		return;
	if (j->fault.err != SIGNET_OK) {
		end(s);
		return;
	}
	s->outcome = (struct outcome){.sig = j->cms_len > 0 ? j->cms : j->sig,
	    .sig_len = j->cms_len > 0 ? j->cms_len : j->sig_len, .index = j->op.index, .time = j->op.time,
	    .entry = j->op.entry.data, .entry_len = j->op.entry.len, .leaf = j->op.leaf,
	    .proof = (const char *)j->op.proof.data, .proof_len = j->op.proof.len};
	deliver(s);
}

static bool
out_of_memory(struct fault *f)
{
	fault_set(f, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
	return false;
}

static bool
charge(struct job *j, struct request *r, struct fault *f)
{
	if (!quota_charge(&r->broker->quota, r->user, QUOTA_JOBS, 1)) {
		fault_set(f, SIGNET_ERR_BUSY, NULL, "you have too many requests waiting (jobs-per-uid)");
		return false;
	}
	j->user = quota_user_get(&r->broker->quota, r->user->uid);
	return true;
}

/* Of the person who was asked, or of the call. */
static void
take_pin_to(struct signing *s, struct job *j)
{
	bool by_person = s->answer.pin != NULL;

	j->source = by_person ? PIN_AGENT : PIN_CALL;
	j->last_try = by_person ? s->answer.last_try : s->params->last_try;
	j->pin = by_person ? s->answer.pin : s->pin;
	if (by_person) {
		j->agent_uid = s->answer.by->peer.uid;
		s->answer.pin = NULL;
	} else {
		s->pin = NULL;
	}
}

static bool
fill_job(struct signing *s, struct job *j, struct key *k, const uint8_t *input, struct fault *f)
{
	const struct sign_params *p = s->params;
	struct broker *b = s->r->broker;
	char path[40] = "document";

	if (s->item >= 0)
		snprintf(path, sizeof(path), "items[%d].document", s->item);
	j->key = k;
	j->verb = s->r->method->verb;
	j->wanted = p->scheme;
	j->format = p->cms;
	j->commitment = k->conf->use == USE_SEAL ? WIRE_COMMITMENT_ORIGIN : WIRE_COMMITMENT_APPROVAL;
	j->level = p->stamped ? "t" : "b";
	j->batch = p->batch;
	j->op.want_proof = p->proof;
	if (!charge(j, s->r, f) ||
	    !document_take(b, j, s->document, path, p->capacity, p->on_behalf_of, f))
		return false;
	take_pin_to(s, j);
	if (s->request_id == NULL)
		return true;
	snprintf(j->request_id, sizeof(j->request_id), "%s", s->request_id);
	memcpy(j->input, input, LEDGER_HASH);
	j->replay = replay_bind(&b->replay, j->who->peer.uid, j->request_id, input, clock_now_us(NULL));
	return j->replay != NULL || out_of_memory(f);
}

static void
submit(struct signing *s, struct key *k, const struct digest *digest, const uint8_t *input)
{
	struct job *j = job_new(JOB_SIGN, k->token, s->r->who);

	if (j == NULL) {
		out_of_memory(&s->fault);
		end(s);
		return;
	}
	j->digest = *digest;
	if (!fill_job(s, j, k, input, &s->fault)) {
		job_free(j);
		end(s);
		return;
	}
	j->finished = on_finished;
	j->owner = s;
	s->job = j;
	if (token_submit(k->token, j) != SIGNET_OK) {
		token_refusal(k->token, &s->fault);
		s->job = NULL;
		job_free(j);
		end(s);
	}
}

/* --- the checks --- */

bool
signing_check_use(const struct key *k, struct fault *f)
{
	const char *name = k->conf->name;

	switch (k->conf->use) {
	case USE_PERSONAL:
		return true;
	case USE_SEAL:
		fault_set(f, SIGNET_ERR_SEAL_KEY, name, "%s is an organisation's seal: it seals what has been signed, and "
							"signs nothing", name);
		return false;
	default:
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "use", "key %s is not for signatures of people", name);
		return false;
	}
}

static bool
check_digest(const struct signing *s, struct digest *d, struct fault *f)
{
	const char *why = NULL;

	if (digest_parse(d, s->digest, &why) == SIGNET_OK)
		return true;
	fault_set(f, SIGNET_ERR_BAD_DIGEST, NULL, "digest: %s", why);
	return false;
}

static bool
check_request_id(const struct signing *s, struct fault *f)
{
	if (s->request_id == NULL || text_is_request_id(s->request_id, strlen(s->request_id)))
		return true;
	fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "requestId", "1 to 128 characters of A-Z a-z 0-9 . _ : -");
	return false;
}

static bool
check_scheme(const struct signing *s, const struct key *k, struct fault *f)
{
	enum wire_scheme unused;
	const struct token *t = k->token;

	if (t->seen_us == 0) /* never seen: the claim will know */
		return true;
	return scheme_resolve(k, s->params->scheme, &unused, f) && format_check(k, s->params->cms, f);
}

void
signing_start(struct signing *s)
{
	struct request *r = s->r;
	struct key *k = permit_key(r->broker, r->who, r->method, s->params->key_name, &s->fault);
	uint8_t input[LEDGER_HASH];
	struct digest digest;

	s->by_call = s->by_call || s->pin != NULL;
	if (k == NULL || !permit_enabled(r->broker, r->who, r->method, k, &s->fault) ||
	    !signing_check_use(k, &s->fault) || !check_digest(s, &digest, &s->fault) || !check_request_id(s, &s->fault)) {
		end(s);
		return;
	}
	if (s->request_id != NULL) {
		if (!hash_input(s, input)) {
			out_of_memory(&s->fault);
			end(s);
			return;
		}
		if (answer_again(s, input))
			return;
	}
	if (!check_scheme(s, k, &s->fault) || (s->params->stamped && stamp_source(r->broker, &s->fault) == NULL) ||
	    (s->pin != NULL && !permit_pin(r->broker, r->who, r->method, k->token, &s->fault))) {
		end(s);
		return;
	}
	submit(s, k, &digest, input);
}

void
signing_leave(struct signing *s)
{
	if (s->job != NULL)
		job_detach(s->job);
	if (s->first != NULL)
		replay_leave(&s->waiter);
	if (s->proving != NULL) { /* the row is here already, and is ours */
		s->proving->owner = NULL;
		read_free(s->read);
	} else if (s->read != NULL) {
		s->read->owner = NULL;
	}
	stamping_leave(s->stamping);
	s->stamping = NULL;
	prompt_withdraw(s->prompt);
	s->prompt = NULL;
	drop_pin(s);
}
