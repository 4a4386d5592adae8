/*
 * The login state of the one token, and the only code that sends a PIN.
 *
 * Invariants
 *   - A C_Login is sent once for a PIN in a frame, and once more only to restore
 *     the kept PIN after another was wrong. The first refusal of a kept PIN
 *     forgets it.
 *   - Before each C_Login the token is looked at: the same token, a session that
 *     lives, a PIN that is not locked and whose length fits. What fails here
 *     costs no try.
 *   - A PIN is judged by C_Login alone, never by CKR_USER_ALREADY_LOGGED_IN: who
 *     is logged in is logged out first.
 *   - Login state is one per application [PKCS #11 2.40, 2.6.8 of the usage
 *     guide], so the anchor session's serves every lane; handles of private
 *     objects do not outlive it.
 */
#include <string.h>

#include "token/worker.h"

enum { NO_MORE_TRIES = CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED };

static void
forget_kept(struct token *t)
{
	secret_free(t->kept);
	t->kept = NULL;
}

static bool
same_token(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b)
{
	return memcmp(a->serialNumber, b->serialNumber, sizeof(a->serialNumber)) == 0 &&
	       memcmp(a->manufacturerID, b->manufacturerID, sizeof(a->manufacturerID)) == 0 &&
	       memcmp(a->model, b->model, sizeof(a->model)) == 0;
}

static void
set_logged_in(struct token *t, bool yes)
{
	if (atomic_load(&t->logged_in) && !yes)
		keys_forget(t);
	atomic_store(&t->logged_in, yes);
}

/* Reads flags and session state. CKR_DEVICE_REMOVED if another token lies in the slot. */
static CK_RV
look(struct token *t, CK_TOKEN_INFO *about)
{
	CK_SESSION_INFO session = {0};
	CK_RV rv;

	memset(about, 0, sizeof(*about));
	rv = t->p11->C_GetTokenInfo(t->slot, about);
	if (rv != CKR_OK)
		return rv;
	if (!same_token(about, &t->about))
		return CKR_DEVICE_REMOVED;
	atomic_store(&t->flags, (uint32_t)about->flags);
	rv = t->p11->C_GetSessionInfo(t->anchor, &session);
	if (rv == CKR_OK)
		set_logged_in(
		    t, session.state == CKS_RO_USER_FUNCTIONS || session.state == CKS_RW_USER_FUNCTIONS);
	return rv;
}

static CK_RV
logout(struct token *t)
{
	CK_RV rv;

	if (!atomic_load(&t->logged_in))
		return CKR_OK;
	rv = t->p11->C_Logout(t->anchor);
	if (rv == CKR_USER_NOT_LOGGED_IN)
		rv = CKR_OK;
	if (rv == CKR_OK)
		set_logged_in(t, false);
	return rv;
}

static CK_RV
send_pin(struct token *t, CK_SESSION_HANDLE session, CK_USER_TYPE user, const struct secret *pin)
{
	/* no PIN: the token has a PIN pad of its own */
	if (pin == NULL)
		return t->p11->C_Login(session, user, NULL, 0);
	return t->p11->C_Login(session, user, (CK_UTF8CHAR *)(uintptr_t)secret_bytes(pin), secret_len(pin));
}

static uint8_t
outcome_of(CK_RV rv)
{
	switch (rv) {
	case CKR_OK:
		return WIRE_LOGIN_OK;
	case CKR_PIN_INCORRECT:
		return WIRE_LOGIN_REJECTED;
	case CKR_PIN_LOCKED:
		return WIRE_LOGIN_BLOCKED;
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
	case CKR_PIN_EXPIRED:
	case CKR_USER_PIN_NOT_INITIALIZED:
		return WIRE_LOGIN_INVALID;
	default:
		return WIRE_LOGIN_ERROR;
	}
}

