/*
 * Long output into a file.
 *
 * Invariant: as with signature files, the name appears only when all is on the
 * disk, and an older file goes only where that was asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_out.h"

int
log_out_open(struct log_out *o, struct ctl *c)
{
	const char *slash;
	int fd;

	*o = (struct log_out){.f = stdout, .path = c->value[OPT_OUT], .replace = given(c, OPT_FORCE)};
	if (o->path == NULL)
		return CTL_OK;
	if (!o->replace && access(o->path, F_OK) == 0)
		return fail_text(CTL_FAILED, _("%s exists already: --force replaces it"), o->path);
	slash = strrchr(o->path, '/');
	if (asprintf(
		&o->draft, "%.*s.signet.XXXXXX", slash == NULL ? 0 : (int)(slash + 1 - o->path), o->path) < 0)
		abort();
	fd = mkostemp(o->draft, O_CLOEXEC);
	o->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (o->f == NULL) {
		int code = fail_text(CTL_FAILED, _("cannot write %s: %s"), o->path, strerror(errno));

		if (fd >= 0) {
			(void)close(fd);
			(void)unlink(o->draft);
		}
		free(o->draft);
		return code;
	}
	return CTL_OK;
}

static int
settle(const struct log_out *o)
{
	if (o->replace)
		return rename(o->draft, o->path) == 0 ? 0 : errno;
	/* a link does not replace */
	if (link(o->draft, o->path) != 0)
		return errno;
	return unlink(o->draft) == 0 ? 0 : errno;
}

int
log_out_close(struct log_out *o, int code)
{
	mode_t mask;
	int failed = 0;

	if (o->draft == NULL) {
		if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
			code = fail_text(CTL_FAILED, _("cannot write to standard output"));
		return code;
	}
	mask = umask(0);
	(void)umask(mask);
	if (fflush(o->f) != 0 || ferror(o->f) || fchmod(fileno(o->f), 0666 & ~mask) != 0 ||
	    fsync(fileno(o->f)) != 0)
		failed = errno;
	if (fclose(o->f) != 0 && failed == 0)
		failed = errno;
	if (code == CTL_OK && failed == 0)
		failed = settle(o);
	if (code != CTL_OK || failed != 0)
		(void)unlink(o->draft);
	if (code == CTL_OK && failed != 0)
		code = fail_text(CTL_FAILED, _("cannot write %s: %s"), o->path, strerror(failed));
	free(o->draft);
	return code;
}
