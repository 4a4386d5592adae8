/*
 * signetctl log: entries from the daemon or from copies of logs, one after the
 * other, whoever wants them: a listing, a verification, an export, a report.
 */
#ifndef SIGNET_SIGNETCTL_LOG_H
#define SIGNET_SIGNETCTL_LOG_H

#include <signet/log.h>

#include "base/keychain.h"
#include "base/tlog.h"
#include "ctl.h"

enum {
	LOG_FILTERS_MAX = 4,
	LOG_TIME = 28,          /* "2026-11-21T19:26:41.123456Z" and its NUL */
	LOG_LINE_MAX = 4 << 20, /* bytes of a line of an exported log */
};

/* One entry; valid until the callback returns. */
struct log_entry {
	const char *log; /* origin */
	uint64_t index;
	const char *text; /* as logged, `size` bytes and a NUL */
	size_t size;
	const json_t *wire; /* org.signetd.Log.Entry; NULL: from a published folder, or `scanned` */
	bool foreign;       /* from a copy: its users need not be those of this machine */
	json_t *read;       /* log_members() */
	const struct log_scanned *scanned; /* the same as `wire`, without a tree; NULL: there is none */
	json_t *scanned_wire;              /* log_wire() */
};

/* A reply of Log.Read, cut up: texts with a NUL; NULL: that member is not there. */
struct log_scanned {
	const char *reply; /* {"entry": {...}} */
	size_t size;
	uint64_t index;
	const char *entry, *leaf, *subtrees, *checkpoint;
	size_t entry_size;
	char *room; /* where the texts lie; log_scan_done() */
	size_t room_size;
};

/* False: it is of another form, and a tree has to tell. */
bool log_scan(struct log_scanned *s, const char *reply, size_t size);
void log_scan_done(struct log_scanned *s);
/* org.signetd.Log.Entry; NULL where there is none. */
const json_t *log_wire(struct log_entry *e);
/* A text member of it: "leafHash", "subtrees", "checkpoint"; NULL: it is not there. */
const char *log_stored(const struct log_entry *e, const char *name);
/* The bytes of an entry that is no text any more; NULL: it is one. free() it. */
char *log_stored_bytes(const json_t *wire, size_t *size);
/* What was read for this entry is given back. */
void log_entry_done(struct log_entry *e);

/* Its members. An entry that is no JSON has none. */
const json_t *log_members(struct log_entry *e);
const char *log_text(struct log_entry *e, const char *name); /* NULL: absent, or no text */
bool log_number(struct log_entry *e, const char *name, int64_t *out);
/* The object that org.signetd.Log.Entry would be, and `log`; a new reference. */
json_t *log_entry_json(struct log_entry *e);

/* The newest checkpoint of a log, as org.signetd.Log.Head has it. */
struct log_head {
	char *origin, *checkpoint, *key; /* checkpoint "", key "": none is known */
	json_t *keys;                    /* from the first to `key`; may be NULL */
	uint64_t size;
	char *root; /* base64 */
};

void log_head_done(struct log_head *h);
/* Of the daemon. CTL_OK, or the exit code after the fault was printed. */
int log_head(struct ctl *c, struct log_head *h);

struct log_failure {
	signet_err err;
	char message[512];
};

struct log_query {
	json_t *filter
	    [LOG_FILTERS_MAX]; /* as org.signetd.Log.Filter; an entry that passes any of them is wanted */
	size_t filter_count;   /* 0: every entry */
	uint64_t from;
	uint64_t limit; /* 0: to the end */
	bool own, follow, titles, hashes;
	bool progress; /* show on a terminal how far it is; `total` entries */
	uint64_t total;
	bool tell;                   /* folders: print each fault */
	struct log_failure *failure; /* not NULL: what the daemon refused is put there, not printed */
	bool believe;                /* copies: do not warn of faults, whoever asks looks for them himself */
};

void log_query_done(struct log_query *q);

/* Return true to go on. */
typedef bool log_entry_fn(void *arg, struct log_entry *e);

/*
 * Each entry that is asked for, in order, from the copies on the command line, one after the other, or else from the
 * daemon. The exit code; faults were printed.
 */
