/* org.signetd.Admin: how the daemon is, and reading its configuration again. */
#include <unistd.h>

#include "broker.h"
#include "clock.h"
#include "dispatch.h"
#include "ledger/proof.h"
#include "token.h"
#include "warnings.h"

static void
hex_text(char *out, const uint8_t *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[bytes[i] >> 4];
		out[2 * i + 1] = digit[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

static json_t *
config_hash(const struct broker *b)
{
	char text[7 + 64 + 1] = "sha256:";

	hex_text(text + 7, b->config->hash, 32);
	return json_string(text);
}

/* Entries that the newest signed checkpoint covers. */
static uint64_t
signed_size(const struct broker *b)
{
	struct checkpoint head;
	const char *note;
	size_t len;

	return ledger_head(b->log, &head, &note, &len) ? head.size : 0;
}

static json_t *
describe_log(const struct broker *b)
{
	const char *why = ledger_why(b->log);
	unsigned us, ops;

	ledger_last_commit(b->log, &us, &ops);
	return json_pack("{s:s,s:I,s:I,s:b,s:o,s:i,s:i}", "origin",
	    ledger_origin(b->log)[0] != '\0' ? ledger_origin(b->log) : b->config->origin, "size",
	    (json_int_t)ledger_size(b->log), "signedSize", (json_int_t)signed_size(b), "available", ledger_available(b->log), "reason",
	    why[0] != '\0' ? json_string(why) : json_null(), "commitMicroseconds", (int)us, "commitOperations",
	    (int)ops);
}

static json_t *
describe_token(const struct token *t)
{
	return json_pack("{s:s,s:s,s:o,s:i,s:i,s:I,s:I,s:I,s:i}", "name", t->conf->name, "state", token_state_name(t),
	    "reason", t->reason[0] != '\0' ? json_string(t->reason) : json_null(), "waiting", (int)t->queued.count,
	    "inFlight", (int)(t->claimed + t->recording), "signatures", (json_int_t)t->signatures, "failures",
	    (json_int_t)t->failures, "workerStarts", (json_int_t)t->worker_starts, "latencyMicroseconds",
	    (int)t->mean_us);
}

void
method_status(struct request *r)
{
	const struct broker *b = r->broker;
	json_t *tokens = json_array();
	char started[CLOCK_TEXT];
	int64_t now = clock_now_us(NULL);

	for (size_t i = 0; i < b->token_count; i++)
		json_array_append_new(tokens, describe_token(b->tokens[i]));
	clock_format(b->started_us, started);
	request_reply(r, json_pack("{s:s,s:i,s:s,s:I,s:i,s:I,s:I,s:I,s:s,s:b,s:o,s:s,s:o,s:o,s:o}", "version", SIGNET_VERSION,
			     "pid", (int)getpid(), "started", started, "uptimeSeconds",
			     (json_int_t)((now - b->started_us) / 1000000), "connections", (int)b->peer_count, "calls",
			     (json_int_t)b->counters.calls, "protocolErrors", (json_int_t)b->counters.protocol_errors,
			     "refusals", (json_int_t)b->counters.refusals, "clock", clock_state(NULL), "sandbox",
			     b->config->sandbox, "config", config_hash(b), "configPath", b->config_path, "log", describe_log(b), "tokens", tokens, "warnings", warnings_list(b)));
}

void
method_reload(struct request *r)
{
	char why[512];
	json_t *changed = json_array();
	signet_err err = broker_reload(r->broker, changed, why, sizeof(why));

	if (err != SIGNET_OK) {
		json_decref(changed);
		request_fail_with(r, SIGNET_ERR_RELOAD_FAILED, NULL, "%s", why);
		return;
	}
	request_reply(r, json_pack("{s:o,s:o}", "config", config_hash(r->broker), "changed", changed));
}
