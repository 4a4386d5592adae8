/*
 * Watchers: start, listen, kill, start again with back-off. A watcher is never
 * believed against a worker that has just looked for itself: its second word is
 * that of a fresh process, and a module that serves only one process at a time
 * is found out by leaving it alone for a while. It then goes without a watcher.
 */
#include "watcher.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "child.h"
#include "journal.h"
#include "token.h"

enum {
	FIRST_WORD_MS = 5000,		/* tokens wait no longer for it */
	SILENCE_MS = 3 * WIRE_BEAT_MS,	/* then it hangs */
	RESTART_MS = 250,		/* doubled with each failure */
	RESTART_MAX_MS = 30000,
	LOST_MAX_MS = 3000,		/* the reader service is looked for oftener */
	PAUSE_MS = 15000, PAUSE_MAX_MS = 600000,
	DOUBTS_UNTIL_PAUSE = 2,
};

struct watch_process {
	struct watcher *watcher; /* NULL: given up */
	uv_process_t process;
	uv_poll_t poll;
	int fd;
	unsigned handles;
	bool running;
	struct buf in, out;
};

static void on_timer(uv_timer_t *timer);

/* --- its word --- */

bool
seen_is(const struct seen_token *s, const struct config_token *conf)
{
	const char *want = conf->serial != NULL ? conf->serial : conf->label;
	const char *is = conf->serial != NULL ? s->serial : s->label;
	size_t n = strlen(want);

	while (n > 0 && want[n - 1] == ' ')
		n--;
	return n > 0 && strlen(is) == n && memcmp(want, is, n) == 0;
}

enum watcher_word
watcher_says(const struct watcher *w, const struct config_token *conf)
{
	if (w == NULL)
		return WORD_NONE;
	switch (w->state) {
	case WATCHER_RUNS:
		for (size_t i = 0; i < w->seen_count; i++)
			if (seen_is(&w->seen[i], conf))
				return WORD_PRESENT;
		return WORD_ABSENT;
	case WATCHER_STARTING:
		return w->late ? WORD_NONE : WORD_SOON;
	case WATCHER_LOST:
		return w->late ? WORD_NONE : WORD_ABSENT;
	default:
		return WORD_NONE;
	}
}

/* It may say something else of each of its tokens. */
static void
tell_tokens(struct watcher *w)
{
	struct broker *b = w->broker;

	for (size_t i = 0; i < b->token_count; i++)
		if (b->tokens[i]->watcher == w)
			token_on_presence(b->tokens[i]);
}

static void
set_reason(struct watcher *w, const char *text)
{
	snprintf(w->reason, sizeof(w->reason), "%s", text);
}

/* --- the process --- */

static void
free_if_done(struct watch_process *p)
{
	if (p->handles > 0 || p->running)
		return;
	buf_done(&p->in);
	buf_done(&p->out);
	free(p);
}

static void
on_process_closed(uv_handle_t *handle)
{
	struct watch_process *p = handle->data;

	p->handles--;
	free_if_done(p);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	struct watch_process *p = handle->data;

	close(p->fd);
	p->handles--;
	free_if_done(p);
}

/* Kill it and let go; the memory goes when it is reaped. */
static void
drop_process(struct watcher *w)
{
	struct watch_process *p = w->process;

	w->process = NULL;
	if (p == NULL)
		return;
	p->watcher = NULL;
	if (p->running)
		uv_process_kill(&p->process, SIGKILL);
	uv_close((uv_handle_t *)&p->poll, on_poll_closed);
}

static uint64_t
back_off_ms(const struct watcher *w)
{
	uint64_t most = w->state == WATCHER_LOST ? LOST_MAX_MS : RESTART_MAX_MS;
	unsigned n = w->failures > 8 ? 8 : w->failures;
	uint64_t ms = (uint64_t)RESTART_MS << (n > 0 ? n - 1 : 0);

	return ms > most ? most : ms;
}

/* It is of no use any more. Its tokens rest on their workers, until the next one has spoken. */
static void
fail(struct watcher *w, const char *why)
{
	bool news = strcmp(w->reason, why) != 0;

	drop_process(w);
	w->failures++;
	w->state = WATCHER_DOWN;
	w->polling = !w->polling; /* what hung or crashed may do better the other way */
	set_reason(w, why);
	if (news)
		say_warning("module %s: nobody sees what is inserted: %s", w->conf->module, why);
	uv_timer_start(&w->timer, on_timer, back_off_ms(w), 0);
	tell_tokens(w);
}

