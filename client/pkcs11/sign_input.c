/*
 * From the input of a mechanism that does not hash to the digest that the
 * daemon signs.
 *
 * Invariant: what is signed is a digest by name. CKM_RSA_PKCS takes the
 * DigestInfo of SHA-256, SHA-384 or SHA-512 in the one form that RFC 8017, 9.2
 * gives it, byte for byte, and nothing else; the others take the digest alone,
 * which its length names.
 */
#include <string.h>

#include "bridge.h"

enum { HEAD = 19 }; /* of a DigestInfo, up to the digest */

static const uint8_t heads[][HEAD] = {
    [SIGNET_SHA256] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
	0x00, 0x04, 0x20},
    [SIGNET_SHA384] = {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
	0x00, 0x04, 0x30},
    [SIGNET_SHA512] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
	0x00, 0x04, 0x40},
};

static CK_RV
digest_info(struct to_sign *out, const uint8_t *data, size_t n)
{
	for (unsigned h = SIGNET_SHA256; h <= SIGNET_SHA512; h++)
		if (n == HEAD + signet_hash_size(h) && memcmp(data, heads[h], HEAD) == 0) {
			out->hash = h;
			memcpy(out->digest, data + HEAD, n - HEAD);
			return CKR_OK;
		}
	return CKR_DATA_INVALID;
}

CK_RV
sign_input(struct to_sign *out, const struct mechanism *m, signet_hash pss_hash, const uint8_t *data, size_t n)
{
	if (m->scheme == SCHEME_PKCS1)
		return digest_info(out, data, n);
	for (unsigned h = SIGNET_SHA256; h <= SIGNET_SHA512; h++)
		if (n == signet_hash_size(h) && (m->scheme != SCHEME_PSS || h == pss_hash)) {
			out->hash = h;
			memcpy(out->digest, data, n);
			return CKR_OK;
		}
	return CKR_DATA_LEN_RANGE;
}
