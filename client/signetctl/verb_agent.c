/*
 * signetctl agent: stays, and asks its person what the daemon wants to know.
 *
 *	attached -> a prompt -> a process that asks and answers -> the next one
 *
 * Invariant: this process never holds a PIN. One person is asked one thing at
 * a time, in a child that is ended when its prompt is closed elsewhere. A
 * daemon that has gone is come back to, ever more slowly; a prompt is asked
 * about once, `signetctl inbox` shows those that got no answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"

#include "front.h"

enum {
	BACK_OFF_MIN_MS = 250,
	BACK_OFF_MAX_MS = 30000,
	PROMPTS_MAX = 4096, /* the daemon has no more open */
};

struct agent {
	struct ctl *c;
	const struct front *front;
	struct inbox_stream stream;
	json_t *open;     /* prompts that nobody was asked about yet */
	pid_t child;      /* 0: none */
	int child_fd;     /* readable when it has ended */
	int spoken[2];    /* a pipe, while there is one: readable when its person has said his word */
	char current[64]; /* id of the prompt that it is about */
	int signals;
	sigset_t mask; /* as it was */
	int back_off_ms;
	bool said_lost;
	int code; /* -1: go on */
};

/* --- the child --- */

static _Noreturn void
be_child(struct agent *a, const json_t *prompt)
{
	struct ctl c = *a->c;
	int code;

	front_end_with_parent();
	(void)sigprocmask(SIG_SETMASK, &a->mask, NULL);
	stream_close(&a->stream);
	c.conn = NULL; /* a connection of its own */
	code = front_run(&c, a->front, prompt, a->spoken[1]);
	signet_close(c.conn);
	(void)fflush(stderr);
	_exit(code);
}

static void
close_pipe(struct agent *a)
{
	(void)close(a->spoken[0]);
	(void)close(a->spoken[1]);
}

