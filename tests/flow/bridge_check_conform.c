/*
 * Every function of PKCS #11 2.40 with what it must refuse: not initialised,
 * no such slot, session or object, nothing where something must be, the wrong
 * state; and the lengths of signatures.
 */
#include "bridge_check.h"

#include <string.h>

enum { NO_SLOT = 88888, NO_SESSION = 99999, NO_OBJECT = 77777 };

static CK_MECHANISM sha256_rsa = {CKM_SHA256_RSA_PKCS, NULL, 0};
static CK_BYTE bytes[64];
static CK_ULONG size = sizeof(bytes);
static CK_OBJECT_HANDLE object;
static CK_ATTRIBUTE template[] = {{CKA_LABEL, bytes, 2}};

/* All functions that take a session first, with arguments that would do. */
#define WITH_SESSION(X, s)                                                                             \
	X(C_CloseSession(s))                                                                           \
	X(C_GetOperationState(s, bytes, &size))                                                        \
	X(C_SetOperationState(s, bytes, size, 0, 0))                                                   \
	X(C_Login(s, CKU_USER, bytes, 4))                                                              \
	X(C_Logout(s))                                                                                 \
	X(C_InitPIN(s, bytes, 4))                                                                      \
	X(C_SetPIN(s, bytes, 4, bytes, 4))                                                             \
	X(C_CreateObject(s, template, 1, &object))                                                     \
	X(C_CopyObject(s, 1, template, 1, &object))                                                    \
	X(C_DestroyObject(s, 1))                                                                       \
	X(C_GetObjectSize(s, 1, &size))                                                                \
	X(C_GetAttributeValue(s, 1, template, 1))                                                      \
	X(C_SetAttributeValue(s, 1, template, 1))                                                      \
	X(C_FindObjectsInit(s, template, 1))                                                           \
	X(C_FindObjects(s, &object, 1, &size))                                                         \
	X(C_FindObjectsFinal(s))                                                                       \
	X(C_EncryptInit(s, &sha256_rsa, 1))                                                            \
	X(C_Encrypt(s, bytes, 4, bytes, &size))                                                        \
	X(C_EncryptUpdate(s, bytes, 4, bytes, &size))                                                  \
	X(C_EncryptFinal(s, bytes, &size))                                                             \
	X(C_DecryptInit(s, &sha256_rsa, 1))                                                            \
	X(C_Decrypt(s, bytes, 4, bytes, &size))                                                        \
	X(C_DecryptUpdate(s, bytes, 4, bytes, &size))                                                  \
	X(C_DecryptFinal(s, bytes, &size))                                                             \
	X(C_DigestInit(s, &sha256_rsa))                                                                \
	X(C_Digest(s, bytes, 4, bytes, &size))                                                         \
	X(C_DigestUpdate(s, bytes, 4))                                                                 \
	X(C_DigestKey(s, 1))                                                                           \
	X(C_DigestFinal(s, bytes, &size))                                                              \
	X(C_SignInit(s, &sha256_rsa, 1))                                                               \
	X(C_Sign(s, bytes, 4, bytes, &size))                                                           \
	X(C_SignUpdate(s, bytes, 4))                                                                   \
	X(C_SignFinal(s, bytes, &size))                                                                \
	X(C_SignRecoverInit(s, &sha256_rsa, 1))                                                        \
	X(C_SignRecover(s, bytes, 4, bytes, &size))                                                    \
	X(C_VerifyInit(s, &sha256_rsa, 1))                                                             \
	X(C_Verify(s, bytes, 4, bytes, 4))                                                             \
	X(C_VerifyUpdate(s, bytes, 4))                                                                 \
	X(C_VerifyFinal(s, bytes, 4))                                                                  \
	X(C_VerifyRecoverInit(s, &sha256_rsa, 1))                                                      \
	X(C_VerifyRecover(s, bytes, 4, bytes, &size))                                                  \
	X(C_DigestEncryptUpdate(s, bytes, 4, bytes, &size))                                            \
	X(C_DecryptDigestUpdate(s, bytes, 4, bytes, &size))                                            \
	X(C_SignEncryptUpdate(s, bytes, 4, bytes, &size))                                              \
	X(C_DecryptVerifyUpdate(s, bytes, 4, bytes, &size))                                            \
	X(C_GenerateKey(s, &sha256_rsa, template, 1, &object))                                         \
	X(C_GenerateKeyPair(s, &sha256_rsa, template, 1, template, 1, &object, &object))               \
	X(C_WrapKey(s, &sha256_rsa, 1, 1, bytes, &size))                                               \
	X(C_UnwrapKey(s, &sha256_rsa, 1, bytes, 4, template, 1, &object))                              \
	X(C_DeriveKey(s, &sha256_rsa, 1, template, 1, &object))                                        \
	X(C_SeedRandom(s, bytes, 4))                                                                   \
	X(C_GenerateRandom(s, bytes, 4))                                                               \
	X(C_GetFunctionStatus(s))                                                                      \
	X(C_CancelFunction(s))

