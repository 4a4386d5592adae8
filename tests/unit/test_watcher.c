/*
 * daemon/signetd/watcher.c and what tokens make of its word: a worker only for a
 * token that is there, nobody's word against a worker that has just looked, and
 * a module that serves one process only is left to that one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "signetd/recycle.h"
#include "signetd/watcher.h"
#include "unit.h"

static struct broker_case one;

static int
make(void **state)
{
	case_make(&one);
	*state = &one;
	return 0;
}

static int
setup(void **state)
{
	make(state);
	case_start(&one);
	case_until_state(&one, "a", TOKEN_LOCKED);
	case_until_state(&one, "b", TOKEN_LOCKED);
	case_quiet(&one);
	return 0;
}

static int
teardown(void **state)
{
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

static struct watcher *
watcher(struct broker_case *c)
{
	assert_non_null(c->b.watchers);
	assert_null(c->b.watchers->next); /* both tokens have the same module */
	return c->b.watchers;
}

static const char *
reason(struct broker_case *c, const char *token)
{
	return broker_token(&c->b, token)->reason;
}

static unsigned
workers_alive(const struct broker_case *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->worker_count; i++)
		n += c->workers[i].alive;
	return n;
}

static bool
watcher_is(const struct broker_case *c, const void *state)
{
	return c->b.watchers->state == *(const enum watcher_state *)state;
}

static void
until_watcher(struct broker_case *c, enum watcher_state state)
{
	case_until(c, watcher_is, &state, "the watcher's state");
}

static void
starts_workers_for_tokens_that_are_in(void **state)
{
	struct broker_case *c = *state;

	case_unplug(c, "b");
	case_start(c);
	case_until_state(c, "a", TOKEN_LOCKED);
	case_until_state(c, "b", TOKEN_ABSENT);
	assert_int_equal(c->worker_count, 1);
	assert_string_equal(reason(c, "b"), "it is not inserted");
	case_plug(c, "b");
	case_until_state(c, "b", TOKEN_LOCKED);
	assert_int_equal(c->worker_count, 2);
	assert_int_equal(c->watcher_count, 1);
}

static void
ends_the_worker_of_a_token_that_goes(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "a", CASE_PIN, 5), "");
	case_unplug(c, "a");
	case_until_state(c, "a", TOKEN_ABSENT);
	assert_false(broker_token(&c->b, "a")->lease.stands);
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "TokenAbsent");
	assert_string_equal(client_call(c, &alice, CALL_SIGN_PIN, "m", case_digest(1), CASE_PIN), ""); /* its neighbour */
	case_quiet(c);
	assert_int_equal(workers_alive(c), 1);
	case_plug(c, "a");
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(2)), "PinRequired");
	client_close(&alice);
}

/* The card may have answered: its worker is heard before it ends. */
static void
hears_what_became_of_a_signature_under_way(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	client_connect(c, &alice, CASE_ALICE);
	c->no_answers = true;
	client_send(&alice, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN);
	case_until_jobs(c, 1);
	case_unplug(c, "a");
	case_quiet(c);
	assert_int_equal(workers_alive(c), 2);
	case_answer_ok(c, 0);
	assert_string_equal(client_error(c, &alice), "");
	case_until_state(c, "a", TOKEN_ABSENT);
	client_close(&alice);
}

static void
believes_a_fresh_worker_and_asks_a_fresh_watcher(void **state)
{
	struct broker_case *c = *state;

	case_start(c);
	c->presence = WIRE_OWNED; /* the first workers find nothing to work with */
	case_until_state(c, "a", TOKEN_FAILED);
	case_until_state(c, "b", TOKEN_FAILED);
	assert_int_equal(c->watcher_count, 1);
	c->presence = WIRE_PRESENT;
	case_until_state(c, "a", TOKEN_LOCKED);
	case_until_state(c, "b", TOKEN_LOCKED);
	/* now a worker that dies, and a successor that does not find the token that its reader shows */
	snprintf(c->unplugged[0], sizeof(c->unplugged[0]), "a");
	c->no_words = true;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_ABSENT);
	assert_string_equal(reason(c, "a"), "its driver does not find it, though its reader says that one is in");
	assert_int_equal(c->watcher_count, 2);
	assert_int_equal(watcher(c)->state, WATCHER_STARTING);
	case_watcher_sees(c, case_watcher(c), NULL); /* and the fresh one agrees */
	until_watcher(c, WATCHER_RUNS);
	case_quiet(c);
	assert_int_equal(broker_token(&c->b, "a")->state, TOKEN_ABSENT);
	case_plug(c, "a");
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_int_equal(broker_token(&c->b, "b")->state, TOKEN_LOCKED);
}

