/*
 * Where the PIN is in the real signet-token: in one place while it is kept, and
 * nowhere otherwise. The worker's memory is searched for it byte by byte, which
 * takes root, because a worker is not dumpable.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/worker.h"
#include "unit.h"

/* Nothing else in the world reads like it. */
static const char pin[] = "Kx7-memory-scan";
static const char wrong_pin[] = "Kx7-memory-wrong";

enum { P256, AUTH };

static struct token_dir dir;

static int
make_token(void **state)
{
	(void)state;
	token_dir_make(&dir, pin);
	return 0;
}

static int
remove_token(void **state)
{
	(void)state;
	token_dir_remove(&dir);
	return 0;
}

static size_t
count_in(int mem, off_t from, size_t len, const char *needle)
{
	char *bytes = malloc(len), *at = bytes;
	ssize_t n = pread(mem, bytes, len, from);
	size_t hits = 0;

	/* [vvar] is mapped but not to be read */
	while (n > 0 && (at = memmem(at, (size_t)(bytes + n - at), needle, strlen(needle))) != NULL) {
		hits++;
		at++;
	}
	free(bytes);
	return hits;
}

static size_t
copies_of(const struct worker *w, const char *needle)
{
	char path[64], line[512];
	size_t hits = 0;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/maps", w->pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", w->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(maps != NULL && mem >= 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		char rights[8];

		assert_int_equal(sscanf(line, "%lx-%lx %7s", &from, &to, rights), 3);
		if (rights[0] == 'r')
			hits += count_in(mem, (off_t)from, to - from, needle);
	}
	fclose(maps);
	close(mem);
	return hits;
}

static void
start(struct worker *w)
{
	struct wire_config c;

#ifdef SIGNET_SANITIZED
	skip(); /* a sanitizer's shadow memory has no end, and its heap keeps what was freed */
#endif
	if (geteuid() != 0)
		skip();
	config_init(&c, &dir);
	config_key(&c, "pkcs11:object=p256");
	config_key(&c, "pkcs11:object=auth");
	worker_start(w, &c);
	assert_int_equal(w->info.presence, WIRE_PRESENT);
	assert_true(copies_of(w, "pkcs11:object=p256") > 0); /* the search does find things */
}

static void
sign_with(struct worker *w, uint16_t key, const char *text, uint8_t flags, struct wire_result *r)
{
	owned(secret_freep) struct secret *s = secret_of(text);
	struct wire_job j = sign_of(key, WIRE_ECDSA, DIGEST_SHA256, 9);

	j.flags = (uint8_t)(WIRE_WITH_PIN | flags);
	j.pin = s;
	worker_do(w, 0, &j, r);
}

static void
pin_of_one_signature_is_nowhere_afterwards(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	sign_with(&w, P256, pin, 0, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(copies_of(&w, pin), 0);
	sign_with(&w, AUTH, pin, WIRE_THEN_LOGOUT, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(copies_of(&w, pin), 0);
	worker_stop(&w);
}

static void
kept_pin_is_in_one_place_until_the_logout(void **state)
{
	struct wire_job j = sign_of(AUTH, WIRE_ECDSA, DIGEST_SHA256, 9), out = {.type = WIRE_LOGOUT};
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	worker_login(&w, pin, WIRE_KEEP_PIN, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	assert_int_equal(copies_of(&w, pin), 1);
	worker_do(&w, 0, &j, &r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_int_equal(copies_of(&w, pin), 1);
	worker_do(&w, 0, &out, &r);
	assert_int_equal(copies_of(&w, pin), 0);
	worker_stop(&w);
}

static void
rejected_pin_is_nowhere(void **state)
{
	struct wire_result r;
	struct worker w;

	(void)state;
	start(&w);
	worker_login(&w, wrong_pin, WIRE_KEEP_PIN, &r);
	assert_int_equal(r.login, WIRE_LOGIN_REJECTED);
	assert_int_equal(copies_of(&w, wrong_pin), 0);
	worker_login(&w, pin, 0, &r);
	assert_int_equal(r.login, WIRE_LOGIN_OK);
	worker_stop(&w);
}

/* Several frames in one read: the PIN lies in the middle of the receive buffer. */
static void
pin_between_other_frames_is_wiped(void **state)
{
	owned(secret_freep) struct secret *s = secret_of(pin);
	struct wire_job probe = {.type = WIRE_PROBE, .job = 1},
			login = {.type = WIRE_LOGIN, .job = 2, .pin = s};
	struct wire_result r;
	struct worker w;
	struct buf out;

	(void)state;
	start(&w);
	buf_init_secret(&out, 8 * WIRE_JOB_MAX);
	wire_put_job(&out, &probe);
	wire_put_job(&out, &login);
	wire_put_job(&out, &probe);
	assert_int_equal(write(w.lane[0], out.data, out.len), out.len);
	buf_done(&out);
	for (int i = 0; i < 3; i++)
		worker_receive(&w, 0, &r);
	assert_int_equal(r.logged_in, 1);
	assert_int_equal(copies_of(&w, pin), 0);
	worker_stop(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(pin_of_one_signature_is_nowhere_afterwards, worker_end_left_over),
	    cmocka_unit_test_teardown(kept_pin_is_in_one_place_until_the_logout, worker_end_left_over),
	    cmocka_unit_test_teardown(rejected_pin_is_nowhere, worker_end_left_over),
	    cmocka_unit_test_teardown(pin_between_other_frames_is_wiped, worker_end_left_over),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_token, remove_token);
}
