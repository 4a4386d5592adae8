/*
 * What an object says of itself [PKCS #11 2.40, 4.4 to 4.9].
 *
 * Invariant: only what is known is said. What a class does not have is
 * CKR_ATTRIBUTE_TYPE_INVALID; what a private key keeps to itself is
 * CKR_ATTRIBUTE_SENSITIVE, whether or not this kind of key has it.
 */
#include <string.h>

#include "bridge.h"

static CK_RV
give(struct value *v, const void *p, size_t n)
{
	v->p = p;
	v->n = n;
	return CKR_OK;
}

static CK_RV
give_slice(struct value *v, struct slice s)
{
	return give(v, s.p, s.n);
}

static CK_RV
give_number(struct value *v, CK_ULONG number)
{
	v->own.number = number;
	return give(v, &v->own.number, sizeof(v->own.number));
}

static CK_RV
give_truth(struct value *v, bool truth)
{
	v->own.truth = truth ? CK_TRUE : CK_FALSE;
	return give(v, &v->own.truth, sizeof(v->own.truth));
}

static CK_RV
give_date(struct value *v, const CK_DATE *date, bool known)
{
	v->own.date = *date;
	return give(v, &v->own.date, known ? sizeof(v->own.date) : 0);
}

/* OCTET STRING around the point [PKCS #11 2.40, 2.3.3]. */
static CK_RV
give_point(struct value *v, struct slice point)
{
	size_t head = point.n < 0x80 ? 2 : 3;

	if (point.n == 0 || point.n + head > sizeof(v->own.bytes))
		return CKR_ATTRIBUTE_TYPE_INVALID;
	v->own.bytes[0] = 0x04;
	v->own.bytes[1] = head == 2 ? (uint8_t)point.n : 0x81;
	if (head == 3)
		v->own.bytes[2] = (uint8_t)point.n;
	memcpy(v->own.bytes + head, point.p, point.n);
	return give(v, v->own.bytes, point.n + head);
}