/* pcscd was restarted, or the machine slept: whoever used it must begin anew, a module does not recover. */
static void
lose_service(struct watcher *w, const char *why)
{
	struct broker *b = w->broker;
	bool worked = w->state == WATCHER_RUNS;

	drop_process(w);
	w->failures++;
	w->late = !w->served; /* where it never worked, it may not be what the tokens need */
	w->state = WATCHER_LOST;
	set_reason(w, why);
	if (worked)
		say_warning("module %s: the reader service was lost (%s); its tokens are looked for anew", w->conf->module,
		    why);
	uv_timer_start(&w->timer, on_timer, back_off_ms(w), 0);
	for (size_t i = 0; i < b->token_count && worked; i++)
		if (b->tokens[i]->watcher == w)
			token_on_service_lost(b->tokens[i]);
	if (!worked)
		tell_tokens(w);
}

static void
take_list(struct watcher *w, const struct wire_seen *s)
{
	struct seen_token *list = calloc(s->count > 0 ? s->count : 1, sizeof(*list));

	if (list == NULL) {
		fail(w, "out of memory");
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		memcpy(list[i].serial, s->tokens[i].serial, sizeof(list[i].serial));
		memcpy(list[i].label, s->tokens[i].label, sizeof(list[i].label));
		memcpy(list[i].manufacturer, s->tokens[i].manufacturer, sizeof(list[i].manufacturer));
		memcpy(list[i].model, s->tokens[i].model, sizeof(list[i].model));
		memcpy(list[i].reader, s->tokens[i].reader, sizeof(list[i].reader));
		list[i].flags = s->tokens[i].flags;
	}
	free(w->seen);
	w->seen = list;
	w->seen_count = s->count;
	w->state = WATCHER_RUNS;
	w->late = false;
	w->served = true;
	w->failures = 0;
	w->reason[0] = '\0';
	uv_timer_start(&w->timer, on_timer, SILENCE_MS, 0);
	tell_tokens(w);
}

static void
take_frame(struct watcher *w, const uint8_t *frame, size_t len)
{
	struct wire_seen s;

	if (wire_get_seen(&s, frame, len) != SIGNET_OK) {
		fail(w, "its watcher does not speak our protocol");
		return;
	}
	if (s.state == WIRE_WATCHING)
		take_list(w, &s);
	else if (s.state == WIRE_WATCH_LOST)
		lose_service(w, s.reason);
	else
		fail(w, s.reason);
	wire_seen_done(&s);
}

static void
take_frames(struct watch_process *p)
{
	while (p->watcher != NULL) {
		size_t len = wire_next(p->in.data, p->in.len, WIRE_FRAME_MAX);

		if (len == 0)
			return;
		if (len == SIZE_MAX) {
			fail(p->watcher, "its watcher does not speak our protocol");
			return;
		}
		take_frame(p->watcher, p->in.data, len);
		buf_consume(&p->in, len);
	}
}

/* As recv(2). What it said before it ended is heard. */
static ssize_t
read_some(struct watch_process *p)
{
	uint8_t *at = buf_room(&p->in, 4096);
	ssize_t n;

	if (at == NULL) {
		fail(p->watcher, "out of memory");
		return 0;
	}
	n = recv(p->fd, at, 4096, MSG_DONTWAIT);
	if (n > 0) {
		p->in.len += (size_t)n;
		take_frames(p);
	}
	return n;
}

static void
on_readable(uv_poll_t *handle, int status, int events)
{
	struct watch_process *p = handle->data;
	ssize_t n;

	(void)events;
	if (p->watcher == NULL)
		return;
	n = status < 0 ? 0 : read_some(p);
	if (p->watcher == NULL || n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	fail(p->watcher, "its watcher ended");
}

static void
on_reaped(uv_process_t *process, int64_t status, int term_signal)
{
	struct watch_process *p = process->data;
	char why[96];

	p->running = false;
	uv_close((uv_handle_t *)process, on_process_closed);
	while (p->watcher != NULL && read_some(p) > 0)
		continue;
	if (p->watcher == NULL)
		return;
	if (term_signal != 0)
		snprintf(why, sizeof(why), "its watcher was ended by signal %d", term_signal);
	else
		snprintf(why, sizeof(why), "its watcher ended with status %d", (int)status);
	fail(p->watcher, why);
}

static bool
send_config(struct watch_process *p)
{
	const struct watcher *w = p->watcher;
	struct wire_config *c = calloc(1, sizeof(*c));
	bool sent;

	if (c == NULL)
		return false;
	child_config(c, w->config, w->conf);
	wire_put_config(&p->out, c);
	free(c);
	/* a few kilobytes into an empty socket */
	sent = !p->out.failed && send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL) == (ssize_t)p->out.len;
	buf_done(&p->out);
	return sent;
}

