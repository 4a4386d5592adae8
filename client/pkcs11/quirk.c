/*
 * What a program cannot bear.
 *
 * libp11 (OpenSSL's engine, and what is built on it) gives up all keys of a
 * token when it meets one whose type it does not know, and Ed25519 is such a
 * one. It looks for all keys of a class; so in a process that holds libp11 a
 * search for a class and nothing else leaves Ed25519 keys out. Whoever asks
 * for a label, an id or the type finds them there too.
 */
#include <link.h>
#include <string.h>

#include "bridge.h"

static int
is_libp11(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *slash = info->dlpi_name == NULL ? NULL : strrchr(info->dlpi_name, '/');

	(void)size;
	(void)arg;
	if (slash == NULL)
		return 0;
	/* the library, and the engine, which may have it inside: .../engines-3/pkcs11.so */
	return strncmp(slash, "/libp11.so", 10) == 0 || strcmp(slash, "/libpkcs11.so") == 0 ||
	       (strcmp(slash, "/pkcs11.so") == 0 && strstr(info->dlpi_name, "/engines") != NULL);
}

bool
quirk_hides(const struct object *o, const CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	return o->public.kind == KEY_ED25519 && o->class != CKO_CERTIFICATE && count == 1 && wanted[0].type == CKA_CLASS &&
	       dl_iterate_phdr(is_libp11, NULL) != 0;
}
