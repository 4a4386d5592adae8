/* daemon/signetd/replay.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signetd/replay.h"
#include "unit.h"

static struct replay_map map;
static const uint8_t input[LEDGER_HASH] = {1, 2, 3}, other_input[LEDGER_HASH] = {4};

static int
setup(void **state)
{
	(void)state;
	return replay_init(&map) == SIGNET_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	replay_done(&map);
	return 0;
}

static struct replay *
bound(uid_t uid, const char *id, int64_t now_us)
{
	struct replay *r = replay_bind(&map, uid, id, input, now_us);

	assert_non_null(r);
	assert_int_equal(r->state, REPLAY_RUNNING);
	return r;
}

static void
an_id_is_bound_per_user(void **state)
{
	struct replay *r = bound(1, "a", 0);

	(void)state;
	assert_ptr_equal(replay_find(&map, 1, "a"), r);
	assert_null(replay_find(&map, 2, "a"));
	assert_null(replay_find(&map, 1, "A"));
	assert_null(replay_find(&map, 1, ""));
	assert_memory_equal(r->input, input, sizeof(input));
	assert_memory_not_equal(r->input, other_input, sizeof(input));
	assert_ptr_not_equal(bound(2, "a", 0), r);
}

static void
settled_binding_says_where_its_entry_is(void **state)
{
	struct replay *done = bound(1, "done", 0), *unknown = bound(1, "unknown", 0);

	(void)state;
	replay_settle(&map, done, false, 7);
	replay_settle(&map, unknown, true, 8);
	assert_int_equal(replay_find(&map, 1, "done")->state, REPLAY_DONE);
	assert_int_equal(replay_find(&map, 1, "done")->index, 7);
	assert_int_equal(replay_find(&map, 1, "unknown")->state, REPLAY_UNKNOWN);
	assert_int_equal(replay_find(&map, 1, "unknown")->index, 8);
}

static void
released_binding_is_free_again(void **state)
{
	(void)state;
	replay_release(&map, bound(1, "a", 0));
	assert_null(replay_find(&map, 1, "a"));
	assert_int_equal(map.count, 0);
	bound(1, "a", 0);
}

static void
finds_each_of_many(void **state)
{
	enum { N = 20000 };
	char id[32];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "id-%u", i);
		bound(i % 3, id, i)->index = i;
	}
	assert_int_equal(map.count, N);
	assert_true(map.slot_count >= N / 2);
	for (unsigned i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "id-%u", i);
		assert_int_equal(replay_find(&map, i % 3, id)->index, i);
	}
}

static void
settle(struct replay *r)
{
	replay_settle(&map, r, false, 1);
}

static void
binding_lives_30_days_and_not_a_microsecond_longer(void **state)
{
	(void)state;
	settle(bound(1, "old", 1000));
	bound(1, "x", 1000 + REPLAY_AGE_US - 1);
	assert_non_null(replay_find(&map, 1, "old"));
	bound(1, "y", 1000 + REPLAY_AGE_US);
	assert_null(replay_find(&map, 1, "old"));
}

static void
running_binding_is_never_forgotten(void **state)
{
	(void)state;
	bound(1, "running", 0);
	settle(bound(1, "settled", 0));
	bound(1, "x", 2 * REPLAY_AGE_US);
	assert_non_null(replay_find(&map, 1, "running"));
	assert_null(replay_find(&map, 1, "settled"));
}

static void
user_keeps_100000_bindings_and_the_oldest_goes_for_one_more(void **state)
{
	char id[32];

	(void)state;
	for (unsigned i = 0; i < REPLAY_PER_UID; i++) {
		snprintf(id, sizeof(id), "%u", i);
		settle(bound(1, id, 0));
	}
	assert_non_null(replay_find(&map, 1, "0"));
	assert_int_equal(map.count, REPLAY_PER_UID);
	settle(bound(2, "others", 0)); /* another user's do not count */
	assert_non_null(replay_find(&map, 1, "0"));
	settle(bound(1, "one more", 0));
	assert_null(replay_find(&map, 1, "0"));
	assert_non_null(replay_find(&map, 1, "1"));
	assert_int_equal(map.count, REPLAY_PER_UID + 1);
}

