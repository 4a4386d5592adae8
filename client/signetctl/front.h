/*
 * How a person is asked: on the terminal, by a pinentry program, or through
 * systemd's password agents. A front end runs in a process of its own, which
 * is ended by SIGTERM when the prompt needs no answer any more; so it may block.
 */
#ifndef SIGNET_SIGNETCTL_FRONT_H
#define SIGNET_SIGNETCTL_FRONT_H

#include "inbox.h"

enum front_word {
	FRONT_YES,
	FRONT_NO,   /* the person said no */
	FRONT_NONE, /* no word: time over, or nobody can be asked; the fault was printed */
};

struct front {
	const char *name;
	/* FRONT_YES: *pin is the caller's. */
	enum front_word (*pin)(const json_t *prompt, signet_pin **pin);
	/* Before the last try: does he know what a wrong PIN does? */
	enum front_word (*confirm)(const json_t *prompt);
	/* Something is to be done, not said: comes back only if the person will not. */
	enum front_word (*wait)(const json_t *prompt);
};

extern const struct front front_terminal, front_pinentry, front_systemd;

/* By --frontend and --pinentry; NULL after the fault was printed. */
const struct front *front_pick(const struct ctl *c);
/* The pinentry program that front_pick chose. */
const char *front_pinentry_program(void);
/* Where a program lies, by $PATH; NULL: nowhere. free() it. */
char *front_find_program(const char *name);
/* In a child: end with the parent. */
void front_end_with_parent(void);

/* Ask and answer, in a process of its own; its exit code. A byte goes to `spoken` when the person has said his word. */
int front_run(struct ctl *c, const struct front *front, const json_t *prompt, int spoken);

#endif
