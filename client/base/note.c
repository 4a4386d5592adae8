/*
 * Signed notes [C2SP signed-note v1.0.0]: text, an empty line, signature
 * lines. What is signed is the text with its last newline.
 *
 * Invariant: nothing of a note is believed before its whole form is checked;
 * and one wrong signature that claims to be by the asked key refuses the note,
 * whatever else signs it.
 */
#include "base/note.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/base64.h"
#include "base/note_text.h"

enum { SIGNATURE = 64, ID = 4 };

static const char dash[] = "\xe2\x80\x94 "; /* U+2014 */
enum { DASH = sizeof(dash) - 1 };

struct parts {
	size_t text_len;
	const char *signatures; /* the lines */
	size_t signatures_len;
	unsigned count;
};

struct signature_line {
	const char *name;
	size_t name_len;
	uint8_t blob[NOTE_MAX]; /* key id and signature */
	size_t blob_len;
};

/* The text ends at the last empty line. */
static bool
split(struct parts *p, const char *note, size_t len)
{
	if (len < 3 || len > NOTE_MAX || note[len - 1] != '\n' || !note_text_ok(note, len))
		return false;
	for (size_t i = len - 1; i > 0; i--) {
		if (note[i - 1] != '\n' || note[i] != '\n')
			continue;
		p->text_len = i;
		p->signatures = note + i + 1;
		p->signatures_len = len - i - 1;
		return p->signatures_len > 0;
	}
	return false;
}

static bool
parse_signature(struct signature_line *s, const char *line, size_t len)
{
	const char *end = line + len, *name = line + DASH, *blank;

	if (len < DASH || memcmp(line, dash, DASH) != 0)
		return false;
	blank = memchr(name, ' ', (size_t)(end - name));
	if (blank == NULL || !note_name_ok(name, (size_t)(blank - name)))
		return false;
	s->name = name;
	s->name_len = (size_t)(blank - name);
	s->blob_len = sizeof(s->blob);
	return base64_decode(blank + 1, (size_t)(end - blank - 1), s->blob, &s->blob_len) == SIGNET_OK &&
	       s->blob_len > ID;
}

static bool
is_by(const struct signature_line *s, const struct note_key *k)
{
	return strlen(k->name) == s->name_len && memcmp(k->name, s->name, s->name_len) == 0 &&
	       memcmp(k->id, s->blob, ID) == 0;
}

/* SIGNET_ERR_VERIFY, SIGNET_ERR_MEMORY. */
static signet_err
check_signature(const struct signature_line *s, const struct note_key *k, const char *text, size_t len)
{
	EVP_PKEY *pkey;
	EVP_MD_CTX *ctx;
	signet_err err = SIGNET_ERR_MEMORY;

	if (s->blob_len != ID + SIGNATURE)
		return SIGNET_ERR_VERIFY;
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->public_key, sizeof(k->public_key));
	ctx = EVP_MD_CTX_new();
	if (pkey != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1) {
		int good = EVP_DigestVerify(ctx, s->blob + ID, SIGNATURE, (const uint8_t *)text, len);

		err = good == 1 ? SIGNET_OK : SIGNET_ERR_VERIFY;
	}
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return err;
}

/* Every line must be one; `k`, if given, must have signed. Counts the lines. */
static signet_err
check_lines(struct parts *p, const char *note, const struct note_key *k)
{
	const char *rest = p->signatures, *line;
	size_t left = p->signatures_len, len;
	signet_err err, found = SIGNET_ERR_VERIFY;
	struct signature_line s;
	bool wrong = false;

	for (p->count = 0; note_line(&rest, &left, &line, &len); p->count++) {
		if (p->count == NOTE_SIGNATURES_MAX || !parse_signature(&s, line, len))
			return SIGNET_ERR_PROTOCOL;
		if (k == NULL || !is_by(&s, k))
			continue;
		err = check_signature(&s, k, note, p->text_len);
		if (err != SIGNET_OK && err != SIGNET_ERR_VERIFY)
			return err;
		wrong = wrong || err == SIGNET_ERR_VERIFY;
		found = SIGNET_OK;
	}
	return wrong ? SIGNET_ERR_VERIFY : found;
}

