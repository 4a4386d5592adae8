/* Versions that matter: kernel and its confinement, and the packages between a token and us. */
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "run.h"

static void
look_at_kernel(struct doctor *d)
{
	struct utsname u;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (uname(&u) != 0)
		return;
	if (abi < 1)
		found(d, FOUND_FAIL, _("use a kernel of 5.13 or newer with Landlock in lsm=, or set sandbox = off"),
		    _("the kernel %s offers no Landlock: tokens' programs cannot be confined"), u.release);
	else
		found(d, FOUND_OK, NULL, _("kernel %s, Landlock %ld"), u.release, abi);
}

static void
look_at_packages(struct doctor *d)
{
	static const char *const argv[] = {"dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package} ${Version}\\n",
	    "pcscd", "libccid", "opensc-pkcs11", "softhsm2", "libtpm2-pkcs11-1", "p11-kit", "libp11-3", "libssl3", NULL};
	char *out = NULL, *rest, *line;

	/* 1: some of them are not there */
	if (run_program(argv, false, &out) < 0 || out == NULL) {
		found(d, FOUND_SKIPPED, NULL, "%s", _("no dpkg-query here: versions of packages were not looked at"));
		return;
	}
	for (rest = out; (line = strsep(&rest, "\n")) != NULL;) {
		if (strncmp(line, "ii  ", 4) == 0)
			found(d, FOUND_OK, NULL, "%s", line + 4);
	}
	free(out);
}

void
doctor_versions(struct doctor *d)
{
	found(d, FOUND_OK, NULL, "signetctl %s", SIGNET_VERSION);
	look_at_kernel(d);
	look_at_packages(d);
}
