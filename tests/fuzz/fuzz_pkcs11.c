/*
 * What the bridge reads of others: certificates and public keys, signatures,
 * and what a program hands over as a DigestInfo. Slices stay within the input.
 */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "fuzz.h"

static void
within(struct slice s, const uint8_t *data, size_t size)
{
	if (s.n > 0 && (s.p < data || s.p + s.n > data + size))
		abort();
}

static void
try_certificate(const uint8_t *data, size_t size)
{
	struct public_key key;
	struct certificate c;

	if (!certificate_read(&c, (struct slice){data, size}))
		return;
	within(c.serial, data, size);
	within(c.issuer, data, size);
	within(c.subject, data, size);
	within(c.name, data, size);
	within(c.info, data, size);
	(void)public_key_read(&key, c.info);
}

static void
try_key(const uint8_t *data, size_t size)
{
	struct public_key k;

	if (!public_key_read(&k, (struct slice){data, size}))
		return;
	within(k.modulus, data, size);
	within(k.exponent, data, size);
	within(k.params, data, size);
	within(k.point, data, size);
	if (k.kind == KEY_NONE || k.bits == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mechanism *pkcs1 = mechanism_find(CKM_RSA_PKCS);
	uint8_t raw[2 * 66];
	struct to_sign in;

	try_certificate(data, size);
	try_key(data, size);
	(void)der_to_raw(data, size, 32, raw);
	(void)der_to_raw(data, size, 66, raw);
	if (sign_input(&in, pkcs1, 0, data, size) == CKR_OK && size != 19 + signet_hash_size(in.hash))
		abort();
	return 0;
}
