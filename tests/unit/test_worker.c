/*
 * The real signet-token, confined, over its lanes, on a SoftHSM token with a
 * key of every algorithm: what it finds, what it signs, and how it holds a PIN.
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <p11-kit/pkcs11.h>

#include "support/worker.h"
#include "support/x509.h"
#include "unit.h"

static struct token_dir dir;

enum { RSA2048, RSA4096, P256, P384, P521, ED, BARE, AUTH, KEYS };
static const char *const key_name[] = {"rsa", "rsa4096", "p256", "p384", "p521", "ed", "bare", "auth"};

static int
make_token(void **state)
{
	(void)state;
	token_dir_make(&dir, TEST_PIN);
	return 0;
}

static int
remove_token(void **state)
{
	(void)state;
	token_dir_remove(&dir);
	return 0;
}

/* All keys that sign, in the order of the enum. */
static void
start(struct worker *w, unsigned lanes, uint8_t confine)
{
	struct wire_config c;

	config_init(&c, &dir);
	c.lanes = (uint8_t)lanes;
	c.confine = confine;
	for (int i = 0; i < KEYS; i++) {
		char uri[64];

		snprintf(uri, sizeof(uri), "pkcs11:object=%s", key_name[i]);
		config_key(&c, uri);
	}
	worker_start(w, &c);
	if (w->info.presence != WIRE_PRESENT)
		fail_msg("presence %d: %s", w->info.presence, w->info.reason);
}

