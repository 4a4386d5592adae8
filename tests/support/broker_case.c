/* How: the linker gives us identity_of, uv_spawn and two calls of the log; the rest is the broker's own code. */
#include "broker_case.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <p11-kit/pkcs11.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <signet/log.h>

#include "base/json.h"

enum { PATIENCE_S = 30, QUIET_TURNS = 4 };

static struct broker_case *the_case;

static _Noreturn void printf_like(1, 2) broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

#define must(condition)                                                                                      \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			broken("%s:%d: %s", __FILE__, __LINE__, #condition);                                 \
	} while (0)

/* --- what the linker gives us --- */

signet_err __real_identity_of(struct identity **out, int fd);
signet_err __wrap_identity_of(struct identity **out, int fd);
int __real_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *o);
int __wrap_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *o);
void __real_ledger_submit(struct ledger *log, struct ledger_op *op);
void __wrap_ledger_submit(struct ledger *log, struct ledger_op *op);
bool __real_ledger_available(const struct ledger *log);
bool __wrap_ledger_available(const struct ledger *log);

signet_err
__wrap_identity_of(struct identity **out, int fd)
{
	signet_err err = __real_identity_of(out, fd);

	if (err != SIGNET_OK)
		return err;
	(*out)->peer.uid = the_case->uid;
	(*out)->peer.gid = the_case->uid;
	(*out)->peer.group_count = 0;
	buf_reset(&(*out)->members);
	buf_printf(&(*out)->members, "\"uid\":%u,\"gid\":%u,\"pid\":1", the_case->uid, the_case->uid);
	return SIGNET_OK;
}

static int
spawn_nothing(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *o, int *leash)
{
	static char *args[] = {(char *)(uintptr_t) "cat", NULL};
	uv_stdio_container_t in = {.flags = UV_INHERIT_FD};
	uv_process_options_t nothing = {
	    .file = "/usr/bin/cat", .args = args, .exit_cb = o->exit_cb, .stdio = &in, .stdio_count = 1};
	int rc, ends[2];

	must(pipe2(ends, O_CLOEXEC) == 0);
	in.data.fd = ends[0];
	rc = __real_uv_spawn(loop, process, &nothing);
	close(ends[0]);
	*leash = ends[1]; /* it reads from us until we end, however we end */
	if (rc != 0)
		close(*leash);
	return rc;
}

static int
spawn_watcher(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *o)
{
	struct case_watcher *w = &the_case->watchers[the_case->watcher_count];
	int rc;

	must(the_case->watcher_count < CASE_WATCHERS);
	memset(w, 0, sizeof(*w));
	rc = spawn_nothing(loop, process, o, &w->leash);
	if (rc != 0)
		return rc;
	the_case->watcher_count++;
	w->alive = true;
	w->polling = strcmp(o->args[1], "--poll") == 0;
	w->pid = process->pid;
	w->fd = fcntl(o->stdio[SIGNET_TOKEN_FD].data.fd, F_DUPFD_CLOEXEC, 3);
	must(w->fd >= 0);
	buf_init(&w->in, WIRE_FRAME_MAX);
	return 0;
}

/* The process is one that does nothing; its lanes are ours. */
int
__wrap_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *o)
{
	struct case_worker *w = &the_case->workers[the_case->worker_count];
	int rc;

	if (strcmp(o->args[1], "--watch") == 0 || strcmp(o->args[1], "--poll") == 0)
		return spawn_watcher(loop, process, o);
	must(the_case->worker_count < CASE_WORKERS);
	memset(w, 0, sizeof(*w));
	rc = spawn_nothing(loop, process, o, &w->leash);
	if (rc != 0)
		return rc;
	the_case->worker_count++;
	w->alive = true;
	w->pid = process->pid;
	snprintf(w->token, sizeof(w->token), "%s", o->args[1]);
	for (int i = SIGNET_TOKEN_FD; i < o->stdio_count; i++) {
		w->lane[w->lanes] = fcntl(o->stdio[i].data.fd, F_DUPFD_CLOEXEC, 3);
		must(w->lane[w->lanes] >= 0);
		buf_init_secret(&w->in[w->lanes++], WIRE_FRAME_MAX);
	}
	return 0;
}

