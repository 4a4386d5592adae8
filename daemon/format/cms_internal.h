/* Between cms.c and tst.c. */
#ifndef SIGNET_FORMAT_CMS_INTERNAL_H
#define SIGNET_FORMAT_CMS_INTERNAL_H

#include <openssl/cms.h>

#include "format/cms.h"

enum {
	ATTRIBUTES_MAX = 8,
	ATTRIBUTES_SIZE_MAX = 16 * 1024, /* of all together: an issuer's name of a whole certificate fits */
	SIGNATURE_MAX = 512,		 /* RSA 4096 */
};

struct cms { /* between the two steps */
	CMS_ContentInfo *info;
	CMS_SignerInfo *signer; /* borrowed from it */
	enum signet_digest_alg hash;
};

/* Everything but the attributes. `content` NULL: a detached signature. */
must_check signet_err cms_start(struct cms **out, const struct cms_signer *s, enum signet_digest_alg hash,
    bool pss, bool with_certs, const struct buf *content);
/* len 0: `value` is an object or a time of ASN.1, not bytes. */
must_check signet_err cms_attribute(struct cms *c, int nid, int type, const void *value, size_t len);
/* The attributes are complete: their digest is what must be signed. */
must_check signet_err cms_seal_attributes(struct cms *c, struct digest *to_sign);
/* Bytes of the whole with the longest signature; 0: none can be made. */
size_t cms_measure(struct cms *c, const struct cms_signer *s);
size_t cms_signature_max(const struct cms_signer *s);

#endif
