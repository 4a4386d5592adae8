/*
 * Sessions: what a program holds open on a token [PKCS #11 2.40, 5.6]. They
 * exist here only; the daemon knows calls.
 *
 * Invariant: the last session of a slot takes the login with it, and an
 * unlocking that C_Login made does not outlive it.
 */
#include <stdlib.h>

#include "bridge.h"

struct session *
session_get(CK_SESSION_HANDLE handle)
{
	struct session *s = state->sessions;

	while (s != NULL && s->handle != handle)
		s = s->next;
	return s;
}

static void
session_free(struct session *s)
{
	sign_op_done(&s->sign);
	free(s->found);
	free(s);
}

void
sessions_close(size_t slot)
{
	struct session **at = &state->sessions, *s;

	while ((s = *at) != NULL)
		if (s->slot == slot) {
			*at = s->next;
			session_free(s);
		} else {
			at = &s->next;
		}
}

void
sessions_done(void)
{
	struct session *s;

	while ((s = state->sessions) != NULL) {
		state->sessions = s->next;
		session_free(s);
	}
}

static bool
has_sessions(size_t slot)
{
	for (const struct session *s = state->sessions; s != NULL; s = s->next)
		if (s->slot == slot)
			return true;
	return false;
}

static CK_RV
open_session(CK_SLOT_ID id, CK_FLAGS flags, CK_SESSION_HANDLE *handle)
{
	const struct slot *slot = slot_get(id);
	struct session *s;

	if (slot == NULL)
		return CKR_SLOT_ID_INVALID;
	if (!slot->present)
		return CKR_TOKEN_NOT_PRESENT;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return CKR_HOST_MEMORY;
	s->slot = id;
	s->flags = flags & (CKF_SERIAL_SESSION | CKF_RW_SESSION);
	s->handle = state->next_handle++;
	s->next = state->sessions;
	state->sessions = s;
	*handle = s->handle;
	return CKR_OK;
}

CK_RV
C_OpenSession(CK_SLOT_ID id, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	CK_RV rv = enter();

	(void)application;
	(void)notify; /* a callback would need a thread of ours */
	if (rv != CKR_OK)
		return rv;
	if (session == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if ((flags & CKF_SERIAL_SESSION) == 0)
		return leave(CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	rv = refresh(REFRESH_OLD);
	return rv != CKR_OK ? rv : leave(open_session(id, flags, session));
}

CK_RV
C_CloseSession(CK_SESSION_HANDLE session)
{
	struct session **at, *s;
	size_t slot;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	for (at = &state->sessions; *at != NULL && (*at)->handle != session; at = &(*at)->next)
		;
	s = *at;
	if (s == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	*at = s->next;
	slot = s->slot;
	session_free(s);
	if (has_sessions(slot))
		return leave(CKR_OK);
	lock_give(LOCK_STATE);
	login_end(slot);
	return CKR_OK;
}

CK_RV
C_CloseAllSessions(CK_SLOT_ID id)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	/* what was never listed has no sessions either */
	if (slot_get(id) == NULL)
		return leave(CKR_SLOT_ID_INVALID);
	sessions_close(id);
	lock_give(LOCK_STATE);
	login_end(id);
	return CKR_OK;
}

static CK_STATE
state_of(const struct session *s)
{
	bool user = state->slots[s->slot]->logged_in;

	if ((s->flags & CKF_RW_SESSION) != 0)
		return user ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION;
	return user ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
}

CK_RV
C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	const struct session *s;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	s = session_get(session);
	if (s == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (info == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	*info = (CK_SESSION_INFO){.slotID = s->slot, .state = state_of(s), .flags = s->flags};
	return leave(CKR_OK);
}
