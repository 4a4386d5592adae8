/* signetctl key generate, key csr, cert import: on a token that is plugged in and not configured yet. */
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "admin.h"
#include "check.h"
#include "log_out.h"
#include "pin.h"

enum { DER_MAX = 16 * 1024 };

struct work {
	struct ctl *c;
	const char *method;
	json_t *parameters;
	json_t *reply;
};

static bool
keep(void *arg, const char *json, size_t size, bool continues)
{
	struct work *w = arg;

	(void)continues;
	json_decref(w->reply);
	w->reply = json_loadb(json, size, 0, NULL);
	return true;
}

/* Which token, and through which driver: as a scan finds it. */
static int
name_token(struct work *w)
{
	struct driver d = driver_of_options(w->c);
	const json_t *reply = NULL, *token;
	json_t *found;
	int code = admin_scan(w->c, &d, &found);

	if (code == CTL_OK)
		code = pick_found(found, w->c->value[OPT_SERIAL], &reply);
	token = json_object_get(reply, "token");
	if (code == CTL_OK && text_member(token, "serial") == NULL)
		code = fail_text(CTL_TOKEN, _("the token has no serial number"));
	if (code == CTL_OK) {
		(void)json_object_set(w->parameters, "serial", json_object_get(token, "serial"));
		(void)json_object_set(w->parameters, "module", json_object_get(reply, "module"));
		if (d.paths != NULL)
			(void)json_object_set(w->parameters, "paths", json_object_get(reply, "paths"));
		if (d.environment != NULL)
			(void)json_object_set(w->parameters, "environment", json_object_get(reply, "environment"));
	}
	json_decref(found);
	return code;
}

static int
call(struct work *w, struct pin *pin)
{
	struct ctl *c = w->c;
	int code = pin_need(pin, c, text_member(w->parameters, "serial"));
	signet_err err;
	char *text;

	while (code == CTL_OK) {
		(void)json_object_set_new(w->parameters, "lastTry", json_boolean(pin->last_try));
		text = json_dumps(w->parameters, JSON_COMPACT);
		err = text == NULL ? SIGNET_ERR_MEMORY : signet_set_timeout(c->conn, 600000);
		if (err == SIGNET_OK)
			err = signet_call(c->conn, w->method, text, pin->pin, 0, keep, w);
		free(text);
		if (err == SIGNET_OK)
			return CTL_OK;
		code = pin_answer(pin, c, err, signet_error_message(c->conn), signet_error_parameters(c->conn));
	}
	return code;
}

static int
work(struct work *w)
{
	struct pin pin = {0};
	int code;

	if (w->parameters == NULL)
		return fail_text(CTL_USAGE, _("a word of the command line is not UTF-8"));
	code = name_token(w);
	if (code == CTL_OK)
		code = pin_start(&pin, w->c);
	if (code == CTL_OK)
		code = call(w, &pin);
	pin_done(&pin);
	return code;
}

static void
work_done(struct work *w)
{
	json_decref(w->parameters);
	json_decref(w->reply);
}

int
verb_key_generate(struct ctl *c)
{
	const char *algorithm = given(c, OPT_ALGORITHM) ? c->value[OPT_ALGORITHM] : "p256";
	struct work w = {.c = c, .method = "org.signetd.Admin.GenerateKey",
	    .parameters = json_pack("{s:s, s:s}", "algorithm", algorithm, "label", c->args[0])};
	int code = work(&w);

	if (code == CTL_OK && given(c, OPT_JSON)) {
		code = print_json(w.reply);
	} else if (code == CTL_OK) {
		printf("%s ", _("a key was generated; its id:"));
		print_safe(stdout, text_member(w.reply, "id"));
		putchar('\n');
	}
	work_done(&w);
	return code;
}

static int
write_pem(FILE *f, const char *name, const char *text)
{
	static uint8_t der[DER_MAX];
	size_t size = sizeof(der);

	if (text == NULL || base64_decode(text, strlen(text), der, &size) != SIGNET_OK ||
	    PEM_write(f, name, "", der, (long)size) <= 0)
		return fail_text(CTL_FAILED, _("the request cannot be written"));
	return CTL_OK;
}

int
verb_key_csr(struct ctl *c)
{
	struct work w = {.c = c, .method = "org.signetd.Admin.RequestCertificate"};
	struct log_out out;
	int code;

	if (!given(c, OPT_SUBJECT))
		return fail_text(CTL_USAGE, _("say in whose name with --subject"));
	w.parameters = json_pack("{s:s, s:s, s:s*}", "id", c->args[0], "subject", c->value[OPT_SUBJECT], "organisation",
	    c->value[OPT_ORGANISATION]);
	code = work(&w);
	if (code == CTL_OK)
		code = log_out_open(&out, c);
	if (code == CTL_OK)
		code = log_out_close(&out, write_pem(out.f, PEM_STRING_X509_REQ, text_member(w.reply, "request")));
	work_done(&w);
	return code;
}

/* base64 of the certificate in a file; NULL after the fault was printed. free() it. */
static char *
read_certificate(const char *path)
{
	X509 *x509 = cert_from_file(path);
	unsigned char *der = NULL;
	int len = x509 == NULL ? 0 : i2d_X509(x509, &der);
	char *text = len <= 0 ? NULL : calloc(1, BASE64_LEN((size_t)len) + 1);

	if (text != NULL)
		base64_encode(text, der, (size_t)len);
	else
		(void)fail_text(CTL_USAGE, _("%s is no certificate"), path);
	OPENSSL_free(der);
	X509_free(x509);
	return text;
}

int
verb_cert_import(struct ctl *c)
{
	struct work w = {.c = c, .method = "org.signetd.Admin.ImportCertificate"};
	char *text = read_certificate(c->args[0]);
	int code;

	if (text == NULL)
		return CTL_USAGE;
	w.parameters = json_pack("{s:s}", "certificate", text);
	code = work(&w);
	if (code == CTL_OK && given(c, OPT_JSON)) {
		code = print_json(w.reply);
	} else if (code == CTL_OK) {
		printf("%s ", _("the certificate lies beside its key; id:"));
		print_safe(stdout, text_member(w.reply, "id"));
		putchar('\n');
	}
	work_done(&w);
	free(text);
	return code;
}
