/*
 * How many tokens can be plugged in at the same time: Debian 12's pcscd sees 16
 * readers, and OpenSC as many virtual slots as its configuration says (16).
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

enum {
	PCSC_READERS = 16, /* PCSCLITE_MAX_READERS_CONTEXTS of pcsc-lite 1.9 */
	OPENSC_SLOTS = 16, /* default of max_virtual_slots */
};

static bool
is_smart_card(const char *folder, const char *name)
{
	char path[600], class[8] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s/bInterfaceClass", folder, name);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(class, sizeof(class), f) == NULL)
		class[0] = '\0';
	(void)fclose(f);
	return strncmp(class, "0b", 2) == 0; /* USB class "smart card" */
}

int
usb_readers(const char *folder)
{
	const struct dirent *e;
	DIR *dir = opendir(folder);
	int count = 0;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL)
		count += e->d_name[0] != '.' && is_smart_card(folder, e->d_name);
	(void)closedir(dir);
	return count;
}

/* "  max_virtual_slots = 32;" */
static bool
slots_of_line(const char *line, unsigned *slots)
{
	static const char word[] = "max_virtual_slots";

	line += strspn(line, " \t");
	if (strncmp(line, word, sizeof(word) - 1) != 0)
		return false;
	line += sizeof(word) - 1;
	line += strspn(line, " \t");
	if (*line++ != '=')
		return false;
	*slots = (unsigned)strtoul(line, NULL, 10);
	return *slots > 0;
}

unsigned
opensc_slots(const char *path)
{
	unsigned slots = OPENSC_SLOTS, n;
	char line[512];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return slots;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (slots_of_line(line, &n))
			slots = n;
	}
	(void)fclose(f);
	return slots;
}

/* Tokens in the configuration whose module's path has this in it. */
static size_t
tokens_with(const struct doctor *d, const char *module)
{
	const json_t *t;
	size_t i, count = 0;

	json_array_foreach(json_object_get(d->config, "tokens"), i, t)
		count += text_of(t, "module") != NULL && strstr(text_of(t, "module"), module) != NULL;
	return count;
}

static void
look_at_readers(struct doctor *d)
{
	int readers = usb_readers(d->places->usb);

	if (readers < 0)
		found(d, FOUND_SKIPPED, NULL, "%s", _("the USB devices of this machine cannot be seen"));
	else if (readers > PCSC_READERS)
		found(d, FOUND_FAIL, _("plug in fewer at a time, or use a pcsc-lite that was built for more"),
		    _("USB readers: %d; pcscd of Debian 12 sees no more than %d"), readers, PCSC_READERS);
	else if (readers == PCSC_READERS)
		found(d, FOUND_WARN, _("pull one out before you plug in another"),
		    _("USB readers: %d; pcscd of Debian 12 sees no more than %d"), readers, PCSC_READERS);
	else
		found(d, FOUND_OK, NULL, _("USB readers: %d; pcscd of Debian 12 sees no more than %d"), readers,
		    PCSC_READERS);
}

void
doctor_readers(struct doctor *d)
{
	size_t tokens = tokens_with(d, "opensc");
	unsigned slots = opensc_slots(d->places->opensc_conf);

	look_at_readers(d);
	if (tokens == 0)
		return;
	if (tokens > slots)
		found(d, FOUND_WARN, _("raise max_virtual_slots in /etc/opensc/opensc.conf if they shall all be in at once"),
		    _("OpenSC offers %u slots, and %zu tokens are known"), slots, tokens);
	else
		found(d, FOUND_OK, NULL, _("OpenSC offers %u slots, and %zu tokens are known"), slots, tokens);
}
