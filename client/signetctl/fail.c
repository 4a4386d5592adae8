/*
 * Saying what went wrong, what to do about it, and the exit code for it.
 *
 * Invariant: what others wrote (the daemon's sentence, names, paths) reaches
 * the terminal only through safe_text().
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static void
print_line(const char *fmt, va_list args)
{
	char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* checked where warn_text and fail_text are called */
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
#pragma GCC diagnostic pop
	fputs("signetctl: ", stderr);
	print_safe(stderr, text == NULL ? fmt : text);
	fputc('\n', stderr);
	free(text);
}

void
warn_text(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
}

int
fail_text(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
	return code;
}

int
exit_for(signet_err err)
{
	switch (err) {
	case SIGNET_ERR_OK:
		return CTL_OK;
	case SIGNET_ERR_CONNECT:
		return CTL_NO_DAEMON;
	case SIGNET_ERR_KEY_NOT_FOUND:
	case SIGNET_ERR_TOKEN_NOT_FOUND:
	case SIGNET_ERR_REQUEST_NOT_FOUND:
	case SIGNET_ERR_NOT_PERMITTED:
	case SIGNET_ERR_PERMISSION_DENIED:
	case SIGNET_ERR_REJECTED:
	case SIGNET_ERR_PROMPT_NOT_FOUND:
	case SIGNET_ERR_PROMPT_CLOSED:
	case SIGNET_ERR_KEY_DISABLED:
		return CTL_REFUSED;
	case SIGNET_ERR_PIN_REQUIRED:
	case SIGNET_ERR_PIN_INCORRECT:
	case SIGNET_ERR_PIN_BLOCKED:
	case SIGNET_ERR_PIN_LAST_TRY:
	case SIGNET_ERR_UNTRUSTED:
		return CTL_PIN;
	case SIGNET_ERR_TOKEN_ABSENT:
	case SIGNET_ERR_TOKEN_FAILED:
		return CTL_TOKEN;
	case SIGNET_ERR_BUSY:
	case SIGNET_ERR_LOG_UNAVAILABLE:
		return CTL_LATER;
	case SIGNET_ERR_IO:
	case SIGNET_ERR_TIMEOUT:
	case SIGNET_ERR_OUTCOME_UNKNOWN:
		return CTL_UNSURE;
	default:
		return CTL_FAILED;
	}
}

/* What a person can do about it, where the sentence alone may not tell. */
static const char *
advice(signet_err err)
{
	switch (err) {
	case SIGNET_ERR_CONNECT:
		return N_("start it with: systemctl start signetd; or name its socket with --socket");
	case SIGNET_ERR_KEY_NOT_FOUND:
		return N_("signetctl keys lists the keys that you may see");
	case SIGNET_ERR_TOKEN_NOT_FOUND:
		return N_("signetctl token list lists the tokens that you may see");
	case SIGNET_ERR_NOT_PERMITTED:
	case SIGNET_ERR_PERMISSION_DENIED:
		return N_("ask the administrator for a rule that permits it to you");
	case SIGNET_ERR_KEY_DISABLED:
		return N_("signetctl keys shows why; signetctl key enable is for administrators");
	case SIGNET_ERR_PROMPT_NOT_FOUND:
		return N_("signetctl inbox lists what waits for you");
	case SIGNET_ERR_PIN_REQUIRED:
		return N_("unlock the token with signetctl unlock, or give its PIN with --pin-fd");
	case SIGNET_ERR_PIN_INCORRECT:
		return N_("look at the token and its letter before you try again: tries are counted");
	case SIGNET_ERR_PIN_LAST_TRY:
		return N_("only if you are the holder and sure of the PIN: try again with --last-try");
	case SIGNET_ERR_PIN_BLOCKED:
		return N_("whoever issued the token can unblock it");
	case SIGNET_ERR_UNTRUSTED:
		return N_("no PIN was sent; check with --socket that this is the daemon's own socket");
	case SIGNET_ERR_TOKEN_ABSENT:
		return N_("insert the token and try again");
	case SIGNET_ERR_TOKEN_FAILED:
		return N_("try again; if it stays so, pull the token out, insert it and look into the "
			  "journal of signetd");
	case SIGNET_ERR_SEAL_KEY:
		return N_("choose a personal key with --key");
	case SIGNET_ERR_BUSY:
		return N_("try again in a moment");
	case SIGNET_ERR_LOG_UNAVAILABLE:
		return N_(
		    "nothing was signed; the administrator must make room for, or repair, the signing log");
	case SIGNET_ERR_IO:
	case SIGNET_ERR_TIMEOUT:
	case SIGNET_ERR_OUTCOME_UNKNOWN:
		return N_("signetctl collect tells what became of the request");
	case SIGNET_ERR_REQUEST_ID_REUSED:
		return N_(
		    "choose another --request-id; signetctl collect fetches what the first request gave");
	case SIGNET_ERR_RELOAD_FAILED:
		return N_("correct the file at that line and reload again");
	default:
		return NULL;
	}
}

char *
error_sentence(signet_err err, const char *message)
{
	const char *ours = signet_strerror(err), *translated = _(ours);
	char *text = NULL;

	if (message == NULL || message[0] == '\0')
		text = strdup(translated);
	else if (translated == ours)
		text = strdup(message); /* the daemon's own says more, in the same language */
	else if (asprintf(&text, "%s (%s)", translated, message) < 0)
		text = NULL;
	if (text == NULL)
		abort();
	return text;
}

void
warn_item(const char *what, signet_err err, const char *sentence)
{
	const char *more = advice(err);

	if (what == NULL)
		warn_text("%s", sentence);
	else
		warn_text("%s: %s", what, sentence);
	if (more != NULL)
		fprintf(stderr, "  %s\n", _(more));
}

int
fail_error(signet_err err, const char *message)
{
	char *sentence = error_sentence(err, message);

	warn_item(NULL, err, sentence);
	free(sentence);
	return exit_for(err);
}

int
fail_call(struct ctl *c, signet_err err)
{
	return fail_error(err, signet_error_message(c->conn));
}

int
ctl_connect(struct ctl *c)
{
	signet_err err;

	if (c->conn != NULL)
		return CTL_OK;
	err = signet_connect(&c->conn, c->value[OPT_SOCKET]);
	return err == SIGNET_OK ? CTL_OK : fail_call(c, err);
}
