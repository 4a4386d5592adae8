/* client/base/buf.c */
#include <stdlib.h>

#include "base/buf.h"
#include "heap.h"
#include "unit.h"

static void
assert_content(const struct buf *b, const char *expected)
{
	assert_false(b->failed);
	assert_int_equal(b->len, strlen(expected));
	assert_memory_equal(b->data, expected, b->len);
}

static void
write_over_maximum_fails_and_changes_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_str(&b, "123456789");
	assert_content(&b, "123456789");
	buf_str(&b, "ab");
	assert_true(b.failed);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "123456789", 9);
	buf_done(&b);
}

static void
write_to_maximum_succeeds(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_str(&b, "123456789");
	buf_chr(&b, 'a');
	assert_content(&b, "123456789a");
	buf_put(&b, NULL, 0);
	assert_content(&b, "123456789a");
	buf_chr(&b, 'b');
	assert_true(b.failed);
	buf_done(&b);
}

static void
failure_sticks_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_str(&b, "12345");
	assert_true(b.failed);
	/* these would fit */
	buf_chr(&b, 'a');
	buf_u16(&b, 1);
	buf_printf(&b, "%d", 1);
	buf_dec(&b, 1);
	assert_null(buf_room(&b, 1));
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	buf_str(&b, "1234");
	assert_content(&b, "1234");
	buf_done(&b);
}

static void
lengths_near_the_end_of_size_t_do_not_wrap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_str(&b, "12");
	assert_null(buf_room(&b, SIZE_MAX));
	buf_reset(&b);
	buf_str(&b, "12");
	assert_null(buf_room(&b, SIZE_MAX - 1));
	assert_true(b.failed);
	buf_done(&b);
}

static void
no_memory_fails_and_keeps_the_content(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000000);
	buf_str(&b, "kept");
	heap_exhausted = true;
	assert_null(buf_room(&b, 100000));
	heap_exhausted = false;
	assert_true(b.failed);
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "kept", 4);
	buf_done(&b);
}

static void
grows_in_few_steps(void **state)
{
	unsigned before = heap_allocations;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 1 << 20; i++)
		buf_u8(&b, (uint8_t)i);
	assert_false(b.failed);
	for (int i = 0; i < 1 << 20; i++)
		assert_int_equal(b.data[i], (uint8_t)i);
	assert_true(heap_allocations - before < 16);
	buf_done(&b);
}

static void
integers_are_little_endian_and_come_back(void **state)
{
	static const uint8_t expected[] = {
	    0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08};
	struct cursor c;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_u8(&b, 0x01);
	buf_u16(&b, 0x0203);
	buf_u32(&b, 0x04050607);
	buf_u64(&b, 0x08090a0b0c0d0e0f);
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	cur_init(&c, b.data, b.len);
	assert_int_equal(cur_u8(&c), 0x01);
	assert_int_equal(cur_u16(&c), 0x0203);
	assert_int_equal(cur_u32(&c), 0x04050607);
	assert_false(cur_done(&c));
	assert_true(cur_u64(&c) == 0x08090a0b0c0d0e0f);
	assert_true(cur_done(&c));
	buf_done(&b);
}

static void
bytes16_takes_65535_bytes_and_not_one_more(void **state)
{
	static uint8_t bytes[65536];
	const uint8_t *back;
	struct cursor c;
	struct buf b;
	size_t n;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	buf_init(&b, 100000);
	buf_bytes16(&b, bytes, 65536);
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	buf_bytes16(&b, bytes, 65535);
	buf_bytes16(&b, NULL, 0);
	assert_false(b.failed);
	cur_init(&c, b.data, b.len);
	back = cur_bytes16(&c, &n);
	assert_int_equal(n, 65535);
	assert_memory_equal(back, bytes, n);
	assert_non_null(cur_bytes16(&c, &n));
	assert_int_equal(n, 0);
	assert_true(cur_done(&c));
	buf_done(&b);
}

static void
bytes16_leaves_no_length_without_its_bytes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 6);
	buf_bytes16(&b, "12345", 5);
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