static bool
worker_came(const struct broker_case *c, const void *before)
{
	return c->worker_count > *(const unsigned *)before;
}

/* While the watcher runs no worker gets the token; without it one does. */
static void
leaves_a_module_alone_that_serves_one_process(void **state)
{
	struct broker_case *c = *state;
	struct token *a;
	unsigned workers;

	case_unplug(c, "b");
	case_start(c);
	case_until_state(c, "a", TOKEN_LOCKED);
	a = broker_token(&c->b, "a");
	c->presence = WIRE_BROKEN;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_FAILED);
	until_watcher(c, WATCHER_RUNS); /* a fresh one */
	assert_int_equal(watcher(c)->doubts, 1);
	workers = c->worker_count;
	uv_timer_start(&a->respawn, a->respawn.timer_cb, 0, 0); /* now, not in seconds */
	case_until(c, worker_came, &workers, "another worker");
	until_watcher(c, WATCHER_PAUSED);
	assert_null(case_watcher(c));
	c->presence = WIRE_PRESENT;
	uv_timer_start(&a->respawn, a->respawn.timer_cb, 0, 0);
	case_until_state(c, "a", TOKEN_LOCKED);
	until_watcher(c, WATCHER_RESTS);
	assert_int_equal(watcher_says(watcher(c), a->conf), WORD_NONE);
	assert_null(case_watcher(c));
}

/* The worker hides the token from the watcher: after three times the worker is asked, and believed. */
static void
leaves_a_module_alone_that_hides_what_is_in_use(void **state)
{
	struct broker_case *c = *state;
	struct token *a = broker_token(&c->b, "a");

	for (unsigned i = 1; i <= 3; i++) {
		case_watcher_sees(c, case_watcher(c), "a");
		case_until_state(c, "a", TOKEN_ABSENT);
		assert_int_equal(a->flaps, i);
		if (i < 3) {
			case_watcher_sees(c, case_watcher(c), NULL);
			case_until_state(c, "a", TOKEN_LOCKED);
		}
	}
	uv_timer_start(&a->respawn, a->respawn.timer_cb, 0, 0);
	case_until_state(c, "a", TOKEN_LOCKED); /* though the watcher says that it is not in */
	assert_int_equal(watcher_says(watcher(c), a->conf), WORD_ABSENT);
	case_quiet(c);
	assert_int_equal(a->state, TOKEN_LOCKED);
	until_watcher(c, WATCHER_RESTS); /* after a few seconds of that */
	assert_int_equal(a->state, TOKEN_LOCKED);
}

static void
rests_on_workers_while_the_watcher_is_down(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "a", CASE_PIN, 5), "");
	c->no_words = true;
	case_watcher_dies(c, case_watcher(c));
	until_watcher(c, WATCHER_DOWN);
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "");
	case_worker_dies(c, case_worker(c, "b"));
	case_until_state(c, "b", TOKEN_LOCKED);
	assert_int_equal(watcher(c)->failures, 1);
	while (c->watcher_count < 2)
		case_turn(c);
	assert_true(case_watcher(c)->polling); /* the other way round */
	c->no_words = false;
	until_watcher(c, WATCHER_DOWN);
	client_close(&alice);
}

static bool
nobody_waits(const struct broker_case *c, const void *arg)
{
	(void)arg;
	return c->b.watchers->late;
}

static void
waits_for_the_first_word_but_not_for_ever(void **state)
{
	struct broker_case *c = *state;

	c->no_words = true;
	case_start(c);
	case_quiet(c);
	assert_int_equal(c->worker_count, 0);
	assert_int_equal(broker_token(&c->b, "a")->state, TOKEN_STARTING);
	uv_timer_start(&watcher(c)->timer, watcher(c)->timer.timer_cb, 0, 0);
	case_until(c, nobody_waits, NULL, "the end of the patience");
	case_until_state(c, "a", TOKEN_LOCKED);
	uv_timer_start(&watcher(c)->timer, watcher(c)->timer.timer_cb, 0, 0);
	until_watcher(c, WATCHER_DOWN);
	assert_string_equal(watcher(c)->reason, "its watcher does not answer");
}

