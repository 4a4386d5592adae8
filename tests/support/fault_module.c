/*
 * libsignet-fault.so: a PKCS#11 module that fails on request. It hands out the
 * function list of a real module with some entries replaced; each replaced call
 * reads a script again, so that a test changes the faults of a running worker.
 *
 *   SIGNET_FAULT_MODULE   the real module, by default SoftHSM
 *   SIGNET_FAULT_SCRIPT   the script; missing or empty: no fault
 *   SIGNET_FAULT_COUNT    every C_Login appends a line here, "user" or "context", then what became of it where
 *                         tries are counted: "wrong" or "right"
 *
 * A confined worker reaches script and count file only below its `paths`.
 *
 * A script has one directive per line, the first that fits a call decides:
 *
 *   sign hang | delay MS | segv | sigbus | wrong | otherkey | leak BYTES | rv N
 *                     wrong: a bit of the signature flipped; otherkey: by another private key of this curve
 *   signinit rv N
 *   opensession rv N | limit N   N sessions and no more
 *   login hang | delay MS | locked | incorrect | counted N | pad PIN | rv N
 *                     counted: N wrong PINs since the last right one block it; pad: what its holder types there
 *   logout rv N
 *   slots absent | twin | hang | segv | rv N
 *   wait works | rv N   C_WaitForSlotEvent: returns when "slots absent" comes or goes, or at once
 *   tokeninfo rv N | flags ON OFF | pinlen MIN MAX | serial TEXT | noserial
 *   initialize open FILE   tries to read and to write that file, and tells the count file "opened" or "refused"
 *
 * "only LABEL" before a directive: for the token of that label, where a module shows several.
 *
 * "once" at the end of a line turns it into a comment when it strikes, in the
 * file itself: a worker that is started after a crash does not meet it again.
 * N is decimal or 0x hex. Where the real C_Sign is not to be answered, it is
 * still called, so that its operation ends.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define EXPORT __attribute__((visibility("default")))

enum { SCRIPT_MAX = 4096, SIGNATURE_MAX = 1024, SLOTS_MAX = 128 };
#define NO_SLOT ((CK_SLOT_ID)-1)

struct fault {
	char what[32]; /* "" if nothing is wrong */
	char first[64], second[64];
};

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST faulty;

/* What only one of several tokens does: is it this slot's? */
static int
is_label_of(CK_SLOT_ID slot, const char *label)
{
	CK_TOKEN_INFO about;
	size_t n = strlen(label);

	if (n > sizeof(about.label) || real->C_GetTokenInfo(slot, &about) != CKR_OK)
		return 0;
	return memcmp(about.label, label, n) == 0 && (n == sizeof(about.label) || about.label[n] == ' ');
}

static CK_SLOT_ID
slot_of(CK_SESSION_HANDLE s)
{
	CK_SESSION_INFO info;

	return real->C_GetSessionInfo(s, &info) == CKR_OK ? info.slotID : NO_SLOT;
}

/* Line by line; a "once" that struck gets a '#' at its offset in the file. */
static struct fault
look_at(const char *operation, CK_SLOT_ID slot)
{
	const char *path = getenv("SIGNET_FAULT_SCRIPT");
	char text[SCRIPT_MAX + 1], *line, *next;
	struct fault f = {.what = ""};
	ssize_t n;
	int fd;

	fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	/* a script that may only be read serves as long as nothing in it happens once */
	if (fd < 0 && path != NULL)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return f;
	n = pread(fd, text, SCRIPT_MAX, 0);
	text[n > 0 ? n : 0] = '\0';
	for (line = text; *line != '\0'; line = next) {
		char name[16] = "", last[16] = "", label[33] = "";
		int directive = 0;
		size_t len = strcspn(line, "\n");

		f = (struct fault){.what = ""};
		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		if (sscanf(line, "only %32s %n", label, &directive) == 1 && !is_label_of(slot, label))
			continue;
		if (line[0] == '#' ||
		    sscanf(line + directive, "%15s %31s %63s %63s %15s", name, f.what, f.first, f.second, last) < 2)
			continue;
		/* which key signs is decided a call earlier */
		if (strcmp(f.what, "otherkey") == 0)
			strcpy(name, "signinit");
		if (strcmp(name, operation) != 0)
			continue;
		if (strstr(line, " once") != NULL && pwrite(fd, "#", 1, line - text) != 1)
			abort();
		close(fd);
		return f;
	}
	close(fd);
	return (struct fault){.what = ""};
}

static struct fault
look(const char *operation)
{
	return look_at(operation, NO_SLOT);
}

static void
wait_ms(unsigned long ms)
{
	struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) != 0)
		continue;
}

static void
hit_a_hole(void)
{
	int *volatile nowhere = NULL;

	*(volatile int *)nowhere = 1;
}

/* A page of a file that has none: what a module sees whose card file was cut short. */
static void
hit_the_end(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		abort();
	page[0] = 1;
}