int log_read(struct ctl *c, const struct log_query *q, log_entry_fn *fn, void *arg);

/* log_copy.c */
bool log_is_folder(const char *path);
/* One copy. `head`, may be NULL: out, what it says of itself. Also says how it can be verified. */
struct log_copy {
	struct log_head head;
	bool folder;
	bool complete; /* a file: every entry from 0 to the head's size was in it */
	uint64_t entries;
	signet_log_check check; /* a folder */
	signet_err err;         /* a folder: of its verification */
};
void log_copy_done(struct log_copy *copy);
/* Only that. CTL_OK, or the exit code after the fault was printed. */
int log_copy_head(const char *path, struct log_head *head);
int log_copy_read(struct ctl *c, const char *path, const struct log_query *q, const signet_checkpoint *since,
    log_entry_fn *fn, void *arg, struct log_copy *copy);

/* log_filter.c: options into a query. CTL_OK, or the exit code after the fault was printed. */
int log_query_read(struct ctl *c, struct log_query *q);
/* Does the entry pass? Decided here, for copies. */
bool log_passes(const struct log_query *q, struct log_entry *e);
/* "sha256:<hex>" of a file's bytes, or NULL after the fault was printed. free() it. */
char *log_hash_of_file(const char *path);
char *log_hash_text(const void *bytes, size_t size);

/* log_time.c: "2026-11-21", "2026-11-21 10:30[:00]" in local time, or RFC 3339 with a Z. `end`: the end of what is named. */
bool log_time_read(const char *text, bool end, char out[LOG_TIME]);

/* log_key.c: --vkey, text or a file with it. *key is NULL where it is not given; free() it. */
int log_vkey(struct ctl *c, char **key);
/* All of a file, with a NUL; NULL after the fault was printed. */
char *log_file(const char *path, size_t max, size_t *size);

/* The number of an entry, as text. */
bool log_index_read(const char *text, uint64_t *index);

/* log_print.c */
void log_print_heading(bool several);
void log_print_line(struct log_entry *e, bool several);
void log_print_details(struct log_entry *e);
/* The name of the user whose number stands in the entry, or the number. `out` has 64 bytes. */
const char *log_user(char *out, const struct log_entry *e, int64_t uid);
/* Texts behind the entry's hashes, NULL where there is none. */
const char *log_opening(struct log_entry *e, const char *field);

/* log_progress.c: a line on the terminal, if there is one. */
void log_progress(uint64_t done, uint64_t total);
void log_progress_end(void);

/* log_walk.c: entry after entry into a tree, against the hashes and checkpoints that were stored with them. */
struct log_walk {
	const struct note_key *key; /* NULL: signatures are not looked at */
	struct note_key trusted;    /* that one, and then those that follow from it */
	const json_t *keys;         /* all that the log names, may be NULL: stored checkpoints may be by any of them */
	uint64_t key_changes;
	const char *origin;
	const signet_checkpoint *since;
	struct tlog_tree computed; /* from the entries */
	struct tlog_tree stored;   /* from the hashes stored with them: the same until they differ */
	bool differ;
	uint64_t first_difference;
	uint64_t entries, checkpoints, faults;
	uint64_t good_until; /* entries that the last good checkpoint has */
	bool lost;           /* behind a checkpoint that fits no tree: nothing more can be compared */
	bool gap;            /* entries are missing: the tree cannot be computed */
	bool unread;         /* so are those at the end, for the daemon cannot read them */
	bool quiet;          /* faults are counted, not printed */
	char first_fault[256];
};

void log_walk_begin(
    struct log_walk *w, const struct note_key *key, const char *origin, const signet_checkpoint *since);
void log_walk_entry(struct log_walk *w, struct log_entry *e);
/* Entry after entry cannot be read from here on. */
void log_walk_unread(struct log_walk *w, const char *why);
/* The tree against a checkpoint that is known to be good. */
void log_walk_end(struct log_walk *w, const signet_checkpoint *head);
/* Is this note, the newest checkpoint, by the key that was trusted, or one that followed? False: it was told. */
bool log_walk_signed(struct log_walk *w, const char *note);
/* About an entry of kind "origin": a sentence. free() it; NULL: it is none. */
char *log_continues(struct log_entry *e);

