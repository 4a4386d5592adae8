/* Workers that have lived long, or grown, are replaced while nobody needs them. */
#ifndef SIGNET_SIGNETD_RECYCLE_H
#define SIGNET_SIGNETD_RECYCLE_H

#include <stdbool.h>
#include <stdint.h>

struct broker;

/* Now and then. A worker in use is replaced when it is idle. */
void recycle_workers(struct broker *b);
/* KiB of a worker's own memory when it was first looked at, and now; how long it has lived. */
bool recycle_is_due(uint64_t first_kib, uint64_t now_kib, uint64_t age_ms);

#endif
