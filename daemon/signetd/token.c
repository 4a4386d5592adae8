/*
 * The life of a token: worker up, information, work, worker lost, worker up.
 * Recovery is always a fresh process. A generation of the worker shares
 * nothing with the one before: login, lease, handles die with it.
 */
#include "token.h"

#include <p11-kit/pkcs11.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "credential.h"
#include "entry.h"
#include "health.h"
#include "journal.h"
#include "text.h"
#include "token_lease.h"
#include "token_queue.h"
#include "watcher.h"

enum {
	ABSENT_RETRY_MS = 2000, /* where no watcher tells; doubled where one does, and is wrong */
	MISSES_MAX = 4,
	FAILED_RETRY_MS = 5000,
	PROBE_MS = 5000,  /* the same for one that is there and idle */
	FLAP_MS = 1500,	  /* from the worker's word to the watcher's "absent": is it the worker that hides it? */
	FLAPS_MAX = 3,
	DISPUTE_MS = 3000, /* then the worker is right */
	CRASHES_UNTIL_FAILED = 4, /* in a row, without one good result: stop letting callers wait for it */
	TOKEN_ENTRIES_MAX = 10,	  /* in ten minutes */
	FOLD_MS = 600000,
	STORE_RETRY_MS = 1000, /* the stored PIN, if it could not be sent; doubled each time that makes an entry */
	STORE_RETRY_MAX_MS = 600000,
};

static void on_respawn(uv_timer_t *timer);

bool
token_has_pad(const struct token *t)
{
	return (t->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
}

bool
token_is_held_by(const struct token *t, uid_t uid)
{
	for (size_t i = 0; i < t->conf->holder_user_count; i++)
		if (t->conf->holder_users[i] == uid)
			return true;
	return t->conf->holder_user_count == 0;
}

const char *
token_state_name(const struct token *t)
{
	if (t->unhealthy && (t->state == TOKEN_LOCKED || t->state == TOKEN_READY))
		return "failed";
	switch (t->state) {
	case TOKEN_LOCKED:
		return "locked";
	case TOKEN_READY:
		return "ready";
	case TOKEN_BLOCKED:
		return "blocked";
	case TOKEN_FAILED:
		return "failed";
	default:
		return "absent";
	}
}

const char *
key_state_name(const struct key *k)
{
	const struct token *t = k->token;

	if (t->state == TOKEN_STARTING || t->state == TOKEN_ABSENT || t->state == TOKEN_FAILED)
		return token_state_name(t);
	switch (k->info.state) {
	case WIRE_KEY_FOUND:
		return token_state_name(t);
	case WIRE_KEY_AMBIGUOUS:
		return "ambiguous";
	case WIRE_KEY_UNUSABLE:
		return "unusable";
	default:
		return "missing";
	}
}

static void
put_state(struct token *t, const char *detail)
{
	const char *state = token_state_name(t);

	t->logged_count++;
	snprintf(t->was, sizeof(t->was), "%s", state);
	entry_token(t->broker, t, state, detail, t->unlogged);
	t->unlogged = 0;
}

/* State changes in the log; a token that comes and goes all day does not fill it. */
void
token_log_state(struct token *t, const char *detail)
{
	const char *state = token_state_name(t);

	if (strcmp(state, t->was) == 0)
		return;
	if (t->logged_count == 0)
		t->logged_since_ms = uv_now(&t->broker->loop);
	if (t->logged_count < TOKEN_ENTRIES_MAX) {
		put_state(t, detail);
		return;
	}
	t->unlogged++;
	snprintf(t->was, sizeof(t->was), "%s", state);
}

/* The ten minutes are over: one entry says how it is now, and how often it has changed meanwhile. */
static void
unfold(struct token *t, uint64_t now_ms)
{
	if (t->logged_count == 0 || now_ms - t->logged_since_ms < FOLD_MS)
		return;
	t->logged_count = 0;
	if (t->unlogged == 0)
		return;
	t->logged_since_ms = now_ms;
	put_state(t, NULL);
}

static void set_reason(struct token *t, const char *fmt, ...) printf_like(2, 3);

static void
set_reason(struct token *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->reason, sizeof(t->reason), fmt, args);
	va_end(args);
	text_tidy(t->reason, n >= (int)sizeof(t->reason));
}

