/*
 * See notify.h. The watchdog's message is sent only when the log's threads have
 * answered since the last one, and it is sent from the loop: so it proves all three.
 */
#include "notify.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "broker.h"
#include "token.h"

enum { FEEDS_PER_TIMEOUT = 4 }; /* one late feed is no reason to be killed */

static void
on_watchdog(uv_timer_t *timer)
{
	struct notify *n = timer->data;

	if (n->broker->log == NULL || ledger_beats(n->broker->log))
		sd_notify(0, "WATCHDOG=1");
}

void
notify_start(struct notify *n, struct broker *b)
{
	uint64_t timeout_us = 0, every;

	memset(n, 0, sizeof(*n));
	n->broker = b;
	uv_timer_init(&b->loop, &n->watchdog);
	n->watchdog.data = n;
	if (sd_watchdog_enabled(0, &timeout_us) <= 0)
		return;
	every = timeout_us / 1000 / FEEDS_PER_TIMEOUT;
	uv_timer_start(&n->watchdog, on_watchdog, 0, every > 0 ? every : 1);
}

/* "2 of 3 tokens usable (clerk: absent), log has 17 entries": names as the configuration gives them. */
static void
describe(const struct broker *b, char *out, size_t size)
{
	size_t usable = 0, len;
	int n;

	for (size_t i = 0; i < b->token_count; i++)
		usable += b->tokens[i]->state == TOKEN_LOCKED || b->tokens[i]->state == TOKEN_READY;
	n = snprintf(out, size, "%s%zu of %zu tokens usable",
	    b->log != NULL && ledger_available(b->log) ? "" : "nothing is signed, the log cannot be written; ", usable,
	    b->token_count);
	len = n > 0 && (size_t)n < size ? (size_t)n : size - 1;
	for (size_t i = 0, told = 0; i < b->token_count && told < 3; i++) {
		const struct token *t = b->tokens[i];

		if (t->state != TOKEN_BLOCKED && t->state != TOKEN_FAILED)
			continue;
		n = snprintf(out + len, size - len, "%s%s %s", told == 0 ? "; " : ", ", t->conf->name,
		    token_state_name(t));
		len = n > 0 && len + (size_t)n < size ? len + (size_t)n : size - 1;
		told++;
	}
}

void
notify_status(struct notify *n)
{
	char now[NOTIFY_STATUS];

	describe(n->broker, now, sizeof(now));
	if (strcmp(now, n->status) == 0)
		return;
	memcpy(n->status, now, sizeof(now));
	sd_notifyf(0, "STATUS=%s", now);
}

void
notify_ready(struct notify *n)
{
	sd_notify(0, "READY=1");
	notify_status(n);
}

void
notify_reloading(void)
{
	sd_notify(0, "RELOADING=1");
}

void
notify_reloaded(void)
{
	sd_notify(0, "READY=1");
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

uv_handle_t *
notify_handle(struct notify *n)
{
	return (uv_handle_t *)&n->watchdog;
}
