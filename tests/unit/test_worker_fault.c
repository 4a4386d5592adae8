/*
 * The real signet-token on a token that fails: which failure is told how, that a
 * PIN try is never spent by a machine, and that the next signature succeeds
 * wherever it can.
 */
#include <poll.h>
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

enum { P256, AUTH, RSA };

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
	token_dir_remove(&dir);
	return 0;
}

/* Renamed into place, so that a worker never reads half of it. */
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

/* Every C_Login since fresh(), a letter each: u(ser), c(ontext). */
static const char *
logins(void)
{
	static char letters[64];
	char line[32];
	size_t n = 0;
	FILE *f = fopen(count_path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL && n < sizeof(letters) - 1)
		letters[n++] = line[0];
	if (f != NULL)
		fclose(f);
	letters[n] = '\0';
	return letters;
}

static void
start_with(struct worker *w, uint8_t lanes, uint8_t verify, const char *lines)
{
	struct wire_config c;

	script(lines);
	unlink(count_path);
	config_init(&c, &dir);
	strcpy(c.module, SIGNET_FAULT_LIBRARY);
	c.lanes = lanes;
	c.verify = verify;
	config_key(&c, "pkcs11:object=p256");
	config_key(&c, "pkcs11:object=auth");
	config_key(&c, "pkcs11:object=rsa");
	worker_start(w, &c);
}

static void
start(struct worker *w)
{
	start_with(w, 1, WIRE_VERIFY_ALWAYS, "");
	if (w->info.presence != WIRE_PRESENT)
		fail_msg("presence %d: %s", w->info.presence, w->info.reason);
}

static void
login(struct worker *w, uint8_t flags)
{
	struct wire_result r;

	worker_login(w, TEST_PIN, flags, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
}

static void
start_logged_in(struct worker *w)
{
	start(w);
	login(w, WIRE_KEEP_PIN);
}

static void
sign(struct worker *w, uint16_t key, struct wire_result *r)
{
	struct wire_job j = sign_of(key, key == RSA ? WIRE_PKCS1 : WIRE_ECDSA, DIGEST_SHA256, 9);

	worker_do(w, 0, &j, r);
}

static void
sign_with_pin(struct worker *w, uint16_t key, const char *text, uint8_t flags, struct wire_result *r)
{
	owned(secret_freep) struct secret *pin = secret_of(text);
	struct wire_job j = sign_of(key, WIRE_ECDSA, DIGEST_SHA256, 9);

	j.flags = (uint8_t)(WIRE_WITH_PIN | flags);
	j.pin = pin;
	worker_do(w, 0, &j, r);
}

static void
signs(struct worker *w, uint16_t key)
{
	struct wire_result r;

	sign(w, key, &r);
	if (r.err != SIGNET_OK)
		fail_msg("%s at %s, rv 0x%x", signet_strerror((signet_err)r.err), r.stage, r.rv);
	assert_true(r.sig_len > 0);
}

static void
fails(struct worker *w, uint16_t key, signet_err err, const char *stage, uint32_t rv, bool fatal)
{
	struct wire_result r;

	sign(w, key, &r);
	assert_int_equal(r.err, err);
	assert_string_equal(r.stage, stage);
	assert_int_equal(r.rv, rv);
	assert_int_equal(r.fatal, fatal);
	assert_int_equal(r.sig_len, 0);
}

static void
wrong_signature_does_not_leave(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("sign wrong");
	fails(&w, P256, SIGNET_ERR_TOKEN_FAILED, "verify", CKR_SIGNATURE_INVALID, true);
	fails(&w, RSA, SIGNET_ERR_TOKEN_FAILED, "verify", CKR_SIGNATURE_INVALID, true);
	script("");
	signs(&w, P256);
	worker_stop(&w);
}

static void
signature_by_another_key_does_not_leave(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("sign otherkey");
	fails(&w, P256, SIGNET_ERR_TOKEN_FAILED, "verify", CKR_SIGNATURE_INVALID, true);
	worker_stop(&w);
}

static void
verify_first_checks_once_per_session_and_key(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_with(&w, 1, WIRE_VERIFY_FIRST, "");
	login(&w, 0);
	signs(&w, P256);
	script("sign wrong");
	sign(&w, P256, &r);
	assert_int_equal(r.err, SIGNET_OK); /* what `first` gives up */
	fails(&w, RSA, SIGNET_ERR_TOKEN_FAILED, "verify", CKR_SIGNATURE_INVALID, true);
	fails(&w, P256, SIGNET_ERR_TOKEN_FAILED, "verify", CKR_SIGNATURE_INVALID, true);
	worker_stop(&w);
}

static void
failed_operation_leaves_nothing_active(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("sign rv 0x31");
	fails(&w, P256, SIGNET_ERR_TOKEN_FAILED, "sign", CKR_DEVICE_MEMORY, true);
	script("signinit rv 0x70");
	fails(&w, P256, SIGNET_ERR_UNSUPPORTED, "sign", CKR_MECHANISM_INVALID, false);
	script("");
	signs(&w, P256);
	assert_string_equal(logins(), "u"); /* the closed session did not log out */
	worker_stop(&w);
}

static void
lost_session_is_opened_again_once(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w);
	signs(&w, P256);
	script("signinit rv 0xb3 once");
	signs(&w, P256);
	script("signinit rv 0xb0 once");
	signs(&w, P256);
	script("signinit rv 0xb3");
	fails(&w, P256, SIGNET_ERR_TOKEN_FAILED, "sign", CKR_SESSION_HANDLE_INVALID, true);
	worker_stop(&w);
}

