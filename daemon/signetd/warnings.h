/* What an administrator should look at, as sentences that say what to do. */
#ifndef SIGNET_SIGNETD_WARNINGS_H
#define SIGNET_SIGNETD_WARNINGS_H

#include <jansson.h>

struct broker;

enum { WARN_DISK_PERCENT = 80 };

/* New array of strings, empty where all is well; NULL without memory. */
json_t *warnings_list(const struct broker *b);

#endif
