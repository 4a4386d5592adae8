/*
 * The way of a peer's bytes: frames, JSON, then call and reply. How the bytes
 * were cut on their way in changes nothing, and what was accepted reads the
 * same after it was written again.
 */
#include <assert.h>
#include <string.h>

#include "base/call.h"
#include "base/frame.h"
#include "fuzz.h"

static json_t *
read_frame(const struct buf *b)
{
	json_t *message = NULL;
	signet_err err;

	assert(!b->failed && b->len >= 2 && b->data[b->len - 1] == '\0');
	err = json_read(&message, (const char *)b->data, b->len - 1, NULL);
	/* LIMIT only because 1e9 is written as 1000000000.0 */
	assert(err == SIGNET_OK || err == SIGNET_ERR_LIMIT);
	return message;
}

static void
check_call(json_t *message)
{
	struct call c, again;
	json_t *back;
	struct buf b;

	if (call_parse(&c, message) != SIGNET_OK)
		return;
	assert(c.method != NULL && json_is_object(c.parameters));
	buf_init(&b, 8 * JSON_MESSAGE_MAX);
	call_write(&b, c.method, c.parameters, c.more, c.oneway);
	back = read_frame(&b);
	if (back != NULL) {
		assert(call_parse(&again, back) == SIGNET_OK);
		assert(strcmp(c.method, again.method) == 0 && json_equal(c.parameters, again.parameters));
		assert(c.more == again.more && c.oneway == again.oneway && !again.upgrade);
		json_decref(back);
		call_done(&again);
	}
	buf_done(&b);
	call_done(&c);
}

static void
check_reply(json_t *message)
{
	struct reply r, again;
	json_t *back;
	struct buf b;

	if (reply_parse(&r, message) != SIGNET_OK)
		return;
	assert(json_is_object(r.parameters));
	buf_init(&b, 8 * JSON_MESSAGE_MAX);
	if (r.error != NULL)
		reply_write_error(&b, r.error, r.parameters);
	else
		reply_write(&b, r.parameters, r.continues);
	back = read_frame(&b);
	if (back != NULL) {
		assert(reply_parse(&again, back) == SIGNET_OK);
		assert((r.error == NULL) == (again.error == NULL));
		assert(r.error == NULL || strcmp(r.error, again.error) == 0);
		assert(r.error != NULL || r.continues == again.continues);
		assert(json_equal(r.parameters, again.parameters));
		json_decref(back);
		reply_done(&again);
	}
	buf_done(&b);
	reply_done(&r);
}

static void
check_message(const struct buf *in, size_t len)
{
	json_t *message;

	if (json_read(&message, (const char *)in->data, len, NULL) != SIGNET_OK)
		return;
	check_call(message);
	json_decref(message);
	/* read anew: a parsed call has got its empty parameters */
	if (json_read(&message, (const char *)in->data, len, NULL) != SIGNET_OK)
		return;
	check_reply(message);
	json_decref(message);
}

/* Feed the bytes `step` at a time; the number of messages found. */
static size_t
feed(const uint8_t *data, size_t size, size_t step, bool check)
{
	struct frame_scan scan = {0};
	size_t at, n, len, left, messages = 0;
	enum frame_state state;
	struct buf in;

	buf_init_secret(&in, size);
	for (at = 0; at < size; at += n) {
		n = size - at < step ? size - at : step;
		buf_put(&in, data + at, n);
		while ((state = frame_next(&scan, &in, &len)) == FRAME_COMPLETE) {
			assert(len <= JSON_MESSAGE_MAX && in.data[len] == '\0');
			assert(memchr(in.data, 0, len) == NULL);
			if (check)
				check_message(&in, len);
			left = in.len;
			frame_drop(&scan, &in, len);
			assert(in.len == left - len - 1);
			messages++;
		}
		if (state == FRAME_TOO_LONG)
			break;
	}
	assert(!in.failed);
	buf_done(&in);
	return messages;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t messages = feed(data, size, size, true);

	assert(feed(data, size, 1, false) == messages);
	assert(feed(data, size, 7, false) == messages);
	return 0;
}
