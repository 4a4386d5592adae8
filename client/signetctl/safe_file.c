/*
 * Would the daemon load this file? It must belong to root, and so must every
 * folder and link on the way to it, and nobody else may write there. The
 * daemon decides by itself, again; here it is only told beforehand.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

static bool
is_ours(const char *path, const struct stat *st, bool own_uid, char *why, size_t size)
{
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

	if (st->st_uid != 0 && !(own_uid && st->st_uid == geteuid())) {
		(void)snprintf(why, size, _("%s belongs to user %u, not to root"), path, st->st_uid);
		return false;
	}
	if (!S_ISLNK(st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(sticky && own_uid)) {
		(void)snprintf(why, size, _("%s can be written by others than root"), path);
		return false;
	}
	return true;
}

/* Each name of the path as it is written, from the root on. */
static bool
walk(const char *path, bool own_uid, char *why, size_t size)
{
	char part[PATH_MAX];
	size_t len = 0, all = strlen(path);
	struct stat st;

	while (len < all) {
		len += strcspn(path + len + 1, "/") + 1;
		memcpy(part, path, len);
		part[len] = '\0';
		if (lstat(part, &st) != 0) {
			(void)snprintf(why, size, "%s: %s", part, strerror(errno));
			return false;
		}
		if (!is_ours(part, &st, own_uid, why, size))
			return false;
	}
	return true;
}

bool
file_is_safe(const char *path, bool own_uid, char *why, size_t size)
{
	char real[PATH_MAX];
	struct stat st;

	if (path[0] != '/' || strlen(path) >= PATH_MAX) {
		(void)snprintf(why, size, _("%s is not an absolute path"), path);
		return false;
	}
	if (realpath(path, real) == NULL || stat(real, &st) != 0) {
		(void)snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)snprintf(why, size, _("%s is not a regular file"), path);
		return false;
	}
	/* the way as it is written, and the one that its links lead */
	return walk(path, own_uid, why, size) && walk(real, own_uid, why, size);
}
