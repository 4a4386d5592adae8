/*
 * Keys and certificates on a token that no worker owns: generate a key, have
 * it ask for a certificate [RFC 2986], put the certificate beside it.
 *
 * Invariant: the token's lock is held meanwhile, so that nobody else is logged
 * in; one C_Login with the PIN that a person typed for this, none where one
 * more wrong PIN might block the token; nothing is ever deleted or replaced.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/err.h>

#include "base/base64.h"
#include "base/json.h"

#include "token/once.h"

enum { ID_SIZE = 8, OBJECTS_MAX = 64, CSR_MAX = 8192 };

struct provision {
	struct token *token;
	const json_t *request;
	CK_SESSION_HANDLE session;
	char reason[200];
	const char *error; /* last part of the error's name; NULL: TokenFailed */
};

static json_t *
fail(struct provision *p, const char *error, const char *fmt, const char *what)
{
	p->error = error;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* one of ours, each with one %s */
	snprintf(p->reason, sizeof(p->reason), fmt, what);
#pragma GCC diagnostic pop
	return NULL;
}

static json_t *
fail_rv(struct provision *p, const char *call, CK_RV rv)
{
	snprintf(p->reason, sizeof(p->reason), "%s: %s", call, ckr_name((uint32_t)rv));
	p->error = NULL;
	return NULL;
}

/* --- the token --- */

static bool
find_token(struct provision *p)
{
	uint8_t presence = token_find(p->token, p->reason, sizeof(p->reason));

	if (presence == WIRE_PRESENT)
		presence = token_lock(p->token, p->reason, sizeof(p->reason));
	if (presence == WIRE_OWNED)
		(void)fail(p, "Busy", "the daemon %s this token: take it out of the configuration for the time being", "uses");
	else if (presence != WIRE_PRESENT)
		p->error = presence == WIRE_ABSENT ? "TokenAbsent" : NULL;
	return presence == WIRE_PRESENT;
}

static bool
may_try(struct provision *p)
{
	CK_FLAGS flags = p->token->about.flags;

	if ((flags & CKF_USER_PIN_LOCKED) != 0)
		(void)fail(p, "PinBlocked", "%s", "the token's PIN is blocked");
	else if ((flags & (CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW)) != 0 &&
		 !json_is_true(json_object_get(p->request, "lastTry")))
		(void)fail(p, "PinLastTry", "%s", "another wrong PIN may block the token: its holder must say that he goes on");
	else
		return true;
	return false;
}

static bool
log_in(struct provision *p)
{
	const char *pin = json_member_str(p->request, "pin");
	CK_FUNCTION_LIST *p11 = p->token->p11;
	CK_RV rv;

	if (pin == NULL || !may_try(p))
		return false;
	rv = p11->C_OpenSession(p->token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &p->session);
	if (rv == CKR_OK)
		rv = p11->C_Login(p->session, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin));
	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID)
		(void)fail(p, "PinIncorrect", "%s", "the token refused the PIN");
	else if (rv == CKR_PIN_LOCKED)
		(void)fail(p, "PinBlocked", "%s", "the token's PIN is blocked");
	else if (rv != CKR_OK)
		(void)fail_rv(p, "C_Login", rv);
	return rv == CKR_OK;
}

/* --- objects --- */

static size_t
unhex(uint8_t *out, size_t size, const char *text)
{
	size_t n = 0;
	unsigned byte;

	for (; n < size && sscanf(text, "%2x", &byte) == 1 && strlen(text) >= 2; text += 2)
		out[n++] = (uint8_t)byte;
	return *text == '\0' ? n : 0;
}

static CK_ULONG
find_objects(struct provision *p, CK_OBJECT_CLASS class, const uint8_t *id, size_t id_len, CK_OBJECT_HANDLE *found)
{
	CK_FUNCTION_LIST *p11 = p->token->p11;
	CK_ATTRIBUTE pattern[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_ID, (void *)(uintptr_t)id, id_len}};
	CK_ULONG count = 0;

	if (p11->C_FindObjectsInit(p->session, pattern, id == NULL ? 1 : 2) != CKR_OK)
		return 0;
	if (p11->C_FindObjects(p->session, found, OBJECTS_MAX, &count) != CKR_OK)
		count = 0;
	(void)p11->C_FindObjectsFinal(p->session);
	return count;
}

static json_t *
public_text(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	char *text = len <= 0 ? NULL : malloc(BASE64_LEN((size_t)len));
	json_t *out = NULL;

	if (text != NULL) {
		base64_encode(text, der, (size_t)len);
		out = json_stringn(text, BASE64_LEN((size_t)len));
	}
	OPENSSL_free(der);
	free(text);
	return out;
}

