/*
 * A question goes out when the answer to the one before it is in; CONFIG is the
 * first that a process gets. Whatever goes wrong, the process is killed and the
 * question that was out fails: it may be what killed it, so it is not asked
 * again. Those behind it go to a fresh process.
 */
#include "format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "journal.h"

struct format_process {
	struct format *format; /* NULL once it was given up */
	uv_process_t process;
	uv_poll_t poll;
	int fd, events;
	unsigned handles;
	bool running, ready, asked; /* not reaped; CONFIG was answered; a question is out */
	struct buf in, out;
};

static void pump(struct format *f);
static void on_poll(uv_poll_t *handle, int status, int events);

/* --- the end of a process --- */

static void
free_if_done(struct format_process *p)
{
	if (p->handles > 0 || p->running)
		return;
	buf_done(&p->in);
	buf_done(&p->out);
	free(p);
}

static void
on_closed(uv_handle_t *handle)
{
	struct format_process *p = handle->data;

	p->handles--;
	free_if_done(p);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	struct format_process *p = handle->data;

	close(p->fd);
	on_closed(handle);
}

static void
on_reaped(uv_process_t *process, int64_t status, int term_signal)
{
	struct format_process *p = process->data;

	(void)status;
	(void)term_signal; /* the end of its socket has said so already, or will */
	p->running = false;
	uv_close((uv_handle_t *)process, on_closed);
}

static void
give_up(struct format_process *p)
{
	p->format->process = NULL;
	p->format = NULL;
	if (p->running)
		uv_process_kill(&p->process, SIGKILL);
	uv_close((uv_handle_t *)&p->poll, on_poll_closed);
}

/* --- questions --- */

static struct format_ask *
take_first(struct format *f)
{
	struct format_ask *a = f->first;

	f->first = a->next;
	if (f->first == NULL)
		f->last = NULL;
	f->count--;
	buf_done(&a->frame);
	return a;
}

static void
fail_first(struct format *f)
{
	struct format_ask *a = take_first(f);

	a->done(a, NULL);
}

/* The process is lost, and with it the question that was out; who asks within the pause gets no answer. */
static void
lose(struct format *f, const char *why)
{
	struct format_process *p = f->process;
	bool asked = p->asked || !p->ready;

	say_warning("signet-format: %s; it is started anew when it is needed", why);
	give_up(p);
	uv_timer_stop(&f->timer);
	if (!p->ready)
		f->not_before_ms = uv_now(&f->broker->loop) + FORMAT_PAUSE_MS;
	if (asked && f->first != NULL)
		fail_first(f);
	pump(f);
}

static void
on_timer(uv_timer_t *timer)
{
	struct format *f = timer->data;

	if (f->process != NULL) {
		lose(f, "no answer in time");
		return;
	}
	/* the pause: all that wait go without an answer */
	for (size_t n = f->count; n > 0 && f->first != NULL; n--)
		fail_first(f);
	pump(f);
}

/* --- frames --- */

static void
flush(struct format_process *p)
{
	int events = UV_READABLE;

	while (p->out.len > 0) {
		ssize_t n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: wait; broken: the reader sees the end of file */
		buf_consume(&p->out, (size_t)n);
	}
	if (p->out.len > 0)
		events |= UV_WRITABLE;
	if (events != p->events) {
		p->events = events;
		uv_poll_start(&p->poll, events, on_poll);
	}
}

static void
take_answer(struct format *f, const struct ask_answer *answer)
{
	struct format_process *p = f->process;
	struct format_ask *a;

	uv_timer_stop(&f->timer);
	if (!p->ready) {
		p->ready = true;
		if (answer->reason[0] != '\0')
			say_warning("signet-format: %s", answer->reason);
		if (answer->err != SIGNET_OK) {
			p->ready = false;
			lose(f, "it does not start");
		}
		return;
	}
	p->asked = false;
	a = take_first(f);
	a->done(a, answer);
}

/* One answer at most: only one question is out. False: the process is not ours any more, or there is none. */
static bool
take_frame(struct format *f)
{
	struct format_process *p = f->process;
	size_t len = ask_next(p->in.data, p->in.len);
	struct ask_answer answer;

	if (len == 0)
		return false;
	if (len == SIZE_MAX || (p->ready && !p->asked) || ask_answer_get(&answer, p->in.data, len) != SIGNET_OK) {
		lose(f, "it does not speak our protocol");
		return false;
	}
	take_answer(f, &answer);
	if (f->process != p)
		return false;
	buf_consume(&p->in, len);
	return true;
}

