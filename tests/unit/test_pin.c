/* daemon/signetd/pin.c */
#include <string.h>

#include <p11-kit/pkcs11.h>

#include "signetd/pin.h"
#include "unit.h"

enum { SECOND = 1000000 };

static void
assert_may(
    const struct pin_state *p, enum pin_source s, bool last_try, int64_t now, enum pin_verdict expected)
{
	int64_t wait = -1;

	assert_int_equal(pin_may(p, s, last_try, now, &wait), expected);
	if (expected == PIN_WAIT)
		assert_true(wait > 0);
	else
		assert_int_equal(wait, 0);
}

static void
reject(struct pin_state *p, enum pin_source s, int64_t now)
{
	pin_sending(p, s);
	pin_rejected(p, s, now);
}

static void
lets_every_source_go_where_nothing_is_noted(void **state)
{
	const struct pin_state p = {0};

	(void)state;
	assert_may(&p, PIN_CALL, false, 0, PIN_GO);
	assert_may(&p, PIN_AGENT, false, 0, PIN_GO);
	assert_may(&p, PIN_STORED, false, 0, PIN_GO);
}

static void
keeps_a_stored_pin_back_after_any_failure(void **state)
{
	unsigned s;

	(void)state;
	for (s = 0; s < PIN_SOURCES; s++) {
		struct pin_state p = {0};

		reject(&p, (enum pin_source)s, 0);
		assert_may(&p, PIN_STORED, false, 100 * PIN_PAUSE_US, PIN_NEVER);
		assert_may(&p, PIN_STORED, true, 100 * PIN_PAUSE_US, PIN_NEVER);
	}
}

static void
keeps_a_stored_pin_back_while_any_try_is_pending(void **state)
{
	unsigned s;

	(void)state;
	for (s = 0; s < PIN_SOURCES; s++) {
		struct pin_state p = {0};

		pin_sending(&p, (enum pin_source)s);
		assert_may(&p, PIN_STORED, true, 0, PIN_NEVER);
		pin_unsent(&p, (enum pin_source)s);
		assert_may(&p, PIN_STORED, false, 0, PIN_GO);
	}
}

static void
keeps_a_stored_pin_back_on_each_warning_flag(void **state)
{
	struct pin_state p = {0};

	(void)state;
	pin_flags(&p, CKF_USER_PIN_COUNT_LOW);
	assert_may(&p, PIN_STORED, true, 0, PIN_NEVER);
	pin_flags(&p, CKF_USER_PIN_FINAL_TRY);
	assert_may(&p, PIN_STORED, true, 0, PIN_NEVER);
	pin_flags(&p, CKF_USER_PIN_LOCKED);
	assert_may(&p, PIN_STORED, true, 0, PIN_IS_LOCKED);
	pin_flags(&p, CKF_RNG | CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED | CKF_SO_PIN_LOCKED);
	assert_may(&p, PIN_STORED, false, 0, PIN_GO);
}

static void
lets_a_person_go_on_a_full_pause_after_a_failure_and_not_before(void **state)
{
	const int64_t failed = 1000 * (int64_t)SECOND;
	struct pin_state p = {0};
	int64_t wait;

	(void)state;
	reject(&p, PIN_CALL, failed);
	assert_int_equal(pin_may(&p, PIN_CALL, false, failed, &wait), PIN_WAIT);
	assert_int_equal(wait, PIN_PAUSE_US);
	assert_int_equal(pin_may(&p, PIN_AGENT, false, failed + PIN_PAUSE_US - 1, &wait), PIN_WAIT);
	assert_int_equal(wait, 1);
	assert_may(&p, PIN_CALL, false, failed + PIN_PAUSE_US, PIN_GO);
	assert_may(&p, PIN_AGENT, false, failed + PIN_PAUSE_US + 1, PIN_GO);
}

static void
waits_for_the_latest_of_all_failures(void **state)
{
	struct pin_state p = {0};
	int64_t wait;

	(void)state;
	reject(&p, PIN_AGENT, 20 * SECOND);
	reject(&p, PIN_CALL, 17 * SECOND);
	assert_int_equal(pin_may(&p, PIN_CALL, true, 21 * SECOND, &wait), PIN_WAIT);
	assert_int_equal(wait, 4 * SECOND);
}

