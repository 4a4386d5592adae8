/*
 * Start, run and stop of everything on the loop. Stopping is a sequence that
 * only goes forward: no new peers and calls -> claimed work is finished and
 * recorded -> workers end -> the last entries -> the log is closed -> loop ends.
 */
#include "broker.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "clock.h"
#include "cover.h"
#include "disabled.h"
#include "dispatch.h"
#include "entry.h"
#include "identity.h"
#include "journal.h"
#include "log_open.h"
#include "log_reader.h"
#include "once.h"
#include "pair.h"
#include "peer.h"
#include "recycle.h"
#include "request.h"
#include "stamp.h"
#include "token.h"
#include "token_watch.h"
#include "watcher.h"

enum {
	TICK_MS = 20,
	UPKEEP_MS = 1000,
	STOP_MS = 20000,	     /* for claimed work; then its workers are killed */
	SLEPT_US = 1000000,
	RECYCLE_EVERY = 60,
	FILES_EVERY = 10, /* upkeeps: modules' files are looked at */
	LINGER_MS = 2000,	     /* for peers to read their last reply */
	RULE_TEXT_MAX = 32 * 1024,
	POLICY_IN_ENTRY_MAX = 48 * 1024, /* a larger policy is in the entry as its hash only */
};

/* --- look-ups --- */

struct token *
broker_token(const struct broker *b, const char *name)
{
	for (size_t i = 0; i < b->token_count; i++)
		if (strcmp(b->tokens[i]->conf->name, name) == 0)
			return b->tokens[i];
	return NULL;
}

struct key *
broker_key(const struct broker *b, const char *name)
{
	for (size_t t = 0; t < b->token_count; t++)
		for (size_t i = 0; i < b->tokens[t]->key_count; i++)
			if (strcmp(b->tokens[t]->keys[i].conf->name, name) == 0)
				return &b->tokens[t]->keys[i];
	return NULL;
}

struct pin_state *
broker_pin_state(struct broker *b, const char *serial)
{
	struct pin_row *row = b->pins;

	while (row != NULL && strcmp(row->serial, serial) != 0)
		row = row->next;
	if (row == NULL && (row = calloc(1, sizeof(*row))) != NULL) {
		snprintf(row->serial, sizeof(row->serial), "%s", serial);
		row->next = b->pins;
		b->pins = row;
	}
	return row != NULL ? &row->state : NULL;
}

/* --- peers --- */

void
broker_peer_here(struct broker *b, struct peer *p)
{
	p->next = b->peers;
	p->prev = NULL;
	if (p->next != NULL)
		p->next->prev = p;
	b->peers = p;
	b->peer_count++;
}

void
broker_peer_gone(struct broker *b, struct peer *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		b->peers = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	b->peer_count--;
}

void
broker_protocol_error(struct broker *b, const struct identity *who, const char *what)
{
	static int64_t last_us;
	struct journal_fields fields = {.has_uid = true, .uid = who != NULL ? who->peer.uid : (uid_t)-1};
	int64_t now = clock_monotonic_us();

	b->counters.protocol_errors++;
	if (now - last_us < 1000000)
		return;
	last_us = now;
	journal(LOG_NOTICE, &fields, "a peer of uid %u broke the protocol: %s (%llu in all)", fields.uid, what,
	    (unsigned long long)b->counters.protocol_errors);
}

void
broker_token_going(struct broker *b, struct token *t)
{
	t->next_going = b->going;
	b->going = t;
	b->tokens_going++;
}

/* It is in one of the two: among the going ones, or in the list while the daemon stops. */
void
broker_token_gone(struct broker *b, struct token *t)
{
	struct token **at = &b->going;

	while (*at != NULL && *at != t)
		at = &(*at)->next_going;
	if (*at == t)
		*at = t->next_going;
	for (size_t i = 0; i < b->token_count; i++)
		if (b->tokens[i] == t) {
			memmove(&b->tokens[i], &b->tokens[i + 1], (--b->token_count - i) * sizeof(struct token *));
			break;
		}
	b->tokens_going--;
	broker_tick_on(b);
}

