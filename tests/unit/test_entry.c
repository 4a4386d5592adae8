/* daemon/ledger/entry.c */
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"
#include <signet/log.h>
#include "unit.h"

#define BOOT "0123456789abcdef0123456789abcdef"
#define TIME "2026-11-21T19:26:41.123456Z"

static const struct entry_head head = {
    .kind = "sign",
    .time = TIME,
    .boot = BOOT,
    .index = 41,
    .clock = "synchronised",
};

static void
assert_entry(const struct buf *entry, const char *want)
{
	assert_int_equal(entry->len, strlen(want));
	assert_memory_equal(entry->data, want, entry->len);
}

static void
head_body_and_tail_stand_in_documented_order(void **state)
{
	struct buf entry;

	(void)state;
	buf_init(&entry, SIGNET_ENTRY_MAX);
	assert_int_equal(entry_write(&entry, &head, "\"uid\":1", 7, "\"outcome\":\"ok\"", 14), SIGNET_OK);
	assert_entry(&entry, "{\"v\":1,\"kind\":\"sign\",\"time\":\"" TIME "\",\"boot\":\"" BOOT
			     "\",\"index\":41,\"clock\":\"synchronised\",\"uid\":1,\"outcome\":\"ok\"}");
	buf_done(&entry);
}

static void
empty_body_and_tail_leave_no_comma(void **state)
{
	struct buf entry;

	(void)state;
	buf_init(&entry, SIGNET_ENTRY_MAX);
	assert_int_equal(entry_write(&entry, &head, NULL, 0, NULL, 0), SIGNET_OK);
	assert_entry(&entry, "{\"v\":1,\"kind\":\"sign\",\"time\":\"" TIME "\",\"boot\":\"" BOOT
			     "\",\"index\":41,\"clock\":\"synchronised\"}");
	buf_done(&entry);
}

/* Write an entry of exactly `len` bytes; its body takes what the head leaves. */
static signet_err
write_of_len(struct buf *entry, size_t len, bool in_tail)
{
	size_t fixed, n;
	char *members;
	signet_err err;

	buf_init(entry, SIGNET_ENTRY_MAX);
	assert_int_equal(entry_write(entry, &head, NULL, 0, NULL, 0), SIGNET_OK);
	fixed = entry->len;
	buf_reset(entry);
	n = len - fixed - 1;
	members = malloc(n);
	assert_non_null(members);
	memset(members, 'x', n);
	if (in_tail)
		err = entry_write(entry, &head, NULL, 0, members, n);
	else
		err = entry_write(entry, &head, members, n, NULL, 0);
	free(members);
	return err;
}

static void
longest_entry_is_65535_bytes(void **state)
{
	struct buf entry;

	(void)state;
	for (int in_tail = 0; in_tail < 2; in_tail++) {
		assert_int_equal(write_of_len(&entry, SIGNET_ENTRY_MAX - 1, in_tail), SIGNET_OK);
		assert_int_equal(entry.len, 65534);
		buf_done(&entry);
		assert_int_equal(write_of_len(&entry, SIGNET_ENTRY_MAX, in_tail), SIGNET_OK);
		assert_int_equal(entry.len, 65535);
		buf_done(&entry);
		assert_int_equal(write_of_len(&entry, SIGNET_ENTRY_MAX + 1, in_tail), SIGNET_ERR_LIMIT);
		assert_int_equal(entry.len, 0);
		buf_done(&entry);
	}
}

static void
absurd_lengths_do_not_wrap(void **state)
{
	struct buf entry;

	(void)state;
	buf_init(&entry, SIGNET_ENTRY_MAX);
	assert_int_equal(entry_write(&entry, &head, "x", SIZE_MAX, NULL, 0), SIGNET_ERR_LIMIT);
	assert_int_equal(
	    entry_write(&entry, &head, "x", SIZE_MAX / 2 + 1, "x", SIZE_MAX / 2 + 1), SIGNET_ERR_LIMIT);
	assert_int_equal(entry_write(&entry, &head, "x", 1, "x", SIZE_MAX - 1), SIGNET_ERR_LIMIT);
	assert_null(entry.data);
	assert_false(entry_fits("sign", SIZE_MAX, SIZE_MAX));
}

