/* Room for the log: without it nothing is signed. */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "doctor.h"

enum { WARN_PERCENT = 80, FAIL_PERCENT = 97 };

static void
look_at(struct doctor *d, const char *folder)
{
	struct statvfs fs;
	unsigned long long used, free_mib;

	if (statvfs(folder, &fs) != 0 || fs.f_blocks == 0) {
		found(d, FOUND_SKIPPED, NULL, _("%s cannot be looked at: %s"), folder, strerror(errno));
		return;
	}
	used = (unsigned long long)(fs.f_blocks - fs.f_bavail) * 100 / fs.f_blocks;
	free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
	if (used >= WARN_PERCENT)
		found(d, used >= FAIL_PERCENT ? FOUND_FAIL : FOUND_WARN,
		    _("make room: without it the log cannot be written and nothing is signed"),
		    _("the disk of %s is %llu %% full, %llu MiB are free"), folder, used, free_mib);
	else
		found(d, FOUND_OK, NULL, _("the disk of %s is %llu %% full, %llu MiB are free"), folder, used, free_mib);
}

void
doctor_disk(struct doctor *d)
{
	const char *state = text_of(d->config, "state"), *tiles = text_of(d->config, "tiles");

	look_at(d, state == NULL ? "/var/lib/signet" : state);
	if (tiles != NULL)
		look_at(d, tiles);
}
