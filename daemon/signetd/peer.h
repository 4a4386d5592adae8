/*
 * One connection. Replies come in call order because one call is answered at a
 * time; further calls wait in the receive buffer. A peer that does not read
 * its replies stops being read; one that says half a message and falls silent
 * is closed. Buffers may hold a PIN: they wipe what they give back.
 *
 * Sending and beginning calls happen in a peer's turn, once before the loop
 * sleeps, and nowhere else: whoever replies finds every object still there
 * when he goes on.
 */
#ifndef SIGNET_SIGNETD_PEER_H
#define SIGNET_SIGNETD_PEER_H

#include <uv.h>

#include "base/frame.h"
#include "identity.h"
#include "quota.h"
#include "request.h"

enum {
	PEER_IN_HIGH = 64 * 1024,  /* calls waiting behind a running one: stop reading above */
	PEER_OUT_HIGH = 64 * 1024, /* unread replies: start no further call above */
	PEER_SILENCE_MS = 30000,   /* half a message, or unread replies, without progress */
	PEER_CALLS_PER_TURN = 64,  /* then others have theirs */
};

struct peer {
	struct peer *next, *prev;
	struct peer *turn_next, **turn_at; /* among those who want a turn; turn_at NULL: not there */
	struct broker *broker;
	uv_poll_t poll;
	int fd;
	int events; /* what poll watches */
	struct identity *who;
	struct quota_user *user;
	uint64_t charged; /* bytes charged to the user */
	struct buf in, out;
	struct frame_scan scan;
	struct request *active;
	uint64_t progress_ms; /* loop time of the last byte that moved */
	bool eof, refused, closing;
	bool draining; /* no further byte is read; close when what was received is answered */
};

/* Takes the descriptor, even on failure. */
void peer_accept(struct broker *b, int fd);
/* Close now; a running request is cancelled. */
void peer_close(struct peer *p);
/* Answer what was received whole, then close: the daemon is stopping. */
void peer_drain(struct peer *p);
/* Close if nothing moved for PEER_SILENCE_MS although something is owed, or if it has gone unnoticed. */
void peer_check_silence(struct peer *p, uint64_t now_ms);
/* A message that is no call: answered with the reason. */
void peer_refuse_message(struct peer *p, const char *why);
/* It wants a turn: there is something to send, or to begin. */
void peer_wake(struct peer *p);
/* Turns for all who want one. True: some want another, so the loop must not sleep. */
bool peers_take_turns(struct broker *b);

#endif