/* What a verification found out about one log. */
struct log_verdict {
	char *place; /* the copy; NULL: the daemon */
	char *origin;
	char *key;          /* vkey with which it was verified; NULL: none was given */
	bool key_was_given; /* by --vkey, not by the daemon itself */
	uint64_t entries, from, checkpoints, faults;
	bool good;
	char fault[256];
	char *checkpoint; /* note that was verified */
	uint64_t key_changes; /* from the key to the one that signed it, which then is `newest` */
	char *newest;
	char *continues; /* what log it continues, a sentence; NULL: none */
};

void log_verdict_done(struct log_verdict *v);
/*
 * Verify one log (`copy` NULL: the daemon's) and hand each entry to fn (may be NULL). tell: print each fault. CTL_OK, also where faults were
 * found (verdict), or the exit code after the fault was printed.
 */
int log_verify(struct ctl *c, const char *copy, const signet_checkpoint *since, struct log_verdict *v,
    bool tell, log_entry_fn *fn, void *arg);
/* One line for people: good, or what is wrong. free() it. */
char *log_verdict_text(const struct log_verdict *v);

/* log_csv.c */
void log_csv_heading(FILE *f);
void log_csv_line(FILE *f, struct log_entry *e);

/* log_tally.c: things that are counted by name. */
struct tally_row {
	char *name;
	uint64_t count, ok, failed, refused, unknown;
	char last[LOG_TIME];
};

struct tally {
	json_t *places; /* name -> index into rows */
	struct tally_row *rows;
	size_t count, room;
};

struct tally_row *tally_at(struct tally *t, const char *name);
void tally_add(struct tally *t, const char *name, const char *outcome, const char *time);
void tally_sort(struct tally *t, bool by_name);
void tally_done(struct tally *t);

/* log_report.c, log_html.c */
struct report_refusal {
	char time[LOG_TIME];
	char *log, *who, *what, *why;
	uint64_t index, repeated;
};

struct report_certificate {
	char *key, *subject, *not_after;
	bool soon;
};

enum { REPORT_LISTED = 500 };

struct report {
	char from[LOG_TIME], until[LOG_TIME]; /* asked for; "": open */
	char first[LOG_TIME], last[LOG_TIME]; /* found */
	uint64_t entries;
	struct tally keys, people, organisations, operations, days, logs;
	struct report_refusal refusals[REPORT_LISTED], pins[REPORT_LISTED], seals[REPORT_LISTED];
	uint64_t refusal_count, pin_count, seal_count; /* more than are listed */
	struct report_certificate *certificates;
	size_t certificate_count;
	bool keys_known;          /* the daemon told of them */
	json_t *key_organisation; /* key -> organisation */
	struct log_verdict *verdicts;
	size_t verdict_count;
};

void report_entry(struct report *r, struct log_entry *e);
void report_done(struct report *r);
void report_html(const struct report *r, FILE *f);

/*
 * An entry and its proof by the daemon, which hold by `vkey`. free() both. CTL_OK, or the exit code after the fault was
 * printed.
 */
int log_prove(struct ctl *c, uint64_t index, const char *vkey, char **entry, char **proof);

int verb_log_show(struct ctl *c);
int verb_log_search(struct ctl *c);
int verb_log_follow(struct ctl *c);
int verb_log_head(struct ctl *c);
int verb_log_prove(struct ctl *c);
int verb_log_verify(struct ctl *c);
int verb_log_export(struct ctl *c);
int verb_log_report(struct ctl *c);
int verb_log_erase(struct ctl *c);
int verb_log_new_key(struct ctl *c);
int verb_log_recover(struct ctl *c);
int verb_backup(struct ctl *c);
int verb_restore(struct ctl *c);
int verb_mine(struct ctl *c);
int verb_receipt(struct ctl *c);
int verb_receipt_verify(struct ctl *c);

#endif
