/*
 * Keys that sign notes and their text form, the verifier key [C2SP
 * signed-note, "Signatures"]. The id of a key is derived from its name and its
 * bytes; a text whose id does not follow from the rest is refused, so a
 * struct note_key is always consistent.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/note.h"
#include "base/note_text.h"
#include "base/tlog.h"

enum {
	TYPE_ED25519 = 0x01,
	TYPED_KEY = 1 + 32, /* type and key: 44 characters of base64 */
	ID_DIGITS = 8,
};

/* The name is known to fit. */
static void
set_key(struct note_key *k, const char *name, size_t name_len, const uint8_t public_key[32])
{
	uint8_t text[NOTE_NAME_MAX + 1 + TYPED_KEY], hash[TLOG_HASH];

	memset(k, 0, sizeof(*k));
	memcpy(k->name, name, name_len);
	memcpy(k->public_key, public_key, sizeof(k->public_key));
	memcpy(text, name, name_len);
	text[name_len] = '\n';
	text[name_len + 1] = TYPE_ED25519;
	memcpy(text + name_len + 2, public_key, 32);
	tlog_sha256(hash, text, name_len + 1 + TYPED_KEY);
	memcpy(k->id, hash, sizeof(k->id));
}

signet_err
note_key_parse(struct note_key *k, const char *vkey, size_t len)
{
	const char *id = len == 0 ? NULL : memchr(vkey, '+', len);
	size_t name_len = id == NULL ? 0 : (size_t)(id - vkey);
	uint8_t stated[4], typed[TYPED_KEY];
	size_t stated_len = sizeof(stated), typed_len = sizeof(typed);
	struct note_key parsed;

	if (id == NULL || !note_name_ok(vkey, name_len))
		return SIGNET_ERR_PROTOCOL;
	/* "+xxxxxxxx+" and the rest */
	if (len - name_len != 1 + ID_DIGITS + 1 + BASE64_LEN(TYPED_KEY) || id[1 + ID_DIGITS] != '+')
		return SIGNET_ERR_PROTOCOL;
	if (hex_decode(id + 1, ID_DIGITS, stated, &stated_len) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	if (base64_decode(id + 2 + ID_DIGITS, BASE64_LEN(TYPED_KEY), typed, &typed_len) != SIGNET_OK ||
	    typed_len != TYPED_KEY || typed[0] != TYPE_ED25519)
		return SIGNET_ERR_PROTOCOL;
	set_key(&parsed, vkey, name_len, typed + 1);
	if (memcmp(parsed.id, stated, sizeof(stated)) != 0)
		return SIGNET_ERR_PROTOCOL;
	*k = parsed;
	return SIGNET_OK;
}

void
note_key_write(struct buf *out, const struct note_key *k)
{
	uint8_t typed[TYPED_KEY] = {TYPE_ED25519};

	memcpy(typed + 1, k->public_key, sizeof(k->public_key));
	buf_str(out, k->name);
	buf_chr(out, '+');
	buf_hex(out, k->id, sizeof(k->id));
	buf_chr(out, '+');
	buf_base64(out, typed, sizeof(typed));
}

signet_err
note_signer_init(struct note_signer *s, const char *name, const uint8_t seed[NOTE_SEED])
{
	uint8_t public_key[32];
	size_t n = sizeof(public_key);
	EVP_PKEY *pkey;

	if (!note_name_ok(name, strlen(name)))
		return SIGNET_ERR_ARGUMENT;
	pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, NOTE_SEED);
	if (pkey == NULL)
		return SIGNET_ERR_MEMORY;
	if (EVP_PKEY_get_raw_public_key(pkey, public_key, &n) != 1 || n != sizeof(public_key)) {
		EVP_PKEY_free(pkey);
		return SIGNET_ERR_MEMORY;
	}
	set_key(&s->key, name, strlen(name), public_key);
	s->pkey = pkey;
	return SIGNET_OK;
}

void
note_signer_done(struct note_signer *s)
{
	EVP_PKEY_free(s->pkey); /* wipes the private half */
	s->pkey = NULL;
}
