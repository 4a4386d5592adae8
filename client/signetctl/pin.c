/*
 * The PIN of a token, from a descriptor or a person.
 *
 * Invariant: a PIN is asked for only when a server that may see it asked for
 * it; no PIN is sent a second time after the token refused it, unless a person
 * typed it again; the last try needs a person's word that names the token.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/secret.h"

#include "pin.h"
#include "tty.h"

enum {
	WAIT_MAX_MS = 10000, /* longest pause after a wrong PIN that we sit through */
	NAME_MAX_TYPED = 128,
};

int
pin_start(struct pin *p, struct ctl *c)
{
	unsigned long fd = 0;
	signet_err err;

	*p = (struct pin){.last_try = given(c, OPT_LAST_TRY)};
	p->may_ask = !given(c, OPT_NO_ASK) && !given(c, OPT_PIN_FD) && tty_there();
	if (!given(c, OPT_PIN_FD))
		return CTL_OK;
	if (!option_number(c, OPT_PIN_FD, 0, 65535, &fd))
		return CTL_USAGE;
	err = signet_pin_read(&p->pin, (int)fd);
	switch (err) {
	case SIGNET_OK:
		return CTL_OK;
	case SIGNET_ERR_ARGUMENT:
		return fail_text(CTL_PIN, _("there is no PIN, or no UTF-8 text, on descriptor %lu"), fd);
	case SIGNET_ERR_LIMIT:
		return fail_text(CTL_PIN, _("a PIN has at most %d bytes"), SIGNET_PIN_MAX);
	default:
		return fail_text(CTL_PIN, _("cannot read a PIN from descriptor %lu: is it open?"), fd);
	}
}

void
pin_done(struct pin *p)
{
	signet_pin_free(p->pin);
	p->pin = NULL;
}

static int
ask_pin(struct pin *p, const char *token)
{
	char line[SIGNET_PIN_MAX + 1];
	char *prompt = NULL, *safe = safe_text(token);
	size_t len = 0;
	signet_err err;

	if (asprintf(&prompt, _("PIN of the token \"%s\": "), safe) < 0)
		abort();
	err = tty_ask(prompt, true, line, sizeof(line), &len);
	free(prompt);
	free(safe);
	pin_done(p);
	if (err == SIGNET_OK && len > 0)
		err = signet_pin_new(&p->pin, line, len);
	wipe(line, sizeof(line));
	if (len == 0)
		return fail_text(CTL_PIN, _("no PIN was given: nothing was done"));
	if (err == SIGNET_ERR_LIMIT)
		return fail_text(CTL_PIN, _("a PIN has at most %d bytes"), SIGNET_PIN_MAX);
	if (err != SIGNET_OK)
		return fail_text(CTL_PIN, _("the PIN could not be read from the terminal"));
	p->by_person = true;
	return CTL_OK;
}

int
pin_need(struct pin *p, struct ctl *c, const char *token)
{
	signet_err err;

	if (p->pin != NULL)
		return CTL_OK;
	if (!p->may_ask)
		return fail_text(
		    CTL_PIN, _("the PIN of the token \"%s\" is needed: give it with --pin-fd"), token);
	/* better not typed at all than typed in vain */
	err = signet_server_trusted(c->conn);
	return err == SIGNET_OK ? ask_pin(p, token) : fail_call(c, err);
}

/* A person's word that names the token; anything else is a no. */
static int
confirm_last(struct pin *p, const char *token)
{
	char line[NAME_MAX_TYPED];
	char *prompt = NULL, *safe = safe_text(token);
	size_t len = 0;
	signet_err err;
	bool yes;

	if (asprintf(&prompt,
		_("One more wrong PIN blocks the token \"%s\".\n"
		  "Only its holder may go on. If that is you and you are sure of the PIN, type the token's "
		  "name: "),
		safe) < 0)
		abort();
	err = tty_ask(prompt, false, line, sizeof(line), &len);
	free(prompt);
	free(safe);
	yes = err == SIGNET_OK && len > 0 && len == strlen(token) && memcmp(line, token, len) == 0;
	if (!yes)
		return fail_text(CTL_PIN, _("not confirmed: the PIN was not sent"));
	p->last_try = true;
	return CTL_OK;
}

/* After a wrong PIN the daemon makes the next one wait. */
static bool
sit_through(const json_t *parameters)
{
	json_int_t ms = json_integer_value(json_object_get(parameters, "retryAfterMs"));
	struct timespec pause;

	if (ms < 0 || ms > WAIT_MAX_MS)
		return false;
	fprintf(stderr, "%s\n", _("After a wrong PIN the next one waits a few seconds ..."));
	pause = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	return nanosleep(&pause, NULL) == 0;
}

static void
warn_again(const char *message)
{
	char *sentence = error_sentence(SIGNET_ERR_PIN_INCORRECT, message);

	warn_text("%s", sentence);
	free(sentence);
}

static int
answer(struct pin *p, struct ctl *c, signet_err err, const char *message, const json_t *parameters)
{
	const char *token = json_member_str(parameters, "token");

	if (token == NULL)
		token = "?";
	switch (err) {
	case SIGNET_ERR_PIN_REQUIRED:
		/* one was there and did not help: asking for another would go round in circles */
		if (p->pin != NULL || !p->may_ask)
			return fail_error(err, message);
		return pin_need(p, c, token);
	case SIGNET_ERR_PIN_INCORRECT:
		if (!p->by_person)
			return fail_error(err, message);
		warn_again(message);
		p->tried = true;
		p->last_try = false; /* that word was for one try */
		return ask_pin(p, token);
	case SIGNET_ERR_PIN_LAST_TRY:
		if (!p->may_ask || p->last_try)
			return fail_error(err, message);
		if (confirm_last(p, token) != CTL_OK)
			return CTL_PIN;
		return pin_need(p, c, token);
	case SIGNET_ERR_BUSY:
		if (!p->tried || !sit_through(parameters))
			return fail_error(err, message);
		p->tried = false;
		return CTL_OK;
	default:
		return fail_error(err, message);
	}
}

int
pin_answer(struct pin *p, struct ctl *c, signet_err err, const char *message, const char *parameters)
{
	json_t *object = json_loads(parameters, 0, NULL);
	/* the next call overwrites the library's text */
	char *sentence = safe_text(message);
	int code;

	code = answer(p, c, err, sentence, object);
	json_decref(object);
	free(sentence);
	return code;
}
