/*
 * A disk that fails on request: SQLite's default VFS with its writes and syncs
 * in the hands of a test; but for search.db. Safe to use from any thread.
 */
#ifndef SIGNET_SUPPORT_BAD_DISK_H
#define SIGNET_SUPPORT_BAD_DISK_H

#include <stdbool.h>

/* Becomes the default for every database opened from now on. */
void bad_disk_install(void);

enum bad_disk_where { BAD_WAL_WRITE, BAD_WAL_SYNC, BAD_DB_WRITE, BAD_DB_SYNC, BAD_PLACES };

/* The next `times` calls of that sort answer `code` (SQLITE_FULL, SQLITE_IOERR_WRITE, ...); 0 heals. */
void bad_disk_fail(enum bad_disk_where where, int code, unsigned times);
/* Calls of that sort that were made to fail since bad_disk_fail. */
unsigned bad_disk_failed(enum bad_disk_where where);

/* Hold the next sync of a write-ahead log; returns at once. */
void bad_disk_hold(void);
/* Wait until a sync is held. */
void bad_disk_wait_held(void);
void bad_disk_release(void);
/* Syncs of write-ahead logs so far: the number of commits. */
unsigned bad_disk_commits(void);

#endif
