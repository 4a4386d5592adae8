/*
 * What a daemon answers to Sign (first byte even) and SignBatch (odd): where the
 * quick reader takes a reply, the tree takes it too and says the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "result.h"

static void
check_same(const signet_result *a, const signet_result *b)
{
	assert(a->index == b->index && a->signature_size == b->signature_size);
	assert(memcmp(a->signature, b->signature, a->signature_size) == 0);
	assert(memcmp(a->leaf_hash, b->leaf_hash, LEAF_SIZE) == 0);
	assert(
	    strcmp(a->log, b->log) == 0 && strcmp(a->time, b->time) == 0 && strcmp(a->entry, b->entry) == 0);
}

static void
check_tree(const signet_result *fast, const struct quick *q, json_t *message, bool item)
{
	const json_t *object;
	struct result *slow;
	struct reply r;

	assert(reply_parse(&r, message) == SIGNET_OK);
	assert(r.error == NULL && r.continues == q->continues);
	object = item ? json_object_get(r.parameters, "result") : r.parameters;
	slow = result_from_tree(&r, object);
	assert(slow != NULL);
	check_same(fast, &slow->shown);
	signet_result_free(&slow->shown);
	reply_done(&r);
}

/* The tree alone must stand anything. */
static void
try_tree(const char *text, size_t len, bool item)
{
	struct result *made;
	json_t *message;
	struct reply r;

	if (json_read(&message, text, len, NULL) != SIGNET_OK)
		return;
	if (reply_parse(&r, message) == SIGNET_OK) {
		made = result_from_tree(&r, item ? json_object_get(r.parameters, "result") : r.parameters);
		signet_result_free(made == NULL ? NULL : &made->shown);
		reply_done(&r);
	}
	json_decref(message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct result *fast;
	json_t *message;
	struct quick q;
	bool item;

	if (size == 0)
		return 0;
	item = data[0] % 2 == 1;
	fast = quick_read(&q, text, size - 1, item) ? result_from_quick(&q) : NULL;
	if (fast == NULL) {
		try_tree(text, size - 1, item);
		return 0;
	}
	assert(json_read(&message, text, size - 1, NULL) == SIGNET_OK);
	check_tree(&fast->shown, &q, message, item);
	json_decref(message);
	signet_result_free(&fast->shown);
	return 0;
}