/* --- new, start, stop --- */

static signet_err
compose_members(struct key *k)
{
	struct buf b;
	const struct token *t = k->token;

	buf_init(&b, 4096);
	buf_str(&b, "\"key\":");
	buf_json(&b, k->conf->name, strlen(k->conf->name));
	if (k->info.cert_count > 0) {
		buf_str(&b, ",\"certSerial\":"); /* a worker's word: not believed to be hex */
		buf_json(&b, k->info.cert_serial, strlen(k->info.cert_serial));
		buf_str(&b, ",\"certHash\":\"sha256:");
		buf_hex(&b, k->info.cert_hash, sizeof(k->info.cert_hash));
		buf_chr(&b, '"');
	}
	buf_str(&b, ",\"token\":");
	buf_json(&b, t->conf->name, strlen(t->conf->name));
	if (t->serial[0] != '\0') {
		buf_str(&b, ",\"tokenSerial\":");
		buf_json(&b, t->serial, strlen(t->serial));
	}
	char *members = b.failed ? NULL : strndup((const char *)b.data, b.len);

	buf_done(&b);
	if (members == NULL)
		return SIGNET_ERR_MEMORY;
	free(k->members);
	k->members = members;
	return SIGNET_OK;
}

static signet_err
take_keys(struct token *t)
{
	size_t token = (size_t)(t->conf - t->config->tokens);
	size_t n = 0;

	for (size_t i = 0; i < t->config->key_count; i++)
		n += t->config->keys[i].token == token;
	t->keys = calloc(n > 0 ? n : 1, sizeof(*t->keys));
	if (t->keys == NULL)
		return SIGNET_ERR_MEMORY;
	for (size_t i = 0; i < t->config->key_count; i++) {
		struct key *k = &t->keys[t->key_count];

		if (t->config->keys[i].token != token)
			continue;
		k->token = t;
		k->slot = (uint16_t)t->key_count++;
		k->conf = &t->config->keys[i];
		if (compose_members(k) != SIGNET_OK)
			return SIGNET_ERR_MEMORY;
	}
	return SIGNET_OK;
}

static void
token_free(struct token *t)
{
	for (size_t i = 0; i < t->key_count; i++) {
		free(t->keys[i].info.certs);
		free(t->keys[i].members);
	}
	free(t->keys);
	config_unref(t->config);
	free(t);
}

signet_err
token_new(struct token **out, struct broker *b, struct config *c, const struct config_token *conf)
{
	struct token *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return SIGNET_ERR_MEMORY;
	t->broker = b;
	t->config = config_ref(c);
	t->conf = conf;
	t->pin = &t->unseen;
	if (take_keys(t) != SIGNET_OK) {
		token_free(t);
		return SIGNET_ERR_MEMORY;
	}
	set_reason(t, "its driver is being started");
	uv_timer_init(&b->loop, &t->respawn);
	t->respawn.data = t;
	*out = t;
	return SIGNET_OK;
}

void
token_rebind(struct token *t, struct config *c, const struct config_token *conf)
{
	size_t token = (size_t)(conf - c->tokens), n = 0;

	config_ref(c);
	for (size_t i = 0; i < c->key_count; i++)
		if (c->keys[i].token == token)
			t->keys[n++].conf = &c->keys[i]; /* equal sections: the same keys in the same order */
	config_unref(t->config);
	t->config = c;
	t->conf = conf;
}

static void
start_worker(struct token *t)
{
	char why[200];

	t->retire = t->renew = t->leaving = false;
	t->absent_ms = 0;
	t->started_ms = uv_now(&t->broker->loop);
	t->worker_starts++;
	if (worker_start(&t->worker, t, why, sizeof(why)) == SIGNET_OK) {
		broker_tick_on(t->broker);
		return;
	}
	t->worker = NULL;
	t->state = TOKEN_FAILED;
	set_reason(t, "%s", why);
	say_error("token %s: %s", t->conf->name, why);
	uv_timer_start(&t->respawn, on_respawn, FAILED_RETRY_MS, 0);
}

