/* client/libsignet/log_check.c, log_receipt.c: single entries, growth, openings and receipts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signet/log.h>

#include "base/digest.h"
#include "base/json.h"
#include "published.h"
#include "unit.h"

enum { SIZE = 21, AT = 17 };

static struct published log_;

static int
make_log(void **state)
{
	(void)state;
	published_init(&log_, "", "log.example");
	log_.leaf = malloc(SIZE * (size_t)TLOG_HASH);
	assert_non_null(log_.leaf);
	log_.size = SIZE;
	for (uint64_t i = 0; i < SIZE; i++) {
		size_t size;
		char *entry = published_entry(&log_, i, &size);

		signet_log_leaf(entry, size, log_.leaf[i]);
		free(entry);
	}
	return 0;
}

static int
remove_log(void **state)
{
	(void)state;
	published_done(&log_);
	return 0;
}

/* The proof of what stands at `index`, with a NUL. */
static char *
proof_of(uint64_t index)
{
	struct tlog_proof p;
	struct buf note, text;

	assert_int_equal(tlog_prove_inclusion(index, SIZE, published_node, &log_, &p), SIGNET_OK);
	published_note(&log_, SIZE, &note);
	buf_init(&text, 65536);
	tlog_proof_write(&text, index, &p, (const char *)note.data, note.len);
	buf_chr(&text, '\0');
	assert_false(text.failed);
	buf_done(&note);
	return (char *)text.data;
}

static signet_err
verify(const char *entry, const char *proof, const char *vkey)
{
	return signet_log_verify_entry(entry, strlen(entry), proof, strlen(proof), vkey, NULL, NULL);
}

static void
entry_with_its_proof_is_good_and_with_no_other(void **state)
{
	signet_checkpoint c;
	char *entry, *other, *proof;
	uint64_t index;
	size_t size;

	(void)state;
	entry = published_entry(&log_, AT, &size);
	other = published_entry(&log_, AT + 1, &size);
	proof = proof_of(AT);
	assert_int_equal(
	    signet_log_verify_entry(entry, strlen(entry), proof, strlen(proof), log_.vkey, &index, &c),
	    SIGNET_OK);
	assert_int_equal(index, AT);
	assert_int_equal(c.size, SIZE);
	assert_string_equal(c.origin, "log.example");
	assert_int_equal(verify(other, proof, log_.vkey), SIGNET_ERR_VERIFY);
	assert_non_null(strstr(signet_error_message(NULL), "does not lead from this entry"));
	free(entry);
	free(other);
	free(proof);
}

