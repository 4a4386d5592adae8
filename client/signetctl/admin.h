/* signetctl: the verbs that look after tokens, keys and certificates. */
#ifndef SIGNET_SIGNETCTL_ADMIN_H
#define SIGNET_SIGNETCTL_ADMIN_H

#include "ctl.h"

/*
 * One call of the daemon with one reply. `parameters` is stolen. CTL_OK and *reply (json_decref() it), or the exit code
 * after the fault was printed.
 */
int admin_call(struct ctl *c, const char *method, json_t *parameters, json_t **reply);

/* A driver and what it may have; each may be NULL: those of the configuration. */
struct driver {
	const char *module, *paths, *environment; /* words with blanks between them */
};
struct driver driver_of_options(const struct ctl *c);

/* Replies of org.signetd.Admin.Scan as an array; json_decref() it. */
int admin_scan(struct ctl *c, const struct driver *d, json_t **found);
/* The reply about the token with this serial (or label); NULL: the only one that is not configured. */
int pick_found(const json_t *found, const char *serial, const json_t **reply);
/* Certificates of a FoundToken that are no authority's. */
size_t own_certificates(const json_t *token, const json_t **certs, size_t max);
const char *text_member(const json_t *object, const char *name); /* NULL: none, or no string */

/* conf_name.c: names of sections, as signetd takes them. */
enum { CONF_NAME_SIZE = 49 };
void conf_name(char out[CONF_NAME_SIZE], const char *text);
bool conf_name_good(const char *name);

/* conf_file.c: a file of the configuration folder, being composed. */
struct conf {
	char *path, *text; /* both free() */
	bool replace;
};
int conf_folder(struct ctl *c, char **folder);
void conf_text(struct conf *f, const char *fmt, ...) printf_like(2, 3);
bool conf_value_good(const char *value);
void conf_uri_text(struct conf *f, const char *value);
void conf_uri(struct conf *f, const json_t *token, const json_t *cert);
char *conf_read(const char *path); /* NULL: cannot be read */
int conf_write(const char *path, const char *text, bool replace); /* 0 or errno */
void conf_undo(const char *path, const char *before);
int conf_reload(struct ctl *c);
/* Write it and make the daemon read it (`c` NULL: only write); what is refused is taken away again. */
int conf_put(struct ctl *c, const struct conf *f);

/* token_conf.c: the sections of one token. */
struct enrolment {
	const char *name, *holder, *seal; /* seal: the organisation; NULL: a personal token */
	const char *user, *clerk;	  /* accounts; may be NULL */
	struct driver driver;
	const json_t *token;
};
int token_conf(struct conf *f, const struct enrolment *e);

int verb_key_generate(struct ctl *c);
int verb_key_csr(struct ctl *c);
int verb_cert_import(struct ctl *c);
int verb_setup(struct ctl *c);
int verb_token_scan(struct ctl *c);
int verb_token_add(struct ctl *c);
int verb_token_replace(struct ctl *c);
int verb_cert_list(struct ctl *c);
int verb_cert_export(struct ctl *c);
int verb_key_disable(struct ctl *c);
int verb_key_enable(struct ctl *c);
int verb_token_handover(struct ctl *c);

#endif
