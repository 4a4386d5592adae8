/* Accepting connections. A dead daemon's socket file is replaced; a living one's is never taken. */
#include "listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "broker.h"
#include "journal.h"
#include "peer.h"

enum { ACCEPTS_PER_TURN = 32, PAUSE_MS = 200 };

static void on_ready(uv_poll_t *handle, int status, int events);

static void
on_pause_over(uv_timer_t *timer)
{
	struct listener *l = timer->data;

	if (l->open)
		uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

/* Out of descriptors: the backlog waits; those who are connected are served meanwhile. */
static void
pause_accepting(struct listener *l, int error)
{
	say_warning("cannot accept connections for a moment: %s", strerror(error));
	uv_poll_stop(&l->poll);
	uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
}

static void
on_ready(uv_poll_t *handle, int status, int events)
{
	struct listener *l = handle->data;

	(void)events;
	if (status < 0) {
		say_error("the listening socket failed: %s", uv_strerror(status));
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_TURN && l->open; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			peer_accept(l->broker, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_accepting(l, errno);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* Exactly one socket, or the one named `varlink` [varlink.org, Service]. -1: none; -2: not ours to understand. */
static int
adopted_socket(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), found = n == 1 ? SD_LISTEN_FDS_START : -1;

	for (int i = 0; i < n && names != NULL; i++) {
		if (strcmp(names[i], "varlink") == 0)
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	if (n > 0 && (found < 0 || sd_is_socket(found, AF_UNIX, SOCK_STREAM, 1) <= 0))
		return -2;
	return found;
}

static bool
someone_listens(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	if (fd < 0)
		return false;
	yes = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN;
	close(fd);
	return yes;
}

static signet_err
make_socket(struct listener *l, const char *path, char *why, size_t why_size)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(why, why_size, "socket %s: a path of at most %zu bytes is possible", path, sizeof(sa.sun_path) - 1);
		return SIGNET_ERR_CONFIG;
	}
	strcpy(sa.sun_path, path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		if (someone_listens(&sa)) {
			snprintf(why, why_size, "socket %s: another daemon already listens there", path);
			return SIGNET_ERR_BUSY;
		}
		unlink(path);
	}
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, 0666) < 0 ||
	    listen(l->fd, 512) < 0) {
		snprintf(why, why_size, "socket %s: %s", path, strerror(errno));
		if (l->fd >= 0)
			close(l->fd);
		return SIGNET_ERR_IO;
	}
	l->own = true;
	strcpy(l->path, path);
	return SIGNET_OK;
}

static signet_err
adopt_or_make(struct listener *l, const char *path, char *why, size_t why_size)
{
	l->fd = adopted_socket();
	if (l->fd == -2) {
		snprintf(why, why_size, "systemd passed sockets, but no listening Unix socket that is the only one or named "
					"`varlink`");
		return SIGNET_ERR_CONFIG;
	}
	if (l->fd < 0)
		return make_socket(l, path, why, why_size);
	(void)sd_is_socket(l->fd, AF_UNIX, SOCK_STREAM, 1);
	return SIGNET_OK;
}

signet_err
listener_start(struct listener *l, struct broker *b, const char *path, char *why, size_t why_size)
{
	signet_err err;

	memset(l, 0, sizeof(*l));
	err = adopt_or_make(l, path, why, why_size);
	if (err != SIGNET_OK)
		return err;
	l->broker = b;
	l->open = true;
	uv_timer_init(&b->loop, &l->pause);
	l->pause.data = l;
	uv_poll_init(&b->loop, &l->poll, l->fd);
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_ready);
	return SIGNET_OK;
}

static void
on_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;

	close(l->fd);
}

void
listener_stop(struct listener *l)
{
	if (!l->open)
		return;
	l->open = false;
	if (l->own)
		unlink(l->path);
	uv_close((uv_handle_t *)&l->pause, NULL);
	uv_close((uv_handle_t *)&l->poll, on_closed);
}
