/* Initialising in all ways, forks, threads and processes, events, the way out. */
#include "bridge_check.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

static unsigned locked, unlocked, made, destroyed;

static CK_RV
create_mutex(void **mutex)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	must(m != NULL && pthread_mutex_init(m, NULL) == 0);
	*mutex = m;
	made++;
	return CKR_OK;
}

static CK_RV
destroy_mutex(void *mutex)
{
	must(pthread_mutex_destroy(mutex) == 0);
	free(mutex);
	destroyed++;
	return CKR_OK;
}

static CK_RV
lock_mutex(void *mutex)
{
	must(pthread_mutex_lock(mutex) == 0);
	locked++;
	return CKR_OK;
}

static CK_RV
unlock_mutex(void *mutex)
{
	unlocked++;
	must(pthread_mutex_unlock(mutex) == 0);
	return CKR_OK;
}

static CK_RV
cannot_create(void **mutex)
{
	(void)mutex;
	return CKR_HOST_MEMORY;
}

static void
one_session(void)
{
	CK_SESSION_HANDLE session;

	expect(CKR_OK, p11->C_OpenSession(first_slot(), CKF_SERIAL_SESSION, NULL, NULL, &session));
	expect(CKR_OK, p11->C_CloseSession(session));
	expect(CKR_OK, p11->C_Finalize(NULL));
}

static void
check_modes(void)
{
	CK_C_INITIALIZE_ARGS args = {0};

	expect(CKR_OK, p11->C_Initialize(NULL));
	expect(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(NULL));
	one_session();
	expect(CKR_OK, p11->C_Initialize(&args));
	one_session();
	args.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS;
	expect(CKR_OK, p11->C_Initialize(&args));
	one_session();
	args.pReserved = &args;
	expect(CKR_ARGUMENTS_BAD, p11->C_Initialize(&args));
	args = (CK_C_INITIALIZE_ARGS){.CreateMutex = create_mutex, .LockMutex = lock_mutex, .UnlockMutex = unlock_mutex};
	expect(CKR_ARGUMENTS_BAD, p11->C_Initialize(&args));
	args.DestroyMutex = destroy_mutex;
	args.flags = CKF_OS_LOCKING_OK;
	expect(CKR_OK, p11->C_Initialize(&args));
	one_session();
	must(made == 0);
	args.flags = 0;
	expect(CKR_OK, p11->C_Initialize(&args));
	one_session();
	must(made > 0 && made == destroyed && locked > 0 && locked == unlocked);
	args.CreateMutex = cannot_create;
	expect(CKR_CANT_LOCK, p11->C_Initialize(&args));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
}

static void *
initialize(void *arg)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	*(CK_RV *)arg = p11->C_Initialize(&args);
	return NULL;
}

void
check_initialize(void)
{
	pthread_t threads[16];
	CK_RV rv[16];
	unsigned good;

	check_modes();
	for (unsigned round = 0; round < 50; round++) {
		good = 0;
		for (unsigned i = 0; i < 16; i++)
			must(pthread_create(&threads[i], NULL, initialize, &rv[i]) == 0);
		for (unsigned i = 0; i < 16; i++) {
			must(pthread_join(threads[i], NULL) == 0);
			must(rv[i] == CKR_OK || rv[i] == CKR_CRYPTOKI_ALREADY_INITIALIZED);
			good += rv[i] == CKR_OK;
		}
		must(good == 1);
		expect(CKR_OK, p11->C_Finalize(NULL));
	}
}

static void
wait_child(pid_t child)
{
	int status;

	must(child > 0);
	while (waitpid(child, &status, 0) < 0)
		must(errno == EINTR);
	must(status == 0);
}

/* The child of a process that is in the middle of everything. */
static void
in_child(struct signer *parent, const char *label)
{
	struct signer s;
	CK_SESSION_INFO info;

	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSessionInfo(parent->session, &info));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
	expect(CKR_OK, p11->C_Initialize(NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(999, &info));
	signer_open(&s, label);
	for (int i = 0; i < 5; i++)
		expect(CKR_OK, signer_sign(&s));
	signer_close(&s);
	expect(CKR_OK, p11->C_Finalize(NULL));
	_exit(0);
}

struct background {
	struct signer signer;
	bool stop;
};

static void *
sign_on(void *arg)
{
	struct background *b = arg;

	while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE))
		expect(CKR_OK, signer_sign(&b->signer));
	return NULL;
}

/* Forks from the middle of signatures: neither side disturbs the other. */
void
check_fork(const char *label)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	struct background b = {0};
	struct signer own;
	pthread_t thread;
	pid_t child;

	expect(CKR_OK, p11->C_Initialize(&args));
	signer_open(&b.signer, label);
	signer_open(&own, label);
	must(pthread_create(&thread, NULL, sign_on, &b) == 0);
	for (int i = 0; i < 20; i++) {
		expect(CKR_OK, signer_sign(&own));
		child = fork();
		if (child == 0)
			in_child(&own, label);
		expect(CKR_OK, signer_sign(&own));
		wait_child(child);
	}
	__atomic_store_n(&b.stop, true, __ATOMIC_RELEASE);
	must(pthread_join(thread, NULL) == 0);
	signer_close(&own);
	signer_close(&b.signer);
	expect(CKR_OK, p11->C_Finalize(NULL));
}

