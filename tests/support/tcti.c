/*
 * libsignet-tcti.so: how tpm2-pkcs11 reaches a simulated TPM over a Unix socket,
 * for tests. TPM2_PKCS11_TCTI=FILE-OF-THIS-LIBRARY:SOCKET, where SOCKET is the
 * server socket of `swtpm socket --server type=unixio`, which speaks bare TPM
 * commands and responses. The stack's own way to swtpm is TCP, which a worker
 * may not open.
 *
 * The shapes are those of the TCG's "TSS 2.0 TPM Command Transmission Interface
 * (TCTI) API Specification", 1.0 r18, chapter 3: a table of functions, version 2.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { HEADER = 10, RESPONSE_MAX = 4096 };
#define MAGIC UINT64_C(0x7369676e65747470)
#define RC(n) (UINT32_C(0x000a0000) | (n)) /* layer TCTI */
enum { NOT_IMPLEMENTED = 2, INSUFFICIENT_BUFFER = 6, TRY_AGAIN = 9, IO_ERROR = 10, BAD_VALUE = 11 };

struct tcti {
	uint64_t magic;
	uint32_t version;
	uint32_t (*transmit)(struct tcti *, size_t, const uint8_t *);
	uint32_t (*receive)(struct tcti *, size_t *, uint8_t *, int32_t);
	void (*finalize)(struct tcti *);
	uint32_t (*cancel)(struct tcti *);
	uint32_t (*get_poll_handles)(struct tcti *, void *, size_t *);
	uint32_t (*set_locality)(struct tcti *, uint8_t);
	uint32_t (*make_sticky)(struct tcti *, uint32_t *, uint8_t);
	int fd; /* -1: no command is under way */
	struct sockaddr_un at;
	size_t got; /* of the response */
	uint8_t in[RESPONSE_MAX];
};

struct info {
	uint32_t version;
	const char *name, *description, *config_help;
	uint32_t (*init)(struct tcti *, size_t *, const char *);
};

static void
hang_up(struct tcti *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* The simulator serves one connection at a time, and the stack has several contexts: a connection per command. */
static uint32_t
dial(struct tcti *t)
{
	hang_up(t);
	t->got = 0;
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return t->fd >= 0 && connect(t->fd, (struct sockaddr *)&t->at, sizeof(t->at)) == 0 ? 0 : RC(IO_ERROR);
}

static uint32_t
transmit(struct tcti *t, size_t size, const uint8_t *command)
{
	if (dial(t) != 0)
		return RC(IO_ERROR);
	while (size > 0) {
		ssize_t n = send(t->fd, command, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return RC(IO_ERROR);
		command += n;
		size -= (size_t)n;
	}
	return 0;
}

/* What the header says, once it is there. */
static size_t
response_size(const struct tcti *t)
{
	if (t->got < HEADER)
		return 0;
	return (size_t)t->in[2] << 24 | (size_t)t->in[3] << 16 | (size_t)t->in[4] << 8 | t->in[5];
}

static uint32_t
receive(struct tcti *t, size_t *size, uint8_t *response, int32_t timeout)
{
	while (response_size(t) == 0 || t->got < response_size(t)) {
		struct pollfd p = {.fd = t->fd, .events = POLLIN};
		int ready = poll(&p, 1, timeout);
		ssize_t n;

		if (ready == 0)
			return RC(TRY_AGAIN);
		if (ready < 0 && errno == EINTR)
			continue;
		n = ready < 0 ? -1 : recv(t->fd, t->in + t->got, sizeof(t->in) - t->got, 0);
		if (n <= 0 || response_size(t) > sizeof(t->in))
			return RC(IO_ERROR);
		t->got += (size_t)n;
	}
	if (response == NULL) {
		*size = response_size(t);
		return 0;
	}
	if (*size < response_size(t))
		return RC(INSUFFICIENT_BUFFER);
	*size = response_size(t);
	memcpy(response, t->in, *size);
	hang_up(t);
	return 0;
}

static void
finalize(struct tcti *t)
{
	hang_up(t);
}

static uint32_t
cannot_cancel(struct tcti *t)
{
	(void)t;
	return RC(NOT_IMPLEMENTED);
}

static uint32_t
no_handles(struct tcti *t, void *handles, size_t *count)
{
	(void)t;
	(void)handles;
	(void)count;
	return RC(NOT_IMPLEMENTED);
}

static uint32_t
no_locality(struct tcti *t, uint8_t locality)
{
	(void)t;
	(void)locality;
	return RC(NOT_IMPLEMENTED);
}

static uint32_t
not_sticky(struct tcti *t, uint32_t *handle, uint8_t sticky)
{
	(void)t;
	(void)handle;
	(void)sticky;
	return RC(NOT_IMPLEMENTED);
}

static uint32_t
init(struct tcti *t, size_t *size, const char *path)
{
	if (size == NULL || path == NULL || strlen(path) >= sizeof(t->at.sun_path))
		return RC(BAD_VALUE);
	*size = sizeof(*t);
	if (t == NULL)
		return 0;
	memset(t, 0, sizeof(*t));
	t->magic = MAGIC;
	t->version = 2;
	t->transmit = transmit;
	t->receive = receive;
	t->finalize = finalize;
	t->cancel = cannot_cancel;
	t->get_poll_handles = no_handles;
	t->set_locality = no_locality;
	t->make_sticky = not_sticky;
	t->at.sun_family = AF_UNIX;
	strcpy(t->at.sun_path, path);
	t->fd = -1;
	return 0;
}

EXPORT const struct info *Tss2_Tcti_Info(void);

const struct info *
Tss2_Tcti_Info(void)
{
	static const struct info info = {2, "signet-tcti", "a TPM simulator behind a Unix socket", "path of the socket", init};

	return &info;
}