static void
show_absent(struct token *t, const char *reason)
{
	uv_timer_stop(&t->respawn);
	t->failures_in_a_row = 0;
	t->state = TOKEN_ABSENT;
	set_reason(t, "%s", reason);
	token_log_state(t, NULL);
}

static const char *
absence(const struct token *t)
{
	return t->watcher != NULL && t->watcher->state == WATCHER_LOST
	    ? "the reader service was lost: it is looked for again as soon as that answers" : "it is not inserted";
}

/* A worker is started only for a token that is there, or that nobody but a worker can look for. */
static void
begin(struct token *t)
{
	if (t->worker != NULL || t->removed)
		return;
	switch (watcher_says(t->watcher, t->conf)) {
	case WORD_SOON:
		break; /* the word will come */
	case WORD_ABSENT:
		if (t->flaps >= FLAPS_MAX)
			start_worker(t); /* a second opinion */
		else
			show_absent(t, absence(t));
		break;
	case WORD_NONE:
	case WORD_PRESENT:
		start_worker(t);
		break;
	}
}

static void
on_respawn(uv_timer_t *timer)
{
	struct token *t = timer->data;

	begin(t);
	token_run(t);
}

void
token_start(struct token *t)
{
	t->state = TOKEN_STARTING;
	begin(t);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct token *t = handle->data;

	broker_token_gone(t->broker, t);
	token_free(t);
}

static void
drop_worker(struct token *t)
{
	t->generation++;
	if (t->state == TOKEN_LOCKED || t->state == TOKEN_READY || t->state == TOKEN_BLOCKED)
		t->seen_us = clock_now_us(NULL);
	if (t->worker != NULL)
		worker_kill(t->worker);
	t->worker = NULL;
}

static bool
is_idle(const struct token *t)
{
	return t->claimed == 0 && t->recording == 0 && t->queued.count == 0;
}

void
token_stop(struct token *t)
{
	struct fault f;

	t->removed = true;
	if (t->unlogged > 0)
		put_state(t, NULL);
	inbox_token_gone(t);
	watcher_forget(t->watcher, t);
	token_refusal(t, &f);
	token_fail_queued(t, &f);
	token_settle(t);
}

/* --- lost --- */

static void
schedule(struct token *t, uint64_t delay_ms)
{
	if (!t->removed)
		uv_timer_start(&t->respawn, on_respawn, delay_ms, 0);
}

/* First at once, then 100, 200, 400 ... ms, at most 5 s. */
static uint64_t
back_off_ms(const struct token *t)
{
	unsigned n = t->failures_in_a_row;
	uint64_t ms = n <= 1 ? 0 : UINT64_C(100) << (n - 2 > 6 ? 6 : n - 2);

	return ms > FAILED_RETRY_MS ? FAILED_RETRY_MS : ms;
}

static void
fail_claimed(struct token *t, struct job_list *sent, bool hung)
{
	struct job *j;
	struct job_list ready = t->ready;

	memset(&t->ready, 0, sizeof(t->ready));
	while ((j = sent->first) != NULL) { /* the token may have used the key: nobody knows */
		job_list_remove(sent, j);
		t->claimed--;
		lease_lost(j);
		token_fault(t, &j->fault);
		if (hung)
			fault_set(&j->fault, SIGNET_ERR_TIMEOUT, NULL,
			    "the token did not answer in time; its driver was restarted");
		token_record_failed(t, j, true, hung ? "hung" : "driver ended");
	}
	while ((j = ready.first) != NULL) { /* never sent */
		job_list_remove(&ready, j);
		t->claimed--;
		lease_unsent(t, j);
		token_fault(t, &j->fault);
		token_record_failed(t, j, false, "driver ended");
	}
}