static void
start_logged_in(struct worker *w, unsigned lanes)
{
	struct wire_result r;

	start(w, lanes, 1);
	worker_login(w, TEST_PIN, WIRE_KEEP_PIN, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	assert_int_equal(r.logged_in, 1);
}

static void
signature_verifies(struct worker *w, uint16_t key, uint8_t scheme, enum signet_digest_alg alg)
{
	struct wire_job j = sign_of(key, scheme, alg, (uint8_t)(key * 16 + scheme));
	struct wire_result r;
	char pem[300];

	worker_do(w, 0, &j, &r);
	if (r.err != SIGNET_OK)
		fail_msg("%s: %s at %s, rv 0x%x", key_name[key], signet_strerror((signet_err)r.err), r.stage,
		    r.rv);
	snprintf(pem, sizeof(pem), "%s/%s.pem", dir.path, key_name[key]);
	assert_true(verifies(pem, &j, &r));
}

static void
signs_with_every_key_scheme_and_digest(void **state)
{
	struct worker w;

	(void)state;
	start_logged_in(&w, 1);
	for (enum signet_digest_alg alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++) {
		for (uint16_t key = RSA2048; key <= RSA4096; key++) {
			signature_verifies(&w, key, WIRE_PKCS1, alg);
			signature_verifies(&w, key, WIRE_PSS, alg);
		}
		for (uint16_t key = P256; key <= P521; key++)
			signature_verifies(&w, key, WIRE_ECDSA, alg);
		signature_verifies(&w, BARE, WIRE_ECDSA, alg);
		signature_verifies(&w, AUTH, WIRE_ECDSA, alg);
		signature_verifies(&w, ED, WIRE_EDDSA, alg);
	}
	worker_stop(&w);
}

static void
is_the_file(const struct wire_cert *cert, const char *path)
{
	uint8_t bytes[WIRE_CERT_MAX];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_int_equal(cert->len, n);
	assert_memory_equal(cert->der, bytes, n);
}

static void
states_each_key_with_its_certificate_and_issuer(void **state)
{
	static const uint8_t algorithm[] = {
	    WIRE_RSA, WIRE_RSA, WIRE_P256, WIRE_P384, WIRE_P521, WIRE_ED25519, WIRE_P256, WIRE_P256};
	struct worker w;

	(void)state;
	start(&w, 1, 1);
	for (int i = 0; i < KEYS; i++) {
		const struct wire_key *k = &w.info.keys[i];
		char path[300];

		assert_int_equal(k->state, WIRE_KEY_FOUND);
		assert_int_equal(k->algorithm, algorithm[i]);
		assert_int_equal(k->bits, i == RSA2048 ? 2048 : i == RSA4096 ? 4096 : 0);
		assert_int_equal(k->cert_count, i == BARE ? 0 : 2);
		assert_int_equal(k->id_len, 1);
		assert_true(k->public_len > 32 && k->public[0] == 0x30);
		assert_int_equal(k->not_after - k->not_before, i == BARE ? 0 : 30 * 86400);
		if (i == BARE)
			continue;
		snprintf(path, sizeof(path), "%s/%s.crt", dir.path, key_name[i]);
		is_the_file(&k->certs[0], path);
		snprintf(path, sizeof(path), "%s/ca.crt", dir.path);
		is_the_file(&k->certs[1], path);
	}
	assert_string_equal(w.info.keys[RSA4096].cert_serial, "02");
	worker_stop(&w);
}

static void
describes_the_token(void **state)
{
	struct worker w;

	(void)state;
	start(&w, 1, 1);
	assert_string_equal(w.info.label, "test");
	assert_string_equal(w.info.manufacturer, "SoftHSM project");
	assert_string_equal(w.info.model, "SoftHSM v2");
	assert_int_equal(strlen(w.info.serial), 16);
	assert_int_equal(w.info.pin_min, 4);
	assert_int_equal(w.info.pin_max, 255);
	assert_true((w.info.flags & CKF_LOGIN_REQUIRED) != 0);
	worker_stop(&w);
}

static void
finds_the_token_by_its_serial_number(void **state)
{
	struct wire_config c;
	struct worker w;

	(void)state;
	start(&w, 1, 1);
	config_init(&c, &dir);
	strcpy(c.label, "not this one");
	strcpy(c.serial, w.info.serial);
	worker_stop(&w);
	worker_start(&w, &c);
	assert_int_equal(w.info.presence, WIRE_PRESENT);
	worker_stop(&w);
}

/* INFO of a single key. */
static void
key_is(const char *uri, uint8_t state, const char *reason)
{
	struct wire_config c;
	struct worker w;

	config_init(&c, &dir);
	config_key(&c, uri);
	worker_start(&w, &c);
	assert_int_equal(w.info.presence, WIRE_PRESENT);
	assert_int_equal(w.info.keys[0].state, state);
	assert_non_null(strstr(w.info.keys[0].reason, reason));
	worker_stop(&w);
}

static void
uri_that_matches_nothing_is_absent(void **state)
{
	(void)state;
	key_is("pkcs11:id=%7f", WIRE_KEY_ABSENT, "no certificate and no public key");
	key_is("pkcs11:object=nobody", WIRE_KEY_ABSENT, "no certificate and no public key");
	key_is("pkcs11:serial=ffff;id=%01", WIRE_KEY_ABSENT, "names another token");
}

static void
uri_by_label_finds_certificate_and_key(void **state)
{
	(void)state;
	key_is("pkcs11:object=p256", WIRE_KEY_FOUND, "");
	key_is("pkcs11:object=bare;type=private", WIRE_KEY_FOUND, "");
	key_is("pkcs11:token=test;object=ed;id=%06", WIRE_KEY_FOUND, "");
}

static void
weak_and_unknown_keys_are_refused_by_name(void **state)
{
	(void)state;
	key_is("pkcs11:object=weak", WIRE_KEY_UNUSABLE, "not 1024");
	key_is("pkcs11:object=k1", WIRE_KEY_UNUSABLE, "secp256k1");
}

static void
uri_without_an_object_is_unusable(void **state)
{
	(void)state;
	key_is("pkcs11:token=test", WIRE_KEY_UNUSABLE, "neither id nor object");
	key_is("pkcs11:id=%01;colour=red", WIRE_KEY_UNUSABLE, "not known");
	key_is("not a uri", WIRE_KEY_UNUSABLE, "cannot be read");
}

static void
label_of_two_keys_is_ambiguous(void **state)
{
	(void)state;
	token_dir_tool(&dir, "--keypairgen --key-type EC:prime256v1 --id 21 --label twin");
	key_is("pkcs11:object=twin", WIRE_KEY_FOUND, "");
	token_dir_tool(&dir, "--keypairgen --key-type EC:prime256v1 --id 22 --label twin");
	key_is("pkcs11:object=twin", WIRE_KEY_AMBIGUOUS, "several public keys");
	key_is("pkcs11:object=twin;id=%21", WIRE_KEY_FOUND, "");
}

static void
two_private_keys_are_never_chosen_from(void **state)
{
	struct wire_job j = sign_of(0, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_config c;
	struct wire_result r;
	struct worker w;

	(void)state;
	token_dir_tool(&dir, "--keypairgen --key-type EC:prime256v1 --id 23 --label once");
	token_dir_tool(&dir, "--keypairgen --key-type EC:prime256v1 --id 23 --label gone");
	token_dir_tool(&dir, "--delete-object --type pubkey --label gone");
	config_init(&c, &dir);
	config_key(&c, "pkcs11:id=%23");
	worker_start(&w, &c);
	assert_int_equal(w.info.keys[0].state, WIRE_KEY_FOUND);
	worker_login(&w, TEST_PIN, 0, &r);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_UNSUPPORTED);
	assert_string_equal(r.stage, "find");
	worker_stop(&w);
}

static void
certificate_for_another_key_is_unusable(void **state)
{
	char command[400];

	(void)state;
	token_dir_tool(&dir, "--keypairgen --key-type EC:prime256v1 --id 24 --label mixed");
	snprintf(command, sizeof(command), "--write-object %s/p256.crt --type cert --id 24 --label mixed",
	    dir.path);
	token_dir_tool(&dir, command);
	key_is("pkcs11:object=mixed", WIRE_KEY_UNUSABLE, "for another key");
}

/* Puts a certificate for the key of `pem` on the token, under the id 25. */
static void
write_cert(const char *subject, const char *pem, int64_t not_after)
{
	struct x509_plan plan = {.subject = subject, .issuer = "authority", .not_after = not_after};
	char path[300], command[400];
	FILE *f;
	X509 *x;

	snprintf(path, sizeof(path), "%s/%s", dir.path, pem);
	f = fopen(path, "r");
	assert_non_null(f);
	plan.key = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	fclose(f);
	plan.signer = x509_key();
	x = x509_make(&plan);
	snprintf(path, sizeof(path), "%s/%s.crt", dir.path, subject);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(i2d_X509_fp(f, x), 1);
	fclose(f);
	snprintf(command, sizeof(command), "--write-object %s --type cert --id 25 --label %s", path, subject);
	token_dir_tool(&dir, command);
	X509_free(x);
	EVP_PKEY_free(plan.key);
	EVP_PKEY_free(plan.signer);
}

static void
renewed_certificate_is_the_own_one(void **state)
{
	struct wire_config c;
	struct worker w;

	(void)state;
	write_cert("first", "p256.pem", 1000);
	write_cert("renewed", "p256.pem", 3000);
	write_cert("between", "p256.pem", 2000);
	config_init(&c, &dir);
	config_key(&c, "pkcs11:id=%25");
	worker_start(&w, &c);
	assert_int_equal(w.info.keys[0].state, WIRE_KEY_FOUND);
	assert_int_equal(w.info.keys[0].not_after, 3000);
	worker_stop(&w);
	write_cert("stranger", "p384.pem", 4000);
	key_is("pkcs11:id=%25", WIRE_KEY_AMBIGUOUS, "certificates of several keys");
}

static void
signs_only_what_its_key_can(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_PKCS1, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w, 1);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_UNSUPPORTED);
	assert_int_equal(r.sig_len, 0);
	j = sign_of(KEYS, WIRE_ECDSA, DIGEST_SHA256, 1);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_KEY_NOT_FOUND);
	signature_verifies(&w, P256, WIRE_ECDSA, DIGEST_SHA256);
	worker_stop(&w);
}

