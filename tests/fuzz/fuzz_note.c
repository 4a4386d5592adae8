/*
 * Notes, checkpoints and verifier keys. What is taken can be taken again, a
 * checkpoint and a key are what writing them gives back, and no signature by
 * the key of this file holds unless it is by it.
 *
 * Input: the first line is read as a verifier key, the rest as a note.
 */
#include <assert.h>
#include <string.h>

#include "base/note.h"
#include "fuzz.h"

static void
check_key(const char *text, size_t len, struct note_key *k)
{
	static const uint8_t seed[NOTE_SEED] = {1, 2, 3};
	struct note_signer s;
	struct buf out;
	signet_err err;

	if (note_key_parse(k, text, len) == SIGNET_OK) {
		buf_init(&out, 1024);
		note_key_write(&out, k);
		assert(out.len == len && memcmp(out.data, text, len) == 0);
		buf_done(&out);
		return;
	}
	err = note_signer_init(&s, "fuzz.example", seed);
	assert(err == SIGNET_OK);
	*k = s.key;
	note_signer_done(&s);
}

static void
check_checkpoint(const char *text, size_t len)
{
	struct checkpoint c;
	struct buf out;

	if (checkpoint_parse(&c, text, len) != SIGNET_OK)
		return;
	assert(c.size <= INT64_MAX);
	buf_init(&out, 1024);
	checkpoint_write(&out, &c);
	/* and extensions, which are not kept */
	assert(out.len <= len && memcmp(out.data, text, out.len) == 0);
	buf_done(&out);
}

static void
check_adding(const char *text, size_t len)
{
	static const uint8_t seed[NOTE_SEED] = {4, 5, 6};
	struct note_signer s;
	struct buf note;
	size_t text_len;
	signet_err err;

	err = note_signer_init(&s, "second.example", seed);
	assert(err == SIGNET_OK);
	buf_init(&note, NOTE_MAX);
	buf_put(&note, text, len);
	err = note_add_signature(&note, &s);
	if (err == SIGNET_OK) {
		err = note_verify((const char *)note.data, note.len, &s.key, &text_len);
		assert(err == SIGNET_OK && text_len < len);
	} else {
		assert(err == SIGNET_ERR_PROTOCOL || err == SIGNET_ERR_LIMIT);
	}
	buf_done(&note);
	note_signer_done(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size == 0 ? NULL : memchr(text, '\n', size);
	size_t key_len = end == NULL ? size : (size_t)(end - text);
	const char *note = end == NULL ? text : end + 1;
	size_t note_len = end == NULL ? size : size - key_len - 1;
	struct checkpoint c;
	struct note_key k;
	size_t text_len;
	signet_err err;

	check_key(text, key_len, &k);
	err = note_verify(note, note_len, &k, &text_len);
	if (err == SIGNET_OK)
		assert(text_len + 1 < note_len && note[text_len - 1] == '\n' && note[text_len] == '\n');
	else
		assert(err == SIGNET_ERR_PROTOCOL || err == SIGNET_ERR_VERIFY);
	if (checkpoint_open(&c, note, note_len, &k) == SIGNET_OK)
		assert(err == SIGNET_OK && strcmp(c.origin, k.name) == 0);
	check_checkpoint(note, note_len);
	check_adding(note, note_len);
	return 0;
}
