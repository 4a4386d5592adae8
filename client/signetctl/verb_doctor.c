/*
 * signetctl doctor: all groups one after the other, then a list for people or JSON.
 *
 * Invariant: nothing is changed, no PIN is asked for, and a group that cannot
 * look says so instead of being silent.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

static const struct {
	const char *name;
	void (*look)(struct doctor *d);
} groups[] = {
    {"daemon", doctor_daemon},
    {"configuration", doctor_config},
    {"log", doctor_log},
    {"disk", doctor_disk},
    {"clock", doctor_clock},
    {"certificates", doctor_certificates},
    {"pins", doctor_pins},
    {"modules", doctor_modules},
    {"sandbox", doctor_sandbox},
    {"pcscd", doctor_pcscd},
    {"readers", doctor_readers},
    {"versions", doctor_versions},
};

static const char *const rules_folders[] = {"/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d", NULL};

const struct places places_of_system = {
    .usb = "/sys/bus/usb/devices",
    .opensc_conf = "/etc/opensc/opensc.conf",
    .pcscd_socket = "/run/pcscd/pcscd.comm",
    .polkit_action = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy",
    .polkit_rules = rules_folders,
    .unit_folder = "/etc/systemd/system/signetd.service.d",
};

static const char *const finding_words[] = {
    [FOUND_OK] = "ok", [FOUND_SKIPPED] = "skipped", [FOUND_WARN] = "warn", [FOUND_FAIL] = "fail"};

void
found(struct doctor *d, enum finding what, const char *todo, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	json_t *check;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	check = json_pack("{s:s, s:s, s:s*, s:s*}", "group", d->group, "state", finding_words[what], "text", text, "todo",
	    todo);
	if (json_array_append_new(d->checks, check) != 0)
		abort();
	if (what > d->worst)
		d->worst = what;
	free(text);
}

const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static const char *
mark(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return _("ok");
	if (strcmp(state, "warn") == 0)
		return _("WARN");
	return strcmp(state, "fail") == 0 ? _("FAIL") : _("not seen");
}

static const char *
group_text(const char *group)
{
	static const char *const names[] = {N_("daemon"), N_("configuration"), N_("log"), N_("disk"), N_("clock"),
	    N_("certificates"), N_("PINs"), N_("modules"), N_("confinement"), N_("pcscd"), N_("readers"),
	    N_("versions")};
	size_t i;

	for (i = 0; i < array_len(groups); i++) {
		if (strcmp(groups[i].name, group) == 0)
			return _(names[i]);
	}
	return group;
}

static void
print_check(const json_t *check)
{
	const char *todo = text_of(check, "todo"), *text = text_of(check, "text");

	print_padded(stdout, mark(text_of(check, "state")), 10);
	print_padded(stdout, group_text(text_of(check, "group")), 16);
	print_safe(stdout, text == NULL ? "?" : text);
	putchar('\n');
	if (todo != NULL) {
		print_padded(stdout, "", 26);
		printf("-> ");
		print_safe(stdout, todo);
		putchar('\n');
	}
}

static void
print_people(const struct doctor *d)
{
	const json_t *check;
	size_t i;

	json_array_foreach(d->checks, i, check)
		print_check(check);
	putchar('\n');
	if (d->worst == FOUND_FAIL)
		puts(_("Something does not work: see FAIL above."));
	else if (d->worst == FOUND_WARN)
		puts(_("It works; something should be looked at: see WARN above."));
	else
		puts(_("Nothing to complain about."));
}

static int
print_all(struct doctor *d)
{
	const char *worst = finding_words[d->worst == FOUND_SKIPPED ? FOUND_OK : d->worst];
	json_t *all;
	int code;

	if (!given(d->c, OPT_JSON)) {
		print_people(d);
		return CTL_OK;
	}
	all = json_pack("{s:s, s:O}", "state", worst, "checks", d->checks);
	code = print_json(all);
	json_decref(all);
	return code;
}

static void
doctor_done(struct doctor *d)
{
	json_decref(d->checks);
	json_decref(d->status);
	json_decref(d->config);
	json_decref(d->keys);
	json_decref(d->tokens);
}

int
verb_doctor(struct ctl *c)
{
	struct doctor d = {.c = c, .places = &places_of_system, .checks = json_array()};
	enum finding worst;
	size_t i;
	int code;

	for (i = 0; i < array_len(groups); i++) {
		d.group = groups[i].name;
		groups[i].look(&d);
	}
	code = print_all(&d);
	worst = d.worst;
	doctor_done(&d);
	if (code != CTL_OK)
		return code;
	/* of their own: for programs that watch many machines, 0 good, 1 look at it, 2 broken */
	return worst == FOUND_FAIL ? 2 : worst == FOUND_WARN ? 1 : 0;
}
