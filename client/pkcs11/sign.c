/*
 * Signing [PKCS #11 2.40, 5.11]: one call of the daemon for one signature.
 *
 * Invariant: the daemon is asked only when the program has given room for the
 * signature, whose size is known beforehand; so a question for the size, or a
 * buffer that is too small, never makes an entry in the log, and the retry
 * signs what was to be signed, once. While a thread hashes or waits it has
 * taken the operation out of the session: whoever closes the session meanwhile
 * finds nothing there that is in use.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

enum {
	INLINE_MAX = 4096, /* hashed without letting other threads in */
	BUSY_MS = 5000,    /* a full queue, where nothing was claimed: asked again for so long */
	BUSY_STEP_MS = 100,
};

void
sign_op_done(struct sign_op *op)
{
	object_unref(op->key);
	digest_free(op->run);
	memset(op, 0, sizeof(*op));
}

/* May this session sign with that object? */
static CK_RV
find_key(const struct session *s, CK_OBJECT_HANDLE handle, const struct mechanism *m, struct object **key)
{
	struct object *o = object_get(handle);

	if (o == NULL || o->slot != s->slot || o->class == CKO_CERTIFICATE)
		return CKR_KEY_HANDLE_INVALID;
	if (o->class != CKO_PRIVATE_KEY)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (!slot_shows_private(state->slots[s->slot]))
		return CKR_USER_NOT_LOGGED_IN;
	if (o->public.kind != mechanism_key(m))
		return CKR_KEY_TYPE_INCONSISTENT;
	*key = o;
	return CKR_OK;
}

static CK_RV
begin(struct session *s, const CK_MECHANISM *given, CK_OBJECT_HANDLE handle)
{
	struct sign_op op = {0};
	struct object *key;
	CK_RV rv;

	if (s->sign.mechanism != NULL)
		return CKR_OPERATION_ACTIVE;
	op.mechanism = mechanism_find(given->mechanism);
	if (op.mechanism == NULL)
		return CKR_MECHANISM_INVALID;
	rv = mechanism_params(op.mechanism, given, &op.hash);
	if (rv == CKR_OK)
		rv = find_key(s, handle, op.mechanism, &key);
	if (rv != CKR_OK)
		return rv;
	if (op.mechanism->hash != 0) {
		op.run = digest_start(op.mechanism->hash);
		if (op.run == NULL)
			return CKR_FUNCTION_FAILED;
	}
	op.key = object_ref(key);
	s->sign = op;
	return CKR_OK;
}

CK_RV
C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (mechanism == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	rv = begin(session_get(session), mechanism, key);
	if (rv != CKR_USER_NOT_LOGGED_IN)
		return leave(rv);
	/* somebody may have unlocked it since we were told */
	rv = refresh(REFRESH_OLD);
	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	return leave(begin(session_get(session), mechanism, key));
}

/* Take the operation out of its session. */
static CK_RV
op_take(CK_SESSION_HANDLE session, struct sign_op *op)
{
	struct session *s = session_get(session);

	if (s == NULL)
		return CKR_SESSION_HANDLE_INVALID;
	if (s->sign.mechanism == NULL)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (s->sign.busy)
		return CKR_OPERATION_ACTIVE;
	*op = s->sign;
	s->sign = (struct sign_op){.mechanism = op->mechanism, .busy = true};
	return CKR_OK;
}

/* Give it back, where the session still is; else, and where it is over, it ends. */
static CK_RV
op_give(CK_SESSION_HANDLE session, struct sign_op *op, bool goes_on, CK_RV rv)
{
	struct session *s = session_get(session);

	if (s != NULL) {
		s->sign = (struct sign_op){0};
		if (goes_on) {
			s->sign = *op;
			return rv;
		}
	}
	sign_op_done(op);
	return rv;
}

/* Data of any size for the digest, or up to a DigestInfo. */
static bool
feed(struct sign_op *op, const uint8_t *data, size_t n)
{
	if (op->run != NULL)
		return digest_more(op->run, data, n);
	if (n > RAW_MAX - op->raw_len) {
		op->too_long = true;
	} else if (n > 0) {
		memcpy(op->raw + op->raw_len, data, n);
		op->raw_len += n;
	}
	return true;
}

