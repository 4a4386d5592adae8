/*
 * The real signet-token --watch on a module that fails as a script says: what it
 * sees, by events and by polling, what it says when that breaks, and that it
 * never logs in.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include "support/worker.h"
#include "unit.h"

static struct token_dir dir;
static char script_path[300], count_path[300];

static int
make_token(void **state)
{
	(void)state;
	token_dir_make(&dir, TEST_PIN);
	snprintf(script_path, sizeof(script_path), "%s/script", dir.path);
	snprintf(count_path, sizeof(count_path), "%s/count", dir.path);
	setenv("SIGNET_FAULT_SCRIPT", script_path, 1);
	setenv("SIGNET_FAULT_COUNT", count_path, 1);
	return 0;
}

static int
remove_token(void **state)
{
	(void)state;
	assert_int_not_equal(access(count_path, F_OK), 0); /* in none of these tests was a PIN sent */
	token_dir_remove(&dir);
	return 0;
}

static void
script(const char *lines)
{
	char fresh[320];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", script_path);
	f = fopen(fresh, "w");
	assert_non_null(f);
	assert_true(fputs(lines, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(fresh, script_path), 0);
}

static void
start(struct worker *w, const char *mode, const char *lines)
{
	struct wire_config c;

	script(lines);
	config_init(&c, &dir);
	strcpy(c.module, SIGNET_FAULT_LIBRARY);
	watcher_start(w, &c, mode);
}

static bool
shows(const struct wire_seen *s, const char *label)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->tokens[i].label, label) == 0)
			return true;
	return false;
}

/* Beats in between are no news. True: by events. */
static bool
until(struct worker *w, bool present)
{
	struct wire_seen s;
	bool done = false, by_events = false;

	while (!done) {
		assert_true(watcher_receive(w, &s));
		assert_int_equal(s.state, WIRE_WATCHING);
		done = shows(&s, "test") == present;
		by_events = s.polling == 0;
		wire_seen_done(&s);
	}
	return by_events;
}

static void
until_it_says(struct worker *w, enum wire_watch state, const char *part_of_reason)
{
	struct wire_seen s;

	do {
		assert_true(watcher_receive(w, &s));
		wire_seen_done(&s);
	} while (s.state == WIRE_WATCHING);
	assert_int_equal(s.state, state);
	assert_non_null(strstr(s.reason, part_of_reason));
	assert_int_equal(worker_reap(w), 0);
}

static void
describes_what_is_there_whether_anybody_knows_it(void **state)
{
	struct wire_seen s;
	struct worker w;

	(void)state;
	start(&w, "--poll", "");
	assert_true(watcher_receive(&w, &s));
	assert_int_equal(s.polling, 1);
	assert_true(shows(&s, "test"));
	for (size_t i = 0; i < s.count; i++) {
		assert_string_equal(s.tokens[i].manufacturer, "SoftHSM project");
		assert_string_equal(s.tokens[i].model, "SoftHSM v2");
		assert_true(s.tokens[i].reader[0] != '\0');
		if (strcmp(s.tokens[i].label, "test") == 0) {
			assert_int_equal(strlen(s.tokens[i].serial), 16);
			assert_true((s.tokens[i].flags & CKF_TOKEN_INITIALIZED) != 0);
		}
	}
	wire_seen_done(&s);
	worker_stop(&w);
}

static void
sees_by_polling_what_goes_and_comes(void **state)
{
	struct worker w;

	(void)state;
	start(&w, "--poll", "");
	assert_false(until(&w, true));
	script("slots absent\n");
	assert_false(until(&w, false));
	script("");
	assert_false(until(&w, true));
	script("tokeninfo rv 0xe0\n"); /* listed, but not there: CKR_TOKEN_NOT_PRESENT */
	assert_false(until(&w, false));
	script("");
	assert_false(until(&w, true));
	worker_stop(&w);
}

static void
polls_where_nobody_can_wait_for_events(void **state)
{
	struct worker w;

	(void)state;
	start(&w, "--watch", ""); /* SoftHSM refuses to block */
	(void)until(&w, true);
	script("slots absent\n");
	assert_false(until(&w, false));
	worker_stop(&w);
}

static void
waits_for_events_where_the_module_can(void **state)
{
	struct worker w;

	(void)state;
	start(&w, "--watch", "wait works\n");
	assert_true(until(&w, true));
	script("wait works\nslots absent\n");
	assert_true(until(&w, false));
	script("wait works\n");
	assert_true(until(&w, true));
	worker_stop(&w);
}

/* By events a token is read when it comes, and then left in peace. */
static void
asks_no_card_that_gave_no_event(void **state)
{
	struct worker w;

	(void)state;
	start(&w, "--watch", "wait works\n");
	assert_true(until(&w, true));
	script("wait works\ntokeninfo segv\nslots absent\n");
	assert_true(until(&w, false));
	script("wait works\n");
	assert_true(until(&w, true));
	worker_stop(&w);
}

static void
says_that_the_service_was_lost_and_ends(void **state)
{
	struct worker w;

	(void)state;
	start(&w, "--poll", "");
	(void)until(&w, true);
	script("slots rv 0x5\n");
	until_it_says(&w, WIRE_WATCH_LOST, "C_GetSlotList: CKR_GENERAL_ERROR");
	start(&w, "--watch", "wait works\n");
	(void)until(&w, true);
	script("wait works\nslots absent\n");
	(void)until(&w, false);
	script("wait rv 0x30\n");
	until_it_says(&w, WIRE_WATCH_LOST, "C_WaitForSlotEvent: CKR_DEVICE_ERROR");
}

static void
says_why_a_module_does_not_load_and_ends(void **state)
{
	struct wire_config c;
	struct worker w;

	(void)state;
	config_init(&c, &dir);
	strcpy(c.module, "/usr/lib/no-such-module.so");
	watcher_start(&w, &c, "--watch");
	until_it_says(&w, WIRE_WATCH_BROKEN, "the module does not load");
}

static void
dies_alone_of_its_module(void **state)
{
	struct wire_seen s;
	struct worker w;
	int status;

	(void)state;
	start(&w, "--poll", "");
	(void)until(&w, true);
	script("slots segv\n");
	while (watcher_receive(&w, &s))
		wire_seen_done(&s);
	status = worker_reap(&w);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* a sanitizer ends it with a status */
}

static void
ends_with_the_broker_even_while_the_module_blocks(void **state)
{
	struct worker w;

	(void)state;
	start(&w, "--watch", "wait hang\n");
	(void)until(&w, true);
	worker_stop(&w);
}

#define TEST(f) cmocka_unit_test_teardown(f, worker_end_left_over)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(describes_what_is_there_whether_anybody_knows_it),
	    TEST(sees_by_polling_what_goes_and_comes),
	    TEST(polls_where_nobody_can_wait_for_events),
	    TEST(waits_for_events_where_the_module_can),
	    TEST(asks_no_card_that_gave_no_event),
	    TEST(says_that_the_service_was_lost_and_ends),
	    TEST(says_why_a_module_does_not_load_and_ends),
	    TEST(dies_alone_of_its_module),
	    TEST(ends_with_the_broker_even_while_the_module_blocks),
	};

	return cmocka_run_group_tests(tests, make_token, remove_token);
}
