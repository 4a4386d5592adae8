/*
 * Prompts of the daemon [org.signetd.Inbox], as signetctl shows and answers
 * them. A prompt is the JSON object that the daemon sent; what others wrote in
 * it reaches a person only through these functions.
 */
#ifndef SIGNET_SIGNETCTL_INBOX_H
#define SIGNET_SIGNETCTL_INBOX_H

#include "ctl.h"

/* inbox_text.c: lines for people, nothing in them can steer a terminal; free() them. */
char *prompt_text(const json_t *prompt);     /* all of it, several lines without a last newline */
char *prompt_line(const json_t *prompt);     /* short, and without the names and texts of documents */
char *prompt_question(const json_t *prompt); /* "PIN of the token "x"" */
/* What a person who makes the last try has to know, and what he types to go on. */
char *prompt_warning(const json_t *prompt);
const char *prompt_token(const json_t *prompt); /* "?" where there is none */
bool prompt_is(const json_t *prompt, const char *kind);
/* "answered", "expired" ... in the user's language; NULL while it is open. */
const char *prompt_closed(const json_t *prompt);
/* Seconds until it expires, at least 1. */
unsigned prompt_seconds(const json_t *prompt);

/*
 * inbox_answer.c: a person's word, on a connection of its own. Waits if the daemon says that a PIN has to wait.
 * pin NULL: he said no; `reason` may be NULL.
 */
must_check signet_err prompt_answer(
    signet_conn *conn, const json_t *prompt, const signet_pin *pin, const char *reason);

/* inbox_stream.c: the replies of Attach, while other things are waited for. */
struct inbox_stream {
	int fd; /* to be polled; -1: not attached */
	struct inbox_buffer *in;
};
enum stream_event {
	STREAM_NOTHING, /* no whole reply is here */
	STREAM_PROMPT,
	STREAM_BEGUN,   /* all that was open has been told */
	STREAM_REFUSED, /* *event is the error's name, as a JSON string */
	STREAM_LOST,
};
/* False and errno. */
must_check bool stream_open(struct inbox_stream *s, const char *path);
/* The next event; *event is a new reference for STREAM_PROMPT and STREAM_REFUSED. Does not wait. */
enum stream_event stream_next(struct inbox_stream *s, json_t **event);
void stream_close(struct inbox_stream *s);

int verb_agent(struct ctl *c);
int verb_inbox(struct ctl *c);
int verb_inbox_answer(struct ctl *c);
int verb_inbox_reject(struct ctl *c);

#endif