void
__wrap_ledger_submit(struct ledger *log, struct ledger_op *op)
{
	bool hold = (op->what == LEDGER_CLAIM && the_case->hold_claims) ||
		    (op->what == LEDGER_RECORD && the_case->hold_records) ||
	    (op->what == LEDGER_APPEND && the_case->hold_kind != NULL && strcmp(op->kind, the_case->hold_kind) == 0);

	if (the_case->take != NULL) {
		the_case->take(op);
		return;
	}
	if (!hold) {
		__real_ledger_submit(log, op);
		return;
	}
	must(the_case->held_count < CASE_HELD);
	the_case->held[the_case->held_count++] = op;
}

bool
__wrap_ledger_available(const struct ledger *log)
{
	return !the_case->log_full && __real_ledger_available(log);
}

void
case_release(struct broker_case *c)
{
	for (unsigned i = 0; i < c->held_count; i++)
		__real_ledger_submit(c->b.log, c->held[i]);
	c->held_count = 0;
}

void
case_refuse(struct broker_case *c, signet_err err)
{
	struct ledger_op *refused[CASE_HELD];
	unsigned n = c->held_count;

	memcpy(refused, c->held, sizeof(refused));
	c->held_count = 0;
	for (unsigned i = 0; i < n; i++) {
		buf_init(&refused[i]->entry, SIGNET_ENTRY_MAX);
		refused[i]->err = err;
		refused[i]->done(refused[i]);
	}
}

/* --- configuration, start, stop --- */

const char case_tokens[] = "[token a]\nmodule = /usr/bin/env\nlabel = a\n"
			   "[token b]\nmodule = /usr/bin/env\nlabel = b\n"
			   "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%01\n"
			   "[key l]\ntoken = a\nuri = pkcs11:token=a;id=%02\n"
			   "[key m]\ntoken = b\nuri = pkcs11:token=b;id=%03\n";
const char case_rules[] =
    "[rule admin]\nuser = 900 901\nverbs = sign list unlock admin read-log read-own read-titles\nkeys = *\n"
    "[rule people]\nuser = 1000 1001\nverbs = sign list unlock read-own\nkeys = *\n"
    "[rule guest]\nuser = 1002\nverbs = sign list\nkeys = k\n";

void
case_configure(struct broker_case *c, const char *text)
{
	FILE *f = fopen(c->config, "w");

	must(f != NULL);
	fprintf(f, "[daemon]\nsocket = %s/s\nstate = %s\nlock-directory = %s\nown-uid = yes\nsandbox = no\n",
	    c->dir, c->dir, c->dir);
	fprintf(
	    f, "token-program = /usr/bin/sleep\n[log]\norigin = example.org/test\nreserve = 1M\n%s", text);
	must(fclose(f) == 0);
}

void
case_make(struct broker_case *c)
{
	const char *base = getenv("TMPDIR");
	char text[8192];

	memset(c, 0, sizeof(*c));
	c->presence = c->told = WIRE_PRESENT;
	c->flags = CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;
	c->uid = CASE_ALICE;
	snprintf(c->dir, sizeof(c->dir), "%.40s/signet-broker.XXXXXX", base == NULL ? "/tmp" : base);
	must(mkdtemp(c->dir) != NULL);
	snprintf(c->config, sizeof(c->config), "%s/conf", c->dir);
	snprintf(text, sizeof(text), "%s%s", case_tokens, case_rules);
	case_configure(c, text);
}

void
case_start(struct broker_case *c)
{
	char why[512];

	the_case = c;
	signal(SIGPIPE, SIG_IGN);
	c->running = true;
	if (broker_start(&c->b, c->config, why, sizeof(why)) != SIGNET_OK)
		broken("%s", why);
}