static void
stale_key_handle_is_looked_up_again_once(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w);
	signs(&w, P256);
	script("signinit rv 0x60 once");
	signs(&w, P256);
	script("signinit rv 0x82");
	fails(&w, P256, SIGNET_ERR_KEY_NOT_FOUND, "sign", CKR_OBJECT_HANDLE_INVALID, false);
	worker_stop(&w);
}

/* What OpenSC answers after a card was pulled. */
static void
removed_card_is_absent_and_fatal(void **state)
{
	struct wire_job probe = {.type = WIRE_PROBE, .job = 4};
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("sign rv 0x32");
	fails(&w, P256, SIGNET_ERR_TOKEN_ABSENT, "sign", CKR_DEVICE_REMOVED, true);
	script("tokeninfo rv 0xe0");
	worker_do(&w, 0, &probe, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_ABSENT);
	assert_string_equal(r.stage, "probe");
	assert_int_equal(r.fatal, 1);
	worker_stop(&w);
}

static void
token_that_forgot_the_login_asks_for_the_pin(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("signinit rv 0x101");
	fails(&w, P256, SIGNET_ERR_PIN_REQUIRED, "sign", CKR_USER_NOT_LOGGED_IN, false);
	script("");
	/* the kept PIN is not tried by itself */
	fails(&w, P256, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false);
	assert_string_equal(logins(), "u");
	worker_stop(&w);
}

static void
dies_by(const char *lines, int signal)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;
	int status;

	start_logged_in(&w);
	script(lines);
	worker_send(&w, 0, &j);
	assert_false(worker_try_receive(&w, 0, &r));
	status = worker_reap(&w);
#ifdef SIGNET_SANITIZED
	(void)signal;
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
#else
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal);
#endif
}

static void
crash_in_the_module_is_the_end_of_the_lane(void **state)
{
	struct worker w;

	(void)state;
	dies_by("sign segv once", SIGSEGV);
	dies_by("sign sigbus once", SIGBUS);
	/* the script struck once: a fresh worker signs, and the token's lock is free */
	start_with(&w, 1, WIRE_VERIFY_ALWAYS, "#");
	login(&w, 0);
	signs(&w, P256);
	worker_stop(&w);
}