static void
nobody_waits_for_hours_when_the_clock_was_set_back(void **state)
{
	struct pin_state p = {0};

	(void)state;
	reject(&p, PIN_CALL, 7200 * (int64_t)SECOND);
	assert_may(&p, PIN_CALL, false, 3600 * (int64_t)SECOND, PIN_GO);
	/* a small step, as a time server makes it, only lengthens the pause */
	assert_may(&p, PIN_CALL, false, 7198 * (int64_t)SECOND, PIN_WAIT);
}

static void
survives_times_at_the_ends_of_their_range(void **state)
{
	struct pin_state p = {0};

	(void)state;
	reject(&p, PIN_CALL, INT64_MAX);
	assert_may(&p, PIN_CALL, false, INT64_MIN, PIN_GO);
	p.note[PIN_CALL].last_us = INT64_MIN;
	assert_may(&p, PIN_CALL, false, INT64_MAX, PIN_GO);
}

static void
asks_for_the_last_try_at_two_failures_and_not_at_one(void **state)
{
	struct pin_state p = {0};

	(void)state;
	reject(&p, PIN_CALL, 0);
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_GO);
	reject(&p, PIN_CALL, 0);
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_ASK_LAST);
	assert_may(&p, PIN_AGENT, false, 0, PIN_ASK_LAST); /* waiting would not help: say so at once */
	assert_may(&p, PIN_CALL, true, 0, PIN_WAIT);
	assert_may(&p, PIN_CALL, true, PIN_PAUSE_US, PIN_GO);
}

static void
counts_the_failures_of_all_sources_together(void **state)
{
	struct pin_state p = {0};

	(void)state;
	reject(&p, PIN_STORED, 0);
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_GO);
	reject(&p, PIN_AGENT, 0);
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_ASK_LAST);
}

static void
counts_a_pending_try_as_a_failure(void **state)
{
	struct pin_state p = {0};

	(void)state;
	reject(&p, PIN_CALL, 0);
	pin_sending(&p, PIN_AGENT);
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_ASK_LAST);
	pin_unsent(&p, PIN_AGENT);
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_GO);
}

static void
keeps_a_failure_when_a_try_without_answer_is_followed_by_another(void **state)
{
	struct pin_state p = {0};

	(void)state;
	pin_sending(&p, PIN_STORED);
	pin_sending(&p, PIN_STORED);
	pin_unsent(&p, PIN_STORED);
	assert_int_equal(p.note[PIN_STORED].failures, 1);
	assert_may(&p, PIN_STORED, true, PIN_PAUSE_US, PIN_NEVER);
}

static void
asks_for_the_last_try_when_the_token_warns(void **state)
{
	static const uint32_t flags[] = {CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY};
	size_t i;

	(void)state;
	for (i = 0; i < array_len(flags); i++) {
		struct pin_state p = {0};

		pin_flags(&p, flags[i]);
		assert_may(&p, PIN_CALL, false, 0, PIN_ASK_LAST);
		assert_may(&p, PIN_CALL, true, 0, PIN_GO);
	}
}

static void
sends_nothing_to_a_locked_token(void **state)
{
	struct pin_state p = {0};
	unsigned s;

	(void)state;
	pin_flags(&p, CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY);
	for (s = 0; s < PIN_SOURCES; s++)
		assert_may(&p, (enum pin_source)s, true, 0, PIN_IS_LOCKED);
}

