/*
 * The frames of ask.h as bytes. A decoder accepts what the encoder of the same
 * build can have written, and nothing else: signet-format reads what strangers
 * made, so the broker does not believe what comes out of it.
 */
#include "format/ask.h"

#include <assert.h>
#include <string.h>

enum { SIZE_FIELD = 4, HEAD = SIZE_FIELD + 1 };

static const struct {
	const char *word;
	bool bad;
} verdicts[VERDICT_COUNT] = {
    [VERDICT_GOOD] = {"good", false},
    [VERDICT_EXPIRED] = {"expired", true},
    [VERDICT_NOT_YET_VALID] = {"not-yet-valid", true},
    [VERDICT_REVOKED] = {"revoked", true},
    [VERDICT_USAGE] = {"usage", true},
    [VERDICT_BROKEN] = {"broken", true},
    [VERDICT_UNTRUSTED] = {"untrusted", false},
    [VERDICT_NO_REVOCATION] = {"no-revocation", false},
};

const char *
ask_verdict_word(enum ask_verdict v)
{
	return verdicts[v].word;
}

bool
ask_verdict_is_bad(enum ask_verdict v)
{
	return verdicts[v].bad;
}

size_t
ask_next(const uint8_t *bytes, size_t len)
{
	size_t size;

	if (len < SIZE_FIELD)
		return 0;
	size = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
	if (size < HEAD - SIZE_FIELD || size > ASK_FRAME_MAX - SIZE_FIELD)
		return SIZE_MAX;
	return len - SIZE_FIELD < size ? 0 : size + SIZE_FIELD;
}

static size_t
frame_begin(struct buf *out, enum ask_type type)
{
	size_t at = out->len;

	buf_u32(out, 0);
	buf_u8(out, (uint8_t)type);
	return at;
}

static void
frame_end(struct buf *out, size_t at)
{
	size_t size = out->len - at - SIZE_FIELD;

	if (out->failed)
		return;
	for (int i = 0; i < SIZE_FIELD; i++)
		out->data[at + (size_t)i] = (uint8_t)(size >> 8 * i);
}

static bool
frame_open(struct cursor *c, const uint8_t *frame, size_t len, uint8_t *type)
{
	if (len == 0 || ask_next(frame, len) != len)
		return false;
	cur_init(c, frame + SIZE_FIELD, len - SIZE_FIELD);
	*type = cur_u8(c);
	return true;
}

static void
put_text(struct buf *out, const char *s)
{
	buf_bytes16(out, s, strlen(s));
}

static void
put_blob(struct buf *out, const struct ask_blob *b)
{
	buf_u32(out, (uint32_t)b->len);
	if (b->len > 0)
		buf_put(out, b->bytes, b->len);
}

static void
get_blob(struct cursor *c, struct ask_blob *b)
{
	uint32_t n = cur_u32(c);

	if (n > ASK_BLOB_MAX)
		c->failed = true;
	b->bytes = cur_take(c, c->failed ? 0 : n);
	b->len = c->failed ? 0 : n;
}

static void
put_files(struct buf *out, uint16_t count, const char (*files)[ASK_PATH_SIZE])
{
	buf_u16(out, count);
	for (size_t i = 0; i < count; i++)
		put_text(out, files[i]);
}

static void
get_files(struct cursor *c, uint16_t *count, char (*files)[ASK_PATH_SIZE])
{
	*count = cur_u16(c);
	if (*count > ASK_FILES_MAX) {
		c->failed = true;
		*count = 0;
	}
	for (size_t i = 0; i < *count; i++)
		cur_str16(c, files[i], ASK_PATH_SIZE);
}

void
ask_put(struct buf *out, const struct ask *a)
{
	size_t at = frame_begin(out, (enum ask_type)a->type);

	assert(a->blob_count <= ASK_CERTS_MAX);
	if (a->type == ASK_CONFIG) {
		buf_u8(out, a->confine);
		put_files(out, a->anchor_count, a->anchors);
		put_files(out, a->intermediate_count, a->intermediates);
		put_text(out, a->crls);
	} else {
		buf_u8(out, a->purpose);
		buf_u64(out, (uint64_t)a->now);
		buf_u8(out, a->blob_count);
		for (size_t i = 0; i < a->blob_count; i++)
			put_blob(out, &a->blobs[i]);
	}
	frame_end(out, at);
}

/* How many blobs a question of this type has. */
static bool
blobs_fit(uint8_t type, uint8_t count)
{
	switch (type) {
	case ASK_CHECK:
		return count >= 1 && count <= ASK_CERTS_MAX;
	case ASK_ADD_STAMP:
		return count == 2;
	default:
		return count == 1;
	}
}

signet_err
ask_get(struct ask *a, const uint8_t *frame, size_t len)
{
	struct cursor c;

	memset(a, 0, offsetof(struct ask, anchors));
	a->blob_count = 0;
	if (!frame_open(&c, frame, len, &a->type) || a->type < ASK_CONFIG || a->type >= ASK_ANSWER)
		return SIGNET_ERR_PROTOCOL;
	if (a->type == ASK_CONFIG) {
		a->confine = cur_u8(&c);
		get_files(&c, &a->anchor_count, a->anchors);
		get_files(&c, &a->intermediate_count, a->intermediates);
		cur_str16(&c, a->crls, sizeof(a->crls));
		return cur_done(&c) && a->confine <= 1 ? SIGNET_OK : SIGNET_ERR_PROTOCOL;
	}
	a->purpose = cur_u8(&c);
	a->now = (int64_t)cur_u64(&c);
	a->blob_count = cur_u8(&c);
	if (c.failed || a->purpose > ASK_FOR_STAMPS || !blobs_fit(a->type, a->blob_count))
		return SIGNET_ERR_PROTOCOL;
	for (size_t i = 0; i < a->blob_count; i++)
		get_blob(&c, &a->blobs[i]);
	return cur_done(&c) ? SIGNET_OK : SIGNET_ERR_PROTOCOL;
}

void
ask_answer_put(struct buf *out, const struct ask_answer *a)
{
	size_t at = frame_begin(out, ASK_ANSWER);

	buf_u16(out, a->err);
	buf_u8(out, a->verdict);
	put_text(out, a->reason);
	put_blob(out, &a->blob);
	frame_end(out, at);
}

signet_err
ask_answer_get(struct ask_answer *a, const uint8_t *frame, size_t len)
{
	struct cursor c;
	uint8_t type;

	if (!frame_open(&c, frame, len, &type) || type != ASK_ANSWER)
		return SIGNET_ERR_PROTOCOL;
	a->err = cur_u16(&c);
	a->verdict = cur_u8(&c);
	cur_str16(&c, a->reason, sizeof(a->reason));
	/* it goes into errors and the journal: printable ASCII is what signet-format writes */
	for (const char *p = a->reason; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			c.failed = true;
	get_blob(&c, &a->blob);
	if (!cur_done(&c) || a->err >= SIGNET_ERR_COUNT || a->verdict >= VERDICT_COUNT)
		return SIGNET_ERR_PROTOCOL;
	return SIGNET_OK;
}
