/* signetctl cert list, cert export: the certificates of the keys that the caller may see. */
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "admin.h"
#include "check.h"
#include "log_out.h"

enum { DER_MAX = 64 * 1024, TEXT_SIZE = 256 };

static bool
keep(void *arg, const char *json, size_t size, bool continues)
{
	json_t *reply = json_loadb(json, size, 0, NULL);

	(void)continues;
	(void)json_array_append(arg, json_object_get(reply, "key"));
	json_decref(reply);
	return true;
}

static int
keys_of(struct ctl *c, const char *name, json_t **keys)
{
	char *parameters = json_text_of("key", name);
	signet_err err;
	int code = ctl_connect(c);

	*keys = json_array();
	if (code == CTL_OK) {
		err = signet_call(c->conn, "org.signetd.Signer.ListKeys", parameters, NULL, SIGNET_CALL_MORE, keep, *keys);
		if (err != SIGNET_OK)
			code = fail_call(c, err);
	}
	free(parameters);
	return code;
}

static X509 *
decode(const json_t *text)
{
	static uint8_t der[DER_MAX];
	size_t size = sizeof(der);

	if (!json_is_string(text) ||
	    base64_decode(json_string_value(text), json_string_length(text), der, &size) != SIGNET_OK)
		return NULL;
	return cert_from_der(der, size);
}

static const char *
part(char *out, const X509_NAME *name, int nid)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *utf8 = NULL;
	int len;

	out[0] = '\0';
	if (at < 0)
		return out;
	len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len >= 0)
		(void)snprintf(out, TEXT_SIZE, "%.*s", len, (const char *)utf8);
	OPENSSL_free(utf8);
	return out;
}

static void
add_row(struct libscols_table *table, const json_t *key)
{
	X509 *x509 = decode(json_array_get(json_object_get(key, "certificates"), 0));
	char subject[TEXT_SIZE], organisation[TEXT_SIZE], issuer[TEXT_SIZE], end[64];
	const char *until = text_member(key, "notAfter");

	if (x509 != NULL) {
		const char *cells[] = {text_member(key, "name"), part(subject, X509_get_subject_name(x509), NID_commonName),
		    part(organisation, X509_get_subject_name(x509), NID_organizationName),
		    part(issuer, X509_get_issuer_name(x509), NID_commonName), until == NULL ? NULL : local_time(end, until)};

		table_row(table, cells, array_len(cells));
	}
	X509_free(x509);
}

int
verb_cert_list(struct ctl *c)
{
	static const char *const headings[] = {N_("KEY"), N_("CERTIFICATE"), N_("ORGANISATION"), N_("ISSUER"), N_("VALID UNTIL")};
	owned(table_freep) struct libscols_table *table = NULL;
	const json_t *key;
	json_t *keys;
	size_t i;
	int code = keys_of(c, c->arg_count > 0 ? c->args[0] : NULL, &keys);

	if (code == CTL_OK && given(c, OPT_JSON)) {
		code = print_json(keys);
	} else if (code == CTL_OK) {
		table = table_new(headings, array_len(headings));
		json_array_foreach(keys, i, key)
			add_row(table, key);
		table_print(table, stdout);
	}
	json_decref(keys);
	return code;
}

/* Its own first, then its issuers, as PEM. */
static int
write_chain(FILE *f, const json_t *certificates)
{
	const json_t *text;
	size_t i;

	json_array_foreach(certificates, i, text)
	{
		X509 *x509 = decode(text);
		bool written = x509 != NULL && PEM_write_X509(f, x509) == 1;

		X509_free(x509);
		if (!written)
			return fail_text(CTL_FAILED, _("the certificate cannot be written"));
	}
	return CTL_OK;
}

int
verb_cert_export(struct ctl *c)
{
	const json_t *certificates;
	struct log_out out;
	json_t *keys;
	int code = keys_of(c, c->args[0], &keys);

	certificates = json_object_get(json_array_get(keys, 0), "certificates");
	if (code == CTL_OK && json_array_size(certificates) == 0)
		code = fail_text(CTL_FAILED, _("the key %s has no certificate"), c->args[0]);
	if (code == CTL_OK) {
		code = log_out_open(&out, c);
		if (code == CTL_OK)
			code = log_out_close(&out, write_chain(out.f, certificates));
	}
	json_decref(keys);
	return code;
}
