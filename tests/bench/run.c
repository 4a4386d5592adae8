/*
 * One run: client processes that are connected before the clock starts, sign
 * until it ends, and leave only after the parent has read what the servers
 * used.
 *
 * Processes talk by pipes, so that one that dies is seen as the end of a file:
 * a client writes a byte when it is ready and one when it is done; `go` and
 * `leave` are closed by the parent. Clients connect one after the other: twenty
 * logins at the same moment fail half the time on SoftHSM, whoever sends them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

struct lane { /* of one thread, in shared memory */
	uint64_t count;
	size_t samples;
	uint32_t us[SAMPLES_MAX];
};

struct client { /* in shared memory */
	uint64_t cpu_ns;
	bool failed;
};

struct run {
	const struct target *target;
	const char *key;
	unsigned clients, threads;
	double seconds;
	struct lane *lanes; /* clients * threads */
	struct client *client;
	pid_t pid[CLIENTS_MAX];
	int said[CLIENTS_MAX]; /* read end: what the client says */
	int go[2], leave[2];
};

struct thread {
	struct run *run;
	struct lane *lane;
	struct signer *signer;
	bool failed;
};

static uint64_t
own_cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return ((uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
		   (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec)) *
	       1000;
}

static void *
sign_until(void *arg)
{
	struct thread *t = arg;
	int64_t began = now_ns(), end = began + (int64_t)(t->run->seconds * 1e9);
	uint8_t digest[DIGEST_BYTES] = {0};

	while (began < end) {
		int64_t now;

		memcpy(digest, &began, sizeof(began)); /* no two alike */
		memcpy(digest + sizeof(began), &t->lane, sizeof(t->lane));
		if (!signer_sign(t->signer, digest)) {
			t->failed = true;
			break;
		}
		now = now_ns();
		if (t->lane->samples < SAMPLES_MAX)
			t->lane->us[t->lane->samples++] = (uint32_t)((now - began) / 1000);
		t->lane->count++;
		began = now;
	}
	return NULL;
}

static void
wait_closed(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		;
}

static void
say(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(1); /* the parent is gone */
}

/* A client process, from its connection to its end. */
static void
client_main(struct run *r, unsigned n, int say_fd)
{
	struct thread threads[THREADS_MAX] = {0};
	pthread_t id[THREADS_MAX];
	uint64_t cpu;

	for (unsigned i = 0; i < r->threads; i++) {
		threads[i].run = r;
		threads[i].lane = &r->lanes[n * r->threads + i];
		if (!signer_open(&threads[i].signer, r->target, r->key))
			_exit(1);
	}
	say(say_fd);
	wait_closed(r->go[0]);
	cpu = own_cpu_ns();
	for (unsigned i = 1; i < r->threads; i++)
		if (pthread_create(&id[i], NULL, sign_until, &threads[i]) != 0)
			_exit(1);
	(void)sign_until(&threads[0]);
	for (unsigned i = 1; i < r->threads; i++)
		pthread_join(id[i], NULL);
	r->client[n].cpu_ns = own_cpu_ns() - cpu;
	for (unsigned i = 0; i < r->threads; i++)
		r->client[n].failed |= threads[i].failed;
	say(say_fd);
	wait_closed(r->leave[0]);
	for (unsigned i = 0; i < r->threads; i++)
		signer_close(threads[i].signer);
	_exit(0);
}

/* True: the client said something; false: it died. */
static bool
heard(const struct run *r, unsigned n)
{
	char c;

	if (read(r->said[n], &c, 1) == 1)
		return true;
	fprintf(stderr, "signet-bench: client %u of %s ended before its time\n", n, r->target->name);
	return false;
}

static bool
start_client(struct run *r, unsigned n)
{
	int say_pipe[2];

	if (pipe(say_pipe) != 0)
		return false;
	r->pid[n] = fork();
	if (r->pid[n] == 0) {
		close(r->go[1]);
		close(r->leave[1]);
		close(say_pipe[0]);
		for (unsigned i = 0; i < n; i++)
			close(r->said[i]);
		client_main(r, n, say_pipe[1]);
	}
	close(say_pipe[1]);
	r->said[n] = say_pipe[0];
	return r->pid[n] > 0 && heard(r, n);
}

