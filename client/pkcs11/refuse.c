/*
 * What the bridge does not offer [PKCS #11 2.40, 5]. Each of these checks what
 * it was given and then says CKR_FUNCTION_NOT_SUPPORTED: keys stay on their
 * tokens, tokens are managed with signetctl, and nothing but signatures goes
 * through the daemon.
 */
#include "bridge.h"

static CK_RV
refuse(CK_SESSION_HANDLE session, bool complete)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	return leave(complete ? CKR_FUNCTION_NOT_SUPPORTED : CKR_ARGUMENTS_BAD);
}

/* The same, about an object that must exist. */
static CK_RV
refuse_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, bool complete)
{
	const struct object *o;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (!complete)
		return leave(CKR_ARGUMENTS_BAD);
	o = object_get(object);
	return leave(o == NULL || o->slot != session_get(session)->slot ? CKR_OBJECT_HANDLE_INVALID
								       : CKR_FUNCTION_NOT_SUPPORTED);
}

/* Bytes that may be none, and a place for a length that must be there. */
#define INPUT(p, n) ((p) != NULL || (n) == 0)

/* ---- tokens and sessions ---- */

CK_RV
C_InitToken(CK_SLOT_ID id, CK_UTF8CHAR *pin, CK_ULONG size, CK_UTF8CHAR *label)
{
	CK_RV rv = enter();

	if (rv == CKR_OK)
		rv = refresh(REFRESH_OLD);
	if (rv != CKR_OK)
		return rv;
	if (slot_get(id) == NULL)
		return leave(CKR_SLOT_ID_INVALID);
	return leave(INPUT(pin, size) && label != NULL ? CKR_FUNCTION_NOT_SUPPORTED : CKR_ARGUMENTS_BAD);
}

CK_RV
C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR *pin, CK_ULONG size)
{
	return refuse(session, INPUT(pin, size));
}

CK_RV
C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR *old, CK_ULONG old_size, CK_UTF8CHAR *pin, CK_ULONG size)
{
	return refuse(session, INPUT(old, old_size) && INPUT(pin, size));
}

CK_RV
C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE *bytes, CK_ULONG *size)
{
	(void)bytes;
	return refuse(session, size != NULL);
}

CK_RV
C_SetOperationState(
    CK_SESSION_HANDLE session, CK_BYTE *bytes, CK_ULONG size, CK_OBJECT_HANDLE encryption, CK_OBJECT_HANDLE authentication)
{
	(void)size;
	(void)encryption;
	(void)authentication;
	return refuse(session, bytes != NULL);
}

static CK_RV
not_parallel(CK_SESSION_HANDLE session)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	return leave(session_get(session) == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_FUNCTION_NOT_PARALLEL);
}

CK_RV
C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
	return not_parallel(session);
}

CK_RV
C_CancelFunction(CK_SESSION_HANDLE session)
{
	return not_parallel(session);
}

/* ---- objects ---- */

static bool
has_class(const CK_ATTRIBUTE *template, CK_ULONG count)
{
	for (CK_ULONG i = 0; i < count; i++)
		if (template[i].type == CKA_CLASS)
			return true;
	return false;
}

CK_RV
C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object)
{
	CK_RV rv = refuse(session, INPUT(template, count) && object != NULL);

	return rv == CKR_FUNCTION_NOT_SUPPORTED && !has_class(template, count) ? CKR_TEMPLATE_INCOMPLETE : rv;
}

CK_RV
C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count,
    CK_OBJECT_HANDLE *copy)
{
	return refuse_object(session, object, INPUT(template, count) && copy != NULL);
}

CK_RV
C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	return refuse_object(session, object, true);
}

CK_RV
C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count)
{
	return refuse_object(session, object, template != NULL && count > 0);
}

/* ---- encryption ---- */

CK_RV
C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	return refuse(session, mechanism != NULL);
}

CK_RV
C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, out_size != NULL);
}

CK_RV
C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	return refuse(session, mechanism != NULL);
}

CK_RV
C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, out_size != NULL);
}

/* ---- digests ---- */

CK_RV
C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism)
{
	return refuse(session, mechanism != NULL);
}

CK_RV
C_Digest(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size)
{
	return refuse(session, INPUT(in, in_size));
}

CK_RV
C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	(void)key;
	return refuse(session, true);
}

CK_RV
C_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, out_size != NULL);
}

/* ---- signatures with recovery, and verification ---- */

CK_RV
C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	return refuse(session, mechanism != NULL);
}

CK_RV
C_SignRecover(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	return refuse(session, mechanism != NULL);
}

CK_RV
C_Verify(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *signature, CK_ULONG size)
{
	return refuse(session, INPUT(in, in_size) && INPUT(signature, size));
}

CK_RV
C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size)
{
	return refuse(session, INPUT(in, in_size));
}

CK_RV
C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size)
{
	return refuse(session, INPUT(in, in_size));
}

CK_RV
C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	return refuse(session, mechanism != NULL);
}

CK_RV
C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

/* ---- two at once ---- */

CK_RV
C_DigestEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out,
    CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_DecryptDigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out,
    CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_SignEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out,
    CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

CK_RV
C_DecryptVerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out,
    CK_ULONG *out_size)
{
	(void)out;
	return refuse(session, INPUT(in, in_size) && out_size != NULL);
}

/* ---- new keys ---- */

CK_RV
C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template, CK_ULONG count,
    CK_OBJECT_HANDLE *key)
{
	return refuse(session, mechanism != NULL && INPUT(template, count) && key != NULL);
}

CK_RV
C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
    CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	return refuse(session, mechanism != NULL && INPUT(public, public_count) && INPUT(private, private_count) &&
	    public_key != NULL && private_key != NULL);
}

CK_RV
C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
    CK_OBJECT_HANDLE key, CK_BYTE *wrapped, CK_ULONG *size)
{
	(void)wrapping;
	(void)key;
	(void)wrapped;
	return refuse(session, mechanism != NULL && size != NULL);
}

CK_RV
C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping,
    CK_BYTE *wrapped, CK_ULONG size, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	(void)unwrapping;
	return refuse(session, mechanism != NULL && INPUT(wrapped, size) && INPUT(template, count) && key != NULL);
}

CK_RV
C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
    CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	(void)base;
	return refuse(session, mechanism != NULL && INPUT(template, count) && key != NULL);
}
