/*
 * Sentences for the operator. `sd_journal_sendv` succeeds even where no
 * journal exists, so it is used only if systemd told us, by JOURNAL_STREAM,
 * that our standard error is connected to one [systemd.exec(5)].
 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static bool to_journal;

/* JOURNAL_STREAM is "device:inode" of the stream; a child with its own stderr inherits a stale one. */
static bool
stderr_is_journal(void)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

void
journal_open(void)
{
	to_journal = stderr_is_journal();
}

static void
defuse(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

enum { FIELDS_MAX = 10, FIELD_SIZE = 600 };

struct sheet {
	char text[FIELDS_MAX][FIELD_SIZE];
	struct iovec iov[FIELDS_MAX];
	int count;
};

static void
sheet_add(struct sheet *s, const char *name, const char *value)
{
	if (value == NULL || s->count == FIELDS_MAX)
		return;

	char *text = s->text[s->count];
	int n = snprintf(text, FIELD_SIZE, "%s=%s", name, value);

	defuse(text);
	s->iov[s->count].iov_base = text;
	s->iov[s->count].iov_len = n < FIELD_SIZE ? (size_t)n : FIELD_SIZE - 1;
	s->count++;
}

static void
send_to_journal(int priority, const struct journal_fields *f, const char *message)
{
	struct sheet s = {.count = 0};
	char number[16];

	sheet_add(&s, "MESSAGE", message);
	snprintf(number, sizeof(number), "%d", priority);
	sheet_add(&s, "PRIORITY", number);
	if (f != NULL) {
		sheet_add(&s, "MESSAGE_ID", f->message_id);
		sheet_add(&s, "SIGNET_TOKEN", f->token);
		sheet_add(&s, "SIGNET_KEY", f->key);
		sheet_add(&s, "SIGNET_RULE", f->rule);
		sheet_add(&s, "SIGNET_REQUEST", f->request);
		sheet_add(&s, "SIGNET_ERROR", f->error);
		if (f->has_uid) {
			snprintf(number, sizeof(number), "%u", f->uid);
			sheet_add(&s, "SIGNET_PEER_UID", number);
		}
	}
	(void)sd_journal_sendv(s.iov, s.count); /* there is no third place to report this to */
}

void
journal(int priority, const struct journal_fields *fields, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	defuse(message);
	if (to_journal)
		send_to_journal(priority, fields, message);
	else
		dprintf(STDERR_FILENO, "<%d>%s\n", priority, message);
}
