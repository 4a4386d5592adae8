/* daemon/ledger/kept.c */
#include <stdlib.h>
#include <string.h>

#include "ledger/kept.h"
#include "unit.h"

static const char text[] = "biên bản";

static struct ledger_kept
binding(const char *id, const void *value, size_t len)
{
	struct ledger_kept k = {.uid = 1000, .request_id = id, .value = value, .value_len = len};

	memset(k.input, 0xa5, sizeof(k.input));
	return k;
}

static void
encode(struct buf *blob, const struct ledger_kept *k, int64_t time_us)
{
	buf_init(blob, KEPT_BLOB_MAX);
	assert_int_equal(kept_encode(blob, k, time_us), SIGNET_OK);
}

static void
binding_comes_back_as_it_was(void **state)
{
	struct ledger_kept k = binding("id-1", "signature", 9);
	struct kept_row row;
	struct buf blob;

	(void)state;
	encode(&blob, &k, INT64_C(1795289201123456));
	assert_int_equal(kept_decode(&row, blob.data, blob.len), SIGNET_OK);
	assert_int_equal(row.time_us, INT64_C(1795289201123456));
	assert_int_equal(row.kept.uid, 1000);
	assert_string_equal(row.kept.request_id, "id-1");
	assert_memory_equal(row.kept.input, k.input, LEDGER_HASH);
	assert_false(row.kept.unknown);
	assert_int_equal(row.kept.value_len, 9);
	assert_memory_equal(row.kept.value, "signature", 9);
	buf_done(&blob);
}

static void
unknown_outcome_and_highest_uid_come_back(void **state)
{
	struct ledger_kept k = binding("", NULL, 0);
	struct kept_row row;
	struct buf blob;

	(void)state;
	k.uid = (uid_t)-2;
	k.unknown = true;
	encode(&blob, &k, -1);
	assert_int_equal(kept_decode(&row, blob.data, blob.len), SIGNET_OK);
	assert_true(row.kept.unknown);
	assert_int_equal(row.kept.uid, (uid_t)-2);
	assert_int_equal(row.kept.value_len, 0);
	assert_int_equal(row.time_us, -1);
	assert_string_equal(row.kept.request_id, "");
	buf_done(&blob);
}

static void
longest_request_id_has_128_bytes(void **state)
{
	char id[LEDGER_REQUEST_ID_MAX + 2];
	struct kept_row row;
	struct buf blob;

	(void)state;
	for (size_t n = LEDGER_REQUEST_ID_MAX - 1; n <= LEDGER_REQUEST_ID_MAX + 1; n++) {
		struct ledger_kept k = binding(id, NULL, 0);

		memset(id, 'i', n);
		id[n] = '\0';
		buf_init(&blob, KEPT_BLOB_MAX);
		assert_int_equal(kept_encode(&blob, &k, 0), n <= 128 ? SIGNET_OK : SIGNET_ERR_LIMIT);
		if (n <= 128) {
			assert_int_equal(kept_decode(&row, blob.data, blob.len), SIGNET_OK);
			assert_string_equal(row.kept.request_id, id);
		}
		buf_done(&blob);
	}
}

static void
longest_value_has_one_mebibyte(void **state)
{
	uint8_t *value = calloc(1, KEPT_VALUE_MAX + 1);
	struct buf blob;

	(void)state;
	assert_non_null(value);
	for (size_t n = KEPT_VALUE_MAX - 1; n <= KEPT_VALUE_MAX + 1; n++) {
		struct ledger_kept k = binding("id", value, n);

		buf_init(&blob, KEPT_BLOB_MAX);
		assert_int_equal(
		    kept_encode(&blob, &k, 0), n <= KEPT_VALUE_MAX ? SIGNET_OK : SIGNET_ERR_LIMIT);
		buf_done(&blob);
	}
	free(value);
}

static void
cut_or_prolonged_binding_is_refused(void **state)
{
	struct ledger_kept k = binding("id-1", "signature", 9);
	struct kept_row row;
	struct buf blob;

	(void)state;
	encode(&blob, &k, 1);
	for (size_t n = 0; n < blob.len; n++)
		assert_int_equal(kept_decode(&row, blob.data, n), SIGNET_ERR_IO);
	buf_u8(&blob, 0);
	assert_int_equal(kept_decode(&row, blob.data, blob.len), SIGNET_ERR_IO);
	buf_done(&blob);
}

static void
binding_of_later_version_or_with_unknown_flag_is_refused(void **state)
{
	struct ledger_kept k = binding("id-1", "signature", 9);
	struct kept_row row;
	struct buf blob;

	(void)state;
	encode(&blob, &k, 1);
	blob.data[0] = 2;
	assert_int_equal(kept_decode(&row, blob.data, blob.len), SIGNET_ERR_IO);
	blob.data[0] = 1;
	blob.data[1] = 2;
	assert_int_equal(kept_decode(&row, blob.data, blob.len), SIGNET_ERR_IO);
	buf_done(&blob);
}

static char text_copy[sizeof(text)];