/* What is not offered, complete and with a piece missing. */
#define NOT_OFFERED(X, s)                                                                              \
	X(C_GetOperationState(s, bytes, &size), C_GetOperationState(s, bytes, NULL))                   \
	X(C_SetOperationState(s, bytes, 4, 0, 0), C_SetOperationState(s, NULL, 4, 0, 0))               \
	X(C_InitPIN(s, bytes, 4), C_InitPIN(s, NULL, 4))                                               \
	X(C_SetPIN(s, bytes, 4, bytes, 4), C_SetPIN(s, bytes, 4, NULL, 4))                             \
	X(C_EncryptInit(s, &sha256_rsa, 1), C_EncryptInit(s, NULL, 1))                                 \
	X(C_Encrypt(s, bytes, 4, bytes, &size), C_Encrypt(s, NULL, 4, bytes, &size))                   \
	X(C_EncryptUpdate(s, bytes, 4, bytes, &size), C_EncryptUpdate(s, bytes, 4, bytes, NULL))       \
	X(C_EncryptFinal(s, bytes, &size), C_EncryptFinal(s, bytes, NULL))                             \
	X(C_DecryptInit(s, &sha256_rsa, 1), C_DecryptInit(s, NULL, 1))                                 \
	X(C_Decrypt(s, bytes, 4, bytes, &size), C_Decrypt(s, NULL, 4, bytes, &size))                   \
	X(C_DecryptUpdate(s, bytes, 4, bytes, &size), C_DecryptUpdate(s, bytes, 4, bytes, NULL))       \
	X(C_DecryptFinal(s, bytes, &size), C_DecryptFinal(s, bytes, NULL))                             \
	X(C_DigestInit(s, &sha256_rsa), C_DigestInit(s, NULL))                                         \
	X(C_Digest(s, bytes, 4, bytes, &size), C_Digest(s, bytes, 4, bytes, NULL))                     \
	X(C_DigestUpdate(s, bytes, 4), C_DigestUpdate(s, NULL, 4))                                     \
	X(C_DigestFinal(s, bytes, &size), C_DigestFinal(s, bytes, NULL))                               \
	X(C_SignRecoverInit(s, &sha256_rsa, 1), C_SignRecoverInit(s, NULL, 1))                         \
	X(C_SignRecover(s, bytes, 4, bytes, &size), C_SignRecover(s, NULL, 4, bytes, &size))           \
	X(C_VerifyInit(s, &sha256_rsa, 1), C_VerifyInit(s, NULL, 1))                                   \
	X(C_Verify(s, bytes, 4, bytes, 4), C_Verify(s, bytes, 4, NULL, 4))                             \
	X(C_VerifyUpdate(s, bytes, 4), C_VerifyUpdate(s, NULL, 4))                                     \
	X(C_VerifyFinal(s, bytes, 4), C_VerifyFinal(s, NULL, 4))                                       \
	X(C_VerifyRecoverInit(s, &sha256_rsa, 1), C_VerifyRecoverInit(s, NULL, 1))                     \
	X(C_VerifyRecover(s, bytes, 4, bytes, &size), C_VerifyRecover(s, bytes, 4, bytes, NULL))       \
	X(C_DigestEncryptUpdate(s, bytes, 4, bytes, &size), C_DigestEncryptUpdate(s, NULL, 4, bytes, &size)) \
	X(C_DecryptDigestUpdate(s, bytes, 4, bytes, &size), C_DecryptDigestUpdate(s, NULL, 4, bytes, &size)) \
	X(C_SignEncryptUpdate(s, bytes, 4, bytes, &size), C_SignEncryptUpdate(s, NULL, 4, bytes, &size)) \
	X(C_DecryptVerifyUpdate(s, bytes, 4, bytes, &size), C_DecryptVerifyUpdate(s, NULL, 4, bytes, &size)) \
	X(C_GenerateKey(s, &sha256_rsa, template, 1, &object), C_GenerateKey(s, NULL, template, 1, &object)) \
	X(C_GenerateKeyPair(s, &sha256_rsa, template, 1, template, 1, &object, &object),               \
	    C_GenerateKeyPair(s, &sha256_rsa, template, 1, NULL, 1, &object, &object))                 \
	X(C_WrapKey(s, &sha256_rsa, 1, 1, bytes, &size), C_WrapKey(s, &sha256_rsa, 1, 1, bytes, NULL)) \
	X(C_UnwrapKey(s, &sha256_rsa, 1, bytes, 4, template, 1, &object),                              \
	    C_UnwrapKey(s, &sha256_rsa, 1, bytes, 4, template, 1, NULL))                               \
	X(C_DeriveKey(s, &sha256_rsa, 1, template, 1, &object), C_DeriveKey(s, &sha256_rsa, 1, NULL, 1, &object))