/* --- timers --- */

static unsigned
jobs_in_flight(const struct broker *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->token_count; i++)
		n += b->tokens[i]->claimed + b->tokens[i]->recording;
	for (const struct token *t = b->going; t != NULL; t = t->next_going)
		n += t->claimed + t->recording;
	return n;
}

static void
on_go_on(uv_idle_t *handle)
{
	(void)handle; /* that it runs is enough */
}

static void
on_hand_over(uv_prepare_t *handle)
{
	struct broker *b = handle->data;

	if (b->log != NULL && ledger_size(b->log) != b->followed) {
		b->followed = ledger_size(b->log);
		log_readers_wake(b);
	}
	if (b->log != NULL)
		covers_wake(b, false);
	inbox_turn(b);
	token_watch_turn(b);
	if (peers_take_turns(b))
		uv_idle_start(&b->go_on, on_go_on);
	else
		uv_idle_stop(&b->go_on);
	if (b->log != NULL)
		ledger_hand_over(b->log, jobs_in_flight(b));
}

static void stop_further(struct broker *b);

static void
tick_tokens(struct broker *b, uint64_t now)
{
	for (size_t i = 0; i < b->token_count; i++)
		token_tick(b->tokens[i], now);
	for (struct token *t = b->going; t != NULL; t = t->next_going)
		token_tick(t, now);
}

static void
on_tick(uv_timer_t *timer)
{
	struct broker *b = timer->data;
	uint64_t now = uv_now(&b->loop);
	bool busy;

	inbox_expire(b, now); /* says more than the end of the wait would */
	requests_expire(b, now);
	tick_tokens(b, now);
	if (b->stopping)
		stop_further(b);
	busy = b->stopping || b->waiting != NULL || b->going != NULL;
	for (size_t i = 0; i < b->token_count; i++)
		busy = busy || token_busy(b->tokens[i]);
	if (!busy)
		uv_timer_stop(&b->tick);
}

void
broker_tick_on(struct broker *b)
{
	if (!uv_is_active((uv_handle_t *)&b->tick) && !uv_is_closing((uv_handle_t *)&b->tick))
		uv_timer_start(&b->tick, on_tick, TICK_MS, TICK_MS);
}

static void
watch_log(struct broker *b)
{
	struct journal_fields fields = {.message_id = SIGNET_MSG_LOG_UNAVAILABLE};
	bool available = ledger_available(b->log);

	if (available != b->log_was_available)
		journal(available ? LOG_NOTICE : LOG_ALERT, &fields, "%s%s",
		    available ? "the signing log can be written again" : "nothing is signed: ", ledger_why(b->log));
	b->log_was_available = available;
}

/* After a suspend a module may say what was true before: whoever looks for tokens looks anew, without a PIN. */
static void
watch_sleep(struct broker *b)
{
	int64_t slept = clock_slept_us();

	if (slept - b->slept_us >= SLEPT_US) {
		say_info("the machine was asleep: tokens are looked for anew");
		watchers_renew(b);
		for (size_t i = 0; i < b->token_count; i++)
			token_probe(b->tokens[i]);
	}
	b->slept_us = slept;
}

static void
on_upkeep(uv_timer_t *timer)
{
	struct broker *b = timer->data;
	uint64_t now = uv_now(&b->loop);
	struct peer *p = b->peers, *next;

	for (; p != NULL; p = next) {
		next = p->next;
		peer_check_silence(p, now);
	}
	tick_tokens(b, now);
	if (!b->stopping)
		stamp_watch_clock(b);
	if (!b->stopping)
		refusals_flush(b, now, false);
	pairs_expire(b, now);
	watch_log(b);
	if (!b->stopping) {
		notify_status(&b->notify);
		watch_sleep(b);
		if (++b->upkeeps % FILES_EVERY == 0)
			watchers_check_files(b);
		if (b->upkeeps % RECYCLE_EVERY == 0)
			recycle_workers(b);
	}
}

