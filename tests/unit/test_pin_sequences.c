/*
 * PIN safety as a property of the broker [DESIGN: tokens and PINs]: random
 * sequences of what people, machines and bad luck do, against a model token
 * that counts its tries and a model log that keeps what was durable. Whatever
 * the order:
 *
 *   - a PIN that a person entered reaches the token at most once, and no other
 *     PIN but the stored one ever does;
 *   - a stored PIN that was not accepted is never sent again until a person has
 *     entered the same one and the token has accepted it; it never goes out after
 *     a failure of anybody, and never as the last try;
 *   - the last try is spent only by a call that says lastTry;
 *   - after a refusal the next try waits.
 *
 * SIGNET_PIN_SEED=N repeats one sequence and tells its events; SIGNET_LONG=1
 * plays thirty times as many. The token stands for one whose broken answers are the
 * worst case: what reaches it counts, whether or not its answer arrives.
 */
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <signet/log.h>

#include "broker_case.h"
#include "unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEQUENCES = 200 }; /* of each configuration */
#else
enum { SEQUENCES = 1000 };
#endif

enum {
	EVENTS = 24,
	PEOPLE = 2,
	TRIES = 3,
	OPS = 64,
	CALLS = 4096,
	TEXT = 16,
};

#define PAUSE_US INT64_C(5000000)

/* What is durable: the rows of the table `tried` for the one token of this sequence. */
struct row {
	bool set, pending;
	unsigned failures;
	int64_t last_us;
};

static struct model {
	/* token */
	char serial[24];
	unsigned left;
	bool shows_flags; /* some tokens tell how many tries are left, some do not */
	bool logged_in;
	char kept[TEXT]; /* by the worker */
	/* log */
	struct row rows[PIN_SOURCES];
	struct ledger_op *ops[OPS];
	unsigned op_count;
	bool dead;	/* nothing becomes durable any more: a crash is under way */
	bool slow;	/* operations wait */
	bool stopping;
	uint64_t index;
	/* what was entered, and what came of it */
	char stored[TEXT];	    /* the credential now */
	char stored_refused[TEXT]; /* sent by the machine and not accepted; "" none */
	unsigned failures;	    /* tries that were spent or may have been, since a person's PIN was accepted */
	int64_t refused_us;	    /* when a refusal was last known to the broker */
	unsigned calls;		    /* PINs that people entered in this sequence */
	struct {
		char text[TEXT];
		bool sent, last_try;
	} entered[CALLS];
	unsigned logins;
} m;

static struct broker_case c;
static struct client people[PEOPLE];
static int64_t ahead_us; /* of the real clocks */
static uint64_t seed, random_state;
static bool telling, with_stored;
static FILE *out; /* the broker's own messages go nowhere */
static uint64_t logins_in_all, refusals_in_all, last_in_all, stored_in_all;

static void tell(const char *fmt, ...) printf_like(1, 2);

static void
tell(const char *fmt, ...)
{
	va_list args;

	if (!telling)
		return;
	va_start(args, fmt);
	vfprintf(out, fmt, args);
	va_end(args);
	fputc('\n', out);
	fflush(out);
}

/* An invariant is broken: the seed repeats it. */
#define holds(condition, what)                                                                                \
	do {                                                                                                  \
		if (!(condition)) {                                                                           \
			fprintf(out, "%s\nrepeat with SIGNET_PIN_SEED=%llu %s\n", what,                    \
			    (unsigned long long)seed, with_stored ? "(stored PIN)" : "(no stored PIN)");      \
			fflush(out);                                                                          \
			fail();                                                                               \
		}                                                                                             \
	} while (0)

/* splitmix64 */
static uint64_t
random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned
below(unsigned n)
{
	return (unsigned)(random_next() % n);
}

static bool
one_in(unsigned n)
{
	return below(n) == 0;
}

/* --- what the linker gives us: clocks that can be put forward, and the model's rows at a start --- */