static void
needs_a_login_and_says_so(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w, 1, 1);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_REQUIRED);
	assert_string_equal(r.stage, "login");
	assert_int_equal(r.login, WIRE_LOGIN_NONE);
	assert_int_equal(r.fatal, 0);
	worker_stop(&w);
}

static void
logout_ends_what_login_began(void **state)
{
	struct wire_job sign = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_job out = {.type = WIRE_LOGOUT, .job = 2};
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w, 1);
	signature_verifies(&w, P256, WIRE_ECDSA, DIGEST_SHA256);
	worker_do(&w, 0, &out, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.logged_in, 0);
	worker_do(&w, 0, &sign, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_REQUIRED);
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	signature_verifies(&w, P256, WIRE_ECDSA, DIGEST_SHA256);
	worker_stop(&w);
}

static void
signs_with_the_pin_of_the_job_and_logs_out(void **state)
{
	owned(secret_freep) struct secret *pin = secret_of(TEST_PIN);
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w, 1, 1);
	j.flags = WIRE_WITH_PIN | WIRE_THEN_LOGOUT;
	j.pin = pin;
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	assert_int_equal(r.logged_in, 0);
	assert_true(r.sig_len > 0);
	worker_stop(&w);
}

static void
pin_of_another_is_judged_though_someone_is_logged_in(void **state)
{
	owned(secret_freep) struct secret *wrong = secret_of("9999");
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_result r;
	struct worker w;

	(void)state;
	start_logged_in(&w, 1);
	j.flags = WIRE_WITH_PIN;
	j.pin = wrong;
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_PIN_INCORRECT);
	assert_int_equal(r.login, WIRE_LOGIN_REJECTED);
	assert_int_equal(r.sig_len, 0);
	assert_int_equal(r.logged_in, 0);
	worker_stop(&w);
}

