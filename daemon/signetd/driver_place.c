/*
 * Which driver a call is about. One that is not in the configuration must pass
 * what those there have passed; its paths and its environment are believed of
 * root only.
 */
#include "driver_place.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "config_parse.h"
#include "dispatch.h"

static bool
same_words(char *const *a, size_t n, char *const *b, size_t m)
{
	bool same = n == m;

	for (size_t i = 0; same && i < n; i++)
		same = strcmp(a[i], b[i]) == 0;
	return same;
}

static void
add_place(struct driver_places *s, const struct config_token *t)
{
	struct driver_place *p;

	for (size_t i = 0; i < s->place_count; i++) {
		p = &s->places[i];
		if (strcmp(p->module, t->module) == 0 && same_words(p->paths, p->path_count, t->paths, t->path_count) &&
		    same_words(p->environment, p->environment_count, t->environment, t->environment_count))
			return;
	}
	p = &s->places[s->place_count++];
	*p = (struct driver_place){t->module, t->paths, t->environment, t->path_count, t->environment_count};
}

/* Words of the call; false: there are some, and the caller may not give any, or they are none. */
static bool
take_words(struct driver_places *s, const struct request *r, const char *name, size_t first, size_t max, size_t *count, struct fault *f)
{
	const json_t *list = json_object_get(r->call.parameters, name);
	uid_t uid = r->who->peer.uid;

	*count = json_array_size(list);
	if (*count > 0 && uid != 0 && !(s->config->own_uid && uid == geteuid())) {
		fault_set(f, SIGNET_ERR_NOT_PERMITTED, NULL, "`%s` is taken from root only", name);
		return false;
	}
	if (*count > max) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, name, "%s: at most %zu words", name, max);
		return false;
	}
	for (size_t i = 0; i < *count; i++)
		s->words[first + i] = (char *)(uintptr_t)json_string_value(json_array_get(list, i));
	return true;
}

static bool
check_words(const struct driver_place *p, struct fault *f)
{
	for (size_t i = 0; i < p->path_count; i++)
		if (p->paths[i][0] != '/' || strlen(p->paths[i]) >= WIRE_PATH_SIZE) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "paths", "paths: absolute paths are needed");
			return false;
		}
	for (size_t i = 0; i < p->environment_count; i++)
		if (strchr(p->environment[i], '=') == NULL || strncmp(p->environment[i], "LD_", 3) == 0) {
			fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "environment", "environment: words of the form NAME=VALUE are "
										  "needed, and none that loads code");
			return false;
		}
	return true;
}

static bool
take_module(struct driver_places *s, const struct request *r, const char *module, struct fault *f)
{
	struct driver_place *p = &s->places[0];
	char why[600];

	if (strlen(module) >= WIRE_PATH_SIZE || !config_file_is_safe(module, s->config->own_uid, why, sizeof(why))) {
		fault_set(f, SIGNET_ERR_INVALID_PARAMETER, "module", "module: %s",
		    strlen(module) >= WIRE_PATH_SIZE ? "the path is too long" : why);
		return false;
	}
	p->module = module;
	p->paths = s->words;
	p->environment = s->words + WIRE_PATHS_MAX;
	s->place_count = 1;
	return take_words(s, r, "paths", 0, WIRE_PATHS_MAX, &p->path_count, f) &&
	       take_words(s, r, "environment", WIRE_PATHS_MAX, WIRE_ENV_MAX, &p->environment_count, f) && check_words(p, f);
}

bool
driver_places_take(struct driver_places *s, const struct request *r, struct fault *f)
{
	const char *module = json_member_str(r->call.parameters, "module");
	const struct config *c = config_ref(r->broker->config);
	bool words = json_array_size(json_object_get(r->call.parameters, "paths")) > 0 ||
		     json_array_size(json_object_get(r->call.parameters, "environment")) > 0;

	s->config = r->broker->config;
	s->places = calloc(c->token_count + 1, sizeof(*s->places));
	if (s->places == NULL) {
		fault_set(f, SIGNET_ERR_BUSY, NULL, "out of memory; try again later");
		return false;
	}
	for (size_t i = 0; i < c->token_count; i++)
		if (module == NULL || (!words && strcmp(module, c->tokens[i].module) == 0))
			add_place(s, &c->tokens[i]);
	return module == NULL || s->place_count > 0 || take_module(s, r, module, f);
}

void
driver_places_done(struct driver_places *s)
{
	config_unref(s->config);
	free(s->places);
	s->config = NULL;
	s->places = NULL;
}
