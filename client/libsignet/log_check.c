/*
 * One thing of a log at a time: a key, a checkpoint, an entry with its proof,
 * the growth between two checkpoints, the text behind an opening.
 *
 * Invariant: outputs are written last, and only when all holds.
 */
#include <string.h>

#include "base/digest.h"
#include "base/note_text.h"
#include "log.h"

signet_err
log_key(struct note_key *k, const char *vkey)
{
	if (vkey != NULL && note_key_parse(k, vkey, strlen(vkey)) == SIGNET_OK)
		return SIGNET_OK;
	return error_set(NULL, SIGNET_ERR_ARGUMENT, "this is not the verifier key of a log: name+id+key");
}

void
log_show_checkpoint(signet_checkpoint *shown, const struct checkpoint *c)
{
	_Static_assert(sizeof(shown->origin) == sizeof(c->origin), "one limit of names");
	memset(shown, 0, sizeof(*shown));
	memcpy(shown->origin, c->origin, sizeof(shown->origin));
	shown->size = c->size;
	memcpy(shown->root, c->root, sizeof(shown->root));
}

signet_err
log_checkpoint(struct checkpoint *c, const char *note, size_t size, const struct note_key *k)
{
	size_t text_len;
	signet_err err;

	if (k != NULL)
		return checkpoint_open(c, note, size, k);
	err = note_read(note, size, &text_len);
	return err == SIGNET_OK ? checkpoint_parse(c, note, text_len) : err;
}

