/* See worker.h. */
#include "support/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "unit/unit.h"

extern char **environ;

static void
run(char *const argv[])
{
	int status = -1;
	pid_t pid;

	assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void
token_dir_make(struct token_dir *d, const char *pin)
{
	const char *tmp = getenv("TMPDIR");
	char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t)SIGNET_SOFTHSM_SH, d->path,
	    (char *)(uintptr_t) "test", (char *)(uintptr_t)pin, NULL};

	snprintf(d->path, sizeof(d->path), "%s/signet-worker-XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->locks, sizeof(d->locks), "%s/locks", d->path);
	snprintf(d->conf, sizeof(d->conf), "%s/softhsm2.conf", d->path);
	assert_int_equal(mkdir(d->locks, 0700), 0);
	run(argv);
	setenv("SOFTHSM2_CONF", d->conf, 1);
}

void
token_dir_remove(struct token_dir *d)
{
	char *argv[] = {(char *)(uintptr_t) "rm", (char *)(uintptr_t) "-rf", d->path, NULL};

	run(argv);
}

void
token_dir_tool(const struct token_dir *d, const char *words)
{
	char command[1024];
	char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", command, NULL};

	snprintf(command, sizeof(command),
	    "SOFTHSM2_CONF=%s pkcs11-tool --module " SOFTHSM_MODULE
	    " --token-label test --login --pin " TEST_PIN " %s >/dev/null 2>&1",
	    d->conf, words);
	run(argv);
}

void
config_init(struct wire_config *c, const struct token_dir *d)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->module, SOFTHSM_MODULE);
	strcpy(c->label, "test");
	strcpy(c->lock_dir, d->locks);
	c->lanes = 1;
	c->confine = 1;
	c->path_count = 1;
	strcpy(c->paths[0], d->path);
}

void
config_key(struct wire_config *c, const char *uri)
{
	assert_true(c->key_count < WIRE_KEYS_MAX && strlen(uri) < sizeof(c->uri[0]));
	strcpy(c->uri[c->key_count++], uri);
}

static void
send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}

