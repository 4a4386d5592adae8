/*
 * The watcher: which tokens does a module show? It sends no PIN, logs in
 * nowhere and opens no session; it looks at slots and at what tokens say of
 * themselves to everybody.
 *
 * Where the module lets a thread wait for slot events, a token is read when an
 * event names its slot and left in peace otherwise: a card that works for
 * somebody should not be asked every second who it is. Where the module cannot
 * do that, slots and tokens are looked at once a second.
 *
 * It repairs nothing. When the module fails after it had worked, or the reader
 * service ends, the watcher says so and ends; the broker starts another one.
 * [PKCS #11 2.40, 5.5 C_GetSlotList, C_GetTokenInfo, C_WaitForSlotEvent]
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "token/worker.h"

enum {
	ROUND_MS = 1000,       /* between two looks, where events do not tell */
	WORKED_MS = 1000,      /* a wait that fails sooner is one that the module does not have */
	BREATH_MS = 20,	       /* between two events */
	IDLE_EVENTS_MAX = 100, /* events in a row that changed nothing: the module does not mean them */
	UNREADABLE_ROUNDS = 30, /* a card may need its time after it was inserted */
	EVENTS_KEPT = 16,
};

struct events { /* between the thread that waits and the one that looks */
	pthread_mutex_t lock;
	CK_FUNCTION_LIST *p11;
	int wake; /* eventfd */
	size_t count;
	CK_SLOT_ID slot[EVENTS_KEPT];
	bool all;	     /* more than that: look at every token */
	bool ended;	     /* the wait failed: with rv, after `lasted_ms` or after it had worked */
	bool worked, unwanted;
	CK_RV rv;
	int64_t lasted_ms;
};

struct watch {
	CK_FUNCTION_LIST *p11;
	struct events events;
	int service;
	struct wire_seen now;
	unsigned unreadable_rounds, idle_events;
	bool unreadable, told;
	int64_t told_ms;
};

static int64_t
now_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* --- what is told --- */

static void
tell(struct watch *w)
{
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_seen(&out, &w->now);
	if (out.failed)
		_exit(EX_OSERR);
	lane_send(SIGNET_TOKEN_FD, out.data, out.len);
	buf_done(&out);
	w->told = true;
	w->told_ms = now_ms();
}

static _Noreturn void
tell_and_end(struct watch *w, uint8_t state)
{
	wire_seen_done(&w->now);
	w->now.state = state;
	tell(w);
	_exit(EX_OK);
}

static _Noreturn void
lost(struct watch *w, const char *what, CK_RV rv)
{
	text_printf(w->now.reason, sizeof(w->now.reason), "%s: %s", what, ckr_name((uint32_t)rv));
	tell_and_end(w, WIRE_WATCH_LOST);
}

/* --- events --- */

/* False: enough, nobody listens any more. */
static bool
note_event(struct events *e, CK_SLOT_ID slot)
{
	bool wanted;

	pthread_mutex_lock(&e->lock);
	e->worked = true;
	if (e->count < EVENTS_KEPT)
		e->slot[e->count++] = slot;
	else
		e->all = true;
	wanted = !e->unwanted;
	pthread_mutex_unlock(&e->lock);
	return wanted;
}

static void
note_end(struct events *e, CK_RV rv, int64_t lasted_ms)
{
	pthread_mutex_lock(&e->lock);
	e->ended = true;
	e->rv = rv;
	e->lasted_ms = lasted_ms;
	pthread_mutex_unlock(&e->lock);
}

static void
wake(const struct events *e)
{
	uint64_t one = 1;

	(void)!write(e->wake, &one, sizeof(one)); /* full: it is awake */
}

static void *
wait_for_events(void *arg)
{
	struct events *e = arg;
	const struct timespec breath = {0, BREATH_MS * 1000000};

	for (;;) {
		int64_t since = now_ms();
		CK_SLOT_ID slot = 0;
		CK_RV rv = e->p11->C_WaitForSlotEvent(0, &slot, NULL);

		if (rv != CKR_OK) {
			note_end(e, rv, now_ms() - since);
			wake(e);
			return NULL;
		}
		if (!note_event(e, slot))
			return NULL;
		wake(e);
		nanosleep(&breath, NULL);
	}
}

