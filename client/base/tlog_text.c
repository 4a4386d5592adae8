/*
 * What of the tree is text: proofs [C2SP tlog-proof] and the paths of tiles
 * [C2SP tlog-tiles]. A proof has one form only; an `extra` line is allowed and
 * passed over.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/note_text.h"
#include "base/tlog.h"

static const char magic[] = "c2sp.org/tlog-proof@v1";

void
tlog_proof_write(
    struct buf *out, uint64_t index, const struct tlog_proof *p, const char *checkpoint, size_t len)
{
	buf_str(out, magic);
	buf_str(out, "\nindex ");
	buf_dec(out, index);
	buf_chr(out, '\n');
	for (size_t i = 0; i < p->count; i++) {
		buf_base64(out, p->hash[i], TLOG_HASH);
		buf_chr(out, '\n');
	}
	buf_chr(out, '\n');
	buf_put(out, checkpoint, len);
}

static bool
begins(const char **line, size_t *len, const char *word)
{
	size_t n = strlen(word);

	if (*len < n || memcmp(*line, word, n) != 0)
		return false;
	*line += n;
	*len -= n;
	return true;
}

static bool
parse_extra(const char *text, size_t len)
{
	uint8_t bytes[NOTE_MAX];
	size_t n = sizeof(bytes);

	return base64_decode(text, len, bytes, &n) == SIGNET_OK;
}

static bool
parse_hash(uint8_t hash[TLOG_HASH], const char *text, size_t len)
{
	size_t n = TLOG_HASH;

	return base64_decode(text, len, hash, &n) == SIGNET_OK && n == TLOG_HASH;
}

/* The lines before the empty one, which is eaten too. `p` is empty. */
static bool
parse_head(uint64_t *index, struct tlog_proof *p, const char **text, size_t *len)
{
	const char *line;
	size_t n;

	if (!note_line(text, len, &line, &n) || n != strlen(magic) || memcmp(line, magic, n) != 0)
		return false;
	if (!note_line(text, len, &line, &n))
		return false;
	if (begins(&line, &n, "extra ") && (!parse_extra(line, n) || !note_line(text, len, &line, &n)))
		return false;
	if (!begins(&line, &n, "index ") || !note_number(line, n, index))
		return false;
	for (;;) {
		if (!note_line(text, len, &line, &n))
			return false;
		if (n == 0)
			return true;
		if (p->count == TLOG_PROOF_MAX || !parse_hash(p->hash[p->count++], line, n))
			return false;
	}
}

signet_err
tlog_proof_parse(uint64_t *index, struct tlog_proof *p, const char **checkpoint, size_t *checkpoint_len,
    const char *text, size_t len)
{
	struct tlog_proof parsed = {0};
	uint64_t at;

	if (!parse_head(&at, &parsed, &text, &len) || len == 0)
		return SIGNET_ERR_PROTOCOL;
	*index = at;
	*p = parsed;
	*checkpoint = text;
	*checkpoint_len = len;
	return SIGNET_OK;
}

signet_err
tlog_proof_verify(const char *text, size_t len, const struct note_key *k, const uint8_t leaf[TLOG_HASH],
    uint64_t *index, struct checkpoint *c)
{
	struct checkpoint opened;
	struct tlog_proof p;
	const char *note;
	size_t note_len;
	uint64_t at;
	signet_err err;

	err = tlog_proof_parse(&at, &p, &note, &note_len, text, len);
	if (err != SIGNET_OK)
		return err;
	err = checkpoint_open(&opened, note, note_len, k);
	if (err != SIGNET_OK)
		return err;
	err = tlog_check_inclusion(at, opened.size, leaf, &p, opened.root);
	if (err != SIGNET_OK)
		return err;
	*index = at;
	*c = opened;
	return SIGNET_OK;
}

/* Groups of three digits, all but the last behind an x. */
static size_t
write_number(char *out, size_t size, uint64_t number)
{
	uint64_t group = 1;
	size_t at = 0;

	for (; number / group >= 1000; group *= 1000)
		;
	for (; group > 0; group /= 1000) {
		unsigned digits = (unsigned)(number / group % 1000);
		int n = snprintf(out + at, size - at, group > 1 ? "x%03u/" : "%03u", digits);

		assert(n > 0 && (size_t)n < size - at);
		at += (size_t)n;
	}
	return at;
}

void
tlog_tile_path(char *out, size_t size, int level, uint64_t number, unsigned width)
{
	size_t at;
	int n;

	assert(width >= 1 && width <= TLOG_TILE && level < 64);
	if (level < 0)
		n = snprintf(out, size, "tile/entries/");
	else
		n = snprintf(out, size, "tile/%d/", level);
	assert(n > 0 && (size_t)n < size);
	at = (size_t)n;
	at += write_number(out + at, size - at, number);
	if (width == TLOG_TILE)
		return;
	n = snprintf(out + at, size - at, ".p/%u", width);
	assert(n > 0 && (size_t)n < size - at);
}
