/*
 * What lies on the tokens of a module, as far as it may be seen without a PIN.
 *
 * Invariant: nobody is logged in and nothing is written; a token that cannot
 * be read is left out with its reason and spoils no other. Certificates are
 * taken apart here, not in the broker [RFC 5280].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/base64.h"

#include "token/once.h"

enum { TEXT_MAX = 256 };

static void
hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
	out[2 * n] = '\0';
}

/* One attribute of a name as UTF-8; NULL: it has none. */
static json_t *
name_part(const X509_NAME *name, int nid)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *utf8 = NULL;
	char text[TEXT_MAX];
	int len;

	if (at < 0)
		return json_null();
	len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len < 0)
		return json_null();
	snprintf(text, sizeof(text), "%.*s", len, (const char *)utf8);
	OPENSSL_free(utf8);
	text_clean(text);
	return json_string(text);
}

static json_t *
time_text(const ASN1_TIME *at)
{
	char text[32];
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	if (ASN1_TIME_to_tm(at, &tm) != 1 || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return NULL;
	return json_string(text);
}

static json_t *
serial_text(X509 *x509)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
	char *text = n == NULL ? NULL : BN_bn2hex(n);
	json_t *out = NULL;

	if (text != NULL && strlen(text) < TEXT_MAX) {
		for (char *p = text; *p != '\0'; p++)
			*p = (char)(*p >= 'A' && *p <= 'F' ? *p - 'A' + 'a' : *p);
		out = json_string(text);
	}
	OPENSSL_free(text);
	BN_free(n);
	return out;
}

/* May its key sign? A certificate of an authority lies beside it on many tokens. */
static bool
is_authority(X509 *x509)
{
	return X509_check_ca(x509) > 0;
}

static json_t *
describe(X509 *x509, const uint8_t *der, size_t len)
{
	char hash[7 + 64 + 1] = "sha256:", *text;
	uint8_t bytes[32];
	json_t *out;

	if (EVP_Digest(der, len, bytes, NULL, EVP_sha256(), NULL) != 1)
		return NULL;
	hex(hash + 7, bytes, sizeof(bytes));
	text = malloc(BASE64_LEN(len));
	if (text == NULL)
		return NULL;
	base64_encode(text, der, len);
	out = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:b,s:s%}", "subject",
	    name_part(X509_get_subject_name(x509), NID_commonName), "organisation",
	    name_part(X509_get_subject_name(x509), NID_organizationName), "issuer",
	    name_part(X509_get_issuer_name(x509), NID_commonName), "notBefore", time_text(X509_get0_notBefore(x509)),
	    "notAfter", time_text(X509_get0_notAfter(x509)), "serial", serial_text(x509), "hash", hash, "authority",
	    is_authority(x509), "certificate", text, BASE64_LEN(len));
	free(text);
	return out;
}

json_t *
scan_certificate(const uint8_t *der, size_t len, const uint8_t *id, size_t id_len, const char *label)
{
	const unsigned char *p = der;
	char id_text[2 * TOKEN_ID_MAX + 1] = "", clean[TEXT_MAX];
	json_t *out = NULL;
	X509 *x509;

	if (len > WIRE_CERT_MAX || id_len > TOKEN_ID_MAX)
		return NULL;
	x509 = d2i_X509(NULL, &p, (long)len);
	if (x509 != NULL && p == der + len)
		out = describe(x509, der, len);
	X509_free(x509);
	ERR_clear_error();
	if (out == NULL)
		return NULL;
	hex(id_text, id, id_len);
	snprintf(clean, sizeof(clean), "%s", label);
	text_clean(clean);
	json_object_set_new(out, "id", id_len > 0 ? json_string(id_text) : json_null());
	json_object_set_new(out, "label", clean[0] != '\0' ? json_string(clean) : json_null());
	return out;
}

