/*
 * Is a thread still going round? The loop asks, the thread answers each time it
 * looks for work: a thread stuck in a system call, or in a circle, does not.
 * Both sides hold the thread's lock.
 */
#ifndef SIGNET_LEDGER_PULSE_H
#define SIGNET_LEDGER_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct pulse {
	uint64_t asked, answered;
};

static inline bool
pulse_beats(const struct pulse *p)
{
	return p->answered == p->asked;
}

#endif
