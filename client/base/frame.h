/*
 * Varlink framing: one JSON object and one NUL byte per message
 * [varlink.org, Method-Call]. Works on a receive buffer; a message is complete
 * when its NUL has arrived. Bytes already scanned are not scanned again.
 */
#ifndef SIGNET_BASE_FRAME_H
#define SIGNET_BASE_FRAME_H

#include "base/buf.h"

struct frame_scan {
	size_t seen; /* bytes at the front of the buffer known to hold no NUL */
};

enum frame_state {
	FRAME_PARTIAL,	/* more bytes are needed */
	FRAME_COMPLETE, /* *len bytes, then a NUL, stand at the front of the buffer */
	FRAME_TOO_LONG, /* more than JSON_MESSAGE_MAX bytes without a NUL */
};

enum frame_state frame_next(struct frame_scan *s, const struct buf *in, size_t *len);
/* Remove the message that frame_next reported, with its NUL. */
void frame_drop(struct frame_scan *s, struct buf *in, size_t len);

#endif
