/* Which front end, and the way from a prompt through a person to the answer. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "front.h"
#include "tty.h"

static char *pinentry; /* absolute; NULL: none was found */

const char *
front_pinentry_program(void)
{
	return pinentry;
}

char *
front_find_program(const char *name)
{
	const char *path = getenv("PATH");
	char *copy, *rest, *folder, *full = NULL;

	if (strchr(name, '/') != NULL)
		return access(name, X_OK) == 0 ? strdup(name) : NULL;
	copy = strdup(path == NULL || path[0] == '\0' ? "/usr/bin:/bin" : path);
	if (copy == NULL)
		abort();
	for (rest = copy; (folder = strsep(&rest, ":")) != NULL;) {
		if (folder[0] != '/') /* nothing from wherever we happen to stand */
			continue;
		if (asprintf(&full, "%s/%s", folder, name) < 0)
			abort();
		if (access(full, X_OK) == 0)
			break;
		free(full);
		full = NULL;
	}
	free(copy);
	return full;
}

void
front_end_with_parent(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static const struct front *
automatic(void)
{
	bool desktop = getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;

	if (pinentry != NULL && (desktop || !tty_there()))
		return &front_pinentry;
	return tty_there() ? &front_terminal : &front_systemd;
}

const struct front *
front_pick(const struct ctl *c)
{
	static const struct front *const fronts[] = {&front_terminal, &front_pinentry, &front_systemd};
	const char *wanted = given(c, OPT_FRONTEND) ? c->value[OPT_FRONTEND] : "auto";
	size_t i;

	pinentry = front_find_program(given(c, OPT_PINENTRY) ? c->value[OPT_PINENTRY] : "pinentry");
	if (given(c, OPT_PINENTRY) && pinentry == NULL) {
		(void)fail_text(CTL_USAGE, _("there is no program %s"), c->value[OPT_PINENTRY]);
		return NULL;
	}
	if (strcmp(wanted, "auto") == 0)
		return automatic();
	for (i = 0; i < array_len(fronts) && strcmp(fronts[i]->name, wanted) != 0; i++)
		;
	if (i == array_len(fronts))
		(void)fail_text(CTL_USAGE, _("--frontend is auto, terminal, pinentry or systemd"));
	else if (fronts[i] == &front_pinentry && pinentry == NULL)
		(void)fail_text(CTL_USAGE, _("no pinentry program is installed: name one with --pinentry"));
	else if (fronts[i] == &front_terminal && !tty_there())
		(void)fail_text(CTL_USAGE, _("there is no terminal to ask on"));
	else
		return fronts[i];
	return NULL;
}

/* --- a prompt from beginning to end --- */

static enum front_word
ask(const struct front *front, const json_t *prompt, signet_pin **pin)
{
	enum front_word word = FRONT_YES;

	if (prompt_is(prompt, "insert"))
		return front->wait(prompt);
	if (!prompt_is(prompt, "pin") && !prompt_is(prompt, "lastTry")) {
		(void)fail_text(
		    CTL_FAILED, _("this signetctl is too old for what is asked: signetctl inbox shows it"));
		return FRONT_NONE;
	}
	if (prompt_is(prompt, "lastTry"))
		word = front->confirm(prompt);
	return word == FRONT_YES ? front->pin(prompt, pin) : word;
}

int
front_run(struct ctl *c, const struct front *front, const json_t *prompt, int spoken)
{
	signet_pin *pin = NULL;
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	/* better not typed at all than typed in vain */
	err = signet_server_trusted(c->conn);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	switch (ask(front, prompt, &pin)) {
	case FRONT_NONE:
		return CTL_FAILED;
	case FRONT_NO:
		break;
	case FRONT_YES:
		if (pin == NULL) /* nothing to say */
			return CTL_OK;
		break;
	}
	if (write(spoken, "", 1) != 1)
		abort(); /* an empty pipe takes a byte, and its reader outlives us */
	err = prompt_answer(c->conn, prompt, pin, NULL);
	signet_pin_free(pin);
	return err == SIGNET_OK ? CTL_OK : fail_call(c, err);
}
