/*
 * Frames between broker and signet-format, and what signet-format does with the
 * questions: certificates, CMS and revocation lists as strangers make them.
 * What decodes must encode to the same bytes again; every question is answered,
 * and the answer can be read.
 */
#include <stdlib.h>
#include <string.h>

#include "format/serve.h"
#include "fuzz.h"

static void
same_again(const struct buf *out, const uint8_t *frame, size_t len)
{
	if (out->failed || out->len != len || memcmp(out->data, frame, len) != 0)
		abort();
}

/* One that believes in nobody, and has no lists. */
static struct chain_trust *
nobody(void)
{
	static struct chain_trust trust;
	static struct ask none;
	char reason[ASK_REASON_SIZE] = "";

	if (trust.anchors == NULL && chain_trust_init(&trust, &none, reason, sizeof(reason)) != SIGNET_OK)
		abort();
	return &trust;
}

static void
try_ask(const uint8_t *frame, size_t len)
{
	static struct ask a;
	struct ask_answer answer;
	struct buf out;

	if (ask_get(&a, frame, len) != SIGNET_OK)
		return;
	buf_init(&out, ASK_FRAME_MAX);
	ask_put(&out, &a);
	same_again(&out, frame, len);
	buf_reset(&out);
	if (a.type != ASK_CONFIG) {
		serve(nobody(), &a, &out);
		if (ask_answer_get(&answer, out.data, out.len) != SIGNET_OK)
			abort();
	}
	buf_done(&out);
}

static void
try_answer(const uint8_t *frame, size_t len)
{
	struct ask_answer a;
	struct buf out;

	if (ask_answer_get(&a, frame, len) != SIGNET_OK)
		return;
	buf_init(&out, ASK_FRAME_MAX);
	ask_answer_put(&out, &a);
	same_again(&out, frame, len);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;

	while ((len = ask_next(data, size)) != 0 && len != SIZE_MAX) {
		try_ask(data, len);
		try_answer(data, len);
		data += len;
		size -= len;
	}
	return 0;
}
