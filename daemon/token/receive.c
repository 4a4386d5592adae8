/* What a process of ours is told before it loads anything: exactly so many bytes, so that nothing of a later frame is taken along. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "token/once.h"

void
receive_exactly(uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(SIGNET_TOKEN_FD, out, n, MSG_WAITALL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(got == 0 ? EX_OK : EX_OSERR);
		out += got;
		n -= (size_t)got;
	}
}

struct wire_config *
receive_config(void)
{
	struct wire_config *c = malloc(sizeof(*c));
	uint8_t *frame = malloc(WIRE_FRAME_MAX);
	size_t len = 4; /* the size field, then what it announces */

	if (c == NULL || frame == NULL)
		_exit(EX_OSERR);
	receive_exactly(frame, len);
	len += (size_t)frame[0] | (size_t)frame[1] << 8 | (size_t)frame[2] << 16 | (size_t)frame[3] << 24;
	if (wire_next(frame, 4, WIRE_FRAME_MAX) != 0)
		_exit(EX_PROTOCOL);
	receive_exactly(frame + 4, len - 4);
	if (wire_get_config(c, frame, len) != SIGNET_OK)
		_exit(EX_PROTOCOL);
	free(frame);
	return c;
}