static void
read_some(struct format_process *p)
{
	struct format *f = p->format;
	uint8_t *at = buf_room(&p->in, 16384);
	ssize_t n = at != NULL ? recv(p->fd, at, 16384, MSG_DONTWAIT) : -1;

	if (n < 0 && at != NULL && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(f, at == NULL ? "its answer is too long" : "it ended");
		return;
	}
	p->in.len += (size_t)n;
	while (f->process == p && take_frame(f))
		;
	pump(f);
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	struct format_process *p = handle->data;

	if (p->format == NULL)
		return;
	if (status < 0) {
		lose(p->format, "its socket broke");
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		flush(p);
	if ((events & UV_READABLE) != 0)
		read_some(p);
}

/* --- start --- */

static int
spawn(struct format_process *p, const char *program, int theirs)
{
	uv_stdio_container_t stdio[SIGNET_FORMAT_FD + 1];
	char *args[] = {(char *)(uintptr_t)program, NULL};
	char *env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};
	uv_process_options_t o = {.file = program, .args = args, .env = env, .exit_cb = on_reaped, .stdio = stdio,
	    .stdio_count = SIGNET_FORMAT_FD + 1};
	int rc;

	stdio[0].flags = stdio[1].flags = UV_IGNORE;
	stdio[2] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO};
	stdio[SIGNET_FORMAT_FD] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = theirs};
	p->process.data = p;
	rc = uv_spawn(&p->format->broker->loop, &p->process, &o);
	p->handles++; /* uv_spawn initialises the handle even when it fails */
	p->running = rc == 0;
	return rc;
}

static void
list_files(const struct config_list *list, uint16_t *count, char (*files)[ASK_PATH_SIZE])
{
	for (size_t i = 0; i < list->count && i < ASK_FILES_MAX; i++)
		snprintf(files[(*count)++], ASK_PATH_SIZE, "%s", list->words[i]);
}

static void
put_config(struct buf *out, const struct config *c)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return; /* no answer will come, and the deadline ends it */
	a->type = ASK_CONFIG;
	a->confine = c->sandbox;
	list_files(&c->anchors, &a->anchor_count, a->anchors);
	list_files(&c->intermediates, &a->intermediate_count, a->intermediates);
	snprintf(a->crls, sizeof(a->crls), "%s", c->crls != NULL ? c->crls : "");
	ask_put(out, a);
	free(a);
}

static bool
start_process(struct format *f)
{
	const struct config *c = f->broker->config;
	struct format_process *p = calloc(1, sizeof(*p));
	int pair[2], rc;

	if (p == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		free(p);
		return false;
	}
	p->format = f;
	p->fd = pair[0];
	rc = spawn(p, c->format_program, pair[1]);
	close(pair[1]);
	if (rc != 0) {
		say_warning("cannot start %s: %s", c->format_program, uv_strerror(rc));
		close(p->fd);
		uv_close((uv_handle_t *)&p->process, on_closed);
		return false;
	}
	buf_init(&p->in, ASK_FRAME_MAX + 16384);
	buf_init(&p->out, ASK_FRAME_MAX);
	uv_poll_init(&f->broker->loop, &p->poll, p->fd);
	p->poll.data = p;
	p->handles++;
	p->events = UV_READABLE;
	uv_poll_start(&p->poll, UV_READABLE, on_poll);
	f->process = p;
	put_config(&p->out, c);
	flush(p);
	return true;
}

/* --- the queue --- */

static void
send_first(struct format *f)
{
	struct format_process *p = f->process;

	buf_put(&p->out, f->first->frame.data, f->first->frame.len);
	p->asked = true;
	flush(p);
}

/* Send what can be sent; nothing fails from within it. */
static void
pump(struct format *f)
{
	uint64_t wait = FORMAT_DEADLINE_MS;

	if (f->first == NULL || f->stopping || (f->process != NULL && f->process->asked) ||
	    (f->process != NULL && !f->process->ready && uv_is_active((uv_handle_t *)&f->timer)))
		return;
	if (f->process == NULL && (uv_now(&f->broker->loop) < f->not_before_ms || !start_process(f)))
		wait = 0; /* fails in the next turn */
	else if (f->process->ready)
		send_first(f);
	uv_timer_start(&f->timer, on_timer, wait, 0);
}

void
format_start(struct format *f, struct broker *b)
{
	memset(f, 0, sizeof(*f));
	f->broker = b;
	uv_timer_init(&b->loop, &f->timer);
	f->timer.data = f;
}

void
format_stop(struct format *f)
{
	if (f->broker == NULL)
		return;
	f->stopping = true;
	if (f->process != NULL)
		give_up(f->process);
	while (f->first != NULL)
		fail_first(f);
	if (!uv_is_closing((uv_handle_t *)&f->timer))
		uv_close((uv_handle_t *)&f->timer, NULL);
}

void
format_reload(struct format *f)
{
	f->not_before_ms = 0;
	if (f->process == NULL)
		return;
	uv_timer_stop(&f->timer);
	give_up(f->process);
	pump(f); /* a question that was out is asked again: it was not what ended the process */
}

signet_err
format_submit(struct format *f, struct format_ask *a, const struct ask *question)
{
	if (f->stopping || f->count >= FORMAT_QUEUE_MAX)
		return SIGNET_ERR_BUSY;
	buf_init(&a->frame, ASK_FRAME_MAX);
	ask_put(&a->frame, question);
	if (a->frame.failed) {
		buf_done(&a->frame);
		return SIGNET_ERR_LIMIT;
	}
	a->next = NULL;
	if (f->last != NULL)
		f->last->next = a;
	else
		f->first = a;
	f->last = a;
	f->count++;
	pump(f);
	return SIGNET_OK;
}