static void
start_events(struct watch *w, bool by_polling)
{
	struct events *e = &w->events;
	pthread_t thread;

	pthread_mutex_init(&e->lock, NULL);
	e->p11 = w->p11;
	e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->wake < 0)
		_exit(EX_OSERR);
	w->now.polling = by_polling || w->p11->C_WaitForSlotEvent == NULL ||
			 pthread_create(&thread, NULL, wait_for_events, e) != 0;
	if (!w->now.polling) /* it may wait for ever, so nobody waits for it */
		pthread_detach(thread);
}

/* Takes what was noted; a wait that has failed makes this a watcher by polling, or ends it. */
static void
take_events(struct watch *w, struct events *taken)
{
	struct events *e = &w->events;
	uint64_t count;

	(void)!read(e->wake, &count, sizeof(count));
	pthread_mutex_lock(&e->lock);
	*taken = *e;
	e->count = 0;
	e->all = false;
	e->ended = false;
	e->unwanted = w->now.polling;
	pthread_mutex_unlock(&e->lock);
	if (!taken->ended)
		return;
	if (taken->worked || taken->lasted_ms >= WORKED_MS)
		lost(w, "C_WaitForSlotEvent", taken->rv);
	w->now.polling = 1;
}

/* --- looking --- */

static bool
must_read(const struct watch *w, const struct events *e, CK_SLOT_ID slot)
{
	if (w->now.polling || e->all)
		return true;
	for (size_t i = 0; i < e->count; i++)
		if (e->slot[i] == slot)
			return true;
	return false;
}

static const struct wire_seen_token *
known(const struct watch *w, CK_SLOT_ID slot)
{
	for (size_t i = 0; i < w->now.count; i++)
		if (w->now.tokens[i].slot == slot)
			return &w->now.tokens[i];
	return NULL;
}

static bool
same_token(const struct wire_seen_token *a, const struct wire_seen_token *b)
{
	return a->slot == b->slot && strcmp(a->serial, b->serial) == 0 && strcmp(a->label, b->label) == 0 &&
	       strcmp(a->manufacturer, b->manufacturer) == 0 && strcmp(a->model, b->model) == 0;
}

/* False: there is none, or it cannot be read now. */
static bool
read_token(const struct watch *w, CK_SLOT_ID slot, struct wire_seen_token *out)
{
	CK_TOKEN_INFO about;
	CK_SLOT_INFO reader;

	memset(&about, 0, sizeof(about));
	memset(&reader, 0, sizeof(reader));
	memset(out, 0, sizeof(*out));
	if (w->p11->C_GetTokenInfo(slot, &about) != CKR_OK)
		return false;
	out->slot = slot;
	out->flags = (uint32_t)about.flags;
	text_field(out->serial, sizeof(out->serial), about.serialNumber, sizeof(about.serialNumber));
	text_field(out->label, sizeof(out->label), about.label, sizeof(about.label));
	text_field(out->manufacturer, sizeof(out->manufacturer), about.manufacturerID, sizeof(about.manufacturerID));
	text_field(out->model, sizeof(out->model), about.model, sizeof(about.model));
	if (w->p11->C_GetSlotInfo != NULL && w->p11->C_GetSlotInfo(slot, &reader) == CKR_OK)
		text_field(out->reader, sizeof(out->reader), reader.slotDescription, sizeof(reader.slotDescription));
	return true;
}

/* Flags are those of when it came: they change with every login, and nobody waits to hear of it. */
static bool
look_at(const struct watch *w, const struct events *e, CK_SLOT_ID slot, struct wire_seen_token *out)
{
	const struct wire_seen_token *before = known(w, slot);

	if (before != NULL && !must_read(w, e, slot)) {
		*out = *before;
		return true;
	}
	if (!read_token(w, slot, out))
		return false;
	if (before != NULL && same_token(before, out))
		*out = *before;
	return true;
}