static void
lose(struct token *t, const char *why, bool hung)
{
	struct job_list sent = {.count = 0};
	struct journal_fields fields = {.message_id = SIGNET_MSG_TOKEN_FAILED, .token = t->conf->name};

	if (t->worker == NULL)
		return;
	worker_take_jobs(t->worker, &sent);
	drop_worker(t);
	memset(&t->lease, 0, sizeof(t->lease));
	t->failures_in_a_row++;
	set_reason(t, "%s", why);
	t->state = TOKEN_FAILED;
	journal(LOG_WARNING, &fields, "token %s: %s%s", t->conf->name, why, t->removed ? "" : "; starting a new one");
	token_log_state(t, hung ? "hung" : "driver ended");
	fail_claimed(t, &sent, hung);
	t->failures++;
	if (t->failures_in_a_row < CRASHES_UNTIL_FAILED)
		t->state = TOKEN_STARTING; /* callers may wait for the next one */
	schedule(t, back_off_ms(t));
	token_run(t);
}

void
token_on_lost(struct token *t, const char *why)
{
	lose(t, why, false);
}

void
token_on_hung(struct token *t)
{
	lose(t, "it did not answer in time", true);
}

/* --- information --- */

static bool
same_key(const struct wire_key *a, const struct wire_key *b)
{
	return a->state == b->state && a->algorithm == b->algorithm && a->cert_count == b->cert_count &&
	       a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0 && a->public_len == b->public_len &&
	       memcmp(a->public, b->public, a->public_len) == 0 &&
	       memcmp(a->cert_hash, b->cert_hash, sizeof(a->cert_hash)) == 0;
}

static void
take_key_info(struct key *k, struct wire_key *from)
{
	if (!same_key(&k->info, from))
		k->token->infos++;
	free(k->info.certs);
	k->info = *from;
	from->certs = NULL; /* taken */
	from->cert_count = 0;
}

/* False: no memory for its count of PIN tries. */
static bool
take_identity(struct token *t, const struct wire_info *info)
{
	if (strcmp(t->serial, info->serial) != 0 || strcmp(t->label, info->label) != 0)
		t->infos++;
	snprintf(t->serial, sizeof(t->serial), "%s", info->serial);
	snprintf(t->label, sizeof(t->label), "%s", info->label);
	snprintf(t->manufacturer, sizeof(t->manufacturer), "%s", info->manufacturer);
	snprintf(t->model, sizeof(t->model), "%s", info->model);
	if (wire_serial_is_none(t->serial)) /* each token's PINs are counted apart all the same */
		snprintf(t->pin_name, sizeof(t->pin_name), "label:%.56s", t->label);
	else
		snprintf(t->pin_name, sizeof(t->pin_name), "%s", t->serial);
	t->pin = broker_pin_state(t->broker, t->pin_name);
	if (t->pin != NULL)
		return true;
	t->pin = &t->unseen;
	return false;
}

static void on_missing(struct token *t, enum token_state state, const char *reason, uint64_t retry_ms);

static void
on_present(struct token *t, struct wire_info *info)
{
	if (!take_identity(t, info)) { /* no PIN goes out uncounted */
		on_missing(t, TOKEN_FAILED, "out of memory", FAILED_RETRY_MS);
		return;
	}
	t->flags = info->flags;
	t->misses = 0;
	t->informed_ms = uv_now(&t->broker->loop);
	pin_flags(t->pin, info->flags);
	t->seen_us = clock_now_us(NULL);
	for (size_t i = 0; i < t->key_count; i++) {
		take_key_info(&t->keys[i], &info->keys[i]);
		if (compose_members(&t->keys[i]) != SIGNET_OK)
			say_error("out of memory: entries of key %s lack its certificate", t->keys[i].conf->name);
	}
	t->reason[0] = '\0';
	if (t->unhealthy)
		set_reason(t, "%s", t->health_reason);
	else if (t->conf->credential != NULL && t->pin->note[PIN_STORED].failures > 0)
		snprintf(t->reason, sizeof(t->reason),
		    "its stored PIN was refused: renew the credential, then enter the same PIN once");
	if (t->pin->locked)
		t->state = TOKEN_BLOCKED;
	else
		t->state = (t->flags & CKF_LOGIN_REQUIRED) != 0 ? TOKEN_LOCKED : TOKEN_READY;
	token_log_state(t, NULL);
}