uint64_t __real_uv_now(const uv_loop_t *loop);
uint64_t __wrap_uv_now(const uv_loop_t *loop);
int64_t __real_clock_now_us(void *unused);
int64_t __wrap_clock_now_us(void *unused);
signet_err __wrap_ledger_each_tried(
    struct ledger *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg);

uint64_t
__wrap_uv_now(const uv_loop_t *loop)
{
	return __real_uv_now(loop) + (uint64_t)ahead_us / 1000;
}

int64_t
__wrap_clock_now_us(void *unused)
{
	return __real_clock_now_us(unused) + ahead_us;
}

/* As recovery does it: a note that is still pending has become a failure. */
signet_err
__wrap_ledger_each_tried(struct ledger *log, void (*each)(void *arg, const struct ledger_tried *tried), void *arg)
{
	(void)log;
	for (int s = 0; s < PIN_SOURCES; s++) {
		struct row *r = &m.rows[s];
		struct ledger_tried t = {.set = true};

		if (!r->set)
			continue;
		if (r->pending) {
			r->failures++;
			r->pending = false;
			r->last_us = __wrap_clock_now_us(NULL);
		}
		snprintf(t.serial, sizeof(t.serial), "%s", m.serial);
		snprintf(t.source, sizeof(t.source), "%s", pin_source_name((enum pin_source)s));
		t.failures = r->failures;
		t.last_us = r->last_us;
		each(arg, &t);
	}
	return SIGNET_OK;
}

/* --- the log --- */

static void
take_op(struct ledger_op *op)
{
	holds(m.op_count < OPS, "too many operations for this test");
	m.ops[m.op_count++] = op;
}

static void
make_durable(const struct ledger_tried *t)
{
	if (!t->set || m.dead || strcmp(t->serial, m.serial) != 0)
		return;
	for (int s = 0; s < PIN_SOURCES; s++)
		if (strcmp(t->source, pin_source_name((enum pin_source)s)) == 0)
			m.rows[s] = (struct row){
			    t->pending || t->failures > 0, t->pending, t->failures, t->last_us};
}

static void
commit_one(void)
{
	struct ledger_op *op = m.ops[0];

	memmove(m.ops, m.ops + 1, --m.op_count * sizeof(m.ops[0]));
	make_durable(&op->tried);
	/* who is dead does nothing more; what comes when the log is closed is its stopping */
	op->err = m.dead && c.b.log != NULL ? SIGNET_ERR_LOG_UNAVAILABLE : SIGNET_OK;
	if (op->what == LEDGER_CLAIM)
		op->claim = ++m.index;
	else
		op->index = ++m.index;
	snprintf(op->time, sizeof(op->time), "2026-11-21T19:26:41.123456Z");
	buf_init(&op->entry, SIGNET_ENTRY_MAX);
	if (op->what == LEDGER_RECORD || op->what == LEDGER_APPEND)
		buf_str(&op->entry, "{}");
	buf_init(&op->proof, SIGNET_ENTRY_MAX);
	op->done(op);
}

/* --- the token --- */

static uint32_t
token_flags(void)
{
	uint32_t f = CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;

	if (!m.shows_flags)
		return f;
	if (m.left < TRIES)
		f |= CKF_USER_PIN_COUNT_LOW;
	if (m.left == 1)
		f |= CKF_USER_PIN_FINAL_TRY;
	if (m.left == 0)
		f |= CKF_USER_PIN_LOCKED;
	return f;
}

/* The job behind a frame: the frame itself does not say whose PIN it has. */
static const struct job *
job_of(const struct case_job *frame)
{
	const struct token *t = broker_token(&c.b, "a");

	for (unsigned l = 0; t->worker != NULL && l < t->worker->lane_count; l++)
		for (const struct job *j = t->worker->lanes[l].sent.first; j != NULL; j = j->next)
			if (j->number == frame->number)
				return j;
	return NULL;
}