static void
hung_module_is_killed_and_its_lock_is_free(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct worker w, next;
	struct pollfd ready;
	int status;

	(void)state;
	start_logged_in(&w);
	script("sign hang");
	worker_send(&w, 0, &j);
	ready = (struct pollfd){.fd = w.lane[0], .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 200), 0);
	kill(w.pid, SIGKILL);
	assert_int_equal(poll(&ready, 1, 5000), 1);
	status = worker_reap(&w);
	assert_true(WIFSIGNALED(status));
	start(&next);
	worker_stop(&next);
}

static void
hanging_lane_does_not_hold_up_another(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;

	(void)state;
	start_with(&w, 2, WIRE_VERIFY_ALWAYS, "");
	login(&w, 0);
	script("sign hang once");
	worker_send(&w, 1, &j);
	/* until the script was struck, the hang could still take lane 0 */
	for (char first = '\0'; first != '#';) {
		FILE *f = fopen(script_path, "r");

		assert_non_null(f);
		first = (char)fgetc(f);
		fclose(f);
	}
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_OK);
	kill(w.pid, SIGKILL);
	worker_reap(&w);
}

static bool
more_waits(const struct worker *w)
{
	struct pollfd ready = {.fd = w->lane[0], .events = POLLIN};

	return w->in[0].len > 0 || poll(&ready, 1, 0) > 0;
}

static void
slow_results_are_not_withheld(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("sign delay 150");
	for (int i = 0; i < 3; i++)
		worker_send(&w, 0, &j);
	for (int i = 0; i < 3; i++) {
		worker_receive(&w, 0, &r);
		assert_int_equal(r.err, SIGNET_OK);
		assert_true(r.work_us >= 150000);
		assert_false(more_waits(&w));
	}
	worker_stop(&w);
}

static void
rejected_pin_is_one_try(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	worker_login(&w, "0000", WIRE_KEEP_PIN, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_INCORRECT);
	assert_int_equal(r.login, WIRE_LOGIN_REJECTED);
	assert_int_equal(r.rv, CKR_PIN_INCORRECT);
	assert_string_equal(r.stage, "login");
	assert_int_equal(r.logged_in, 0);
	assert_int_equal(r.fatal, 0);
	assert_true((r.flags & CKF_USER_PIN_COUNT_LOW) != 0);
	assert_string_equal(logins(), "u");
	/* nothing that follows sends it again */
	fails(&w, P256, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false);
	fails(&w, AUTH, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false);
	assert_string_equal(logins(), "u");
	login(&w, 0); /* puts the token's counter back */
	worker_stop(&w);
}

static void
wrong_pin_restores_the_kept_login(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	signs(&w, P256);
	sign_with_pin(&w, P256, "0000", WIRE_RESTORE, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_INCORRECT);
	assert_int_equal(r.login, WIRE_LOGIN_REJECTED);
	assert_int_equal(r.rv, CKR_PIN_INCORRECT);
	assert_int_equal(r.logged_in, 1);
	assert_string_equal(logins(), "uuu");
	signs(&w, P256);
	worker_stop(&w);
}