static bool
has_spoken(const struct agent *a)
{
	struct pollfd p = {.fd = a->spoken[0], .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static void
start_child(struct agent *a, const json_t *prompt)
{
	if (pipe2(a->spoken, O_CLOEXEC) != 0)
		abort();
	(void)snprintf(a->current, sizeof(a->current), "%s", json_member_str(prompt, "id"));
	(void)fflush(stdout);
	a->child = fork();
	if (a->child == 0)
		be_child(a, prompt);
	if (a->child < 0) {
		a->child = 0;
		close_pipe(a);
		a->code = fail_text(CTL_FAILED, _("no process can be started: %s"), strerror(errno));
		return;
	}
	a->child_fd = (int)syscall(SYS_pidfd_open, a->child, 0);
	if (a->child_fd < 0)
		abort();
}

static void
reap_child(struct agent *a)
{
	while (waitpid(a->child, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(a->child_fd);
	close_pipe(a);
	a->child = 0;
	a->child_fd = -1;
	a->current[0] = '\0';
}

/* It puts the terminal in order before it ends. */
static void
end_child(struct agent *a)
{
	if (a->child == 0)
		return;
	(void)kill(a->child, SIGTERM);
	reap_child(a);
}

static void
ask_next(struct agent *a)
{
	json_t *prompt;

	if (a->child != 0 || json_array_size(a->open) == 0)
		return;
	prompt = json_incref(json_array_get(a->open, 0));
	(void)json_array_remove(a->open, 0);
	start_child(a, prompt);
	json_decref(prompt);
}

/* --- what the daemon says --- */

static void
drop_prompt(struct agent *a, const char *id)
{
	size_t i;

	for (i = json_array_size(a->open); i-- > 0;) {
		if (strcmp(json_member_str(json_array_get(a->open, i), "id"), id) == 0)
			(void)json_array_remove(a->open, i);
	}
}

static void
say_closed(const json_t *prompt)
{
	char *token = safe_text(prompt_token(prompt));

	fprintf(stderr, _("The prompt for the token \"%s\" is closed: %s.\n"), token, prompt_closed(prompt));
	free(token);
}

static bool
is_closed(const json_t *prompt, const char *how)
{
	return strcmp(json_member_str(prompt, "closed"), how) == 0;
}

static void
take_prompt(struct agent *a, json_t *prompt)
{
	const char *id = json_member_str(prompt, "id");

	if (prompt_closed(prompt) == NULL) {
		if (json_array_size(a->open) < PROMPTS_MAX)
			(void)json_array_append(a->open, prompt);
		return;
	}
	drop_prompt(a, id);
	if (strcmp(id, a->current) != 0)
		return;
	if (has_spoken(a) && (is_closed(prompt, "answered") || is_closed(prompt, "rejected")))
		return; /* by our own answer, or before it came: the child says so itself, and ends */
	end_child(a);
	say_closed(prompt);
}

static void
lose(struct agent *a)
{
	stream_close(&a->stream);
	(void)json_array_clear(a->open);
	end_child(a);
	if (!a->said_lost)
		warn_text(_("the daemon has gone; coming back to it when it answers"));
	a->said_lost = true;
}

/* What will not change by asking again ends the agent. */
static void
refused(struct agent *a, const json_t *name)
{
	const char *dot = strrchr(json_string_value(name), '.');

	if (dot != NULL && strcmp(dot, ".NotPermitted") == 0)
		a->code = fail_error(SIGNET_ERR_NOT_PERMITTED, NULL);
	else if (dot != NULL &&
		 (strcmp(dot, ".InterfaceNotFound") == 0 || strcmp(dot, ".MethodNotFound") == 0))
		a->code =
		    fail_text(CTL_FAILED, _("this daemon has no inbox: it is older than this signetctl"));
	else
		lose(a);
}

static void
begun(struct agent *a)
{
	a->back_off_ms = 0;
	fprintf(
	    stderr, a->said_lost ? _("The daemon is back.\n") : _("Waiting for prompts; end with Ctrl-C.\n"));
	a->said_lost = false;
}

static void
read_stream(struct agent *a)
{
	json_t *event = NULL;
	enum stream_event is;

	while (a->code < 0 && a->stream.fd >= 0 && (is = stream_next(&a->stream, &event)) != STREAM_NOTHING) {
		if (is == STREAM_PROMPT)
			take_prompt(a, event);
		else if (is == STREAM_BEGUN)
			begun(a);
		else if (is == STREAM_REFUSED)
			refused(a, event);
		else
			lose(a);
		json_decref(event);
		event = NULL;
	}
}

/* --- attaching --- */

static void
slow_down(struct agent *a)
{
	a->back_off_ms = a->back_off_ms == 0 ? BACK_OFF_MIN_MS : 2 * a->back_off_ms;
	if (a->back_off_ms > BACK_OFF_MAX_MS)
		a->back_off_ms = BACK_OFF_MAX_MS;
}

/* Also says why not, and whether a PIN may go there at all: each time, because the socket may be another's now. */
static void
attach(struct agent *a)
{
	signet_err err = signet_connect(&a->c->conn, a->c->value[OPT_SOCKET]);

	if (err == SIGNET_OK)
		err = signet_server_trusted(a->c->conn);
	if (err == SIGNET_ERR_UNTRUSTED || err == SIGNET_ERR_ARGUMENT)
		a->code = fail_error(err, signet_error_message(NULL));
	signet_close(a->c->conn);
	a->c->conn = NULL;
	if (err == SIGNET_OK && stream_open(&a->stream, a->c->value[OPT_SOCKET])) {
		slow_down(a); /* until it has said something */
		return;
	}
	if (!a->said_lost && a->code < 0)
		warn_text(_("no daemon answers yet; coming back to it when it does"));
	a->said_lost = true;
	slow_down(a);
}

/* --- the loop --- */

static void
catch_signals(struct agent *a)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, &a->mask);
	a->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (a->signals < 0)
		abort();
}

static void
turn(struct agent *a)
{
	struct pollfd p[] = {{.fd = a->signals, .events = POLLIN}, {.fd = a->stream.fd, .events = POLLIN},
	    {.fd = a->child_fd, .events = POLLIN}};
	int timeout = a->stream.fd < 0 ? a->back_off_ms : -1;

	if (poll(p, array_len(p), timeout) < 0 && errno != EINTR)
		abort();
	if (p[0].revents != 0) {
		a->code = CTL_OK;
		return;
	}
	if (p[2].revents != 0)
		reap_child(a);
	if (a->stream.fd < 0)
		attach(a);
	else if (p[1].revents != 0)
		read_stream(a);
	if (a->code < 0)
		ask_next(a);
}

int
verb_agent(struct ctl *c)
{
	struct agent a = {.c = c, .stream = {.fd = -1}, .child_fd = -1, .code = -1};

	a.front = front_pick(c);
	if (a.front == NULL)
		return CTL_USAGE;
	a.open = json_array();
	catch_signals(&a);
	while (a.code < 0)
		turn(&a);
	end_child(&a);
	stream_close(&a.stream);
	json_decref(a.open);
	(void)close(a.signals);
	return a.code;
}
