/*
 * What verifying a published log costs: all of it, from a remembered
 * checkpoint, and the proof of one entry. Prints times and the most memory.
 *
 *   bench_verify [ENTRIES] [DIR]     default 1,000,000; DIR must be empty, default: a temporary one on this disk
 */
#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <signet/log.h>

#include "published.h"

enum { PROOFS = 1000, PADDING = 400 };

static double
now(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
must(signet_err err, const char *what)
{
	if (err == SIGNET_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, signet_error_message(NULL));
	exit(1);
}

static void
measure_all(const struct published *p, const signet_checkpoint *since, const char *what)
{
	signet_log_check check = {.size = sizeof(check)};
	double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);

	must(signet_log_verify_folder(p->folder, p->vkey, since, NULL, &check), what);
	wall = now(CLOCK_MONOTONIC) - wall;
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%-28s %8.3f s  %10.0f entries/s  %8.0f entries/s of processor time\n", what, wall,
	    (double)check.checked / wall, (double)check.checked / cpu);
}

static void
measure_proofs(const struct published *p)
{
	double wall = now(CLOCK_MONOTONIC);
	char *entry, *proof;

	for (uint64_t i = 0; i < PROOFS; i++) {
		must(signet_log_prove_from_folder(
			 p->folder, p->vkey, i * 7919 % p->size, &entry, NULL, &proof),
		    "a proof");
		free(entry);
		free(proof);
	}
	printf("%-28s %8.3f ms\n", "one entry and its proof", (now(CLOCK_MONOTONIC) - wall) * 1000 / PROOFS);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* In a process of its own: the memory that is told is the verifier's, not the writer's. */
static int
measure(const struct published *p, const signet_checkpoint *since)
{
	struct rusage used;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		measure_all(p, NULL, "all");
		measure_all(p, since, "the last hundredth");
		measure_proofs(p);
		(void)fflush(stdout);
		_exit(0);
	}
	if (child < 0 || wait4(child, &status, 0, &used) != child || status != 0)
		return 1;
	printf("%-28s %8ld KiB\n", "most memory", used.ru_maxrss);
	return 0;
}

int
main(int argc, char **argv)
{
	uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	char temporary[] = "/var/tmp/bench_verify.XXXXXX";
	const char *folder = argc > 2 ? argv[2] : mkdtemp(temporary);
	signet_checkpoint since;
	struct published p;
	struct buf note;
	int code;

	if (folder == NULL || entries == 0) {
		fprintf(stderr, "usage: bench_verify [ENTRIES] [DIR]\n");
		return 2;
	}
	published_init(&p, folder, "bench.example");
	p.padding = PADDING;
	published_grow(&p, entries);
	published_note(&p, entries - entries / 100, &note);
	must(signet_log_checkpoint((const char *)note.data, note.len, p.vkey, &since), "a checkpoint");
	buf_done(&note);
	free(p.leaf);
	p.leaf = NULL;
	(void)malloc_trim(0);
	printf("%llu entries in %s\n", (unsigned long long)entries, folder);
	(void)fflush(stdout);
	code = measure(&p, &since);
	published_done(&p);
	if (argc <= 2)
		(void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return code;
}
