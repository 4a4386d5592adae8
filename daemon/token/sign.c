/*
 * One signature: which mechanism gets which bytes, and what the token's answer
 * becomes on the wire.
 *
 *   pkcs1   CKM_RSA_PKCS over the DigestInfo [RFC 8017, 9.2], built here from a
 *           named digest and never taken from a caller
 *   pss     CKM_RSA_PKCS_PSS, MGF1 and salt of the digest's size [RFC 8017, 8.1]
 *   ecdsa   CKM_ECDSA over the digest's leftmost bytes [FIPS 186-4, 6.4];
 *           r || s becomes an ECDSA-Sig-Value [RFC 3279, 2.2.3]
 *   eddsa   CKM_EDDSA, pure Ed25519 [RFC 8032] over the digest as the message
 *
 * Nothing is searched and nothing allocated for a signature after the first.
 */
#include <assert.h>
#include <string.h>

#include "token/worker.h"

static const struct hash {
	CK_MECHANISM_TYPE hash, mgf;
	uint8_t info[19]; /* DigestInfo up to the digest */
} hashes[] = {
    [DIGEST_SHA256] = {CKM_SHA256, CKG_MGF1_SHA256,
	{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
	    0x04, 0x20}},
    [DIGEST_SHA384] = {CKM_SHA384, CKG_MGF1_SHA384,
	{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
	    0x04, 0x30}},
    [DIGEST_SHA512] = {CKM_SHA512, CKG_MGF1_SHA512,
	{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
	    0x04, 0x40}},
};

/* Bytes of the curve's order; 0 if it is not one of ours. */
static size_t
order_size(uint8_t algorithm)
{
	return algorithm == WIRE_P256 ? 32 : algorithm == WIRE_P384 ? 48 : algorithm == WIRE_P521 ? 66 : 0;
}

static bool
scheme_fits(uint8_t algorithm, uint8_t scheme)
{
	switch (scheme) {
	case WIRE_PKCS1:
	case WIRE_PSS:
		return algorithm == WIRE_RSA;
	case WIRE_ECDSA:
		return order_size(algorithm) != 0;
	case WIRE_EDDSA:
		return algorithm == WIRE_ED25519;
	default:
		return false;
	}
}

signet_err
sign_prepare(struct sign_input *in, const struct token_key *k, uint8_t scheme, const struct digest *d)
{
	const struct hash *h = &hashes[d->alg];
	size_t n = digest_size(d->alg), head = 0;

	if (n == 0 || !scheme_fits(k->algorithm, scheme))
		return SIGNET_ERR_UNSUPPORTED;
	in->mechanism = (CK_MECHANISM){CKM_EDDSA, NULL, 0};
	if (scheme == WIRE_PKCS1) {
		in->mechanism.mechanism = CKM_RSA_PKCS;
		head = sizeof(h->info);
		memcpy(in->bytes, h->info, head);
	} else if (scheme == WIRE_PSS) {
		in->pss = (CK_RSA_PKCS_PSS_PARAMS){h->hash, h->mgf, n};
		in->mechanism = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &in->pss, sizeof(in->pss)};
	} else if (scheme == WIRE_ECDSA) {
		in->mechanism.mechanism = CKM_ECDSA;
		if (n > order_size(k->algorithm))
			n = order_size(k->algorithm);
	}
	memcpy(in->bytes + head, d->bytes, n);
	in->len = head + n;
	return SIGNET_OK;
}

/* One DER INTEGER from `n` big-endian bytes; its length. */
static size_t
der_integer(uint8_t *out, const uint8_t *v, size_t n)
{
	size_t pad;

	while (n > 1 && v[0] == 0) {
		v++;
		n--;
	}
	pad = v[0] >> 7; /* a set top bit would make it negative */
	out[0] = 0x02;
	out[1] = (uint8_t)(n + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, v, n);
	return 2 + pad + n;
}

static size_t
der_signature(uint8_t *sig, size_t half)
{
	uint8_t body[2 * (66 + 3)];
	size_t len, head = 2;

	assert(half <= 66);
	len = der_integer(body, sig, half);
	len += der_integer(body + len, sig + half, half);
	sig[0] = 0x30;
	sig[1] = (uint8_t)len;
	if (len > 127) {
		sig[1] = 0x81;
		sig[2] = (uint8_t)len;
		head = 3;
	}
	memcpy(sig + head, body, len);
	return head + len;
}

size_t
sign_shape(const struct token_key *k, uint8_t *sig, size_t len)
{
	size_t half = order_size(k->algorithm);

	if (half != 0)
		return len == 2 * half ? der_signature(sig, half) : 0;
	if (k->algorithm == WIRE_RSA)
		return len == (k->bits + 7u) / 8 ? len : 0;
	return k->algorithm == WIRE_ED25519 && len == 64 ? len : 0;
}

static bool
sign_may_begin_again(struct lane *l, struct token_key *k, CK_RV rv)
{
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
		session_lost(l);
		return true;
	case CKR_KEY_HANDLE_INVALID:
	case CKR_OBJECT_HANDLE_INVALID:
		atomic_store(&k->handle, CK_INVALID_HANDLE);
		return true;
	default:
		return false;
	}
}

/*
 * C_SignInit on this lane's session. Until it succeeds nothing has happened on
 * the token, so a session or handle that got lost is replaced, once.
 */