static void
on_missing(struct token *t, enum token_state state, const char *reason, uint64_t retry_ms)
{
	bool news = strcmp(t->reason, reason) != 0;

	t->state = state;
	set_reason(t, "%s", reason);
	if (news && state == TOKEN_FAILED)
		say_error("token %s: %s", t->conf->name, t->reason);
	token_log_state(t, NULL);
	drop_worker(t);
	schedule(t, retry_ms);
}

/* A worker has just looked for itself: its word counts, whatever the watcher says. */
static void
on_absent(struct token *t)
{
	t->flaps = 0;
	if (watcher_says(t->watcher, t->conf) != WORD_PRESENT) {
		on_missing(t, TOKEN_ABSENT, absence(t), ABSENT_RETRY_MS);
		return;
	}
	on_missing(t, TOKEN_ABSENT, "its driver does not find it, though its reader says that one is in",
	    (uint64_t)ABSENT_RETRY_MS << t->misses);
	if (t->misses < MISSES_MAX)
		t->misses++;
}

void
token_on_info(struct token *t, struct wire_info *info)
{
	struct watcher *w = t->watcher;

	switch (info->presence) {
	case WIRE_PRESENT:
		on_present(t, info);
		break;
	case WIRE_ABSENT:
		on_absent(t);
		break;
	case WIRE_AMBIGUOUS:
		on_missing(t, TOKEN_FAILED, "several tokens match: give `serial` instead of `label`", FAILED_RETRY_MS);
		break;
	case WIRE_OWNED:
		on_missing(t, TOKEN_FAILED, "another process owns it", 500);
		break;
	default:
		on_missing(t, TOKEN_FAILED, info->reason, FAILED_RETRY_MS);
		break;
	}
	if (info->presence == WIRE_PRESENT)
		watcher_confirm(w, t);
	else if (info->presence == WIRE_ABSENT || info->presence == WIRE_BROKEN)
		watcher_doubt(w, t);
	token_settle(t); /* the stored PIN goes first */
	token_run(t);
}

/* --- what the watcher says --- */

/* No worker, no lease; what was claimed and not sent is told that it has gone. */
static void
leave(struct token *t, const char *reason)
{
	struct job_list none = {.count = 0};

	t->leaving = false;
	drop_worker(t);
	memset(&t->lease, 0, sizeof(t->lease));
	show_absent(t, reason);
	fail_claimed(t, &none, false);
	if (t->flaps >= FLAPS_MAX)
		schedule(t, ABSENT_RETRY_MS); /* for a second opinion */
	else if (watcher_says(t->watcher, t->conf) == WORD_PRESENT)
		begin(t); /* it is back already: with a worker that knows nothing of before */
}

static void
on_sight_lost(struct token *t)
{
	uint64_t now = uv_now(&t->broker->loop);

	t->misses = 0;
	if (t->worker == NULL) {
		if (t->state != TOKEN_ABSENT)
			show_absent(t, absence(t));
	} else if (t->flaps >= FLAPS_MAX) {
		token_probe(t); /* this worker is the second opinion */
	} else if (!t->leaving) {
		t->flaps = t->worker->informed && now - t->informed_ms < FLAP_MS ? t->flaps + 1 : 0;
		t->leaving = true; /* what is under way in it has a moment to say how it ended */
	}
}

static void
on_sight(struct token *t)
{
	bool fresh = t->state == TOKEN_ABSENT && t->misses < 2;

	t->absent_ms = 0;
	if (t->worker == NULL && (fresh || !uv_is_active((uv_handle_t *)&t->respawn))) {
		uv_timer_stop(&t->respawn);
		start_worker(t);
	}
}

void
token_on_presence(struct token *t)
{
	if (t->removed)
		return;
	switch (watcher_says(t->watcher, t->conf)) {
	case WORD_SOON:
		break;
	case WORD_ABSENT:
		on_sight_lost(t);
		break;
	case WORD_PRESENT:
		on_sight(t);
		break;
	case WORD_NONE:
		t->leaving = false;
		if (t->worker == NULL && !uv_is_active((uv_handle_t *)&t->respawn))
			start_worker(t);
		break;
	}
	token_run(t);
}

