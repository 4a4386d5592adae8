/*
 * A session of a PKCS #11 module that signs SHA-256 digests with one key: what
 * a program does that holds the token itself, or p11-kit's remote client in
 * its place [PKCS #11 2.40, 5.11].
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct pkcs11 {
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	CK_MECHANISM mechanism;
};

enum { SLOTS_MAX = 64, SIGNATURE_MAX = 1024 };

/* SEQUENCE { SEQUENCE { sha256, NULL }, OCTET STRING } without its 32 bytes [RFC 8017, 9.2] */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
    0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static bool
complain(const char *what, CK_RV rv)
{
	fprintf(stderr, "signet-bench: %s failed: 0x%lx\n", what, rv);
	return false;
}

/* One module per process, however many sessions. */
static CK_FUNCTION_LIST *
load(const char *path)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static CK_FUNCTION_LIST *loaded;
	CK_C_INITIALIZE_ARGS threads = {.flags = CKF_OS_LOCKING_OK};
	CK_C_GetFunctionList list;
	CK_RV rv = CKR_OK;
	void *module;

	pthread_mutex_lock(&lock);
	if (loaded == NULL) {
		module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (module == NULL) {
			fprintf(stderr, "signet-bench: %s\n", dlerror());
		} else {
			*(void **)&list = dlsym(module, "C_GetFunctionList");
			rv = list != NULL ? list(&loaded) : CKR_GENERAL_ERROR;
			if (rv == CKR_OK)
				rv = loaded->C_Initialize(&threads);
			if (rv != CKR_OK) {
				loaded = NULL;
				(void)complain("C_Initialize", rv);
			}
		}
	}
	pthread_mutex_unlock(&lock);
	return loaded;
}

static bool
label_is(const CK_TOKEN_INFO *info, const char *label)
{
	size_t len = strlen(label);

	return len <= sizeof(info->label) && memcmp(info->label, label, len) == 0 &&
	       (len == sizeof(info->label) || info->label[len] == ' ');
}

static bool
find_slot(const struct pkcs11 *p, const char *token, CK_SLOT_ID *slot)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	CK_TOKEN_INFO info;
	CK_RV rv = p->f->C_GetSlotList(CK_TRUE, slots, &n);

	if (rv != CKR_OK)
		return complain("C_GetSlotList", rv);
	for (CK_ULONG i = 0; i < n; i++)
		if (p->f->C_GetTokenInfo(slots[i], &info) == CKR_OK && label_is(&info, token)) {
			*slot = slots[i];
			return true;
		}
	fprintf(stderr, "signet-bench: no token has the label %s\n", token);
	return false;
}

static bool
log_in(const struct pkcs11 *p, const char *pin)
{
	CK_UTF8CHAR bytes[SECRET_MAX];
	CK_RV rv;

	memcpy(bytes, pin, strlen(pin));
	rv = p->f->C_Login(p->session, CKU_USER, bytes, strlen(pin));
	wipe(bytes, sizeof(bytes));
	if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
		return complain("C_Login", rv);
	return true;
}

static bool
find_key(struct pkcs11 *p, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	char name[64];
	CK_KEY_TYPE type = 0;
	CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, name, strlen(label)}};
	CK_ATTRIBUTE kind = {CKA_KEY_TYPE, &type, sizeof(type)};
	CK_ULONG n = 0;
	CK_RV rv;

	snprintf(name, sizeof(name), "%s", label);
	rv = p->f->C_FindObjectsInit(p->session, wanted, array_len(wanted));
	if (rv == CKR_OK)
		rv = p->f->C_FindObjects(p->session, &p->key, 1, &n);
	(void)p->f->C_FindObjectsFinal(p->session);
	if (rv == CKR_OK && n == 1)
		rv = p->f->C_GetAttributeValue(p->session, p->key, &kind, 1);
	if (rv != CKR_OK || n != 1)
		return complain("finding the key", rv);
	p->mechanism.mechanism = type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA;
	return true;
}

bool
pkcs11_open(struct pkcs11 **out, const struct target *t, const char *key)
{
	struct pkcs11 *p = calloc(1, sizeof(*p));
	CK_SLOT_ID slot;
	CK_RV rv;

	if (p == NULL)
		return false;
	p->f = load(t->module);
	if (p->f == NULL || !find_slot(p, t->token, &slot))
		goto fail;
	rv = p->f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &p->session);
	if (rv != CKR_OK) {
		(void)complain("C_OpenSession", rv);
		goto fail;
	}
	if (!log_in(p, t->pin) || !find_key(p, key))
		goto fail;
	*out = p;
	return true;
fail:
	free(p);
	return false;
}

bool
pkcs11_sign(struct pkcs11 *p, const uint8_t digest[DIGEST_BYTES])
{
	CK_BYTE input[sizeof(digest_info) + DIGEST_BYTES], signature[SIGNATURE_MAX];
	CK_ULONG size = 0, len = sizeof(signature);
	CK_RV rv;

	if (p->mechanism.mechanism == CKM_RSA_PKCS) {
		memcpy(input, digest_info, sizeof(digest_info));
		size = sizeof(digest_info);
	}
	memcpy(input + size, digest, DIGEST_BYTES);
	size += DIGEST_BYTES;
	rv = p->f->C_SignInit(p->session, &p->mechanism, p->key);
	if (rv == CKR_OK)
		rv = p->f->C_Sign(p->session, input, size, signature, &len);
	return rv == CKR_OK ? true : complain("C_Sign", rv);
}

void
pkcs11_close(struct pkcs11 *p)
{
	if (p == NULL)
		return;
	(void)p->f->C_CloseSession(p->session);
	free(p);
}
