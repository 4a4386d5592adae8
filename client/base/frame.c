/*
 * Finds the NUL that ends a message [varlink.org, Method-Call].
 *
 * Invariant: data[0, seen) holds no NUL and seen <= JSON_MESSAGE_MAX + 1, so a
 * message that trickles in byte by byte is scanned once.
 */
#include <string.h>

#include "base/frame.h"
#include "base/json.h"

enum frame_state
frame_next(struct frame_scan *s, const struct buf *in, size_t *len)
{
	/* the NUL of the longest message stands at JSON_MESSAGE_MAX: nothing behind it matters */
	size_t end = in->len <= JSON_MESSAGE_MAX ? in->len : JSON_MESSAGE_MAX + 1;
	const uint8_t *nul = NULL;

	if (end > s->seen)
		nul = memchr(in->data + s->seen, 0, end - s->seen);
	if (nul != NULL) {
		*len = (size_t)(nul - in->data);
		return FRAME_COMPLETE;
	}
	s->seen = end;
	return end > JSON_MESSAGE_MAX ? FRAME_TOO_LONG : FRAME_PARTIAL;
}

void
frame_drop(struct frame_scan *s, struct buf *in, size_t len)
{
	buf_consume(in, len + 1);
	s->seen = 0;
}