static void
fill_openings(struct ledger_opening *o, size_t count)
{
	static const char *const fields[] = {"number", "title", "date", "documentId", "capacity",
	    "onBehalfOf", "reason", "x7", "x8", "x9", "x10", "x11", "x12"};

	memcpy(text_copy, text, sizeof(text));
	for (size_t i = 0; i < count; i++) {
		o[i] = (struct ledger_opening){.field = fields[i], .text = text_copy};
		memset(o[i].salt, (int)i + 1, LEDGER_HASH);
	}
}

static void
openings_come_back_as_they_were(void **state)
{
	struct ledger_opening o[3];
	struct opening_row row;
	struct cursor c;
	struct buf blob;
	unsigned count;

	(void)state;
	fill_openings(o, 3);
	buf_init(&blob, OPENINGS_BLOB_MAX);
	assert_int_equal(openings_encode(&blob, o, 3), SIGNET_OK);
	assert_int_equal(openings_begin(&c, blob.data, blob.len, &count), SIGNET_OK);
	assert_int_equal(count, 3);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(openings_next(&c, &row), SIGNET_OK);
		assert_int_equal(row.field_len, strlen(o[i].field));
		assert_memory_equal(row.field, o[i].field, row.field_len);
		assert_memory_equal(row.salt, o[i].salt, LEDGER_HASH);
		assert_int_equal(row.text_len, sizeof(text) - 1);
		assert_memory_equal(row.text, text, row.text_len);
	}
	assert_true(cur_done(&c));
	buf_done(&blob);
}

static void
twelve_openings_are_the_most(void **state)
{
	struct ledger_opening o[LEDGER_OPENINGS_MAX + 1];

	(void)state;
	fill_openings(o, array_len(o));
	assert_int_equal(openings_check(o, 0), SIGNET_OK);
	assert_int_equal(openings_check(o, LEDGER_OPENINGS_MAX - 1), SIGNET_OK);
	assert_int_equal(openings_check(o, LEDGER_OPENINGS_MAX), SIGNET_OK);
	assert_int_equal(openings_check(o, LEDGER_OPENINGS_MAX + 1), SIGNET_ERR_LIMIT);
}

static void
opening_text_stays_below_64_kibibytes(void **state)
{
	char *long_text = malloc(65537);
	struct ledger_opening o = {.field = "title", .text = long_text};
	struct buf blob;

	(void)state;
	assert_non_null(long_text);
	memset(long_text, 't', 65536);
	for (size_t n = 65534; n <= 65536; n++) {
		long_text[n] = '\0';
		buf_init(&blob, OPENINGS_BLOB_MAX);
		assert_int_equal(openings_encode(&blob, &o, 1), n <= 65535 ? SIGNET_OK : SIGNET_ERR_LIMIT);
		buf_done(&blob);
		long_text[n] = 't';
	}
	free(long_text);
}

static void
one_field_is_opened_once(void **state)
{
	struct ledger_opening o[3];

	(void)state;
	fill_openings(o, 3);
	o[2].field = o[0].field;
	assert_int_equal(openings_check(o, 2), SIGNET_OK);
	assert_int_equal(openings_check(o, 3), SIGNET_ERR_ARGUMENT);
}

static void
cut_openings_are_refused(void **state)
{
	struct ledger_opening o[2];
	struct opening_row row;
	struct cursor c;
	struct buf blob;
	unsigned count;

	(void)state;
	fill_openings(o, 2);
	buf_init(&blob, OPENINGS_BLOB_MAX);
	assert_int_equal(openings_encode(&blob, o, 2), SIGNET_OK);
	for (size_t n = 0; n < blob.len; n++) {
		signet_err err = openings_begin(&c, blob.data, n, &count);

		for (unsigned i = 0; err == SIGNET_OK && i < count; i++)
			err = openings_next(&c, &row);
		assert_int_equal(err, SIGNET_ERR_IO);
	}
	blob.data[0] = 2;
	assert_int_equal(openings_begin(&c, blob.data, blob.len, &count), SIGNET_ERR_IO);
	blob.data[0] = 1;
	blob.data[1] = LEDGER_OPENINGS_MAX + 1;
	assert_int_equal(openings_begin(&c, blob.data, blob.len, &count), SIGNET_ERR_IO);
	buf_done(&blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(binding_comes_back_as_it_was),
	    cmocka_unit_test(unknown_outcome_and_highest_uid_come_back),
	    cmocka_unit_test(longest_request_id_has_128_bytes),
	    cmocka_unit_test(longest_value_has_one_mebibyte),
	    cmocka_unit_test(cut_or_prolonged_binding_is_refused),
	    cmocka_unit_test(binding_of_later_version_or_with_unknown_flag_is_refused),
	    cmocka_unit_test(openings_come_back_as_they_were),
	    cmocka_unit_test(twelve_openings_are_the_most),
	    cmocka_unit_test(opening_text_stays_below_64_kibibytes),
	    cmocka_unit_test(one_field_is_opened_once),
	    cmocka_unit_test(cut_openings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