struct load {
	const char *label;
	unsigned count, good, away;
};

/* What a call may say while the daemon is away or starts. */
static bool
is_documented(CK_RV rv)
{
	return rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_DEVICE_ERROR ||
	       rv == CKR_USER_NOT_LOGGED_IN;
}

static void *
load_thread(void *arg)
{
	struct load *l = arg;
	struct signer s;
	CK_RV rv;

	signer_open(&s, l->label);
	while (l->good < l->count) {
		rv = signer_sign(&s);
		if (rv == CKR_OK) {
			l->good++;
		} else {
			if (!is_documented(rv))
				fprintf(stderr, "a signature ended with 0x%lx\n", rv);
			must(is_documented(rv));
			l->away++;
			(void)usleep(5000); /* a program that tries again at once gains nothing */
		}
	}
	signer_close(&s);
	return NULL;
}

static void
load_process(const char *label, unsigned threads, unsigned count)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	struct load l[THREADS_MAX] = {0};
	pthread_t id[THREADS_MAX];
	unsigned away = 0;

	must(threads <= THREADS_MAX);
	expect(CKR_OK, p11->C_Initialize(&args));
	for (unsigned i = 0; i < threads; i++) {
		l[i] = (struct load){.label = label, .count = count};
		must(pthread_create(&id[i], NULL, load_thread, &l[i]) == 0);
	}
	for (unsigned i = 0; i < threads; i++) {
		must(pthread_join(id[i], NULL) == 0);
		away += l[i].away;
	}
	expect(CKR_OK, p11->C_Finalize(NULL));
	printf("%u good, %u times away\n", threads * count, away);
	(void)fflush(stdout);
}

void
check_load(const char *label, unsigned processes, unsigned threads, unsigned count)
{
	pid_t child[256];

	must(processes <= 256);
	for (unsigned i = 0; i < processes; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			load_process(label, threads, count);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < processes; i++)
		wait_child(child[i]);
}

void
check_event(void)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_SLOT_ID slot = 99, wanted;
	CK_SLOT_INFO info;

	expect(CKR_OK, p11->C_Initialize(&args));
	expect(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, &slot));
	expect(CKR_NO_EVENT, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
	wanted = first_slot();
	expect(CKR_NO_EVENT, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
	printf("waiting\n");
	(void)fflush(stdout);
	for (;;) {
		expect(CKR_OK, p11->C_WaitForSlotEvent(0, &slot, NULL));
		must(slot == wanted);
		expect(CKR_OK, p11->C_GetSlotInfo(slot, &info));
		printf("%s\n", (info.flags & CKF_TOKEN_PRESENT) != 0 ? "present" : "gone");
		(void)fflush(stdout);
	}
}

static void *
wait_event(void *arg)
{
	CK_SLOT_ID slot;

	(void)arg;
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_WaitForSlotEvent(0, &slot, NULL));
	return NULL;
}

void
check_finalize_wakes(void)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	pthread_t thread;

	for (useconds_t i = 0; i < 30; i++) {
		expect(CKR_OK, p11->C_Initialize(&args));
		must(pthread_create(&thread, NULL, wait_event, NULL) == 0);
		(void)usleep(1000 * i); /* so that it is met at all stages of its way */
		expect(CKR_OK, p11->C_Finalize(NULL));
		must(pthread_join(thread, NULL) == 0);
	}
}

static struct signer at_exit;

/*
 * libcrypto has cleaned up by now, so nothing is verified here: the log tells. What was begun ends, a digest that
 * the program made itself is signed, and hashing anew is refused.
 */
static void
sign_late(void)
{
	CK_MECHANISM hashing = {CKM_SHA256_RSA_PKCS, NULL, 0}, raw = {CKM_RSA_PKCS, NULL, 0};
	unsigned char info[] = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
			       "0123456789abcdef0123456789abcdef";
	unsigned char sig[512];
	CK_ULONG size = sizeof(sig);

	expect(CKR_OK, p11->C_SignFinal(at_exit.session, sig, &size));
	expect(CKR_FUNCTION_FAILED, p11->C_SignInit(at_exit.session, &hashing, at_exit.key));
	expect(CKR_OK, p11->C_SignInit(at_exit.session, &raw, at_exit.key));
	expect(CKR_OK, p11->C_Sign(at_exit.session, info, sizeof(info) - 1, sig, &size));
	expect(CKR_OK, p11->C_CloseSession(at_exit.session));
	expect(CKR_OK, p11->C_Finalize(NULL));
	printf("signed late\n");
	(void)fflush(stdout);
}

/* A program that signs from an exit handler, after those that were registered later have run. */
void
check_exit(const char *label)
{
	CK_MECHANISM hashing = {CKM_SHA256_RSA_PKCS, NULL, 0};
	unsigned char begun[100] = {1};

	must(atexit(sign_late) == 0);
	expect(CKR_OK, p11->C_Initialize(NULL));
	signer_open(&at_exit, label);
	expect(CKR_OK, p11->C_SignInit(at_exit.session, &hashing, at_exit.key));
	expect(CKR_OK, p11->C_SignUpdate(at_exit.session, begun, sizeof(begun)));
}
