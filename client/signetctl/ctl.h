/*
 * signetctl: what its verbs share. One process does one verb; memory that lives
 * to the end of the process is left to it, secrets are not.
 */
#ifndef SIGNET_SIGNETCTL_CTL_H
#define SIGNET_SIGNETCTL_CTL_H

#include <jansson.h>
#include <libintl.h>
#include <stdio.h>

#include <signet/signet.h>

#include "base/base.h"

#define _(text) gettext(text)
#define N_(text) (text) /* marked for translation, translated where it is shown */

/* What scripts rely on: signetctl(1), EXIT STATUS. */
enum exit_code {
	CTL_OK = 0,
	CTL_FAILED = 1,	   /* anything else */
	CTL_USAGE = 2,	   /* the command line; a choice is needed */
	CTL_NO_DAEMON = 3, /* nobody answers on the socket */
	CTL_REFUSED = 4,   /* not permitted, or not found */
	CTL_PIN = 5,	   /* PIN missing, wrong, blocked, or not to be sent */
	CTL_TOKEN = 6,	   /* the token is absent or failed */
	CTL_SOME = 7,	   /* some files of several failed */
	CTL_LATER = 8,	   /* nothing happened: try again later */
	CTL_UNSURE = 9,	   /* it may have been signed: ask before a retry */
};

/*
 * Every option there is: OPTION(ID, letter or 0, name, argument or NULL, help). A verb names those it takes.
 * The man page is tested against this list.
 */
