/*
 * Pacing. While the log grows, signing has the machine: publishing begins once
 * a second, indexing gets a twentieth of the time. In a quiet moment both go on
 * without a break.
 */
#include "ledger/duty.h"

#include <string.h>
#include <uv.h>

enum {
	SLICE_MS = 2,
	PAUSE_MS = 38,      /* between two slices of indexing while the log grows */
	FILES_PAUSE_MS = 5, /* between two slices of publishing then: each file is a sync */
	QUIET_MS = 500,     /* it does not grow any more */
	GATHER_MS = 1000,   /* from a new entry to its place in the index, from head to head published */
	UNSAVED_MS = 5000,  /* what was indexed is written when the log has been quiet for so long */
	RETRY_MS = 5000,    /* after a failure */
	FINISH_MS = 2000,
};

static const uint64_t MS = 1000 * 1000;

signet_err
duty_init(struct duty *d, const char *log, const char *tiles, const char *origin)
{
	signet_err err;

	memset(d, 0, sizeof(*d));
	err = search_init(&d->search, log);
	if (err == SIGNET_OK)
		err = tiles_init(&d->tiles, tiles, origin);
	return err;
}

void
duty_done(struct duty *d)
{
	tiles_done(&d->tiles);
	search_done(&d->search);
}

void
duty_tell(struct duty *d, const struct head *head)
{
	if (head->note_len > 0)
		d->head = *head;
	d->grew_at = uv_hrtime();
	if (d->search_at > d->grew_at + GATHER_MS * MS)
		d->search_at = d->grew_at + GATHER_MS * MS;
}

static bool
tiles_behind(const struct duty *d)
{
	return d->tiles.path != NULL && (d->tiles.busy || d->head.says.size > d->tiles.size);
}

uint64_t
duty_due(const struct duty *d)
{
	/* it was found broken while somebody searched */
	uint64_t search_at = d->search.failed && d->search_at == UINT64_MAX ? 0 : d->search_at;

	return tiles_behind(d) && d->tiles_at < search_at ? d->tiles_at : search_at;
}

static bool
is_quiet(const struct duty *d)
{
	return uv_hrtime() - d->grew_at >= QUIET_MS * MS;
}

static void
step_tiles(struct duty *d, struct db *db, uint64_t until)
{
	struct tiles *t = &d->tiles;
	signet_err err = SIGNET_OK;

	if (!t->busy)
		err = tiles_begin(t, db, &d->head);
	if (err == SIGNET_OK && t->busy)
		err = tiles_step(t, db, until);
	d->tiles_at = uv_hrtime();
	if (err != SIGNET_OK)
		d->tiles_at += RETRY_MS * MS;
	else if (!t->busy)
		d->tiles_at += GATHER_MS * MS;
	else
		d->tiles_at += is_quiet(d) ? 0 : FILES_PAUSE_MS * MS;
}

/* Everything is indexed: write it when the log is quiet, for each write costs every page that was touched. */
static uint64_t
save_search(struct duty *d, uint64_t now)
{
	if (d->search.saved == d->search.next)
		return UINT64_MAX;
	if (now - d->grew_at < UNSAVED_MS * MS)
		return d->grew_at + UNSAVED_MS * MS;
	search_save(&d->search);
	return d->search.failed ? now : UINT64_MAX;
}

static void
step_search(struct duty *d, struct db *db, uint64_t until)
{
	bool more = search_step(&d->search, db, until);
	uint64_t now = uv_hrtime();

	if (d->search.failed)
		d->search_at = now + RETRY_MS * MS;
	else if (more)
		d->search_at = is_quiet(d) ? now : now + PAUSE_MS * MS;
	else
		d->search_at = save_search(d, now);
}

void
duty_step(struct duty *d, struct db *db)
{
	uint64_t now = uv_hrtime();

	if (tiles_behind(d) && now >= d->tiles_at)
		step_tiles(d, db, now + SLICE_MS * MS);
	else if (duty_due(d) <= now)
		step_search(d, db, now + SLICE_MS * MS);
}

void
duty_finish(struct duty *d, struct db *db)
{
	uint64_t until = uv_hrtime() + FINISH_MS * MS;
	signet_err err = SIGNET_OK;

	while (err == SIGNET_OK && tiles_behind(d) && uv_hrtime() < until) {
		if (!d->tiles.busy)
			err = tiles_begin(&d->tiles, db, &d->head);
		if (err == SIGNET_OK)
			err = tiles_step(&d->tiles, db, until);
	}
}
