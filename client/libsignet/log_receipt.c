/*
 * Receipt files [signet/log.h]: what a signer keeps beside a signature.
 *
 * Invariant: reading checks the form only; nothing of a receipt is true before
 * signet_receipt_verify() said so. The entry is the witness: what else the file
 * says must be what the entry says.
 */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "log.h"

struct receipt {
	signet_receipt shown; /* first: what callers hold is a pointer to it */
	json_t *json;         /* owns the texts */
	const char *leaf;     /* base64, or NULL */
	uint8_t signature[];
};

static signet_err
no_receipt(const char *what)
{
	return error_set(NULL, SIGNET_ERR_PROTOCOL, "this is not a receipt: %s", what);
}

static bool
fill(struct receipt *r, const json_t *inner, const json_t *outer, const char *signature)
{
	struct members in = {.object = inner}, out = {.object = outer};
	size_t n = signature == NULL ? 0 : strlen(signature);
	int64_t index;

	r->shown.log = member_str(&in, "log", true);
	index = member_int(&in, "index", -1);
	r->shown.time = member_str(&in, "time", true);
	r->shown.entry = member_str(&in, "entry", true);
	r->shown.proof = member_str(&in, "proof", true);
	r->leaf = member_str(&in, "leafHash", false);
	r->shown.digest = member_str(&out, "digest", false);
	r->shown.index = (uint64_t)index;
	if (in.bad || out.bad)
		return false;
	if (signature == NULL)
		return true;
	r->shown.signature = r->signature;
	r->shown.signature_size = n;
	return base64_decode(signature, n, r->signature, &r->shown.signature_size) == SIGNET_OK;
}

SIGNET_API signet_err
signet_receipt_read(signet_receipt **receipt, const char *json, size_t size)
{
	const char *why = "it is not a JSON object", *signature;
	struct receipt *r;
	json_t *object;
	signet_err err;

	error_clear();
	if (receipt == NULL || json == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	err = json_read(&object, json, size, &why);
	if (err == SIGNET_ERR_MEMORY)
		return error_plain(NULL, err);
	if (err != SIGNET_OK)
		return err == SIGNET_ERR_LIMIT ? error_set(NULL, err, "this is not a receipt: %s", why)
					       : no_receipt(why);
	signature = json_member_str(object, "signature");
	r = calloc(1, sizeof(*r) + (signature == NULL ? 0 : strlen(signature)));
	if (r == NULL) {
		json_decref(object);
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	}
	r->json = object;
	if (!fill(r, json_object_get(object, "receipt"), object, signature)) {
		signet_receipt_free(&r->shown);
		return no_receipt(
		    "a member is missing or of another kind; without a proof it cannot be verified");
	}
	*receipt = &r->shown;
	return SIGNET_OK;
}

SIGNET_API void
signet_receipt_free(signet_receipt *receipt)
{
	struct receipt *r = (struct receipt *)receipt;

	if (r == NULL)
		return;
	json_decref(r->json);
	free(r);
}

static signet_err
differs(const char *what)
{
	return error_set(
	    NULL, SIGNET_ERR_VERIFY, "the %s in this receipt is not the one in the log's entry", what);
}

static bool
same_text(const json_t *entry, const char *name, const char *text)
{
	const char *own = json_member_str(entry, name);

	return own != NULL && strcmp(own, text) == 0;
}

/* Of a CMS to which a time-stamp was added: the value in it is still the one that was logged. */
static bool
value_hash(const signet_receipt *r, uint8_t hash[TLOG_HASH])
{
	const uint8_t *p = r->signature;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)r->signature_size);
	STACK_OF(CMS_SignerInfo) *signers = cms == NULL ? NULL : CMS_get0_SignerInfos(cms);
	bool ok = signers != NULL && sk_CMS_SignerInfo_num(signers) == 1;

	if (ok) {
		const ASN1_OCTET_STRING *value = CMS_SignerInfo_get0_signature(sk_CMS_SignerInfo_value(signers, 0));

		tlog_sha256(hash, value->data, (size_t)value->length);
	}
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return ok;
}

static bool
same_signature(const json_t *entry, const signet_receipt *r)
{
	struct digest d = {.alg = DIGEST_SHA256};
	char text[DIGEST_TEXT_MAX];

	tlog_sha256(d.bytes, r->signature, r->signature_size);
	digest_format(&d, text);
	/* of a CMS the entry has both: of all of it, and of the value in it */
	if (same_text(entry, json_member_str(entry, "cmsHash") != NULL ? "cmsHash" : "signatureHash", text))
		return true;
	if (!value_hash(r, d.bytes))
		return false;
	digest_format(&d, text);
	return same_text(entry, "signatureHash", text);
}

