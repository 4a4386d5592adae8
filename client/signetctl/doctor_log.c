/* The signing log: can it be written, and is there a copy outside that follows it? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <signet/log.h>

#include "doctor.h"

enum { STALE_HOURS = 24, FRESH_SECONDS = 3600 };

/* A daemon that was started a moment ago has published nothing yet. */
static bool
is_fresh(const struct doctor *d)
{
	return d->status != NULL && json_integer_value(json_object_get(d->status, "uptimeSeconds")) < FRESH_SECONDS;
}

static void
look_at_daemon(struct doctor *d, const json_t *log)
{
	const char *reason = text_of(log, "reason");

	if (!json_is_true(json_object_get(log, "available")))
		found(d, FOUND_FAIL, _("nothing is signed until this is repaired; the journal of signetd says more"),
		    _("the log cannot be written: %s"), reason == NULL ? _("unknown") : reason);
	else
		found(d, FOUND_OK, NULL, _("%s: entries %lld, of which %lld are covered by a signed checkpoint"),
		    text_of(log, "origin"), (long long)json_integer_value(json_object_get(log, "size")),
		    (long long)json_integer_value(json_object_get(log, "signedSize")));
}

/* Entries that the published checkpoint covers, when it was written; 0, or an errno. */
static int
read_published(const char *folder, uint64_t *size, time_t *when)
{
	signet_checkpoint checkpoint;
	char path[600], note[8192];
	struct stat st;
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/checkpoint", folder);
	f = fopen(path, "re");
	if (f == NULL)
		return errno;
	len = fread(note, 1, sizeof(note), f);
	*when = fstat(fileno(f), &st) == 0 ? st.st_mtime : 0;
	(void)fclose(f);
	if (signet_log_checkpoint(note, len, NULL, &checkpoint) != SIGNET_OK)
		return EBADMSG;
	*size = checkpoint.size;
	return 0;
}

static void
look_at_published(struct doctor *d, const char *folder)
{
	json_int_t wanted = json_integer_value(json_object_get(json_object_get(d->status, "log"), "signedSize"));
	uint64_t size = 0;
	time_t when = 0;
	long long hours;
	int code = read_published(folder, &size, &when);

	if (code == EACCES) {
		found(d, FOUND_SKIPPED, _("run this as root"), _("you may not read %s/checkpoint"), folder);
		return;
	}
	if (code != 0) {
		found(d, is_fresh(d) ? FOUND_OK : FOUND_WARN, is_fresh(d) ? NULL : _("the journal of signetd says why"),
		    _("%s has no checkpoint: the log was not published yet"), folder);
		return;
	}
	hours = (long long)(time(NULL) - when) / 3600;
	if (d->status != NULL && size < (uint64_t)wanted && hours >= STALE_HOURS)
		found(d, FOUND_FAIL, _("the journal of signetd says why"),
		    _("%s ends with entry %llu and is %lld hours old"), folder, (unsigned long long)size, hours);
	else
		found(d, FOUND_OK, NULL, _("published to %s: entries %llu, checkpoint %lld hours old"), folder, (unsigned long long)size,
		    hours);
}

void
doctor_log(struct doctor *d)
{
	const json_t *log = json_object_get(d->status, "log");
	const char *tiles = text_of(d->config, "tiles");

	if (log != NULL)
		look_at_daemon(d, log);
	else
		found(d, FOUND_SKIPPED, NULL, "%s", _("without the daemon's word nobody knows whether the log can be written"));
	if (tiles != NULL)
		look_at_published(d, tiles);
	else if (d->config != NULL)
		found(d, FOUND_WARN, _("set `tiles =` in [log], and carry that folder to another machine"),
		    "%s", _("the log is not published: if this disk is lost, all of it is"));
}
