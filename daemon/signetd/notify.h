/*
 * What the service manager is told [sd_notify(3)]: ready, reloading, stopping,
 * a line of status, and at intervals that the daemon is alive. Alive means
 * that the loop, the log's writer and its reader all go round: one that is
 * stuck lets the watchdog bite, whatever the others do. Nothing happens where
 * there is no service manager.
 */
#ifndef SIGNET_SIGNETD_NOTIFY_H
#define SIGNET_SIGNETD_NOTIFY_H

#include <uv.h>

struct broker;

enum { NOTIFY_STATUS = 256 };

struct notify {
	struct broker *broker;
	uv_timer_t watchdog; /* four times per WatchdogSec= */
	char status[NOTIFY_STATUS]; /* as last told */
};

void notify_start(struct notify *n, struct broker *b);
void notify_ready(struct notify *n);
void notify_reloading(void);
void notify_reloaded(void);
void notify_stopping(void);
/* Tell the status if it has changed; the broker calls it every second. */
void notify_status(struct notify *n);
uv_handle_t *notify_handle(struct notify *n);

#endif