/* --- a new key --- */

static const struct kind {
	const char *name;
	CK_MECHANISM_TYPE mechanism;
	CK_ULONG bits;
	const uint8_t *curve;
	CK_ULONG curve_len;
} kinds[] = {
    {"rsa2048", CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, NULL, 0},
    {"rsa3072", CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, NULL, 0},
    {"rsa4096", CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, NULL, 0},
    {"p256", CKM_EC_KEY_PAIR_GEN, 0, (const uint8_t *)"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10},
    {"p384", CKM_EC_KEY_PAIR_GEN, 0, (const uint8_t *)"\x06\x05\x2b\x81\x04\x00\x22", 7},
};

static CK_RV
generate_pair(struct provision *p, const struct kind *k, uint8_t id[ID_SIZE], const char *label, CK_OBJECT_HANDLE *public)
{
	static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	static uint8_t exponent[] = {1, 0, 1};
	CK_ULONG bits = k->bits;
	CK_MECHANISM mechanism = {k->mechanism, NULL, 0};
	CK_ATTRIBUTE pub[] = {{CKA_TOKEN, &yes, 1}, {CKA_VERIFY, &yes, 1}, {CKA_ID, id, ID_SIZE},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}, {0, NULL, 0}, {CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)}};
	CK_ATTRIBUTE priv[] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1},
	    {CKA_SIGN, &yes, 1}, {CKA_ID, id, ID_SIZE}, {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
	CK_OBJECT_HANDLE private;

	if (k->curve != NULL)
		pub[4] = (CK_ATTRIBUTE){CKA_EC_PARAMS, (void *)(uintptr_t)k->curve, k->curve_len};
	else
		pub[4] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
	return p->token->p11->C_GenerateKeyPair(
	    p->session, &mechanism, pub, k->curve != NULL ? 5 : 6, priv, array_len(priv), public, &private);
}

static json_t *
generate(struct provision *p)
{
	const char *name = json_member_str(p->request, "algorithm"), *label = json_member_str(p->request, "label");
	const struct kind *k = NULL;
	uint8_t id[ID_SIZE];
	char id_text[2 * ID_SIZE + 1];
	CK_OBJECT_HANDLE public;
	EVP_PKEY *key;
	json_t *out;
	CK_RV rv;

	for (size_t i = 0; i < array_len(kinds); i++)
		if (name != NULL && strcmp(name, kinds[i].name) == 0)
			k = &kinds[i];
	if (k == NULL || label == NULL || p->token->p11->C_GenerateKeyPair == NULL)
		return fail(p, NULL, "%s cannot be generated here", name == NULL ? "?" : name);
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return fail(p, NULL, "%s", "there is no randomness");
	for (size_t i = 0; i < sizeof(id); i++)
		sprintf(id_text + 2 * i, "%02x", id[i]);
	rv = generate_pair(p, k, id, label, &public);
	if (rv != CKR_OK)
		return fail_rv(p, "C_GenerateKeyPair", rv);
	key = public_from_object(p->token->p11, p->session, public);
	if (key == NULL)
		return fail(p, NULL, "%s", "the key was generated, and its public half cannot be read");
	out = json_pack("{s:s,s:o}", "id", id_text, "publicKey", public_text(key));
	EVP_PKEY_free(key);
	return out;
}

/* --- a request for a certificate --- */

static bool
add_name(X509_NAME *name, const char *field, const char *value)
{
	return value == NULL || X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1;
}

static bool
fill_request(X509_REQ *req, const struct provision *p, EVP_PKEY *key)
{
	X509_NAME *name = X509_REQ_get_subject_name(req);

	return X509_REQ_set_version(req, 0) == 1 && add_name(name, "O", json_member_str(p->request, "organisation")) &&
	       add_name(name, "CN", json_member_str(p->request, "subject")) && X509_REQ_set_pubkey(req, key) == 1;
}

static CK_RV
sign_with(struct provision *p, CK_OBJECT_HANDLE private, struct sign_input *in, uint8_t *sig, CK_ULONG *len)
{
	CK_FUNCTION_LIST *p11 = p->token->p11;
	const char *pin = json_member_str(p->request, "pin");
	CK_BBOOL always = CK_FALSE;
	CK_ATTRIBUTE a = {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)};
	CK_RV rv;

	if (p11->C_GetAttributeValue(p->session, private, &a, 1) != CKR_OK)
		always = CK_FALSE;
	rv = p11->C_SignInit(p->session, &in->mechanism, private);
	if (rv == CKR_OK && always) /* the PIN has just been right */
		rv = p11->C_Login(p->session, CKU_CONTEXT_SPECIFIC, (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin));
	return rv == CKR_OK ? p11->C_Sign(p->session, in->bytes, in->len, sig, len) : rv;
}

