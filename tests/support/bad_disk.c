/*
 * The file methods of the default VFS, with xWrite and xSync replaced. The file
 * object stays the default VFS's own; only its table of methods is ours.
 */
#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

#include "bad_disk.h"

enum { TABLES = 8 };

struct table {
	sqlite3_io_methods ours; /* first: a file's pMethods points here */
	const sqlite3_io_methods *real;
	bool wal;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct table tables[TABLES];
static size_t table_count;
static struct {
	int code;
	unsigned times, failed;
} faults[BAD_PLACES];
static bool hold, held;
static unsigned commits;
static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;

static const struct table *
table_of(const sqlite3_file *file)
{
	return (const struct table *)(const void *)file->pMethods;
}

/* SQLITE_OK: go on. */
static int
strike(enum bad_disk_where where)
{
	int code = SQLITE_OK;

	pthread_mutex_lock(&lock);
	if (faults[where].times > 0) {
		faults[where].times--;
		faults[where].failed++;
		code = faults[where].code;
	}
	pthread_mutex_unlock(&lock);
	return code;
}

static int
write_file(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	const struct table *t = table_of(file);
	int code = strike(t->wal ? BAD_WAL_WRITE : BAD_DB_WRITE);

	return code != SQLITE_OK ? code : t->real->xWrite(file, bytes, n, at);
}

static void
wait_while_held(void)
{
	pthread_mutex_lock(&lock);
	commits++;
	if (hold) {
		held = true;
		pthread_cond_broadcast(&changed);
		while (hold)
			pthread_cond_wait(&changed, &lock);
		held = false;
	}
	pthread_mutex_unlock(&lock);
}

static int
sync_file(sqlite3_file *file, int flags)
{
	const struct table *t = table_of(file);
	int code;

	if (t->wal)
		wait_while_held();
	code = strike(t->wal ? BAD_WAL_SYNC : BAD_DB_SYNC);
	return code != SQLITE_OK ? code : t->real->xSync(file, flags);
}

static const struct table *
wrap(const sqlite3_io_methods *real, bool wal)
{
	struct table *t;

	pthread_mutex_lock(&lock);
	for (t = tables; t < tables + table_count; t++)
		if (t->real == real && t->wal == wal)
			break;
	if (t == tables + table_count) {
		assert(table_count < TABLES);
		table_count++;
		t->ours = *real;
		t->ours.xWrite = write_file;
		t->ours.xSync = sync_file;
		t->real = real;
		t->wal = wal;
	}
	pthread_mutex_unlock(&lock);
	return t;
}

/* The index of values is written at times of its own: what a test counts is the log. */
static bool
is_index(const char *name)
{
	return name != NULL && strstr(name, "/search.db") != NULL;
}

static int
open_file(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = real_vfs->xOpen(v, name, file, flags, out);

	if (file->pMethods != NULL && !is_index(name))
		file->pMethods = &wrap(file->pMethods, (flags & SQLITE_OPEN_WAL) != 0)->ours;
	return rc;
}

void
bad_disk_install(void)
{
	if (real_vfs != NULL)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	assert(real_vfs != NULL);
	vfs = *real_vfs;
	vfs.zName = "bad_disk";
	vfs.pNext = NULL;
	vfs.xOpen = open_file;
	int rc = sqlite3_vfs_register(&vfs, 1);
	assert(rc == SQLITE_OK);
}

void
bad_disk_fail(enum bad_disk_where where, int code, unsigned times)
{
	pthread_mutex_lock(&lock);
	faults[where].code = code;
	faults[where].times = times;
	faults[where].failed = 0;
	pthread_mutex_unlock(&lock);
}

unsigned
bad_disk_failed(enum bad_disk_where where)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = faults[where].failed;
	pthread_mutex_unlock(&lock);
	return n;
}

void
bad_disk_hold(void)
{
	pthread_mutex_lock(&lock);
	hold = true;
	pthread_mutex_unlock(&lock);
}

void
bad_disk_wait_held(void)
{
	pthread_mutex_lock(&lock);
	while (!held)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void
bad_disk_release(void)
{
	pthread_mutex_lock(&lock);
	hold = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

unsigned
bad_disk_commits(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = commits;
	pthread_mutex_unlock(&lock);
	return n;
}
