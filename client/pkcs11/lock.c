/*
 * The two locks, in the way the program asked for [PKCS #11 2.40, 5.4,
 * C_Initialize]:
 *
 *   no arguments, or neither flag nor functions   one thread, promised
 *   CKF_OS_LOCKING_OK                             locks of the system
 *   the four functions                            the program's own locks
 *   both                                          either: the system's
 *
 * Invariant: whoever holds a lock does not wait, except on LOCK_LOGIN. The
 * first two and the last use the system's: where one thread was promised they
 * cost nothing and forgive a promise that is not kept. Locks of the system
 * exist for ever, so that a call that comes after C_Finalize finds one.
 */
#include <pthread.h>

#include "bridge.h"

static pthread_mutex_t system_locks[LOCK_COUNT] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static CK_C_INITIALIZE_ARGS own; /* LockMutex NULL: the system's */
static void *own_locks[LOCK_COUNT];

static CK_RV
make_own(const CK_C_INITIALIZE_ARGS *args)
{
	for (unsigned i = 0; i < LOCK_COUNT; i++) {
		own_locks[i] = NULL;
		if (args->CreateMutex(&own_locks[i]) != CKR_OK) {
			while (i-- > 0)
				(void)args->DestroyMutex(own_locks[i]);
			return CKR_CANT_LOCK;
		}
	}
	own = *args;
	return CKR_OK;
}

CK_RV
locks_make(const CK_C_INITIALIZE_ARGS *args)
{
	unsigned functions = 0;

	own = (CK_C_INITIALIZE_ARGS){0};
	if (args == NULL)
		return CKR_OK;
	if (args->pReserved != NULL)
		return CKR_ARGUMENTS_BAD;
	functions += args->CreateMutex != NULL;
	functions += args->DestroyMutex != NULL;
	functions += args->LockMutex != NULL;
	functions += args->UnlockMutex != NULL;
	if (functions != 0 && functions != 4)
		return CKR_ARGUMENTS_BAD;
	if (functions == 0 || (args->flags & CKF_OS_LOCKING_OK) != 0)
		return CKR_OK;
	return make_own(args);
}

void
locks_destroy(void)
{
	if (own.DestroyMutex == NULL)
		return;
	for (unsigned i = 0; i < LOCK_COUNT; i++)
		(void)own.DestroyMutex(own_locks[i]);
	own = (CK_C_INITIALIZE_ARGS){0};
}

/* A program whose lock fails has no way out that would be better than going on. */
void
lock_take(enum lock lock)
{
	if (own.LockMutex != NULL)
		(void)own.LockMutex(own_locks[lock]);
	else
		(void)pthread_mutex_lock(&system_locks[lock]);
}

void
lock_give(enum lock lock)
{
	if (own.UnlockMutex != NULL)
		(void)own.UnlockMutex(own_locks[lock]);
	else
		(void)pthread_mutex_unlock(&system_locks[lock]);
}

void
locks_forked(void)
{
	own = (CK_C_INITIALIZE_ARGS){0};
	for (unsigned i = 0; i < LOCK_COUNT; i++)
		(void)pthread_mutex_init(&system_locks[i], NULL);
}
