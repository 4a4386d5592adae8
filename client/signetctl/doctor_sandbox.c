/*
 * The unit's sandbox against the drivers: what a driver needs and the unit
 * does not give is a token that fails with words of its own. Told by the names
 * of the modules that are known to need something.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

struct need {
	const char *module; /* part of its path */
	const char *not_with; /* a variable of [token] that makes it unnecessary; may be NULL */
	const char *word;   /* a drop-in that gives it has this */
	const char *what, *todo;
};

static const struct need needs[] = {
    {"tpm2_pkcs11", "TPM2_PKCS11_TCTI=", "tpmrm0", N_("the token %s is in the TPM, which signetd's unit hides"),
	N_("write /etc/systemd/system/signetd.service.d/tpm.conf with [Service], PrivateDevices=no, DeviceAllow=/dev/tpmrm0 rw, "
	   "SupplementaryGroups=tss; then: systemctl daemon-reload && systemctl restart signetd")},
    {"cknfast", NULL, "AF_INET", N_("the token %s is reached over a network, which signetd's unit forbids"),
	N_("write /etc/systemd/system/signetd.service.d/network.conf with [Service], PrivateNetwork=no, RestrictAddressFamilies=AF_INET AF_INET6, "
	   "IPAddressAllow= and the device's address; then: systemctl daemon-reload && systemctl restart signetd")},
    {"Cryptoki2", NULL, "AF_INET", N_("the token %s is reached over a network, which signetd's unit forbids"),
	N_("write /etc/systemd/system/signetd.service.d/network.conf with [Service], PrivateNetwork=no, RestrictAddressFamilies=AF_INET AF_INET6, "
	   "IPAddressAllow= and the device's address; then: systemctl daemon-reload && systemctl restart signetd")},
    {"cs_pkcs11", NULL, "AF_INET", N_("the token %s is reached over a network, which signetd's unit forbids"),
	N_("write /etc/systemd/system/signetd.service.d/network.conf with [Service], PrivateNetwork=no, RestrictAddressFamilies=AF_INET AF_INET6, "
	   "IPAddressAllow= and the device's address; then: systemctl daemon-reload && systemctl restart signetd")},
    {"castle", NULL, "usb_device", N_("the driver of the token %s works on USB by itself, which signetd's unit hides"),
	N_("write /etc/systemd/system/signetd.service.d/usb.conf with [Service], PrivateDevices=no, DeviceAllow=char-usb_device rw; "
	   "then: systemctl daemon-reload && systemctl restart signetd")},
};

static bool
file_has(const char *path, const char *word)
{
	char line[1024];
	bool there = false;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	while (!there && fgets(line, sizeof(line), f) != NULL)
		there = line[0] != '#' && strstr(line, word) != NULL;
	(void)fclose(f);
	return there;
}

static bool
drop_in_has(const char *folder, const char *word)
{
	const struct dirent *e;
	DIR *dir = opendir(folder);
	char path[600];
	bool there = false;

	if (dir == NULL)
		return false;
	while (!there && (e = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		there = e->d_name[0] != '.' && file_has(path, word);
	}
	(void)closedir(dir);
	return there;
}

static bool
has_variable(const json_t *token, const char *name)
{
	const json_t *word;
	size_t i;

	json_array_foreach(json_object_get(token, "environment"), i, word)
	{
		if (json_is_string(word) && strncmp(json_string_value(word), name, strlen(name)) == 0)
			return true;
	}
	return false;
}

/* False: it lacks something. */
static bool
look_at_unit(struct doctor *d, const json_t *token, const char *module)
{
	bool good = true;
	size_t i;

	for (i = 0; i < array_len(needs); i++) {
		const struct need *n = &needs[i];
		char text[300];

		if (strstr(module, n->module) == NULL || (n->not_with != NULL && has_variable(token, n->not_with)) ||
		    drop_in_has(d->places->unit_folder, n->word))
			continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* of the table above, each with one %s */
		(void)snprintf(text, sizeof(text), _(n->what), text_of(token, "name"));
#pragma GCC diagnostic pop
		found(d, FOUND_FAIL, _(n->todo), "%s", text);
		good = false;
	}
	return good;
}

static bool
look_at_files(struct doctor *d, const json_t *token, const char *module)
{
	if (strstr(module, "softhsm") == NULL || json_array_size(json_object_get(token, "paths")) > 0)
		return true;
	found(d, FOUND_FAIL,
	    _("add `paths =` with the folder of its tokens, and `environment = SOFTHSM2_CONF=...`, to its section"),
	    _("the driver of the token %s (SoftHSM) keeps its tokens in files, and may open none"), text_of(token, "name"));
	return false;
}

void
doctor_sandbox(struct doctor *d)
{
	const json_t *t;
	bool good = true;
	size_t i;

	if (d->config == NULL) {
		found(d, FOUND_SKIPPED, NULL, "%s", _("without the configuration nobody knows which drivers there are"));
		return;
	}
	if (!json_is_true(json_object_get(d->config, "sandbox"))) {
		found(d, FOUND_WARN, _("take out `sandbox = off` and restart signetd"),
		    "%s", _("tokens' programs are not confined (sandbox = off)"));
		return;
	}
	json_array_foreach(json_object_get(d->config, "tokens"), i, t)
	{
		const char *module = text_of(t, "module");

		if (module != NULL && !(look_at_unit(d, t, module) && look_at_files(d, t, module)))
			good = false;
	}
	if (good)
		found(d, FOUND_OK, NULL, "%s", _("no driver is known to need more than it may have"));
}