/* --- waiters --- */

struct waiter {
	struct replay_waiter w;
	unsigned calls, order;
	struct replay *again;     /* waits for this one when called */
	struct waiter *evicts[3]; /* who leave when it is called */
};

static unsigned order;

static void
on_called(struct replay_waiter *w)
{
	struct waiter *me = (struct waiter *)w;

	me->calls++;
	me->order = ++order;
	for (size_t i = 0; i < array_len(me->evicts); i++)
		if (me->evicts[i] != NULL) {
			replay_leave(&me->evicts[i]->w);
			free(me->evicts[i]); /* as a batch does that goes away */
		}
	if (me->again != NULL)
		replay_wait(me->again, w);
}

static struct waiter *
waiter(struct replay *r)
{
	struct waiter *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->w.done = on_called;
	replay_wait(r, &w->w);
	return w;
}

static void
waiters_are_called_once_in_the_order_they_came(void **state)
{
	struct replay *r = bound(1, "a", 0);
	struct waiter *w[4];

	(void)state;
	order = 0;
	for (unsigned i = 0; i < array_len(w); i++)
		w[i] = waiter(r);
	replay_settle(&map, r, false, 1);
	for (unsigned i = 0; i < array_len(w); i++) {
		assert_int_equal(w[i]->calls, 1);
		assert_int_equal(w[i]->order, i + 1);
		free(w[i]);
	}
	replay_settle(&map, r, false, 1);
}

static void
who_has_left_is_not_called(void **state)
{
	struct replay *r = bound(1, "a", 0);
	struct waiter *w[3];

	(void)state;
	for (unsigned i = 0; i < array_len(w); i++)
		w[i] = waiter(r);
	replay_leave(&w[1]->w);
	replay_release(&map, r);
	assert_int_equal(w[0]->calls, 1);
	assert_int_equal(w[1]->calls, 0);
	assert_int_equal(w[2]->calls, 1);
	for (unsigned i = 0; i < array_len(w); i++)
		free(w[i]);
}

/* A batch waits with several items for one id; the first that is called makes the batch go away. */
static void
waiters_may_make_others_leave_although_the_binding_has_gone(void **state)
{
	struct replay *r = bound(1, "a", 0);
	struct waiter *first = waiter(r);

	(void)state;
	for (size_t i = 0; i < array_len(first->evicts); i++)
		first->evicts[i] = waiter(r);
	replay_release(&map, r);
	assert_int_equal(first->calls, 1);
	free(first);

	r = bound(1, "a", 0);
	first = waiter(r);
	for (size_t i = 0; i < array_len(first->evicts); i++)
		first->evicts[i] = waiter(r);
	replay_settle(&map, r, false, 3);
	assert_int_equal(first->calls, 1);
	free(first);
}

static void
waiter_may_wait_again(void **state)
{
	struct replay *r = bound(1, "a", 0), *next = bound(1, "b", 0);
	struct waiter *w = waiter(r);

	(void)state;
	w->again = next;
	replay_release(&map, r);
	assert_int_equal(w->calls, 1);
	w->again = NULL;
	replay_settle(&map, next, true, 1);
	assert_int_equal(w->calls, 2);
	free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    CASE(an_id_is_bound_per_user),
	    CASE(settled_binding_says_where_its_entry_is),
	    CASE(released_binding_is_free_again),
	    CASE(finds_each_of_many),
	    CASE(binding_lives_30_days_and_not_a_microsecond_longer),
	    CASE(running_binding_is_never_forgotten),
	    CASE(user_keeps_100000_bindings_and_the_oldest_goes_for_one_more),
	    CASE(waiters_are_called_once_in_the_order_they_came),
	    CASE(who_has_left_is_not_called),
	    CASE(waiters_may_make_others_leave_although_the_binding_has_gone),
	    CASE(waiter_may_wait_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
