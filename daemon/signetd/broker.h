/*
 * Everything that lives on the loop, and who owns it. The broker holds no
 * token and loads no module; it parses hostile JSON, decides and records.
 */
#ifndef SIGNET_SIGNETD_BROKER_H
#define SIGNET_SIGNETD_BROKER_H

#include <jansson.h>
#include <uv.h>

#include "config.h"
#include "inbox.h"
#include "ledger/ledger.h"
#include "listener.h"
#include "notify.h"
#include "pin.h"
#include "quota.h"
#include "refusal.h"
#include "replay.h"
#include "trust.h"

struct change;
struct disabled;
struct identity;
struct key;
struct key_change;
struct once;
struct peer;
struct request;
struct token;
struct token_watcher;
struct watcher;

struct counters { /* since the start, for status */
	uint64_t calls, protocol_errors, refusals;
};

struct pin_row { /* our count of PIN tries of one token serial */
	struct pin_row *next;
	char serial[80];
	struct pin_state state;
};

struct broker {
	uv_loop_t loop;
	const char *config_path;
	struct config *config;
	struct identity *self;
	struct ledger *log;
	struct listener listener;
	struct quota quota;
	struct refusals refusals;
	struct replay_map replay;
	struct inbox inbox;
	struct pin_row *pins;
	struct counters counters;
	struct format format;
	struct trust trust;
	int64_t started_us;
	uint64_t batches; /* numbers batches */
	uint8_t installation_key[32]; /* of documentTag */

	struct token **tokens; /* in the order of the configuration */
	size_t token_count;
	struct token *going; /* taken out by a reload, they still finish something */
	size_t tokens_going; /* those, and all while the daemon stops */
	struct watcher *watchers; /* of the tokens' modules */
	struct peer *peers;
	size_t peer_count;
	struct peer *turns, **turns_end; /* those who have something to send or to begin */
	struct request *waiting; /* requests with a deadline */
	struct log_reader *followers; /* of the log */
	uint64_t followed;	 /* its size when they were last woken */
	struct token_watcher *token_watchers; /* of the tokens */
	uint64_t changes;	 /* of tokens, numbered while somebody watches */
	struct disabled *disabled; /* keys that are switched off */
	struct change *disabling;  /* their file is being written */
	struct key_change *key_change; /* one is being switched off or on */
	struct once *onces; /* processes that answer one question */
	struct pair *pairs;	  /* what waits for a second person */
	struct cover *covers;	  /* who wait for a checkpoint */

	uv_signal_t on_term, on_int, on_hup;
	uv_prepare_t hand_over; /* before the loop sleeps: peers have their turn, the log gets what was submitted */
	uv_idle_t go_on;	/* runs while a peer wants another turn: the loop does not sleep */
	uv_timer_t tick;	/* every 20 ms while something has a deadline */
	uv_timer_t upkeep;	/* every second */
	struct notify notify;
	unsigned upkeeps;
	int64_t slept_us; /* how long the machine had slept when last looked */
	bool stopping, closed_log, log_was_available, anchor_missing;
	uint64_t stop_deadline_ms;
	int exit_code;
};

/* Read the configuration, open the log, listen, start workers. `why` gets one sentence. */
must_check signet_err broker_start(struct broker *b, const char *config_path, char *why, size_t why_size);
/* Until a signal ends it; returns the exit status. */
int broker_run(struct broker *b);
/* The end of broker_run, for who runs the loop himself: everything on it has been closed. */
int broker_end(struct broker *b);
/* Begin to stop: no new call, what is claimed is finished and recorded. */
void broker_stop(struct broker *b);
/* All or nothing; `changed` gets the names of the tokens that were restarted. SIGNET_ERR_RELOAD_FAILED. */
must_check signet_err broker_reload(struct broker *b, json_t *changed, char *why, size_t why_size);

/* Of the configuration in force. */
void broker_apply_limits(struct broker *b);

struct key *broker_key(const struct broker *b, const char *name);
struct token *broker_token(const struct broker *b, const char *name);
/* The row of this serial, made on first sight; NULL without memory. */
struct pin_state *broker_pin_state(struct broker *b, const char *serial);

void broker_tick_on(struct broker *b);
void broker_peer_here(struct broker *b, struct peer *p);
void broker_peer_gone(struct broker *b, struct peer *p);
/* A reload has taken it out of the list: it is looked after until it has gone. */
void broker_token_going(struct broker *b, struct token *t);
/* Its memory is about to go. */
void broker_token_gone(struct broker *b, struct token *t);
/* Counted, and told to the journal at most once a second. */
void broker_protocol_error(struct broker *b, const struct identity *who, const char *what);
/* `start`, `reload`: the effective policy and the hash of the configuration. */
void broker_log_policy(struct broker *b, const char *kind);

#endif
