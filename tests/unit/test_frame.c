/* client/base/frame.c */
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"
#include "unit.h"

struct wire {
	struct frame_scan scan;
	struct buf in;
};

static int
open_wire(void **state)
{
	struct wire *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -1;
	buf_init(&w->in, 4 * JSON_MESSAGE_MAX);
	*state = w;
	return 0;
}

static int
close_wire(void **state)
{
	struct wire *w = *state;

	buf_done(&w->in);
	free(w);
	return 0;
}

static void
put_many(struct wire *w, size_t n)
{
	uint8_t *p = buf_room(&w->in, n);

	assert_non_null(p);
	memset(p, 'x', n);
	w->in.len += n;
}

static void
assert_message(struct wire *w, const char *expected)
{
	size_t len = 0;

	assert_int_equal(frame_next(&w->scan, &w->in, &len), FRAME_COMPLETE);
	assert_int_equal(len, strlen(expected));
	assert_string_equal((const char *)w->in.data, expected);
	frame_drop(&w->scan, &w->in, len);
}

static void
assert_partial(struct wire *w)
{
	size_t len;

	assert_int_equal(frame_next(&w->scan, &w->in, &len), FRAME_PARTIAL);
}

static void
nothing_is_partial(void **state)
{
	assert_partial(*state);
}

static void
message_is_complete_with_its_nul(void **state)
{
	struct wire *w = *state;

	buf_str(&w->in, "{}");
	assert_partial(w);
	assert_partial(w);
	buf_u8(&w->in, 0);
	assert_message(w, "{}");
	assert_int_equal(w->in.len, 0);
	/* scanning starts anew: this NUL stands before the place where the last one stood */
	buf_u8(&w->in, 0);
	assert_message(w, "");
	assert_partial(w);
}

static void
messages_come_in_order_and_the_rest_stays(void **state)
{
	struct wire *w = *state;

	buf_put(&w->in, "first\0\0third\0rest", 17);
	assert_message(w, "first");
	assert_message(w, "");
	assert_message(w, "third");
	assert_partial(w);
	assert_int_equal(w->in.len, 4);
	buf_u8(&w->in, 0);
	assert_message(w, "rest");
}

static void
scanned_bytes_are_not_scanned_again(void **state)
{
	struct wire *w = *state;

	put_many(w, 1000);
	assert_partial(w);
	assert_int_equal(w->scan.seen, 1000);
	put_many(w, 1);
	assert_partial(w);
	assert_int_equal(w->scan.seen, 1001);
	/* a NUL where scanning is over would not be found */
	w->in.data[500] = '\0';
	assert_partial(w);
}

/* n bytes, then a NUL, which arrives with them or after them. */
static enum frame_state
state_of(struct wire *w, size_t n, bool at_once)
{
	size_t len = 0;
	enum frame_state got;

	put_many(w, n);
	got = at_once ? FRAME_PARTIAL : frame_next(&w->scan, &w->in, &len);
	if (got == FRAME_TOO_LONG)
		return got;
	assert_int_equal(got, FRAME_PARTIAL);
	buf_u8(&w->in, 0);
	got = frame_next(&w->scan, &w->in, &len);
	if (got == FRAME_COMPLETE)
		assert_int_equal(len, n);
	return got;
}

static void
takes_frame_one_byte_under_limit(void **state)
{
	assert_int_equal(state_of(*state, JSON_MESSAGE_MAX - 1, false), FRAME_COMPLETE);
}

static void
takes_frame_at_limit(void **state)
{
	assert_int_equal(state_of(*state, JSON_MESSAGE_MAX, false), FRAME_COMPLETE);
}

static void
takes_frame_at_limit_that_arrives_at_once(void **state)
{
	assert_int_equal(state_of(*state, JSON_MESSAGE_MAX, true), FRAME_COMPLETE);
}

static void
refuses_frame_one_byte_over_limit(void **state)
{
	assert_int_equal(state_of(*state, JSON_MESSAGE_MAX + 1, false), FRAME_TOO_LONG);
}

static void
refuses_frame_one_byte_over_limit_that_arrives_at_once(void **state)
{
	struct wire *w = *state;
	size_t len;

	assert_int_equal(state_of(w, JSON_MESSAGE_MAX + 1, true), FRAME_TOO_LONG);
	/* and goes on refusing it */
	assert_int_equal(frame_next(&w->scan, &w->in, &len), FRAME_TOO_LONG);
}

static void
limit_is_per_message_not_per_buffer(void **state)
{
	struct wire *w = *state;
	size_t len;

	put_many(w, JSON_MESSAGE_MAX);
	buf_u8(&w->in, 0);
	put_many(w, JSON_MESSAGE_MAX);
	buf_u8(&w->in, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_next(&w->scan, &w->in, &len), FRAME_COMPLETE);
		assert_int_equal(len, JSON_MESSAGE_MAX);
		frame_drop(&w->scan, &w->in, len);
	}
	assert_int_equal(w->in.len, 0);
}

#define wire_test(f) cmocka_unit_test_setup_teardown(f, open_wire, close_wire)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    wire_test(nothing_is_partial),
	    wire_test(message_is_complete_with_its_nul),
	    wire_test(messages_come_in_order_and_the_rest_stays),
	    wire_test(scanned_bytes_are_not_scanned_again),
	    wire_test(takes_frame_one_byte_under_limit),
	    wire_test(takes_frame_at_limit),
	    wire_test(takes_frame_at_limit_that_arrives_at_once),
	    wire_test(refuses_frame_one_byte_over_limit),
	    wire_test(refuses_frame_one_byte_over_limit_that_arrives_at_once),
	    wire_test(limit_is_per_message_not_per_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
