/* Where the PIN for a token comes from: --pin-fd, or a person at the terminal. */
#ifndef SIGNET_SIGNETCTL_PIN_H
#define SIGNET_SIGNETCTL_PIN_H

#include "ctl.h"

struct pin {
	signet_pin *pin; /* NULL: none yet */
	bool last_try;
	bool may_ask;   /* there is a terminal, and we may */
	bool by_person; /* typed in: can be typed in again */
	bool tried;     /* a typed one was refused: the next has to wait a little */
};

/* From the options. CTL_OK, or the exit code after the fault was printed. */
int pin_start(struct pin *p, struct ctl *c);

/*
 * A call ended with `err`; `parameters` (JSON text) came with it. CTL_OK: p has what was missing, call again.
 * Otherwise the exit code; the fault was printed.
 */
int pin_answer(struct pin *p, struct ctl *c, signet_err err, const char *message, const char *parameters);

/* Ask now, before any call; no-op if a PIN is there. */
int pin_need(struct pin *p, struct ctl *c, const char *token);

void pin_done(struct pin *p);

#endif
