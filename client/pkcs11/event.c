/*
 * C_WaitForSlotEvent [PKCS #11 2.40, 5.5]: tokens that come and go.
 *
 * A call that does not block looks and answers. One that blocks opens a
 * connection of its own for Token.Watch and uses it as a bell: whenever it
 * rings the daemon is asked what there is, as always, so events have one
 * source. C_Finalize writes to the waiter's eventfd.
 *
 * Invariant: a waiter is in the list of its state from before it waits until
 * after; when the state has gone the list has gone, and he only cleans up.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bridge.h"
#include "conn.h"

enum { LOOK_AGAIN_MS = 1000 }; /* where there is no bell: the daemon is away, or too old */

struct waiter {
	struct waiter *next;
	int wake;
	bool no_bell; /* the daemon answered that there is none */
	signet_conn *bell;
	struct exchange x;
};

void
event_wake(void)
{
	for (struct waiter *w = state->waiters; w != NULL; w = w->next)
		(void)eventfd_write(w->wake, 1);
}

static bool
take_event(CK_SLOT_ID *slot)
{
	for (size_t i = 0; i < state->slot_count; i++)
		if (state->slots[i]->event) {
			state->slots[i]->event = false;
			*slot = i;
			return true;
		}
	return false;
}

/* --- the bell; without the lock --- */

static void
bell_drop(struct waiter *w)
{
	if (w->bell == NULL)
		return;
	exchange_end(&w->x);
	link_close(w->bell);
	w->bell = NULL;
}

static void
bell_open(struct waiter *w)
{
	signet_conn *conn = NULL;

	if (w->bell != NULL || w->no_bell)
		return;
	if (link_open(&conn, LIST_TIMEOUT_MS) != SIGNET_OK ||
	    exchange_begin(&w->x, conn, "org.signetd.Token.Watch", NULL) != SIGNET_OK) {
		link_close(conn);
		return;
	}
	w->bell = conn;
	w->x.renew = true;
	if (exchange_send(&w->x, SIGNET_CALL_MORE) != SIGNET_OK)
		bell_drop(w);
}

/* Take what has come; a bell that is broken is dropped. */
static void
bell_read(struct waiter *w)
{
	struct pollfd p = {.fd = w->bell->fd, .events = POLLIN};
	struct reply r;
	size_t len;

	do {
		if (exchange_next(&w->x, &r) != SIGNET_OK || !w->x.open) {
			w->no_bell = !w->bell->dead;
			bell_drop(w);
			return;
		}
		reply_done(&r);
	} while (frame_next(&w->bell->scan, &w->bell->in, &len) == FRAME_COMPLETE || poll(&p, 1, 0) > 0);
}

/* Until something may have changed, or C_Finalize was called. */
static void
wait_for_bell(struct waiter *w)
{
	struct pollfd p[2] = {{.fd = w->wake, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	int n;

	if (w->bell != NULL)
		p[1].fd = w->bell->fd;
	do
		n = poll(p, array_len(p), w->bell != NULL ? -1 : LOOK_AGAIN_MS);
	while (n < 0 && errno == EINTR);
	if (p[0].revents == 0 && p[1].revents != 0)
		bell_read(w);
}

/* --- waiting --- */

static void
unlist(struct waiter *w)
{
	struct waiter **at = &state->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static CK_RV
wait_listed(struct waiter *w, CK_SLOT_ID *slot)
{
	uint64_t generation;
	CK_RV rv;

	for (;;) {
		generation = step_out();
		bell_open(w);
		if (!step_in(generation))
			return CKR_CRYPTOKI_NOT_INITIALIZED;
		rv = refresh(REFRESH_NOW);
		if (rv != CKR_OK)
			return rv;
		if (take_event(slot))
			return CKR_OK;
		generation = step_out();
		wait_for_bell(w);
		if (!step_in(generation))
			return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
}

static CK_RV
wait_event(CK_SLOT_ID *slot)
{
	struct waiter w = {.wake = eventfd(0, EFD_CLOEXEC)};
	CK_RV rv;

	if (w.wake < 0)
		return leave(CKR_HOST_MEMORY);
	w.next = state->waiters;
	state->waiters = &w;
	rv = wait_listed(&w, slot);
	if (rv == CKR_OK) {
		unlist(&w);
		lock_give(LOCK_STATE);
	}
	bell_drop(&w);
	(void)close(w.wake);
	return rv;
}

CK_RV
C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (slot == NULL || reserved != NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (take_event(slot))
		return leave(CKR_OK);
	if ((flags & CKF_DONT_BLOCK) == 0)
		return wait_event(slot);
	rv = refresh(REFRESH_NOW);
	if (rv != CKR_OK)
		return rv;
	return leave(take_event(slot) ? CKR_OK : CKR_NO_EVENT);
}
