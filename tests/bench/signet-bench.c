/*
 * signet-bench: signatures per second, processor time and latency through
 * signetd, beside the same key in the same process and through `p11-kit
 * server`. tests/bench/run starts all three and calls this.
 *
 * Rounds are interleaved: each round runs every target once, and a ratio is
 * taken within its round, so that a machine that is busy for a while bends
 * numbers but not ratios. What is printed are medians over the rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { COUNTS_MAX = 8, ROUNDS_MAX = 99, KEYS_MAX = 4, MODULE_ROWS = 2, FIRSTS = 21 };

struct bench {
	struct target server[SERVERS_MAX];
	unsigned servers;
	struct target module; /* in the client's own process */
	const char *keys[KEYS_MAX];
	unsigned key_count, counts[COUNTS_MAX], count_count, rounds;
	double seconds;
	char pin[PIN_SIZE];
};

/* The runs of one line of the table. */
struct row {
	const struct target *target;
	unsigned clients, threads; /* processes, and threads in each */
	struct outcome round[ROUNDS_MAX];
};

static int
by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_double);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Median over the rounds of one member, and of its ratio to another row's. */
static double
member(const struct row *row, size_t offset, unsigned rounds)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		memcpy(&v[i], (const char *)&row->round[i] + offset, sizeof(v[i]));
	return median(v, rounds);
}

static double
ratio(const struct row *row, const struct row *base, size_t offset, unsigned rounds)
{
	double v[ROUNDS_MAX], x, y;

	for (unsigned i = 0; i < rounds; i++) {
		memcpy(&x, (const char *)&row->round[i] + offset, sizeof(x));
		memcpy(&y, (const char *)&base->round[i] + offset, sizeof(y));
		v[i] = y > 0 ? x / y : 0;
	}
	return median(v, rounds);
}

#define MEMBER(row, name) member(row, offsetof(struct outcome, name), b->rounds)
#define RATIO(row, base, name) ratio(row, base, offsetof(struct outcome, name), b->rounds)

static void
print_head(const struct bench *b, const char *key)
{
	printf("\nkey %s, %g s a run, median of %u interleaved rounds\n", key, b->seconds, b->rounds);
	printf("%30s %9s  %15s  %23s  %22s\n", "", "", "ratio to", "CPU us per signature", "latency in us");
	printf("%-30s %9s  %7s %7s  %7s %7s %7s  %7s %7s %6s\n", "processes x threads", "sign/s", "p11-kit",
	    "module", "client", "server", "workers", "p50", "p99", "ratio");
}

/* kit: p11-kit's row with as many clients; module: what this process does on its own. NULL: no such row. */
static void
print_row(const struct bench *b, const struct row *row, const struct row *kit, const struct row *module)
{
	printf("%3u x %u  %-21s %9.0f  ", row->clients, row->threads, row->target->name,
	    MEMBER(row, per_second));
	if (kit != NULL)
		printf("%7.2f ", RATIO(row, kit, per_second));
	else
		printf("%7s ", "");
	if (module != NULL)
		printf("%7.2f  ", RATIO(row, module, per_second));
	else
		printf("%7s  ", "");
	printf("%7.1f %7.1f %7.1f  %7.0f %7.0f ", MEMBER(row, client_us), MEMBER(row, broker_us),
	    MEMBER(row, worker_us), MEMBER(row, p50_us), MEMBER(row, p99_us));
	if (kit != NULL)
		printf("%6.2f", RATIO(row, kit, p99_us));
	printf("\n");
}

static void
run_round(const struct bench *b, const char *key, struct row *rows, unsigned n, unsigned round)
{
	for (unsigned i = 0; i < n; i++)
		if (!run_clients(rows[i].target, key, rows[i].clients, rows[i].threads, b->seconds,
			&rows[i].round[round])) {
			fprintf(stderr, "signet-bench: a run of %s failed\n", rows[i].target->name);
			exit(EXIT_FAILURE);
		}
}

/* The module with one and two threads, then each server with each number of clients. */
static unsigned
make_rows(const struct bench *b, struct row *rows)
{
	unsigned n = 0;

	for (unsigned threads = 1; b->module.module != NULL && threads <= MODULE_ROWS; threads++)
		rows[n++] = (struct row){.target = &b->module, .clients = 1, .threads = threads};
	for (unsigned c = 0; c < b->count_count; c++)
		for (unsigned i = 0; i < b->servers; i++)
			rows[n++] =
			    (struct row){.target = &b->server[i], .clients = b->counts[c], .threads = 1};
	return n;
}

static const struct row *
row_of_kit(const struct row *rows, unsigned n, unsigned clients)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].clients == clients && rows[i].target->server > 0 && !rows[i].target->signet &&
		    !rows[i].target->bridge)
			return &rows[i];
	return NULL;
}

static void
print_rows(const struct bench *b, const struct row *rows, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct row *module =
		    rows[0].target == &b->module ? &rows[rows[i].clients > 1 ? 1 : 0] : NULL;
		bool server = rows[i].target->server > 0;

		print_row(b, &rows[i], server ? row_of_kit(rows, n, rows[i].clients) : NULL,
		    server ? module : NULL);
	}
	for (unsigned i = n - b->servers; i < n; i++)
		printf("memory of %s with %u clients: %.1f MiB private, all its processes\n",
		    rows[i].target->name, rows[i].clients,
		    (double)rows[i].round[b->rounds - 1].memory / (1 << 20));
}

