/*
 * The enrolment record: what must be known on paper so that years later nobody
 * has to believe this machine: the log's verifier key, the tokens' serial
 * numbers, the hashes of the certificates.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"

#include "check.h"
#include "log.h"
#include "log_out.h"
#include "setup.h"

enum { DER_MAX = 64 * 1024 };

static bool
keep(void *arg, const char *json, size_t size, bool continues)
{
	(void)continues;
	return json_array_append_new(arg, json_loadb(json, size, 0, NULL)) == 0;
}

static json_t *
all_of(struct ctl *c, const char *method)
{
	json_t *list = json_array();

	if (signet_call(c->conn, method, NULL, NULL, SIGNET_CALL_MORE, keep, list) != SIGNET_OK)
		json_array_clear(list); /* there are none yet */
	return list;
}

static void
say(FILE *f, const char *label, const char *value)
{
	print_padded(f, label, 28);
	print_safe(f, value == NULL ? "-" : value);
	fputc('\n', f);
}

static void
say_certificate(FILE *f, const json_t *text)
{
	static uint8_t der[DER_MAX];
	uint8_t hash[32];
	char hex[65], subject[512];
	size_t size = sizeof(der), i;
	X509 *x509;

	if (!json_is_string(text) ||
	    base64_decode(json_string_value(text), json_string_length(text), der, &size) != SIGNET_OK ||
	    EVP_Digest(der, size, hash, NULL, EVP_sha256(), NULL) != 1)
		return;
	for (i = 0; i < sizeof(hash); i++)
		(void)sprintf(hex + 2 * i, "%02x", hash[i]);
	x509 = cert_from_der(der, size);
	if (x509 != NULL && X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, subject, sizeof(subject)) > 0)
		say(f, _("    certificate of"), subject);
	X509_free(x509);
	say(f, _("    its SHA-256"), hex);
}

static void
say_token(FILE *f, const json_t *token, const json_t *keys)
{
	const json_t *reply;
	size_t i;

	fputc('\n', f);
	say(f, _("Token"), text_member(token, "name"));
	say(f, _("  holder"), text_member(token, "holder"));
	say(f, _("  serial number"), text_member(token, "serial"));
	json_array_foreach(keys, i, reply)
	{
		const json_t *key = json_object_get(reply, "key");
		char end[64];

		if (strcmp(text_member(key, "token"), text_member(token, "name")) != 0)
			continue;
		say(f, _("  key"), text_member(key, "name"));
		say(f, _("    use"), word_text(text_member(key, "use")));
		say(f, _("    organisation"), text_member(key, "organisation"));
		if (text_member(key, "notAfter") != NULL)
			say(f, _("    valid until"), local_time(end, text_member(key, "notAfter")));
		say_certificate(f, json_array_get(json_object_get(key, "certificates"), 0));
	}
}

static void
say_log(FILE *f, struct ctl *c)
{
	char fingerprint[2 * SIGNET_LOG_HASH + 1], host[65] = "?", date[64];
	struct log_head head = {0};
	time_t now = time(NULL);
	struct tm t;

	(void)gethostname(host, sizeof(host) - 1);
	if (localtime_r(&now, &t) == NULL || strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &t) == 0)
		date[0] = '\0';
	fprintf(f, "%s\n\n", _("ENROLMENT RECORD"));
	say(f, _("Machine"), host);
	say(f, _("Date"), date);
	if (log_head(c, &head) == CTL_OK && head.key != NULL && signet_log_key(head.key, NULL, fingerprint) == SIGNET_OK) {
		say(f, _("Signing log"), head.origin);
		say(f, _("Its verifier key"), head.key);
		say(f, _("  SHA-256 of that text"), fingerprint);
	}
	log_head_done(&head);
}

int
setup_record(struct setup *s)
{
	struct log_out out;
	json_t *tokens, *keys;
	const json_t *reply;
	size_t i;
	int code = log_out_open(&out, s->c);

	if (code != CTL_OK)
		return code;
	tokens = all_of(s->c, "org.signetd.Token.List");
	keys = all_of(s->c, "org.signetd.Signer.ListKeys");
	say_log(out.f, s->c);
	json_array_foreach(tokens, i, reply)
		say_token(out.f, json_object_get(reply, "token"), keys);
	fprintf(out.f, "\n%s\n\n", _("Checked against the tokens and filed by (name, date, signature):"));
	fputs("____________________________    ____________________________\n", out.f);
	json_decref(tokens);
	json_decref(keys);
	return log_out_close(&out, CTL_OK);
}
