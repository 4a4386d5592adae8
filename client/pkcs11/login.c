/*
 * Logging in [PKCS #11 2.40, 5.6]: C_Login is Token.Unlock, whose PIN the
 * token itself judges.
 *
 * Invariant: a PIN is sent once for one C_Login, by one thread at a time, and
 * one that the token has refused is not sent again as long as nobody has
 * entered the right one. Where it may be the last that the token takes it is
 * not sent at all: that is for the token's holder to decide, who has other
 * means. One wrong PIN alone (CKF_USER_PIN_COUNT_LOW) does not stop a program,
 * which was told of it by that flag. An unlocking that C_Login made ends
 * with C_Logout or the last session; one that others share is not ours to end.
 */
#include <string.h>

#include "bridge.h"

/* What Token.Unlock is asked for. The daemon takes CKF_USER_PIN_COUNT_LOW for a last try, which it is not alone. */
struct wish {
	unsigned uses, seconds;
	bool count_low;
};

/* What Token.Unlock said. */
struct unlocked {
	unsigned uses;
	int64_t until;
};

/* The PIN in a form that can be sent. False: no token has such a PIN. */
static bool
take_pin(signet_pin **pin, const CK_UTF8CHAR *bytes, CK_ULONG n)
{
	uint8_t copy[SIGNET_PIN_MAX];
	bool good;

	if (n == 0 || n > sizeof(copy))
		return false;
	memcpy(copy, bytes, n);
	good = signet_pin_new(pin, copy, n) == SIGNET_OK;
	wipe(copy, sizeof(copy));
	return good;
}

static bool
was_refused(const struct slot *s, const CK_UTF8CHAR *pin, CK_ULONG n)
{
	return s->refused != NULL && secret_len(s->refused) == n && memcmp(secret_bytes(s->refused), pin, n) == 0;
}

static void
remember_refused(struct slot *s, const CK_UTF8CHAR *pin, CK_ULONG n)
{
	uint8_t copy[SIGNET_PIN_MAX];

	secret_free(s->refused);
	s->refused = NULL;
	memcpy(copy, pin, n);
	if (secret_take(&s->refused, copy, n) != SIGNET_OK)
		s->refused = NULL; /* then the daemon alone counts */
}

static signet_err
ask(signet_conn *conn, const char *token, const signet_pin *pin, const struct wish *w, struct unlocked *u)
{
	char until[32];
	signet_err err = signet_unlock(conn, token, pin, w->uses, w->seconds, w->count_low, &u->uses, until);

	if (err == SIGNET_OK)
		u->until = time_read(until);
	return err;
}

/* CKR_CRYPTOKI_NOT_INITIALIZED: the state is not locked any more. */
static CK_RV
unlock(size_t slot, const signet_pin *pin, struct unlocked *u)
{
	const struct slot *s = state->slots[slot];
	struct wish w = {s->max_uses, s->max_seconds, s->count_low};
	char token[64];
	struct link link;
	uint64_t generation;
	signet_err err;

	if (strlen(s->name) >= sizeof(token))
		return CKR_FUNCTION_FAILED;
	strcpy(token, s->name);
	err = link_take(&link, SIGN_TIMEOUT_MS);
	if (err == LINK_FINALISED)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (err != SIGNET_OK)
		return ckr_of_login(err);
	generation = step_out();
	err = ask(link.conn, token, pin, &w, u);
	if (!step_in(generation)) {
		link_close(link.conn);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	link_give(&link);
	return ckr_of_login(err);
}

/* Settle what C_Login changes; one more look tells whether others share the unlocking. */
static CK_RV
logged_in(size_t slot, const struct unlocked *u)
{
	struct slot *s = state->slots[slot];
	CK_RV rv;

	s->logged_in = true;
	s->until = u->until;
	s->uses = u->uses;
	secret_free(s->refused);
	s->refused = NULL;
	rv = refresh(REFRESH_NOW);
	if (rv != CKR_OK)
		return rv;
	if (state->slots[slot]->shared)
		state->slots[slot]->until = 0;
	return CKR_OK;
}

static CK_RV
login_with(size_t slot, const CK_UTF8CHAR *pin, CK_ULONG n)
{
	struct slot *s = state->slots[slot];
	struct unlocked u = {0};
	signet_pin *made;
	CK_RV rv;

	if (!s->present)
		return CKR_DEVICE_REMOVED;
	if (s->blocked || slot_is_final(s))
		return CKR_PIN_LOCKED;
	if (was_refused(s, pin, n) || !take_pin(&made, pin, n))
		return CKR_PIN_INCORRECT;
	rv = unlock(slot, made, &u);
	signet_pin_free(made);
	if (rv == CKR_PIN_INCORRECT)
		remember_refused(state->slots[slot], pin, n);
	return rv == CKR_OK ? logged_in(slot, &u) : rv;
}

/* Without a PIN: where none is needed. */
static CK_RV
login_without(size_t slot)
{
	struct slot *s = state->slots[slot];

	if (slot_needs_login(s))
		return CKR_ARGUMENTS_BAD;
	s->logged_in = true;
	return CKR_OK;
}

static CK_RV
login_user(const struct session *s, const CK_UTF8CHAR *pin, CK_ULONG n)
{
	CK_SESSION_HANDLE session = s->handle;
	CK_RV rv;

	if (state->slots[s->slot]->logged_in)
		return CKR_USER_ALREADY_LOGGED_IN;
	rv = refresh(REFRESH_NOW);
	if (rv != CKR_OK)
		return rv;
	s = session_get(session);
	if (s == NULL)
		return CKR_SESSION_HANDLE_INVALID;
	return pin == NULL ? login_without(s->slot) : login_with(s->slot, pin, n);
}

/* For one operation, with a key whose token wants the PIN for each. */
static CK_RV
login_operation(const struct session *s, const CK_UTF8CHAR *pin, CK_ULONG n)
{
	CK_SESSION_HANDLE session = s->handle;
	struct session *again;
	CK_RV rv;

	if (s->sign.mechanism == NULL || s->sign.busy || !s->sign.key->always_auth)
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = pin == NULL ? login_without(s->slot) : login_with(s->slot, pin, n);
	if (rv != CKR_OK)
		return rv;
	again = session_get(session);
	if (again == NULL)
		return CKR_SESSION_HANDLE_INVALID;
	again->sign.authenticated = true;
	return CKR_OK;
}

static CK_RV
login_so(const struct session *s)
{
	if (state->slots[s->slot]->logged_in)
		return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	for (const struct session *o = state->sessions; o != NULL; o = o->next)
		if (o->slot == s->slot && (o->flags & CKF_RW_SESSION) == 0)
			return CKR_SESSION_READ_ONLY_EXISTS;
	return CKR_USER_TYPE_INVALID; /* tokens are managed with signetctl */
}

static CK_RV
login(const struct session *s, CK_USER_TYPE user, const CK_UTF8CHAR *pin, CK_ULONG n)
{
	if (pin == NULL && n > 0)
		return CKR_ARGUMENTS_BAD;
	switch (user) {
	case CKU_USER:
		return login_user(s, pin, n);
	case CKU_CONTEXT_SPECIFIC:
		return login_operation(s, pin, n);
	case CKU_SO:
		return login_so(s);
	default:
		return CKR_USER_TYPE_INVALID;
	}
}

/* Both locks, or none. */
static CK_RV
login_enter(void)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	lock_give(LOCK_STATE);
	lock_take(LOCK_LOGIN);
	rv = enter();
	if (rv != CKR_OK)
		lock_give(LOCK_LOGIN);
	return rv;
}

