/*
 * The real signet-token, confined, over its lanes, on a SoftHSM token with a
 * key of every algorithm: what it finds, what it signs, and how it holds a PIN.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "support/worker.h"
#include "unit.h"

static struct token_dir dir;

enum { RSA, RSA4096, P256, P384, P521, ED, BARE, KEYS };
static const char *const key_name[] = {"rsa", "rsa4096", "p256", "p384", "p521", "ed", "bare"};

static int
make_token(void **state)
{
	(void)state;
	token_dir_make(&dir);
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

		snprintf(uri, sizeof(uri), "pkcs11:id=%%%02d", i + 1);
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
		for (uint16_t key = RSA; key <= RSA4096; key++) {
			signature_verifies(&w, key, WIRE_PKCS1, alg);
			signature_verifies(&w, key, WIRE_PSS, alg);
		}
		for (uint16_t key = P256; key <= P521; key++)
			signature_verifies(&w, key, WIRE_ECDSA, alg);
		signature_verifies(&w, BARE, WIRE_ECDSA, alg);
		signature_verifies(&w, ED, WIRE_EDDSA, alg);
	}
	worker_stop(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signs_with_every_key_scheme_and_digest),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_token, remove_token);
}
