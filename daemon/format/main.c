/*
 * signet-format: the process for all ASN.1 that needs no key.
 *
 * Started by signetd, with one socket, and by nobody else. It reads the
 * authorities' certificates, locks itself in, and answers questions until the
 * broker closes the socket. It holds no module, no PIN and no state but the
 * revocation lists that it has read; a crash costs one answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "format/confine.h"
#include "format/serve.h"

static struct buf in, out;

/* One whole frame at the front of `in`; ends the process where none can come any more. */
static size_t
receive(void)
{
	size_t len;

	while ((len = ask_next(in.data, in.len)) == 0) {
		uint8_t *room = buf_room(&in, 16 * 1024);
		ssize_t n = room == NULL ? -1 : recv(SIGNET_FORMAT_FD, room, 16 * 1024, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(n == 0 ? EX_OK : EX_OSERR);
		in.len += (size_t)n;
	}
	if (len == SIZE_MAX)
		_exit(EX_PROTOCOL);
	return len;
}

static void
send_out(void)
{
	size_t at = 0;

	if (out.failed)
		_exit(EX_SOFTWARE);
	while (at < out.len) {
		ssize_t n = send(SIGNET_FORMAT_FD, out.data + at, out.len - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			_exit(EX_OK);
		if (n > 0)
			at += (size_t)n;
	}
	buf_reset(&out);
}

static void
receive_ask(struct ask *a)
{
	if (ask_get(a, in.data, receive()) != SIGNET_OK)
		_exit(EX_PROTOCOL);
}

/* The answer to CONFIG: ready, and what could not be read; or why it must not go on. */
static void
set_up(struct chain_trust *trust, const struct ask *config)
{
	struct ask_answer answer = {.err = SIGNET_OK};

	if (chain_trust_init(trust, config, answer.reason, sizeof(answer.reason)) != SIGNET_OK)
		_exit(EX_OSERR);
	if (config->confine && !format_confine(config->crls, answer.reason, sizeof(answer.reason)))
		answer.err = SIGNET_ERR_UNSUPPORTED;
	for (char *p = answer.reason; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	ask_answer_put(&out, &answer);
	send_out();
	if (answer.err != SIGNET_OK)
		_exit(EX_CONFIG);
}

static void
block(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		_exit(EX_OSERR);
}

int
main(int argc, char **argv)
{
	static struct chain_trust trust;
	static struct ask a;

	(void)argv;
	if (argc > 1) {
		fputs("signet-format is started by signetd only\n", stderr);
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	format_confine_process(SIGNET_FORMAT_FD);
	block(SIGNET_FORMAT_FD);
	buf_init(&in, ASK_FRAME_MAX + 16 * 1024);
	buf_init(&out, ASK_FRAME_MAX);
	receive_ask(&a);
	if (a.type != ASK_CONFIG)
		_exit(EX_PROTOCOL);
	set_up(&trust, &a);
	for (;;) {
		size_t len;

		buf_consume(&in, ask_next(in.data, in.len));
		len = receive();
		if (ask_get(&a, in.data, len) != SIGNET_OK || a.type == ASK_CONFIG)
			_exit(EX_PROTOCOL);
		serve(&trust, &a, &out);
		send_out();
	}
}