/* The signature over the request's own bytes, by the key that it names. */
static bool
sign_request(struct provision *p, X509_REQ *req, EVP_PKEY *key, CK_OBJECT_HANDLE private)
{
	struct token_key k = {.public = key};
	struct digest digest = {.alg = DIGEST_SHA256};
	uint8_t sig[2 * WIRE_SIG_MAX];
	CK_ULONG len = WIRE_SIG_MAX;
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	unsigned char *tbs = NULL;
	struct sign_input in;
	int tbs_len;
	CK_RV rv = CKR_GENERAL_ERROR;
	bool good;

	k.algorithm = public_algorithm(key, &k.bits, p->reason, sizeof(p->reason));
	good = bits != NULL && algorithm != NULL && k.algorithm != WIRE_ALG_NONE && k.algorithm != WIRE_ED25519 &&
	       X509_ALGOR_set0(algorithm, OBJ_nid2obj(k.algorithm == WIRE_RSA ? NID_sha256WithRSAEncryption : NID_ecdsa_with_SHA256),
		   k.algorithm == WIRE_RSA ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1;
	good = good && X509_REQ_set1_signature_algo(req, algorithm) == 1;
	tbs_len = good ? i2d_re_X509_REQ_tbs(req, &tbs) : 0;
	good = good && tbs_len > 0 && EVP_Digest(tbs, (size_t)tbs_len, digest.bytes, NULL, EVP_sha256(), NULL) == 1;
	good = good && sign_prepare(&in, &k, k.algorithm == WIRE_RSA ? WIRE_PKCS1 : WIRE_ECDSA, &digest) == SIGNET_OK;
	if (good)
		rv = sign_with(p, private, &in, sig, &len);
	len = rv == CKR_OK ? sign_shape(&k, sig, len) : 0;
	good = good && len > 0 && ASN1_BIT_STRING_set(bits, sig, (int)len) == 1;
	if (good) {
		bits->flags = (bits->flags & ~(long)(ASN1_STRING_FLAG_BITS_LEFT | 0x07)) | ASN1_STRING_FLAG_BITS_LEFT;
		X509_REQ_set0_signature(req, bits);
		bits = NULL;
	}
	if (rv != CKR_OK && p->reason[0] == '\0')
		(void)fail_rv(p, "C_Sign", rv);
	ASN1_BIT_STRING_free(bits);
	X509_ALGOR_free(algorithm);
	OPENSSL_free(tbs);
	return good && X509_REQ_verify(req, key) == 1;
}

static json_t *
request_text(X509_REQ *req, const char *id)
{
	unsigned char *der = NULL;
	int len = i2d_X509_REQ(req, &der);
	char *text = len <= 0 || len > CSR_MAX ? NULL : malloc(BASE64_LEN((size_t)len));
	json_t *out = NULL;

	if (text != NULL) {
		base64_encode(text, der, (size_t)len);
		out = json_pack("{s:s%,s:s}", "request", text, BASE64_LEN((size_t)len), "id", id);
	}
	OPENSSL_free(der);
	free(text);
	return out;
}

static json_t *
request_certificate(struct provision *p)
{
	const char *id_text = json_member_str(p->request, "id");
	CK_OBJECT_HANDLE public[OBJECTS_MAX], private[OBJECTS_MAX];
	uint8_t id[TOKEN_ID_MAX];
	size_t len = id_text == NULL ? 0 : unhex(id, sizeof(id), id_text);
	X509_REQ *req = X509_REQ_new();
	EVP_PKEY *key = NULL;
	json_t *out = NULL;

	if (len > 0 && find_objects(p, CKO_PUBLIC_KEY, id, len, public) == 1 &&
	    find_objects(p, CKO_PRIVATE_KEY, id, len, private) == 1)
		key = public_from_object(p->token->p11, p->session, public[0]);
	if (key == NULL)
		(void)fail(p, NULL, "the token has no key, or several, with the id %s", id_text == NULL ? "" : id_text);
	else if (req != NULL && fill_request(req, p, key) && sign_request(p, req, key, private[0]))
		out = request_text(req, id_text);
	else if (p->reason[0] == '\0')
		(void)fail(p, NULL, "%s", "the request could not be made");
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	return out;
}

/* --- its certificate --- */

/* The id of the key on the token that the certificate is for; 0: there is none. */
static size_t
id_of(struct provision *p, X509 *x509, uint8_t id[TOKEN_ID_MAX])
{
	CK_OBJECT_HANDLE found[OBJECTS_MAX];
	CK_ULONG count = find_objects(p, CKO_PUBLIC_KEY, NULL, 0, found);

	for (CK_ULONG i = 0; i < count; i++) {
		EVP_PKEY *key = public_from_object(p->token->p11, p->session, found[i]);
		CK_ATTRIBUTE a = {CKA_ID, id, TOKEN_ID_MAX};
		bool same = key != NULL && EVP_PKEY_eq(key, X509_get0_pubkey(x509)) == 1;

		EVP_PKEY_free(key);
		if (same && p->token->p11->C_GetAttributeValue(p->session, found[i], &a, 1) == CKR_OK && a.ulValueLen <= TOKEN_ID_MAX)
			return a.ulValueLen;
	}
	return 0;
}

static CK_RV
create(struct provision *p, X509 *x509, uint8_t *der, size_t len, uint8_t *id, size_t id_len)
{
	static CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_CERTIFICATE_TYPE type = CKC_X_509;
	unsigned char *subject = NULL, *issuer = NULL, *serial = NULL;
	int subject_len = i2d_X509_NAME(X509_get_subject_name(x509), &subject);
	int issuer_len = i2d_X509_NAME(X509_get_issuer_name(x509), &issuer);
	int serial_len = i2d_ASN1_INTEGER(X509_get_serialNumber(x509), &serial);
	CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_CERTIFICATE_TYPE, &type, sizeof(type)}, {CKA_TOKEN, &yes, 1},
	    {CKA_ID, id, id_len}, {CKA_VALUE, der, len}, {CKA_SUBJECT, subject, (CK_ULONG)subject_len},
	    {CKA_ISSUER, issuer, (CK_ULONG)issuer_len}, {CKA_SERIAL_NUMBER, serial, (CK_ULONG)serial_len}};
	CK_OBJECT_HANDLE object;
	CK_RV rv = CKR_HOST_MEMORY;

	if (subject_len > 0 && issuer_len > 0 && serial_len > 0)
		rv = p->token->p11->C_CreateObject(p->session, a, array_len(a), &object);
	OPENSSL_free(subject);
	OPENSSL_free(issuer);
	OPENSSL_free(serial);
	return rv;
}