static bool
skip(const char **p, const char *end, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(end - *p) < n || memcmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

/* A string without escapes, with its quotes. */
static bool
skip_word(const char **p, const char *end)
{
	const char *quote = *p;

	if (!skip(&quote, end, "\""))
		return false;
	quote = quote == end ? NULL : memchr(quote, '"', (size_t)(end - quote));
	if (quote == NULL || memchr(*p, '\\', (size_t)(quote - *p)) != NULL)
		return false;
	*p = quote + 1;
	return true;
}

bool
log_entry_index(const char *entry, size_t size, uint64_t *index)
{
	const char *p = entry, *end = entry + size, *from;

	if (!skip(&p, end, "{\"v\":1,\"kind\":") || !skip_word(&p, end) || !skip(&p, end, ",\"time\":") ||
	    !skip_word(&p, end) || !skip(&p, end, ",\"boot\":") || !skip_word(&p, end) ||
	    !skip(&p, end, ",\"index\":"))
		return false;
	for (from = p; p < end && *p >= '0' && *p <= '9'; p++)
		;
	return note_number(from, (size_t)(p - from), index);
}

SIGNET_API void
signet_log_leaf(const void *entry, size_t size, uint8_t leaf[SIGNET_LOG_HASH])
{
	tlog_leaf(leaf, entry, size);
}

SIGNET_API signet_err
signet_log_key(
    const char *vkey, char origin[SIGNET_LOG_ORIGIN_MAX + 1], char fingerprint[2 * SIGNET_LOG_HASH + 1])
{
	uint8_t hash[TLOG_HASH];
	struct note_key k;
	signet_err err;

	error_clear();
	err = log_key(&k, vkey);
	if (err != SIGNET_OK)
		return err;
	if (origin != NULL)
		memcpy(origin, k.name, sizeof(k.name));
	if (fingerprint == NULL)
		return SIGNET_OK;
	tlog_sha256(hash, vkey, strlen(vkey));
	for (size_t i = 0; i < TLOG_HASH; i++)
		(void)snprintf(fingerprint + 2 * i, 3, "%02x", hash[i]);
	return SIGNET_OK;
}

static signet_err
checkpoint_fault(signet_err err)
{
	switch (err) {
	case SIGNET_ERR_PROTOCOL:
		return error_set(NULL, err, "this is not a signed checkpoint of a log");
	case SIGNET_ERR_VERIFY:
		return error_set(
		    NULL, err, "the checkpoint is not signed with the log's key, or was changed");
	default:
		return error_plain(NULL, err);
	}
}

SIGNET_API signet_err
signet_log_checkpoint(const char *note, size_t size, const char *vkey, signet_checkpoint *checkpoint)
{
	struct note_key k;
	struct checkpoint c;
	signet_err err;

	error_clear();
	if (note == NULL || checkpoint == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	if (vkey != NULL) {
		err = log_key(&k, vkey);
		if (err != SIGNET_OK)
			return err;
	}
	err = log_checkpoint(&c, note, size, vkey == NULL ? NULL : &k);
	if (err != SIGNET_OK)
		return checkpoint_fault(err);
	log_show_checkpoint(checkpoint, &c);
	return SIGNET_OK;
}

/* What of a proof does not hold, found again piece by piece: the sentence should name it. */
static signet_err
proof_fault(signet_err err, const char *proof, size_t size, const struct note_key *k)
{
	struct checkpoint c;
	struct tlog_proof p;
	const char *note;
	size_t note_len;
	uint64_t at;

	if (err != SIGNET_ERR_VERIFY && err != SIGNET_ERR_PROTOCOL)
		return error_plain(NULL, err);
	if (tlog_proof_parse(&at, &p, &note, &note_len, proof, size) != SIGNET_OK)
		return error_set(NULL, err, "this is not a proof of a log");
	if (checkpoint_open(&c, note, note_len, k) != SIGNET_OK)
		return checkpoint_fault(err);
	return error_set(
	    NULL, err, "the proof does not lead from this entry to the checkpoint: one of them was changed");
}

SIGNET_API signet_err
signet_log_verify_entry(const void *entry, size_t entry_size, const char *proof, size_t proof_size,
    const char *vkey, uint64_t *index, signet_checkpoint *checkpoint)
{
	uint8_t leaf[TLOG_HASH];
	uint64_t proven, own;
	struct checkpoint c;
	struct note_key k;
	signet_err err;

	error_clear();
	if (entry == NULL || proof == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	err = log_key(&k, vkey);
	if (err != SIGNET_OK)
		return err;
	tlog_leaf(leaf, entry, entry_size);
	err = tlog_proof_verify(proof, proof_size, &k, leaf, &proven, &c);
	if (err != SIGNET_OK)
		return proof_fault(err, proof, proof_size, &k);
	if (!log_entry_index(entry, entry_size, &own) || own != proven)
		return error_set(NULL, SIGNET_ERR_VERIFY,
		    "the entry does not call itself entry %llu, where it stands", (unsigned long long)proven);
	if (index != NULL)
		*index = proven;
	if (checkpoint != NULL)
		log_show_checkpoint(checkpoint, &c);
	return SIGNET_OK;
}

SIGNET_API signet_err
signet_log_verify_growth(
    const signet_checkpoint *first, const signet_checkpoint *second, const uint8_t *hashes, size_t count)
{
	struct tlog_proof p = {.count = count};

	error_clear();
	if (first == NULL || second == NULL || (hashes == NULL && count > 0))
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	if (count > SIGNET_LOG_PROOF_MAX)
		return error_set(
		    NULL, SIGNET_ERR_PROTOCOL, "a proof has at most %d hashes", SIGNET_LOG_PROOF_MAX);
	if (count > 0)
		memcpy(p.hash, hashes, count * TLOG_HASH);
	if (strcmp(first->origin, second->origin) != 0)
		return error_set(NULL, SIGNET_ERR_VERIFY, "these are checkpoints of two logs");
	if (tlog_check_consistency(first->size, second->size, first->root, second->root, &p) == SIGNET_OK)
		return SIGNET_OK;
	return error_set(NULL, SIGNET_ERR_VERIFY,
	    "it is not proven that the log of %llu entries is the one of %llu entries, grown",
	    (unsigned long long)second->size, (unsigned long long)first->size);
}

SIGNET_API signet_err
signet_log_verify_opening(
    const char *stated, const uint8_t salt[SIGNET_LOG_HASH], const char *text, size_t text_size)
{
	struct digest d;
	uint8_t hash[TLOG_HASH];
	struct buf both;

	error_clear();
	if (stated == NULL || salt == NULL || text == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	if (digest_parse(&d, stated, NULL) != SIGNET_OK || d.alg != DIGEST_SHA256)
		return error_set(NULL, SIGNET_ERR_PROTOCOL, "the entry has no hash of a text here");
	if (text_size > SIGNET_ENTRY_MAX)
		return error_set(NULL, SIGNET_ERR_PROTOCOL, "the text is too long for an entry");
	buf_init(&both, SIGNET_LOG_HASH + SIGNET_ENTRY_MAX);
	buf_put(&both, salt, SIGNET_LOG_HASH);
	buf_put(&both, text, text_size);
	if (both.failed) {
		buf_done(&both);
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	}
	tlog_sha256(hash, both.data, both.len);
	buf_done(&both);
	if (memcmp(hash, d.bytes, TLOG_HASH) != 0)
		return error_set(NULL, SIGNET_ERR_VERIFY, "the text is not the one whose hash the entry has");
	return SIGNET_OK;
}