static void
sentence_tells_what_is_wrong(void **state)
{
	static const char strange[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
	char *entry, *proof;
	size_t size;

	(void)state;
	entry = published_entry(&log_, AT, &size);
	proof = proof_of(AT);
	assert_int_equal(verify(entry, "no proof", log_.vkey), SIGNET_ERR_PROTOCOL);
	assert_string_equal(signet_error_message(NULL), "this is not a proof of a log");
	assert_int_equal(verify(entry, proof, "no key"), SIGNET_ERR_ARGUMENT);
	assert_int_equal(verify(entry, proof, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(verify(entry, proof, strange), SIGNET_ERR_VERIFY);
	assert_non_null(strstr(signet_error_message(NULL), "not signed with the log's key"));
	free(entry);
	free(proof);
}

/* A log whose entry stands in another place than it says: its daemon is at fault, not who copied it. */
static void
entry_must_call_itself_by_its_place(void **state)
{
#define ENTRY(v, kind, index)                                                                                \
	"{\"v\":" v ",\"kind\":\"" kind "\",\"time\":\"t\",\"boot\":\"b\",\"index\":" index                  \
	",\"clock\":\"unknown\"}"
	static const char *const wrong[] = {"", "{}", "{\"v\":1,\"kind\":\"sign\"}",
	    (ENTRY("1", "sign", "18")), (ENTRY("1", "sign", "017")), (ENTRY("1", "si\\u0067n", "17")),
	    (ENTRY("2", "sign", "17"))};
	static const char right[] = ENTRY("1", "sign", "17");
	uint8_t kept[TLOG_HASH];
	char *proof;

	(void)state;
	memcpy(kept, log_.leaf[AT], TLOG_HASH);
	for (size_t i = 0; i <= array_len(wrong); i++) {
		const char *entry = i < array_len(wrong) ? wrong[i] : right;

		signet_log_leaf(entry, strlen(entry), log_.leaf[AT]);
		proof = proof_of(AT);
		assert_int_equal(
		    verify(entry, proof, log_.vkey), i < array_len(wrong) ? SIGNET_ERR_VERIFY : SIGNET_OK);
		free(proof);
	}
	memcpy(log_.leaf[AT], kept, TLOG_HASH);
}

static void
key_has_the_fingerprint_of_its_text(void **state)
{
	static const char key[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
	char origin[SIGNET_LOG_ORIGIN_MAX + 1], fingerprint[2 * SIGNET_LOG_HASH + 1];

	(void)state;
	assert_int_equal(signet_log_key(key, origin, fingerprint), SIGNET_OK);
	assert_string_equal(origin, "example.com/foo");
	assert_string_equal(fingerprint, "a05425c8f5f4739a4a96992c9dbd587dbe22ea38733b16167f399d44efb9d9f0");
	assert_int_equal(signet_log_key(key, NULL, NULL), SIGNET_OK);
	assert_int_equal(signet_log_key("x", NULL, NULL), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_log_key(NULL, NULL, NULL), SIGNET_ERR_ARGUMENT);
}

static void
checkpoint(uint64_t size, signet_checkpoint *c)
{
	struct buf note;

	published_note(&log_, size, &note);
	assert_int_equal(signet_log_checkpoint((char *)note.data, note.len, log_.vkey, c), SIGNET_OK);
	buf_done(&note);
}

static void
checkpoint_is_read_with_and_without_key(void **state)
{
	signet_checkpoint c;
	struct buf note;

	(void)state;
	published_note(&log_, 5, &note);
	assert_int_equal(signet_log_checkpoint((char *)note.data, note.len, log_.vkey, &c), SIGNET_OK);
	assert_int_equal(c.size, 5);
	note.data[12] ^= 1; /* the size */
	assert_int_equal(
	    signet_log_checkpoint((char *)note.data, note.len, log_.vkey, &c), SIGNET_ERR_VERIFY);
	assert_int_equal(signet_log_checkpoint((char *)note.data, note.len, NULL, &c), SIGNET_OK);
	assert_int_equal(c.size, 4);
	assert_int_equal(signet_log_checkpoint((char *)note.data, 20, NULL, &c), SIGNET_ERR_PROTOCOL);
	buf_done(&note);
}

static void
growth_is_proven_between_all_sizes(void **state)
{
	signet_checkpoint first, second;
	struct tlog_proof p;

	(void)state;
	for (uint64_t n = 0; n <= SIZE; n++) {
		checkpoint(n, &second);
		for (uint64_t m = 0; m <= n; m++) {
			checkpoint(m, &first);
			assert_int_equal(tlog_prove_consistency(m, n, published_node, &log_, &p), SIGNET_OK);
			assert_int_equal(
			    signet_log_verify_growth(&first, &second, p.hash[0], p.count), SIGNET_OK);
			if (m == n)
				continue;
			assert_int_equal(
			    signet_log_verify_growth(&second, &first, p.hash[0], p.count), SIGNET_ERR_VERIFY);
			first.root[0] ^= 1;
			assert_int_equal(
			    signet_log_verify_growth(&first, &second, p.hash[0], p.count), SIGNET_ERR_VERIFY);
		}
	}
	first = second;
	first.origin[0] = 'x';
	assert_int_equal(signet_log_verify_growth(&first, &second, NULL, 0), SIGNET_ERR_VERIFY);
	assert_int_equal(signet_log_verify_growth(&first, &second, p.hash[0], 65), SIGNET_ERR_PROTOCOL);
}

static void
opening_is_the_text_and_no_other(void **state)
{
	static const char text[] = "Quy\xe1\xba\xbft \xc4\x91\xe1\xbb\x8bnh s\xe1\xbb\x91 17";
	static const uint8_t salt[32] = {9, 8, 7}, other[32] = {9, 8};
	uint8_t both[32 + sizeof(text)];
	struct digest d = {.alg = DIGEST_SHA256};
	char stated[DIGEST_TEXT_MAX];

	(void)state;
	memcpy(both, salt, 32);
	memcpy(both + 32, text, sizeof(text));
	tlog_sha256(d.bytes, both, 32 + sizeof(text) - 1);
	digest_format(&d, stated);
	assert_int_equal(signet_log_verify_opening(stated, salt, text, sizeof(text) - 1), SIGNET_OK);
	assert_int_equal(signet_log_verify_opening(stated, salt, text, sizeof(text) - 2), SIGNET_ERR_VERIFY);
	assert_int_equal(signet_log_verify_opening(stated, other, text, sizeof(text) - 1), SIGNET_ERR_VERIFY);
	assert_int_equal(signet_log_verify_opening("text", salt, text, 3), SIGNET_ERR_PROTOCOL);
}

/* --- receipts --- */

static const uint8_t signature[] = {1, 2, 3, 4, 5};
static char receipt_entry[1024];

/* A receipt file for an entry of its own at AT, with `change` made to its JSON. */
static char *
receipt_text(void (*change)(json_t *receipt, json_t *inner))
{
	struct digest d = {.alg = DIGEST_SHA256};
	char hash[DIGEST_TEXT_MAX], *text;
	uint8_t digest[32] = {0xab}, leaf[TLOG_HASH];
	signet_result result = {.log = "log.example",
	    .index = AT,
	    .time = "2026-11-21T19:26:41.123456Z",
	    .entry = receipt_entry,
	    .leaf_hash = leaf,
	    .signature = signature,
	    .signature_size = sizeof(signature)};
	uint8_t kept[TLOG_HASH];
	char *proof;

	tlog_sha256(d.bytes, signature, sizeof(signature));
	digest_format(&d, hash);
	(void)snprintf(receipt_entry, sizeof(receipt_entry),
	    "{\"v\":1,\"kind\":\"sign\",\"time\":\"%s\",\"boot\":\"b\",\"index\":%d,\"clock\":\"unknown\","
	    "\"digest\":"
	    "\"sha256:ab%062d\",\"outcome\":\"ok\",\"signatureHash\":\"%s\"}",
	    result.time, AT, 0, hash);
	signet_log_leaf(receipt_entry, strlen(receipt_entry), leaf);
	memcpy(kept, log_.leaf[AT], TLOG_HASH);
	memcpy(log_.leaf[AT], leaf, TLOG_HASH);
	proof = proof_of(AT);
	memcpy(log_.leaf[AT], kept, TLOG_HASH);
	result.proof = proof;
	assert_int_equal(signet_receipt_make(&result, SIGNET_SHA256, digest, &text), SIGNET_OK);
	free(proof);
	if (change != NULL) {
		json_t *receipt = json_loads(text, 0, NULL);

		assert_non_null(receipt);
		change(receipt, json_object_get(receipt, "receipt"));
		free(text);
		text = json_dumps(receipt, 0);
		json_decref(receipt);
	}
	return text;
}

static signet_err
judge(char *text)
{
	signet_receipt *r = NULL;
	signet_checkpoint c;
	signet_err err;

	err = signet_receipt_read(&r, text, strlen(text));
	if (err == SIGNET_OK)
		err = signet_receipt_verify(r, log_.vkey, &c);
	signet_receipt_free(r);
	free(text);
	return err;
}

static void
receipt_that_was_made_is_good(void **state)
{
	signet_receipt *r;
	signet_checkpoint c;
	char *text = receipt_text(NULL);

	(void)state;
	assert_int_equal(signet_receipt_read(&r, text, strlen(text)), SIGNET_OK);
	assert_int_equal(r->index, AT);
	assert_string_equal(r->entry, receipt_entry);
	assert_int_equal(r->signature_size, sizeof(signature));
	assert_memory_equal(r->signature, signature, sizeof(signature));
	assert_memory_equal(r->digest, "sha256:ab00", 11);
	assert_int_equal(signet_receipt_verify(r, log_.vkey, &c), SIGNET_OK);
	assert_int_equal(c.size, SIZE);
	assert_int_equal(signet_receipt_verify(r, NULL, &c), SIGNET_ERR_ARGUMENT);
	signet_receipt_free(r);
	signet_receipt_free(NULL);
	free(text);
}

#define CHANGE(name, object, member, value)                                                                  \
	static void name(json_t *receipt, json_t *inner)                                                     \
	{                                                                                                    \
		(void)receipt;                                                                               \
		(void)inner;                                                                                 \
		assert_int_equal(json_object_set_new(object, member, value), 0);                             \
	}
CHANGE(other_log, inner, "log", json_string("log.exampl"))
CHANGE(other_index, inner, "index", json_integer(16))
CHANGE(other_time, inner, "time", json_string("2026-11-21T19:26:41.123457Z"))
CHANGE(other_leaf, inner, "leafHash", json_string("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="))
CHANGE(other_entry, inner, "entry", json_string("{}"))
CHANGE(other_digest, receipt, "digest", json_string("sha256:00"))
CHANGE(other_signature, receipt, "signature", json_string("AQIDBAY="))
CHANGE(no_proof, inner, "proof", json_null())
CHANGE(no_time, inner, "time", json_null())
CHANGE(no_entry, inner, "entry", json_integer(1))
CHANGE(negative_index, inner, "index", json_integer(-1))
CHANGE(bad_signature, receipt, "signature", json_string("A"))
CHANGE(no_receipt, receipt, "receipt", json_null())
CHANGE(without_signature, receipt, "signature", json_null())
CHANGE(without_digest, receipt, "digest", json_null())
CHANGE(without_leaf, inner, "leafHash", json_null())
CHANGE(with_more, receipt, "note", json_string("kept by the registry"))

static void
what_a_receipt_says_besides_the_entry_must_be_the_entrys(void **state)
{
	static void (*const changes[])(json_t *, json_t *) = {
	    other_log, other_index, other_time, other_leaf, other_entry, other_digest, other_signature};

	(void)state;
	for (size_t i = 0; i < array_len(changes); i++)
		assert_int_equal(judge(receipt_text(changes[i])), SIGNET_ERR_VERIFY);
}

static void
refuses_what_is_no_receipt(void **state)
{
	static void (*const changes[])(json_t *, json_t *) = {
	    no_proof, no_time, no_entry, negative_index, bad_signature, no_receipt};
	static const char *const texts[] = {"", "[]", "{}", "{\"receipt\":[]}", "not JSON"};

	(void)state;
	for (size_t i = 0; i < array_len(changes); i++)
		assert_int_equal(judge(receipt_text(changes[i])), SIGNET_ERR_PROTOCOL);
	for (size_t i = 0; i < array_len(texts); i++)
		assert_int_equal(judge(strdup(texts[i])), SIGNET_ERR_PROTOCOL);
}

static void
signature_digest_and_leaf_may_be_absent(void **state)
{
	static void (*const changes[])(json_t *, json_t *) = {
	    without_signature, without_digest, without_leaf, with_more};

	(void)state;
	for (size_t i = 0; i < array_len(changes); i++)
		assert_int_equal(judge(receipt_text(changes[i])), SIGNET_OK);
}

static void
every_changed_bit_of_a_receipt_is_found_or_changes_nothing(void **state)
{
	char *text = receipt_text(NULL), *changed;
	json_t *was = json_loads(text, 0, NULL), *is;

	(void)state;
	assert_non_null(was);
	for (size_t bit = 0; bit < 8 * strlen(text); bit++) {
		changed = strdup(text);
		assert_non_null(changed);
		changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
		is = json_loads(changed, 0, NULL);
		/* another way to write the same, or a member that nobody reads */
		if (is != NULL &&
		    !json_equal(json_object_get(is, "receipt"), json_object_get(was, "receipt")) &&
		    json_object_get(json_object_get(is, "receipt"), "leafHash") != NULL)
			assert_int_not_equal(judge(changed), SIGNET_OK);
		else if (is == NULL)
			assert_int_not_equal(judge(changed), SIGNET_OK);
		else
			free(changed);
		json_decref(is);
	}
	json_decref(was);
	free(text);
}

static void
receipt_needs_a_proof(void **state)
{
	uint8_t leaf[32] = {0};
	signet_result result = {.log = "log", .time = "t", .entry = "{}", .leaf_hash = leaf};
	char *text;

	(void)state;
	assert_int_equal(signet_receipt_make(&result, SIGNET_SHA256, NULL, &text), SIGNET_ERR_UNSUPPORTED);
	result.proof = "p";
	assert_int_equal(signet_receipt_make(&result, (signet_hash)9, leaf, &text), SIGNET_ERR_ARGUMENT);
	assert_int_equal(signet_receipt_make(&result, SIGNET_SHA256, NULL, &text), SIGNET_OK);
	assert_null(strstr(text, "digest"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entry_with_its_proof_is_good_and_with_no_other),
	    cmocka_unit_test(sentence_tells_what_is_wrong),
	    cmocka_unit_test(entry_must_call_itself_by_its_place),
	    cmocka_unit_test(key_has_the_fingerprint_of_its_text),
	    cmocka_unit_test(checkpoint_is_read_with_and_without_key),
	    cmocka_unit_test(growth_is_proven_between_all_sizes),
	    cmocka_unit_test(opening_is_the_text_and_no_other),
	    cmocka_unit_test(receipt_that_was_made_is_good),
	    cmocka_unit_test(what_a_receipt_says_besides_the_entry_must_be_the_entrys),
	    cmocka_unit_test(refuses_what_is_no_receipt),
	    cmocka_unit_test(signature_digest_and_leaf_may_be_absent),
	    cmocka_unit_test(every_changed_bit_of_a_receipt_is_found_or_changes_nothing),
	    cmocka_unit_test(receipt_needs_a_proof),
	};

	return cmocka_run_group_tests(tests, make_log, remove_log);
}
