/*
 * A .p7s file as anybody may hand it to `signetctl verify`: taken apart, and
 * judged with an authority that has issued nothing. Nothing of it is ever good,
 * since no seed is about this content.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "cms.h"
#include "cms_stamp.h"
#include "fuzz.h"

static bool
some_digest(void *arg, signet_hash hash, uint8_t *digest)
{
	(void)arg;
	memset(digest, 0x5a, signet_hash_size(hash));
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static X509_STORE *ca;
	struct stamp_report stamp;
	struct cms_report r;
	char text[DIGEST_TEXT_MAX];
	size_t used;

	if (ca == NULL && (ca = X509_STORE_new()) == NULL)
		abort();
	if (size > CMS_FILE_MAX)
		return 0;
	cms_check(&r, data, size, some_digest, NULL, ca);
	if (r.digest_good || r.chain_good)
		abort();
	cms_report_done(&r);
	stamp_check(&stamp, data, size, ca);
	if (stamp.chain_good || (stamp.good && !stamp.present))
		abort();
	stamp_report_done(&stamp);
	(void)cms_value_hash(data, size, &used, text);
	return 0;
}