static bool
has_pad(const CK_TOKEN_INFO *about)
{
	return (about->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
}

/* A maximum of 0, or one that says "unknown", is a vendor's way not to tell. */
static bool
length_fits(const CK_TOKEN_INFO *about, const struct secret *pin)
{
	size_t len = secret_len(pin);

	if (len < about->ulMinPinLen && about->ulMinPinLen != CK_UNAVAILABLE_INFORMATION)
		return false;
	return about->ulMaxPinLen == 0 || len <= about->ulMaxPinLen;
}

/* Everything that speaks against sending this PIN, at the cost of no try. */
static signet_err
refuse_early(const CK_TOKEN_INFO *about, const struct secret *pin, struct wire_result *r)
{
	if (pin == NULL && !has_pad(about))
		return job_fail(r, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK);
	if ((about->flags & CKF_USER_PIN_LOCKED) != 0) {
		r->login = WIRE_LOGIN_BLOCKED;
		return job_fail(r, SIGNET_ERR_PIN_BLOCKED, "login", CKR_PIN_LOCKED);
	}
	if (pin != NULL && !length_fits(about, pin)) {
		r->login = WIRE_LOGIN_INVALID;
		return job_fail(r, SIGNET_ERR_PIN_INCORRECT, "login", CKR_PIN_LEN_RANGE);
	}
	return SIGNET_OK;
}

/* The PIN was right: it takes the kept one's place, confirms it, or ends it. */
static signet_err
accepted(struct token *t, const struct secret *pin, uint8_t flags, struct wire_result *r)
{
	struct secret *copy = NULL;
	CK_TOKEN_INFO about;

	set_logged_in(t, true);
	(void)look(t, &about); /* a right PIN clears the token's warnings: the answer carries them */
	if ((flags & WIRE_KEEP_PIN) != 0) {
		forget_kept(t);
		if (pin != NULL && secret_dup(&copy, pin) != SIGNET_OK)
			return job_fail(r, SIGNET_ERR_MEMORY, "login", CKR_HOST_MEMORY);
		t->kept = copy;
	} else if ((flags & WIRE_RESTORE) == 0) {
		forget_kept(t);
	}
	return SIGNET_OK;
}

/* The PIN was wrong: whoever was logged in before is so again, if that is safe. */
static void
restore(struct token *t, uint8_t flags, bool rejected)
{
	bool wanted = rejected && (flags & WIRE_RESTORE) != 0 && t->kept != NULL;
	CK_TOKEN_INFO about;

	if (wanted && (atomic_load(&t->flags) & NO_MORE_TRIES) == 0 &&
	    send_pin(t, t->anchor, CKU_USER, t->kept) == CKR_OK) {
		set_logged_in(t, true);
		(void)look(t, &about);
	} else {
		forget_kept(t);
	}
}

static signet_err
login_locked(struct token *t, const struct secret *pin, uint8_t flags, struct wire_result *r)
{
	CK_TOKEN_INFO about;
	CK_RV rv = look(t, &about);

	if (rv != CKR_OK)
		return job_fail(r, ckr_err((uint32_t)rv), "login", rv);
	if ((about.flags & CKF_LOGIN_REQUIRED) == 0)
		return SIGNET_OK; /* nothing to unlock: a PIN sent here could only be spent */
	if (refuse_early(&about, pin, r) != SIGNET_OK)
		return (signet_err)r->err;
	rv = logout(t);
	if (rv != CKR_OK)
		return job_fail(r, ckr_err((uint32_t)rv), "login", rv);
	rv = send_pin(t, t->anchor, CKU_USER, pin);
	r->login = outcome_of(rv);
	if (rv == CKR_OK)
		return accepted(t, pin, flags, r);
	/* the flags of after the failure: they decide whether another try is safe */
	if (look(t, &about) == CKR_OK)
		restore(t, flags, rv == CKR_PIN_INCORRECT);
	else
		forget_kept(t);
	return job_fail(r, ckr_err((uint32_t)rv), "login", rv);
}

signet_err
login_with(struct token *t, const struct secret *pin, uint8_t flags, struct wire_result *r)
{
	signet_err err;

	pthread_mutex_lock(&t->login);
	err = login_locked(t, pin, flags, r);
	pthread_mutex_unlock(&t->login);
	return err;
}

bool
login_needed(const struct token *t)
{
	return !atomic_load(&t->logged_in) && (atomic_load(&t->flags) & CKF_LOGIN_REQUIRED) != 0;
}

signet_err
login_context(struct lane *l, const struct secret *pin, struct wire_result *r)
{
	struct token *t = l->token;
	signet_err err = SIGNET_OK;
	CK_TOKEN_INFO about;
	CK_RV rv;

	pthread_mutex_lock(&t->login);
	if (pin == NULL)
		pin = t->kept;
	if (pin == NULL && (atomic_load(&t->flags) & CKF_PROTECTED_AUTHENTICATION_PATH) == 0) {
		err = job_fail(r, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK);
	} else {
		rv = send_pin(t, l->session, CKU_CONTEXT_SPECIFIC, pin);
		if (rv != CKR_OK) {
			r->login = outcome_of(rv);
			forget_kept(t);
			(void)logout(t); /* the lease ends with it: nobody stays logged in */
			(void)look(t, &about); /* for the flags; the failure is told already */
			err = job_fail(r, ckr_err((uint32_t)rv), "login", rv);
		}
	}
	pthread_mutex_unlock(&t->login);
	return err;
}

signet_err
login_end(struct token *t, struct wire_result *r)
{
	signet_err err = SIGNET_OK;
	CK_RV rv;

	pthread_mutex_lock(&t->login);
	forget_kept(t);
	rv = logout(t);
	pthread_mutex_unlock(&t->login);
	if (rv != CKR_OK) {
		err = job_fail(r, ckr_err((uint32_t)rv), "logout", rv);
		r->fatal = 1; /* a login that cannot be ended dies with the process */
	}
	return err;
}

signet_err
login_probe(struct token *t, struct wire_result *r)
{
	CK_TOKEN_INFO about;
	CK_RV rv;

	pthread_mutex_lock(&t->login);
	rv = look(t, &about);
	pthread_mutex_unlock(&t->login);
	return rv == CKR_OK ? SIGNET_OK : job_fail(r, ckr_err((uint32_t)rv), "probe", rv);
}

void
login_lost(struct token *t)
{
	pthread_mutex_lock(&t->login);
	set_logged_in(t, false);
	forget_kept(t);
	pthread_mutex_unlock(&t->login);
}
