/*
 * The sections of one token, composed from what a scan has found: [token], a
 * [key] for each certificate that is no authority's, and rules for accounts.
 */
#include <stdlib.h>
#include <string.h>

#include "admin.h"

enum { KEYS_MAX = 16 };

static void
line(struct conf *f, const char *key, const char *value)
{
	if (value != NULL)
		conf_text(f, "%s = %s\n", key, value);
}

static void
add_token(struct conf *f, const struct enrolment *e)
{
	const char *serial = text_member(e->token, "serial");

	conf_text(f, "[token %s]\n", e->name);
	line(f, "module", e->driver.module);
	if (serial != NULL)
		line(f, "serial", serial);
	else
		line(f, "label", text_member(e->token, "label"));
	line(f, "holder", e->holder);
	line(f, "paths", e->driver.paths);
	line(f, "environment", e->driver.environment);
}

static void
key_name(char *out, size_t size, const struct enrolment *e, size_t n)
{
	if (n == 0)
		(void)snprintf(out, size, "%s", e->name);
	else
		(void)snprintf(out, size, "%.44s-%zu", e->name, n + 1);
}

static void
add_key(struct conf *f, const struct enrolment *e, const json_t *cert, size_t n)
{
	const char *organisation = e->seal != NULL ? e->seal : text_member(cert, "organisation");
	const char *subject = text_member(cert, "subject");
	char name[CONF_NAME_SIZE + 32];

	key_name(name, sizeof(name), e, n);
	conf_text(f, "\n");
	if (subject != NULL && conf_value_good(subject))
		conf_text(f, "# %s, %.10s\n", subject, text_member(cert, "notAfter"));
	conf_text(f, "[key %s]\ntoken = %s\nuri = ", name, e->name);
	conf_uri(f, e->token, cert);
	conf_text(f, "\n");
	if (e->seal != NULL)
		line(f, "use", "seal");
	if (organisation != NULL && conf_value_good(organisation))
		line(f, "organisation", organisation);
}

static void
add_rule(struct conf *f, const struct enrolment *e, const char *who, const char *account, const char *may, size_t keys)
{
	char name[CONF_NAME_SIZE + 32];
	size_t i;

	if (account == NULL)
		return;
	conf_text(f, "\n[rule %.40s-%s]\nuser = %s\nverbs = %s\nkeys =", e->name, who, account, may);
	for (i = 0; i < keys; i++) {
		key_name(name, sizeof(name), e, i);
		conf_text(f, "%s%s", i % 3 == 0 && i > 0 ? "\n  " : " ", name);
	}
	conf_text(f, "\n");
}

static int
check_values(const struct enrolment *e)
{
	const char *const values[] = {e->holder, e->seal, e->user, e->clerk, e->driver.module, e->driver.paths,
	    e->driver.environment};
	size_t i;

	if (!conf_name_good(e->name))
		return fail_text(CTL_USAGE, _("\"%s\" cannot be a name: letters a-z, digits and . _ -, at most 48"), e->name);
	for (i = 0; i < array_len(values); i++) {
		if (values[i] != NULL && !conf_value_good(values[i]))
			return fail_text(CTL_USAGE, _("\"%s\" cannot stand in the configuration: it is empty, too long, or more than a line"),
			    values[i]);
	}
	return CTL_OK;
}

int
token_conf(struct conf *f, const struct enrolment *e)
{
	const json_t *certs[KEYS_MAX];
	size_t i, count = own_certificates(e->token, certs, array_len(certs));
	int code = check_values(e);

	if (code != CTL_OK)
		return code;
	if (count == 0)
		return fail_text(CTL_TOKEN, _("there is no certificate on the token: have one issued first, then add it"));
	conf_text(f, "# %s\n", _("Written by signetctl; it may be edited."));
	add_token(f, e);
	for (i = 0; i < count; i++)
		add_key(f, e, certs[i], i);
	add_rule(f, e, e->seal != NULL ? "keeper" : "holder", e->user, e->seal != NULL ? "list unlock" : "list sign unlock read-own",
	    count);
	add_rule(f, e, "clerk", e->clerk, e->seal != NULL ? "list seal" : "list sign", count);
	return CTL_OK;
}
