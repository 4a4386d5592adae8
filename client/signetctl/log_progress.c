/* How far it is: a bar on the terminal, redrawn where it looks another way; nothing where there is none. */
#include <unistd.h>

#include "log.h"

enum { BAR = 40 };

static int shown = -1; /* percent */

void
log_progress(uint64_t done, uint64_t total)
{
	int percent = total == 0 ? 100 : (int)(100.0 * (double)done / (double)total), filled;

	if (percent == shown || !isatty(STDERR_FILENO))
		return;
	shown = percent;
	filled = percent * BAR / 100;
	fprintf(stderr, "\r[%.*s%*s] %3d %%", filled, "########################################",
	    BAR - filled, "", percent);
	(void)fflush(stderr);
}

void
log_progress_end(void)
{
	if (shown >= 0)
		fputs("\r\033[K", stderr);
	shown = -1;
}
