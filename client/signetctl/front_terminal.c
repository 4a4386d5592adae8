/* The terminal that the agent was started on. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#include "front.h"
#include "tty.h"

enum { NAME_MAX_TYPED = 128 };

/* What is asked for, then the question; the whole of it is shown at once. */
static char *
with_text(const json_t *prompt, const char *question)
{
	char *text = prompt_text(prompt), *all;

	if (asprintf(&all, "\n%s\n%s", text, question) < 0)
		abort();
	free(text);
	return all;
}

static enum front_word
cannot_ask(void)
{
	(void)fail_text(CTL_FAILED, _("the terminal cannot be asked on; signetctl inbox shows what waits"));
	return FRONT_NONE;
}

static enum front_word
ask_pin(const json_t *prompt, signet_pin **pin)
{
	char line[SIGNET_PIN_MAX + 1], *question = prompt_question(prompt), *end, *all;
	size_t len = 0;
	signet_err err;

	if (asprintf(&end, "%s%s", _("(an empty line says no)\n"), question) < 0)
		abort();
	all = with_text(prompt, end);
	free(end);
	err = tty_ask(all, true, line, sizeof(line), &len);
	free(all);
	free(question);
	if (err == SIGNET_OK && len == 0)
		return FRONT_NO;
	if (err == SIGNET_OK)
		err = signet_pin_new(pin, line, len);
	wipe(line, sizeof(line));
	return err == SIGNET_OK ? FRONT_YES : cannot_ask();
}

static enum front_word
confirm(const json_t *prompt)
{
	char line[NAME_MAX_TYPED], *warning = prompt_warning(prompt), *all = with_text(prompt, warning);
	const char *token = prompt_token(prompt);
	size_t len = 0;
	signet_err err = tty_ask(all, false, line, sizeof(line), &len);

	free(all);
	free(warning);
	if (err != SIGNET_OK && err != SIGNET_ERR_LIMIT)
		return cannot_ask();
	return err == SIGNET_OK && len == strlen(token) && memcmp(line, token, len) == 0 ? FRONT_YES
											 : FRONT_NO;
}

static enum front_word
wait_for(const json_t *prompt)
{
	char line[NAME_MAX_TYPED], *all = with_text(prompt, _("(an empty line says no)\n"));
	size_t len = 1;
	signet_err err;

	do
		err = tty_ask(all, false, line, sizeof(line), &len);
	while (err == SIGNET_ERR_LIMIT || (err == SIGNET_OK && len > 0));
	free(all);
	return err == SIGNET_OK ? FRONT_NO : cannot_ask();
}

const struct front front_terminal = {"terminal", ask_pin, confirm, wait_for};
