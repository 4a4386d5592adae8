/*
 * Vendor modules leak. A worker is replaced after a day, or when its own memory
 * has doubled and grown by 16 MiB besides: what a module needs from the start is
 * not held against it.
 */
#include "recycle.h"

#include <stdio.h>
#include <unistd.h>

#include "broker.h"
#include "journal.h"
#include "token.h"

#define AGE_MAX_MS UINT64_C(86400000)
enum { GROWTH_KIB = 16 * 1024 };

bool
recycle_is_due(uint64_t first_kib, uint64_t now_kib, uint64_t age_ms)
{
	return age_ms >= AGE_MAX_MS || (now_kib >= 2 * first_kib && now_kib >= first_kib + GROWTH_KIB);
}

/* Resident and not shared [proc(5), statm]; 0 where it cannot be read. */
static uint64_t
own_memory_kib(int pid)
{
	unsigned long total = 0, resident = 0, shared = 0;
	char path[40];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	n = fscanf(f, "%lu %lu %lu", &total, &resident, &shared);
	fclose(f);
	return n == 3 && resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024 : 0;
}

void
recycle_workers(struct broker *b)
{
	for (size_t i = 0; i < b->token_count; i++) {
		struct token *t = b->tokens[i];
		struct worker *w = t->worker;
		uint64_t kib;

		if (w == NULL || !w->informed || t->renew)
			continue;
		kib = own_memory_kib(w->process.pid);
		if (w->first_kib == 0)
			w->first_kib = kib;
		if (!recycle_is_due(w->first_kib, kib, uv_now(&b->loop) - t->started_ms))
			continue;
		say_info("token %s: its driver process is old or has grown (%llu KiB): it is replaced when idle", t->conf->name,
		    (unsigned long long)kib);
		token_renew(t);
	}
}