void
check_not_initialized(void)
{
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO token;
	CK_SLOT_INFO info;
	CK_INFO module;
	CK_MECHANISM_INFO mechanism;
	CK_SESSION_INFO state;

	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetInfo(&module));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSlotList(CK_FALSE, NULL, &size));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSlotInfo(0, &info));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetTokenInfo(0, &token));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetMechanismList(0, NULL, &size));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetMechanismInfo(0, CKM_ECDSA, &mechanism));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_InitToken(0, bytes, 4, bytes));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_CloseAllSessions(0));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSessionInfo(1, &state));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
#define REFUSED(call) expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->call);
	WITH_SESSION(REFUSED, 1)
#undef REFUSED
}

static bool
is_padded(const unsigned char *text, size_t n)
{
	return memchr(text, 0, n) == NULL;
}

static void
check_slots(void)
{
	CK_SLOT_ID slots[64], slot = first_slot();
	CK_ULONG n, all;
	CK_SLOT_INFO info;
	CK_TOKEN_INFO token;
	CK_MECHANISM_TYPE types[32];
	CK_MECHANISM_INFO mechanism;
	CK_INFO module;

	expect(CKR_ARGUMENTS_BAD, p11->C_GetInfo(NULL));
	expect(CKR_OK, p11->C_GetInfo(&module));
	must(module.cryptokiVersion.major == 2 && module.cryptokiVersion.minor == 40 &&
	     is_padded(module.manufacturerID, sizeof(module.manufacturerID)));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetSlotList(CK_FALSE, NULL, NULL));
	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, NULL, &all));
	n = 0;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetSlotList(CK_FALSE, slots, &n));
	must(n == all);
	n = 64;
	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, slots, &n));
	must(n == all);
	expect(CKR_SLOT_ID_INVALID, p11->C_GetSlotInfo(NO_SLOT, &info));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetSlotInfo(slot, NULL));
	expect(CKR_OK, p11->C_GetSlotInfo(slot, &info));
	must(is_padded(info.slotDescription, sizeof(info.slotDescription)));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetTokenInfo(NO_SLOT, &token));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetTokenInfo(slot, NULL));
	expect(CKR_OK, p11->C_GetTokenInfo(slot, &token));
	must(is_padded(token.label, sizeof(token.label)) && is_padded(token.serialNumber, sizeof(token.serialNumber)));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetMechanismList(NO_SLOT, NULL, &n));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetMechanismList(slot, NULL, NULL));
	expect(CKR_OK, p11->C_GetMechanismList(slot, NULL, &all));
	n = all - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetMechanismList(slot, types, &n));
	must(n == all);
	expect(CKR_OK, p11->C_GetMechanismList(slot, types, &n));
	for (CK_ULONG i = 0; i < n; i++) {
		expect(CKR_OK, p11->C_GetMechanismInfo(slot, types[i], &mechanism));
		must((mechanism.flags & CKF_SIGN) != 0 && mechanism.ulMinKeySize <= mechanism.ulMaxKeySize);
	}
	expect(CKR_SLOT_ID_INVALID, p11->C_GetMechanismInfo(NO_SLOT, CKM_ECDSA, &mechanism));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetMechanismInfo(slot, types[0], NULL));
	expect(CKR_MECHANISM_INVALID, p11->C_GetMechanismInfo(slot, CKM_RSA_X_509, &mechanism));
	expect(CKR_SLOT_ID_INVALID, p11->C_InitToken(NO_SLOT, bytes, 4, bytes));
	expect(CKR_ARGUMENTS_BAD, p11->C_InitToken(slot, bytes, 4, NULL));
	expect(CKR_FUNCTION_NOT_SUPPORTED, p11->C_InitToken(slot, bytes, 4, bytes));
}

