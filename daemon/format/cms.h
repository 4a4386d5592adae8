/*
 * Signatures as documents carry them, made from a digest alone and in two
 * steps, because the key is elsewhere:
 *
 *   1. cms_begin, tst_begin   the signed attributes, and the digest of them
 *   2. cms_finish             the whole structure around the signature of that digest
 *
 * Errors: SIGNET_ERR_UNSUPPORTED where such a key or digest makes no such
 * structure, SIGNET_ERR_LIMIT where it would be longer than CMS_MAX,
 * SIGNET_ERR_MEMORY where OpenSSL cannot go on.
 */
#ifndef SIGNET_FORMAT_CMS_H
#define SIGNET_FORMAT_CMS_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/digest.h"

enum {
	CMS_MAX = 96 * 1024,	/* bytes of the whole: eight certificates of 8 KiB, and as much again for the rest */
	CMS_CHAIN_MAX = 8,	/* certificates in it */
	TST_SERIAL_SIZE = 20,	/* bytes of a time-stamp's serial number [RFC 3161, 2.4.2: up to 160 bits] */
	TST_NONCE_MAX = 32,	/* bytes */
	TST_POLICY_MAX = 64,	/* characters of an OID in dots */
};

enum cms_format { CMS_FORMAT_RAW, CMS_FORMAT_CADES, CMS_FORMAT_PADES, CMS_FORMAT_TST };
enum cms_commitment { CMS_COMMITMENT_NONE, CMS_COMMITMENT_APPROVAL, CMS_COMMITMENT_ORIGIN };

/* Whose signature it is: what is the same in all that one key makes. */
struct cms_signer {
	X509 *own;
	X509 *chain[CMS_CHAIN_MAX]; /* what goes along: issuers, without a self-signed one */
	size_t chain_count;
	uint8_t *ess; /* SigningCertificateV2 of `own`, DER */
	size_t ess_len;
};

/*
 * `certs` are DER, own first, each followed by its issuer as far as that is known. SIGNET_ERR_UNSUPPORTED: the key
 * is none for CMS (Ed25519), or a certificate cannot be read.
 */
must_check signet_err cms_signer_new(struct cms_signer **out, const uint8_t *const *certs, const size_t *lens,
    size_t count);
void cms_signer_free(struct cms_signer *s);

struct cms_plan {
	enum cms_format format; /* CADES or PADES */
	enum cms_commitment commitment;
	bool pss;
	int64_t time; /* signing-time of CAdES, seconds since 1970 */
	struct digest digest; /* of the document */
};

struct tst_plan {
	struct digest imprint;
	enum signet_digest_alg hash; /* what the token itself is signed with */
	bool pss, cert_req;
	int64_t time_us;	/* microseconds since 1970; the token says milliseconds */
	unsigned accuracy_ms;	/* 0: not stated */
	const char *policy;	/* OID in dots */
	uint8_t serial[TST_SERIAL_SIZE]; /* big-endian, not negative */
	uint8_t nonce[TST_NONCE_MAX];	 /* big-endian, unsigned */
	size_t nonce_len;		 /* 0: none */
};

struct cms;
must_check signet_err cms_begin(struct cms **out, const struct cms_signer *s, const struct cms_plan *plan,
    struct digest *to_sign);
must_check signet_err tst_begin(struct cms **out, const struct cms_signer *s, const struct tst_plan *plan,
    struct digest *to_sign);
/* DER into `out`, whose maximum is the caller's. `sig`: RSA as long as the modulus, ECDSA DER. */
must_check signet_err cms_finish(struct cms *c, const uint8_t *sig, size_t len, struct buf *out);
void cms_free(struct cms *c); /* NULL is fine */

/*
 * No CAdES or PAdES signature of level B, no time-stamp of this signer is longer, whatever the digest, scheme and
 * time. 0: none can be made.
 */
size_t cms_room(const struct cms_signer *s);
size_t tst_room(const struct cms_signer *s);

/* Level T: `cms` and, among its unsigned attributes, the time-stamp `tst`. CMS_ROOM_T: how much more that may be. */
enum { CMS_ROOM_T = 64 };
must_check signet_err cms_add_stamp(const uint8_t *cms, size_t len, const uint8_t *tst, size_t tst_len,
    struct buf *out);

#endif