static void
printf_fills_a_buffer_to_its_last_byte(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_printf(&b, "%s-%d", "abc", 12345);
	assert_content(&b, "abc-12345");
	buf_printf(&b, "%c", 'z');
	assert_content(&b, "abc-12345z");
	buf_printf(&b, "%s", "");
	assert_content(&b, "abc-12345z");
	buf_printf(&b, "%c", 'z');
	assert_true(b.failed);
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "abc-12345z", 10);
	buf_done(&b);
}

static void
printf_grows(void **state)
{
	char text[2001];
	struct buf b;

	(void)state;
	memset(text, 'y', 2000);
	text[2000] = '\0';
	buf_init(&b, 5000);
	buf_str(&b, "<");
	buf_printf(&b, "%s>", text);
	assert_int_equal(b.len, 2002);
	assert_memory_equal(b.data + 1, text, 2000);
	assert_int_equal(b.data[2001], '>');
	buf_done(&b);
}

static void
consumed_bytes_make_room_again(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_str(&b, "0123456789");
	for (int i = 0; i < 1000; i++) {
		uint8_t first = b.data[0];

		buf_consume(&b, 1);
		assert_int_equal(b.len, 9);
		buf_u8(&b, first);
		assert_false(b.failed);
	}
	assert_content(&b, "0123456789");
	buf_consume(&b, 10);
	assert_int_equal(b.len, 0);
	buf_str(&b, "abcdefghij");
	assert_content(&b, "abcdefghij");
	buf_done(&b);
}

static void
consuming_many_small_pieces_keeps_the_rest(void **state)
{
	struct buf b;
	uint32_t next = 0;

	(void)state;
	buf_init(&b, 400000);
	for (uint32_t i = 0; i < 100000; i++)
		buf_u32(&b, i);
	while (b.len > 0) {
		struct cursor c;

		cur_init(&c, b.data, 4);
		assert_int_equal(cur_u32(&c), next++);
		buf_consume(&b, 4);
	}
	assert_int_equal(next, 100000);
	buf_done(&b);
}

/* Random operations against the simplest thing that could be right: an array. */
static void
behaves_like_an_array(void **state)
{
	enum { MAX = 3000 };
	static uint8_t model[MAX];
	size_t len = 0;
	struct buf b;

	(void)state;
	srand(7);
	for (int secret = 0; secret < 2; secret++) {
		len = 0;
		buf_init(&b, MAX);
		b.secret = secret == 1;
		for (int i = 0; i < 20000; i++) {
			size_t n = (size_t)rand() % 400;

			switch (rand() % 8) {
			case 0:
				n = n > len ? len : n;
				buf_consume(&b, n);
				memmove(model, model + n, len - n);
				len -= n;
				break;
			case 1:
				buf_shrink(&b, (size_t)rand() % MAX);
				break;
			case 2:
				if (rand() % 20 == 0) {
					buf_reset(&b);
					len = 0;
				}
				break;
			default:
				n = n > MAX - len ? MAX - len : n;
				memset(model + len, i, n);
				buf_put(&b, model + len, n);
				len += n;
				break;
			}
			assert_false(b.failed);
			assert_int_equal(b.len, len);
			assert_true(b.len <= b.cap);
			if (len > 0)
				assert_memory_equal(b.data, model, len);
		}
		buf_done(&b);
	}
}

static void
shrink_gives_memory_back_but_never_content(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_non_null(buf_room(&b, 1 << 19));
	buf_str(&b, "content");
	buf_shrink(&b, 100);
	assert_content(&b, "content");
	assert_int_equal(b.cap, 100);
	buf_shrink(&b, 3);
	assert_content(&b, "content");
	assert_int_equal(b.cap, 7);
	buf_reset(&b);
	buf_shrink(&b, 0);
	assert_null(b.data);
	buf_str(&b, "again");
	assert_content(&b, "again");
	buf_done(&b);
}

static void
shrink_without_memory_keeps_the_block(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 1 << 20);
	assert_non_null(buf_room(&b, 1 << 19));
	buf_str(&b, "content");
	heap_exhausted = true;
	buf_shrink(&b, 100);
	heap_exhausted = false;
	assert_content(&b, "content");
	assert_int_equal(b.cap, 1 << 19);
	buf_done(&b);
}

