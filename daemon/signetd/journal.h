/*
 * What people read: a plain sentence and structured fields. The only file that
 * calls sd_journal_*. Without a journal the same goes to standard error, one
 * line each. Callers never pass a secret, nor bytes of a peer that were not
 * checked: control characters are replaced here all the same.
 */
#ifndef SIGNET_SIGNETD_JOURNAL_H
#define SIGNET_SIGNETD_JOURNAL_H

#include <sys/types.h>
#include <syslog.h>

#include "base/base.h"

struct journal_fields { /* all may be NULL or absent */
	const char *message_id; /* SIGNET_MSG_*: an operator must act */
	const char *token, *key, *rule, *request;
	const char *error;
	bool has_uid;
	uid_t uid;
};

/* Something an operator must act on has a message id and an entry in the catalog. */
#define SIGNET_MSG_LOG_UNAVAILABLE "2e0b7a51b8a94c5fa61c0a4e61a3c7d1"
#define SIGNET_MSG_TOKEN_FAILED "7b8c1f4f0c9e4be0b93f2a0f6c6d8e52"
#define SIGNET_MSG_PIN_REJECTED "c3f0d9a4a5b14d2e8b0f5b7d2f1e9a63"
#define SIGNET_MSG_SANDBOX_OFF "a9d4e7c2f3b84610975e1c0d8b2f6a74"
#define SIGNET_MSG_RELOAD_FAILED "5d2c8b7e9f0a4316b4e8d7a6c5f3b285"

void journal_open(void);
void journal(int priority, const struct journal_fields *fields, const char *fmt, ...) printf_like(3, 4);

#define say_info(...) journal(LOG_INFO, NULL, __VA_ARGS__)
#define say_warning(...) journal(LOG_WARNING, NULL, __VA_ARGS__)
#define say_error(...) journal(LOG_ERR, NULL, __VA_ARGS__)

#endif
