/*
 * signet-format as the broker sees it: one process, started when it is first
 * needed, one question at a time, a deadline for each. Anything unexpected ends
 * in SIGKILL and a fresh process at the next question.
 */
#ifndef SIGNET_SIGNETD_FORMAT_H
#define SIGNET_SIGNETD_FORMAT_H

#include <uv.h>

#include "format/ask.h"

struct broker;

enum {
	FORMAT_DEADLINE_MS = 5000,
	FORMAT_PAUSE_MS = 1000, /* after a process that ended: questions fail at once for so long */
	FORMAT_QUEUE_MAX = 1024,
};

struct format_ask {
	struct format_ask *next;
	struct buf frame;
	/* Exactly once after a good format_submit, never from within it; NULL: there is no answer. Then it is yours. */
	void (*done)(struct format_ask *a, const struct ask_answer *answer);
	void *owner;
};

struct format {
	struct broker *broker;
	struct format_process *process; /* NULL: none runs */
	struct format_ask *first, *last;
	size_t count;
	uint64_t not_before_ms; /* loop time: pause after a failure */
	uv_timer_t timer;	/* deadline of the first question, or its failure in the next turn */
	bool stopping;
};

void format_start(struct format *f, struct broker *b);
/* What is asked fails; the timer is closed. */
void format_stop(struct format *f);
/* The configuration has changed: the next question goes to a fresh process. */
void format_reload(struct format *f);
/* SIGNET_ERR_LIMIT: the question is too long; SIGNET_ERR_BUSY: too many wait. Then `done` is not called. */
must_check signet_err format_submit(struct format *f, struct format_ask *a, const struct ask *question);

#endif
