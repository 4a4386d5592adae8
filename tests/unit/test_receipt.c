/* daemon/signetd/receipt.c: text by hand that must be JSON of the declared type */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "signetd/dispatch.h"
#include "signetd/receipt.h"
#include "unit.h"

static const uint8_t leaf[32] = {0xff, 0xfe, 1, 2, 3};

static int
setup(void **state)
{
	char why[256];

	(void)state;
	return dispatch_init(why, sizeof(why)) == SIGNET_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	dispatch_done();
	return 0;
}

/* The reply that Sign would give, checked against its declaration. */
static json_t *
written(const char *origin, const struct outcome *o)
{
	const struct idl_method *sign = idl_method(dispatch_interface("org.signetd.Signer"), "Sign");
	json_t *reply = NULL;
	char field[128] = "";
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_chr(&b, '{');
	receipt_write(&b, origin, o);
	buf_str(&b, ",\"state\":\"done\"}");
	assert_false(b.failed);
	assert_int_equal(json_read(&reply, (const char *)b.data, b.len, NULL), SIGNET_OK);
	if (!idl_check_output(sign, reply, field, sizeof(field)))
		fail_msg("%s: %.*s", field, (int)b.len, (const char *)b.data);
	buf_done(&b);
	return reply;
}

static void
says_signature_and_receipt_as_declared(void **state)
{
	static const char entry[] = "{\"v\":1,\"title\":\"\\\"q\\\" \\\\ \xe1\xbb\x9d\"}";
	struct outcome o = {.sig = (const uint8_t *)"\0sig",
	    .sig_len = 4,
	    .index = 12345678901234,
	    .time = "2026-11-21T19:26:41.123456Z",
	    .entry = (const uint8_t *)entry,
	    .entry_len = sizeof(entry) - 1,
	    .leaf = leaf};
	json_t *reply = written("example.org/\"log\"", &o), *receipt = json_object_get(reply, "receipt");
	char hash[BASE64_LEN(32) + 1];

	(void)state;
	base64_encode(hash, leaf, sizeof(leaf));
	hash[BASE64_LEN(32)] = '\0';
	assert_string_equal(json_member_str(reply, "signature"), "AHNpZw==");
	assert_string_equal(json_member_str(receipt, "log"), "example.org/\"log\"");
	assert_int_equal(json_integer_value(json_object_get(receipt, "index")), 12345678901234);
	assert_string_equal(json_member_str(receipt, "time"), "2026-11-21T19:26:41.123456Z");
	assert_string_equal(json_member_str(receipt, "entry"), entry); /* byte for byte */
	assert_string_equal(json_member_str(receipt, "leafHash"), hash);
	assert_null(json_object_get(receipt, "proof"));
	json_decref(reply);
}

static void
leaves_out_what_there_is_not(void **state)
{
	struct outcome o = {.index = 0,
	    .time = "2026-11-21T19:26:41.123456Z",
	    .entry = (const uint8_t *)"{}",
	    .entry_len = 2,
	    .leaf = leaf};
	json_t *reply = written("l", &o);

	(void)state;
	assert_null(json_object_get(reply, "signature"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "receipt"), "index")), 0);
	json_decref(reply);
}

static void
proof_stands_beside_the_entry(void **state)
{
	static const char proof[] = "c2sp.org/tlog-proof@v1\nindex 0\n\nnote\n";
	struct outcome o = {.index = 0,
	    .time = "2026-11-21T19:26:41.123456Z",
	    .entry = (const uint8_t *)"{}",
	    .entry_len = 2,
	    .leaf = leaf,
	    .proof = proof,
	    .proof_len = sizeof(proof) - 1};
	json_t *reply = written("l", &o);

	(void)state;
	assert_string_equal(json_member_str(json_object_get(reply, "receipt"), "proof"), proof);
	json_decref(reply);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_signature_and_receipt_as_declared),
	    cmocka_unit_test(leaves_out_what_there_is_not),
	    cmocka_unit_test(proof_stands_beside_the_entry),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
