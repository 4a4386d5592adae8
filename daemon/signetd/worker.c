/*
 * Processes and lanes. A PIN passes through `out`, which is wiped as it drains; if it
 * drains at once, as it nearly always does, no byte of it stays.
 */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "child.h"
#include "journal.h"
#include "token.h"

enum { INFO_TIMEOUT_MS = 30000 };

static void on_lane(uv_poll_t *handle, int status, int events);
static void finish_reading(struct worker *w);

static void
free_if_done(struct worker *w)
{
	if (w->handles > 0 || w->running)
		return;
	for (unsigned i = 0; i < w->lane_count; i++) {
		buf_done(&w->lanes[i].in);
		buf_done(&w->lanes[i].out);
	}
	free(w);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	w->handles--;
	free_if_done(w);
}

static void
on_lane_closed(uv_handle_t *handle)
{
	struct lane *l = handle->data;

	close(l->fd);
	l->worker->handles--;
	free_if_done(l->worker);
}

static void
on_reaped(uv_process_t *process, int64_t status, int term_signal)
{
	struct worker *w = process->data;
	char why[96];

	w->running = false;
	uv_close((uv_handle_t *)process, on_handle_closed);
	finish_reading(w);
	if (w->token == NULL)
		return;
	if (term_signal != 0)
		snprintf(why, sizeof(why), "the token's driver process was ended by signal %d", term_signal);
	else
		snprintf(why, sizeof(why), "the token's driver process ended with status %d", (int)status);
	token_on_lost(w->token, why);
}

void
worker_kill(struct worker *w)
{
	w->token = NULL;
	if (w->running)
		uv_process_kill(&w->process, SIGKILL);
	if (w->dying)
		return;
	w->dying = true;
	for (unsigned i = 0; i < w->lane_count; i++)
		uv_close((uv_handle_t *)&w->lanes[i].poll, on_lane_closed);
}

/* --- start --- */

static int
spawn_process(struct worker *w, const struct token *t, const struct child_lanes *lanes)
{
	char *args[] = {t->config->token_program, t->conf->name, NULL};
	struct child c = {.program = t->config->token_program, .args = args, .conf = t->conf, .lanes = lanes,
	    .reaped = on_reaped};
	int rc;

	w->process.data = w;
	rc = child_spawn(w->loop, &w->process, &c);
	w->handles++; /* uv_spawn initialises the handle even when it fails */
	w->running = rc == 0;
	return rc;
}

static void
open_lane(struct worker *w, unsigned i, int fd)
{
	struct lane *l = &w->lanes[i];

	l->worker = w;
	l->fd = fd;
	buf_init(&l->in, WIRE_FRAME_MAX + 4096);
	buf_init_secret(&l->out, WIRE_FRAME_MAX);
	uv_poll_init(w->loop, &l->poll, fd);
	l->poll.data = l;
	l->events = UV_READABLE;
	uv_poll_start(&l->poll, UV_READABLE, on_lane);
	w->handles++;
	w->lane_count++;
}