/* One whole frame at the front of the lane's buffer; its length, 0 at the end of the file. */
static size_t
receive_frame(struct worker *w, unsigned lane)
{
	struct buf *in = &w->in[lane];
	size_t len;
	ssize_t n;

	while ((len = wire_next(in->data, in->len, WIRE_FRAME_MAX)) == 0) {
		uint8_t *room = buf_room(in, 64 * 1024);

		assert_non_null(room);
		n = recv(w->lane[lane], room, 64 * 1024, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		assert_true(n > 0);
		in->len += (size_t)n;
	}
	assert_true(len != SIZE_MAX);
	return len;
}

/* Children not waited for yet: no test has more than two. */
static pid_t running[4];

static void
note(pid_t from, pid_t to)
{
	for (size_t i = 0; i < array_len(running); i++)
		if (running[i] == from) {
			running[i] = to;
			return;
		}
}

void
worker_prepare(struct worker *w, const struct wire_config *c)
{
	int pair[2];

	memset(w, 0, sizeof(*w));
	w->lanes = c->lanes;
	for (unsigned i = 0; i < w->lanes; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		w->lane[i] = pair[0];
		/* high, so that no dup2 hits a lane that is still needed */
		w->far[i] = fcntl(pair[1], F_DUPFD_CLOEXEC, 100);
		assert_true(w->far[i] >= 100);
		close(pair[1]);
		buf_init(&w->in[i], 2 * WIRE_FRAME_MAX);
	}
}

void
worker_exec(struct worker *w)
{
	char *argv[] = {(char *)(uintptr_t)SIGNET_TOKEN_PROGRAM, (char *)(uintptr_t)w->mode,
	    w->mode != NULL ? (char *)(uintptr_t) "module" : NULL, NULL};
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	for (unsigned i = 0; i < w->lanes; i++)
		assert_int_equal(
		    posix_spawn_file_actions_adddup2(&actions, w->far[i], SIGNET_TOKEN_FD + (int)i), 0);
	assert_int_equal(posix_spawn(&w->pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	note(0, w->pid);
}

void
worker_close_far_ends(struct worker *w)
{
	for (unsigned i = 0; i < w->lanes; i++)
		close(w->far[i]);
}

int
worker_end_left_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(running); i++)
		if (running[i] > 0) {
			kill(running[i], SIGKILL);
			waitpid(running[i], NULL, 0);
			running[i] = 0;
		}
	return 0;
}

static void
send_config(struct worker *w, const struct wire_config *c)
{
	struct buf out;

	worker_close_far_ends(w);
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_config(&out, c);
	assert_false(out.failed);
	send_all(w->lane[0], out.data, out.len);
	buf_done(&out);
}

void
watcher_start(struct worker *w, const struct wire_config *c, const char *mode)
{
	worker_prepare(w, c);
	w->mode = mode;
	worker_exec(w);
	send_config(w, c);
}

bool
watcher_receive(struct worker *w, struct wire_seen *s)
{
	size_t len = receive_frame(w, 0);

	if (len == 0)
		return false;
	assert_int_equal(wire_get_seen(s, w->in[0].data, len), SIGNET_OK);
	buf_consume(&w->in[0], len);
	return true;
}

void
worker_greet(struct worker *w, const struct wire_config *c)
{
	size_t len;

	send_config(w, c);
	len = receive_frame(w, 0);
	assert_true(len > 0);
	assert_int_equal(wire_get_info(&w->info, w->in[0].data, len), SIGNET_OK);
	buf_consume(&w->in[0], len);
}

void
worker_start(struct worker *w, const struct wire_config *c)
{
	worker_prepare(w, c);
	worker_exec(w);
	worker_greet(w, c);
}

void
worker_start_nonblocking(struct worker *w, const struct wire_config *c)
{
	worker_prepare(w, c);
	for (unsigned i = 0; i < w->lanes; i++)
		assert_int_equal(fcntl(w->far[i], F_SETFL, O_NONBLOCK), 0);
	worker_exec(w);
	worker_greet(w, c);
}

int
worker_reap(struct worker *w)
{
	int status = -1;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	note(w->pid, 0);
	for (unsigned i = 0; i < w->lanes; i++) {
		close(w->lane[i]);
		buf_done(&w->in[i]);
	}
	wire_info_done(&w->info);
	return status;
}

void
worker_stop(struct worker *w)
{
	for (unsigned i = 0; i < w->lanes; i++)
		shutdown(w->lane[i], SHUT_RDWR);
	assert_int_equal(worker_reap(w), 0);
}

void
worker_send(struct worker *w, unsigned lane, const struct wire_job *j)
{
	struct buf out;

	buf_init_secret(&out, WIRE_JOB_MAX);
	wire_put_job(&out, j);
	assert_false(out.failed);
	send_all(w->lane[lane], out.data, out.len);
	buf_done(&out);
}

bool
worker_try_receive(struct worker *w, unsigned lane, struct wire_result *r)
{
	size_t len = receive_frame(w, lane);

	if (len == 0)
		return false;
	assert_int_equal(wire_get_result(r, w->in[lane].data, len), SIGNET_OK);
	buf_consume(&w->in[lane], len);
	return true;
}

void
worker_receive(struct worker *w, unsigned lane, struct wire_result *r)
{
	assert_true(worker_try_receive(w, lane, r));
}

void
worker_do(struct worker *w, unsigned lane, const struct wire_job *j, struct wire_result *r)
{
	worker_send(w, lane, j);
	worker_receive(w, lane, r);
	assert_int_equal(r->job, j->job);
}

struct secret *
secret_of(const char *text)
{
	struct secret *s = NULL;
	char bytes[SECRET_MAX + 1];

	strcpy(bytes, text);
	assert_int_equal(secret_take(&s, bytes, strlen(text)), SIGNET_OK);
	return s;
}

void
worker_login(struct worker *w, const char *pin, uint8_t flags, struct wire_result *r)
{
	owned(secret_freep) struct secret *s = secret_of(pin);
	struct wire_job j = {.type = WIRE_LOGIN, .job = 7000, .flags = flags, .pin = s};

	worker_do(w, 0, &j, r);
}

struct wire_job
sign_of(uint16_t key, uint8_t scheme, enum signet_digest_alg alg, uint8_t fill)
{
	struct wire_job j = {.type = WIRE_SIGN, .job = 8000u + fill, .key = key, .scheme = scheme};

	j.digest.alg = alg;
	memset(j.digest.bytes, fill, digest_size(alg));
	return j;
}

static EVP_PKEY *
read_pem(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *key;

	assert_non_null(f);
	key = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(key);
	return key;
}

static const EVP_MD *
md_of(enum signet_digest_alg alg)
{
	return alg == DIGEST_SHA256 ? EVP_sha256() : alg == DIGEST_SHA384 ? EVP_sha384() : EVP_sha512();
}

static bool
verifies_eddsa(EVP_PKEY *key, const struct wire_job *j, const struct wire_result *r)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, r->sig, r->sig_len, j->digest.bytes, digest_size(j->digest.alg)) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

bool
verifies(const char *pem, const struct wire_job *j, const struct wire_result *r)
{
	EVP_PKEY *key = read_pem(pem);
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (j->scheme == WIRE_EDDSA) {
		ok = verifies_eddsa(key, j, r);
		EVP_PKEY_free(key);
		return ok;
	}
	ctx = EVP_PKEY_CTX_new(key, NULL);
	ok = EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, md_of(j->digest.alg)) == 1;
	if (ok && j->scheme == WIRE_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_PKEY_verify(ctx, r->sig, r->sig_len, j->digest.bytes, digest_size(j->digest.alg)) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}
