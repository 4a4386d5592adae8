/*
 * A forked child is a new program: it must call C_Initialize itself, and uses
 * nothing of what it inherited [PKCS #11 2.40, 5.4].
 *
 * Invariant: the parent's state is never read in the child, since another
 * thread may have been changing it in the moment of the fork; it stays where
 * it is. Only descriptors are closed, so that the daemon sees the end of the
 * parent when the parent ends. The handler does this where fork() was called;
 * the comparison of process numbers catches clone() and what else there is.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bridge.h"

static atomic_int owner; /* the process that initialised; 0: none */
static struct state *inherited;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

bool
process_is_new(void)
{
	pid_t pid = atomic_load_explicit(&owner, memory_order_relaxed);

	return pid != 0 && pid != getpid();
}

static void
forget(void)
{
	gate_forked();
	locks_forked();
	links_forked();
	digest_forked();
	if (state != NULL) {
		state->older = inherited;
		inherited = state;
		state = NULL;
	}
}

static void
in_child(void)
{
	if (atomic_exchange(&owner, 0) != 0)
		forget();
}

static void
watch(void)
{
	(void)pthread_atfork(NULL, NULL, in_child);
}

void
process_adopt(void)
{
	pid_t pid = atomic_load(&owner);

	(void)pthread_once(&watched, watch);
	if (pid != 0 && pid != getpid() && atomic_compare_exchange_strong(&owner, &pid, getpid()))
		forget();
	atomic_store(&owner, getpid());
}