/* CKR_CRYPTOKI_NOT_INITIALIZED: the state is not locked any more. */
static CK_RV
feed_unlocked(struct sign_op *op, const uint8_t *data, size_t n)
{
	uint64_t generation;
	bool good;

	if (n <= INLINE_MAX)
		return feed(op, data, n) ? CKR_OK : CKR_FUNCTION_FAILED;
	generation = step_out();
	good = feed(op, data, n);
	if (!step_in(generation)) {
		sign_op_done(op);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	return good ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV
make_input(struct sign_op *op, struct to_sign *in)
{
	if (op->run != NULL) {
		in->hash = op->mechanism->hash;
		return digest_end(op->run, in->digest) ? CKR_OK : CKR_FUNCTION_FAILED;
	}
	if (op->too_long)
		return op->mechanism->scheme == SCHEME_PKCS1 ? CKR_DATA_INVALID : CKR_DATA_LEN_RANGE;
	return sign_input(in, op->mechanism, op->hash, op->raw, op->raw_len);
}

/* The daemon's signature in the form of PKCS #11. */
static CK_RV
shape(const struct object *key, const signet_result *r, uint8_t *out, size_t size)
{
	if (r->signature == NULL)
		return CKR_FUNCTION_REJECTED; /* it waits for somebody's approval, or was refused by him */
	if (key->public.kind == KEY_EC)
		return der_to_raw(r->signature, r->signature_size, size / 2, out) ? CKR_OK : CKR_DEVICE_ERROR;
	if (r->signature_size != size)
		return CKR_DEVICE_ERROR;
	memcpy(out, r->signature, size);
	return CKR_OK;
}

static signet_err
ask(signet_conn *conn, const struct sign_op *op, const struct to_sign *in, signet_result **result)
{
	signet_options o = SIGNET_OPTIONS_INIT;

	signet_err err;

	o.scheme = scheme_name(op->mechanism->scheme);
	for (int waited = 0;; waited += BUSY_STEP_MS) {
		err = signet_sign(conn, op->key->key, in->hash, in->digest, &o, result);
		if (err != SIGNET_ERR_BUSY || waited >= BUSY_MS)
			return err;
		(void)poll(NULL, 0, BUSY_STEP_MS);
	}
}

/* What the answer says about the login. */
static void
learn(const struct object *key, signet_err err)
{
	struct slot *s = state->slots[key->slot];

	if (err == SIGNET_ERR_PIN_REQUIRED || err == SIGNET_ERR_PIN_BLOCKED) {
		slot_logout(s);
		s->uses = -1;
		s->shared = false;
	}
}

/* CKR_CRYPTOKI_NOT_INITIALIZED: the state is not locked any more, and the operation is gone. */
static CK_RV
sign(struct sign_op *op, const struct to_sign *in, uint8_t *out, size_t size)
{
	signet_result *result = NULL;
	struct link link;
	uint64_t generation;
	signet_err err;
	CK_RV rv;

	err = link_take(&link, SIGN_TIMEOUT_MS);
	if (err == SIGNET_OK) {
		generation = step_out();
		err = ask(link.conn, op, in, &result);
		if (!step_in(generation)) {
			link_close(link.conn);
			signet_result_free(result);
			sign_op_done(op);
			return CKR_CRYPTOKI_NOT_INITIALIZED;
		}
		link_give(&link);
		learn(op->key, err);
	}
	if (err == LINK_FINALISED) {
		sign_op_done(op);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	rv = err == SIGNET_OK ? shape(op->key, result, out, size) : ckr_of_sign(err);
	signet_result_free(result);
	return rv;
}

/* The end of an operation, with the rest of its data. */
static CK_RV
finish(CK_SESSION_HANDLE session, struct sign_op *op, const uint8_t *data, size_t n, uint8_t *out, CK_ULONG *size)
{
	size_t need = key_signature_size(op->key->public.kind, op->key->public.bits);
	struct to_sign in;
	CK_RV rv;

	if (out == NULL || *size < need) {
		*size = need;
		return leave(op_give(session, op, true, out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL));
	}
	if (op->key->always_auth && !op->authenticated)
		return leave(op_give(session, op, false, CKR_USER_NOT_LOGGED_IN));
	rv = feed_unlocked(op, data, n);
	if (rv == CKR_OK)
		rv = make_input(op, &in);
	if (rv == CKR_OK)
		rv = sign(op, &in, out, need);
	if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
		return rv;
	if (rv == CKR_OK)
		*size = need;
	return leave(op_give(session, op, false, rv));
}

CK_RV
C_Sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_size, CK_BYTE *signature, CK_ULONG *signature_size)
{
	struct sign_op op;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	rv = op_take(session, &op);
	if (rv != CKR_OK)
		return leave(rv);
	if (signature_size == NULL || (data == NULL && data_size > 0))
		return leave(op_give(session, &op, false, CKR_ARGUMENTS_BAD));
	if (op.updated) /* that one ends with C_SignFinal */
		return leave(op_give(session, &op, true, CKR_OPERATION_ACTIVE));
	return finish(session, &op, data, data_size, signature, signature_size);
}

CK_RV
C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG size)
{
	struct sign_op op;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	rv = op_take(session, &op);
	if (rv != CKR_OK)
		return leave(rv);
	if (part == NULL && size > 0)
		return leave(op_give(session, &op, false, CKR_ARGUMENTS_BAD));
	op.updated = true;
	rv = feed_unlocked(&op, part, size);
	return rv == CKR_CRYPTOKI_NOT_INITIALIZED ? rv : leave(op_give(session, &op, rv == CKR_OK, rv));
}

CK_RV
C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG *signature_size)
{
	struct sign_op op;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	rv = op_take(session, &op);
	if (rv != CKR_OK)
		return leave(rv);
	if (signature_size == NULL)
		return leave(op_give(session, &op, false, CKR_ARGUMENTS_BAD));
	return finish(session, &op, NULL, 0, signature, signature_size);
}
