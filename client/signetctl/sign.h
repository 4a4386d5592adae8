/* signetctl sign: one job of one or more files with one key. */
#ifndef SIGNET_SIGNETCTL_SIGN_H
#define SIGNET_SIGNETCTL_SIGN_H

#include "ctl.h"
#include "hash.h"
#include "pick.h"
#include "pin.h"

enum file_state {
	FILE_WAITING, /* to be signed */
	FILE_DONE,    /* signed, and the signature is where it belongs */
	FILE_KEPT,    /* --resume: its signature was there and is good */
	FILE_FAILED,
};

struct file {
	const char *path;
	char *out; /* NULL: standard output */
	uint8_t digest[SIGNET_DIGEST_MAX];
	char request_id[160];
	enum file_state state;
	int code;       /* of a failure */
	char *why;      /* of a failure, one sentence */
	signet_err err; /* of a failure that the daemon reported */
	uint64_t index;
	json_t *result; /* signature and receipt for --json */
};

struct job {
	struct ctl *c;
	struct file *files;
	size_t count;
	signet_hash hash;
	struct picked key;
	struct pin pin;
	const char *format; /* raw, cades or pades */
	/*
	 * What the file at `out` becomes, made of the signature; NULL: the signature itself. 0, or an errno. The
	 * bytes belong to who makes them.
	 */
	int (*compose)(void *arg, const signet_result *r, const uint8_t **bytes, size_t *size);
	void *compose_arg;
	unsigned timeout_ms;
	bool progress;  /* a line on the terminal that counts */
	bool recovered; /* after a lost answer it was asked what became of the files */
	bool ended;     /* the daemon's last word was printed: what is open ended with it */
};

/* sign_files.c: the files, where their signatures go, their digests. CTL_OK, or the exit code. */
int files_read(struct job *j);
/* Instead: one file whose digest is the caller's; its signature goes to `out`, which the job takes. */
int files_one(struct job *j, const char *path, char *out);
void files_hash(struct job *j);
void files_done(struct job *j);
/* Leave out what has a good signature (--resume); the rest of those that exist fails. */
int files_resume(struct job *j);
size_t files_count(const struct job *j, enum file_state state);
void file_fail(struct file *f, int code, const char *fmt, ...) printf_like(3, 4);

/* sign_run.c: sign what waits. The exit code of what ended it, or CTL_OK; the files know how each went. */
int sign_run(struct job *j);

/* verb_sign.c: the options that every job has; and the job itself, from the PIN to the report. */
int sign_begin(struct job *j);
int sign_with_pin(struct job *j);

/* sign_report.c: what became of the files. The exit code of the program. */
int sign_report(struct job *j);
void sign_progress(struct job *j);

#endif