static void
a_persons_success_settles_every_try_but_proves_no_stored_pin(void **state)
{
	static const enum pin_source persons[] = {PIN_CALL, PIN_AGENT};
	size_t i;

	(void)state;
	for (i = 0; i < array_len(persons); i++) {
		struct pin_state p = {0};

		reject(&p, PIN_STORED, 1);
		reject(&p, PIN_CALL, 2);
		pin_sending(&p, persons[i]);
		pin_accepted(&p, persons[i]);
		assert_may(&p, PIN_CALL, false, 3, PIN_GO); /* nothing that was spent counts any more */
		assert_may(&p, PIN_STORED, false, 3, PIN_NEVER);
		reject(&p, PIN_CALL, 4);
		assert_may(&p, PIN_CALL, false, 4 + PIN_PAUSE_US, PIN_GO); /* one failure, not two */
		pin_sending(&p, persons[i]);
		pin_accepted(&p, persons[i]);
		pin_proved(&p); /* the person's PIN was the stored one */
		assert_may(&p, PIN_STORED, false, 5, PIN_GO);
	}
}

static void
the_stored_pins_success_clears_its_own_note_only(void **state)
{
	struct pin_state p = {0};

	(void)state;
	reject(&p, PIN_CALL, 0);
	pin_sending(&p, PIN_STORED);
	pin_accepted(&p, PIN_STORED);
	assert_false(p.note[PIN_STORED].pending);
	assert_int_equal(p.note[PIN_CALL].failures, 1);
	assert_may(&p, PIN_STORED, false, PIN_PAUSE_US, PIN_NEVER);
}

static void
never_counts_back_to_zero(void **state)
{
	struct pin_state p = {.note[PIN_CALL] = {.failures = UINT32_MAX}};

	(void)state;
	reject(&p, PIN_CALL, 0);
	assert_int_equal(p.note[PIN_CALL].failures, UINT32_MAX);
	reject(&p, PIN_AGENT, 0); /* nor does the sum */
	assert_may(&p, PIN_CALL, false, PIN_PAUSE_US, PIN_ASK_LAST);
	assert_may(&p, PIN_STORED, true, PIN_PAUSE_US, PIN_NEVER);
}

static void
names_each_source(void **state)
{
	(void)state;
	assert_string_equal(pin_source_name(PIN_CALL), "call");
	assert_string_equal(pin_source_name(PIN_AGENT), "agent");
	assert_string_equal(pin_source_name(PIN_STORED), "stored");
	assert_null(pin_source_name(PIN_SOURCES));
}

/*
 * The model: a token with its own counter, people who type wrong PINs, a
 * daemon that dies between a try and its answer. It keeps count by itself and
 * knows nothing of notes.
 */
struct model {
	struct pin_state p;
	uint64_t random;
	int64_t now;
	unsigned unresolved;   /* tries not known to be good since a person's last success */
	unsigned without_last; /* of them, those that went out without lastTry */
	bool warned, locked;   /* the token's flags */
	bool refused_stored; /* and not proved right since */
	bool in_flight;
	enum pin_source source;
	unsigned stored_sent, person_sent, refused; /* how much the run has seen */
};

static unsigned
pick(struct model *m, unsigned n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned)(m->random >> 33) % n;
}

static void
model_ask(struct model *m)
{
	enum pin_source s = (enum pin_source)pick(m, PIN_SOURCES);
	bool last_try = pick(m, 4) == 0;
	int64_t wait;

	if (m->in_flight || pin_may(&m->p, s, last_try, m->now, &wait) != PIN_GO) {
		m->refused++;
		return;
	}
	assert_false(m->locked);
	if (s == PIN_STORED) {
		assert_int_equal(m->unresolved, 0);
		assert_false(m->warned);
		assert_false(m->refused_stored); /* whatever a person has entered since */
		m->stored_sent++;
	} else {
		m->person_sent++;
		if (!last_try) {
			assert_false(m->warned);
			assert_true(m->unresolved < PIN_LAST_AT);
			assert_true(++m->without_last <= PIN_LAST_AT);
		}
	}
	pin_sending(&m->p, s);
	m->unresolved++;
	m->in_flight = true;
	m->source = s;
}