/* --- the policy in the log --- */

static void
add_ids(struct buf *t, const char *word, const unsigned *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(t, "%s%u", i == 0 ? word : ",", ids[i]);
}

/* One rule in numbers and configured names: no name of a person stands in an entry. */
static void
add_rule(struct buf *out, const struct policy_rule *r)
{
	struct buf t;
	const char *sep = " verbs=";

	buf_init(&t, RULE_TEXT_MAX);
	buf_str(&t, r->name);
	if (r->any_user)
		buf_str(&t, " user=*");
	add_ids(&t, " user=", r->users, r->user_count);
	add_ids(&t, " group=", r->groups, r->group_count);
	for (int v = VERB_PUBLIC + 1; v < VERB_COUNT; v++)
		if ((r->verbs & (UINT32_C(1) << v)) != 0) {
			buf_str(&t, sep);
			buf_str(&t, verb_name((enum verb)v));
			sep = ",";
		}
	if (r->any_key)
		buf_str(&t, " keys=*");
	for (size_t i = 0; i < r->key_count; i++)
		buf_printf(&t, "%s%s", i == 0 ? " keys=" : ",", r->keys[i]);
	if (r->prompt != POLICY_PROMPT_NO)
		buf_str(&t, r->prompt == POLICY_PROMPT_YES ? " prompt=yes" : " prompt=wait");
	if (t.failed)
		out->failed = true;
	else
		buf_json(out, (const char *)t.data, t.len);
	buf_done(&t);
}

static void
hash_text(char out[7 + 64 + 1], const void *bytes, size_t len)
{
	uint8_t hash[32] = {0};
	struct buf b;

	EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL);
	buf_init(&b, 128);
	buf_str(&b, "sha256:");
	buf_hex(&b, hash, sizeof(hash));
	snprintf(out, 72, "%.*s", (int)b.len, b.data != NULL ? (const char *)b.data : "");
	buf_done(&b);
}

void
broker_log_policy(struct broker *b, const char *kind)
{
	struct entry *e = entry_new(b, kind, NULL);
	struct buf rules, config;
	char hash[72];

	if (e == NULL)
		return;
	buf_init(&rules, 16 * 1024 * 1024);
	buf_chr(&rules, '[');
	for (size_t i = 0; i < b->config->policy->rule_count; i++) {
		if (i > 0)
			buf_chr(&rules, ',');
		add_rule(&rules, &b->config->policy->rules[i]);
	}
	buf_chr(&rules, ']');
	buf_init(&config, 128);
	buf_str(&config, "sha256:");
	buf_hex(&config, b->config->hash, 32);
	buf_u8(&config, 0);
	entry_str(e, "version", SIGNET_VERSION);
	entry_str(e, "config", (const char *)config.data);
	hash_text(hash, rules.data, rules.len);
	entry_str(e, "policy", hash);
	if (!rules.failed && rules.len <= POLICY_IN_ENTRY_MAX)
		entry_raw(e, "rules", (const char *)rules.data, rules.len);
	if (!b->config->sandbox)
		entry_str(e, "sandbox", "off");
	entry_append(e);
	buf_done(&rules);
	buf_done(&config);
}

/* --- start --- */

void
broker_apply_limits(struct broker *b)
{
	b->quota.limit[QUOTA_CONNECTIONS] = b->config->connections_per_uid;
	b->quota.limit[QUOTA_JOBS] = b->config->jobs_per_uid;
	b->quota.limit[QUOTA_BYTES] = b->config->bytes_per_uid;
	b->quota.limit[QUOTA_PROMPTS] = b->config->prompts_per_uid;
}

