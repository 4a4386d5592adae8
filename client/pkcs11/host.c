/*
 * Who loads us. signetd and its workers must not: a worker whose vendor module
 * goes through p11-kit would ask the daemon, which waits for the worker.
 *
 * The name under which the program was started is what the kernel wrote into
 * our own memory, so a sandbox without /proc hides nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "bridge.h"

static bool
is_ours(const char *path)
{
	static const char *const names[] = {"signetd", "signet-token"};
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;

	for (size_t i = 0; name != NULL && i < array_len(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool
host_is_refused(void)
{
	return is_ours((const char *)getauxval(AT_EXECFN)) || is_ours(program_invocation_short_name);
}