static void
done_can_be_called_twice_and_keeps_the_limits(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 5);
	buf_str(&b, "12345");
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	buf_done(&b);
	assert_true(b.secret);
	buf_str(&b, "123456");
	assert_true(b.failed);
	buf_done(&b);
}

static void
put_needle(struct buf *b)
{
	buf_put(b, heap_needle, sizeof(heap_needle) - 1);
}

static void
heap_check_finds_what_an_ordinary_buffer_leaves(void **state)
{
	struct buf b;

	(void)state;
	heap_leaks = 0;
	buf_init(&b, 1000);
	put_needle(&b);
	buf_done(&b);
	assert_int_equal(heap_leaks, 1);
}

static void
secret_buffer_leaves_nothing_when_it_grows_shrinks_or_ends(void **state)
{
	struct buf b;

	(void)state;
	heap_leaks = 0;
	buf_init_secret(&b, 100000);
	for (int i = 0; i < 1000; i++)
		put_needle(&b);
	buf_consume(&b, b.len / 2);
	assert_non_null(buf_room(&b, 60000));
	buf_shrink(&b, 0);
	buf_done(&b);
	assert_int_equal(heap_leaks, 0);
}

/* Look at the whole block, behind the content too. */
static bool
block_has_needle(const struct buf *b)
{
	return memmem(b->data - b->gone, b->gone + b->cap, heap_needle, sizeof(heap_needle) - 1) != NULL;
}

static void
secret_buffer_wipes_what_it_forgets(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 100000);
	memset(buf_room(&b, 1000), 0, 1000);
	put_needle(&b);
	assert_true(block_has_needle(&b));
	buf_reset(&b);
	assert_false(block_has_needle(&b));
	buf_str(&b, "before");
	put_needle(&b);
	buf_str(&b, "behind");
	buf_consume(&b, 6 + sizeof(heap_needle) - 1);
	assert_false(block_has_needle(&b));
	assert_content(&b, "behind");
	buf_done(&b);
}

static void
secret_buffer_wipes_the_old_place_when_its_content_moves(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 300);
	memset(buf_room(&b, 300), 0, 300);
	b.len = 260;
	put_needle(&b);
	buf_consume(&b, 260);
	/* only room at the front: the needle must move there, and only there be found */
	assert_non_null(buf_room(&b, 200));
	assert_memory_equal(b.data, heap_needle, sizeof(heap_needle) - 1);
	assert_null(memmem(b.data + 1, b.cap - 1, heap_needle, sizeof(heap_needle) - 1));
	buf_done(&b);
}

static void
secret_printf_that_does_not_fit_leaves_nothing(void **state)
{
	struct buf b;

	(void)state;
	heap_leaks = 0;
	buf_init_secret(&b, 40);
	memset(buf_room(&b, 40), 0, 40);
	buf_printf(&b, "%s%20d", heap_needle, 1);
	assert_true(b.failed);
	assert_false(block_has_needle(&b));
	buf_done(&b);
	assert_int_equal(heap_leaks, 0);
}

static void
cursor_past_the_end_yields_zeroes_and_fails(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
	struct cursor c;
	size_t n = 9;

	(void)state;
	cur_init(&c, bytes, 7);
	assert_true(cur_u64(&c) == 0);
	assert_true(c.failed);
	/* stickily: a byte would be there */
	assert_int_equal(cur_u8(&c), 0);
	assert_null(cur_take(&c, 0));
	assert_null(cur_bytes16(&c, &n));
	assert_int_equal(n, 0);
	assert_false(cur_done(&c));
	cur_init(&c, bytes, 3);
	assert_int_equal(cur_u32(&c), 0);
	cur_init(&c, bytes, 1);
	assert_int_equal(cur_u16(&c), 0);
	cur_init(&c, NULL, 0);
	assert_true(cur_done(&c));
	assert_int_equal(cur_u8(&c), 0);
	assert_false(cur_done(&c));
}

