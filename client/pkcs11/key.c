/*
 * Kinds of keys: by the daemon's names, and from a SubjectPublicKeyInfo
 * [RFC 3279, 2.3; RFC 5480, 2; RFC 8410, 4].
 */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

enum { TAG_BITS = 0x03, TAG_OID = 0x06, TAG_SEQUENCE = 0x30 };

static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_ec[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_ed25519[] = {0x2b, 0x65, 0x70};

static const struct curve {
	unsigned bits;
	uint8_t oid[10]; /* the whole element */
	uint8_t size;
} curves[] = {
    {256, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 10},
    {384, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7},
    {521, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, 7},
};

static bool
is(struct slice s, const uint8_t *bytes, size_t n)
{
	return s.n == n && memcmp(s.p, bytes, n) == 0;
}

static unsigned
bit_length(struct slice number)
{
	unsigned bits = (unsigned)(8 * number.n);

	for (uint8_t top = number.p[0]; top != 0 && top < 0x80; top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

static bool
read_rsa(struct public_key *k, struct slice key)
{
	struct slice whole, body;

	if (!der_take(&key, TAG_SEQUENCE, &whole, &body) || key.n != 0 || !der_unsigned(&body, &k->modulus) ||
	    !der_unsigned(&body, &k->exponent) || body.n != 0)
		return false;
	k->kind = KEY_RSA;
	k->bits = bit_length(k->modulus);
	return true;
}

static bool
read_ec(struct public_key *k, struct slice params, struct slice point)
{
	for (size_t i = 0; i < array_len(curves); i++)
		if (is(params, curves[i].oid, curves[i].size)) {
			k->kind = KEY_EC;
			k->bits = curves[i].bits;
			k->params = params;
			k->point = point;
			/* uncompressed, as all programs expect it */
			return point.n == 1 + 2 * key_order_size(k->bits) && point.p[0] == 0x04;
		}
	return false;
}

bool
public_key_read(struct public_key *k, struct slice info)
{
	struct slice in = info, whole, body, algorithm, oid, bits;

	*k = (struct public_key){.info = info};
	if (!der_take(&in, TAG_SEQUENCE, &whole, &body) || in.n != 0 ||
	    !der_take(&body, TAG_SEQUENCE, &whole, &algorithm) || !der_take(&algorithm, TAG_OID, &whole, &oid) ||
	    !der_take(&body, TAG_BITS, &whole, &bits) || body.n != 0 || bits.n < 2 || bits.p[0] != 0)
		return false;
	bits.p++; /* no unused bits */
	bits.n--;
	if (is(oid, oid_rsa, sizeof(oid_rsa)))
		return read_rsa(k, bits);
	if (is(oid, oid_ec, sizeof(oid_ec)))
		return read_ec(k, algorithm, bits);
	if (!is(oid, oid_ed25519, sizeof(oid_ed25519)) || bits.n != 32)
		return false;
	k->kind = KEY_ED25519;
	k->bits = 255;
	k->point = bits;
	return true;
}

enum key_kind
key_kind_of(const char *algorithm, unsigned *bits)
{
	char *end;
	unsigned long n;

	if (strcmp(algorithm, "ed25519") == 0) {
		*bits = 255;
		return KEY_ED25519;
	}
	for (size_t i = 0; i < array_len(curves); i++)
		if (strncmp(algorithm, "p-", 2) == 0 && (unsigned long)atol(algorithm + 2) == curves[i].bits) {
			*bits = curves[i].bits;
			return KEY_EC;
		}
	if (strncmp(algorithm, "rsa-", 4) != 0)
		return KEY_NONE;
	n = strtoul(algorithm + 4, &end, 10);
	if (*end != '\0' || n < 1024 || n > 16384)
		return KEY_NONE;
	*bits = (unsigned)n;
	return KEY_RSA;
}

size_t
key_order_size(unsigned bits)
{
	return (bits + 7) / 8;
}

size_t
key_signature_size(enum key_kind kind, unsigned bits)
{
	switch (kind) {
	case KEY_RSA:
		return (bits + 7) / 8;
	case KEY_EC:
		return 2 * key_order_size(bits);
	case KEY_ED25519:
		return 64;
	default:
		return 0;
	}
}

struct slice
key_params(enum key_kind kind, unsigned bits)
{
	static const uint8_t edwards[] = "\x13\x0c" "edwards25519"; /* PrintableString [PKCS #11 3.0, 2.3.5] */

	if (kind == KEY_ED25519)
		return (struct slice){edwards, sizeof(edwards) - 1};
	for (size_t i = 0; kind == KEY_EC && i < array_len(curves); i++)
		if (curves[i].bits == bits)
			return (struct slice){curves[i].oid, curves[i].size};
	return (struct slice){NULL, 0};
}