static void
kills_a_watcher_that_falls_silent_or_lies(void **state)
{
	struct broker_case *c = *state;
	struct case_watcher *w = case_watcher(c);

	uv_timer_start(&watcher(c)->timer, watcher(c)->timer.timer_cb, 0, 0);
	until_watcher(c, WATCHER_DOWN);
	until_watcher(c, WATCHER_RUNS);
	w = case_watcher(c);
	assert_int_equal(write(w->fd, "\x04\0\0\0nope", 8), 8);
	until_watcher(c, WATCHER_DOWN);
	assert_string_equal(watcher(c)->reason, "its watcher does not speak our protocol");
	until_watcher(c, WATCHER_RUNS);
	case_quiet(c);
	assert_int_equal(broker_token(&c->b, "a")->state, TOKEN_LOCKED);
	assert_int_equal(workers_alive(c), 2);
}

static void
starts_workers_anew_when_the_service_was_lost(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "a", CASE_PIN, 5), "");
	case_watcher_says(c, case_watcher(c), WIRE_WATCH_LOST, "the reader service ended or was restarted");
	until_watcher(c, WATCHER_LOST);
	assert_int_equal(broker_token(&c->b, "a")->state, TOKEN_ABSENT);
	assert_int_equal(strncmp(reason(c, "a"), "the reader service was lost", 27), 0);
	assert_string_equal(client_call(c, &alice, CALL_SIGN, "k", case_digest(1)), "TokenAbsent");
	case_until_state(c, "a", TOKEN_LOCKED);
	case_until_state(c, "b", TOKEN_LOCKED);
	assert_int_equal(c->worker_count, 4);
	assert_int_equal(c->watcher_count, 2);
	client_close(&alice);
}

static void
renews_idle_processes_when_the_module_is_replaced(void **state)
{
	struct broker_case *c = *state;
	struct client alice;

	client_connect(c, &alice, CASE_ALICE);
	assert_string_equal(client_call(c, &alice, CALL_UNLOCK, "a", CASE_PIN, 2), "");
	watchers_check_files(&c->b);
	assert_int_equal(c->watcher_count, 1);
	watcher(c)->file.st_mtim.tv_sec--; /* as if it were another file now */
	watchers_check_files(&c->b);
	assert_int_equal(c->watcher_count, 2);
	case_until_state(c, "b", TOKEN_LOCKED);
	case_quiet(c);
	assert_int_equal(c->worker_count, 3);		     /* b's */
	assert_true(broker_token(&c->b, "a")->lease.stands); /* somebody is at work with a */
	assert_string_equal(client_call(c, &alice, CALL_LOCK, "a"), "");
	case_quiet(c);
	case_until_state(c, "a", TOKEN_LOCKED);
	assert_int_equal(c->worker_count, 4);
	assert_int_equal(broker_token(&c->b, "a")->failures_in_a_row, 0);
	client_close(&alice);
}

/* Entries of kind `token` about a, and the last one's count of what was not written. */
static unsigned
entries_of_a(struct broker_case *c, json_int_t *repeated)
{
	struct client admin;
	unsigned n = 0;

	*repeated = 0;
	client_connect(c, &admin, CASE_ADMIN);
	client_send(&admin, "{\"method\":\"org.signetd.Log.Read\",\"more\":true,\"parameters\":{\"filter\":{\"kind\":\"token\","
			    "\"token\":\"a\"}}}");
	for (;;) {
		json_t *reply = client_reply(c, &admin), *e = NULL;
		json_t *text = json_object_get(json_object_get(json_object_get(reply, "parameters"), "entry"), "entry");

		if (!json_is_string(text)) {
			json_decref(reply);
			break;
		}
		assert_int_equal(json_read(&e, json_string_value(text), json_string_length(text), NULL), SIGNET_OK);
		*repeated = json_integer_value(json_object_get(e, "repeated"));
		n++;
		json_decref(e);
		json_decref(reply);
	}
	client_close(&admin);
	return n;
}

/* Replugged all day: the first ten are written, the rest is counted. */
static void
folds_what_comes_and_goes_all_day(void **state)
{
	struct broker_case *c = *state;
	struct token *a = broker_token(&c->b, "a");
	json_int_t repeated;

	for (unsigned i = 0; i < 7; i++) {
		a->informed_ms -= 60000; /* it was in for a while */
		case_unplug(c, "a");
		case_until_state(c, "a", TOKEN_ABSENT);
		case_plug(c, "a");
		case_until_state(c, "a", TOKEN_LOCKED);
	}
	case_quiet(c);
	assert_int_equal(entries_of_a(c, &repeated), 10); /* of 15 */
	assert_int_equal(repeated, 0);
	a->logged_since_ms -= 600000;
	token_tick(a, uv_now(&c->b.loop));
	case_quiet(c);
	assert_int_equal(entries_of_a(c, &repeated), 11);
	assert_int_equal(repeated, 5);
}