/* True: it is not what was told last. */
static bool
take_over(struct watch *w, struct wire_seen_token *list, uint16_t count)
{
	bool changed = count != w->now.count;

	for (uint16_t i = 0; i < count && !changed; i++)
		changed = !same_token(&list[i], &w->now.tokens[i]);
	wire_seen_done(&w->now);
	w->now.tokens = list;
	w->now.count = count;
	return changed;
}

/* True: something has changed. */
static bool
look(struct watch *w)
{
	struct wire_seen_token *list = calloc(WIRE_SEEN_MAX, sizeof(*list)), *fitting;
	CK_SLOT_ID *slots = NULL;
	CK_ULONG count = 0;
	struct events e;
	uint16_t n = 0;
	CK_RV rv;

	if (list == NULL)
		_exit(EX_OSERR);
	take_events(w, &e);
	rv = slots_with_token(w->p11, &slots, &count);
	if (rv != CKR_OK)
		lost(w, "C_GetSlotList", rv);
	w->unreadable = false;
	for (CK_ULONG i = 0; i < count && n < WIRE_SEEN_MAX; i++) {
		if (look_at(w, &e, slots[i], &list[n]))
			n++;
		else
			w->unreadable = true;
	}
	free(slots);
	fitting = n > 0 ? reallocarray(list, n, sizeof(*list)) : NULL; /* kept for long: no more than is needed */
	if (n == 0)
		free(list);
	else if (fitting != NULL)
		list = fitting;
	if (e.count > 0)
		w->unreadable_rounds = 0;
	w->unreadable_rounds = w->unreadable ? w->unreadable_rounds + 1 : 0;
	if (!take_over(w, n > 0 ? list : NULL, n)) {
		w->idle_events += (unsigned)e.count;
		if (w->idle_events > IDLE_EVENTS_MAX)
			w->now.polling = 1;
		return false;
	}
	w->idle_events = 0;
	return true;
}

/* --- waiting --- */

static int
patience_ms(const struct watch *w)
{
	int64_t left;

	if (w->now.polling || (w->unreadable && w->unreadable_rounds <= UNREADABLE_ROUNDS))
		return ROUND_MS;
	left = w->told_ms + WIRE_BEAT_MS - now_ms();
	return left < 0 ? 0 : (int)left;
}

/* Ends the process when the broker has, or the reader service. */
static void
rest(struct watch *w)
{
	struct pollfd fds[] = {{.fd = SIGNET_TOKEN_FD, .events = POLLIN | POLLRDHUP}, {.fd = w->service, .events = POLLIN},
	    {.fd = w->events.wake, .events = POLLIN}};

	if (poll(fds, array_len(fds), patience_ms(w)) < 0 && errno != EINTR)
		_exit(EX_OSERR);
	if (fds[0].revents != 0) /* the broker says nothing after CONFIG: this is its end */
		_exit(EX_OK);
	if (fds[1].revents != 0) {
		text_printf(w->now.reason, sizeof(w->now.reason), "the reader service ended or was restarted");
		tell_and_end(w, WIRE_WATCH_LOST);
	}
}

static void
set_up(struct watch *w, const struct wire_config *c, bool by_polling)
{
	char *reason = w->now.reason;
	size_t size = sizeof(w->now.reason);
	bool answers;

	if (c->confine && !confine_files(c, reason, size))
		tell_and_end(w, WIRE_WATCH_BROKEN);
	w->p11 = module_load(c->module, by_polling, reason, size);
	if (w->p11 == NULL || (c->confine && !confine_calls(reason, size)))
		tell_and_end(w, WIRE_WATCH_BROKEN);
	w->service = service_hold(&answers);
	if (!answers) {
		text_printf(reason, size, "the reader service (pcscd) does not answer");
		tell_and_end(w, WIRE_WATCH_LOST);
	}
}

void
watch_serve(const struct wire_config *c, bool by_polling)
{
	static struct watch watch;
	struct watch *w = &watch;

	w->now.state = WIRE_WATCHING;
	set_up(w, c, by_polling);
	start_events(w, by_polling);
	for (;;) {
		if (look(w) || !w->told || now_ms() - w->told_ms >= WIRE_BEAT_MS)
			tell(w);
		rest(w);
	}
}
