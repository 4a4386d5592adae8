/* The installation key: random, made once, 0600 in the state directory. Only documentTag uses it. */
#ifndef SIGNET_SIGNETD_INSTALLATION_H
#define SIGNET_SIGNETD_INSTALLATION_H

#include "base/base.h"

must_check signet_err installation_key(const char *state, uint8_t out[32], char *why, size_t why_size);

#endif