static void
all_lanes_sign_under_one_login(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	enum { LANES = 4, ROUNDS = 50, AHEAD = 8 };
	struct wire_result r;
	struct worker w;
	char pem[300];

	(void)state;
	snprintf(pem, sizeof(pem), "%s/p256.pem", dir.path);
	start_logged_in(&w, LANES);
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned lane = 0; lane < LANES; lane++)
			for (uint32_t n = 0; n < AHEAD; n++) {
				j.job = n;
				worker_send(&w, lane, &j);
			}
		for (unsigned lane = 0; lane < LANES; lane++)
			for (uint32_t n = 0; n < AHEAD; n++) {
				worker_receive(&w, lane, &r);
				assert_int_equal(r.job, n);
				assert_int_equal(r.err, SIGNET_OK);
				assert_true(verifies(pem, &j, &r));
			}
	}
	worker_stop(&w);
}

static void
probe_tells_the_flags_and_the_login(void **state)
{
	struct wire_job j = {.type = WIRE_PROBE, .job = 3};
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w, 1, 1);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(r.logged_in, 0);
	assert_true((r.flags & CKF_LOGIN_REQUIRED) != 0);
	worker_login(&w, TEST_PIN, 0, &r);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.logged_in, 1);
	worker_stop(&w);
}

static void
second_owner_of_a_token_is_refused(void **state)
{
	struct wire_job j = sign_of(P256, WIRE_ECDSA, DIGEST_SHA256, 1);
	struct wire_config c;
	struct wire_result r;
	struct worker first, second;

	(void)state;
	start(&first, 1, 1);
	config_init(&c, &dir);
	worker_start(&second, &c);
	assert_int_equal(second.info.presence, WIRE_OWNED);
	worker_do(&second, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_FAILED);
	worker_stop(&second);
	/* killed, not asked: the kernel gives the lock back */
	kill(first.pid, SIGKILL);
	worker_reap(&first);
	worker_start(&second, &c);
	assert_int_equal(second.info.presence, WIRE_PRESENT);
	worker_stop(&second);
}

static void
token_that_is_not_there_is_absent(void **state)
{
	struct wire_job sign = sign_of(0, WIRE_ECDSA, DIGEST_SHA256, 1),
			probe = {.type = WIRE_PROBE, .job = 1};
	struct wire_config c;
	struct wire_result r;
	struct worker w;

	(void)state;
	config_init(&c, &dir);
	strcpy(c.label, "another");
	config_key(&c, "pkcs11:id=%01");
	worker_start(&w, &c);
	assert_int_equal(w.info.presence, WIRE_ABSENT);
	assert_int_equal(w.info.key_count, 1);
	assert_int_equal(w.info.keys[0].state, WIRE_KEY_ABSENT);
	worker_do(&w, 0, &sign, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_ABSENT);
	worker_do(&w, 0, &probe, &r);
	assert_int_equal(r.err, SIGNET_ERR_TOKEN_ABSENT);
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.login, WIRE_LOGIN_NONE);
	worker_stop(&w);
}

static void
module_is_broken(const char *path, const char *reason)
{
	struct wire_config c;
	struct worker w;

	config_init(&c, &dir);
	strcpy(c.module, path);
	worker_start(&w, &c);
	assert_int_equal(w.info.presence, WIRE_BROKEN);
	assert_non_null(strstr(w.info.reason, reason));
	worker_stop(&w);
}