#define CTL_OPTIONS(OPTION)                                                                                  \
	OPTION(SOCKET, 's', "socket", N_("PATH"), N_("socket of the daemon"))                                \
	OPTION(JSON, 'j', "json", NULL, N_("print one JSON document, as the daemon has it"))                 \
	OPTION(HELP, 'h', "help", NULL, N_("show this help"))                                                \
	OPTION(VERSION, 'V', "version", NULL, N_("show the version"))                                        \
	OPTION(KEY, 'k', "key", N_("NAME"), N_("key to use; may be left out where there is one only"))       \
	OPTION(HASH, 0, "hash", N_("NAME"), N_("sha256 (default), sha384 or sha512"))                        \
	OPTION(SCHEME, 0, "scheme", N_("NAME"), N_("pkcs1, pss, ecdsa or eddsa; default: the key's own"))    \
	OPTION(OUT, 'o', "out", N_("PATH"), N_("where signatures go; default: beside each file"))            \
	OPTION(STDOUT, 0, "stdout", NULL, N_("write the signature to standard output"))                      \
	OPTION(FORCE, 'f', "force", NULL, N_("replace signature files that exist"))                          \
	OPTION(RESUME, 0, "resume", NULL, N_("leave out files that have their signature already"))           \
	OPTION(TITLE, 0, "title", N_("TEXT"), N_("title of the document, for people and the log"))           \
	OPTION(NUMBER, 0, "number", N_("TEXT"), N_("number of the document"))                                \
	OPTION(DATE, 0, "date", N_("TEXT"), N_("date of the document"))                                      \
	OPTION(CAPACITY, 0, "capacity", N_("TEXT"), N_("in which capacity you sign, recorded as you state it"))            \
	OPTION(FOR, 0, "on-behalf-of", N_("NAME"), N_("for whom you sign, recorded as you state it"))                      \
	OPTION(REQUEST_ID, 0, "request-id", N_("ID"), N_("id of the request: the same id never signs twice")) \
	OPTION(INDEX, 0, "index", N_("NUMBER"), N_("number of the log entry"))                               \
	OPTION(TIMEOUT, 0, "timeout", N_("SECONDS"), N_("how long to wait, 1 to 600"))                       \
	OPTION(PIN_FD, 0, "pin-fd", N_("NUMBER"), N_("read the PIN from this descriptor, one line"))         \
	OPTION(LAST_TRY, 0, "last-try", NULL, N_("go on though another wrong PIN blocks the token"))         \
	OPTION(NO_ASK, 0, "no-ask", NULL, N_("never ask on the terminal"))                                   \
	OPTION(USES, 0, "uses", N_("NUMBER"), N_("unlock for so many signatures (default 1)"))               \
	OPTION(SECONDS, 0, "seconds", N_("NUMBER"), N_("unlock for so many seconds (default 300)"))          \
	OPTION(CERT, 0, "cert", N_("FILE"), N_("certificate of the signer, PEM or DER"))           \
	OPTION(RECEIPT, 0, "receipt", NULL, N_("also write a receipt, with proof, beside each signature"))    \
	OPTION(COPY, 0, "copy", N_("PATH"), N_("a published or exported log instead of the daemon; several times for several")) \
	OPTION(VKEY, 0, "vkey", N_("KEY"), N_("verifier key of the log, or a file that holds it"))           \
	OPTION(FROM, 0, "from", N_("WHERE"), N_("begin with this entry number, or at this time"))            \
	OPTION(UNTIL, 0, "until", N_("TIME"), N_("end with this day, or before this time"))                  \
	OPTION(LIMIT, 0, "limit", N_("NUMBER"), N_("at most so many entries"))                               \
	OPTION(KIND, 0, "kind", N_("NAME"), N_("entries of this kind: sign, seal, refusal, ..."))            \
	OPTION(UID, 0, "uid", N_("USER"), N_("entries that this user caused"))                               \
	OPTION(TOKEN, 0, "token", N_("NAME"), N_("entries about this token"))                                \
	OPTION(OPERATION, 0, "operation", N_("NAME"), N_("entries about this operation: sign, seal, ..."))   \
	OPTION(OUTCOME, 0, "outcome", N_("NAME"), N_("entries that ended so: ok, failed, refused, unknown, cancelled")) \
	OPTION(DIGEST, 0, "digest", N_("DIGEST"), N_("entries about this digest: sha256:..."))               \
	OPTION(SIGNATURE, 0, "signature", N_("FILE"), N_("the entry of this signature (a file, or sha256:...)")) \
	OPTION(FILE, 0, "file", N_("FILE"), N_("entries about this file: a document, a signature or a receipt")) \
	OPTION(TITLES, 0, "titles", NULL, N_("with the texts behind the hashes, as far as you may read them")) \
	OPTION(FORMAT, 0, "format", N_("NAME"), N_("of a signature: cades (default), pades or raw; of a log: jsonl (default) or csv")) \
	OPTION(LEVEL, 0, "level", N_("NAME"), N_("b (default), or t: with a time-stamp"))                                \
	OPTION(FROM_CHECKPOINT, 0, "from-checkpoint", N_("FILE"), N_("verify only what came after this remembered checkpoint")) \
	OPTION(CONFIG, 0, "config", N_("FILE"), N_("the daemon's configuration file")) \
	OPTION(WITH_KEYS, 0, "with-keys", NULL, N_("also the log's private key: keep such a copy locked away"))  \
	OPTION(STATE, 0, "state", N_("PATH"), N_("folder of the log; default: /var/lib/signet"))             \
	OPTION(REASON, 0, "reason", N_("TEXT"), N_("why: for the log and those who ask, or for the PDF file")) \
	OPTION(FRONTEND, 0, "frontend", N_("NAME"), N_("how to ask: auto (default), terminal, pinentry or systemd")) \
	OPTION(PINENTRY, 0, "pinentry", N_("PATH"), N_("pinentry program to ask with"))                      \
	OPTION(GIVEN_BY, 0, "given-by", N_("NAME"), N_("person who hands the token over"))                   \
	OPTION(GIVEN_TO, 0, "given-to", N_("NAME"), N_("person who has it from now on"))                     \
	OPTION(NAME, 0, "name", N_("TEXT"), N_("name: of the signer in the PDF file, or of the token and its keys")) \
	OPTION(LOCATION, 0, "location", N_("TEXT"), N_("place of signing, to stand in the PDF file"))        \
	OPTION(CA, 0, "ca", N_("FILE"), N_("certificates that you trust, PEM: the signer's must lead to one")) \
	OPTION(MODULE, 0, "module", N_("PATH"), N_("driver of the token (a PKCS #11 module)"))               \
	OPTION(PATHS, 0, "paths", N_("FOLDERS"), N_("folders that the driver may write, blanks between them")) \
	OPTION(ENVIRONMENT, 0, "environment", N_("WORDS"), N_("NAME=VALUE words for the driver, blanks between them")) \
	OPTION(SERIAL, 0, "serial", N_("NUMBER"), N_("serial number of the token, as token scan shows it"))  \
	OPTION(HOLDER, 0, "holder", N_("NAME"), N_("person who holds the token"))                            \
	OPTION(SEAL, 0, "seal", N_("NAME"), N_("the token has the seal of this organisation"))               \
	OPTION(USER, 0, "user", N_("ACCOUNT"), N_("account of the holder: may see, unlock and sign"))        \
	OPTION(CLERK, 0, "clerk", N_("ACCOUNT"), N_("account of the clerk: may ask for signatures or seals")) \
	OPTION(ORIGIN, 0, "origin", N_("NAME"), N_("name of this machine's signing log; it stays for ever")) \
	OPTION(ADMIN, 0, "admin", N_("ACCOUNTS"), N_("accounts of the administrators, blanks between them")) \
	OPTION(AUDITOR, 0, "auditor", N_("ACCOUNT"), N_("account that reads the whole log"))                 \
	OPTION(ALGORITHM, 0, "algorithm", N_("NAME"), N_("p256 (default), p384, rsa2048, rsa3072 or rsa4096"))         \
	OPTION(SUBJECT, 0, "subject", N_("NAME"), N_("name that the certificate shall have"))                \
	OPTION(ORGANISATION, 0, "organisation", N_("NAME"), N_("organisation that the certificate shall have")) \
	OPTION(YES, 'y', "yes", NULL, N_("do not ask whether it is meant"))