static signet_err
make_tokens(struct broker *b, struct config *c, char *why, size_t why_size)
{
	b->tokens = calloc(c->token_count > 0 ? c->token_count : 1, sizeof(struct token *));
	if (b->tokens == NULL)
		goto memory;
	for (; b->token_count < c->token_count; b->token_count++)
		if (token_new(&b->tokens[b->token_count], b, c, &c->tokens[b->token_count]) != SIGNET_OK)
			goto memory;
	return SIGNET_OK;
memory:
	snprintf(why, why_size, "out of memory");
	return SIGNET_ERR_MEMORY;
}

static void
on_stop_signal(uv_signal_t *handle, int number)
{
	(void)number;
	broker_stop(handle->data);
}

static void
on_hup(uv_signal_t *handle, int number)
{
	struct broker *b = handle->data;
	char why[512];
	json_t *changed;

	(void)number;
	if (b->stopping)
		return;
	changed = json_array();
	notify_reloading();
	if (broker_reload(b, changed, why, sizeof(why)) != SIGNET_OK) {
		struct journal_fields fields = {.message_id = SIGNET_MSG_RELOAD_FAILED};

		journal(LOG_ERR, &fields, "the configuration was not changed: %s", why);
	}
	json_decref(changed);
	notify_reloaded();
}

static void
start_handles(struct broker *b)
{
	uv_signal_init(&b->loop, &b->on_term);
	uv_signal_init(&b->loop, &b->on_int);
	uv_signal_init(&b->loop, &b->on_hup);
	uv_prepare_init(&b->loop, &b->hand_over);
	uv_idle_init(&b->loop, &b->go_on);
	uv_timer_init(&b->loop, &b->tick);
	uv_timer_init(&b->loop, &b->upkeep);
	notify_start(&b->notify, b);
	format_start(&b->format, b);
	trust_start(&b->trust, b);
	b->on_term.data = b->on_int.data = b->on_hup.data = b;
	b->hand_over.data = b->tick.data = b->upkeep.data = b;
	uv_signal_start(&b->on_term, on_stop_signal, SIGTERM);
	uv_signal_start(&b->on_int, on_stop_signal, SIGINT);
	uv_signal_start(&b->on_hup, on_hup, SIGHUP);
	uv_prepare_start(&b->hand_over, on_hand_over);
	uv_timer_start(&b->upkeep, on_upkeep, UPKEEP_MS, UPKEEP_MS);
}

signet_err
broker_start(struct broker *b, const char *config_path, char *why, size_t why_size)
{
	signet_err err;

	memset(b, 0, sizeof(*b));
	b->config_path = config_path;
	b->turns_end = &b->turns;
	b->started_us = clock_now_us(NULL);
	b->slept_us = clock_slept_us();
	err = dispatch_init(why, why_size);
	if (err == SIGNET_OK)
		err = config_load(&b->config, config_path, why, why_size);
	if (err != SIGNET_OK)
		return err;
	uv_loop_init(&b->loop);
	broker_apply_limits(b);
	snprintf(why, why_size, "out of memory");
	err = replay_init(&b->replay);
	if (err == SIGNET_OK)
		err = identity_self(&b->self);
	if (err == SIGNET_OK && !b->config->own_uid) /* whose only callers are of one uid, ours */
		err = identity_map_is_full("/proc/self/uid_map", why, why_size);
	if (err == SIGNET_OK)
		err = log_open(b, why, why_size);
	if (err == SIGNET_OK)
		err = disabled_load(b, why, why_size);
	if (err == SIGNET_OK)
		err = make_tokens(b, b->config, why, why_size);
	if (err == SIGNET_OK)
		err = listener_start(&b->listener, b, b->config->socket, why, why_size);
	if (err != SIGNET_OK)
		return err; /* the process ends: the kernel takes back what was opened */
	start_handles(b);
	if (!b->config->sandbox) {
		struct journal_fields fields = {.message_id = SIGNET_MSG_SANDBOX_OFF};

		journal(LOG_WARNING, &fields, "sandbox = off: token drivers run unconfined");
	}
	log_open_tell(b);
	broker_log_policy(b, "start");
	if (!watchers_update(b))
		say_error("out of memory: not all modules are watched");
	watchers_start(b);
	for (size_t i = 0; i < b->token_count; i++)
		token_start(b->tokens[i]);
	return SIGNET_OK;
}