static void
module_that_does_not_load_is_broken(void **state)
{
	(void)state;
	module_is_broken("/usr/lib/no-such-module.so", "does not load");
	module_is_broken("/bin/true", "does not load");
	module_is_broken("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "not a PKCS#11 module");
}

static void
lock_directory_that_is_missing_is_broken(void **state)
{
	struct wire_config c;
	struct worker w;

	(void)state;
	config_init(&c, &dir);
	strcat(c.lock_dir, "/missing");
	worker_start(&w, &c);
	assert_int_equal(w.info.presence, WIRE_BROKEN);
	assert_non_null(strstr(w.info.reason, "lock directory"));
	worker_stop(&w);
}

static void
serves_sockets_that_do_not_block(void **state)
{
	struct wire_config c;
	struct wire_result r;
	struct worker w;

	(void)state;
	config_init(&c, &dir);
	config_key(&c, "pkcs11:object=p256");
	c.lanes = 2;
	worker_start_nonblocking(&w, &c);
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.err, SIGNET_OK);
	for (unsigned lane = 0; lane < 2; lane++) {
		struct wire_job j = sign_of(0, WIRE_ECDSA, DIGEST_SHA256, 1);

		worker_do(&w, lane, &j, &r);
		assert_int_equal(r.err, SIGNET_OK);
	}
	worker_stop(&w);
}

static void
works_unconfined_where_the_configuration_says_so(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w, 1, 0);
	worker_login(&w, TEST_PIN, 0, &r);
	assert_int_equal(r.err, SIGNET_OK);
	signature_verifies(&w, RSA2048, WIRE_PSS, DIGEST_SHA256);
	worker_stop(&w);
}

static void
end_of_any_lane_ends_the_worker(void **state)
{
	struct worker w;

	(void)state;
	for (unsigned lane = 0; lane < 3; lane++) {
		start(&w, 3, 1);
		shutdown(w.lane[lane], SHUT_WR);
		assert_int_equal(worker_reap(&w), 0);
	}
}

static void
frame_that_is_none_ends_the_worker(void **state)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} frames[] = {
	    {{0, 0, 0, 0}, 4},                        /* no type */
	    {{1, 0, 0, 0, WIRE_CONFIG}, 5},           /* a second CONFIG */
	    {{1, 0, 0, 0, WIRE_RESULT}, 5},           /* not for us */
	    {{2, 0, 0, 0, WIRE_PROBE, 0}, 6},         /* cut */
	    {{0xfd, 3, 0, 0, WIRE_SIGN}, 5},          /* one byte over the limit: 1025 in all */
	    {{0xff, 0xff, 0xff, 0xff, WIRE_SIGN}, 5}, /* far over it */
	};
	struct worker w;

	(void)state;
	for (size_t i = 0; i < array_len(frames); i++) {
		int status;

		start(&w, 2, 1);
		assert_int_equal(
		    send(w.lane[1], frames[i].bytes, frames[i].len, MSG_NOSIGNAL), frames[i].len);
		status = worker_reap(&w);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), EX_PROTOCOL);
	}
}

/* The lanes stay open in this process, so it is not their end that the worker sees. */
static void
dies_with_the_process_that_started_it(void **state)
{
	struct worker w;
	struct wire_config c;
	int status, orphan[2];
	pid_t broker;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(orphan), 0);
	config_init(&c, &dir);
	worker_prepare(&w, &c);
	broker = fork();
	assert_true(broker >= 0);
	if (broker == 0) {
		worker_exec(&w);
		if (write(orphan[1], &w.pid, sizeof(w.pid)) != sizeof(w.pid))
			_exit(1);
		pause();
	}
	assert_int_equal(read(orphan[0], &w.pid, sizeof(w.pid)), sizeof(w.pid));
	worker_greet(&w, &c);
	assert_int_equal(w.info.presence, WIRE_PRESENT);
	kill(broker, SIGKILL);
	assert_int_equal(waitpid(broker, &status, 0), broker);
	status = worker_reap(&w);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(orphan[0]);
	close(orphan[1]);
}

/* Half a frame and silence: the worker waits, and leaves when the broker does. */
static void
broken_off_config_ends_the_worker(void **state)
{
	static const uint8_t half[] = {100, 0, 0, 0, WIRE_CONFIG, 1};
	struct wire_config c;
	struct worker w;

	(void)state;
	config_init(&c, &dir);
	for (size_t len = 0; len <= sizeof(half); len++) {
		worker_prepare(&w, &c);
		worker_exec(&w);
		worker_close_far_ends(&w);
		assert_int_equal(send(w.lane[0], half, len, MSG_NOSIGNAL), len);
		shutdown(w.lane[0], SHUT_RDWR);
		assert_true(WIFEXITED(worker_reap(&w)));
	}
}

