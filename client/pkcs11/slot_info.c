/*
 * What programs ask about slots, tokens and mechanisms [PKCS #11 2.40, 5.5].
 *
 * Listing never touches a card: the daemon remembers. A token's flags are as
 * fresh as the call, since they say whether a wrong PIN may still be tried.
 */
#include <string.h>

#include "bridge.h"

/* The slot of that number, after a look at what the daemon has. On failure the state is not locked any more. */
static CK_RV
slot_enter(CK_SLOT_ID id, enum refresh how, struct slot **s)
{
	CK_RV rv = enter();

	if (rv == CKR_OK)
		rv = refresh(how);
	if (rv != CKR_OK)
		return rv;
	*s = slot_get(id);
	return *s != NULL ? CKR_OK : leave(CKR_SLOT_ID_INVALID);
}

CK_RV
C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
	CK_ULONG room, n = 0;
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (count == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	/* the set of slots changes when it is counted, not while it is read */
	if (list == NULL || state->listed_ms == 0) {
		rv = refresh(REFRESH_NOW);
		if (rv != CKR_OK)
			return rv;
	}
	room = *count;
	for (size_t i = 0; i < state->slot_count; i++) {
		if (slot_get(i) == NULL || (present && !state->slots[i]->present))
			continue;
		if (list != NULL && n < room)
			list[n] = i;
		n++;
	}
	*count = n;
	return leave(list != NULL && n > room ? CKR_BUFFER_TOO_SMALL : CKR_OK);
}

CK_RV
C_GetSlotInfo(CK_SLOT_ID id, CK_SLOT_INFO *info)
{
	struct slot *s;
	CK_RV rv = slot_enter(id, REFRESH_OLD, &s);

	if (rv != CKR_OK)
		return rv;
	if (info == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	memset(info, 0, sizeof(*info));
	ck_text(info->slotDescription, sizeof(info->slotDescription), s->name);
	ck_text(info->manufacturerID, sizeof(info->manufacturerID), "Signet");
	info->flags = CKF_REMOVABLE_DEVICE | (s->present ? CKF_TOKEN_PRESENT : 0);
	return leave(CKR_OK);
}

static CK_FLAGS
token_flags(const struct slot *s)
{
	CK_FLAGS flags = CKF_RNG | CKF_WRITE_PROTECTED | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;

	flags |= slot_needs_login(s) ? CKF_LOGIN_REQUIRED : CKF_PROTECTED_AUTHENTICATION_PATH;
	if (s->blocked)
		return flags | CKF_USER_PIN_LOCKED;
	if (s->pin_failures > 0 || s->count_low)
		flags |= CKF_USER_PIN_COUNT_LOW;
	if (slot_is_final(s))
		flags |= CKF_USER_PIN_FINAL_TRY;
	return flags;
}

static void
count_sessions(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
	for (const struct session *s = state->sessions; s != NULL; s = s->next)
		if (s->slot == id) {
			info->ulSessionCount++;
			info->ulRwSessionCount += (s->flags & CKF_RW_SESSION) != 0;
		}
}

CK_RV
C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
	struct slot *s;
	CK_RV rv = slot_enter(id, REFRESH_NOW, &s);

	if (rv != CKR_OK)
		return rv;
	if (info == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (!s->present)
		return leave(CKR_TOKEN_NOT_PRESENT);
	memset(info, 0, sizeof(*info));
	ck_text(info->label, sizeof(info->label), s->label != NULL ? s->label : s->name);
	ck_text(info->manufacturerID, sizeof(info->manufacturerID), s->manufacturer);
	ck_text(info->model, sizeof(info->model), s->model);
	ck_text(info->serialNumber, sizeof(info->serialNumber), s->serial);
	ck_text(info->utcTime, sizeof(info->utcTime), NULL);
	info->flags = token_flags(s);
	info->ulMaxSessionCount = info->ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
	count_sessions(id, info);
	info->ulMinPinLen = 1;
	info->ulMaxPinLen = SIGNET_PIN_MAX;
	info->ulTotalPublicMemory = info->ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
	info->ulTotalPrivateMemory = info->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
	return leave(CKR_OK);
}

/* The mechanisms that the keys of this slot can use; all, while none is known. */
static size_t
mechanisms_of(CK_SLOT_ID id, CK_MECHANISM_TYPE *list)
{
	bool has[KEY_ED25519 + 1] = {false};
	size_t n = 0;

	for (size_t i = 0; i < state->objects.count; i++)
		if (state->objects.at[i]->slot == id && state->objects.at[i]->class == CKO_PRIVATE_KEY)
			has[state->objects.at[i]->public.kind] = true;
	for (unsigned kind = KEY_RSA; kind <= KEY_ED25519; kind++)
		if (has[kind])
			n += mechanism_list(kind, list + n);
	return n > 0 ? n : mechanism_list(KEY_NONE, list);
}

CK_RV
C_GetMechanismList(CK_SLOT_ID id, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
	CK_MECHANISM_TYPE all[MECHANISMS_MAX];
	struct slot *s;
	CK_ULONG room;
	CK_RV rv = slot_enter(id, REFRESH_OLD, &s);

	if (rv != CKR_OK)
		return rv;
	if (count == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (!s->present)
		return leave(CKR_TOKEN_NOT_PRESENT);
	room = *count;
	*count = mechanisms_of(id, all);
	if (list != NULL && *count > room)
		return leave(CKR_BUFFER_TOO_SMALL);
	if (list != NULL)
		memcpy(list, all, *count * sizeof(*list));
	return leave(CKR_OK);
}

static void
describe(const struct mechanism *m, CK_MECHANISM_INFO *info)
{
	enum key_kind kind = mechanism_key(m);

	*info = (CK_MECHANISM_INFO){.flags = CKF_SIGN};
	if (kind == KEY_RSA) {
		info->ulMinKeySize = 2048;
		info->ulMaxKeySize = 16384;
	} else if (kind == KEY_EC) {
		info->ulMinKeySize = 256;
		info->ulMaxKeySize = 521;
		info->flags |= CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;
	} else {
		info->ulMinKeySize = info->ulMaxKeySize = 255;
	}
}

CK_RV
C_GetMechanismInfo(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	CK_MECHANISM_TYPE all[MECHANISMS_MAX];
	struct slot *s;
	CK_RV rv = slot_enter(id, REFRESH_OLD, &s);

	if (rv != CKR_OK)
		return rv;
	if (info == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (!s->present)
		return leave(CKR_TOKEN_NOT_PRESENT);
	for (size_t n = mechanisms_of(id, all); n > 0; n--)
		if (all[n - 1] == type) {
			describe(mechanism_find(type), info);
			return leave(CKR_OK);
		}
	return leave(CKR_MECHANISM_INVALID);
}