/* CKR_CRYPTOKI_NOT_INITIALIZED: only this one is still held. */
static CK_RV
login_leave(CK_RV rv)
{
	if (rv != CKR_CRYPTOKI_NOT_INITIALIZED)
		lock_give(LOCK_STATE);
	lock_give(LOCK_LOGIN);
	return rv;
}

CK_RV
C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size)
{
	const struct session *s;
	CK_RV rv = login_enter();

	if (rv != CKR_OK)
		return rv;
	s = session_get(session);
	return login_leave(s == NULL ? CKR_SESSION_HANDLE_INVALID : login(s, user, pin, size));
}

/* Lock the token if what unlocked it is still ours. Its failure leaves the unlocking to its own end. */
static CK_RV
end_unlocking(size_t slot)
{
	char token[64];
	struct link link;
	uint64_t generation;
	CK_RV rv = refresh(REFRESH_NOW);

	if (rv != CKR_OK)
		return rv;
	if (state->slots[slot]->until == 0 || !state->slots[slot]->present ||
	    strlen(state->slots[slot]->name) >= sizeof(token))
		return CKR_OK;
	strcpy(token, state->slots[slot]->name);
	switch (link_take(&link, LOCK_TIMEOUT_MS)) {
	case SIGNET_OK:
		break;
	case LINK_FINALISED:
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	default:
		return CKR_OK;
	}
	generation = step_out();
	(void)signet_lock(link.conn, token);
	if (!step_in(generation)) {
		link_close(link.conn);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	link_give(&link);
	return CKR_OK;
}

/* With both locks. */
static CK_RV
logout(size_t slot)
{
	CK_RV rv = CKR_OK;

	state->slots[slot]->logged_in = false;
	if (state->slots[slot]->until != 0)
		rv = end_unlocking(slot);
	if (rv == CKR_OK && state->slots[slot]->until != 0)
		state->slots[slot]->uses = -1; /* it was ours, and has ended */
	if (rv == CKR_OK)
		slot_logout(state->slots[slot]);
	return rv;
}

CK_RV
C_Logout(CK_SESSION_HANDLE session)
{
	const struct session *s;
	CK_RV rv = login_enter();

	if (rv != CKR_OK)
		return rv;
	s = session_get(session);
	if (s == NULL)
		return login_leave(CKR_SESSION_HANDLE_INVALID);
	if (!state->slots[s->slot]->logged_in)
		return login_leave(CKR_USER_NOT_LOGGED_IN);
	return login_leave(logout(s->slot));
}

void
login_end(size_t slot)
{
	if (login_enter() != CKR_OK)
		return;
	for (const struct session *s = state->sessions; s != NULL; s = s->next)
		if (s->slot == slot) { /* opened again meanwhile */
			(void)login_leave(CKR_OK);
			return;
		}
	(void)login_leave(logout(slot));
}

void
login_end_all(void)
{
	CK_RV rv = login_enter();

	if (rv != CKR_OK)
		return;
	for (size_t i = 0; rv == CKR_OK && i < state->slot_count; i++)
		rv = logout(i);
	(void)login_leave(rv);
}
