/* signetctl token add: a token that is plugged in gets its sections in the configuration. */
#include <stdlib.h>
#include <string.h>

#include "setup.h"

static void
print_added(struct ctl *c, const struct conf *f, const struct enrolment *e)
{
	if (given(c, OPT_JSON)) {
		json_t *all = json_pack("{s:s, s:s, s:s*}", "token", e->name, "file", f->path, "serial",
		    text_member(e->token, "serial"));

		(void)print_json(all);
		json_decref(all);
		return;
	}
	print_safe(stdout, e->name);
	printf(": %s ", _("added; its sections are in"));
	print_safe(stdout, f->path);
	putchar('\n');
	if (e->user == NULL && e->clerk == NULL)
		puts(_("Nobody may use it yet: add a [rule], or give --user next time."));
}

/* The words of a reply, with blanks between them; NULL: none. free() it. */
static char *
joined(const json_t *reply, const char *name)
{
	const json_t *word;
	struct conf all = {0};
	size_t i;

	json_array_foreach(json_object_get(reply, name), i, word)
		conf_text(&all, "%s%s", i > 0 ? " " : "", json_string_value(word));
	return all.text;
}

int
enrol(struct ctl *c, struct enrolment *e, const json_t *reply, char **added)
{
	struct conf f = {.replace = given(c, OPT_FORCE)};
	char name[CONF_NAME_SIZE], *folder = NULL, *paths = joined(reply, "paths"), *environment = joined(reply, "environment");
	int code = conf_folder(c, &folder);

	conf_name(name, e->name == NULL ? e->holder : e->name);
	if (e->name == NULL)
		e->name = name;
	e->token = json_object_get(reply, "token");
	e->driver = (struct driver){text_member(reply, "module"), paths, environment};
	if (code == CTL_OK)
		code = token_conf(&f, e);
	if (code == CTL_OK && asprintf(&f.path, "%s/%s.conf", folder, e->name) < 0)
		abort();
	if (code == CTL_OK)
		code = conf_put(c, &f);
	if (code == CTL_OK && added != NULL)
		*added = strdup(e->name);
	else if (code == CTL_OK)
		print_added(c, &f, e);
	free(f.path);
	free(f.text);
	free(folder);
	free(paths);
	free(environment);
	return code;
}

int
verb_token_add(struct ctl *c)
{
	struct enrolment e = {.name = c->value[OPT_NAME], .holder = c->value[OPT_HOLDER], .seal = c->value[OPT_SEAL],
	    .user = c->value[OPT_USER], .clerk = c->value[OPT_CLERK], .driver = driver_of_options(c)};
	const json_t *reply = NULL;
	json_t *found;
	int code;

	if (e.holder == NULL)
		return fail_text(CTL_USAGE, _("say whose it is with --holder"));
	code = admin_scan(c, &e.driver, &found);
	if (code == CTL_OK)
		code = pick_found(found, c->value[OPT_SERIAL], &reply);
	if (code == CTL_OK)
		code = enrol(c, &e, reply, NULL);
	json_decref(found);
	return code;
}
