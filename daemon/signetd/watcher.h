/*
 * One watcher per PKCS#11 module (and environment, since that decides what a
 * module shows): the process `signet-token --watch` and what it sees. A token's
 * worker is started when its watcher sees the token, and ended when it does not
 * any more. Where a watcher has no word, tokens rest on that of their workers.
 */
#ifndef SIGNET_SIGNETD_WATCHER_H
#define SIGNET_SIGNETD_WATCHER_H

#include <sys/stat.h>
#include <uv.h>

#include "config.h"
#include "token/wire.h"

struct broker;
struct token;
struct watch_process;

struct seen_token { /* in some slot, whether the configuration knows it or not; blanks at the end are cut */
	char serial[64], label[64], manufacturer[64], model[64];
	char reader[128]; /* as the module describes the slot */
	uint32_t flags;	  /* CKF_* of CK_TOKEN_INFO, when it came */
};

enum watcher_state {
	WATCHER_STARTING, /* its first word is awaited */
	WATCHER_RUNS,	  /* `seen` is what is there */
	WATCHER_LOST,	  /* the reader service has gone; what was there is not any more */
	WATCHER_DOWN,	  /* it crashed, hung or does not start: `reason` */
	WATCHER_PAUSED,	  /* stopped for a while: does the module serve one process only? */
	WATCHER_RESTS,	  /* it does: no watcher until the configuration or the module changes */
};

struct watcher {
	struct watcher *next;
	struct broker *broker;
	struct config *config; /* a reference; conf is the first section that names this module */
	const struct config_token *conf;
	bool used; /* by a token of the configuration in force */

	enum watcher_state state;
	char reason[256];
	struct seen_token *seen; /* seen_count of them; meaningful while it runs */
	size_t seen_count;

	struct watch_process *process; /* NULL: none */
	uv_timer_t timer;	       /* its silence, or the next start */
	bool served;		       /* it has spoken once */
	bool late;		       /* the first word is overdue: nobody waits for it any more */
	bool polling;		       /* the next one is not to wait for slot events */
	unsigned failures;	       /* in a row */
	uint64_t starts;	       /* for status */
	const struct token *doubted_by; /* whose worker said otherwise, how often, and how long the last pause was */
	unsigned doubts;
	unsigned pause_ms;
	struct stat file; /* of the module when it was last looked at */
};

/* What it says of the token of this section. */
enum watcher_word {
	WORD_NONE,   /* nothing that counts: ask the worker */
	WORD_SOON,   /* wait for it */
	WORD_ABSENT,
	WORD_PRESENT,
};
enum watcher_word watcher_says(const struct watcher *w, const struct config_token *conf);
/* Is it this section's? Serial or, without one, label. */
bool seen_is(const struct seen_token *s, const struct config_token *conf);

/*
 * Watchers for all modules of the configuration in force: those of the last one go on, new ones are made, the rest
 * ends. Each token gets its own. False: no memory (tokens without one rest on their workers).
 */
bool watchers_update(struct broker *b);
/* Start those that do not run yet. */
void watchers_start(struct broker *b);
/* End them all; their memory goes with their last handle. */
void watchers_stop(struct broker *b);
/* Now and then: has a module's file changed? */
void watchers_check_files(struct broker *b);
/* The machine slept: whatever they knew is old. */
void watchers_renew(struct broker *b);
/* The watcher of this section's module, NULL if there is none. */
struct watcher *watcher_of(const struct broker *b, const struct config *c, const struct config_token *conf);

/* The token's worker finds none although the watcher sees it, or cannot begin. */
void watcher_doubt(struct watcher *w, const struct token *t);
/*
 * This section is new, and its token may be, too: some modules see a token that was made after they were loaded in a
 * fresh process only.
 */
void watcher_look_again(struct watcher *w, const struct config_token *conf);
/* The token's worker has found it. */
void watcher_confirm(struct watcher *w, const struct token *t);
/* The token's worker holds it for good while the watcher sees none. */
void watcher_distrust(struct watcher *w);
/* This token goes. */
void watcher_forget(struct watcher *w, const struct token *t);

#endif
