/*
 * Processor time and memory of a tree of processes, from /proc [proc(5)].
 * schedstat counts nanoseconds; the ticks in stat are too coarse for a run of
 * two seconds.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t
thread_ns(pid_t pid, const char *tid)
{
	char path[64];
	uint64_t ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.10s/schedstat", (int)pid, tid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%" SCNu64, &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static uint64_t
process_ns(pid_t pid)
{
	char path[32];
	const struct dirent *e;
	uint64_t sum = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			sum += thread_ns(pid, e->d_name);
	closedir(d);
	return sum;
}

/* Calls `each` for every descendant of `pid`. */
static void
descend(pid_t pid, void (*each)(pid_t pid, void *arg), void *arg)
{
	char path[64];
	FILE *f;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	while (fscanf(f, "%d", &child) == 1) {
		each(child, arg);
		descend(child, each, arg);
	}
	fclose(f);
}

static void
add_ns(pid_t pid, void *arg)
{
	*(uint64_t *)arg += process_ns(pid);
}

struct usage
usage_of(pid_t pid)
{
	struct usage u = {.own = process_ns(pid)};

	descend(pid, add_ns, &u.descendants);
	return u;
}

static void
add_memory(pid_t pid, void *arg)
{
	char path[48], line[256];
	uint64_t kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	if (f == NULL) {
		fprintf(stderr, "signet-bench: %s cannot be read: run as root to see memory\n", path);
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Private_%*[^:]: %" SCNu64 " kB", &kib) == 1)
			*(uint64_t *)arg += kib * 1024;
	fclose(f);
}

uint64_t
memory_of(pid_t pid)
{
	uint64_t sum = 0;

	add_memory(pid, &sum);
	descend(pid, add_memory, &sum);
	return sum;
}