static void
bury(struct case_worker *w)
{
	if (!w->alive)
		return;
	w->alive = false;
	close(w->leash);
	for (unsigned i = 0; i < w->lanes; i++) {
		close(w->lane[i]);
		buf_done(&w->in[i]);
	}
}

static void
bury_watcher(struct case_watcher *w)
{
	if (!w->alive)
		return;
	w->alive = false;
	close(w->leash);
	close(w->fd);
	buf_done(&w->in);
}

static void
drop_jobs_of(struct broker_case *c, const struct case_worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->job_count; i++)
		if (c->jobs[i].worker != w)
			c->jobs[n++] = c->jobs[i];
	c->job_count = n;
}

void
case_stop(struct broker_case *c)
{
	time_t limit = time(NULL) + PATIENCE_S;

	broker_stop(&c->b);
	while (uv_loop_alive(&c->b.loop)) {
		case_turn(c);
		if (time(NULL) > limit)
			broken("the broker does not end");
	}
	must(broker_end(&c->b) == 0);
	c->running = false;
	for (unsigned i = 0; i < c->worker_count; i++)
		bury(&c->workers[i]);
	for (unsigned i = 0; i < c->watcher_count; i++)
		bury_watcher(&c->watchers[i]);
	c->worker_count = c->watcher_count = 0;
	c->job_count = 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
case_remove_dir(struct broker_case *c)
{
	(void)nftw(c->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- workers and watchers --- */

static void
say(int fd, const struct buf *b)
{
	size_t at = 0;

	must(!b->failed);
	while (at < b->len) {
		ssize_t n = send(fd, b->data + at, b->len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			must(poll(&p, 1, PATIENCE_S * 1000) == 1);
			continue;
		}
		if (n < 0)
			return; /* the broker has hung up */
		at += (size_t)n;
	}
}

static bool
is_unplugged(const struct broker_case *c, const char *token)
{
	for (size_t i = 0; i < array_len(c->unplugged); i++)
		if (strcmp(c->unplugged[i], token) == 0)
			return true;
	return false;
}

static void
send_seen(struct case_watcher *w, struct wire_seen *s)
{
	struct buf b;

	buf_init(&b, WIRE_FRAME_MAX);
	wire_put_seen(&b, s);
	say(w->fd, &b);
	buf_done(&b);
	wire_seen_done(s);
}

void
case_watcher_says(struct broker_case *c, struct case_watcher *w, enum wire_watch state, const char *reason)
{
	struct wire_seen s = {.state = (uint8_t)state};

	must(w != NULL && c->running);
	snprintf(s.reason, sizeof(s.reason), "%s", reason);
	send_seen(w, &s);
}

void
case_watcher_sees(struct broker_case *c, struct case_watcher *w, const char *hidden)
{
	struct wire_seen s = {.state = WIRE_WATCHING, .polling = w->polling};

	s.tokens = calloc(WIRE_SEEN_MAX, sizeof(*s.tokens));
	must(s.tokens != NULL);
	for (size_t i = 0; i < c->b.token_count; i++) {
		const struct config_token *conf = c->b.tokens[i]->conf;
		struct wire_seen_token *t = &s.tokens[s.count];

		if (is_unplugged(c, conf->name) || (hidden != NULL && strcmp(conf->name, hidden) == 0) ||
		    c->presence == WIRE_ABSENT)
			continue;
		t->slot = i;
		snprintf(t->serial, sizeof(t->serial), "%.63s", conf->serial != NULL ? conf->serial : conf->label);
		snprintf(t->label, sizeof(t->label), "%.63s", conf->label != NULL ? conf->label : conf->serial);
		s.count++;
	}
	send_seen(w, &s);
}

static void
all_watchers_see(struct broker_case *c)
{
	for (unsigned i = 0; i < c->watcher_count; i++)
		if (c->watchers[i].alive && c->watchers[i].configured)
			case_watcher_sees(c, &c->watchers[i], NULL);
}

void
case_plug(struct broker_case *c, const char *token)
{
	for (size_t i = 0; i < array_len(c->unplugged); i++)
		if (strcmp(c->unplugged[i], token) == 0)
			c->unplugged[i][0] = '\0';
	all_watchers_see(c);
}

void
case_unplug(struct broker_case *c, const char *token)
{
	size_t i = 0;

	while (i < array_len(c->unplugged) && c->unplugged[i][0] != '\0')
		i++;
	must(i < array_len(c->unplugged));
	snprintf(c->unplugged[i], sizeof(c->unplugged[i]), "%s", token);
	all_watchers_see(c);
}

struct case_watcher *
case_watcher(struct broker_case *c)
{
	for (unsigned i = c->watcher_count; i-- > 0;)
		if (c->watchers[i].alive)
			return &c->watchers[i];
	return NULL;
}

void
case_watcher_dies(struct broker_case *c, struct case_watcher *w)
{
	must(w != NULL && c->running);
	kill(w->pid, SIGKILL);
	bury_watcher(w);
}

static bool
serve_watcher(struct broker_case *c, struct case_watcher *w)
{
	uint8_t *at = buf_room(&w->in, 8192);
	ssize_t n = recv(w->fd, at, 8192, MSG_DONTWAIT);
	size_t len;

	must(at != NULL);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		bury_watcher(w);
		return true;
	}
	w->in.len += (size_t)n;
	len = wire_next(w->in.data, w->in.len, WIRE_FRAME_MAX);
	must(len != SIZE_MAX);
	if (len == 0)
		return true;
	must(!w->configured && wire_get_config(&w->config, w->in.data, len) == SIGNET_OK);
	w->configured = true;
	buf_consume(&w->in, len);
	if (!c->no_words)
		case_watcher_sees(c, w, NULL);
	return true;
}

static void
inform(struct broker_case *c, struct case_worker *w)
{
	struct wire_info *i = calloc(1, sizeof(*i));
	struct buf b;

	must(i != NULL);
	i->presence = (uint8_t)(is_unplugged(c, w->token) ? WIRE_ABSENT : c->presence);
	if (i->presence == WIRE_PRESENT) {
		if (c->serial != NULL)
			snprintf(i->serial, sizeof(i->serial), "%s", c->serial);
		else
			snprintf(i->serial, sizeof(i->serial), "serial-%.20s", w->config.label);
		snprintf(i->label, sizeof(i->label), "%s", w->config.label);
	}
	i->flags = c->flags;
	i->key_count = w->config.key_count;
	for (size_t k = 0; k < i->key_count && i->presence == WIRE_PRESENT; k++) {
		i->keys[k].state = WIRE_KEY_FOUND;
		i->keys[k].algorithm = WIRE_P256;
		if (c->cert_serial == NULL)
			continue;
		snprintf(i->keys[k].cert_serial, sizeof(i->keys[k].cert_serial), "%s", c->cert_serial);
		i->keys[k].cert_count = 1;
		i->keys[k].certs = calloc(1, sizeof(*i->keys[k].certs));
		must(i->keys[k].certs != NULL);
		i->keys[k].certs[0].len = 4;
	}
	buf_init(&b, WIRE_FRAME_MAX);
	wire_put_info(&b, i);
	say(w->lane[0], &b);
	buf_done(&b);
	wire_info_done(i);
	free(i);
	w->informed = true;
}

struct wire_result
case_result(const struct broker_case *c, unsigned n)
{
	const struct case_job *j = &c->jobs[n];
	struct wire_result r = {
	    .job = j->number, .logged_in = j->worker->logged_in, .flags = c->flags, .work_us = 50};

	must(n < c->job_count);
	if (j->pin[0] != '\0' && strcmp(j->pin, CASE_PIN) == 0) {
		r.login = WIRE_LOGIN_OK;
		r.logged_in = 1;
	} else if (j->pin[0] != '\0') {
		r.login = WIRE_LOGIN_REJECTED;
		r.logged_in = (j->flags & WIRE_RESTORE) != 0;
		r.err = SIGNET_ERR_PIN_INCORRECT;
		r.rv = CKR_PIN_INCORRECT;
		snprintf(r.stage, sizeof(r.stage), "login");
	}
	if (j->type == WIRE_SIGN && r.err == SIGNET_OK) {
		if (r.logged_in || (c->flags & CKF_LOGIN_REQUIRED) == 0) {
			r.sig_len = 64;
			memset(r.sig, 0x5a, r.sig_len);
		} else {
			r.err = SIGNET_ERR_PIN_REQUIRED;
			snprintf(r.stage, sizeof(r.stage), "login");
		}
	}
	if (j->type == WIRE_LOGOUT || (j->flags & WIRE_THEN_LOGOUT) != 0)
		r.logged_in = 0;
	return r;
}

void
case_answer(struct broker_case *c, unsigned n, struct wire_result *r)
{
	struct case_job j = c->jobs[n];
	struct buf b;

	must(n < c->job_count);
	memmove(&c->jobs[n], &c->jobs[n + 1], (--c->job_count - n) * sizeof(c->jobs[0]));
	j.worker->logged_in = r->logged_in;
	buf_init(&b, WIRE_FRAME_MAX);
	wire_put_result(&b, r);
	say(j.worker->lane[j.lane], &b);
	buf_done(&b);
}

void
case_answer_ok(struct broker_case *c, unsigned n)
{
	struct wire_result r = case_result(c, n);

	case_answer(c, n, &r);
}

static void
take_job(struct broker_case *c, struct case_worker *w, unsigned lane, uint8_t *frame, size_t len)
{
	struct case_job *j = &c->jobs[c->job_count];
	struct wire_job in;

	must(c->job_count < CASE_JOBS && wire_get_job(&in, frame, len) == SIGNET_OK);
	*j = (struct case_job){
	    .worker = w, .lane = lane, .type = in.type, .flags = in.flags, .number = in.job, .key = in.key};
	if (in.pin_in != NULL) {
		memcpy(j->pin, secret_bytes(in.pin_in), secret_len(in.pin_in));
		c->logins++;
	}
	wire_job_done(&in);
	c->job_count++;
	if (!c->no_answers)
		case_answer_ok(c, c->job_count - 1);
}

static void
take_frame(struct broker_case *c, struct case_worker *w, unsigned lane, uint8_t *frame, size_t len)
{
	if (w->configured) {
		take_job(c, w, lane, frame, len);
		return;
	}
	must(lane == 0 && wire_get_config(&w->config, frame, len) == SIGNET_OK);
	w->configured = true;
	if (!c->no_info)
		inform(c, w);
}

/* True: something was read. */
static bool
serve_lane(struct broker_case *c, struct case_worker *w, unsigned lane)
{
	struct buf *in = &w->in[lane];
	uint8_t *at = buf_room(in, 8192);
	ssize_t n = recv(w->lane[lane], at, 8192, MSG_DONTWAIT);
	size_t len;

	must(at != NULL);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		drop_jobs_of(c, w);
		bury(w);
		return true;
	}
	in->len += (size_t)n;
	while ((len = wire_next(in->data, in->len, WIRE_FRAME_MAX)) != 0) {
		must(len != SIZE_MAX);
		take_frame(c, w, lane, in->data, len);
		buf_consume(in, len);
	}
	return true;
}

static bool
serve_workers(struct broker_case *c)
{
	bool any = false;

	for (unsigned i = 0; i < c->worker_count; i++)
		for (unsigned l = 0; l < c->workers[i].lanes && c->workers[i].alive; l++)
			any = serve_lane(c, &c->workers[i], l) || any;
	for (unsigned i = 0; i < c->watcher_count; i++)
		if (c->watchers[i].alive)
			any = serve_watcher(c, &c->watchers[i]) || any;
	return any;
}

struct case_worker *
case_worker(struct broker_case *c, const char *token)
{
	for (unsigned i = c->worker_count; i-- > 0;)
		if (c->workers[i].alive && strcmp(c->workers[i].token, token) == 0)
			return &c->workers[i];
	return NULL;
}

void
case_worker_dies(struct broker_case *c, struct case_worker *w)
{
	must(w != NULL);
	kill(w->pid, SIGKILL);
	drop_jobs_of(c, w);
	bury(w);
}

/* --- turns --- */

/* Is there an event within this time? */
static bool
event_within(const struct broker_case *c, int timeout_ms)
{
	struct pollfd p[2 + CASE_WORKERS * 2 + CASE_WATCHERS];
	nfds_t n = 0;

	p[n++] = (struct pollfd){.fd = uv_backend_fd(&c->b.loop), .events = POLLIN};
	if (c->awaited != NULL)
		p[n++] = (struct pollfd){.fd = c->awaited->fd, .events = POLLIN};
	for (unsigned i = 0; i < c->worker_count; i++)
		for (unsigned l = 0; l < c->workers[i].lanes && c->workers[i].alive && n < 2 + CASE_WORKERS * 2; l++)
			p[n++] = (struct pollfd){.fd = c->workers[i].lane[l], .events = POLLIN};
	for (unsigned i = 0; i < c->watcher_count; i++)
		if (c->watchers[i].alive)
			p[n++] = (struct pollfd){.fd = c->watchers[i].fd, .events = POLLIN};
	return poll(p, n, timeout_ms) > 0;
}

static bool
turn(struct broker_case *c)
{
	bool busy;

	if (c->told != c->presence || c->told_config != c->b.config) {
		c->told = c->presence;
		c->told_config = c->b.config;
		all_watchers_see(c);
	}
	uv_run(&c->b.loop, UV_RUN_NOWAIT);
	busy = c->each_turn != NULL && c->each_turn();
	return serve_workers(c) || busy;
}

static void
wait_for_event(struct broker_case *c)
{
	int timeout = uv_backend_timeout(&c->b.loop);

	if (c->b.turns != NULL || timeout == 0 || !uv_loop_alive(&c->b.loop))
		return; /* the loop itself would go on */
	(void)event_within(c, timeout < 0 ? 1000 : timeout);
}

void
case_turn(struct broker_case *c)
{
	if (!turn(c))
		wait_for_event(c);
}

void
case_until(struct broker_case *c, bool (*is_so)(const struct broker_case *c, const void *arg),
    const void *arg, const char *what)
{
	time_t limit = time(NULL) + PATIENCE_S;

	while (!is_so(c, arg)) {
		if (!turn(c) && !is_so(c, arg))
			wait_for_event(c);
		if (time(NULL) > limit)
			broken("%s did not come true", what);
	}
}

void
case_quiet(struct broker_case *c)
{
	time_t limit = time(NULL) + PATIENCE_S;
	int still = 0;

	while (still < QUIET_TURNS) {
		bool busy = turn(c);

		if (c->b.log != NULL && ledger_pending(c->b.log) > 0) {
			(void)event_within(c, 100);
			busy = true;
		}
		still = busy || event_within(c, 0) ? 0 : still + 1;
		if (time(NULL) > limit)
			broken("it does not become quiet");
	}
}

struct wanted_state {
	const char *token;
	enum token_state state;
};

static bool
has_state(const struct broker_case *c, const void *arg)
{
	const struct wanted_state *w = arg;
	const struct token *t = broker_token(&c->b, w->token);

	return t != NULL && t->state == w->state;
}

void
case_until_state(struct broker_case *c, const char *token, enum token_state state)
{
	struct wanted_state w = {token, state};

	case_until(c, has_state, &w, "the token's state");
}

static bool
has_jobs(const struct broker_case *c, const void *arg)
{
	return c->job_count >= *(const unsigned *)arg;
}

void
case_until_jobs(struct broker_case *c, unsigned n)
{
	case_until(c, has_jobs, &n, "enough jobs at the workers");
}

static bool
has_held(const struct broker_case *c, const void *arg)
{
	return c->held_count >= *(const unsigned *)arg;
}

void
case_until_held(struct broker_case *c, unsigned n)
{
	case_until(c, has_held, &n, "enough operations held back from the log");
}

/* --- clients --- */

void
client_connect(struct broker_case *c, struct client *k, uid_t uid)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	c->uid = uid;
	k->fd = pair[1];
	buf_init(&k->in, 64 << 20);
	peer_accept(&c->b, pair[0]);
}

