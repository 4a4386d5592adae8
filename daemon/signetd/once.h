/*
 * One question to a fresh signet-token process (token/once.h), confined as a
 * worker is, with a deadline: it answers once, or is killed.
 */
#ifndef SIGNET_SIGNETD_ONCE_H
#define SIGNET_SIGNETD_ONCE_H

#include <jansson.h>
#include <uv.h>

#include "base/base.h"

enum {
	ONCE_ANSWER_MAX = 8 << 20, /* bytes of an answer */
	ONCE_SCAN_MS = 30000,
	ONCE_MAX = 4, /* at the same time */
};

struct broker;
struct once;

struct once_question {
	const char *module;
	const char *serial, *label; /* of the token it is about; may be NULL */
	char *const *paths;
	size_t path_count;
	char *const *environment;
	size_t environment_count;
	const json_t *request; /* borrowed; may have a PIN: its text is wiped */
	unsigned timeout_ms;
	/* On the loop. `answer` is borrowed; NULL: `why` has a sentence. */
	void (*done)(void *arg, const json_t *answer, const char *why);
	void *arg;
};

/* SIGNET_ERR_BUSY: enough are under way; SIGNET_ERR_TOKEN_FAILED: it does not start, `why` has a sentence. */
must_check signet_err once_ask(struct once **out, struct broker *b, const struct once_question *q, char *why, size_t why_size);
/* Whoever asked has gone: kill it; `done` is not called. */
void once_leave(struct once *o);
/* The daemon stops: kill them all. */
void onces_end(struct broker *b);

#endif