/* The faults that every operation has. True if *rv is the answer. */
static int
strike(const struct fault *f, CK_RV *rv)
{
	if (strcmp(f->what, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(f->what, "segv") == 0)
		hit_a_hole();
	if (strcmp(f->what, "sigbus") == 0)
		hit_the_end();
	if (strcmp(f->what, "delay") == 0)
		wait_ms(strtoul(f->first, NULL, 0));
	if (strcmp(f->what, "rv") != 0)
		return 0;
	*rv = strtoul(f->first, NULL, 0);
	return 1;
}

static void
leak(size_t n)
{
	char *volatile lost = malloc(n);

	if (lost != NULL)
		memset(lost, 0x55, n);
}

static CK_RV
fault_sign(CK_SESSION_HANDLE s, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR sig, CK_ULONG_PTR sig_len)
{
	struct fault f = look_at("sign", slot_of(s));
	CK_BYTE unused[SIGNATURE_MAX];
	CK_ULONG unused_len = sizeof(unused);
	CK_RV rv;

	if (strike(&f, &rv)) {
		(void)real->C_Sign(s, data, len, unused, &unused_len);
		return rv;
	}
	if (strcmp(f.what, "leak") == 0)
		leak(strtoul(f.first, NULL, 0));
	rv = real->C_Sign(s, data, len, sig, sig_len);
	if (rv == CKR_OK && strcmp(f.what, "wrong") == 0)
		sig[*sig_len / 2] ^= 0x10;
	return rv;
}

/* A private key other than `mine` with the same EC parameters, and no login of its own. */
static CK_OBJECT_HANDLE
other_key(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE mine)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BBOOL always = CK_FALSE;
	CK_BYTE curve[64];
	CK_OBJECT_HANDLE found[16];
	CK_ATTRIBUTE like[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_EC_PARAMS, curve, sizeof(curve)},
	    {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)}};
	CK_ULONG count = 0;

	if (real->C_GetAttributeValue(s, mine, &like[1], 1) != CKR_OK ||
	    real->C_FindObjectsInit(s, like, 3) != CKR_OK)
		return mine;
	(void)real->C_FindObjects(s, found, 16, &count);
	(void)real->C_FindObjectsFinal(s);
	for (CK_ULONG i = 0; i < count; i++)
		if (found[i] != mine)
			return found[i];
	return mine;
}

static CK_RV
fault_sign_init(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
	struct fault f = look_at("signinit", slot_of(s));
	CK_RV rv;

	if (strike(&f, &rv))
		return rv;
	if (strcmp(f.what, "otherkey") == 0)
		key = other_key(s, key);
	return real->C_SignInit(s, mechanism, key);
}

static void
note(const char *line)
{
	const char *path = getenv("SIGNET_FAULT_COUNT");
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (path == NULL)
		return;
	/* a try that is not counted would make a test of PIN safety lie */
	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		abort();
	close(fd);
}

/* Wrong PINs since the last right one. */
static unsigned long
wrong_tries(void)
{
	const char *path = getenv("SIGNET_FAULT_COUNT");
	FILE *f = path == NULL ? NULL : fopen(path, "re");
	unsigned long n = 0;
	char line[16];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n = strcmp(line, "wrong\n") == 0 ? n + 1 : strcmp(line, "right\n") == 0 ? 0 : n;
	if (f != NULL)
		fclose(f);
	return n;
}

static CK_RV
fault_login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG len)
{
	struct fault f = look_at("login", slot_of(s));
	int counted = strcmp(f.what, "counted") == 0;
	CK_RV rv;

	note(user == CKU_CONTEXT_SPECIFIC ? "context\n" : "user\n");
	if (strike(&f, &rv))
		return rv;
	if (strcmp(f.what, "locked") == 0 || (counted && wrong_tries() >= strtoul(f.first, NULL, 0)))
		return CKR_PIN_LOCKED;
	if (strcmp(f.what, "incorrect") == 0)
		return CKR_PIN_INCORRECT;
	if (strcmp(f.what, "pad") == 0 && pin == NULL)
		rv = real->C_Login(s, user, (CK_UTF8CHAR_PTR)f.first, strlen(f.first));
	else
		rv = real->C_Login(s, user, pin, len);
	if (counted && rv == CKR_PIN_INCORRECT)
		note("wrong\n");
	else if (counted && rv == CKR_OK)
		note("right\n");
	return rv;
}

static CK_RV
fault_logout(CK_SESSION_HANDLE s)
{
	struct fault f = look_at("logout", slot_of(s));
	CK_RV rv;

	return strike(&f, &rv) ? rv : real->C_Logout(s);
}

/* Without the tokens that are out, and with one that is there twice. There is room for all of them and one more. */
static CK_ULONG
change_list(CK_SLOT_ID *list, CK_ULONG all)
{
	CK_ULONG n = 0;

	for (CK_ULONG i = 0; i < all; i++)
		if (strcmp(look_at("slots", list[i]).what, "absent") != 0)
			list[n++] = list[i];
	if (n > 0 && strcmp(look_at("slots", list[0]).what, "twin") == 0) {
		list[n] = list[0];
		n++;
	}
	return n;
}