static void
what_fits_can_be_written_with_any_index_and_clock(void **state)
{
	static char body[SIGNET_ENTRY_MAX];
	struct entry_head worst = head;
	struct buf entry;
	size_t n = 0;

	(void)state;
	worst.index = UINT64_MAX;
	worst.clock = "unsynchronised";
	memset(body, 'x', sizeof(body));
	while (entry_fits("sign", n + 1, 10))
		n++;
	buf_init(&entry, SIGNET_ENTRY_MAX);
	assert_int_equal(entry_write(&entry, &worst, body, n, body, 10), SIGNET_OK);
	assert_int_equal(entry.len, SIGNET_ENTRY_MAX);
	buf_reset(&entry);
	assert_int_equal(entry_write(&entry, &worst, body, n + 1, body, 10), SIGNET_ERR_LIMIT);
	buf_done(&entry);
}

static void
times_are_rfc3339_utc_with_microseconds(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} times[] = {
	    {0, "1970-01-01T00:00:00.000000Z"},
	    {1, "1970-01-01T00:00:00.000001Z"},
	    {999999, "1970-01-01T00:00:00.999999Z"},
	    {1000000, "1970-01-01T00:00:01.000000Z"},
	    {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
	    {INT64_C(1795289201123456), TIME},
	    {INT64_C(1795289201000009), "2026-11-21T19:26:41.000009Z"},
	    {INT64_C(253402300799999998), "9999-12-31T23:59:59.999998Z"},
	    {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
	    {INT64_C(253402300800000000), "9999-12-31T23:59:59.999999Z"},
	    {INT64_MAX, "9999-12-31T23:59:59.999999Z"},
	    {-1, "1970-01-01T00:00:00.000000Z"},
	    {INT64_MIN, "1970-01-01T00:00:00.000000Z"},
	};
	struct entry_clock clock = {0};
	char text[ENTRY_TIME];

	(void)state;
	for (size_t i = 0; i < array_len(times); i++) {
		entry_time(&clock, times[i].us, text);
		assert_string_equal(text, times[i].text);
	}
}

static void
time_is_read_back_from_entry(void **state)
{
	struct buf entry;
	char time[ENTRY_TIME];

	(void)state;
	buf_init(&entry, SIGNET_ENTRY_MAX);
	assert_int_equal(entry_write(&entry, &head, "\"uid\":1", 7, NULL, 0), SIGNET_OK);
	assert_true(entry_time_of(entry.data, entry.len, time));
	assert_string_equal(time, TIME);
	buf_done(&entry);
}

static void
no_time_is_read_from_other_or_cut_bytes(void **state)
{
	static const char good[] = "{\"v\":1,\"kind\":\"sign\",\"time\":\"" TIME;
	static const char *const bad[] = {
	    "",
	    "{\"v\":2,\"kind\":\"sign\",\"time\":\"" TIME "\"",
	    "{\"v\":1,\"kind\":\"sign",
	    "{\"v\":1,\"kind\":\"sign\",\"when\":\"" TIME "\"",
	};
	char time[ENTRY_TIME];

	(void)state;
	assert_true(entry_time_of((const uint8_t *)good, sizeof(good) - 1, time));
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_false(entry_time_of((const uint8_t *)good, n, time));
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(entry_time_of((const uint8_t *)bad[i], strlen(bad[i]), time));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(head_body_and_tail_stand_in_documented_order),
	    cmocka_unit_test(empty_body_and_tail_leave_no_comma),
	    cmocka_unit_test(longest_entry_is_65535_bytes),
	    cmocka_unit_test(absurd_lengths_do_not_wrap),
	    cmocka_unit_test(what_fits_can_be_written_with_any_index_and_clock),
	    cmocka_unit_test(times_are_rfc3339_utc_with_microseconds),
	    cmocka_unit_test(time_is_read_back_from_entry),
	    cmocka_unit_test(no_time_is_read_from_other_or_cut_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
