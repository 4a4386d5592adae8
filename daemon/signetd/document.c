/* Openings: SHA-256(salt || text) goes into the entry, salt and text into a table of their own. */
#include "document.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "broker.h"
#include "text.h"

static bool
invalid(struct fault *f, const char *path, const char *name, const char *why)
{
	char field[120];

	snprintf(field, sizeof(field), "%s%s%s", path, path[0] != '\0' ? "." : "", name);
	fault_set(f, SIGNET_ERR_INVALID_PARAMETER, field, "%s: %s", field, why);
	return false;
}

static bool
add(struct job *j, const char *path, const char *name, const char *field, const char *text, struct fault *f)
{
	struct ledger_opening *o = &j->openings[j->opening_count];
	const char *why = NULL;

	if (text == NULL)
		return true;
	if (text_check(text, strlen(text), &why) != SIGNET_OK)
		return invalid(f, path, name, why);
	o->field = field;
	o->text = strdup(text);
	if (o->text == NULL || getrandom(o->salt, sizeof(o->salt), 0) != (ssize_t)sizeof(o->salt)) {
		free(o->text);
		fault_set(f, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return false;
	}
	j->opening_count++;
	return true;
}

static bool
take_media_type(struct job *j, const char *path, const char *text, struct fault *f)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (text == NULL)
		return true;
	if (len == 0 || len >= sizeof(j->media_type) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.+-/") != len || strchr(text, '/') == NULL)
		return invalid(f, path, "mediaType", "a media type like application/pdf, lower case, at most 127 bytes");
	memcpy(j->media_type, text, len + 1);
	return true;
}

bool
document_tag(const struct broker *b, const char *number, const char *date, char out[2 * LEDGER_HASH + 1])
{
	static const char digit[] = "0123456789abcdef";
	char text[1100];
	uint8_t mac[32];
	unsigned len = sizeof(mac);
	int n = snprintf(text, sizeof(text), "%s\x1f%s", number, date != NULL ? date : "");

	if (n < 0 || (size_t)n >= sizeof(text) ||
	    HMAC(EVP_sha256(), b->installation_key, sizeof(b->installation_key), (const uint8_t *)text, (size_t)n, mac,
		&len) == NULL)
		return false;
	for (size_t i = 0; i < sizeof(mac); i++) {
		out[2 * i] = digit[mac[i] >> 4];
		out[2 * i + 1] = digit[mac[i] & 15];
	}
	out[2 * sizeof(mac)] = '\0';
	return true;
}

void
opening_write(struct buf *out, const struct ledger_opening *o)
{
	static EVP_MD_CTX *ctx;
	uint8_t hash[32];
	bool ok;

	if (ctx == NULL)
		ctx = EVP_MD_CTX_new();
	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, o->salt, sizeof(o->salt)) == 1 &&
	     EVP_DigestUpdate(ctx, o->text, strlen(o->text)) == 1 && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
	if (!ok) {
		out->failed = true;
		return;
	}
	buf_chr(out, '"');
	buf_str(out, o->field);
	buf_str(out, "\":\"sha256:");
	buf_hex(out, hash, sizeof(hash));
	buf_chr(out, '"');
}

bool
document_take(const struct broker *b, struct job *j, const json_t *document, const char *path, const char *capacity,
    const char *on_behalf_of, struct fault *f)
{
	const char *number = json_member_str(document, "number");
	const char *date = json_member_str(document, "date");

	if (document != NULL &&
	    (!add(j, path, "number", "number", number, f) ||
		!add(j, path, "title", "title", json_member_str(document, "title"), f) ||
		!add(j, path, "date", "date", date, f) ||
		!add(j, path, "id", "documentId", json_member_str(document, "id"), f) ||
		!take_media_type(j, path, json_member_str(document, "mediaType"), f)))
		return false;
	if (!add(j, "", "capacity", "capacity", capacity, f) || !add(j, "", "onBehalfOf", "onBehalfOf", on_behalf_of, f))
		return false;
	if (number != NULL && !document_tag(b, number, date, j->document_tag)) {
		fault_set(f, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return false;
	}
	return true;
}
