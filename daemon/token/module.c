/*
 * A vendor's module, loaded by path and initialised once. It is never
 * finalised: a module whose threads or lanes still run does not survive
 * C_Finalize, and the process ends by _exit anyway.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "token/worker.h"

/* What we call of a module; a list without one of them is refused now rather than jumped through later. */
static bool
list_is_whole(const CK_FUNCTION_LIST *p11)
{
	return p11->C_Initialize != NULL && p11->C_GetSlotList != NULL && p11->C_GetTokenInfo != NULL &&
	       p11->C_OpenSession != NULL && p11->C_CloseSession != NULL && p11->C_GetSessionInfo != NULL &&
	       p11->C_Login != NULL && p11->C_Logout != NULL && p11->C_FindObjectsInit != NULL &&
	       p11->C_FindObjects != NULL && p11->C_FindObjectsFinal != NULL &&
	       p11->C_GetAttributeValue != NULL && p11->C_SignInit != NULL && p11->C_Sign != NULL;
}

static CK_RV
initialize(CK_FUNCTION_LIST *p11, bool one_thread)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	/*
	 * A single lane is a single thread: the module is asked for no locks. Some cannot lock, and some lock themselves
	 * up when a card is pulled (OpenSC 0.23: C_GetTokenInfo, in sc_unlock).
	 */
	return p11->C_Initialize(one_thread ? NULL : &args);
}

/*
 * PINs of ours lie in locked pages already; this keeps the module's copies out
 * of the swap as well. Only where no limit stands against it: under a small
 * RLIMIT_MEMLOCK, MCL_FUTURE would make every later mapping fail.
 */
static void
lock_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

CK_FUNCTION_LIST *
module_load(const char *path, bool one_thread, char *reason, size_t size)
{
	CK_C_GetFunctionList get;
	CK_FUNCTION_LIST *p11 = NULL;
	void *handle;
	CK_RV rv;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		text_printf(reason, size, "the module does not load: %s", dlerror());
		return NULL;
	}
	*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get == NULL) {
		text_printf(reason, size, "%s is not a PKCS#11 module", path);
		return NULL;
	}
	rv = get(&p11);
	if (rv != CKR_OK || p11 == NULL || p11->version.major < 2 || !list_is_whole(p11)) {
		text_printf(reason, size, "the module offers no usable PKCS#11 2.x function list");
		return NULL;
	}
	lock_memory();
	rv = initialize(p11, one_thread);
	if (rv != CKR_OK) {
		text_printf(reason, size, "C_Initialize: %s (0x%lx)", ckr_name((uint32_t)rv), rv);
		return NULL;
	}
	return p11;
}