void
token_on_service_lost(struct token *t)
{
	if (t->removed)
		return;
	t->flaps = 0;
	if (t->worker == NULL) {
		show_absent(t, absence(t));
	} else if (worker_in_flight(t->worker) == 0) {
		leave(t, absence(t));
	} else {
		t->leaving = true;
	}
	token_run(t);
}

void
token_renew(struct token *t)
{
	t->renew = t->worker != NULL;
	token_settle(t);
}

static void
on_probed(struct job *j)
{
	j->token->probing = false;
}

void
token_probe(struct token *t)
{
	struct job *j;

	if (t->probing || t->removed || t->worker == NULL || !t->worker->informed)
		return;
	t->last_probe_ms = uv_now(&t->broker->loop);
	j = job_new(JOB_PROBE, t, t->broker->self);
	if (j == NULL)
		return; /* later */
	t->probing = true;
	j->finished = on_probed;
	token_submit_own(t, j);
}

/* The watcher has no word: an idle worker is asked now and then. And a dispute is settled by time. */
static void
watch_oneself(struct token *t, uint64_t now_ms)
{
	enum watcher_word word = watcher_says(t->watcher, t->conf);

	if (t->worker == NULL || !t->worker->informed)
		return;
	if (word == WORD_NONE && is_idle(t) && now_ms - t->last_probe_ms >= PROBE_MS)
		token_probe(t);
	if (word != WORD_ABSENT || t->flaps < FLAPS_MAX)
		return;
	if (t->absent_ms == 0)
		t->absent_ms = now_ms;
	else if (now_ms - t->absent_ms >= DISPUTE_MS)
		watcher_distrust(t->watcher);
}

/* --- quiet moments --- */

static void
store_later(struct token *t, uint64_t pause_ms)
{
	t->store_after_ms = uv_now(&t->broker->loop) + pause_ms;
}

/* Its worker died first, or the log or a person's lease stood in the way: that is told elsewhere, and passes. */
static bool
could_not_be_sent(struct token *t, const struct job *j)
{
	switch (j->fault.err) {
	case SIGNET_ERR_LOG_UNAVAILABLE:
	case SIGNET_ERR_BUSY:
		store_later(t, STORE_RETRY_MS);
		return true;
	case SIGNET_ERR_TOKEN_ABSENT:
	case SIGNET_ERR_TOKEN_FAILED:
	case SIGNET_ERR_TIMEOUT:
		if (j->generation != t->generation)
			return true;
		t->store_pause_ms = t->store_pause_ms == 0 ? STORE_RETRY_MS : 2 * t->store_pause_ms;
		if (t->store_pause_ms > STORE_RETRY_MAX_MS)
			t->store_pause_ms = STORE_RETRY_MAX_MS;
		store_later(t, t->store_pause_ms);
		return true;
	default:
		return false;
	}
}

static void
on_stored(struct job *j)
{
	struct token *t = j->token;
	struct journal_fields fields = {.message_id = SIGNET_MSG_PIN_REJECTED, .token = t->conf->name};

	t->storing = false;
	if (j->fault.err == SIGNET_OK) {
		if (!t->unhealthy)
			t->reason[0] = '\0';
		t->store_pause_ms = 0;
		return;
	}
	if (j->generation == t->generation)
		set_reason(t, "its stored PIN could not be used: %s",
		    j->fault.reason[0] != '\0' ? j->fault.reason : fault_message(&j->fault));
	if (could_not_be_sent(t, j))
		return;
	t->store_failed = true;
	journal(LOG_ERR, &fields, "token %s: the stored PIN did not unlock it (%s); it is not sent again until "
	    "a person has entered the same one", t->conf->name, fault_message(&j->fault));
}

static void
send_stored_pin(struct token *t)
{
	struct job *j;
	struct secret *pin = NULL;
	char why[200];

	if (credential_read(&pin, t->conf->credential, why, sizeof(why)) != SIGNET_OK) {
		bool news = strcmp(t->reason, why) != 0;

		set_reason(t, "%s", why);
		if (news)
			say_error("token %s: %s", t->conf->name, t->reason);
		store_later(t, FAILED_RETRY_MS); /* meanwhile callers are told that a PIN is needed */
		return;
	}
	j = job_new(JOB_UNLOCK, t, t->broker->self);
	if (j == NULL) {
		secret_free(pin);
		store_later(t, STORE_RETRY_MS);
		return;
	}
	j->pin = pin;
	j->source = PIN_STORED;
	j->finished = on_stored;
	t->storing = true;
	token_submit_own(t, j);
}

