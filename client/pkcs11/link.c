/*
 * Connections to the daemon. A call has one for itself while it lasts; what is
 * idle waits in a small pool, so that threads sign side by side and a process
 * with one thread has one connection.
 *
 * Invariant: `open` lists each descriptor from before it is used until just
 * before it is closed, and is changed with atomic stores only: in the child of
 * a fork, in the middle of whatever, it names descriptors that are open. The
 * epoch grows with each connection that was lost: what was learnt in another
 * epoch was perhaps said by another life of the daemon.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "bridge.h"
#include "conn.h"

enum { OPEN_MAX_LISTED = 256 };

static atomic_int open_fds[OPEN_MAX_LISTED]; /* descriptor + 1; 0: free */

static void
list_open(int fd)
{
	for (size_t i = 0; i < OPEN_MAX_LISTED; i++) {
		int unused = 0;

		if (atomic_compare_exchange_strong(&open_fds[i], &unused, fd + 1))
			return;
	}
}

static void
unlist_open(int fd)
{
	for (size_t i = 0; i < OPEN_MAX_LISTED; i++) {
		int listed = fd + 1;

		if (atomic_compare_exchange_strong(&open_fds[i], &listed, 0))
			return;
	}
}

void
links_forked(void)
{
	for (size_t i = 0; i < OPEN_MAX_LISTED; i++) {
		int listed = atomic_exchange(&open_fds[i], 0);

		if (listed != 0)
			(void)close(listed - 1);
	}
}

signet_err
link_open(signet_conn **conn, unsigned timeout_ms)
{
	signet_err err = signet_connect(conn, NULL);

	if (err != SIGNET_OK)
		return err;
	list_open((*conn)->fd);
	return signet_set_timeout(*conn, timeout_ms);
}

void
link_close(signet_conn *conn)
{
	/* after a fork the descriptor is the parent's, or already somebody else's */
	if (conn == NULL || conn->pid != getpid())
		return;
	unlist_open(conn->fd);
	signet_close(conn);
}

/* Nobody sends anything unasked: what there is to read is the end, or nonsense. */
static bool
is_quiet(const signet_conn *conn)
{
	struct pollfd p = {.fd = conn->fd, .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) == 0;
}

static void
lost(struct links *l)
{
	l->epoch++;
	while (l->count > 0)
		link_close(l->idle[--l->count]);
}

static signet_err
make(struct link *l, unsigned timeout_ms)
{
	uint64_t generation = step_out();
	signet_conn *conn = NULL;
	signet_err err = link_open(&conn, timeout_ms);

	if (!step_in(generation)) {
		link_close(conn);
		return LINK_FINALISED;
	}
	if (err != SIGNET_OK) {
		link_close(conn);
		lost(&state->links);
		return err;
	}
	*l = (struct link){.conn = conn, .epoch = state->links.epoch};
	return SIGNET_OK;
}

signet_err
link_take(struct link *l, unsigned timeout_ms)
{
	struct links *links = &state->links;
	signet_conn *conn;

	while (links->count > 0) {
		conn = links->idle[--links->count];
		if (is_quiet(conn)) {
			*l = (struct link){.conn = conn, .epoch = links->epoch};
			return signet_set_timeout(conn, timeout_ms);
		}
		link_close(conn);
		lost(links);
	}
	return make(l, timeout_ms);
}

void
link_give(struct link *l)
{
	struct links *links = &state->links;
	bool same = l->epoch == links->epoch;

	if (!l->conn->dead && same && links->count < IDLE_MAX) {
		links->idle[links->count++] = l->conn;
	} else {
		if (l->conn->dead && same)
			lost(links);
		link_close(l->conn);
	}
	l->conn = NULL;
}

void
links_done(struct links *l)
{
	while (l->count > 0)
		link_close(l->idle[--l->count]);
}
