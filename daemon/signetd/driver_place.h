/* Drivers that a call of an administrator is about: `module`, `paths` and `environment` of its parameters. */
#ifndef SIGNET_SIGNETD_DRIVER_PLACE_H
#define SIGNET_SIGNETD_DRIVER_PLACE_H

#include "config.h"
#include "request.h"
#include "token/wire.h"

struct driver_place { /* a driver and what it may have */
	const char *module;
	char **paths, **environment; /* borrowed from configuration or call */
	size_t path_count, environment_count;
};

struct driver_places {
	struct config *config; /* a reference */
	struct driver_place *places;
	size_t place_count;
	char *words[WIRE_PATHS_MAX + WIRE_ENV_MAX]; /* of the call */
};

/* Without `module`: all that are configured. False: the fault; driver_places_done() in any case. */
bool driver_places_take(struct driver_places *s, const struct request *r, struct fault *f);
void driver_places_done(struct driver_places *s);

#endif