static CK_RV
of_certificate(const struct object *o, CK_ATTRIBUTE_TYPE type, struct value *v)
{
	switch (type) {
	case CKA_CERTIFICATE_TYPE:
		return give_number(v, CKC_X_509);
	case CKA_CERTIFICATE_CATEGORY:
		return give_number(v, o->key != NULL ? 1 : 2); /* token user, authority */
	case CKA_TRUSTED:
		return give_truth(v, false);
	case CKA_VALUE:
		return give(v, o->cert.p, o->cert.n);
	case CKA_SUBJECT:
		return give_slice(v, o->x.subject);
	case CKA_ISSUER:
		return give_slice(v, o->x.issuer);
	case CKA_SERIAL_NUMBER:
		return give_slice(v, o->x.serial);
	case CKA_PUBLIC_KEY_INFO:
		return give_slice(v, o->x.info);
	case CKA_START_DATE:
		return give_date(v, &o->x.start, o->x.dated);
	case CKA_END_DATE:
		return give_date(v, &o->x.end, o->x.dated);
	case CKA_URL:
	case CKA_HASH_OF_SUBJECT_PUBLIC_KEY:
	case CKA_HASH_OF_ISSUER_PUBLIC_KEY:
	case CKA_CHECK_VALUE:
		return give(v, "", 0);
	case CKA_JAVA_MIDP_SECURITY_DOMAIN:
		return give_number(v, 0);
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

/* What both halves of an RSA key show, once it is known. */
static CK_RV
of_rsa(const struct object *o, CK_ATTRIBUTE_TYPE type, struct value *v)
{
	if (o->public.kind != KEY_RSA)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	switch (type) {
	case CKA_MODULUS:
		return give_slice(v, o->public.modulus);
	case CKA_PUBLIC_EXPONENT:
		return give_slice(v, o->public.exponent);
	default:
		return o->class == CKO_PUBLIC_KEY ? give_number(v, o->public.bits) : CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

static CK_KEY_TYPE
type_of(enum key_kind kind)
{
	return kind == KEY_RSA ? CKK_RSA : kind == KEY_EC ? CKK_EC : CKK_EC_EDWARDS;
}

static CK_RV
of_any_key(const struct object *o, CK_ATTRIBUTE_TYPE type, struct value *v)
{
	switch (type) {
	case CKA_KEY_TYPE:
		return give_number(v, type_of(o->public.kind));
	case CKA_SUBJECT:
		return give_slice(v, o->x.subject);
	case CKA_PUBLIC_KEY_INFO:
		return give_slice(v, o->public.info);
	case CKA_START_DATE:
	case CKA_END_DATE:
		return give(v, "", 0);
	case CKA_DERIVE:
	case CKA_LOCAL: /* where it was made is not known */
		return give_truth(v, false);
	case CKA_KEY_GEN_MECHANISM:
		return give_number(v, CK_UNAVAILABLE_INFORMATION);
	case CKA_ALLOWED_MECHANISMS:
		return give(v, v->own.list, mechanism_list(o->public.kind, v->own.list) * sizeof(CK_MECHANISM_TYPE));
	case CKA_MODULUS:
	case CKA_PUBLIC_EXPONENT:
	case CKA_MODULUS_BITS:
		return of_rsa(o, type, v);
	case CKA_EC_PARAMS:
		return o->public.kind == KEY_RSA ? CKR_ATTRIBUTE_TYPE_INVALID
						 : give_slice(v, key_params(o->public.kind, o->public.bits));
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

static CK_RV
of_public(const struct object *o, CK_ATTRIBUTE_TYPE type, struct value *v)
{
	switch (type) {
	case CKA_VERIFY:
		return give_truth(v, true);
	case CKA_ENCRYPT:
	case CKA_VERIFY_RECOVER:
	case CKA_WRAP:
	case CKA_TRUSTED:
		return give_truth(v, false);
	case CKA_EC_POINT:
		return o->public.kind == KEY_RSA ? CKR_ATTRIBUTE_TYPE_INVALID : give_point(v, o->public.point);
	default:
		return of_any_key(o, type, v);
	}
}

static CK_RV
of_private(const struct object *o, CK_ATTRIBUTE_TYPE type, struct value *v)
{
	switch (type) {
	case CKA_SIGN:
	case CKA_SENSITIVE:
		return give_truth(v, true);
	case CKA_DECRYPT:
	case CKA_SIGN_RECOVER:
	case CKA_UNWRAP:
	case CKA_EXTRACTABLE:
	case CKA_WRAP_WITH_TRUSTED:
	case CKA_ALWAYS_SENSITIVE: /* what it was before is not known */
	case CKA_NEVER_EXTRACTABLE:
		return give_truth(v, false);
	case CKA_ALWAYS_AUTHENTICATE:
		return give_truth(v, o->always_auth);
	case CKA_VALUE:
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
		return CKR_ATTRIBUTE_SENSITIVE;
	default:
		return of_any_key(o, type, v);
	}
}

CK_RV
attribute_get(const struct object *o, bool private, CK_ATTRIBUTE_TYPE type, struct value *v)
{
	switch (type) {
	case CKA_CLASS:
		return give_number(v, o->class);
	case CKA_TOKEN:
		return give_truth(v, true);
	case CKA_PRIVATE:
		return give_truth(v, private);
	case CKA_MODIFIABLE:
	case CKA_COPYABLE:
	case CKA_DESTROYABLE:
		return give_truth(v, false);
	case CKA_LABEL:
		return give(v, o->label.p, o->label.n);
	case CKA_ID:
		return give(v, o->id.p, o->id.n);
	default:
		break;
	}
	if (o->class == CKO_CERTIFICATE)
		return of_certificate(o, type, v);
	return o->class == CKO_PUBLIC_KEY ? of_public(o, type, v) : of_private(o, type, v);
}

bool
attribute_matches(const struct object *o, bool private, const CK_ATTRIBUTE *a)
{
	struct value v;

	if (attribute_get(o, private, a->type, &v) != CKR_OK || v.n != a->ulValueLen)
		return false;
	return v.n == 0 || memcmp(v.p, a->pValue, v.n) == 0;
}
