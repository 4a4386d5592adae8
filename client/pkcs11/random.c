/* Random numbers [PKCS #11 2.40, 5.14]: the kernel's, which need no token and no seed. */
#include <errno.h>
#include <sys/random.h>

#include "bridge.h"

CK_RV
C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG size)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (seed == NULL && size > 0)
		return leave(CKR_ARGUMENTS_BAD);
	return leave(CKR_RANDOM_SEED_NOT_SUPPORTED);
}

static CK_RV
fill(CK_BYTE *out, CK_ULONG size)
{
	ssize_t n;

	while (size > 0) {
		n = getrandom(out, size, 0);
		if (n < 0 && errno != EINTR)
			return CKR_FUNCTION_FAILED;
		if (n > 0) {
			out += n;
			size -= (CK_ULONG)n;
		}
	}
	return CKR_OK;
}

CK_RV
C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG size)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (session_get(session) == NULL)
		return leave(CKR_SESSION_HANDLE_INVALID);
	if (out == NULL && size > 0)
		return leave(CKR_ARGUMENTS_BAD);
	lock_give(LOCK_STATE);
	return fill(out, size);
}
