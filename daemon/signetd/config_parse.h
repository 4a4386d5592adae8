/* Between the files that read a configuration: what is known while it is read, and the table of its keys. */
#ifndef SIGNET_SIGNETD_CONFIG_PARSE_H
#define SIGNET_SIGNETD_CONFIG_PARSE_H

#include <openssl/evp.h>

#include "config.h"

enum config_kind {
	KIND_NONE,
	KIND_DAEMON,
	KIND_LIMITS,
	KIND_LOG,
	KIND_TRUST,
	KIND_CONTACT,
	KIND_TOKEN,
	KIND_DEVICE, /* in a header only: its section is a token with `device` */
	KIND_KEY,
	KIND_TIMESTAMP,
	KIND_RULE,
	KIND_COUNT
};

enum {
	CONFIG_KEYWORDS_MAX = 64,
	CONFIG_RULES_MAX = 1024,
	CONFIG_WORDS_MAX = 1024, /* of one list */
	CONFIG_FILES_MAX = 256,
	CONFIG_FILE_MAX = 1 << 20, /* bytes */
};

struct config_section {
	enum config_kind kind;
	bool device;	  /* [device NAME]: a token of another kind */
	const char *name; /* borrowed from the token, key or rule; NULL where the kind has no names */
	size_t index;     /* into tokens, keys or rules */
	char *file;
	int line;
	char *token;                    /* [key]: the word behind `token`; [timestamp]: behind `key` */
	int lines[CONFIG_KEYWORDS_MAX]; /* of config_keywords[i] in this section; 0: not given */
};

struct reading {
	struct config *c;
	struct config_section *sections; /* all files' */
	size_t section_count;
	const struct config_keyword *last; /* what an indented line goes on with */
	const char *file;                  /* being read, with the line inih has now */
	int line;
	const char *text, *text_end; /* lines that inih has not seen yet */
	bool indented;
	EVP_MD_CTX *hash;
	signet_err err; /* the first one stays */
	char *why;
	size_t why_size;
};

/* One key of a section: how its value gets into the section's struct. */
struct config_keyword {
	enum config_kind kind;
	const char *name;
	/* `base`: struct config, config_token, config_key or policy_rule; `value`: all of it, or one word of a list */
	void (*set)(struct reading *r, const struct config_keyword *k, void *base, const char *value);
	size_t offset;            /* of the field */
	uint64_t min, max;        /* of the number, bytes of the string or words of the list */
	const char *const *words; /* choices, ending with NULL */
	bool list;
};

/* config_value.c: the table, and values into their fields */
extern const struct config_keyword config_keywords[];
extern const size_t config_keyword_count;

/* config_section.c: headers and lines into sections */
const char *config_kind_word(enum config_kind kind);
void config_begin_section(struct reading *r, char *header);
void config_set(struct reading *r, const char *name, const char *value);

/* config_read.c: a file and its drop-ins, in order, into r->c */
void config_read_all(struct reading *r, const char *path);

/* config_check.c: what can only be judged when everything is read */
void config_check_all(struct reading *r);
bool config_uid(struct reading *r, const char *word, uid_t *uid);
bool config_gid(struct reading *r, const char *word, gid_t *gid);
/* Line of `name` in the section, or of the section where it is not given. */
int config_line_of(const struct config_section *s, const char *name);
/*
 * Regular file at an absolute path that nobody but root (or we, where own_uid) can change or replace: neither
 * it nor a folder or link on the way to it. `why` gets a sentence.
 */
bool config_file_is_safe(const char *path, bool own_uid, char *why, size_t why_size);

/* config.c */
void config_fail(struct reading *r, const char *file, int line, const char *fmt, ...) printf_like(4, 5);
void config_no_memory(struct reading *r);
/* A copy, or NULL and r->err. */
char *config_strdup(struct reading *r, const char *s);

#endif
