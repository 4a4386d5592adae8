/*
 * The clock. clock_adjtime in read-only mode needs no privilege; inside some
 * containers it is EPERM, and then the state is "unknown": said, not guessed.
 * clock_state() runs on the log's writer thread, the others anywhere.
 */
#include "clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_now_us(void *unused)
{
	(void)unused;
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_slept_us(void)
{
	return read_us(CLOCK_BOOTTIME) - read_us(CLOCK_MONOTONIC);
}

static const char *
ask_kernel(void)
{
	struct timex tx = {.modes = 0};
	int rc = clock_adjtime(CLOCK_REALTIME, &tx);

	if (rc < 0)
		return "unknown";
	return rc == TIME_ERROR || (tx.status & STA_UNSYNC) != 0 ? "unsynchronised" : "synchronised";
}

const char *
clock_state(void *unused)
{
	static _Atomic(const char *) last;
	static _Atomic int64_t asked_us;
	int64_t now = clock_monotonic_us();
	const char *state = atomic_load(&last);

	(void)unused;
	if (state == NULL || now - atomic_load(&asked_us) >= 1000000) {
		state = ask_kernel();
		atomic_store(&last, state);
		atomic_store(&asked_us, now);
	}
	return state;
}

void
clock_format(int64_t us, char out[CLOCK_TEXT])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool
clock_parse(const char *text, int64_t *us)
{
	struct tm tm = {.tm_isdst = 0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t fraction = 0, unit = 100000;
	time_t t;

	if (rest == NULL)
		return false;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9' && unit > 0; rest++, unit /= 10)
			fraction += (*rest - '0') * unit;
	if (strcmp(rest, "Z") != 0)
		return false;
	t = timegm(&tm);
	*us = (int64_t)t * 1000000 + fraction;
	return t >= 0;
}
