/* A configuration as JSON, for `signetd --check --json`. */
#ifndef SIGNET_SIGNETD_CONFIG_DESCRIBE_H
#define SIGNET_SIGNETD_CONFIG_DESCRIBE_H

#include <jansson.h>

#include "config.h"

/* NULL without memory. Members: path, socket, state, tokens, keys, rules, ... as signetctl's doctor reads them. */
json_t *config_describe(const struct config *c, const char *path);

#endif