static bool
same_leaf(const struct receipt *r)
{
	uint8_t stated[TLOG_HASH], leaf[TLOG_HASH];
	size_t n = sizeof(stated);

	tlog_leaf(leaf, r->shown.entry, strlen(r->shown.entry));
	return base64_decode(r->leaf, strlen(r->leaf), stated, &n) == SIGNET_OK && n == sizeof(stated) &&
	       memcmp(stated, leaf, sizeof(leaf)) == 0;
}

/* What the receipt says besides the entry. */
static signet_err
compare(const struct receipt *r, const json_t *entry, uint64_t index, const char *origin)
{
	if (strcmp(r->shown.log, origin) != 0)
		return differs("name of the log");
	if (r->shown.index != index)
		return differs("index");
	if (!same_text(entry, "time", r->shown.time))
		return differs("time");
	if (r->leaf != NULL && !same_leaf(r))
		return differs("hash");
	if (r->shown.digest != NULL && !same_text(entry, "digest", r->shown.digest))
		return differs("digest");
	if (r->shown.signature != NULL && !same_signature(entry, &r->shown))
		return differs("signature");
	return SIGNET_OK;
}

SIGNET_API signet_err
signet_receipt_verify(const signet_receipt *receipt, const char *vkey, signet_checkpoint *checkpoint)
{
	const struct receipt *r = (const struct receipt *)receipt;
	signet_checkpoint shown;
	json_t *entry;
	uint64_t index;
	signet_err err;

	error_clear();
	if (receipt == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	err = signet_log_verify_entry(receipt->entry, strlen(receipt->entry), receipt->proof,
	    strlen(receipt->proof), vkey, &index, &shown);
	if (err != SIGNET_OK)
		return err;
	err = json_read(&entry, receipt->entry, strlen(receipt->entry), NULL);
	if (err != SIGNET_OK)
		return error_set(
		    NULL, err == SIGNET_ERR_MEMORY ? err : SIGNET_ERR_PROTOCOL, "the entry is not JSON");
	err = compare(r, entry, index, shown.origin);
	json_decref(entry);
	if (err == SIGNET_OK && checkpoint != NULL)
		*checkpoint = shown;
	return err;
}

static void
put_member(struct buf *b, const char *name, const char *value)
{
	buf_str(b, name);
	buf_json(b, value, strlen(value));
}

SIGNET_API signet_err
signet_receipt_make(const signet_result *result, signet_hash hash, const uint8_t *digest, char **json)
{
	static const char *const names[] = {
	    [SIGNET_SHA256] = "sha256:", [SIGNET_SHA384] = "sha384:", [SIGNET_SHA512] = "sha512:"};
	size_t size = signet_hash_size(hash);
	struct buf b;
	char *text;

	error_clear();
	if (result == NULL || json == NULL || (digest != NULL && size == 0))
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	if (result->entry == NULL || result->proof == NULL)
		return error_set(
		    NULL, SIGNET_ERR_UNSUPPORTED, "there is no proof: ask for one with the signature");
	buf_init(&b, JSON_MESSAGE_MAX);
	put_member(&b, "{\"receipt\":{\"log\":", result->log);
	buf_str(&b, ",\"index\":");
	buf_dec(&b, result->index);
	put_member(&b, ",\"time\":", result->time);
	put_member(&b, ",\"entry\":", result->entry);
	buf_str(&b, ",\"leafHash\":\"");
	buf_base64(&b, result->leaf_hash, SIGNET_LOG_HASH);
	put_member(&b, "\",\"proof\":", result->proof);
	buf_chr(&b, '}');
	if (result->signature != NULL) {
		buf_str(&b, ",\"signature\":\"");
		buf_base64(&b, result->signature, result->signature_size);
		buf_chr(&b, '"');
	}
	if (digest != NULL) {
		buf_str(&b, ",\"digest\":\"");
		buf_str(&b, names[hash]);
		buf_hex(&b, digest, size);
		buf_chr(&b, '"');
	}
	buf_put(&b, "}\n", 3); /* and the NUL */
	text = b.failed ? NULL : strdup((const char *)b.data);
	buf_done(&b);
	if (text == NULL)
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	*json = text;
	return SIGNET_OK;
}
