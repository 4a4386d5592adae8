/*
 * signetctl doctor: what can be wrong on this machine, looked at group by group. A group looks at one thing, says what it
 * found, and where it may not look it says that.
 */
#ifndef SIGNET_SIGNETCTL_DOCTOR_H
#define SIGNET_SIGNETCTL_DOCTOR_H

#include "ctl.h"

enum finding { FOUND_OK, FOUND_SKIPPED, FOUND_WARN, FOUND_FAIL };

/* Where the system keeps what is looked at; tests have their own. */
struct places {
	const char *usb;	   /* devices, as sysfs shows them */
	const char *opensc_conf;
	const char *pcscd_socket;
	const char *polkit_action; /* there: pcscd asks polkit */
	const char *const *polkit_rules; /* folders, up to NULL */
	const char *unit_folder;   /* of drop-ins for signetd.service */
};
extern const struct places places_of_system;

struct doctor {
	struct ctl *c;
	const struct places *places;
	const char *group; /* that is looking now */
	json_t *checks;	   /* [{group, state, text, todo}] */
	enum finding worst;
	json_t *status; /* org.signetd.Admin.Status; NULL: not to be had */
	json_t *config; /* as signetd reads it; NULL: not to be had */
	json_t *keys, *tokens; /* those that the caller may see; NULL: not to be had */
};

/* todo: what to do, a whole sentence without its point; NULL: nothing. */
void found(struct doctor *d, enum finding what, const char *todo, const char *fmt, ...) printf_like(4, 5);
/* A string member, NULL where it is none. */
const char *text_of(const json_t *object, const char *name);

void doctor_daemon(struct doctor *d);
void doctor_config(struct doctor *d); /* also reads d->config */
void doctor_versions(struct doctor *d);
void doctor_readers(struct doctor *d);
void doctor_pcscd(struct doctor *d);
void doctor_sandbox(struct doctor *d);
void doctor_modules(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_log(struct doctor *d);
void doctor_certificates(struct doctor *d);
void doctor_pins(struct doctor *d);

/* doctor_readers.c: how many virtual slots OpenSC has, by its configuration file. */
unsigned opensc_slots(const char *path);
/* Smart card readers on USB. -1: cannot be seen. */
int usb_readers(const char *folder);

/* safe_file.c: nobody but root (or this user, with own_uid) can change it, or what stands on the way to it. */
bool file_is_safe(const char *path, bool own_uid, char *why, size_t size);

#endif
