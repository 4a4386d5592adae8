/*
 * What became of a request: from a tree of JSON, or from the bytes of a reply
 * that was read without one.
 *
 * Invariant: a result is complete (signature decoded, receipt checked for its
 * form) before anyone sees it, and owns all that it shows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "result.h"

SIGNET_API void
signet_result_free(signet_result *result)
{
	struct result *r = (struct result *)result;

	if (r == NULL)
		return;
	json_decref(r->parameters);
	free(r);
}

static bool
read_receipt(struct result *r, const json_t *receipt)
{
	struct members m = {.object = receipt};
	size_t size = LEAF_SIZE;
	const char *leaf;

	if (receipt == NULL || json_is_null(receipt))
		return true;
	if (!json_is_object(receipt))
		return false;
	r->shown.log = member_str(&m, "log", true);
	r->shown.index = (uint64_t)member_int(&m, "index", -1);
	r->shown.time = member_str(&m, "time", true);
	r->shown.entry = member_str(&m, "entry", true);
	r->shown.proof = member_str(&m, "proof", false);
	leaf = member_str(&m, "leafHash", true);
	if (m.bad || base64_decode(leaf, strlen(leaf), r->leaf, &size) != SIGNET_OK || size != LEAF_SIZE)
		return false;
	r->shown.leaf_hash = r->leaf;
	return true;
}

static bool
read_signature(struct result *r, const char *text, size_t len)
{
	size_t size = len / 4 * 3;

	if (text == NULL)
		return true;
	if (base64_decode(text, len, r->bytes, &size) != SIGNET_OK || size == 0)
		return false;
	r->shown.signature = r->bytes;
	r->shown.signature_size = size;
	return true;
}

struct result *
result_from_tree(const struct reply *reply, const json_t *object)
{
	const json_t *signature = json_object_get(object, "signature");
	size_t len = json_string_length(signature); /* 0 where it is none */
	struct members m = {.object = object};
	struct result *r;

	r = calloc(1, sizeof(*r) + len / 4 * 3);
	if (r == NULL)
		return NULL;
	r->parameters = json_incref(reply->parameters);
	r->shown.state = member_str(&m, "state", false);
	r->shown.request = member_str(&m, "request", false);
	if (read_signature(r, member_str(&m, "signature", false), len) &&
	    read_receipt(r, json_object_get(object, "receipt")) && !m.bad)
		return r;
	signet_result_free(&r->shown);
	return NULL;
}
