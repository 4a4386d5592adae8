/*
 * Waiting until a checkpoint covers what is in the log already: it comes by
 * itself, at most 50 ms after the one before. On the loop.
 */
#ifndef SIGNET_SIGNETD_COVER_H
#define SIGNET_SIGNETD_COVER_H

#include "base/base.h"

struct broker;

struct cover {
	struct cover *next, *prev;
	uint64_t size;	   /* entries that must be covered */
	uint64_t until_ms; /* loop time */
	bool listed;
	void (*done)(struct cover *c); /* covered, or it is no use to wait any more: look again */
	void *owner;
};

/* False: there is nothing to wait for. Else `done` comes later, unless cover_leave is called before. */
bool cover_wait(struct broker *b, struct cover *c, uint64_t size, void (*done)(struct cover *c), void *owner);
void cover_leave(struct broker *b, struct cover *c);

/* In each turn of the loop; `end`: the log is about to be closed. */
void covers_wake(struct broker *b, bool end);

#endif
