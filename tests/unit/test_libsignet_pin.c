/*
 * Where a PIN lies in a program that uses libsignet: in its `secret` while that
 * lives, and nowhere after. The test reads all memory that it may write to.
 *
 * The daemon is a child process, so that what it reads is not found here, and
 * the PIN exists only masked until it is handed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signet/signet.h>

#include "unit.h"

enum { MASK = 0x80, PIN_SIZE = 16 };

static const uint8_t masked[PIN_SIZE] = {'p' | MASK, '"' | MASK, '7' | MASK, 'k' | MASK, '\\' | MASK,
    '2' | MASK, 'Q' | MASK, 'x' | MASK, '9' | MASK, 'w' | MASK, 'Z' | MASK, '4' | MASK, 'v' | MASK,
    'J' | MASK, '8' | MASK, 'm' | MASK};

/* The tail has nothing that JSON escapes: it is found in the frame as in the PIN. */
enum { NEEDLE_AT = 5 };

static size_t
count_in(const uint8_t *p, size_t n)
{
	size_t at, i, hits = 0;

	for (at = 0; at + PIN_SIZE - NEEDLE_AT <= n; at++) {
		for (i = NEEDLE_AT; i < PIN_SIZE && (p[at + i - NEEDLE_AT] ^ masked[i]) == MASK; i++)
			;
		hits += i == PIN_SIZE;
	}
	return hits;
}

static size_t
copies_in_memory(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], mode[8];
	size_t hits = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && strncmp(mode, "rw", 2) == 0)
			hits +=
			    count_in((const uint8_t *)from, to - from); /* NOLINT: that is what it is for */
	}
	(void)fclose(maps);
	return hits;
}

static const char signed_reply[] =
    "{\"parameters\":{\"signature\":\"AQID\",\"receipt\":{\"log\":\"l\",\"index\":7,\"time\":\"t\","
    "\"entry\":\"{}\",\"leafHash\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"},\"state\":\"done\"}}";
static const char unlocked_reply[] =
    "{\"parameters\":{\"token\":\"t\",\"uses\":1,\"until\":\"2025-03-01T08:30:00Z\"}}";
static const char refused_reply[] =
    "{\"error\":\"org.signetd.Token.PinIncorrect\",\"parameters\":{\"message\":\"No.\"}}";

/* One connection; each frame must hold the PIN once. Ends with the connection: 0, or 1 if one did not. */
static int
serve(int listener)
{
	const char *replies[] = {signed_reply, unlocked_reply, refused_reply};
	static uint8_t frame[65536];
	size_t n, i;
	int fd = accept(listener, NULL, NULL);

	for (i = 0; i < 3; i++) {
		n = 0;
		do {
			ssize_t got = recv(fd, frame + n, sizeof(frame) - n, 0);

			if (got <= 0)
				return 1;
			n += (size_t)got;
		} while (frame[n - 1] != '\0');
		if (count_in(frame, n) != 1)
			return 1;
		if (send(fd, replies[i], strlen(replies[i]) + 1, MSG_NOSIGNAL) < 0)
			return 1;
	}
	return recv(fd, frame, sizeof(frame), 0) == 0 ? 0 : 1;
}

static signet_pin *
make_pin(void)
{
	uint8_t bytes[PIN_SIZE];
	signet_pin *pin = NULL;
	size_t i;

	for (i = 0; i < PIN_SIZE; i++)
		bytes[i] = (uint8_t)(masked[i] & ~(unsigned)MASK);
	assert_int_equal(signet_pin_new(&pin, bytes, sizeof(bytes)), SIGNET_OK);
	return pin;
}

static void
use_pin(signet_conn *conn, const signet_pin *pin)
{
	static const uint8_t digest[SIGNET_DIGEST_MAX];
	signet_options o = SIGNET_OPTIONS_INIT;
	signet_result *r = NULL;

	o.pin = pin;
	assert_int_equal(signet_sign(conn, "k", SIGNET_SHA256, digest, &o, &r), SIGNET_OK);
	signet_result_free(r);
	assert_int_equal(signet_unlock(conn, "t", pin, 1, 1, false, NULL, NULL), SIGNET_OK);
	assert_int_equal(signet_unlock(conn, "t", pin, 1, 1, false, NULL, NULL), SIGNET_ERR_PIN_INCORRECT);
}

static void
no_copy_of_a_pin_is_left_behind(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/libsignet.XXXXXX";
	signet_conn *conn = NULL;
	signet_pin *pin;
	int listener, status;
	pid_t child;

	(void)state;
#ifdef SIGNET_SANITIZED
	skip(); /* the sanitizers' own memory is not to be read */
#endif
	assert_non_null(mkdtemp(folder));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	child = fork();
	if (child == 0)
		_exit(serve(listener));
	assert_int_equal(copies_in_memory(), 0);
	assert_int_equal(signet_connect(&conn, address.sun_path), SIGNET_OK);
	pin = make_pin();
	assert_int_equal(copies_in_memory(), 1);
	use_pin(conn, pin);
	assert_int_equal(copies_in_memory(), 1);
	signet_pin_free(pin);
	assert_int_equal(copies_in_memory(), 0);
	signet_close(conn);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)close(listener);
	(void)unlink(address.sun_path);
	(void)rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_copy_of_a_pin_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
