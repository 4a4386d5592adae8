/*
 * Who reaches the cards through pcscd. Debian 12 builds it without polkit and
 * its socket is open to everyone: then every program can go round Signet.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

#define ACCOUNT "signet" /* that signetd.service runs as */

static bool
is_in_group(const struct passwd *account, gid_t gid)
{
	gid_t groups[256];
	int count = array_len(groups), i;

	if (getgrouplist(account->pw_name, account->pw_gid, groups, &count) < 0)
		return false;
	for (i = 0; i < count; i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

static bool
mentions(const char *folder, const char *file, const char *word)
{
	char path[600], line[1024];
	bool there = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!there && fgets(line, sizeof(line), f) != NULL)
		there = strstr(line, word) != NULL;
	(void)fclose(f);
	return there;
}

static bool
a_file_mentions(const char *folder, const char *word, const char *other)
{
	const struct dirent *e;
	DIR *dir = opendir(folder);
	bool there = false;

	if (dir == NULL)
		return false;
	while (!there && (e = readdir(dir)) != NULL)
		there = e->d_name[0] != '.' && mentions(folder, e->d_name, word) && mentions(folder, e->d_name, other);
	(void)closedir(dir);
	return there;
}

static void
look_at_polkit(struct doctor *d)
{
	const char *const *folder;

	for (folder = d->places->polkit_rules; *folder != NULL; folder++) {
		if (a_file_mentions(*folder, "pcsc-lite", ACCOUNT)) {
			found(d, FOUND_OK, NULL, _("pcscd asks polkit, and a rule names the account %s"), ACCOUNT);
			return;
		}
	}
	found(d, FOUND_WARN,
	    _("put a rule into /etc/polkit-1/rules.d that permits org.debian.pcsc-lite.* to the account signet and to nobody else"),
	    _("pcscd asks polkit, and no rule that can be read here names the account %s"), ACCOUNT);
}

#define DROP_IN                                                                                              \
	N_("write /etc/systemd/system/pcscd.socket.d/signet.conf with [Socket], SocketMode=0660, "           \
	   "SocketGroup=signet; then: systemctl daemon-reload && systemctl restart pcscd.socket")

static void
look_at_socket(struct doctor *d, const struct stat *st)
{
	const struct passwd *account = getpwnam(ACCOUNT);

	if ((st->st_mode & S_IWOTH) != 0)
		found(d, FOUND_WARN, _(DROP_IN), "%s",
		    _("every user of this machine reaches every card through pcscd: programs can go round Signet"));
	else if (account == NULL)
		found(d, FOUND_SKIPPED, NULL, _("there is no account %s to compare with"), ACCOUNT);
	else if ((st->st_mode & S_IWGRP) != 0 && is_in_group(account, st->st_gid))
		found(d, FOUND_OK, NULL, _("pcscd is for the account %s only"), ACCOUNT);
	else
		found(d, FOUND_FAIL, _(DROP_IN), _("pcscd is closed to the account %s"), ACCOUNT);
}

void
doctor_pcscd(struct doctor *d)
{
	struct stat st;

	if (stat(d->places->pcscd_socket, &st) != 0) {
		if (errno == EACCES)
			found(d, FOUND_SKIPPED, _("run this as root"), _("you may not see %s"), d->places->pcscd_socket);
		else
			found(d, FOUND_OK, NULL, "%s", _("pcscd does not listen: USB smart cards are not used here"));
		return;
	}
	if (access(d->places->polkit_action, F_OK) == 0)
		look_at_polkit(d);
	else
		look_at_socket(d, &st);
}