static void
recycles_workers_that_are_old_or_have_grown(void **state)
{
	enum { MIB = 1024, DAY_MS = 86400000 };
	struct broker_case *c = *state;

	assert_false(recycle_is_due(4 * MIB, 20 * MIB - 1, DAY_MS - 1));
	assert_true(recycle_is_due(4 * MIB, 20 * MIB, 0));
	assert_false(recycle_is_due(40 * MIB, 80 * MIB - 1, 0));
	assert_true(recycle_is_due(40 * MIB, 80 * MIB, 0));
	assert_true(recycle_is_due(4 * MIB, 4 * MIB, DAY_MS));
	recycle_workers(&c->b);
	case_quiet(c);
	assert_int_equal(c->worker_count, 2);
	broker_token(&c->b, "b")->started_ms -= DAY_MS;
	recycle_workers(&c->b);
	case_quiet(c);
	case_until_state(c, "b", TOKEN_LOCKED);
	assert_int_equal(c->worker_count, 3);
	assert_int_equal(broker_token(&c->b, "b")->failures_in_a_row, 0);
}

static void
lists_what_nobody_knows(void **state)
{
	struct broker_case *c = *state;
	struct watcher *w = watcher(c);

	assert_int_equal(w->seen_count, 2);
	assert_true(seen_is(&w->seen[0], broker_token(&c->b, "a")->conf));
	assert_false(seen_is(&w->seen[1], broker_token(&c->b, "a")->conf));
	assert_ptr_equal(watcher_of(&c->b, c->b.config, broker_token(&c->b, "b")->conf), w);
}

static void
one_for_each_module_and_environment(void **state)
{
	struct broker_case *c = *state;
	struct client admin;
	char text[2048];

	snprintf(text, sizeof(text),
	    "[token a]\nmodule = /usr/bin/env\nlabel = a\n"
	    "[token b]\nmodule = /usr/bin/env\nlabel = b\nenvironment = A=1\n"
	    "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n"
	    "[key m]\ntoken = b\nuri = pkcs11:token=b;id=%%03\n%s",
	    case_rules);
	case_configure(c, text);
	client_connect(c, &admin, CASE_ADMIN);
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	case_until_state(c, "b", TOKEN_LOCKED);
	assert_non_null(c->b.watchers->next);
	assert_ptr_not_equal(broker_token(&c->b, "a")->watcher, broker_token(&c->b, "b")->watcher);
	assert_int_equal(c->watcher_count, 2); /* the first goes on */
	snprintf(text, sizeof(text), "[token a]\nmodule = /usr/bin/env\nlabel = a\n"
				     "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n%s",
	    case_rules);
	case_configure(c, text);
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	assert_null(c->b.watchers->next);
	case_quiet(c);
	assert_int_equal(workers_alive(c), 1);
	client_close(&admin);
}

#define RUNNING(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define MADE(f) cmocka_unit_test_setup_teardown(f, make, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    MADE(starts_workers_for_tokens_that_are_in),
	    RUNNING(ends_the_worker_of_a_token_that_goes),
	    RUNNING(hears_what_became_of_a_signature_under_way),
	    MADE(believes_a_fresh_worker_and_asks_a_fresh_watcher),
	    MADE(leaves_a_module_alone_that_serves_one_process),
	    RUNNING(leaves_a_module_alone_that_hides_what_is_in_use),
	    RUNNING(rests_on_workers_while_the_watcher_is_down),
	    MADE(waits_for_the_first_word_but_not_for_ever),
	    RUNNING(kills_a_watcher_that_falls_silent_or_lies),
	    RUNNING(starts_workers_anew_when_the_service_was_lost),
	    RUNNING(renews_idle_processes_when_the_module_is_replaced),
	    RUNNING(folds_what_comes_and_goes_all_day),
	    RUNNING(recycles_workers_that_are_old_or_have_grown),
	    RUNNING(lists_what_nobody_knows),
	    RUNNING(one_for_each_module_and_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
