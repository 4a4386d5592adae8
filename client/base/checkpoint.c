/*
 * The text of a checkpoint: origin, size, root [C2SP tlog-checkpoint v1.0.0].
 * Lines after the third are extensions: allowed, passed over.
 */
#include <string.h>

#include "base/base64.h"
#include "base/note.h"
#include "base/note_text.h"

void
checkpoint_write(struct buf *out, const struct checkpoint *c)
{
	buf_str(out, c->origin);
	buf_chr(out, '\n');
	buf_dec(out, c->size);
	buf_chr(out, '\n');
	buf_base64(out, c->root, sizeof(c->root));
	buf_chr(out, '\n');
}

static bool
parse_root(uint8_t root[NOTE_HASH], const char *text, size_t len)
{
	size_t n = NOTE_HASH;

	return base64_decode(text, len, root, &n) == SIGNET_OK && n == NOTE_HASH;
}

signet_err
checkpoint_parse(struct checkpoint *c, const char *text, size_t len)
{
	struct checkpoint parsed = {0};
	const char *line;
	size_t n;

	if (len > NOTE_MAX || !note_text_ok(text, len))
		return SIGNET_ERR_PROTOCOL;
	if (!note_line(&text, &len, &line, &n) || n == 0 || n > NOTE_NAME_MAX)
		return SIGNET_ERR_PROTOCOL;
	memcpy(parsed.origin, line, n);
	if (!note_line(&text, &len, &line, &n) || !note_number(line, n, &parsed.size))
		return SIGNET_ERR_PROTOCOL;
	if (!note_line(&text, &len, &line, &n) || !parse_root(parsed.root, line, n))
		return SIGNET_ERR_PROTOCOL;
	while (note_line(&text, &len, &line, &n)) {
		if (n == 0)
			return SIGNET_ERR_PROTOCOL;
	}
	if (len > 0) /* a line that does not end */
		return SIGNET_ERR_PROTOCOL;
	*c = parsed;
	return SIGNET_OK;
}

signet_err
checkpoint_open(struct checkpoint *c, const char *note, size_t len, const struct note_key *k)
{
	struct checkpoint opened;
	size_t text_len;
	signet_err err;

	err = note_verify(note, len, k, &text_len);
	if (err != SIGNET_OK)
		return err;
	err = checkpoint_parse(&opened, note, text_len);
	if (err != SIGNET_OK)
		return err;
	if (strcmp(opened.origin, k->name) != 0)
		return SIGNET_ERR_VERIFY;
	*c = opened;
	return SIGNET_OK;
}
