/*
 * One signet-token process and its lanes, as the broker sees it. Anything
 * unexpected ends in the same way: SIGKILL and a fresh process. A dead worker
 * shows as end of file, a hung one by its deadline.
 */
#ifndef SIGNET_SIGNETD_WORKER_H
#define SIGNET_SIGNETD_WORKER_H

#include <uv.h>

#include "job.h"

enum { WORKER_FAST_US = 1000, WORKER_FAST_DEPTH = 8 };

struct lane {
	struct worker *worker;
	uv_poll_t poll;
	int fd;
	int events;
	struct buf in, out; /* out may hold a PIN */
	struct job_list sent;
	uint64_t deadline_ms; /* of the first job in `sent`; loop time */
};

struct worker {
	struct token *token; /* NULL once the token has let go */
	uv_loop_t *loop;
	uv_process_t process;
	struct lane lanes[WIRE_LANES_MAX];
	unsigned lane_count, handles;
	bool running;	/* the process has not been reaped */
	bool informed;	/* INFO was received */
	bool dying;
	uint64_t info_deadline_ms;
	uint64_t first_kib; /* its own memory when recycle.c first looked; 0: not yet */
};

/* SIGNET_ERR_TOKEN_FAILED; `why` says what did not start. */
must_check signet_err worker_start(struct worker **out, struct token *t, char *why, size_t why_size);
/* Kill it and let go: jobs on its lanes must have been taken (worker_take_jobs). The memory goes when it is reaped. */
void worker_kill(struct worker *w);
/* All jobs on all lanes, in the order they were sent, moved to `out`. */
void worker_take_jobs(struct worker *w, struct job_list *out);
unsigned worker_in_flight(const struct worker *w);
/* The lane with the fewest jobs, if that is fewer than `depth`. */
struct lane *worker_free_lane(struct worker *w, unsigned depth);
/* Queue the frame and forget the job's PIN; worker_flush sends what was queued. */
void worker_send(struct worker *w, struct lane *l, struct job *j, unsigned timeout_ms);
void worker_flush(struct worker *w);
/* Has a deadline passed? *job: the one that hangs, NULL if INFO is what did not come. */
bool worker_overdue(const struct worker *w, uint64_t now_ms, struct job **job);
uint64_t worker_next_deadline(const struct worker *w); /* UINT64_MAX: none */

#endif