static signet_err
sign_begin(struct lane *l, struct token_key *k, struct sign_input *in, struct wire_result *r)
{
	CK_OBJECT_HANDLE handle;
	signet_err err;
	CK_RV rv;

	for (bool again = false;; again = true) {
		rv = session_open(l);
		if (rv != CKR_OK)
			return job_fail(r, ckr_err((uint32_t)rv), "sign", rv);
		err = key_handle(l->token, k, &handle, &rv);
		if (err != SIGNET_OK)
			return job_fail(r, err, "find", rv);
		rv = l->token->p11->C_SignInit(l->session, &in->mechanism, handle);
		if (rv == CKR_OK)
			return SIGNET_OK;
		if (again || !sign_may_begin_again(l, k, rv))
			return job_fail(r, ckr_err((uint32_t)rv), "sign", rv);
	}
}

static signet_err
sign_finish(struct lane *l, const struct token_key *k, struct sign_input *in, struct wire_result *r)
{
	CK_ULONG len = sizeof(r->sig);
	CK_RV rv = l->token->p11->C_Sign(l->session, in->bytes, in->len, r->sig, &len);
	size_t shaped;

	if (rv != CKR_OK)
		return job_fail(r, ckr_err((uint32_t)rv), "sign", rv);
	shaped = len > sizeof(r->sig) ? 0 : sign_shape(k, r->sig, len);
	if (shaped == 0)
		return job_fail(r, SIGNET_ERR_TOKEN_FAILED, "sign", CKR_SIGNATURE_LEN_RANGE);
	r->sig_len = (uint16_t)shaped;
	return SIGNET_OK;
}

/* Wrong key, faulty hardware: the signature does not leave, and the worker is not trusted with another one. */
static signet_err
sign_check(struct lane *l, const struct wire_job *j, const struct sign_input *in, struct wire_result *r)
{
	uint64_t bit = UINT64_C(1) << j->key;

	if (l->token->config->verify == WIRE_VERIFY_FIRST && (l->verified & bit) != 0)
		return SIGNET_OK;
	if (verify_signature(l, j->key, j->scheme, &j->digest, in, r->sig, r->sig_len)) {
		l->verified |= bit;
		return SIGNET_OK;
	}
	r->fatal = 1;
	return job_fail(r, SIGNET_ERR_TOKEN_FAILED, "verify", CKR_SIGNATURE_INVALID);
}

static signet_err
sign_once(struct lane *l, struct wire_job *j, struct sign_input *in, struct wire_result *r)
{
	struct token_key *k = &l->token->keys[j->key];
	signet_err err = sign_begin(l, k, in, r);

	if (err == SIGNET_OK && atomic_load(&k->always_auth))
		err = login_context(l, j->pin_in, r);
	if (err == SIGNET_OK)
		err = sign_finish(l, k, in, r);
	if (err == SIGNET_OK)
		err = sign_check(l, j, in, r);
	if (err == SIGNET_OK)
		return SIGNET_OK;
	r->sig_len = 0;
	session_close(l);
	if (r->rv == CKR_USER_NOT_LOGGED_IN)
		login_lost(l->token);
	return err;
}

/* Refusals that need no token, and what is to be signed. */
static signet_err
sign_refuse(struct lane *l, struct wire_job *j, struct sign_input *in, struct cms **cms, struct wire_result *r)
{
	struct token *t = l->token;
	signet_err err;

	if (j->key >= t->config->key_count || t->keys[j->key].state == WIRE_KEY_ABSENT)
		return job_fail(r, SIGNET_ERR_KEY_NOT_FOUND, "find", CKR_OK);
	if (t->keys[j->key].state != WIRE_KEY_FOUND)
		return job_fail(r, SIGNET_ERR_UNSUPPORTED, "find", CKR_OK);
	err = container_begin(l, j, cms, r);
	if (err != SIGNET_OK)
		return err;
	err = sign_prepare(in, &t->keys[j->key], j->scheme, &j->digest);
	if (err != SIGNET_OK)
		return job_fail(r, err, "sign", CKR_OK);
	if ((j->flags & WIRE_WITH_PIN) == 0 && login_needed(t))
		return job_fail(r, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK);
	return SIGNET_OK;
}

void
sign_job(struct lane *l, struct wire_job *j, struct wire_result *r)
{
	struct sign_input in;
	struct cms *cms = NULL;
	signet_err err = sign_refuse(l, j, &in, &cms, r);

	if (err == SIGNET_OK && (j->flags & WIRE_WITH_PIN) != 0)
		err = login_with(l->token, j->pin_in, j->flags, r);
	if (err == SIGNET_OK)
		err = sign_once(l, j, &in, r);
	if (err == SIGNET_OK && cms != NULL)
		err = container_finish(l, cms, r);
	else
		cms_free(cms);
	/* the lease is spent whether or not a signature came of it; where ending it fails, the process ends */
	if ((j->flags & WIRE_THEN_LOGOUT) != 0 && login_end(l->token, r) != SIGNET_OK && err == SIGNET_OK) {
		r->err = SIGNET_OK; /* the signature is good: the answer is that, and fatal */
		r->rv = CKR_OK;
		r->stage[0] = '\0';
	}
}
