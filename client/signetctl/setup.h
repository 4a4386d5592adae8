/* signetctl setup: the first hour of a machine, asked and written. */
#ifndef SIGNET_SIGNETCTL_SETUP_H
#define SIGNET_SIGNETCTL_SETUP_H

#include "admin.h"

enum { SETUP_MODULES_MAX = 32 };

struct setup {
	struct ctl *c;
	bool may_ask;	/* there is a terminal, and --no-ask was not given */
	char *folder;	/* of the configuration files */
};

/*
 * setup_ask.c: an option's value, or an answer, or (nobody there, or nothing typed) `otherwise`, which may be NULL. free()
 * it. NULL: none.
 */
char *setup_text(struct setup *s, enum option_id id, const char *question, const char *otherwise);
/* Without an option of its own. */
char *setup_ask(struct setup *s, const char *question, const char *otherwise);
bool setup_yes(struct setup *s, const char *question);

/* setup_modules.c: drivers that are installed here; free() each. */
size_t setup_find_modules(char *paths[SETUP_MODULES_MAX]);
/* One file of p11-kit: the path that it names. NULL: none. */
char *module_of_file(const char *path, const char *const *folders);

/* setup_record.c: what is signed on paper and filed. */
int setup_record(struct setup *s);

/* verb_token_add.c: from a reply of the scan. `name` NULL: say what was done; else it is out, free() it. */
int enrol(struct ctl *c, struct enrolment *e, const json_t *reply, char **name);

#endif
