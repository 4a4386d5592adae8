/*
 * Times on the command line: a day, a minute or a second of local time, or a
 * time as the log writes it. What comes out has the log's own form, so that
 * times compare as texts.
 */
#include <string.h>
#include <time.h>

#include "log.h"

/* The forms that people write, and how much time each names. */
static const struct {
	const char *format;
	int seconds;
} forms[] = {{"%Y-%m-%d", 24 * 3600}, {"%Y-%m-%d %H:%M", 60}, {"%Y-%m-%dT%H:%M", 60},
    {"%Y-%m-%d %H:%M:%S", 1}, {"%Y-%m-%dT%H:%M:%S", 1}};

static bool
write_time(time_t when, char out[LOG_TIME])
{
	struct tm t;
	char text[32];

	if (gmtime_r(&when, &t) == NULL || t.tm_year < 70 || t.tm_year > 8099 ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t) == 0)
		return false;
	return snprintf(out, LOG_TIME, "%s.000000Z", text) < LOG_TIME;
}

/* "2026-11-21T19:26:41[.123]Z" */
static bool
read_exact(const char *text, char out[LOG_TIME])
{
	char micros[] = "000000";
	struct tm t = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
	size_t digits;

	if (rest == NULL || rest - text != 19)
		return false;
	if (*rest == '.') {
		digits = strspn(++rest, "0123456789");
		if (digits == 0 || digits > 9)
			return false;
		memcpy(micros, rest, digits < 6 ? digits : 6);
		rest += digits;
	}
	if (strcmp(rest, "Z") != 0)
		return false;
	return snprintf(out, LOG_TIME, "%.19s.%sZ", text, micros) < LOG_TIME;
}

bool
log_time_read(const char *text, bool end, char out[LOG_TIME])
{
	struct tm t;
	const char *rest;
	time_t when;

	if (read_exact(text, out))
		return true;
	for (size_t i = 0; i < array_len(forms); i++) {
		memset(&t, 0, sizeof(t));
		rest = strptime(text, forms[i].format, &t);
		if (rest == NULL || *rest != '\0')
			continue;
		t.tm_isdst = -1;
		/* the day after is what mktime makes of it, not 24 hours later */
		if (end && forms[i].seconds > 60)
			t.tm_mday++;
		else if (end)
			t.tm_sec += forms[i].seconds;
		when = mktime(&t);
		return when != (time_t)-1 && write_time(when, out);
	}
	return false;
}