static bool
end_clients(struct run *r, unsigned started)
{
	bool good = true;

	close(r->leave[1]);
	for (unsigned i = 0; i < started; i++) {
		int status;

		close(r->said[i]);
		if (r->pid[i] > 0 && waitpid(r->pid[i], &status, 0) == r->pid[i])
			good = good && status == 0 && !r->client[i].failed;
	}
	close(r->leave[0]);
	return good;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
percentiles(const struct run *r, struct outcome *out)
{
	size_t n = 0, at = 0;
	uint32_t *all;

	for (unsigned i = 0; i < r->clients * r->threads; i++)
		n += r->lanes[i].samples;
	all = calloc(n + 1, sizeof(*all));
	if (all == NULL || n == 0) {
		free(all);
		return false;
	}
	for (unsigned i = 0; i < r->clients * r->threads; i++) {
		memcpy(all + at, r->lanes[i].us, r->lanes[i].samples * sizeof(*all));
		at += r->lanes[i].samples;
	}
	qsort(all, n, sizeof(*all), by_value);
	out->p50_us = all[(n - 1) / 2];
	out->p99_us = all[(n - 1) * 99 / 100];
	free(all);
	return true;
}

/* Everybody signs; what the server used in that time. */
static bool
measure(struct run *r, struct outcome *out)
{
	struct usage before = {0}, after = {0};
	uint64_t count = 0, client_ns = 0;
	int64_t began, ended;

	if (r->target->server > 0)
		before = usage_of(r->target->server);
	began = now_ns();
	close(r->go[1]);
	for (unsigned i = 0; i < r->clients; i++)
		if (!heard(r, i))
			return false;
	ended = now_ns();
	if (r->target->server > 0) {
		after = usage_of(r->target->server);
		out->memory = memory_of(r->target->server);
	}
	for (unsigned i = 0; i < r->clients * r->threads; i++)
		count += r->lanes[i].count;
	for (unsigned i = 0; i < r->clients; i++)
		client_ns += r->client[i].cpu_ns;
	if (count == 0)
		return false;
	out->per_second = (double)count / ((double)(ended - began) / 1e9);
	out->client_us = (double)client_ns / 1e3 / (double)count;
	out->broker_us = (double)(after.own - before.own) / 1e3 / (double)count;
	out->worker_us = (double)(after.descendants - before.descendants) / 1e3 / (double)count;
	return percentiles(r, out);
}

static void *
shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

bool
run_clients(const struct target *t, const char *key, unsigned clients, unsigned threads, double seconds,
    struct outcome *out)
{
	struct run r = {.target = t, .key = key, .clients = clients, .threads = threads, .seconds = seconds};
	size_t lanes_size = clients * threads * sizeof(*r.lanes), client_size = clients * sizeof(*r.client);
	unsigned started = 0;
	bool good = true;

	memset(out, 0, sizeof(*out));
	r.lanes = shared(lanes_size);
	r.client = shared(client_size);
	if (pipe(r.go) != 0 || pipe(r.leave) != 0)
		abort();
	while (good && started < clients)
		good = start_client(&r, started++);
	if (good)
		good = measure(&r, out);
	else
		close(r.go[1]);
	close(r.go[0]);
	good = end_clients(&r, started) && good;
	munmap(r.lanes, lanes_size);
	munmap(r.client, client_size);
	return good;
}

double
run_first(const struct target *t, const char *key)
{
	int64_t *ns = shared(sizeof(*ns));
	double us;
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		uint8_t digest[DIGEST_BYTES] = {1};
		int64_t began = now_ns();
		struct signer *s;

		if (!signer_open(&s, t, key) || !signer_sign(s, digest))
			_exit(1);
		*ns = now_ns() - began;
		signer_close(s);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		*ns = -1000;
	us = (double)*ns / 1e3;
	munmap(ns, sizeof(*ns));
	return us;
}
