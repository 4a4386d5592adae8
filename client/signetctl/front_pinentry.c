/*
 * A pinentry program, spoken to in Assuan over its standard input and output
 * [libassuan; pinentry, "Protocol"].
 *
 * Invariant: the PIN goes from the library's line buffer into a block of ours
 * and from there into its object; the buffers are wiped when the context is
 * released, and everything the library gives back to the heap is.
 */
#include <assuan.h>
#include <locale.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

#include "front.h"

enum { LINE_MAX_BYTES = 980 }; /* of the 1000 that a line has [Assuan, "Client requests"] */

struct collected {
	char bytes[SIGNET_PIN_MAX + 1]; /* one more, to see that it is too long */
	size_t len;
};

static void
free_wiped(void *p)
{
	if (p != NULL)
		wipe(p, malloc_usable_size(p));
	free(p);
}

static struct assuan_malloc_hooks hooks = {malloc, realloc, free_wiped};

static bool
fits_plain(unsigned char c)
{
	return c != '%' && c >= 0x20 && c != 0x7f;
}

/*
 * "COMMAND text" with the text percent-escaped, cut between characters where it is longer than a line. Angle
 * brackets become quotation marks: some pinentries take text with tags for one with markup.
 */
static void
write_line(char out[LINE_MAX_BYTES + 8], const char *command, const char *text)
{
	size_t n = (size_t)snprintf(out, LINE_MAX_BYTES, "%s ", command), whole = n;
	const unsigned char *p = (const unsigned char *)text;

	for (; *p != '\0'; p++) {
		if ((*p & 0xc0) != 0x80)
			whole = n; /* here a character begins: a good place to cut */
		if (n + 4 > LINE_MAX_BYTES) {
			n = whole;
			break;
		}
		if (*p == '<' || *p == '>')
			out[n++] = '"';
		else if (fits_plain(*p))
			out[n++] = (char)*p;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X", *p);
	}
	out[n] = '\0';
}

static gpg_error_t
tell(assuan_context_t ctx, const char *command, const char *text)
{
	char line[LINE_MAX_BYTES + 8];

	write_line(line, command, text);
	return assuan_transact(ctx, line, NULL, NULL, NULL, NULL, NULL, NULL);
}

static void
at_fork(void *unused, int reserved)
{
	(void)unused;
	(void)reserved;
	front_end_with_parent();
}

/* What it does not know is its own affair: no answer to these is looked at. */
static void
tell_surroundings(assuan_context_t ctx)
{
	char option[256];
	const char *tty = ttyname(STDIN_FILENO), *type = getenv("TERM");

	if (tty != NULL) {
		(void)snprintf(option, sizeof(option), "ttyname=%s", tty);
		(void)tell(ctx, "OPTION", option);
	}
	if (tty != NULL && type != NULL) {
		(void)snprintf(option, sizeof(option), "ttytype=%s", type);
		(void)tell(ctx, "OPTION", option);
	}
	(void)snprintf(option, sizeof(option), "lc-ctype=%s", setlocale(LC_CTYPE, NULL));
	(void)tell(ctx, "OPTION", option);
	(void)snprintf(option, sizeof(option), "lc-messages=%s", setlocale(LC_MESSAGES, NULL));
	(void)tell(ctx, "OPTION", option);
}

static enum front_word
failed(gpg_error_t err)
{
	(void)fail_text(
	    CTL_FAILED, _("the pinentry program %s failed: %s"), front_pinentry_program(), gpg_strerror(err));
	return FRONT_NONE;
}

/* NULL after the fault was printed. */
static assuan_context_t
start(const json_t *prompt)
{
	const char *argv[] = {front_pinentry_program(), NULL};
	assuan_fd_t none[] = {ASSUAN_INVALID_FD};
	assuan_context_t ctx = NULL;
	char seconds[16], *text;
	gpg_error_t err;

	assuan_set_malloc_hooks(&hooks);
	err = assuan_new(&ctx);
	if (err == 0)
		err = assuan_pipe_connect(ctx, argv[0], argv, none, at_fork, NULL, 0);
	if (err != 0) {
		assuan_release(ctx);
		(void)failed(err);
		return NULL;
	}
	assuan_begin_confidential(ctx);
	tell_surroundings(ctx);
	text = prompt_text(prompt);
	(void)tell(ctx, "SETTITLE", "Signet");
	(void)tell(ctx, "SETDESC", text);
	free(text);
	(void)snprintf(seconds, sizeof(seconds), "%u", prompt_seconds(prompt));
	(void)tell(ctx, "SETTIMEOUT", seconds);
	return ctx;
}

static gpg_error_t
collect(void *arg, const void *bytes, size_t n)
{
	struct collected *to = arg;
	size_t room = sizeof(to->bytes) - to->len;

	memcpy(to->bytes + to->len, bytes, n < room ? n : room);
	to->len += n < room ? n : room;
	return 0;
}

static enum front_word
word_of(gpg_error_t err)
{
	switch (gpg_err_code(err)) {
	case GPG_ERR_NO_ERROR:
		return FRONT_YES;
	case GPG_ERR_CANCELED:
	case GPG_ERR_FULLY_CANCELED:
	case GPG_ERR_NOT_CONFIRMED:
	case GPG_ERR_ASS_CANCELED:
		return FRONT_NO;
	case GPG_ERR_TIMEOUT:
		return FRONT_NONE;
	default:
		return failed(err);
	}
}

static enum front_word
ask_pin(const json_t *prompt, signet_pin **pin)
{
	assuan_context_t ctx = start(prompt);
	struct collected c = {.len = 0};
	enum front_word word;
	signet_err err = SIGNET_OK;

	if (ctx == NULL)
		return FRONT_NONE;
	(void)tell(ctx, "SETPROMPT", _("PIN:"));
	(void)tell(ctx, "SETCANCEL", _("Refuse"));
	word = word_of(assuan_transact(ctx, "GETPIN", collect, &c, NULL, NULL, NULL, NULL));
	assuan_release(ctx);
	if (word == FRONT_YES && c.len == 0)
		word = FRONT_NO;
	else if (word == FRONT_YES)
		err = signet_pin_new(pin, c.bytes, c.len);
	wipe(&c, sizeof(c));
	if (err == SIGNET_OK)
		return word;
	(void)fail_text(CTL_PIN, _("a PIN has at most %d bytes"), SIGNET_PIN_MAX);
	return FRONT_NONE;
}

static enum front_word
confirm(const json_t *prompt)
{
	assuan_context_t ctx = start(prompt);
	enum front_word word;

	if (ctx == NULL)
		return FRONT_NONE;
	(void)tell(ctx, "SETOK", _("I am the holder, and sure of the PIN"));
	(void)tell(ctx, "SETCANCEL", _("Refuse"));
	word = word_of(assuan_transact(ctx, "CONFIRM", NULL, NULL, NULL, NULL, NULL, NULL));
	assuan_release(ctx);
	return word;
}

/* Its one button says no; the token itself is the answer. */
static enum front_word
wait_for(const json_t *prompt)
{
	assuan_context_t ctx = start(prompt);
	enum front_word word;

	if (ctx == NULL)
		return FRONT_NONE;
	(void)tell(ctx, "SETOK", _("Refuse"));
	word = word_of(assuan_transact(ctx, "CONFIRM --one-button", NULL, NULL, NULL, NULL, NULL, NULL));
	assuan_release(ctx);
	return word == FRONT_YES ? FRONT_NO : word;
}

const struct front front_pinentry = {"pinentry", ask_pin, confirm, wait_for};