static CK_RV
fault_slots(CK_BBOOL present, CK_SLOT_ID_PTR list, CK_ULONG_PTR count)
{
	struct fault f = look("slots");
	CK_SLOT_ID all[SLOTS_MAX + 1];
	CK_ULONG n = SLOTS_MAX;
	CK_RV rv;

	if (strike(&f, &rv))
		return rv;
	if (list == NULL) { /* some modules look for new readers only then */
		rv = real->C_GetSlotList(present, NULL, &n);
		n = SLOTS_MAX;
		if (rv != CKR_OK)
			return rv;
	}
	rv = real->C_GetSlotList(present, all, &n);
	if (rv != CKR_OK)
		return rv;
	if (present)
		n = change_list(all, n);
	if (list != NULL && n > *count)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (list != NULL)
		memcpy(list, all, n * sizeof(*list));
	*count = n;
	return rv;
}

static CK_RV
fault_open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR s)
{
	struct fault f = look_at("opensession", slot);
	CK_TOKEN_INFO about;
	CK_RV rv;

	if (strike(&f, &rv))
		return rv;
	if (strcmp(f.what, "limit") == 0 && real->C_GetTokenInfo(slot, &about) == CKR_OK &&
	    about.ulSessionCount != CK_UNAVAILABLE_INFORMATION && about.ulSessionCount >= strtoul(f.first, NULL, 0))
		return CKR_SESSION_COUNT;
	return real->C_OpenSession(slot, flags, application, notify, s);
}

/* A curious module. */
static CK_RV
fault_initialize(CK_VOID_PTR args)
{
	struct fault f = look("initialize");
	CK_RV rv;

	if (strike(&f, &rv))
		return rv;
	if (strcmp(f.what, "open") == 0) {
		int fd = open(f.first, O_RDONLY | O_CLOEXEC), other = open(f.first, O_WRONLY | O_CLOEXEC);

		note(fd >= 0 || other >= 0 ? "opened\n" : "refused\n");
		if (fd >= 0)
			close(fd);
		if (other >= 0)
			close(other);
	}
	return real->C_Initialize(args);
}

static int
is_absent(void)
{
	return strcmp(look("slots").what, "absent") == 0;
}

static CK_SLOT_ID
first_slot(void)
{
	CK_SLOT_ID slots[64] = {0};
	CK_ULONG count = 64;

	(void)real->C_GetSlotList(CK_TRUE, slots, &count);
	return slots[0];
}

static CK_RV
fault_wait(CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved)
{
	int before = is_absent();
	struct fault f = look("wait");
	CK_RV rv;

	if (strike(&f, &rv))
		return rv;
	if (strcmp(f.what, "works") != 0 || (flags & CKF_DONT_BLOCK) != 0)
		return real->C_WaitForSlotEvent(flags, slot, reserved);
	do {
		wait_ms(20);
		f = look("wait");
		if (strike(&f, &rv))
			return rv;
	} while (is_absent() == before);
	*slot = first_slot();
	return CKR_OK;
}

static CK_RV
fault_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR about)
{
	struct fault f = look_at("tokeninfo", slot);
	CK_RV rv;

	if (strike(&f, &rv))
		return rv;
	rv = real->C_GetTokenInfo(slot, about);
	if (rv != CKR_OK)
		return rv;
	if (strcmp(f.what, "flags") == 0) {
		about->flags |= strtoul(f.first, NULL, 0);
		about->flags &= ~strtoul(f.second, NULL, 0);
	} else if (strcmp(f.what, "pinlen") == 0) {
		about->ulMinPinLen = strtoul(f.first, NULL, 0);
		about->ulMaxPinLen = strtoul(f.second, NULL, 0);
	} else if (strcmp(f.what, "noserial") == 0) {
		memset(about->serialNumber, ' ', sizeof(about->serialNumber));
	} else if (strcmp(f.what, "serial") == 0) {
		memset(about->serialNumber, ' ', sizeof(about->serialNumber));
		memcpy(about->serialNumber, f.first, strnlen(f.first, sizeof(about->serialNumber)));
	}
	return CKR_OK;
}

static void
load(void)
{
	const char *path = getenv("SIGNET_FAULT_MODULE");
	CK_C_GetFunctionList get = NULL;
	void *handle = dlopen(path != NULL ? path : "/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);

	if (handle != NULL)
		*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get == NULL || get(&real) != CKR_OK)
		return;
	faulty = *real;
	faulty.C_Initialize = fault_initialize;
	faulty.C_OpenSession = fault_open_session;
	faulty.C_Sign = fault_sign;
	faulty.C_SignInit = fault_sign_init;
	faulty.C_Login = fault_login;
	faulty.C_Logout = fault_logout;
	faulty.C_GetSlotList = fault_slots;
	faulty.C_WaitForSlotEvent = fault_wait;
	faulty.C_GetTokenInfo = fault_token_info;
}

EXPORT CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (real == NULL)
		return CKR_LIBRARY_LOAD_FAILED;
	faulty.C_GetFunctionList = C_GetFunctionList;
	*list = &faulty;
	return CKR_OK;
}