static CK_SESSION_HANDLE
check_sessions(void)
{
	CK_SLOT_ID slot = first_slot();
	CK_SESSION_HANDLE ro, rw, other;
	CK_SESSION_INFO info;

	expect(CKR_SESSION_PARALLEL_NOT_SUPPORTED, p11->C_OpenSession(slot, 0, NULL, NULL, &ro));
	expect(CKR_SLOT_ID_INVALID, p11->C_OpenSession(NO_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	expect(CKR_ARGUMENTS_BAD, p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, NULL));
	expect(CKR_OK, p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	expect(CKR_OK, p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &rw));
	expect(CKR_OK, p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &other));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetSessionInfo(ro, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(NO_SESSION, &info));
	expect(CKR_OK, p11->C_GetSessionInfo(ro, &info));
	must(info.slotID == slot && info.flags == CKF_SERIAL_SESSION && info.state == CKS_RO_PUBLIC_SESSION);
	expect(CKR_OK, p11->C_GetSessionInfo(rw, &info));
	must(info.flags == (CKF_SERIAL_SESSION | CKF_RW_SESSION) && info.state == CKS_RW_PUBLIC_SESSION);
	expect(CKR_OK, p11->C_CloseSession(other));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_CloseSession(other));
	expect(CKR_SLOT_ID_INVALID, p11->C_CloseAllSessions(NO_SLOT));
	expect(CKR_OK, p11->C_CloseAllSessions(slot));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(ro, &info));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(rw, &info));
	expect(CKR_OK, p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	return ro;
}