static void
right_pin_leaves_the_kept_one_in_place(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	sign_with_pin(&w, P256, TEST_PIN, WIRE_RESTORE, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	sign_with_pin(&w, P256, "0000", WIRE_RESTORE, &r);
	assert_int_equal(r.logged_in, 1);
	assert_string_equal(logins(), "uuuu");
	signs(&w, AUTH);
	worker_stop(&w);
}

static void
last_try_is_not_spent_on_restoring(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("tokeninfo flags 0x20000 0");
	worker_login(&w, "0000", WIRE_RESTORE, &r);
	assert_int_equal(r.login, WIRE_LOGIN_REJECTED);
	assert_int_equal(r.logged_in, 0);
	assert_true((r.flags & CKF_USER_PIN_FINAL_TRY) != 0);
	assert_string_equal(logins(), "uu");
	script("");
	fails(&w, P256, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false);
	login(&w, 0);
	worker_stop(&w);
}

static void
kept_pin_that_fails_is_forgotten(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("login incorrect");
	worker_login(&w, "0000", WIRE_RESTORE, &r);
	assert_int_equal(r.logged_in, 0);
	worker_login(&w, "0000", WIRE_RESTORE, &r);
	assert_int_equal(r.logged_in, 0);
	assert_string_equal(logins(), "uuuu"); /* right, wrong, restore, wrong: no second restore */
	script("");
	worker_stop(&w);
}

static void
new_lease_takes_the_kept_pins_place(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	worker_login(&w, TEST_PIN, 0, &r); /* neither kept nor restoring: the old lease is over */
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	worker_login(&w, "0000", WIRE_RESTORE, &r);
	assert_int_equal(r.logged_in, 0);
	assert_string_equal(logins(), "uuu");
	login(&w, 0);
	worker_stop(&w);
}

static void
pin_of_the_wrong_length_is_not_sent(void **state)
{
	static const struct {
		const char *pin;
		bool sent;
	} cases[] = {{"123", false}, {"1235", true}, {"12345678", true}, {"123456789", false}};
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	script("tokeninfo pinlen 4 8");
	for (size_t i = 0; i < array_len(cases); i++) {
		unlink(count_path);
		worker_login(&w, cases[i].pin, WIRE_RESTORE, &r);
		assert_int_equal(r.err, SIGNET_ERR_PIN_INCORRECT);
		assert_int_equal(r.login, cases[i].sent ? WIRE_LOGIN_REJECTED : WIRE_LOGIN_INVALID);
		assert_string_equal(logins(), cases[i].sent ? "uu" : "");
		assert_int_equal(r.logged_in, 1); /* who was logged in still is */
	}
	worker_stop(&w);
}

static void
length_that_the_token_does_not_tell_is_not_judged(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	script("tokeninfo pinlen 0xffffffffffffffff 0");
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	script("tokeninfo pinlen 0 0xffffffffffffffff");
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	worker_stop(&w);
}

static void
locked_pin_is_not_sent(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	script("tokeninfo flags 0x40000 0");
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_BLOCKED);
	assert_int_equal(r.login, WIRE_LOGIN_BLOCKED);
	assert_string_equal(logins(), "");
	script("login locked");
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_BLOCKED);
	assert_int_equal(r.login, WIRE_LOGIN_BLOCKED);
	assert_int_equal(r.rv, CKR_PIN_LOCKED);
	assert_string_equal(logins(), "u");
	worker_stop(&w);
}

static void
login_answers(const char *lines, signet_err err, uint8_t outcome, bool fatal)
{
	struct wire_result r;
	struct worker w;

	start(&w);
	script(lines);
	worker_login(&w, TEST_PIN, WIRE_KEEP_PIN, &r);
	assert_int_equal(r.err, err);
	assert_int_equal(r.login, outcome);
	assert_int_equal(r.fatal, fatal);
	assert_int_equal(r.logged_in, 0);
	assert_string_equal(logins(), "u");
	worker_stop(&w);
}

static void
login_that_fails_says_whether_a_try_was_spent(void **state)
{
	(void)state;
	login_answers("login rv 0xa1", SIGNET_ERR_PIN_INCORRECT, WIRE_LOGIN_INVALID, false);
	login_answers("login rv 0xa2", SIGNET_ERR_PIN_INCORRECT, WIRE_LOGIN_INVALID, false);
	login_answers("login rv 0xa3", SIGNET_ERR_TOKEN_FAILED, WIRE_LOGIN_INVALID, false);
	login_answers("login rv 0x102", SIGNET_ERR_TOKEN_FAILED, WIRE_LOGIN_INVALID, false);
	login_answers("login rv 0x5", SIGNET_ERR_TOKEN_FAILED, WIRE_LOGIN_ERROR, true);
	login_answers("login rv 0x30", SIGNET_ERR_TOKEN_FAILED, WIRE_LOGIN_ERROR, true);
	login_answers("login rv 0x32", SIGNET_ERR_TOKEN_ABSENT, WIRE_LOGIN_ERROR, true);
	login_answers("login rv 0x100", SIGNET_ERR_TOKEN_FAILED, WIRE_LOGIN_ERROR, true);
	login_answers("login rv 0x50", SIGNET_ERR_PIN_REQUIRED, WIRE_LOGIN_ERROR, false);
}

