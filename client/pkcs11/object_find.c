/*
 * Looking for objects and reading them [PKCS #11 2.40, 5.7].
 *
 * Invariant: a search is settled when it begins, so what is found does not
 * shift under it. An object that must not be seen answers as if it were not.
 */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

static bool
is_private(const struct object *o)
{
	return o->class == CKO_PRIVATE_KEY && slot_needs_login(state->slots[o->slot]);
}

static bool
is_visible(const struct object *o, size_t slot)
{
	return o->slot == slot && (o->class != CKO_PRIVATE_KEY || slot_shows_private(state->slots[slot]));
}

static bool
matches(const struct object *o, const CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	for (CK_ULONG i = 0; i < count; i++)
		if (!attribute_matches(o, is_private(o), &wanted[i]))
			return false;
	return true;
}

static CK_RV
find(struct session *s, const CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	const struct object_list *l = &state->objects;

	s->found = calloc(l->count + 1, sizeof(*s->found));
	if (s->found == NULL)
		return CKR_HOST_MEMORY;
	s->found_count = s->found_next = 0;
	for (size_t i = 0; i < l->count; i++)
		if (is_visible(l->at[i], s->slot) && matches(l->at[i], wanted, count) &&
		    !quirk_hides(l->at[i], wanted, count))
			s->found[s->found_count++] = l->at[i]->handle;
	return CKR_OK;
}

CK_RV
C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (wanted == NULL && count > 0)
		return leave(CKR_ARGUMENTS_BAD);
	for (CK_ULONG i = 0; i < count; i++)
		if (wanted[i].pValue == NULL && wanted[i].ulValueLen > 0)
			return leave(CKR_ATTRIBUTE_VALUE_INVALID);
	if (session_get(session)->found != NULL)
		return leave(CKR_OPERATION_ACTIVE);
	rv = refresh(REFRESH_OLD);
	if (rv != CKR_OK)
		return rv;
	/* it may have been closed, or another thread may search in it by now */
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (session_get(session)->found != NULL)
		return leave(CKR_OPERATION_ACTIVE);
	return leave(find(session_get(session), wanted, count));
}

CK_RV
C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count)
{
	struct session *s;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	s = session_get(session);
	if (s == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if ((objects == NULL && room > 0) || count == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (s->found == NULL)
		return leave(CKR_OPERATION_NOT_INITIALIZED);
	for (*count = 0; *count < room && s->found_next < s->found_count; (*count)++)
		objects[*count] = s->found[s->found_next++];
	return leave(CKR_OK);
}

CK_RV
C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
	struct session *s;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	s = session_get(session);
	if (s == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (s->found == NULL)
		return leave(CKR_OPERATION_NOT_INITIALIZED);
	free(s->found);
	s->found = NULL;
	return leave(CKR_OK);
}

static CK_RV
read_one(const struct object *o, CK_ATTRIBUTE *a)
{
	struct value v;
	CK_RV rv = attribute_get(o, is_private(o), a->type, &v);

	if (rv == CKR_OK && a->pValue != NULL && a->ulValueLen < v.n)
		rv = CKR_BUFFER_TOO_SMALL;
	if (rv != CKR_OK) {
		a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return rv;
	}
	if (a->pValue != NULL && v.n > 0)
		memcpy(a->pValue, v.p, v.n);
	a->ulValueLen = v.n;
	return CKR_OK;
}

/* The object as this session may see it. */
static CK_RV
look_up(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, struct object **o)
{
	const struct session *s = session_get(session);

	if (s == NULL)
		return CKR_SESSION_HANDLE_INVALID;
	*o = object_get(handle);
	return *o != NULL && is_visible(*o, s->slot) ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

CK_RV
C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	struct object *o;
	CK_RV rv = enter(), one;

	if (rv != CKR_OK)
		return rv;
	rv = look_up(session, object, &o);
	if (rv == CKR_OK && (wanted == NULL || count == 0))
		rv = CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK)
		return leave(rv);
	/* all are read; the first trouble is told */
	for (CK_ULONG i = 0; i < count; i++) {
		one = read_one(o, &wanted[i]);
		if (rv == CKR_OK)
			rv = one;
	}
	return leave(rv);
}

CK_RV
C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
	struct object *o;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	rv = look_up(session, object, &o);
	if (rv == CKR_OK && size == NULL)
		rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		*size = o->class == CKO_CERTIFICATE ? o->cert.n : CK_UNAVAILABLE_INFORMATION;
	return leave(rv);
}
