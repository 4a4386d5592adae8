/*
 * Entries that no job carries: start, stop, reload, token events, refusals.
 * Members are added in the order of <signet/log.h>; the ledger puts v, kind,
 * time, boot, index and clock in front.
 */
#ifndef SIGNET_SIGNETD_ENTRY_H
#define SIGNET_SIGNETD_ENTRY_H

#include "base/base.h"

struct broker;
struct entry;
struct identity;
struct token;

/* `kind` is a static string. `who` may be NULL. NULL without memory, which is said in the journal. */
struct entry *entry_new(struct broker *b, const char *kind, const struct identity *who);
void entry_str(struct entry *e, const char *name, const char *value);
void entry_int(struct entry *e, const char *name, uint64_t value);
/* Text of a JSON value. */
void entry_raw(struct entry *e, const char *name, const char *json, size_t len);
/* Members as text, without outer commas. */
void entry_members(struct entry *e, const char *members);
/* The hash of salt and text; the text lies apart. `field` is a static string. */
void entry_opening(struct entry *e, const char *field, const char *text);
/* The same transaction erases the texts behind another entry; "" means all of them. */
void entry_erases(struct entry *e, uint64_t index, const char *field);
/* From this entry on another key signs the log; its members come last. */
void entry_changes_key(struct entry *e);
/* Be told when it is durable, or that it is not. */
void entry_tell(struct entry *e, void (*told)(void *arg, signet_err err, uint64_t index), void *arg);
/* The one to be told has gone. */
void entry_forget(struct entry *e);
/* Hand it to the log; it is freed when it is durable. What cannot be logged is said in the journal. */
void entry_append(struct entry *e);

/* token came, went, failed, was blocked or unlocked by its credential */
void entry_token(struct broker *b, const struct token *t, const char *state, const char *detail, uint64_t repeated);

#endif
