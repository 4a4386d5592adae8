/*
 * Frames between broker and worker, whichever end wrote them. What decodes must
 * encode to the same bytes again: there is one way to write each record.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "token/wire.h"

static void
same_again(const struct buf *out, const uint8_t *frame, size_t len)
{
	if (out->failed || out->len != len || memcmp(out->data, frame, len) != 0)
		abort();
}

static void
try_config(struct buf *out, const uint8_t *frame, size_t len)
{
	static struct wire_config c;

	if (wire_get_config(&c, frame, len) != SIGNET_OK)
		return;
	wire_put_config(out, &c);
	same_again(out, frame, len);
}

static void
try_info(struct buf *out, const uint8_t *frame, size_t len)
{
	static struct wire_info i;

	if (wire_get_info(&i, frame, len) != SIGNET_OK)
		return;
	wire_put_info(out, &i);
	wire_info_done(&i);
	same_again(out, frame, len);
}

static void
try_result(struct buf *out, const uint8_t *frame, size_t len)
{
	struct wire_result r;

	if (wire_get_result(&r, frame, len) != SIGNET_OK)
		return;
	wire_put_result(out, &r);
	same_again(out, frame, len);
}

static void
try_seen(struct buf *out, const uint8_t *frame, size_t len)
{
	struct wire_seen s;

	if (wire_get_seen(&s, frame, len) != SIGNET_OK)
		return;
	wire_put_seen(out, &s);
	wire_seen_done(&s);
	same_again(out, frame, len);
}

/* Decoding wipes the PIN, so it works on a copy. */
static void
try_job(struct buf *out, const uint8_t *frame, size_t len)
{
	uint8_t *copy = malloc(len);
	struct wire_job j;

	if (copy == NULL)
		return;
	memcpy(copy, frame, len);
	if (wire_get_job(&j, copy, len) == SIGNET_OK) {
		j.pin = j.pin_in;
		wire_put_job(out, &j);
		wire_job_done(&j);
		same_again(out, frame, len);
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct buf *, const uint8_t *, size_t) = {
	    try_config, try_info, try_result, try_job, try_seen};
	size_t len;

	while ((len = wire_next(data, size, WIRE_FRAME_MAX)) != 0 && len != SIZE_MAX) {
		for (size_t i = 0; i < array_len(tries); i++) {
			struct buf out;

			buf_init_secret(&out, WIRE_FRAME_MAX);
			tries[i](&out, data, len);
			buf_done(&out);
		}
		data += len;
		size -= len;
	}
	return 0;
}