static void
check_stored(const char *pin)
{
	stored_in_all++;
	holds(strcmp(pin, m.stored_refused) != 0, "a stored PIN that was refused was sent again");
	holds(m.failures == 0, "the stored PIN was sent after a failure");
	holds(m.left > 1, "the machine took the last try");
	snprintf(m.stored_refused, sizeof(m.stored_refused), "%.15s", pin); /* until it is accepted */
}

static void
check_entered(const char *pin, bool last_try)
{
	unsigned i;

	for (i = 0; i < m.calls; i++)
		if (!m.entered[i].sent && m.entered[i].last_try == last_try && strcmp(m.entered[i].text, pin) == 0)
			break;
	holds(i < m.calls, "a PIN reached the token that nobody had entered, or had entered once and it came twice");
	m.entered[i].sent = true;
	holds(m.left != 1 || last_try, "the last try was taken unasked");
	last_in_all += m.left == 1;
	holds(m.refused_us == 0 || __wrap_clock_now_us(NULL) - m.refused_us >= PAUSE_US, "a try did not wait");
}

/* It reaches the token: from here on the try is spent, whether or not the answer arrives. */
static void
login(const struct case_job *frame)
{
	const struct job *j = job_of(frame);

	holds(j != NULL, "a login without a job");
	m.logins++;
	logins_in_all++;
	tell("  token: %s, %u left, %s%s", frame->pin, m.left, pin_source_name(j->source), j->last_try ? ", last" : "");
	if (j->source == PIN_STORED)
		check_stored(frame->pin);
	else
		check_entered(frame->pin, j->last_try);
	m.failures++; /* until it is accepted and the broker knows */
	if (m.left == 0)
		return;
	if (strcmp(frame->pin, CASE_PIN) == 0) {
		m.left = TRIES;
	} else {
		m.left--;
		refusals_in_all++;
	}
}

/* Frames that arrived since the last look; case_job.key is ours to mark them. */
static void
take_logins(void)
{
	for (unsigned i = 0; i < c.job_count; i++) {
		if (c.jobs[i].key == UINT16_MAX)
			continue;
		c.jobs[i].key = UINT16_MAX;
		if (c.jobs[i].pin[0] != '\0')
			login(&c.jobs[i]);
	}
}

static void
accept_pin(const struct case_job *f, struct wire_result *r, enum pin_source source)
{
	r->login = WIRE_LOGIN_OK;
	m.logged_in = true;
	if ((f->flags & WIRE_KEEP_PIN) != 0)
		snprintf(m.kept, sizeof(m.kept), "%.15s", f->pin);
	if (strcmp(m.stored_refused, f->pin) == 0)
		m.stored_refused[0] = '\0';
	m.failures = source == PIN_STORED ? m.failures - 1 : 0;
	if (source != PIN_STORED)
		m.refused_us = 0;
}

static void
refuse_pin(const struct case_job *f, struct wire_result *r, bool blocked)
{
	r->login = blocked ? WIRE_LOGIN_BLOCKED : WIRE_LOGIN_REJECTED;
	r->err = blocked ? SIGNET_ERR_PIN_BLOCKED : SIGNET_ERR_PIN_INCORRECT;
	r->rv = blocked ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
	snprintf(r->stage, sizeof(r->stage), "login");
	m.refused_us = __wrap_clock_now_us(NULL);
	m.logged_in = (f->flags & WIRE_RESTORE) != 0 && m.kept[0] != '\0' && m.left > 1;
	if (m.logged_in)
		m.left = TRIES; /* the kept PIN is right, and was entered again by the worker */
	else
		m.kept[0] = '\0';
}

