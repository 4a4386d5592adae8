/* The configuration files, judged by the daemon's own parser. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "run.h"

static const char *
config_path(const struct doctor *d)
{
	const char *path = text_of(d->status, "configPath");

	if (given(d->c, OPT_CONFIG))
		return d->c->value[OPT_CONFIG];
	return path != NULL ? path : "/etc/signet/signetd.conf";
}

static void
cut_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
}

static void
compare(struct doctor *d, const char *path)
{
	const char *now = text_of(d->config, "config"), *used = text_of(d->status, "config");

	if (now != NULL && used != NULL && strcmp(now, used) != 0 && !given(d->c, OPT_CONFIG))
		found(d, FOUND_WARN, _("make the daemon read them: signetctl reload"),
		    "%s", _("the files have changed since the daemon read them"));
	else
		found(d, FOUND_OK, NULL, _("%s: tokens %zu, keys %zu"), path,
		    json_array_size(json_object_get(d->config, "tokens")),
		    json_array_size(json_object_get(d->config, "keys")));
}

void
doctor_config(struct doctor *d)
{
	const char *path = config_path(d);
	char *program = run_find_signetd(), *out = NULL;
	const char *argv[] = {program, "--check", "--json", "--config", path, NULL};

	if (program == NULL) {
		found(d, FOUND_SKIPPED, NULL, "%s", _("signetd is not installed here: its configuration was not read"));
		return;
	}
	if (access(path, F_OK) != 0) {
		found(d, FOUND_FAIL, _("signetctl setup writes one; or name it with --config"), _("there is no %s"), path);
	} else if (access(path, R_OK) != 0) {
		found(d, FOUND_SKIPPED, _("run this as root"), _("you may not read %s"), path);
	} else if (run_program(argv, true, &out) == 0) {
		d->config = json_loads(out, 0, NULL);
		compare(d, path);
	} else {
		if (out != NULL)
			cut_line(out);
		found(d, FOUND_FAIL, _("correct the file at that line, then: signetctl reload"), "%s",
		    out == NULL ? _("signetd --check did not end") : out);
	}
	free(out);
	free(program);
}