static void
check_login(CK_SESSION_HANDLE session, const char *pin)
{
	CK_UTF8CHAR text[256];
	CK_SESSION_INFO info;

	memcpy(text, pin, strlen(pin));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(session));
	expect(CKR_USER_TYPE_INVALID, p11->C_Login(session, 99, text, strlen(pin)));
	expect(CKR_SESSION_READ_ONLY_EXISTS, p11->C_Login(session, CKU_SO, text, strlen(pin)));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Login(session, CKU_CONTEXT_SPECIFIC, text, strlen(pin)));
	expect(CKR_ARGUMENTS_BAD, p11->C_Login(session, CKU_USER, NULL, 4));
	expect(CKR_PIN_INCORRECT, p11->C_Login(session, CKU_USER, text, 0));
	expect(CKR_PIN_INCORRECT, p11->C_Login(session, CKU_USER, text, 256));
	expect(CKR_OK, p11->C_Login(session, CKU_USER, text, strlen(pin)));
	expect(CKR_USER_ALREADY_LOGGED_IN, p11->C_Login(session, CKU_USER, text, strlen(pin)));
	expect(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, p11->C_Login(session, CKU_SO, text, strlen(pin)));
	expect(CKR_OK, p11->C_GetSessionInfo(session, &info));
	must(info.state == CKS_RO_USER_FUNCTIONS);
	expect(CKR_OK, p11->C_Logout(session));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(session));
	expect(CKR_OK, p11->C_GetSessionInfo(session, &info));
	must(info.state == CKS_RO_PUBLIC_SESSION);
}

static void
check_searches(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE one, many[64];
	CK_ULONG n, all;

	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(s, many, 64, &n));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(s));
	expect(CKR_ARGUMENTS_BAD, p11->C_FindObjectsInit(s, NULL, 1));
	expect(CKR_OK, p11->C_FindObjectsInit(s, NULL, 0));
	expect(CKR_OPERATION_ACTIVE, p11->C_FindObjectsInit(s, NULL, 0));
	expect(CKR_ARGUMENTS_BAD, p11->C_FindObjects(s, NULL, 1, &n));
	expect(CKR_ARGUMENTS_BAD, p11->C_FindObjects(s, many, 1, NULL));
	expect(CKR_OK, p11->C_FindObjects(s, many, 64, &all));
	must(all > 3);
	expect(CKR_OK, p11->C_FindObjects(s, &one, 1, &n));
	must(n == 0);
	expect(CKR_OK, p11->C_FindObjectsFinal(s));
	expect(CKR_OK, p11->C_FindObjectsInit(s, NULL, 0));
	for (CK_ULONG i = 0; i < all; i++) {
		expect(CKR_OK, p11->C_FindObjects(s, &one, 1, &n));
		must(n == 1 && one == many[i]);
	}
	expect(CKR_OK, p11->C_FindObjectsFinal(s));
}

static void
check_attributes(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE key = find_one(s, CKO_PRIVATE_KEY, "rsa"), cert = find_one(s, CKO_CERTIFICATE, "rsa");
	CK_BYTE value[4096];
	CK_OBJECT_CLASS class = 0;
	CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_PRIVATE_EXPONENT, value, sizeof(value)},
	    {CKA_CERTIFICATE_TYPE, value, sizeof(value)}, {CKA_MODULUS, NULL, 0}, {CKA_LABEL, value, 1}};
	CK_ULONG n;

	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_GetAttributeValue(s, NO_OBJECT, a, 1));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetAttributeValue(s, key, NULL, 1));
	expect(CKR_OK, p11->C_GetAttributeValue(s, key, a, 1));
	must(class == CKO_PRIVATE_KEY);
	/* all are answered, the first trouble is told */
	class = 0;
	expect(CKR_ATTRIBUTE_SENSITIVE, p11->C_GetAttributeValue(s, key, a, 5));
	must(class == CKO_PRIVATE_KEY && a[1].ulValueLen == CK_UNAVAILABLE_INFORMATION &&
	     a[2].ulValueLen == CK_UNAVAILABLE_INFORMATION && a[3].ulValueLen == 256 &&
	     a[4].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	expect(CKR_ATTRIBUTE_TYPE_INVALID, p11->C_GetAttributeValue(s, key, &a[2], 1));
	a[4].ulValueLen = 2;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetAttributeValue(s, key, &a[4], 1));
	a[4].ulValueLen = 3;
	expect(CKR_OK, p11->C_GetAttributeValue(s, key, &a[4], 1));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetObjectSize(s, cert, NULL));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(s, NO_OBJECT, &n));
	expect(CKR_OK, p11->C_GetObjectSize(s, cert, &n));
	must(n > 100 && n < 8192);
}