static void
free_rest(struct broker *b)
{
	pairs_expire(b, UINT64_MAX);
	disabled_done(b);
	refusals_done(&b->refusals);
	replay_done(&b->replay);
	while (b->pins != NULL) {
		struct pin_row *row = b->pins;

		b->pins = row->next;
		free(row);
	}
	identity_unref(b->self);
	free(b->tokens);
	config_unref(b->config);
	dispatch_done();
}

int
broker_end(struct broker *b)
{
	uv_loop_close(&b->loop);
	free_rest(b);
	return b->exit_code;
}

int
broker_run(struct broker *b)
{
	notify_ready(&b->notify);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	return broker_end(b);
}

/* --- stop --- */

static void
on_log_closed(void *arg)
{
	struct broker *b = arg;
	uv_handle_t *handles[] = {(uv_handle_t *)&b->on_term, (uv_handle_t *)&b->on_int, (uv_handle_t *)&b->on_hup,
	    (uv_handle_t *)&b->hand_over, (uv_handle_t *)&b->go_on, (uv_handle_t *)&b->tick,
	    (uv_handle_t *)&b->upkeep, notify_handle(&b->notify)};

	b->log = NULL;
	format_stop(&b->format);
	for (size_t i = 0; i < array_len(handles); i++)
		uv_close(handles[i], NULL);
}

static void
close_log(struct broker *b)
{
	struct entry *e;

	refusals_flush(b, 0, true);
	e = entry_new(b, "stop", NULL);
	if (e != NULL) {
		entry_str(e, "version", SIGNET_VERSION);
		entry_append(e);
	}
	b->closed_log = true;
	covers_wake(b, true);
	uv_prepare_stop(&b->hand_over);
	uv_idle_stop(&b->go_on);
	ledger_close(b->log, on_log_closed, b);
}

void
broker_stop(struct broker *b)
{
	struct peer *p = b->peers, *next;

	if (b->stopping)
		return;
	b->stopping = true;
	b->stop_deadline_ms = uv_now(&b->loop) + STOP_MS;
	notify_stopping();
	listener_stop(&b->listener);
	watchers_stop(b);
	onces_end(b);
	for (size_t i = 0; i < b->token_count; i++) {
		b->tokens_going++;
		token_stop(b->tokens[i]);
	}
	for (; p != NULL; p = next) {
		next = p->next;
		peer_drain(p);
	}
	broker_tick_on(b);
}

static void
end_workers(struct broker *b)
{
	for (size_t i = 0; i < b->token_count; i++)
		token_on_hung(b->tokens[i]);
	for (struct token *t = b->going; t != NULL; t = t->next_going)
		token_on_hung(t);
}

/* Called from the tick until everything is gone. */
static void
stop_further(struct broker *b)
{
	uint64_t now = uv_now(&b->loop);

	if (b->closed_log)
		return;
	if (b->tokens_going > 0) {
		if (now >= b->stop_deadline_ms)
			end_workers(b);
		return;
	}
	if (b->peers != NULL) { /* their replies are on the way; who does not read is not waited for */
		if (b->stop_deadline_ms > now + LINGER_MS)
			b->stop_deadline_ms = now + LINGER_MS;
		if (now < b->stop_deadline_ms)
			return;
		for (struct peer *p = b->peers; p != NULL; p = p->next)
			peer_close(p);
	}
	close_log(b);
}