void
client_close(struct client *k)
{
	close(k->fd);
	buf_done(&k->in);
}

void
client_send_bytes(struct client *k, const void *bytes, size_t len)
{
	must(send(k->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

void
client_send(struct client *k, const char *fmt, ...)
{
	static char text[1 << 16];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	must(n >= 0 && (size_t)n < sizeof(text));
	client_send_bytes(k, text, (size_t)n + 1);
}

/* False at the end of the file. */
static bool
receive(struct client *k)
{
	for (;;) {
		uint8_t *at = buf_room(&k->in, 65536);
		ssize_t n;

		must(at != NULL);
		n = recv(k->fd, at, 65536, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		k->in.len += (size_t)n;
	}
}

static size_t
message_len(const struct client *k)
{
	const uint8_t *end = k->in.len > 0 ? memchr(k->in.data, 0, k->in.len) : NULL;

	return end == NULL ? SIZE_MAX : (size_t)(end - k->in.data);
}

bool
client_has_reply(struct client *k)
{
	(void)receive(k);
	return message_len(k) != SIZE_MAX;
}

json_t *
client_reply(struct broker_case *c, struct client *k)
{
	time_t limit = time(NULL) + PATIENCE_S;
	json_t *message = NULL;
	size_t len;

	c->awaited = k;
	while ((len = message_len(k)) == SIZE_MAX) {
		if (!receive(k) && message_len(k) == SIZE_MAX)
			broken("the broker has closed the connection");
		if (message_len(k) != SIZE_MAX)
			continue;
		case_turn(c);
		if (time(NULL) > limit)
			broken("no reply came");
	}
	c->awaited = NULL;
	must(json_read(&message, (const char *)k->in.data, len, NULL) == SIGNET_OK);
	buf_consume(&k->in, len + 1);
	return message;
}

void
client_until_closed(struct broker_case *c, struct client *k)
{
	time_t limit = time(NULL) + PATIENCE_S;

	c->awaited = k;
	while (receive(k)) {
		case_turn(c);
		if (time(NULL) > limit)
			broken("the broker does not close the connection");
	}
	c->awaited = NULL;
}

const char *
client_error(struct broker_case *c, struct client *k)
{
	static char name[128];
	json_t *reply = client_reply(c, k);
	const char *error = json_member_str(reply, "error");
	const char *dot = error != NULL ? strrchr(error, '.') : NULL;

	snprintf(name, sizeof(name), "%s", dot != NULL ? dot + 1 : "");
	json_decref(reply);
	return name;
}

const char *
client_call(struct broker_case *c, struct client *k, const char *fmt, ...)
{
	char text[8192];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	must(n >= 0 && (size_t)n < sizeof(text));
	client_send_bytes(k, text, (size_t)n + 1);
	return client_error(c, k);
}

const char *
case_digest(unsigned n)
{
	static char text[8 + 64 + 1];

	snprintf(text, sizeof(text), "sha256:%064x", n);
	return text;
}

json_int_t
case_used(const struct broker_case *c, uid_t uid, enum quota_kind kind)
{
	for (const struct quota_user *u = c->b.quota.users[uid % array_len(c->b.quota.users)]; u != NULL;
	     u = u->next)
		if (u->uid == uid)
			return (json_int_t)u->used[kind];
	return 0;
}

int
case_setup(void **state)
{
	static struct broker_case one;

	case_make(&one);
	case_start(&one);
	case_until_state(&one, "a", TOKEN_LOCKED);
	case_until_state(&one, "b", TOKEN_LOCKED);
	*state = &one;
	return 0;
}
