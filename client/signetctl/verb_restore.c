/*
 * signetctl restore: the log of a backup becomes the log of this machine.
 *
 * Invariant: nothing is replaced. What stands in the way is named, and stays;
 * and whether the copy is the newest state of the log is for the daemon to
 * judge when it starts: it compares the published log and the anchor.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

struct restoring {
	const char *from, *state;
	int from_fd, state_fd, lock_fd;
	struct stat owner; /* of the state directory: the files become his */
};

static int
fail_file(const struct restoring *r, const char *name)
{
	return fail_text(CTL_FAILED, _("%s/%s cannot be written: %s"), r->state, name, strerror(errno));
}

static bool
copy_bytes(int from, int to)
{
	char block[65536];
	ssize_t n, done, w;

	while ((n = read(from, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		for (done = 0; done < n; done += w) {
			w = write(to, block + done, (size_t)(n - done));
			if (w < 0 && errno != EINTR)
				return false;
			w = w < 0 ? 0 : w;
		}
	}
	explicit_bzero(block, sizeof(block)); /* it may have been a key */
	return true;
}

/* Under another name first: a log that is half there must not be taken for one. */
static int
finish_file(const struct restoring *r, int to, const char *name)
{
	int code = CTL_OK;

	if (fchown(to, r->owner.st_uid, r->owner.st_gid) != 0 || fsync(to) != 0)
		code = fail_file(r, name);
	(void)close(to);
	if (code == CTL_OK && renameat2(r->state_fd, ".restoring", r->state_fd, name, RENAME_NOREPLACE) != 0)
		code = fail_file(r, name);
	if (code != CTL_OK)
		(void)unlinkat(r->state_fd, ".restoring", 0);
	return code;
}

static int
copy_file(const struct restoring *r, const char *name, const char *as, bool may_lack)
{
	int to, from = openat(r->from_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0 && errno == ENOENT && may_lack)
		return CTL_OK;
	if (from < 0)
		return fail_text(CTL_FAILED, _("cannot read %s/%s: %s"), r->from, name, strerror(errno));
	(void)unlinkat(r->state_fd, ".restoring", 0); /* of a run that was broken off */
	to = openat(r->state_fd, ".restoring", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0 || !copy_bytes(from, to)) {
		int code = fail_file(r, as);

		if (to >= 0)
			(void)close(to);
		(void)close(from);
		return code;
	}
	(void)close(from);
	return finish_file(r, to, as);
}

/* Nobody else uses the folder while we do. */
static int
hold(struct restoring *r)
{
	static const char *const own[] = {"log.db", "log.db-wal", "log.key", "succession", "recover"};

	r->state_fd = open(r->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->state_fd < 0 || fstat(r->state_fd, &r->owner) != 0)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), r->state, strerror(errno));
	r->lock_fd = openat(r->state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock_fd < 0 || fchown(r->lock_fd, r->owner.st_uid, r->owner.st_gid) != 0)
		return fail_file(r, "lock");
	if (flock(r->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return fail_text(CTL_FAILED, _("signetd uses %s: stop it first (systemctl stop signetd.socket signetd)"),
		    r->state);
	for (size_t i = 0; i < array_len(own); i++)
		if (faccessat(r->state_fd, own[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return fail_text(CTL_FAILED, _("%s/%s is there: move the old log away first, and keep it"), r->state, own[i]);
	return CTL_OK;
}

static int
restore(struct restoring *r)
{
	static const struct {
		const char *name, *as;
		bool may_lack;
	} files[] = {
	    {"log.vkey", "log.vkey", true},
	    {"disabled.json", "disabled.json", true}, /* or a key that was lost would sign again */
	    {"installation.key", "installation.key", true},
	    {"log.key", "log.key", true},
	    {"backup", "restored", false}, /* from it the first entry is written */
	    {"log.db", "log.db", false},   /* last: with it there is a log */
	};
	int code = CTL_OK;

	for (size_t i = 0; i < array_len(files) && code == CTL_OK; i++) {
		if (files[i].may_lack && faccessat(r->state_fd, files[i].as, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue; /* the machine's own */
		code = copy_file(r, files[i].name, files[i].as, files[i].may_lack);
	}
	if (code == CTL_OK && fsync(r->state_fd) != 0)
		code = fail_file(r, "");
	return code;
}

static void
print_rest(const struct restoring *r)
{
	printf(_("The log of %s stands in %s.\n"), r->from, r->state);
	if (faccessat(r->state_fd, "log.key", F_OK, 0) != 0)
		puts(_("The backup has no log key: put log.key there too, or set the credential, before signetd starts."));
	puts(_("The configuration was not touched; the backup has it in signetd.conf and signetd.conf.d."));
	puts(_("Start signetd: it compares the log with the published one and with the anchor, and says if this copy is too old."));
}

int
verb_restore(struct ctl *c)
{
	struct restoring r = {.from = c->args[0],
	    .state = given(c, OPT_STATE) ? c->value[OPT_STATE] : "/var/lib/signet",
	    .from_fd = -1,
	    .state_fd = -1,
	    .lock_fd = -1};
	int code;

	r.from_fd = open(r.from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.from_fd < 0)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), r.from, strerror(errno));
	if (faccessat(r.from_fd, "backup", F_OK, 0) != 0 || faccessat(r.from_fd, "log.db", F_OK, 0) != 0)
		code = fail_text(CTL_FAILED, _("%s is no backup that signetctl backup has made"), r.from);
	else
		code = hold(&r);
	if (code == CTL_OK)
		code = restore(&r);
	if (code == CTL_OK && !given(c, OPT_JSON))
		print_rest(&r);
	if (r.lock_fd >= 0)
		(void)close(r.lock_fd);
	if (r.state_fd >= 0)
		(void)close(r.state_fd);
	(void)close(r.from_fd);
	return code;
}
