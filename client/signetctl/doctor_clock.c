/* Is the clock set by something that knows? Entries of the log and time-stamps stand on it. */
#include <errno.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "doctor.h"

enum { BEFORE_US = 1735689600 }; /* 2025: older than this program */

void
doctor_clock(struct doctor *d)
{
	const char *of_daemon = text_of(d->status, "clock");
	struct timex t = {0};
	int state = adjtimex(&t);

	if (time(NULL) < BEFORE_US)
		found(d, FOUND_FAIL, _("set it: timedatectl set-time"), "%s", _("the clock shows a time before this program was made"));
	else if (of_daemon == NULL && state < 0)
		found(d, FOUND_SKIPPED, NULL, _("the kernel does not tell how the clock is: %s"), strerror(errno));
	else if (of_daemon != NULL ? strcmp(of_daemon, "synchronised") == 0 : state != TIME_ERROR && (t.status & STA_UNSYNC) == 0)
		found(d, FOUND_OK, NULL, "%s", _("it is synchronised"));
	else
		found(d, FOUND_WARN,
		    _("set up time synchronisation: apt-get install systemd-timesyncd, or chrony; every entry of the log says so meanwhile"),
		    "%s", _("it is not synchronised, or nobody knows whether it is"));
}
