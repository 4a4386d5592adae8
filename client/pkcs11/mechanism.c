/*
 * The mechanisms, and their parameters [PKCS #11 2.40, 2.1, 2.3; 3.0, 2.3.14].
 *
 * The order is that of the list that programs get: some take the first that
 * fits, and one that hashes for itself takes any data.
 */
#include "bridge.h"

static const struct mechanism mechanisms[] = {
    {CKM_SHA256_RSA_PKCS, SCHEME_PKCS1, SIGNET_SHA256},
    {CKM_SHA384_RSA_PKCS, SCHEME_PKCS1, SIGNET_SHA384},
    {CKM_SHA512_RSA_PKCS, SCHEME_PKCS1, SIGNET_SHA512},
    {CKM_RSA_PKCS, SCHEME_PKCS1, 0},
    {CKM_SHA256_RSA_PKCS_PSS, SCHEME_PSS, SIGNET_SHA256},
    {CKM_SHA384_RSA_PKCS_PSS, SCHEME_PSS, SIGNET_SHA384},
    {CKM_SHA512_RSA_PKCS_PSS, SCHEME_PSS, SIGNET_SHA512},
    {CKM_RSA_PKCS_PSS, SCHEME_PSS, 0},
    {CKM_ECDSA, SCHEME_ECDSA, 0},
    {CKM_ECDSA_SHA256, SCHEME_ECDSA, SIGNET_SHA256},
    {CKM_ECDSA_SHA384, SCHEME_ECDSA, SIGNET_SHA384},
    {CKM_ECDSA_SHA512, SCHEME_ECDSA, SIGNET_SHA512},
    {CKM_EDDSA, SCHEME_EDDSA, 0},
};
_Static_assert(array_len(mechanisms) == MECHANISMS_MAX, "room for all of them");

static const struct pss {
	CK_MECHANISM_TYPE hash, mgf;
	signet_hash is;
} pss[] = {
    {CKM_SHA256, CKG_MGF1_SHA256, SIGNET_SHA256},
    {CKM_SHA384, CKG_MGF1_SHA384, SIGNET_SHA384},
    {CKM_SHA512, CKG_MGF1_SHA512, SIGNET_SHA512},
};

/* CK_EDDSA_PARAMS: absent, or saying that nothing is special. */
struct eddsa_params {
	CK_BBOOL prehash;
	CK_ULONG context_size;
	CK_BYTE *context;
};

const struct mechanism *
mechanism_find(CK_MECHANISM_TYPE type)
{
	for (size_t i = 0; i < array_len(mechanisms); i++)
		if (mechanisms[i].type == type)
			return &mechanisms[i];
	return NULL;
}

enum key_kind
mechanism_key(const struct mechanism *m)
{
	switch (m->scheme) {
	case SCHEME_ECDSA:
		return KEY_EC;
	case SCHEME_EDDSA:
		return KEY_ED25519;
	default:
		return KEY_RSA;
	}
}

const char *
scheme_name(enum scheme scheme)
{
	static const char *const names[] = {"pkcs1", "pss", "ecdsa", "eddsa"};

	return names[scheme];
}

size_t
mechanism_list(enum key_kind kind, CK_MECHANISM_TYPE *out)
{
	size_t n = 0;

	for (size_t i = 0; i < array_len(mechanisms); i++)
		if (kind == KEY_NONE || mechanism_key(&mechanisms[i]) == kind)
			out[n++] = mechanisms[i].type;
	return n;
}

/* MGF1 with the same hash and a salt of its size: what the daemon signs. */
static CK_RV
pss_params(const struct mechanism *m, const CK_MECHANISM *given, signet_hash *hash)
{
	const CK_RSA_PKCS_PSS_PARAMS *p = given->pParameter;

	if (p == NULL || given->ulParameterLen != sizeof(*p))
		return CKR_MECHANISM_PARAM_INVALID;
	for (size_t i = 0; i < array_len(pss); i++)
		if (p->hashAlg == pss[i].hash && p->mgf == pss[i].mgf && p->sLen == signet_hash_size(pss[i].is) &&
		    (m->hash == 0 || m->hash == pss[i].is)) {
			*hash = pss[i].is;
			return CKR_OK;
		}
	return CKR_MECHANISM_PARAM_INVALID;
}

CK_RV
mechanism_params(const struct mechanism *m, const CK_MECHANISM *given, signet_hash *hash)
{
	const struct eddsa_params *p = given->pParameter;

	*hash = m->hash;
	if (m->scheme == SCHEME_PSS)
		return pss_params(m, given, hash);
	if (given->ulParameterLen == 0)
		return CKR_OK;
	if (m->scheme == SCHEME_EDDSA && p != NULL && given->ulParameterLen == sizeof(*p) && !p->prehash &&
	    p->context_size == 0)
		return CKR_OK;
	return CKR_MECHANISM_PARAM_INVALID;
}