static void
check_read_only(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE cert = find_one(s, CKO_CERTIFICATE, "rsa");
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE data[] = {{CKA_CLASS, &class, sizeof(class)}};

	expect(CKR_ARGUMENTS_BAD, p11->C_CreateObject(s, data, 1, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_CreateObject(s, NULL, 1, &object));
	expect(CKR_TEMPLATE_INCOMPLETE, p11->C_CreateObject(s, data, 0, &object));
	expect(CKR_TEMPLATE_INCOMPLETE, p11->C_CreateObject(s, template, 1, &object));
	expect(CKR_FUNCTION_NOT_SUPPORTED, p11->C_CreateObject(s, data, 1, &object));
	expect(CKR_ARGUMENTS_BAD, p11->C_CopyObject(s, cert, data, 1, NULL));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_CopyObject(s, NO_OBJECT, data, 1, &object));
	expect(CKR_FUNCTION_NOT_SUPPORTED, p11->C_CopyObject(s, cert, data, 1, &object));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(s, NO_OBJECT));
	expect(CKR_FUNCTION_NOT_SUPPORTED, p11->C_DestroyObject(s, cert));
	expect(CKR_ARGUMENTS_BAD, p11->C_SetAttributeValue(s, cert, NULL, 1));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_SetAttributeValue(s, NO_OBJECT, data, 1));
	expect(CKR_FUNCTION_NOT_SUPPORTED, p11->C_SetAttributeValue(s, cert, data, 1));
#define REFUSED(whole, lacking)                            \
	expect(CKR_FUNCTION_NOT_SUPPORTED, p11->whole);    \
	expect(CKR_ARGUMENTS_BAD, p11->lacking);
	NOT_OFFERED(REFUSED, s)
#undef REFUSED
	expect(CKR_FUNCTION_NOT_PARALLEL, p11->C_GetFunctionStatus(s));
	expect(CKR_FUNCTION_NOT_PARALLEL, p11->C_CancelFunction(s));
}

static void
check_random(CK_SESSION_HANDLE s)
{
	CK_BYTE one[1000] = {0}, two[1000] = {0};

	expect(CKR_ARGUMENTS_BAD, p11->C_SeedRandom(s, NULL, 1));
	expect(CKR_RANDOM_SEED_NOT_SUPPORTED, p11->C_SeedRandom(s, bytes, 4));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateRandom(s, NULL, 1));
	expect(CKR_OK, p11->C_GenerateRandom(s, NULL, 0));
	expect(CKR_OK, p11->C_GenerateRandom(s, one, sizeof(one)));
	expect(CKR_OK, p11->C_GenerateRandom(s, two, sizeof(two)));
	must(memcmp(one, two, sizeof(one)) != 0);
}