static void
flush_lane(struct lane *l)
{
	ssize_t n;
	int events = UV_READABLE;

	while (l->out.len > 0) {
		n = send(l->fd, l->out.data, l->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: wait; broken: the reader sees the end of file */
		buf_consume(&l->out, (size_t)n);
	}
	if (l->out.len > 0)
		events |= UV_WRITABLE;
	if (events != l->events) {
		l->events = events;
		uv_poll_start(&l->poll, events, on_lane);
	}
}

static void
send_issuers(struct wire_config *c, const struct config_list *files)
{
	for (size_t i = 0; i < files->count && c->issuer_count < WIRE_PATHS_MAX; i++)
		snprintf(c->issuers[c->issuer_count++], WIRE_PATH_SIZE, "%s", files->words[i]);
}

static void
send_config(struct worker *w, const struct token *t)
{
	struct wire_config *c = calloc(1, sizeof(*c));
	const struct config_token *conf = t->conf;

	if (c == NULL)
		return; /* no answer will come, and the deadline ends it */
	child_config(c, t->config, conf);
	snprintf(c->serial, sizeof(c->serial), "%s", conf->serial != NULL ? conf->serial : "");
	snprintf(c->label, sizeof(c->label), "%s", conf->label != NULL ? conf->label : "");
	snprintf(c->lock_dir, sizeof(c->lock_dir), "%s", t->config->lock_directory);
	c->lanes = (uint8_t)conf->lanes;
	c->verify = conf->verify_first ? WIRE_VERIFY_FIRST : WIRE_VERIFY_ALWAYS;
	send_issuers(c, &t->config->intermediates);
	send_issuers(c, &t->config->anchors);
	for (size_t i = 0; i < t->key_count; i++)
		snprintf(c->uri[c->key_count++], sizeof(c->uri[0]), "%s", t->keys[i].conf->uri);
	wire_put_config(&w->lanes[0].out, c);
	free(c);
	flush_lane(&w->lanes[0]);
}

signet_err
worker_start(struct worker **out, struct token *t, char *why, size_t why_size)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct child_lanes s;
	int rc;

	if (w == NULL || !child_lanes_make(&s, t->conf->lanes)) {
		snprintf(why, why_size, "no memory or descriptors for a driver process");
		free(w);
		return SIGNET_ERR_TOKEN_FAILED;
	}
	w->loop = &t->broker->loop;
	w->token = t;
	rc = spawn_process(w, t, &s);
	child_lanes_close_theirs(&s);
	if (rc != 0) {
		snprintf(why, why_size, "cannot start %s: %s", t->config->token_program, uv_strerror(rc));
		child_lanes_close_ours(&s);
		w->token = NULL;
		uv_close((uv_handle_t *)&w->process, on_handle_closed);
		return SIGNET_ERR_TOKEN_FAILED;
	}
	for (unsigned i = 0; i < s.count; i++)
		open_lane(w, i, s.ours[i]);
	w->info_deadline_ms = uv_now(w->loop) + INFO_TIMEOUT_MS;
	*out = w;
	send_config(w, t);
	return SIGNET_OK;
}

/* --- frames --- */

static void
take_info(struct worker *w, const uint8_t *frame, size_t len)
{
	struct wire_info *info = calloc(1, sizeof(*info));
	struct token *t = w->token;

	if (info == NULL || wire_get_info(info, frame, len) != SIGNET_OK || info->key_count != t->key_count) {
		free(info);
		token_on_lost(t, "its driver process does not speak our protocol");
		return;
	}
	w->informed = true;
	token_on_info(t, info);
	wire_info_done(info);
	free(info);
}

static void
take_result(struct lane *l, const uint8_t *frame, size_t len)
{
	struct token *t = l->worker->token;
	struct wire_result res;
	struct job *j = l->sent.first;

	if (wire_get_result(&res, frame, len) != SIGNET_OK || j == NULL || res.job != j->number ||
	    (j->kind == JOB_SIGN && res.err == SIGNET_OK &&
		(res.sig_len == 0 || (j->format != WIRE_RAW) != (res.cms_len > 0)))) {
		token_on_lost(t, "its driver process does not speak our protocol");
		return;
	}
	job_list_remove(&l->sent, j);
	l->deadline_ms = l->sent.first != NULL ? uv_now(l->worker->loop) + t->conf->sign_timeout_ms : 0;
	token_on_result(t, j, &res);
}

/* A frame may end the worker: then the lane is no longer ours to read. */
static void
take_frames(struct lane *l)
{
	struct worker *w = l->worker;
	size_t at = 0;

	while (w->token != NULL) {
		size_t len = wire_next(l->in.data + at, l->in.len - at, WIRE_FRAME_MAX);

		if (len == 0)
			break;
		if (len == SIZE_MAX) {
			token_on_lost(w->token, "its driver process does not speak our protocol");
			return;
		}
		if (!w->informed)
			take_info(w, l->in.data + at, len);
		else
			take_result(l, l->in.data + at, len);
		at += len;
	}
	buf_consume(&l->in, at);
}

/* As recv(2). */
static ssize_t
read_some(struct lane *l)
{
	uint8_t *at = buf_room(&l->in, 4096);
	ssize_t n = at != NULL ? recv(l->fd, at, 4096, MSG_DONTWAIT) : -1;

	if (at == NULL)
		errno = ENOMEM;
	if (n > 0) {
		l->in.len += (size_t)n;
		take_frames(l);
	}
	return n;
}

