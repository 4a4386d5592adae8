/*
 * The connection: reaching the daemon's socket, and knowing who serves it.
 *
 * Invariant: `trusted` is settled once, before anything is sent, from the
 * kernel's word about the peer and about the folder of the socket. A dead
 * connection never comes back to life.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"

enum { OVERFLOW_UID = 65534 }; /* "some user that this namespace does not map" [user_namespaces(7)] */

/* The socket by the rules of signet_connect(). */
static const char *
socket_path(const char *path)
{
	if (path == NULL)
		path = secure_getenv("SIGNET_SOCKET");
	return path == NULL || path[0] == '\0' ? SIGNET_DEFAULT_SOCKET : path;
}

/* The owner of the folder in which the socket lies. */
static bool
folder_owner(const char *path, uid_t *owner)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);
	struct stat st;

	if (slash == NULL) {
		strcpy(folder, ".");
	} else {
		/* the root folder keeps its slash */
		n = n == 0 ? 1 : n;
		memcpy(folder, path, n);
		folder[n] = '\0';
	}
	if (stat(folder, &st) != 0)
		return false;
	*owner = st.st_uid;
	return true;
}

static bool
may_see_pin(int fd, const char *path)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	uid_t owner;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	/* two unmapped users look the same */
	return peer.uid != OVERFLOW_UID && folder_owner(path, &owner) && owner == peer.uid;
}

/* An open, connected socket that no longer blocks, or -1 and errno. */
static int
open_socket(const struct sockaddr_un *address)
{
	struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_MS / 1000};
	int fd, saved;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* blocking: a full backlog cannot be polled for, but SO_SNDTIMEO ends the wait [socket(7)] */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

static signet_err
connect_failed(const char *path, int why)
{
	switch (why) {
	case ENOENT:
	case ECONNREFUSED:
		return error_set(NULL, SIGNET_ERR_CONNECT, "no signetd answers at %s: is it running?", path);
	case EACCES:
	case EPERM:
		return error_set(NULL, SIGNET_ERR_CONNECT, "you may not open the socket %s", path);
	case EAGAIN:
		return error_set(NULL, SIGNET_ERR_CONNECT, "signetd at %s takes no connection in time", path);
	default:
		return error_set(
		    NULL, SIGNET_ERR_CONNECT, "cannot connect to %s: %s", path, strerrordesc_np(why));
	}
}

static signet_conn *
conn_new(int fd)
{
	static atomic_uint_fast64_t serials;
	pthread_mutexattr_t kind;
	signet_conn *conn = calloc(1, sizeof(*conn));
	int failed;

	if (conn == NULL)
		return NULL;
	failed = pthread_mutexattr_init(&kind);
	if (failed == 0) {
		(void)pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
		failed = pthread_mutex_init(&conn->lock, &kind);
		(void)pthread_mutexattr_destroy(&kind);
	}
	if (failed != 0) {
		free(conn);
		return NULL;
	}
	conn->serial = atomic_fetch_add(&serials, 1) + 1;
	conn->pid = getpid();
	conn->fd = fd;
	conn->timeout_ms = CALL_TIMEOUT_MS;
	buf_init(&conn->in, JSON_MESSAGE_MAX + 1 + READ_CHUNK);
	/* any call may carry a PIN */
	buf_init_secret(&conn->out, JSON_MESSAGE_MAX + 1);
	return conn;
}

SIGNET_API signet_err
signet_connect(signet_conn **conn, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	signet_conn *made;
	int fd;

	error_clear();
	if (conn == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	path = socket_path(path);
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(NULL, SIGNET_ERR_ARGUMENT, "the path of a socket has at most %zu bytes",
		    sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = open_socket(&address);
	if (fd < 0)
		return connect_failed(path, errno);
	made = conn_new(fd);
	if (made == NULL) {
		(void)close(fd);
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	}
	made->trusted = may_see_pin(fd, path);
	*conn = made;
	return SIGNET_OK;
}

SIGNET_API void
signet_close(signet_conn *conn)
{
	if (conn == NULL)
		return;
	/* in a forked child this closes the copy only: the parent's connection stays */
	(void)close(conn->fd);
	buf_done(&conn->in);
	buf_done(&conn->out);
	(void)pthread_mutex_destroy(&conn->lock);
	free(conn);
}

SIGNET_API signet_err
signet_set_timeout(signet_conn *conn, unsigned timeout_ms)
{
	error_clear();
	if (conn == NULL || timeout_ms == 0 || timeout_ms > SIGNET_TIMEOUT_MAX_MS)
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	if (pthread_mutex_lock(&conn->lock) != 0)
		return error_plain(conn, SIGNET_ERR_ARGUMENT);
	conn->timeout_ms = timeout_ms;
	(void)pthread_mutex_unlock(&conn->lock);
	return SIGNET_OK;
}

SIGNET_API signet_err
signet_server_trusted(signet_conn *conn)
{
	error_clear();
	if (conn == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	return conn->trusted ? SIGNET_OK : error_plain(conn, SIGNET_ERR_UNTRUSTED);
}
