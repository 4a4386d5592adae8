/*
 * A configuration file of any bytes. What loads keeps the limits of config.h
 * and has no loose end; what does not says where and why.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "signetd/config.h"

/* One file in memory for all inputs. */
static int
file(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("signetd.conf", MFD_CLOEXEC);
		assert(fd >= 0 && fchmod(fd, 0600) == 0);
	}
	return fd;
}

static void
check_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	assert(len >= 1 && len <= CONFIG_NAME_MAX && strspn(name, allowed) == len);
}

static void
check_token(const struct config *c, const struct config_token *t)
{
	check_name(t->name);
	assert(config_token_find(c, t->name) == t);
	assert(t->module[0] == '/');
	assert((t->serial == NULL) != (t->label == NULL));
	assert(t->lanes >= 1 && t->lanes <= CONFIG_LANES_MAX);
	assert(t->uses_max >= 1 && t->uses_max <= 1000000 && t->seconds_max >= 1 && t->seconds_max <= 86400);
	assert(t->sign_timeout_ms >= 100 && t->sign_timeout_ms <= 600000);
	assert(t->login_timeout_ms >= 100 && t->login_timeout_ms <= 600000);
	assert(t->path_count <= 16 && t->environment_count <= 16);
}

static void
check_key(const struct config *c, const struct config_key *k)
{
	const struct config_token *t;
	char why[512];

	check_name(k->name);
	assert(config_key_find(c, k->name) == k);
	assert(k->token < c->token_count);
	t = &c->tokens[k->token];
	assert(config_check_uri(k->uri, t->serial, t->label, why, sizeof(why)) == SIGNET_OK);
	assert(k->holder != NULL || t->holder == NULL);
}

static void
check_rule(const struct config *c, const struct policy_rule *r)
{
	const struct policy_peer nobody = {.uid = UINT32_MAX, .gid = UINT32_MAX};
	size_t i;

	check_name(r->name);
	assert(r->any_user || r->user_count + r->group_count > 0);
	assert(r->verbs != 0 && (r->verbs & (1u << VERB_NONE | 1u << VERB_PUBLIC)) == 0);
	assert(!r->any_key || r->key_count == 0);
	for (i = 0; i < r->key_count; i++)
		assert(config_key_find(c, r->keys[i]) != NULL);
	/* (uid_t)-1 is no one's: only a rule for everyone lets it in */
	if (policy_permit(c->policy, &nobody, VERB_ADMIN, NULL).permitted) {
		for (i = 0; i < c->policy->rule_count && !c->policy->rules[i].any_user; i++)
			;
		assert(i < c->policy->rule_count);
	}
}

static void
check(const struct config *c)
{
	size_t i;

	assert(c->refs == 1 && c->token_count <= CONFIG_TOKENS_MAX && c->key_count <= CONFIG_KEYS_MAX);
	assert(c->socket[0] == '/' && c->state[0] == '/' && c->lock_directory[0] == '/');
	assert(c->connections >= 1 && c->connections <= 4096);
	assert(c->bytes_per_uid >= 1 << 16 && c->bytes_per_uid <= 1 << 30);
	for (i = 0; i < c->token_count; i++)
		check_token(c, &c->tokens[i]);
	for (i = 0; i < c->key_count; i++)
		check_key(c, &c->keys[i]);
	for (i = 0; i < c->policy->rule_count; i++)
		check_rule(c, &c->policy->rules[i]);
}

/* The same bytes give the same configuration. */
static void
check_again(const struct config *c, const char *path)
{
	struct config *again;
	char why[512];
	size_t i;

	assert(config_load(&again, path, why, sizeof(why)) == SIGNET_OK);
	assert(memcmp(c->hash, again->hash, sizeof(c->hash)) == 0);
	assert(c->token_count == again->token_count);
	for (i = 0; i < c->token_count; i++)
		assert(config_token_equal(c, &c->tokens[i], again, &again->tokens[i]));
	config_unref(again);
}

/* "PATH: ..." or "PATH:LINE: ..." with a line that is there. */
static void
check_place(const char *why, const char *path, const uint8_t *data, size_t size)
{
	size_t lines = 1, i, len = strlen(path);
	unsigned long line;

	for (i = 0; i < size; i++)
		lines += data[i] == '\n';
	assert(strncmp(why, path, len) == 0 && why[len] == ':');
	if (why[len + 1] == ' ')
		return;
	line = strtoul(why + len + 1, NULL, 10);
	assert(line >= 1 && line <= lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL;
	char path[64], why[512] = "";
	signet_err err;

	assert(ftruncate(file(), 0) == 0);
	assert(pwrite(file(), data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file());
	err = config_load(&c, path, why, sizeof(why));
	if (err == SIGNET_OK) {
		check(c);
		check_again(c, path);
		config_unref(c);
	} else {
		assert(err == SIGNET_ERR_CONFIG && c == NULL);
		check_place(why, path, data, size);
	}
	return 0;
}
