/*
 * What programs cannot bear: Ed25519 keys among others.
 *
 * libp11 (OpenSSL's engine, and what is built on it) gives up all keys of a
 * token when it meets one whose type it does not know. NSS before 3.103 knows
 * no Ed25519 either, and poppler's pdfsig ends with a segmentation fault over
 * the certificate of such a key. Both look for all keys there are; so in a
 * process that holds one of them a search that names nothing of a key leaves
 * Ed25519 keys out. Whoever asks for a label, an id or the type finds them
 * there too.
 */
#include <link.h>
#include <string.h>

#include "bridge.h"

static int
cannot_bear(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *slash = info->dlpi_name == NULL ? NULL : strrchr(info->dlpi_name, '/');

	(void)size;
	(void)arg;
	if (slash == NULL)
		return 0;
	/* of libp11 the library, and the engine, which may have it inside: .../engines-3/pkcs11.so */
	return strncmp(slash, "/libp11.so", 10) == 0 || strcmp(slash, "/libpkcs11.so") == 0 ||
	       (strcmp(slash, "/pkcs11.so") == 0 && strstr(info->dlpi_name, "/engines") != NULL) ||
	       strcmp(slash, "/libnss3.so") == 0;
}

/* Does the search name a certain key, or a kind of key? */
static bool
names_a_key(const CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	for (CK_ULONG i = 0; i < count; i++)
		if (wanted[i].type != CKA_CLASS && wanted[i].type != CKA_TOKEN && wanted[i].type != CKA_PRIVATE &&
		    wanted[i].type != CKA_SIGN)
			return true;
	return count == 0; /* for all objects, to show them */
}

bool
quirk_hides(const struct object *o, const CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	return o->public.kind == KEY_ED25519 && o->class != CKO_CERTIFICATE && !names_a_key(wanted, count) &&
	       dl_iterate_phdr(cannot_bear, NULL) != 0;
}