static int
spawn(struct watch_process *p, const struct child_lanes *lanes)
{
	const struct watcher *w = p->watcher;
	char *args[] = {w->config->token_program, (char *)(uintptr_t)(w->polling ? "--poll" : "--watch"), w->conf->module,
	    NULL};
	struct child c = {
	    .program = w->config->token_program, .args = args, .conf = w->conf, .lanes = lanes, .reaped = on_reaped};
	int rc;

	p->process.data = p;
	rc = child_spawn(&w->broker->loop, &p->process, &c);
	p->handles++;
	p->running = rc == 0;
	return rc;
}

static void
listen_to(struct watch_process *p, int fd)
{
	p->fd = fd;
	uv_poll_init(&p->watcher->broker->loop, &p->poll, fd);
	p->poll.data = p;
	p->handles++;
	uv_poll_start(&p->poll, UV_READABLE, on_readable);
}

static void
start(struct watcher *w)
{
	struct watch_process *p = calloc(1, sizeof(*p));
	struct child_lanes lanes;
	int rc;

	if (p == NULL || !child_lanes_make(&lanes, 1)) {
		free(p);
		fail(w, "no memory or descriptors for its watcher");
		return;
	}
	p->watcher = w;
	buf_init(&p->in, WIRE_FRAME_MAX + 4096);
	buf_init(&p->out, WIRE_FRAME_MAX);
	rc = spawn(p, &lanes);
	child_lanes_close_theirs(&lanes);
	listen_to(p, lanes.ours[0]);
	w->process = p;
	w->starts++;
	(void)stat(w->conf->module, &w->file);
	if (rc != 0) {
		uv_close((uv_handle_t *)&p->process, on_process_closed);
		fail(w, uv_strerror(rc));
	} else if (!send_config(p)) {
		fail(w, "its watcher takes no configuration");
	} else {
		uv_timer_start(&w->timer, on_timer, FIRST_WORD_MS, 0);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct watcher *w = timer->data;

	if (w->process == NULL) {
		if (w->state == WATCHER_PAUSED)
			w->doubts = 0;
		start(w);
		return;
	}
	if (w->state != WATCHER_RUNS && !w->late) { /* tokens do without it; it has a while yet */
		w->late = true;
		uv_timer_start(&w->timer, on_timer, SILENCE_MS, 0);
		tell_tokens(w);
		return;
	}
	fail(w, "its watcher does not answer");
}

/* --- contradictions --- */

/* A fresh process: what the old one holds may be stale. */
static void
renew(struct watcher *w)
{
	drop_process(w);
	w->state = WATCHER_STARTING;
	w->late = false;
	start(w);
}

void
watcher_doubt(struct watcher *w, const struct token *t)
{
	if (w == NULL || w->state != WATCHER_RUNS)
		return;
	if (w->doubted_by != t)
		w->doubts = 0;
	w->doubted_by = t;
	if (++w->doubts < DOUBTS_UNTIL_PAUSE) {
		renew(w);
		return;
	}
	drop_process(w);
	w->state = WATCHER_PAUSED;
	w->pause_ms = w->pause_ms == 0 ? PAUSE_MS : 2 * w->pause_ms;
	if (w->pause_ms > PAUSE_MAX_MS)
		w->pause_ms = PAUSE_MAX_MS;
	uv_timer_start(&w->timer, on_timer, w->pause_ms, 0);
	tell_tokens(w);
}

void
watcher_look_again(struct watcher *w, const struct config_token *conf)
{
	if (w != NULL && w->state == WATCHER_RUNS && watcher_says(w, conf) == WORD_ABSENT)
		renew(w);
}

void
watcher_distrust(struct watcher *w)
{
	if (w == NULL || w->state == WATCHER_RESTS)
		return;
	drop_process(w);
	uv_timer_stop(&w->timer);
	w->state = WATCHER_RESTS;
	set_reason(w, "the module serves one process at a time");
	say_warning("module %s serves one process at a time: it is not watched, its tokens are asked themselves",
	    w->conf->module);
	tell_tokens(w);
}

void
watcher_confirm(struct watcher *w, const struct token *t)
{
	if (w == NULL || w->doubted_by != t)
		return;
	if (w->state == WATCHER_PAUSED) {
		watcher_distrust(w);
	} else if (w->state == WATCHER_RUNS) {
		w->doubted_by = NULL;
		w->doubts = 0;
		w->pause_ms = 0;
	}
}

void
watcher_forget(struct watcher *w, const struct token *t)
{
	if (w != NULL && w->doubted_by == t)
		w->doubted_by = NULL;
}

/* --- all of them --- */

static bool
same_list(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool
serves(const struct watcher *w, const struct config *c, const struct config_token *conf)
{
	return strcmp(w->conf->module, conf->module) == 0 && strcmp(w->config->token_program, c->token_program) == 0 &&
	       w->config->sandbox == c->sandbox &&
	       same_list(w->conf->paths, w->conf->path_count, conf->paths, conf->path_count) &&
	       same_list(w->conf->environment, w->conf->environment_count, conf->environment, conf->environment_count);
}

struct watcher *
watcher_of(const struct broker *b, const struct config *c, const struct config_token *conf)
{
	struct watcher *w = b->watchers;

	while (w != NULL && !serves(w, c, conf))
		w = w->next;
	return w;
}

static struct watcher *
make(struct broker *b, struct config *c, const struct config_token *conf)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->broker = b;
	w->config = config_ref(c);
	w->conf = conf;
	uv_timer_init(&b->loop, &w->timer);
	w->timer.data = w;
	w->next = b->watchers;
	b->watchers = w;
	return w;
}

static void
on_watcher_closed(uv_handle_t *handle)
{
	struct watcher *w = handle->data;

	config_unref(w->config);
	free(w->seen);
	free(w);
}

static void
end(struct watcher *w)
{
	drop_process(w);
	uv_close((uv_handle_t *)&w->timer, on_watcher_closed);
}

static void
end_unused(struct broker *b)
{
	struct watcher **at = &b->watchers;

	while (*at != NULL) {
		struct watcher *w = *at;

		if (w->used) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		end(w);
	}
}

bool
watchers_update(struct broker *b)
{
	bool whole = true;

	for (struct watcher *w = b->watchers; w != NULL; w = w->next)
		w->used = false;
	for (struct token *t = b->going; t != NULL; t = t->next_going)
		t->watcher = NULL;
	for (size_t i = 0; i < b->token_count; i++) {
		struct token *t = b->tokens[i];
		struct watcher *w = watcher_of(b, t->config, t->conf);

		if (w == NULL)
			w = make(b, t->config, t->conf);
		whole = whole && w != NULL;
		t->watcher = w;
		if (w == NULL)
			continue;
		if (!w->used) { /* let go of the configuration before */
			struct config *before = w->config;

			w->config = config_ref(t->config);
			w->conf = t->conf;
			config_unref(before);
		}
		w->used = true;
	}
	end_unused(b);
	return whole;
}

void
watchers_start(struct broker *b)
{
	for (struct watcher *w = b->watchers; w != NULL; w = w->next)
		if (w->process == NULL && (w->state == WATCHER_STARTING || w->state == WATCHER_RESTS))
			renew(w);
}

void
watchers_stop(struct broker *b)
{
	for (size_t i = 0; i < b->token_count; i++)
		b->tokens[i]->watcher = NULL;
	for (struct token *t = b->going; t != NULL; t = t->next_going)
		t->watcher = NULL;
	for (struct watcher *w = b->watchers; w != NULL; w = w->next)
		w->used = false;
	end_unused(b);
}

void
watchers_renew(struct broker *b)
{
	for (struct watcher *w = b->watchers; w != NULL; w = w->next)
		renew(w);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void
watchers_check_files(struct broker *b)
{
	for (struct watcher *w = b->watchers; w != NULL; w = w->next) {
		struct stat now;

		if (stat(w->conf->module, &now) != 0 || same_file(&now, &w->file))
			continue; /* one that is just being replaced is looked at again */
		w->file = now;
		say_info("module %s was replaced: its drivers are started anew when they are idle", w->conf->module);
		for (size_t i = 0; i < b->token_count; i++)
			if (b->tokens[i]->watcher == w)
				token_renew(b->tokens[i]);
		renew(w);
	}
}