/* A PIN for one token must never be a try on another that was put in its place. */
static void
pin_is_not_sent_to_another_token(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	script("tokeninfo serial other");
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_ABSENT);
	assert_int_equal(r.login, WIRE_LOGIN_NONE);
	assert_int_equal(r.fatal, 1);
	assert_string_equal(logins(), "");
	worker_stop(&w);
}

static void
pin_is_not_sent_where_no_login_is_required(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	script("tokeninfo flags 0 0x4");
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.login, WIRE_LOGIN_NONE);
	assert_string_equal(logins(), "");
	worker_stop(&w);
}

static void
login_without_a_pin_needs_a_pin_pad(void **state)
{
	struct wire_job j = {.type = WIRE_LOGIN, .job = 5};
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_REQUIRED);
	assert_int_equal(r.login, WIRE_LOGIN_NONE);
	assert_string_equal(logins(), "");
	script("tokeninfo flags 0x100 0\nlogin rv 0x50");
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.login, WIRE_LOGIN_ERROR);
	assert_string_equal(logins(), "u");
	worker_stop(&w);
}

static void
always_authenticate_logs_in_for_each_signature(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	signs(&w, AUTH);
	signs(&w, AUTH);
	assert_string_equal(logins(), "ucc");
	sign_with_pin(&w, AUTH, TEST_PIN, 0, &r); /* not kept */
	assert_int_equal(r.err, SIGNET_OK);
	assert_string_equal(logins(), "uccuc");
	fails(&w, AUTH, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false);
	signs(&w, P256);
	assert_string_equal(logins(), "uccuc");
	worker_stop(&w);
}

static void
first_failed_context_login_ends_it(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w);
	signs(&w, AUTH);
	script("login incorrect");
	sign(&w, AUTH, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_INCORRECT);
	assert_int_equal(r.login, WIRE_LOGIN_REJECTED);
	assert_string_equal(r.stage, "login");
	assert_string_equal(logins(), "ucc");
	script("");
	fails(&w, AUTH, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false);
	assert_string_equal(logins(), "ucc");
	fails(&w, P256, SIGNET_ERR_PIN_REQUIRED, "login", CKR_OK, false); /* nobody is logged in any more */
	login(&w, WIRE_KEEP_PIN);
	signs(&w, P256); /* the session with the unfinished operation is gone */
	worker_stop(&w);
}