static int
exit_status_of(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	/* whoever runs the tests may have left something open there */
	posix_spawn_file_actions_init(&actions);
	assert_int_equal(posix_spawn_file_actions_addclose(&actions, SIGNET_TOKEN_FD), 0);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
is_no_program_for_the_command_line(void **state)
{
	char *program = (char *)(uintptr_t)SIGNET_TOKEN_PROGRAM, *name = (char *)(uintptr_t) "seal";
	char *alone[] = {program, NULL}, *named[] = {program, name, NULL},
	     *more[] = {program, name, name, NULL};

	(void)state;
	/* nothing is open where its first lane would be */
	assert_int_equal(exit_status_of(alone), EX_UNAVAILABLE);
	assert_int_equal(exit_status_of(named), EX_UNAVAILABLE);
	assert_int_equal(exit_status_of(more), EX_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(signs_with_every_key_scheme_and_digest, worker_end_left_over),
	    cmocka_unit_test_teardown(states_each_key_with_its_certificate_and_issuer, worker_end_left_over),
	    cmocka_unit_test_teardown(describes_the_token, worker_end_left_over),
	    cmocka_unit_test_teardown(finds_the_token_by_its_serial_number, worker_end_left_over),
	    cmocka_unit_test_teardown(uri_that_matches_nothing_is_absent, worker_end_left_over),
	    cmocka_unit_test_teardown(uri_by_label_finds_certificate_and_key, worker_end_left_over),
	    cmocka_unit_test_teardown(weak_and_unknown_keys_are_refused_by_name, worker_end_left_over),
	    cmocka_unit_test_teardown(uri_without_an_object_is_unusable, worker_end_left_over),
	    cmocka_unit_test_teardown(label_of_two_keys_is_ambiguous, worker_end_left_over),
	    cmocka_unit_test_teardown(two_private_keys_are_never_chosen_from, worker_end_left_over),
	    cmocka_unit_test_teardown(certificate_for_another_key_is_unusable, worker_end_left_over),
	    cmocka_unit_test_teardown(renewed_certificate_is_the_own_one, worker_end_left_over),
	    cmocka_unit_test_teardown(signs_only_what_its_key_can, worker_end_left_over),
	    cmocka_unit_test_teardown(needs_a_login_and_says_so, worker_end_left_over),
	    cmocka_unit_test_teardown(logout_ends_what_login_began, worker_end_left_over),
	    cmocka_unit_test_teardown(signs_with_the_pin_of_the_job_and_logs_out, worker_end_left_over),
	    cmocka_unit_test_teardown(
		pin_of_another_is_judged_though_someone_is_logged_in, worker_end_left_over),
	    cmocka_unit_test_teardown(all_lanes_sign_under_one_login, worker_end_left_over),
	    cmocka_unit_test_teardown(probe_tells_the_flags_and_the_login, worker_end_left_over),
	    cmocka_unit_test_teardown(second_owner_of_a_token_is_refused, worker_end_left_over),
	    cmocka_unit_test_teardown(token_that_is_not_there_is_absent, worker_end_left_over),
	    cmocka_unit_test_teardown(module_that_does_not_load_is_broken, worker_end_left_over),
	    cmocka_unit_test_teardown(lock_directory_that_is_missing_is_broken, worker_end_left_over),
	    cmocka_unit_test_teardown(serves_sockets_that_do_not_block, worker_end_left_over),
	    cmocka_unit_test_teardown(works_unconfined_where_the_configuration_says_so, worker_end_left_over),
	    cmocka_unit_test_teardown(end_of_any_lane_ends_the_worker, worker_end_left_over),
	    cmocka_unit_test_teardown(frame_that_is_none_ends_the_worker, worker_end_left_over),
	    cmocka_unit_test_teardown(dies_with_the_process_that_started_it, worker_end_left_over),
	    cmocka_unit_test_teardown(broken_off_config_ends_the_worker, worker_end_left_over),
	    cmocka_unit_test_teardown(is_no_program_for_the_command_line, worker_end_left_over),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_token, remove_token);
}