static void
model_answer(struct model *m)
{
	if (!m->in_flight)
		return;
	m->in_flight = false;
	switch (pick(m, 4)) {
	case 0:
		pin_accepted(&m->p, m->source);
		if (m->source != PIN_STORED && pick(m, 2) == 0) {
			pin_proved(&m->p);
			m->refused_stored = false;
		}
		m->unresolved = m->source == PIN_STORED ? m->unresolved - 1 : 0;
		m->without_last = m->source == PIN_STORED ? m->without_last : 0;
		break;
	case 1:
		pin_unsent(&m->p, m->source);
		m->unresolved--;
		if (m->without_last > m->unresolved)
			m->without_last = m->unresolved;
		break;
	default:
		pin_rejected(&m->p, m->source, m->now);
		m->refused_stored = m->refused_stored || m->source == PIN_STORED;
		break;
	}
}

/* Killed with or without a try in flight; what the next start finds in its notes. */
static void
model_restart(struct model *m)
{
	unsigned s;

	m->in_flight = false;
	m->p.count_low = m->p.final_try = m->p.locked = m->warned = m->locked = false; /* not read yet */
	for (s = 0; s < PIN_SOURCES; s++) {
		if (m->p.note[s].pending && pick(m, 2) == 0)
			pin_rejected(&m->p, (enum pin_source)s, m->now);
	}
}

static void
model_flags(struct model *m)
{
	uint32_t flags = 0;

	m->locked = pick(m, 8) == 0;
	m->warned = pick(m, 3) == 0;
	if (m->warned)
		flags |= pick(m, 2) == 0 ? CKF_USER_PIN_COUNT_LOW : CKF_USER_PIN_FINAL_TRY;
	if (m->locked)
		flags |= CKF_USER_PIN_LOCKED;
	pin_flags(&m->p, flags);
}

static void
model_step(struct model *m)
{
	m->now += pick(m, 2) == 0 ? 0 : pick(m, 4 * SECOND);
	switch (pick(m, 10)) {
	case 0:
		model_flags(m);
		break;
	case 1:
		model_restart(m);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		model_answer(m);
		break;
	default:
		model_ask(m);
		break;
	}
}

static void
holds_its_promise_over_random_sequences(void **state)
{
	struct model total = {0};
	unsigned run, i;

	(void)state;
	for (run = 1; run <= 50000; run++) {
		struct model m = {.random = run * UINT64_C(0x9e3779b97f4a7c15)};

		for (i = 0; i < 60; i++)
			model_step(&m);
		total.stored_sent += m.stored_sent;
		total.person_sent += m.person_sent;
		total.refused += m.refused;
	}
	/* the model did reach what it is about */
	assert_true(total.stored_sent > 10000);
	assert_true(total.person_sent > 100000);
	assert_true(total.refused > 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lets_every_source_go_where_nothing_is_noted),
	    cmocka_unit_test(keeps_a_stored_pin_back_after_any_failure),
	    cmocka_unit_test(keeps_a_stored_pin_back_while_any_try_is_pending),
	    cmocka_unit_test(keeps_a_stored_pin_back_on_each_warning_flag),
	    cmocka_unit_test(lets_a_person_go_on_a_full_pause_after_a_failure_and_not_before),
	    cmocka_unit_test(waits_for_the_latest_of_all_failures),
	    cmocka_unit_test(nobody_waits_for_hours_when_the_clock_was_set_back),
	    cmocka_unit_test(survives_times_at_the_ends_of_their_range),
	    cmocka_unit_test(asks_for_the_last_try_at_two_failures_and_not_at_one),
	    cmocka_unit_test(counts_the_failures_of_all_sources_together),
	    cmocka_unit_test(counts_a_pending_try_as_a_failure),
	    cmocka_unit_test(keeps_a_failure_when_a_try_without_answer_is_followed_by_another),
	    cmocka_unit_test(asks_for_the_last_try_when_the_token_warns),
	    cmocka_unit_test(sends_nothing_to_a_locked_token),
	    cmocka_unit_test(a_persons_success_settles_every_try_but_proves_no_stored_pin),
	    cmocka_unit_test(the_stored_pins_success_clears_its_own_note_only),
	    cmocka_unit_test(never_counts_back_to_zero),
	    cmocka_unit_test(names_each_source),
	    cmocka_unit_test(holds_its_promise_over_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
