/*
 * Just enough DER to show what lies in a certificate [X.690]: slices are cut
 * out, nothing is decoded that is not shown.
 *
 * Invariant: a slice never reaches over the end of the bytes it was cut from.
 */
#include <string.h>

#include "bridge.h"

enum { LONG_FORM = 0x80, TAG_NUMBER = 0x1f, TAG_INTEGER = 0x02, TAG_SEQUENCE = 0x30 };

/* Length octets in their shortest form, up to 65535. */
static bool
take_length(struct slice *in, size_t *n)
{
	size_t octets, value = 0;

	if (in->n == 0)
		return false;
	*n = *in->p++;
	in->n--;
	if (*n < LONG_FORM)
		return true;
	octets = *n & ~(size_t)LONG_FORM;
	if (octets == 0 || octets > 2 || octets > in->n)
		return false;
	for (size_t i = 0; i < octets; i++)
		value = value << 8 | in->p[i];
	in->p += octets;
	in->n -= octets;
	*n = value;
	return octets == 1 ? value >= LONG_FORM : value > 0xff;
}

bool
der_next(struct slice *in, uint8_t *tag, struct slice *whole, struct slice *body)
{
	struct slice rest = *in;
	size_t n;

	if (rest.n < 2 || (rest.p[0] & TAG_NUMBER) == TAG_NUMBER)
		return false;
	*tag = *rest.p++;
	rest.n--;
	if (!take_length(&rest, &n) || n > rest.n)
		return false;
	*body = (struct slice){rest.p, n};
	*whole = (struct slice){in->p, (size_t)(rest.p - in->p) + n};
	*in = (struct slice){rest.p + n, rest.n - n};
	return true;
}

bool
der_take(struct slice *in, uint8_t wanted, struct slice *whole, struct slice *body)
{
	struct slice rest = *in;
	uint8_t tag;

	if (!der_next(&rest, &tag, whole, body) || tag != wanted)
		return false;
	*in = rest;
	return true;
}

bool
der_unsigned(struct slice *in, struct slice *value)
{
	struct slice whole;

	if (!der_take(in, TAG_INTEGER, &whole, value) || value->n == 0 || value->p[0] >= 0x80)
		return false;
	if (value->n > 1 && value->p[0] == 0) {
		if (value->p[1] < 0x80)
			return false; /* not the shortest form */
		value->p++;
		value->n--;
	}
	return true;
}

bool
der_to_raw(const uint8_t *sig, size_t size, size_t half, uint8_t *raw)
{
	struct slice in = {sig, size}, whole, body, number;

	if (!der_take(&in, TAG_SEQUENCE, &whole, &body) || in.n != 0)
		return false;
	memset(raw, 0, 2 * half);
	for (size_t i = 0; i < 2; i++) {
		if (!der_unsigned(&body, &number) || number.n > half)
			return false;
		memcpy(raw + i * half + half - number.n, number.p, number.n);
	}
	return body.n == 0;
}