static void
answer_first(void)
{
	const struct case_job f = c.jobs[0];
	const struct job *j = job_of(&f);
	struct wire_result r = {.job = f.number, .work_us = 50};

	if (f.pin[0] != '\0' && strcmp(f.pin, CASE_PIN) == 0 && m.left > 0)
		accept_pin(&f, &r, j->source);
	else if (f.pin[0] != '\0')
		refuse_pin(&f, &r, m.left == 0);
	if (f.type == WIRE_SIGN && r.err == SIGNET_OK && m.logged_in) {
		r.sig_len = 64;
	} else if (f.type == WIRE_SIGN && r.err == SIGNET_OK) {
		r.err = SIGNET_ERR_PIN_REQUIRED;
		snprintf(r.stage, sizeof(r.stage), "login");
	}
	if (f.type == WIRE_LOGOUT || (f.flags & WIRE_THEN_LOGOUT) != 0) {
		m.logged_in = false;
		m.kept[0] = '\0';
	}
	r.logged_in = m.logged_in;
	c.flags = r.flags = token_flags();
	tell("  answer: %s", r.login == WIRE_LOGIN_OK ? "right" : r.err == SIGNET_OK ? "done" : "refused");
	case_answer(&c, 0, &r);
}

/* --- turns --- */

static void
drain(void)
{
	static char drop[65536];

	for (int i = 0; i < PEOPLE; i++)
		while (recv(people[i].fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
			continue;
}

/* Until nothing moves by itself. */
static void
settle(void)
{
	do {
		case_quiet(&c);
		take_logins();
		if (m.op_count > 0 && !m.slow)
			commit_one();
	} while (m.op_count > 0 && !m.slow);
	case_quiet(&c);
	take_logins();
	drain();
}

static void
tick(void)
{
	struct token *t = broker_token(&c.b, "a");

	token_tick(t, __wrap_uv_now(&c.b.loop));
	settle();
}

/* --- events --- */

static const char *
some_pin(void)
{
	static char text[TEXT];
	static unsigned number;

	switch (below(5)) {
	case 0:
	case 1:
		return CASE_PIN;
	case 2:
		if (with_stored)
			return m.stored;
		/* fall through */
	default:
		snprintf(text, sizeof(text), "w%06u", number++ % 1000000);
		return text;
	}
}

static void
enters_pin(void)
{
	const char *pin = some_pin();
	bool last_try = one_in(4), unlock = one_in(2);
	struct client *who = &people[below(PEOPLE)];

	if (m.calls == CALLS)
		return;
	tell("person %d: %s %s%s", (int)(who - people), unlock ? "unlocks" : "signs", pin, last_try ? ", last try" : "");
	snprintf(m.entered[m.calls].text, TEXT, "%s", pin);
	m.entered[m.calls++].last_try = last_try;
	if (unlock)
		client_send(who, "{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"a\",\"pin\":\"%s\","
				 "\"uses\":%u,\"seconds\":%u%s}}",
		    pin, 1 + below(3), 1 + below(10), last_try ? ",\"lastTry\":true" : "");
	else
		client_send(who, "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"%s\","
				 "\"pin\":\"%s\"%s}}",
		    case_digest(below(1000)), pin, last_try ? ",\"lastTry\":true" : "");
}

static void
signs(void)
{
	tell("someone signs without a PIN");
	client_send(&people[below(PEOPLE)], CALL_SIGN, "k", case_digest(below(1000)));
}

static void
locks(void)
{
	tell("someone locks");
	client_send(&people[below(PEOPLE)], CALL_LOCK, "a");
}

static void
answers(void)
{
	if (c.job_count > 0)
		answer_first();
}

static void
commits(void)
{
	if (m.op_count > 0)
		commit_one();
}

static void
log_slow_or_not(void)
{
	m.slow = !m.slow;
	tell("the log is %s", m.slow ? "slow" : "quick");
}

static void
goes_away(void)
{
	int i = (int)below(PEOPLE);

	tell("person %d hangs up", i);
	client_close(&people[i]);
	client_connect(&c, &people[i], i == 0 ? CASE_ALICE : CASE_BOB);
}

static void
time_passes(void)
{
	static const int64_t steps[] = {1000000, 6000000, 6000000, 20000000};
	int64_t us = steps[below(array_len(steps))];

	tell("%lld s pass", (long long)us / 1000000);
	ahead_us += us;
	tick();
}

/* All that the worker knew is gone. A dead one leaves its place in the table for the next ones. */
static void
worker_gone(void)
{
	struct case_worker *w = case_worker(&c, "a");

	if (w == NULL)
		return;
	m.logged_in = false;
	m.kept[0] = '\0';
	c.flags = token_flags();
	broker_token(&c.b, "a")->failures_in_a_row = 0; /* the next one at once */
	case_worker_dies(&c, w);
	if (c.job_count == 0)
		c.worker_count = 0;
}

static void
worker_dies(void)
{
	tell("the worker dies, or the token is put in anew");
	worker_gone();
	settle();
}

static void
connect_people(void)
{
	client_connect(&c, &people[0], CASE_ALICE);
	client_connect(&c, &people[1], CASE_BOB);
}

static void
hang_up_people(void)
{
	for (int i = 0; i < PEOPLE; i++)
		client_close(&people[i]);
}

static void
start_again(void)
{
	c.flags = token_flags();
	case_start(&c);
	connect_people();
	settle();
}

/* A broker that stops waits for its log and for its tokens. */
static bool
each_turn(void)
{
	if (!m.stopping || (m.op_count == 0 && c.job_count == 0))
		return false;
	take_logins();
	if (m.op_count > 0)
		commit_one();
	else
		answer_first();
	return true;
}

static void
stop(void)
{
	m.stopping = true;
	case_stop(&c);
	m.stopping = false;
}

/* Stop as systemd would, or as a power cut would: then nothing of what is under way becomes durable. */
static void
restarts(void)
{
	bool crash = one_in(2);

	tell("%s", crash ? "the daemon crashes" : "the daemon is restarted");
	m.dead = crash;
	m.slow = false;
	hang_up_people();
	c.job_count = 0; /* nobody answers them any more */
	worker_gone();
	settle();
	stop();
	m.dead = false;
	start_again();
}

static void
write_credential(const char *pin)
{
	char path[160];
	FILE *f;

	snprintf(m.stored, sizeof(m.stored), "%s", pin);
	snprintf(path, sizeof(path), "%s/stored", c.dir);
	(void)umask(077);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(pin, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
credential_changes(void)
{
	static unsigned number;
	char pin[TEXT] = CASE_PIN;

	if (!with_stored)
		return;
	if (one_in(2))
		snprintf(pin, sizeof(pin), "s%06u", number++ % 1000000);
	tell("the credential becomes %s", pin);
	write_credential(pin);
}

static void
reloads(void)
{
	struct client admin;

	tell("reload");
	client_connect(&c, &admin, CASE_ADMIN);
	client_send(&admin, CALL_RELOAD);
	settle();
	client_close(&admin);
}

static const struct {
	void (*happens)(void);
	unsigned weight;
} events[] = {
    {enters_pin, 60},
    {answers, 60},
    {commits, 16},
    {time_passes, 28},
    {signs, 16},
    {locks, 6},
    {goes_away, 8},
    {log_slow_or_not, 8},
    {credential_changes, 4},
    {worker_dies, 3}, /* this and what follows costs a process */
    {reloads, 1},
    {restarts, 1},
};

static void
one_event(void)
{
	unsigned sum = 0, at;

	for (size_t i = 0; i < array_len(events); i++)
		sum += events[i].weight;
	at = below(sum);
	for (size_t i = 0; i < array_len(events); i++) {
		if (at < events[i].weight) {
			events[i].happens();
			settle();
			return;
		}
		at -= events[i].weight;
	}
}

/* --- sequences --- */

/* Everything that is under way comes to its end, so that the next sequence begins with nothing. */
static void
finish_sequence(void)
{
	m.slow = false;
	client_send(&people[0], CALL_LOCK, "a");
	settle();
	hang_up_people();
	for (int i = 0; i < 100 && (c.job_count > 0 || token_busy(broker_token(&c.b, "a"))); i++) {
		if (c.job_count > 0)
			answer_first();
		settle();
		tick();
	}
	connect_people();
}

/* A new one in the place of the old: nobody has tried a PIN on it. */
static void
new_token(void)
{
	struct token *t = broker_token(&c.b, "a");
	uint64_t index = m.index;

	memset(&m, 0, sizeof(m));
	m.index = index;
	m.left = TRIES;
	m.shows_flags = one_in(2);
	snprintf(m.serial, sizeof(m.serial), "%s", c.serial);
	c.flags = t->flags = token_flags();
	memset(t->pin, 0, sizeof(*t->pin));
	t->store_failed = t->hand_locked = false;
	t->store_after_ms = 0;
	write_credential(CASE_PIN);
	credential_changes();
	ahead_us += 60000000;
	tick();
}

static void
play(uint64_t s)
{
	seed = random_state = s;
	new_token();
	for (int i = 0; i < EVENTS; i++)
		one_event();
	finish_sequence();
}

static void
begin(bool stored)
{
	char text[2048];

	with_stored = stored;
	case_make(&c);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", c.dir, 1), 0);
	write_credential(CASE_PIN);
	snprintf(text, sizeof(text), "[token a]\nmodule = /usr/bin/env\nlabel = a\n%s[key k]\ntoken = a\nuri = pkcs11:token=a;id=%%01\n%s",
	    stored ? "credential = stored\nlease = shared\n" : "", case_rules);
	case_configure(&c, text);
	c.no_answers = true;
	c.take = take_op;
	c.each_turn = each_turn;
	snprintf(m.serial, sizeof(m.serial), "serial");
	c.serial = "serial";
	m.left = TRIES;
	case_start(&c);
	connect_people();
	settle();
}

static void
end(void)
{
	hang_up_people();
	c.job_count = 0;
	worker_gone();
	settle();
	stop();
	case_remove_dir(&c);
}

static void
play_all(bool stored)
{
	const char *only = getenv("SIGNET_PIN_SEED"), *more = getenv("SIGNET_LONG");
	uint64_t count = SEQUENCES * (more != NULL && strcmp(more, "1") == 0 ? 30 : 1);

	logins_in_all = refusals_in_all = last_in_all = stored_in_all = 0;
	begin(stored);
	telling = only != NULL;
	if (only != NULL)
		play(strtoull(only, NULL, 10));
	for (uint64_t s = 1; only == NULL && s <= count; s++) 
		play(s);
	end();
	print_message("%llu sequences: %llu logins, %llu of them stored, %llu refused, %llu with the last try\n",
	    (unsigned long long)(only != NULL ? 1 : count), (unsigned long long)logins_in_all,
	    (unsigned long long)stored_in_all, (unsigned long long)refusals_in_all, (unsigned long long)last_in_all);
	if (only == NULL) { /* a model in which nothing happens proves nothing */
		assert_true(logins_in_all > count);
		assert_true(refusals_in_all > count / 4);
		assert_true(last_in_all > count / 100);
		assert_true(stored ? stored_in_all > count / 10 : stored_in_all == 0);
	}
}

static void
spends_no_try_that_nobody_entered(void **state)
{
	(void)state;
	play_all(false);
}

static void
nor_with_a_stored_pin(void **state)
{
	(void)state;
	play_all(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spends_no_try_that_nobody_entered),
	    cmocka_unit_test(nor_with_a_stored_pin),
	};

	out = fdopen(dup(STDERR_FILENO), "w");
	if (out == NULL || (getenv("SIGNET_PIN_SEED") == NULL && freopen("/dev/null", "w", stderr) == NULL))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