static void
cursor_takes_exactly_what_is_there(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct cursor c;

	(void)state;
	cur_init(&c, bytes, 3);
	assert_ptr_equal(cur_take(&c, 3), bytes);
	assert_true(cur_done(&c));
	cur_init(&c, bytes, 3);
	assert_null(cur_take(&c, 4));
	assert_true(c.failed);
	cur_init(&c, bytes, 3);
	assert_null(cur_take(&c, SIZE_MAX));
	assert_true(c.failed);
}

static void
cursor_refuses_a_length_that_lies(void **state)
{
	static const uint8_t bytes[] = {4, 0, 'a', 'b', 'c'};
	struct cursor c;
	size_t n = 9;

	(void)state;
	cur_init(&c, bytes, sizeof(bytes));
	assert_null(cur_bytes16(&c, &n));
	assert_int_equal(n, 0);
	assert_true(c.failed);
}

static void
str16_needs_room_for_its_nul(void **state)
{
	static const uint8_t bytes[] = {3, 0, 'a', 'b', 'c'};
	char out[5];

	(void)state;
	for (size_t size = 1; size <= sizeof(out); size++) {
		struct cursor c;

		memset(out, 'x', sizeof(out));
		cur_init(&c, bytes, sizeof(bytes));
		cur_str16(&c, out, size);
		assert_int_equal(c.failed, size < 4);
		assert_string_equal(out, size < 4 ? "" : "abc");
	}
}

static void
str16_refuses_a_nul_inside(void **state)
{
	static const uint8_t bytes[] = {3, 0, 'a', 0, 'c'}, empty[] = {0, 0};
	struct cursor c;
	char out[10];

	(void)state;
	cur_init(&c, bytes, sizeof(bytes));
	cur_str16(&c, out, sizeof(out));
	assert_true(c.failed);
	assert_string_equal(out, "");
	cur_init(&c, empty, sizeof(empty));
	cur_str16(&c, out, 1);
	assert_true(cur_done(&c));
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(write_over_maximum_fails_and_changes_nothing),
	    cmocka_unit_test(write_to_maximum_succeeds),
	    cmocka_unit_test(failure_sticks_until_reset),
	    cmocka_unit_test(lengths_near_the_end_of_size_t_do_not_wrap),
	    cmocka_unit_test(no_memory_fails_and_keeps_the_content),
	    cmocka_unit_test(grows_in_few_steps),
	    cmocka_unit_test(integers_are_little_endian_and_come_back),
	    cmocka_unit_test(bytes16_takes_65535_bytes_and_not_one_more),
	    cmocka_unit_test(bytes16_leaves_no_length_without_its_bytes),
	    cmocka_unit_test(printf_fills_a_buffer_to_its_last_byte),
	    cmocka_unit_test(printf_grows),
	    cmocka_unit_test(consumed_bytes_make_room_again),
	    cmocka_unit_test(consuming_many_small_pieces_keeps_the_rest),
	    cmocka_unit_test(behaves_like_an_array),
	    cmocka_unit_test(shrink_gives_memory_back_but_never_content),
	    cmocka_unit_test(shrink_without_memory_keeps_the_block),
	    cmocka_unit_test(done_can_be_called_twice_and_keeps_the_limits),
	    cmocka_unit_test(heap_check_finds_what_an_ordinary_buffer_leaves),
	    cmocka_unit_test(secret_buffer_leaves_nothing_when_it_grows_shrinks_or_ends),
	    cmocka_unit_test(secret_buffer_wipes_what_it_forgets),
	    cmocka_unit_test(secret_buffer_wipes_the_old_place_when_its_content_moves),
	    cmocka_unit_test(secret_printf_that_does_not_fit_leaves_nothing),
	    cmocka_unit_test(cursor_past_the_end_yields_zeroes_and_fails),
	    cmocka_unit_test(cursor_takes_exactly_what_is_there),
	    cmocka_unit_test(cursor_refuses_a_length_that_lies),
	    cmocka_unit_test(str16_needs_room_for_its_nul),
	    cmocka_unit_test(str16_refuses_a_nul_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
