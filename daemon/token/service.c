/*
 * The reader service. A module that speaks to pcscd goes on saying "present"
 * after pcscd was restarted, and never recovers in the same process. So its
 * watcher holds a connection of its own: when that breaks, the service has gone,
 * whatever the module says. Nothing is ever sent over it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "token/worker.h"

#define SERVICE_SOCKET "/run/pcscd/pcscd.comm"

/* The module loads the client library when it initialises, if it uses the service at all. */
static bool
is_used(void)
{
	void *library = dlopen("libpcsclite.so.1", RTLD_LAZY | RTLD_NOLOAD);

	if (library == NULL)
		return false;
	dlclose(library);
	return true;
}

int
service_hold(bool *answers)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = SERVICE_SOCKET};
	const char *other = getenv("PCSCLITE_CSOCK_NAME"); /* as the client library reads it */
	int fd;

	*answers = true;
	if (!is_used())
		return -1;
	if (other != NULL && strlen(other) < sizeof(at.sun_path))
		strcpy(at.sun_path, other);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	*answers = errno == EAGAIN; /* so busy that it takes nobody now */
	close(fd);
	return -1;
}