static json_t *
read_certificate(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object)
{
	static uint8_t der[WIRE_CERT_MAX], id[TOKEN_ID_MAX];
	static char label[TOKEN_ID_MAX];
	CK_ATTRIBUTE value = {CKA_VALUE, der, sizeof(der)}, a[] = {{CKA_ID, id, sizeof(id)},
	    {CKA_LABEL, label, sizeof(label) - 1}};

	if (p11->C_GetAttributeValue(s, object, &value, 1) != CKR_OK || value.ulValueLen > sizeof(der))
		return NULL;
	/* each of its own: a token need not have both */
	for (size_t i = 0; i < array_len(a); i++)
		if (p11->C_GetAttributeValue(s, object, &a[i], 1) != CKR_OK ||
		    a[i].ulValueLen > TOKEN_ID_MAX - 1)
			a[i].ulValueLen = 0;
	label[a[1].ulValueLen] = '\0';
	return scan_certificate(der, value.ulValueLen, id, a[0].ulValueLen, label);
}

static void
read_certificates(CK_FUNCTION_LIST *p11, CK_SLOT_ID slot, json_t *list)
{
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_ATTRIBUTE pattern = {CKA_CLASS, &class, sizeof(class)};
	CK_OBJECT_HANDLE found[ONCE_CERTS_MAX];
	CK_SESSION_HANDLE s;
	CK_ULONG count = 0, got = 1;

	if (p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s) != CKR_OK)
		return;
	if (p11->C_FindObjectsInit(s, &pattern, 1) == CKR_OK) {
		while (got > 0 && count < ONCE_CERTS_MAX &&
		       p11->C_FindObjects(s, found + count, ONCE_CERTS_MAX - count, &got) == CKR_OK)
			count += got;
		(void)p11->C_FindObjectsFinal(s);
	}
	for (CK_ULONG i = 0; i < count; i++) {
		json_t *cert = read_certificate(p11, s, found[i]);

		if (cert != NULL)
			json_array_append_new(list, cert);
	}
	(void)p11->C_CloseSession(s);
}

static const char *
pin_state(CK_FLAGS flags)
{
	if ((flags & CKF_USER_PIN_LOCKED) != 0)
		return "blocked";
	if ((flags & CKF_USER_PIN_FINAL_TRY) != 0)
		return "finalTry";
	return (flags & CKF_USER_PIN_COUNT_LOW) != 0 ? "countLow" : "ok";
}

static json_t *
read_token(CK_FUNCTION_LIST *p11, CK_SLOT_ID slot)
{
	struct wire_info *names = calloc(1, sizeof(*names));
	json_t *certs = json_array(), *out;
	CK_TOKEN_INFO about;

	memset(&about, 0, sizeof(about));
	if (names == NULL || p11->C_GetTokenInfo(slot, &about) != CKR_OK) {
		free(names);
		json_decref(certs);
		return NULL;
	}
	info_describe(names, &about);
	if ((about.flags & CKF_TOKEN_INITIALIZED) != 0)
		read_certificates(p11, slot, certs);
	out = json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:s,s:o}", "serial", names->serial, "label", names->label,
	    "manufacturer", names->manufacturer, "model", names->model, "initialised",
	    (about.flags & CKF_TOKEN_INITIALIZED) != 0, "pinSet", (about.flags & CKF_USER_PIN_INITIALIZED) != 0, "pinPad",
	    (about.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0, "pinState", pin_state(about.flags), "certificates",
	    certs);
	free(names);
	return out;
}

json_t *
scan_module(CK_FUNCTION_LIST *p11)
{
	CK_SLOT_ID slots[ONCE_TOKENS_MAX];
	CK_ULONG count = 0;
	json_t *tokens = json_array();
	CK_RV rv;

	/* the number first: some modules look for new readers only then */
	rv = p11->C_GetSlotList(CK_TRUE, NULL, &count);
	count = array_len(slots);
	if (rv == CKR_OK)
		rv = p11->C_GetSlotList(CK_TRUE, slots, &count);
	if (rv != CKR_OK) {
		char reason[100];

		json_decref(tokens);
		snprintf(reason, sizeof(reason), "C_GetSlotList: %s", ckr_name((uint32_t)rv));
		return json_pack("{s:s}", "reason", reason);
	}
	for (CK_ULONG i = 0; i < count; i++) {
		json_t *t = read_token(p11, slots[i]);

		if (t != NULL)
			json_array_append_new(tokens, t);
	}
	return json_pack("{s:o}", "tokens", tokens);
}