static void
logout_that_fails_ends_the_worker_but_not_the_signature(void **state)
{
	struct wire_job out = {.type = WIRE_LOGOUT, .job = 6};
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	script("logout rv 0x6");
	sign_with_pin(&w, P256, TEST_PIN, WIRE_THEN_LOGOUT, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_true(r.sig_len > 0);
	assert_int_equal(r.fatal, 1);
	assert_int_equal(r.logged_in, 1);
	worker_do(&w, 0, &out, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_FAILED);
	assert_string_equal(r.stage, "logout");
	assert_int_equal(r.fatal, 1);
	worker_stop(&w);
}

static void
spent_lease_is_logged_out_after_a_failure_too(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	script("sign rv 0x20");
	sign_with_pin(&w, P256, TEST_PIN, WIRE_THEN_LOGOUT, &r);
	assert_int_equal(r.err, SIGNET_ERR_UNSUPPORTED);
	assert_int_equal(r.logged_in, 0);
	worker_stop(&w);
}

static void
probe_of_an_absent_token_sees_it_come(void **state)
{
	struct wire_job probe = {.type = WIRE_PROBE, .job = 4};
	struct wire_result r;
	struct worker w;

	(void)state;
	start_with(&w, 1, WIRE_VERIFY_ALWAYS, "slots absent");
	assert_int_equal(w.info.presence, WIRE_ABSENT);
	worker_do(&w, 0, &probe, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_ABSENT);
	assert_int_equal(r.fatal, 0);
	script("");
	worker_do(&w, 0, &probe, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.fatal, 1);
	fails(&w, P256, SIGNET_ERR_TOKEN_ABSENT, "find", CKR_OK, false);
	worker_stop(&w);
}

static void
slots_that_cannot_be_listed_are_broken(void **state)
{
	struct worker w;

	(void)state;
	start_with(&w, 1, WIRE_VERIFY_ALWAYS, "slots rv 0x5");
	assert_int_equal(w.info.presence, WIRE_BROKEN);
	assert_string_equal(w.info.reason, "C_GetSlotList: CKR_GENERAL_ERROR (0x5)");
	worker_stop(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(wrong_signature_does_not_leave, worker_end_left_over),
	    cmocka_unit_test_teardown(signature_by_another_key_does_not_leave, worker_end_left_over),
	    cmocka_unit_test_teardown(verify_first_checks_once_per_session_and_key, worker_end_left_over),
	    cmocka_unit_test_teardown(failed_operation_leaves_nothing_active, worker_end_left_over),
	    cmocka_unit_test_teardown(lost_session_is_opened_again_once, worker_end_left_over),
	    cmocka_unit_test_teardown(stale_key_handle_is_looked_up_again_once, worker_end_left_over),
	    cmocka_unit_test_teardown(removed_card_is_absent_and_fatal, worker_end_left_over),
	    cmocka_unit_test_teardown(token_that_forgot_the_login_asks_for_the_pin, worker_end_left_over),
	    cmocka_unit_test_teardown(crash_in_the_module_is_the_end_of_the_lane, worker_end_left_over),
	    cmocka_unit_test_teardown(hung_module_is_killed_and_its_lock_is_free, worker_end_left_over),
	    cmocka_unit_test_teardown(hanging_lane_does_not_hold_up_another, worker_end_left_over),
	    cmocka_unit_test_teardown(slow_results_are_not_withheld, worker_end_left_over),
	    cmocka_unit_test_teardown(rejected_pin_is_one_try, worker_end_left_over),
	    cmocka_unit_test_teardown(wrong_pin_restores_the_kept_login, worker_end_left_over),
	    cmocka_unit_test_teardown(right_pin_leaves_the_kept_one_in_place, worker_end_left_over),
	    cmocka_unit_test_teardown(last_try_is_not_spent_on_restoring, worker_end_left_over),
	    cmocka_unit_test_teardown(kept_pin_that_fails_is_forgotten, worker_end_left_over),
	    cmocka_unit_test_teardown(new_lease_takes_the_kept_pins_place, worker_end_left_over),
	    cmocka_unit_test_teardown(pin_of_the_wrong_length_is_not_sent, worker_end_left_over),
	    cmocka_unit_test_teardown(
		length_that_the_token_does_not_tell_is_not_judged, worker_end_left_over),
	    cmocka_unit_test_teardown(locked_pin_is_not_sent, worker_end_left_over),
	    cmocka_unit_test_teardown(login_that_fails_says_whether_a_try_was_spent, worker_end_left_over),
	    cmocka_unit_test_teardown(pin_is_not_sent_to_another_token, worker_end_left_over),
	    cmocka_unit_test_teardown(pin_is_not_sent_where_no_login_is_required, worker_end_left_over),
	    cmocka_unit_test_teardown(login_without_a_pin_needs_a_pin_pad, worker_end_left_over),
	    cmocka_unit_test_teardown(always_authenticate_logs_in_for_each_signature, worker_end_left_over),
	    cmocka_unit_test_teardown(first_failed_context_login_ends_it, worker_end_left_over),
	    cmocka_unit_test_teardown(
		logout_that_fails_ends_the_worker_but_not_the_signature, worker_end_left_over),
	    cmocka_unit_test_teardown(spent_lease_is_logged_out_after_a_failure_too, worker_end_left_over),
	    cmocka_unit_test_teardown(probe_of_an_absent_token_sees_it_come, worker_end_left_over),
	    cmocka_unit_test_teardown(slots_that_cannot_be_listed_are_broken, worker_end_left_over),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_token, remove_token);
}