signet_err
note_verify(const char *note, size_t len, const struct note_key *k, size_t *text_len)
{
	struct parts p;
	signet_err err;

	if (!split(&p, note, len))
		return SIGNET_ERR_PROTOCOL;
	err = check_lines(&p, note, k);
	if (err != SIGNET_OK)
		return err;
	*text_len = p.text_len;
	return SIGNET_OK;
}

bool
note_claims(const char *note, size_t len, const struct note_key *k)
{
	struct signature_line s;
	const char *rest, *line;
	size_t left, n;
	struct parts p;

	if (!split(&p, note, len))
		return false;
	rest = p.signatures;
	left = p.signatures_len;
	while (note_line(&rest, &left, &line, &n))
		if (parse_signature(&s, line, n) && is_by(&s, k))
			return true;
	return false;
}

signet_err
note_read(const char *note, size_t len, size_t *text_len)
{
	struct parts p;

	if (!split(&p, note, len) || check_lines(&p, note, NULL) == SIGNET_ERR_PROTOCOL)
		return SIGNET_ERR_PROTOCOL;
	*text_len = p.text_len;
	return SIGNET_OK;
}

static signet_err
make_signature(const struct note_signer *s, const char *text, size_t len, uint8_t blob[ID + SIGNATURE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = SIGNATURE;
	bool ok;

	memcpy(blob, s->key.id, ID);
	ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->pkey) == 1 &&
	     EVP_DigestSign(ctx, blob + ID, &n, (const uint8_t *)text, len) == 1 && n == SIGNATURE;
	EVP_MD_CTX_free(ctx);
	return ok ? SIGNET_OK : SIGNET_ERR_MEMORY;
}

static size_t
signature_line_len(const struct note_signer *s)
{
	return DASH + strlen(s->key.name) + 1 + BASE64_LEN(ID + SIGNATURE) + 1;
}

static void
write_signature(struct buf *out, const struct note_signer *s, const uint8_t blob[ID + SIGNATURE])
{
	buf_str(out, dash);
	buf_str(out, s->key.name);
	buf_chr(out, ' ');
	buf_base64(out, blob, ID + SIGNATURE);
	buf_chr(out, '\n');
}

signet_err
note_sign(struct buf *out, const char *text, size_t len, const struct note_signer *s)
{
	uint8_t blob[ID + SIGNATURE];
	signet_err err;

	if (len == 0 || text[len - 1] != '\n' || !note_text_ok(text, len))
		return SIGNET_ERR_ARGUMENT;
	if (len > NOTE_MAX - 1 - signature_line_len(s))
		return SIGNET_ERR_LIMIT;
	err = make_signature(s, text, len, blob);
	if (err != SIGNET_OK)
		return err;
	buf_put(out, text, len);
	buf_chr(out, '\n');
	write_signature(out, s, blob);
	return out->failed ? SIGNET_ERR_MEMORY : SIGNET_OK;
}

signet_err
note_add_signature(struct buf *note, const struct note_signer *s)
{
	const char *text = (const char *)note->data;
	uint8_t blob[ID + SIGNATURE];
	struct parts p;
	signet_err err;

	if (note->failed || !split(&p, text, note->len) || check_lines(&p, text, NULL) == SIGNET_ERR_PROTOCOL)
		return SIGNET_ERR_PROTOCOL;
	if (p.count == NOTE_SIGNATURES_MAX || note->len + signature_line_len(s) > NOTE_MAX)
		return SIGNET_ERR_LIMIT;
	err = make_signature(s, text, p.text_len, blob);
	if (err != SIGNET_OK)
		return err;
	write_signature(note, s, blob);
	return note->failed ? SIGNET_ERR_MEMORY : SIGNET_OK;
}
