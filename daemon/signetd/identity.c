/* Peer credentials. What decides comes from the kernel in one piece; what describes may be missing. */
#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-login.h>
#include <unistd.h>
#include <unistr.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* Supplementary groups; a peer with more than we have room for at first is asked again with enough. */
static signet_err
read_groups(struct identity *i, int fd)
{
	socklen_t size = 32 * sizeof(gid_t);

	for (int tries = 0; tries < 2; tries++) {
		gid_t *groups = realloc(i->groups, size > 0 ? size : 1);

		if (groups == NULL)
			return SIGNET_ERR_MEMORY;
		i->groups = groups;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
			i->peer.groups = groups;
			i->peer.group_count = size / sizeof(gid_t);
			return SIGNET_OK;
		}
		if (errno != ERANGE)
			return SIGNET_ERR_IO;
	}
	return SIGNET_ERR_IO;
}

static void
add_text(struct buf *b, const char *name, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || u8_check((const uint8_t *)value, len) != NULL)
		return; /* a path that is no text describes nothing */
	buf_printf(b, ",\"%s\":", name);
	buf_json(b, value, len);
}

static void
describe(struct identity *i)
{
	char link[32], exe[257];
	char *unit = NULL;
	ssize_t n;

	buf_init(&i->members, 4096);
	buf_printf(&i->members, "\"uid\":%u,\"gid\":%u,\"pid\":%d", i->peer.uid, i->peer.gid, (int)i->pid);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)i->pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		add_text(&i->members, "exe", exe);
	}
	if (i->pid > 0 && sd_pid_get_unit(i->pid, &unit) >= 0 && unit != NULL && strlen(unit) < 256)
		add_text(&i->members, "unit", unit);
	free(unit);
}

signet_err
identity_of(struct identity **out, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct identity *i = calloc(1, sizeof(*i));
	signet_err err = SIGNET_ERR_IO;

	if (i == NULL)
		return SIGNET_ERR_MEMORY;
	i->refs = 1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		goto fail;
	i->peer.uid = cred.uid;
	i->peer.gid = cred.gid;
	i->pid = cred.pid;
	err = read_groups(i, fd);
	if (err != SIGNET_OK)
		goto fail;
	describe(i);
	*out = i;
	return SIGNET_OK;
fail:
	identity_unref(i);
	return err;
}

signet_err
identity_self(struct identity **out)
{
	struct identity *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return SIGNET_ERR_MEMORY;
	i->refs = 1;
	i->peer.uid = geteuid();
	i->peer.gid = getegid();
	i->pid = getpid();
	describe(i);
	*out = i;
	return SIGNET_OK;
}

struct identity *
identity_ref(struct identity *i)
{
	i->refs++;
	return i;
}

void
identity_unref(struct identity *i)
{
	if (i == NULL || --i->refs > 0)
		return;
	buf_done(&i->members);
	free(i->groups);
	free(i);
}

signet_err
identity_map_is_full(const char *map, char *why, size_t why_size)
{
	unsigned long first, outside, count;
	FILE *f = fopen(map, "re");
	int fields;

	if (f == NULL) {
		snprintf(why, why_size, "%s: %s: whether callers keep their uids cannot be seen", map, strerror(errno));
		return SIGNET_ERR_IO;
	}
	fields = fscanf(f, "%lu %lu %lu", &first, &outside, &count);
	fclose(f);
	if (fields == 3 && first == 0 && outside == 0 && count == UINT32_MAX)
		return SIGNET_OK;
	snprintf(why, why_size,
	    "%s: this user namespace does not have every uid, so callers cannot be told apart: take PrivateUsers= out "
	    "of the unit or its drop-ins, or start the container with the whole range",
	    map);
	return SIGNET_ERR_CONFIG;
}
