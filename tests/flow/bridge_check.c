/* See bridge_check.h. signet-bridge-check MODULE MODE [ARGUMENTS] */
#include "bridge_check.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

CK_FUNCTION_LIST *p11;

CK_SLOT_ID
first_slot(void)
{
	CK_SLOT_ID slots[8];
	CK_ULONG n = 8;

	expect(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &n));
	must(n > 0);
	return slots[0];
}

CK_OBJECT_HANDLE
find_one(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label)
{
	CK_ATTRIBUTE wanted[] = {
	    {CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, (void *)(size_t)label, strlen(label)}};
	CK_OBJECT_HANDLE found[2];
	CK_ULONG n = 0;

	expect(CKR_OK, p11->C_FindObjectsInit(session, wanted, 2));
	expect(CKR_OK, p11->C_FindObjects(session, found, 2, &n));
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
	must(n == 1);
	return found[0];
}

static EVP_PKEY *
public_of(CK_SESSION_HANDLE session, const char *label)
{
	unsigned char der[8192];
	const unsigned char *p = der;
	CK_ATTRIBUTE value = {CKA_VALUE, der, sizeof(der)};
	X509 *x;
	EVP_PKEY *key;

	expect(CKR_OK, p11->C_GetAttributeValue(session, find_one(session, CKO_CERTIFICATE, label), &value, 1));
	x = d2i_X509(NULL, &p, (long)value.ulValueLen);
	must(x != NULL);
	key = X509_get_pubkey(x);
	must(key != NULL);
	X509_free(x);
	return key;
}

void
signer_open(struct signer *s, const char *label)
{
	expect(CKR_OK, p11->C_OpenSession(first_slot(), CKF_SERIAL_SESSION, NULL, NULL, &s->session));
	s->key = find_one(s->session, CKO_PRIVATE_KEY, label);
	s->public = public_of(s->session, label);
}

void
signer_close(struct signer *s)
{
	EVP_PKEY_free(s->public);
	expect(CKR_OK, p11->C_CloseSession(s->session));
}

/* r || s as OpenSSL wants it. */
static size_t
to_der(const unsigned char *raw, size_t n, unsigned char *out)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)n / 2, NULL), *s = BN_bin2bn(raw + n / 2, (int)n / 2, NULL);
	int size;

	must(sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1);
	size = i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
	must(size > 0);
	return (size_t)size;
}

static bool
is_right(EVP_PKEY *key, const unsigned char *data, size_t n, const unsigned char *sig, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[160];
	bool good;

	if (EVP_PKEY_is_a(key, "EC")) {
		size = to_der(sig, size, der);
		sig = der;
	}
	must(ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	good = EVP_DigestVerify(ctx, sig, size, data, n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

CK_RV
signer_sign(struct signer *s)
{
	CK_MECHANISM m = {EVP_PKEY_is_a(s->public, "EC") ? CKM_ECDSA_SHA256 : CKM_SHA256_RSA_PKCS, NULL, 0};
	unsigned char data[64], sig[512];
	CK_ULONG size = sizeof(sig);
	CK_RV rv;

	must(RAND_bytes(data, sizeof(data)) == 1);
	rv = p11->C_SignInit(s->session, &m, s->key);
	if (rv == CKR_OK)
		rv = p11->C_Sign(s->session, data, sizeof(data), sig, &size);
	if (rv == CKR_OK)
		must(is_right(s->public, data, sizeof(data), sig, size));
	return rv;
}

static void
load(const char *path)
{
	CK_C_GetFunctionList list;
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (module == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	*(void **)&list = dlsym(module, "C_GetFunctionList");
	must(list != NULL);
	expect(CKR_ARGUMENTS_BAD, list(NULL));
	expect(CKR_OK, list(&p11));
}

static unsigned
number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

int
main(int argc, char **argv)
{
	must(argc >= 3);
	load(argv[1]);
	if (strcmp(argv[2], "conform") == 0 && argc == 4) {
		check_not_initialized();
		check_conformance(argv[3]);
		check_not_initialized();
	} else if (strcmp(argv[2], "initialize") == 0) {
		check_initialize();
	} else if (strcmp(argv[2], "fork") == 0 && argc == 4) {
		check_fork(argv[3]);
	} else if (strcmp(argv[2], "load") == 0 && argc == 7) {
		check_load(argv[3], number(argv[4]), number(argv[5]), number(argv[6]));
	} else if (strcmp(argv[2], "event") == 0) {
		check_event();
	} else if (strcmp(argv[2], "finalize-wakes") == 0) {
		check_finalize_wakes();
	} else if (strcmp(argv[2], "exit") == 0 && argc == 4) {
		check_exit(argv[3]);
	} else {
		fprintf(stderr, "what is %s?\n", argv[2]);
		return 2;
	}
	return 0;
}