static void
bench_key(const struct bench *b, const char *key)
{
	struct row *rows = calloc(MODULE_ROWS + SERVERS_MAX * COUNTS_MAX, sizeof(*rows));
	unsigned n;

	if (rows == NULL)
		abort();
	n = make_rows(b, rows);
	print_head(b, key);
	for (unsigned round = 0; round < b->rounds; round++)
		run_round(b, key, rows, n, round);
	print_rows(b, rows, n);
	fflush(stdout);
	free(rows);
}

static void
bench_first(const struct bench *b)
{
	printf("\nfrom nothing to the first signature (key %s, median of %d new processes)\n", b->keys[0],
	    FIRSTS);
	for (unsigned i = 0; i < b->servers; i++) {
		double v[FIRSTS];

		for (unsigned n = 0; n < FIRSTS; n++) {
			v[n] = run_first(&b->server[i], b->keys[0]);
			if (v[n] < 0)
				exit(EXIT_FAILURE);
		}
		printf("%-30s %8.2f ms\n", b->server[i].name, median(v, FIRSTS) / 1e3);
	}
}

static void
usage(void)
{
	fprintf(stderr, "signet-bench [--signet NAME,SOCKET,PID]... [--bridge NAME,MODULE,PID] [--p11-kit MODULE,PID] [--module PATH]\n"
			"             [--token LABEL --pin-file FILE] [--keys ec,rsa] [--clients 1,8,64]\n"
			"             [--rounds 5] [--seconds 2]\n");
	exit(2);
}

static unsigned
number(const char *text, unsigned max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n == 0 || n > max) {
		fprintf(stderr, "signet-bench: %s is not a number from 1 to %u\n", text, max);
		exit(2);
	}
	return (unsigned)n;
}

/* The words of a list with commas between them, in place. */
static unsigned
words(char *list, char **out, unsigned max)
{
	unsigned n = 0;
	char *save = NULL;

	for (char *w = strtok_r(list, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
		if (n == max)
			usage();
		out[n++] = w;
	}
	return n;
}

static struct target *
add_server(struct bench *b, const char *name, const char *pid)
{
	struct target *t = &b->server[b->servers];

	if (b->servers++ == SERVERS_MAX)
		usage();
	t->name = name;
	t->server = (pid_t)number(pid, 1u << 22);
	return t;
}

static void
read_pin(struct bench *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b->pin, sizeof(b->pin) - 1);

	if (n <= 0) {
		fprintf(stderr, "signet-bench: no PIN can be read from %s\n", path);
		exit(EXIT_FAILURE);
	}
	b->pin[strcspn(b->pin, "\n")] = '\0';
	b->module.pin = b->pin;
	close(fd);
}

static void
option(struct bench *b, int o, char *arg)
{
	char *w[COUNTS_MAX];
	struct target *t;
	unsigned n;

	switch (o) {
	case 's':
		if (words(arg, w, 3) != 3)
			usage();
		t = add_server(b, w[0], w[2]);
		t->signet = true;
		t->socket = w[1];
		break;
	case 'p':
		if (words(arg, w, 2) != 2)
			usage();
		add_server(b, "p11-kit server", w[1])->module = w[0];
		break;
	case 'b':
		if (words(arg, w, 3) != 3)
			usage();
		t = add_server(b, w[0], w[2]);
		t->bridge = true;
		t->module = w[1];
		break;
	case 'k':
		b->key_count = words(arg, w, KEYS_MAX);
		for (unsigned i = 0; i < b->key_count; i++)
			b->keys[i] = w[i];
		break;
	case 'c':
		n = words(arg, w, COUNTS_MAX);
		for (b->count_count = 0; b->count_count < n; b->count_count++)
			b->counts[b->count_count] = number(w[b->count_count], CLIENTS_MAX);
		break;
	case 'm':
		b->module.module = arg;
		break;
	case 't':
		b->module.token = arg;
		break;
	case 'f':
		read_pin(b, arg);
		break;
	case 'r':
		b->rounds = number(arg, ROUNDS_MAX);
		break;
	case 'd':
		b->seconds = strtod(arg, NULL);
		break;
	default:
		usage();
	}
}

static void
options(struct bench *b, int argc, char **argv)
{
	static const struct option known[] = {{"signet", required_argument, NULL, 's'},
	    {"p11-kit", required_argument, NULL, 'p'}, {"bridge", required_argument, NULL, 'b'}, {"module", required_argument, NULL, 'm'},
	    {"token", required_argument, NULL, 't'}, {"pin-file", required_argument, NULL, 'f'},
	    {"keys", required_argument, NULL, 'k'}, {"clients", required_argument, NULL, 'c'},
	    {"rounds", required_argument, NULL, 'r'}, {"seconds", required_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0}};
	int o;

	while ((o = getopt_long(argc, argv, "", known, NULL)) != -1)
		option(b, o, optarg);
	if (optind != argc || b->seconds <= 0 || b->seconds > 3600)
		usage();
	for (unsigned i = 0; i < b->servers; i++) {
		b->server[i].token = b->module.token;
		b->server[i].pin = b->module.pin;
		if (!b->server[i].signet && (b->module.token == NULL || b->module.pin == NULL))
			usage();
	}
	if (b->module.module != NULL && (b->module.token == NULL || b->module.pin == NULL))
		usage();
}

int
main(int argc, char **argv)
{
	struct bench b = {.keys = {"ec", "rsa"},
	    .key_count = 2,
	    .counts = {1, 8, 64},
	    .count_count = 3,
	    .rounds = 5,
	    .seconds = 2,
	    .module = {.name = "module"}};

	options(&b, argc, argv);
	for (unsigned i = 0; i < b.key_count; i++)
		bench_key(&b, b.keys[i]);
	if (b.servers > 0)
		bench_first(&b);
	wipe(b.pin, sizeof(b.pin));
	return EXIT_SUCCESS;
}