enum option_id {
#define OPTION_ID(id, letter, name, arg, help) OPT_##id,
	CTL_OPTIONS(OPTION_ID)
#undef OPTION_ID
	    OPT_COUNT
};

/* Which options: a bit each. */
typedef unsigned __int128 option_set;
#define TAKES(id) ((option_set)1 << OPT_##id)
_Static_assert(OPT_COUNT <= 128, "option_set has a bit for each option");

struct ctl {
	const char *value[OPT_COUNT]; /* NULL: not given; "" for those without argument */
	char **args;		      /* what stands behind the verb */
	int arg_count;
	const char **copies; /* of each --copy */
	int copy_count;
	signet_conn *conn;
};

static inline bool
given(const struct ctl *c, enum option_id id)
{
	return c->value[id] != NULL;
}

struct verb {
	const char *name, *sub; /* "token", "list"; sub may be NULL */
	const char *args, *help;
	option_set takes;
	int min_args, max_args; /* -1: any number */
	int (*run)(struct ctl *c);
};

extern const struct verb verbs[];
extern const size_t verb_count;

/* options.c: -1, or the exit code after the fault was printed. Sets the verb. */
int options_read(struct ctl *c, int argc, char **argv, const struct verb **verb);
/* A number within bounds into *out, which stays where the option is not given; false after the fault was printed. */
bool option_number(const struct ctl *c, enum option_id id, unsigned long min, unsigned long max, unsigned long *out);
/* help.c */
void help_print(FILE *f, const struct verb *verb); /* NULL: of the whole program */
int verb_help(struct ctl *c);

/* fail.c: a sentence on stderr, and where it helps a second one that says what to do. */
void warn_text(const char *fmt, ...) printf_like(1, 2);
int fail_text(int code, const char *fmt, ...) printf_like(2, 3);
/* For the last call on c->conn, which ended with err. */
int fail_call(struct ctl *c, signet_err err);
/* The same with a sentence that was kept. */
int fail_error(signet_err err, const char *message);
/* The sentence in the user's language, and the daemon's own where that says it in another. free() it. */
char *error_sentence(signet_err err, const char *message);
/* Sentence and advice; `what` (a file) may be NULL. */
void warn_item(const char *what, signet_err err, const char *sentence);
int exit_for(signet_err err);
int ctl_connect(struct ctl *c); /* CTL_OK, or the exit code after the fault was printed */

/* print.c */
/* A copy in which nothing can steer a terminal; never NULL. free() it. */
char *safe_text(const char *text);
void print_safe(FILE *f, const char *text);
/* One of our own texts, with blanks up to a width on the screen. */
void print_padded(FILE *f, const char *text, int columns);
/* "2025-03-01T08:30:00Z" as local time for people; the text itself where it is none. `out` has 64 bytes. */
const char *local_time(char *out, const char *text);
/* A word of the wire ("locked", "personal") in the user's language; others as they are. NULL stays NULL. */
const char *word_text(const char *word);
int print_json(const json_t *value); /* CTL_OK or CTL_FAILED */
/* The replies of a listing as one JSON array of their member `name`. */
int print_list_json(struct ctl *c, const char *method, const char *parameters, const char *name);
struct libscols_table;
struct libscols_table *table_new(const char *const *headings, size_t count);
void table_row(struct libscols_table *t, const char *const *cells, size_t count); /* NULL cells are empty */
void table_print(struct libscols_table *t, FILE *f);
void table_freep(struct libscols_table **t); /* for owned() */

/* {"name": value} as text for signet_call, NULL where value is NULL. free() it. */
char *json_text_of(const char *name, const char *value);

/* verb_*.c */
int verb_status(struct ctl *c);
int verb_reload(struct ctl *c);
int verb_keys(struct ctl *c);
int verb_token_list(struct ctl *c);
int verb_unlock(struct ctl *c);
int verb_lock(struct ctl *c);
int verb_sign(struct ctl *c);
int verb_timestamp(struct ctl *c);
int verb_verify(struct ctl *c);
int verb_collect(struct ctl *c);
int verb_call(struct ctl *c);
int verb_doctor(struct ctl *c);

#endif
