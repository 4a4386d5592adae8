/*
 * Nothing here is remembered: each sentence is derived from the state of the
 * moment it is asked for.
 */
#include "warnings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "broker.h"
#include "clock.h"
#include "ledger/proof.h"
#include "disabled.h"
#include "token.h"

static void warn(json_t *list, const char *fmt, ...) printf_like(2, 3);

static void
warn(json_t *list, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_string(text));
}

static void
about_disk(json_t *list, const struct broker *b)
{
	struct statvfs fs;
	unsigned long long used;

	if (statvfs(b->config->state, &fs) < 0 || fs.f_blocks == 0)
		return;
	used = (unsigned long long)(fs.f_blocks - fs.f_bavail) * 100 / fs.f_blocks;
	if (used >= WARN_DISK_PERCENT)
		warn(list, "the disk that holds %s is %llu %% full: without room for the log nothing is signed",
		    b->config->state, used);
}

static void
about_log(json_t *list, const struct broker *b)
{
	if (!ledger_available(b->log))
		warn(list, "nothing is signed: %s", ledger_why(b->log));
	if (ledger_tiles_why(b->log)[0] != '\0')
		warn(list, "%s", ledger_tiles_why(b->log));
	if (ledger_key_why(b->log)[0] != '\0')
		warn(list, "%s", ledger_key_why(b->log));
	if (b->anchor_missing)
		warn(list, "the anchor %s was missing at the start: put it back, it tells whether the log was rolled back",
		    b->config->anchor);
	if (strcmp(clock_state(NULL), "unsynchronised") == 0)
		warn(list, "the clock is not synchronised: set up time synchronisation; every entry says so meanwhile");
	if (!b->config->sandbox)
		warn(list, "sandbox = off: token drivers run unconfined");
}

/* 60, 30 and 7 days before it ends, in words that grow louder. */
static void
about_certificate(json_t *list, const struct key *k, int64_t now_s)
{
	int64_t days = (k->info.not_after - now_s) / 86400;

	if (k->info.not_after == 0 || days >= 60)
		return;
	if (now_s >= k->info.not_after)
		warn(list, "the certificate of key %s has expired: have it renewed", k->conf->name);
	else
		warn(list, "the certificate of key %s ends in %lld days: have it renewed%s", k->conf->name, (long long)days,
		    days < 7 ? " at once" : days < 30 ? " now" : "");
}

static void
about_token(json_t *list, const struct token *t)
{
	const char *name = t->conf->name;

	if (t->state == TOKEN_FAILED)
		warn(list, "token %s does not work: %s", name, t->reason);
	if (t->state == TOKEN_BLOCKED)
		warn(list, "the PIN of token %s is blocked: whoever issued it can help", name);
	else if (t->pin->final_try)
		warn(list, "token %s has one PIN try left", name);
	if (t->conf->credential != NULL && t->pin->note[PIN_STORED].failures > 0)
		warn(list, "the stored PIN of token %s was refused: renew the credential, then enter the same PIN once "
			   "(`signetctl token unlock %s`)", name, name);
}

json_t *
warnings_list(const struct broker *b)
{
	json_t *list = json_array();
	int64_t now_s = clock_now_us(NULL) / 1000000;

	if (list == NULL)
		return NULL;
	about_log(list, b);
	for (const struct disabled *d = b->disabled; d != NULL; d = d->next)
		warn(list, "key %s is disabled since %s: %s", d->name, d->since, d->reason);
	about_disk(list, b);
	for (size_t t = 0; t < b->token_count; t++) {
		about_token(list, b->tokens[t]);
		for (size_t i = 0; i < b->tokens[t]->key_count; i++)
			about_certificate(list, &b->tokens[t]->keys[i], now_s);
	}
	return list;
}