static json_t *
import_certificate(struct provision *p)
{
	static uint8_t der[WIRE_CERT_MAX];
	const char *text = json_member_str(p->request, "certificate");
	size_t len = sizeof(der), id_len;
	const unsigned char *at = der;
	uint8_t id[TOKEN_ID_MAX];
	X509 *x509 = NULL;
	json_t *out = NULL;
	CK_RV rv;

	if (text != NULL && base64_decode(text, strlen(text), der, &len) == SIGNET_OK)
		x509 = d2i_X509(NULL, &at, (long)len);
	if (x509 == NULL || at != der + len) {
		X509_free(x509);
		return fail(p, "CertificateInvalid", "%s", "this is no certificate");
	}
	id_len = id_of(p, x509, id);
	if (id_len == 0) {
		(void)fail(p, "CertificateInvalid", "%s", "it is for no key on this token");
	} else {
		rv = p->token->p11->C_CreateObject == NULL ? CKR_FUNCTION_NOT_SUPPORTED : create(p, x509, der, len, id, id_len);
		if (rv == CKR_OK)
			out = scan_certificate(der, len, id, id_len, "");
		else
			(void)fail_rv(p, "C_CreateObject", rv);
	}
	X509_free(x509);
	return out;
}

json_t *
provision(struct token *t, const json_t *request)
{
	static const struct {
		const char *name;
		json_t *(*work)(struct provision *p);
	} works[] = {{"generate", generate}, {"request", request_certificate}, {"import", import_certificate}};
	const char *what = json_member_str(request, "operation");
	struct provision p = {.token = t, .request = request};
	json_t *out = NULL;

	if (what == NULL || !find_token(&p) || !log_in(&p))
		return json_pack("{s:s,s:s*}", "reason", p.reason[0] != '\0' ? p.reason : "a PIN is needed", "error", p.error);
	for (size_t i = 0; i < array_len(works); i++)
		if (strcmp(what, works[i].name) == 0)
			out = works[i].work(&p);
	(void)t->p11->C_Logout(p.session);
	ERR_clear_error();
	if (out == NULL)
		return json_pack("{s:s,s:s*}", "reason", p.reason[0] != '\0' ? p.reason : "it did not work", "error", p.error);
	return out;
}