static void
check_sign_init(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE rsa = find_one(s, CKO_PRIVATE_KEY, "rsa"), ec = find_one(s, CKO_PRIVATE_KEY, "ec"),
			 public = find_one(s, CKO_PUBLIC_KEY, "rsa"), cert = find_one(s, CKO_CERTIFICATE, "rsa");
	CK_RSA_PKCS_PSS_PARAMS params[] = {{CKM_SHA256, CKG_MGF1_SHA256, 32}, {CKM_SHA256, CKG_MGF1_SHA256, 31},
	    {CKM_SHA256, CKG_MGF1_SHA384, 32}, {CKM_SHA_1, CKG_MGF1_SHA1, 20}, {CKM_SHA384, CKG_MGF1_SHA384, 48}};
	CK_MECHANISM pss = {CKM_SHA256_RSA_PKCS_PSS, &params[0], sizeof(params[0])}, raw = {CKM_RSA_X_509, NULL, 0},
		     extra = {CKM_SHA256_RSA_PKCS, bytes, 4};

	expect(CKR_ARGUMENTS_BAD, p11->C_SignInit(s, NULL, rsa));
	expect(CKR_MECHANISM_INVALID, p11->C_SignInit(s, &raw, rsa));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(s, &sha256_rsa, NO_OBJECT));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(s, &sha256_rsa, cert));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED, p11->C_SignInit(s, &sha256_rsa, public));
	expect(CKR_KEY_TYPE_INCONSISTENT, p11->C_SignInit(s, &sha256_rsa, ec));
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &extra, rsa));
	for (size_t i = 1; i < 5; i++) {
		pss.pParameter = &params[i];
		expect(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &pss, rsa));
	}
	pss.pParameter = &params[0];
	pss.ulParameterLen--;
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &pss, rsa));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(s, bytes, 4, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignUpdate(s, bytes, 4));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignFinal(s, bytes, &size));
}

/* Questions for the size and small buffers keep the operation; anything else ends it. */
static void
check_lengths(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE rsa = find_one(s, CKO_PRIVATE_KEY, "rsa");
	CK_BYTE one[256], two[256];
	CK_ULONG n = 0;

	expect(CKR_OK, p11->C_SignInit(s, &sha256_rsa, rsa));
	expect(CKR_OPERATION_ACTIVE, p11->C_SignInit(s, &sha256_rsa, rsa));
	expect(CKR_OK, p11->C_Sign(s, bytes, 4, NULL, &n));
	must(n == 256);
	n = 255;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_Sign(s, bytes, 4, one, &n));
	must(n == 256);
	expect(CKR_OK, p11->C_Sign(s, bytes, 4, one, &n));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(s, bytes, 4, one, &n));
	expect(CKR_OK, p11->C_SignInit(s, &sha256_rsa, rsa));
	expect(CKR_OK, p11->C_SignUpdate(s, bytes, 1));
	expect(CKR_OPERATION_ACTIVE, p11->C_Sign(s, bytes, 3, two, &n));
	expect(CKR_OK, p11->C_SignUpdate(s, bytes + 1, 3));
	expect(CKR_OK, p11->C_SignUpdate(s, NULL, 0));
	n = 0;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_SignFinal(s, two, &n));
	expect(CKR_OK, p11->C_SignFinal(s, NULL, &n));
	expect(CKR_OK, p11->C_SignFinal(s, two, &n));
	must(n == 256 && memcmp(one, two, n) == 0);
	expect(CKR_OK, p11->C_SignInit(s, &sha256_rsa, rsa));
	expect(CKR_ARGUMENTS_BAD, p11->C_Sign(s, NULL, 4, one, &n));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(s, bytes, 4, one, &n));
	expect(CKR_OK, p11->C_SignInit(s, &sha256_rsa, rsa));
	expect(CKR_ARGUMENTS_BAD, p11->C_SignFinal(s, one, NULL));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignFinal(s, one, &n));
}

void
check_conformance(const char *pin)
{
	CK_SESSION_HANDLE session;

	expect(CKR_OK, p11->C_Initialize(NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_Finalize(&session));
	check_slots();
	session = check_sessions();
#define REFUSED(call) expect(CKR_SESSION_HANDLE_INVALID, p11->call);
	WITH_SESSION(REFUSED, NO_SESSION)
#undef REFUSED
	check_login(session, pin);
	check_searches(session);
	check_attributes(session);
	check_read_only(session);
	check_random(session);
	check_sign_init(session);
	check_lengths(session);
	expect(CKR_OK, p11->C_CloseSession(session));
	expect(CKR_OK, p11->C_Finalize(NULL));
}
