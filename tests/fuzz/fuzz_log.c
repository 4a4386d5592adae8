/*
 * What an auditor is handed by others: a receipt, a file of entries, the
 * beginning of an entry. What is cut from a file of entries covers it without a
 * gap; no receipt is good that was not signed, nor is a change of the log key.
 *
 * Input: all of it as each of these; the first byte is also how many entries the file should have.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "log.h"

static const char vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

static void
check_receipt(const uint8_t *data, size_t size)
{
	signet_receipt *r = NULL;
	signet_err err;

	if (signet_receipt_read(&r, (const char *)data, size) != SIGNET_OK)
		return;
	assert(r->log != NULL && r->time != NULL && r->entry != NULL && r->proof != NULL);
	assert(r->signature_size == 0 || r->signature != NULL);
	err = signet_receipt_verify(r, vkey, NULL);
	assert(err == SIGNET_ERR_VERIFY || err == SIGNET_ERR_PROTOCOL);
	signet_receipt_free(r);
}

static void
check_bundle(const uint8_t *data, size_t size)
{
	unsigned width = size > 0 ? data[0] + 1U : 1;
	struct bundle b;
	size_t n, at = 0;

	bundle_init(&b);
	buf_put(&b.bytes, data, size);
	if (bundle_cut(&b, width)) {
		assert(b.count == width && b.at[width] == size);
		for (unsigned i = 0; i < width; i++) {
			const char *entry = bundle_entry(&b, i, &n);

			assert((const uint8_t *)entry == b.bytes.data + at + 2);
			at += 2 + n;
		}
		assert(at == size);
	} else {
		assert(b.count <= width);
	}
	bundle_done(&b);
}

/* A change of log key, by whom it may: both keys are the log's, and the old one has signed. */
static void
check_key_change(const uint8_t *data, size_t size)
{
	struct key_link link;

	if (!key_link_is((const char *)data, size) || key_link_read(&link, (const char *)data, size) != SIGNET_OK)
		return;
	assert(strcmp(link.old.name, link.next.name) == 0 && strcmp(link.at.origin, link.old.name) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t index = UINT64_MAX;

	if (log_entry_index((const char *)data, size, &index))
		assert(index <= INT64_MAX);
	check_receipt(data, size);
	check_bundle(data, size);
	check_key_change(data, size);
	return 0;
}
