/* A copy of the log, made while it goes on. Of keys only where the caller names them. The reader thread's. */
#ifndef SIGNET_LEDGER_BACKUP_H
#define SIGNET_LEDGER_BACKUP_H

#include "ledger/db.h"
#include "ledger/proof.h"
#include "ledger/tiles.h"

struct backup;

/* What is copied. */
struct backup_source {
	const char *log;           /* path of log.db */
	const struct tiles *tiles; /* published with this key; nothing if it has no path */
	const struct ledger_file *files; /* borrowed until it is freed */
	size_t file_count;
};

/* Begin a copy into the new folder `path`. NULL: no memory. */
struct backup *backup_new(const struct backup_source *from, const char *path);
/* What is not finished is removed. */
void backup_free(struct backup *b);
/* Go on until it is done (true) or until that time, ns of uv_hrtime. *err: OK, or IO and `why`. */
bool backup_step(struct backup *b, uint64_t until, signet_err *err, char *why, size_t size);

#endif