static void
replace_worker(struct token *t)
{
	struct job_list none = {.count = 0};

	drop_worker(t);
	memset(&t->lease, 0, sizeof(t->lease));
	set_reason(t, "its driver failed and was replaced");
	t->state = TOKEN_FAILED;
	t->failures_in_a_row++;
	fail_claimed(t, &none, false);
	t->state = TOKEN_STARTING;
	schedule(t, back_off_ms(t));
}

/* Nobody waits for it and nobody but ourselves has unlocked it. */
static bool
is_unneeded(const struct token *t)
{
	return is_idle(t) && !t->storing && (!t->lease.stands || t->lease.stored);
}

/* Nothing was wrong with it: this is no failure. */
static void
renew_worker(struct token *t)
{
	drop_worker(t);
	memset(&t->lease, 0, sizeof(t->lease));
	t->renew = false;
	t->state = TOKEN_STARTING;
	set_reason(t, "its driver is being started anew");
	begin(t);
}

void
token_settle(struct token *t)
{
	if (t->running)
		return;
	if (t->leaving && t->worker != NULL && worker_in_flight(t->worker) == 0)
		leave(t, absence(t));
	if (t->renew && t->worker != NULL && is_unneeded(t) && !t->removed)
		renew_worker(t);
	if (t->retire && t->worker != NULL && worker_in_flight(t->worker) == 0)
		replace_worker(t);
	if (t->removed && is_idle(t) && !uv_is_closing((uv_handle_t *)&t->respawn)) {
		drop_worker(t);
		uv_close((uv_handle_t *)&t->respawn, on_timer_closed);
		return;
	}
	if (!t->storing && t->worker != NULL && t->worker->informed && lease_wants_stored(t))
		send_stored_pin(t);
}

static void
on_expired(struct job *j)
{
	j->token->locking = false;
}

static void
end_expired_lease(struct token *t)
{
	struct job *j = job_new(JOB_LOCK, t, t->broker->self);

	if (j == NULL)
		return; /* the next tick tries again; meanwhile nobody may use it */
	t->locking = true;
	j->lease = t->lease.number;
	j->finished = on_expired;
	token_submit_own(t, j);
}

/* The token with this batch's lease; one that is going ends its lease with its worker. */
static struct token *
token_of_batch(const struct broker *b, uint64_t batch)
{
	for (size_t i = 0; i < b->token_count; i++) {
		struct token *t = b->tokens[i];

		if (t->lease.stands && t->lease.batch == batch && !t->removed)
			return t;
	}
	return NULL;
}

bool
token_end_batch(struct broker *b, uint64_t batch, struct identity *who, void (*finished)(struct job *j), void *owner,
    struct job **job)
{
	struct token *t = batch != 0 ? token_of_batch(b, batch) : NULL;
	struct job *j;

	if (t == NULL)
		return false;
	t->lease.uses = 0;
	j = job_new(JOB_LOCK, t, who);
	if (j == NULL) { /* its time ends it */
		t->lease.until_ms = 1;
		return false;
	}
	j->lease = t->lease.number;
	j->finished = finished;
	j->owner = owner;
	if (job != NULL)
		*job = j;
	token_submit_own(t, j);
	return true;
}

bool
token_busy(const struct token *t)
{
	return !is_idle(t) || (t->worker != NULL && !t->worker->informed);
}

void
token_tick(struct token *t, uint64_t now_ms)
{
	struct job *hung;

	if (t->worker != NULL && worker_overdue(t->worker, now_ms, &hung)) {
		token_on_hung(t);
		return;
	}
	if (lease_expired(t, now_ms) && !t->locking && !t->removed)
		end_expired_lease(t);
	unfold(t, now_ms);
	if (!t->removed) {
		watch_oneself(t, now_ms);
		health_tick(t, now_ms);
	}
	token_run(t);
}
