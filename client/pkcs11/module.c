/*
 * The module's life: C_Initialize, C_Finalize, C_GetInfo and the list of
 * functions [PKCS #11 2.40, 5.4].
 *
 * Invariant: `state` exists between C_Initialize and C_Finalize and belongs to
 * one process. C_Initialize needs no daemon and asks for none. `gate` is the
 * system's lock under any choice of the program: several threads may call
 * C_Initialize at once, when no choice was made yet.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "functions.h"

struct state *state;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static uint64_t generation; /* of `state`; guarded as it is */

CK_RV
enter(void)
{
	if (process_is_new() || __atomic_load_n(&state, __ATOMIC_ACQUIRE) == NULL)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	lock_take(LOCK_STATE);
	if (state != NULL)
		return CKR_OK;
	lock_give(LOCK_STATE);
	return CKR_CRYPTOKI_NOT_INITIALIZED;
}

CK_RV
leave(CK_RV rv)
{
	lock_give(LOCK_STATE);
	return rv;
}

uint64_t
step_out(void)
{
	uint64_t now = generation;

	state->away++;
	lock_give(LOCK_STATE);
	return now;
}

bool
step_in(uint64_t then)
{
	/* a child that was forked meanwhile is another program */
	if (process_is_new())
		return false;
	lock_take(LOCK_STATE);
	if (state != NULL && generation == then) {
		state->away--;
		return true;
	}
	lock_give(LOCK_STATE);
	return false;
}

static CK_RV
start(const CK_C_INITIALIZE_ARGS *args)
{
	struct state *made;
	CK_RV rv;

	if (host_is_refused())
		return CKR_FUNCTION_FAILED;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return CKR_HOST_MEMORY;
	rv = locks_make(args);
	if (rv != CKR_OK) {
		free(made);
		return rv;
	}
	made->next_handle = 1;
	made->links.epoch = 1;
	lock_take(LOCK_STATE);
	generation++;
	__atomic_store_n(&state, made, __ATOMIC_RELEASE);
	lock_give(LOCK_STATE);
	return CKR_OK;
}

CK_RV
C_Initialize(void *args)
{
	CK_RV rv;

	process_adopt();
	(void)pthread_mutex_lock(&gate);
	rv = state != NULL ? CKR_CRYPTOKI_ALREADY_INITIALIZED : start(args);
	(void)pthread_mutex_unlock(&gate);
	return rv;
}

/* With the state locked. What threads that are still away need is not here, but with them. */
static void
stop(void)
{
	struct state *old = state;

	event_wake();
	sessions_done();
	objects_done(&old->objects);
	slots_done();
	links_done(&old->links);
	__atomic_store_n(&state, NULL, __ATOMIC_RELEASE);
	generation++;
}

CK_RV
C_Finalize(void *reserved)
{
	struct state *old;
	CK_RV rv;

	if (reserved != NULL)
		return CKR_ARGUMENTS_BAD;
	if (process_is_new())
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	login_end_all();
	(void)pthread_mutex_lock(&gate);
	rv = enter();
	if (rv == CKR_OK) {
		old = state;
		stop();
		lock_give(LOCK_STATE);
		if (old->away == 0) /* who is still away comes back to the program's own lock */
			locks_destroy();
		free(old);
	}
	(void)pthread_mutex_unlock(&gate);
	return rv;
}

/* The child of a fork may have inherited the gate shut. */
void
gate_forked(void)
{
	(void)pthread_mutex_init(&gate, NULL);
}

CK_RV
C_GetInfo(CK_INFO *info)
{
	CK_RV rv = enter();

	if (rv != CKR_OK)
		return rv;
	if (info == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	memset(info, 0, sizeof(*info));
	info->cryptokiVersion = (CK_VERSION){2, 40};
	ck_text(info->manufacturerID, sizeof(info->manufacturerID), "Signet");
	ck_text(info->libraryDescription, sizeof(info->libraryDescription), "Signet PKCS #11 bridge");
	info->libraryVersion = (CK_VERSION){0, 1};
	return leave(CKR_OK);
}

#define FUNCTION(name) .name = (name),
static CK_FUNCTION_LIST functions = {.version = {2, 40}, BRIDGE_FUNCTIONS(FUNCTION)};
#undef FUNCTION

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	if (list == NULL)
		return CKR_ARGUMENTS_BAD;
	*list = &functions;
	return CKR_OK;
}