/* It has ended: results that it sent before that are still results. */
static void
finish_reading(struct worker *w)
{
	for (unsigned i = 0; i < w->lane_count; i++)
		while (w->token != NULL && read_some(&w->lanes[i]) > 0)
			;
}

static void
read_lane(struct lane *l)
{
	struct worker *w = l->worker;
	ssize_t n = read_some(l);

	if (n == 0) {
		finish_reading(w);
		if (w->token != NULL)
			token_on_lost(w->token, "the token's driver process ended");
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		token_on_lost(w->token, "the line to the token's driver process broke");
	}
}

static void
on_lane(uv_poll_t *handle, int status, int events)
{
	struct lane *l = handle->data;
	struct worker *w = l->worker;

	if (w->token == NULL)
		return;
	if (status < 0) { /* killed while something for it was on the way */
		finish_reading(w);
		if (w->token != NULL)
			token_on_lost(w->token, "the line to the token's driver process broke");
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		flush_lane(l);
	if ((events & UV_READABLE) != 0)
		read_lane(l);
	if (w->token != NULL) /* results made room */
		token_run(w->token);
}

/* --- jobs --- */

static uint8_t
wire_type_of(const struct job *j)
{
	switch (j->kind) {
	case JOB_SIGN:
		return WIRE_SIGN;
	case JOB_UNLOCK:
		return WIRE_LOGIN;
	case JOB_LOCK:
		return WIRE_LOGOUT;
	case JOB_PROBE:
		break;
	}
	return WIRE_PROBE;
}

void
worker_send(struct worker *w, struct lane *l, struct job *j, unsigned timeout_ms)
{
	struct wire_job frame = {.type = wire_type_of(j), .job = j->number, .flags = j->flags,
	    .key = j->key != NULL ? j->key->slot : 0, .scheme = (uint8_t)j->scheme, .format = (uint8_t)j->format,
	    .commitment = (uint8_t)j->commitment, .time_us = j->time_us, .digest = j->digest, .pin = j->pin};

	if (j->stamp != NULL)
		frame.stamp = *j->stamp;

	wire_put_job(&l->out, &frame);
	secret_free(j->pin); /* from here on only the worker has it */
	j->pin = NULL;
	if (l->sent.first == NULL)
		l->deadline_ms = uv_now(w->loop) + timeout_ms;
	job_list_push(&l->sent, j);
}

void
worker_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->lane_count; i++)
		if (w->lanes[i].out.len > 0)
			flush_lane(&w->lanes[i]);
}

unsigned
worker_in_flight(const struct worker *w)
{
	size_t n = 0;

	for (unsigned i = 0; i < w->lane_count; i++)
		n += w->lanes[i].sent.count;
	return (unsigned)n;
}

struct lane *
worker_free_lane(struct worker *w, unsigned depth)
{
	struct lane *best = NULL;

	for (unsigned i = 0; i < w->lane_count; i++)
		if (w->lanes[i].sent.count < depth &&
		    (best == NULL || w->lanes[i].sent.count < best->sent.count))
			best = &w->lanes[i];
	return best;
}

void
worker_take_jobs(struct worker *w, struct job_list *out)
{
	for (unsigned i = 0; i < w->lane_count; i++)
		while (w->lanes[i].sent.first != NULL) {
			struct job *j = w->lanes[i].sent.first;

			job_list_remove(&w->lanes[i].sent, j);
			job_list_push(out, j);
		}
}

uint64_t
worker_next_deadline(const struct worker *w)
{
	uint64_t next = w->informed ? UINT64_MAX : w->info_deadline_ms;

	for (unsigned i = 0; i < w->lane_count; i++)
		if (w->lanes[i].sent.first != NULL && w->lanes[i].deadline_ms < next)
			next = w->lanes[i].deadline_ms;
	return next;
}

bool
worker_overdue(const struct worker *w, uint64_t now_ms, struct job **job)
{
	*job = NULL;
	for (unsigned i = 0; i < w->lane_count; i++)
		if (w->lanes[i].sent.first != NULL && now_ms >= w->lanes[i].deadline_ms) {
			*job = w->lanes[i].sent.first;
			return true;
		}
	return !w->informed && now_ms >= w->info_deadline_ms;
}
