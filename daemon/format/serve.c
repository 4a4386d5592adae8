/* Questions of the broker about bytes that it does not read itself. */
#include "format/serve.h"

#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "format/cms.h"

/* Printable ASCII: the broker takes nothing else. */
static void
clean(char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

/* The signature's octets; `out` gets them. */
static signet_err
value_of(const struct ask_blob *b, struct buf *out)
{
	const uint8_t *p = b->bytes;
	CMS_ContentInfo *info = d2i_CMS_ContentInfo(NULL, &p, (long)b->len);
	STACK_OF(CMS_SignerInfo) *signers = info == NULL ? NULL : CMS_get0_SignerInfos(info);
	signet_err err = SIGNET_ERR_PROTOCOL;

	if (p == b->bytes + b->len && signers != NULL && sk_CMS_SignerInfo_num(signers) == 1) {
		const ASN1_OCTET_STRING *sig = CMS_SignerInfo_get0_signature(sk_CMS_SignerInfo_value(signers, 0));

		buf_put(out, sig->data, (size_t)sig->length);
		err = out->failed ? SIGNET_ERR_LIMIT : SIGNET_OK;
	}
	CMS_ContentInfo_free(info);
	ERR_clear_error();
	return err;
}

static signet_err
import(const struct ask_blob *b, struct buf *out)
{
	uint8_t *der = NULL;
	size_t len = 0;
	signet_err err = chain_import(b, &der, &len);

	if (err == SIGNET_OK)
		buf_put(out, der, len);
	OPENSSL_free(der);
	return err == SIGNET_OK && out->failed ? SIGNET_ERR_LIMIT : err;
}

void
serve(struct chain_trust *t, const struct ask *a, struct buf *out)
{
	struct ask_answer answer = {.err = SIGNET_OK};
	owned(buf_done) struct buf blob;
	signet_err err = SIGNET_OK;

	buf_init(&blob, ASK_BLOB_MAX);
	switch (a->type) {
	case ASK_CHECK:
		answer.verdict = (uint8_t)chain_check(t, a->blobs, a->blob_count, (enum ask_purpose)a->purpose,
		    a->now, answer.reason, sizeof(answer.reason));
		break;
	case ASK_VALUE:
		err = value_of(&a->blobs[0], &blob);
		break;
	case ASK_ADD_STAMP:
		err = cms_add_stamp(a->blobs[0].bytes, a->blobs[0].len, a->blobs[1].bytes, a->blobs[1].len, &blob);
		break;
	default:
		err = import(&a->blobs[0], &blob);
	}
	answer.err = (uint16_t)err;
	if (err == SIGNET_OK)
		answer.blob = (struct ask_blob){blob.data, blob.len};
	clean(answer.reason);
	ask_answer_put(out, &answer);
}
