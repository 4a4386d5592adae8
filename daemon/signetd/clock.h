/*
 * Time: microseconds since 1970, and what the kernel says of its clock.
 * An unsynchronised clock is written into every entry, never hidden.
 */
#ifndef SIGNET_SIGNETD_CLOCK_H
#define SIGNET_SIGNETD_CLOCK_H

#include "base/base.h"

int64_t clock_now_us(void *unused);
int64_t clock_monotonic_us(void);
/* How long the machine has slept since it was started. */
int64_t clock_slept_us(void);
/* "synchronised", "unsynchronised", or "unknown" where the kernel does not tell us. Asked at most once a second. */
const char *clock_state(void *unused);
/* RFC 3339 UTC with seconds; `out` has 21 bytes. */
enum { CLOCK_TEXT = 21 };
/* RFC 3339 in UTC (Z), with or without a fraction of a second. False: not such a time. */
bool clock_parse(const char *text, int64_t *us);
void clock_format(int64_t us, char out[CLOCK_TEXT]);

#endif
