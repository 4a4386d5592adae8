/*
 * signetctl timestamp FILE...: the digest here, a time-stamp token of the daemon
 * in FILE.tst [RFC 3161].
 *
 * Invariant: no token is written that is not about the file and this very
 * question (nonce). Who issued it is for a verifier to judge: `openssl ts
 * -verify -token_in`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/json.h"
#include "cms_stamp.h"
#include "ctl.h"
#include "hash.h"
#include "out.h"

enum { NONCE_SIZE = 8 };

struct stamped {
	struct ctl *c;
	uint8_t *token;
	size_t size;
	int64_t index;
};

static bool
keep_token(void *arg, const char *json, size_t size, bool continues)
{
	struct stamped *s = arg;
	json_t *reply = NULL;
	const char *text;

	(void)continues;
	if (json_read(&reply, json, size, NULL) == SIGNET_OK && (text = json_member_str(reply, "token")) != NULL) {
		s->size = strlen(text) / 4 * 3;
		s->token = malloc(s->size + 1);
		if (s->token == NULL || base64_decode(text, strlen(text), s->token, &s->size) != SIGNET_OK)
			s->size = 0;
		s->index = json_integer_value(json_object_get(json_object_get(reply, "receipt"), "index"));
	}
	json_decref(reply);
	return true;
}

static int
ask_for(struct stamped *s, const char *digest, const uint8_t nonce[NONCE_SIZE])
{
	char text[BASE64_LEN(NONCE_SIZE) + 1] = "";
	json_t *parameters;
	char *json;
	signet_err err = SIGNET_ERR_MEMORY;

	base64_encode(text, nonce, NONCE_SIZE);
	parameters = json_pack("{s:s, s:s}", "digest", digest, "nonce", text);
	json = parameters == NULL ? NULL : json_dumps(parameters, JSON_COMPACT);
	if (json != NULL)
		err = signet_call(s->c->conn, "org.signetd.Signer.Timestamp", json, NULL, 0, keep_token, s);
	free(json);
	json_decref(parameters);
	return err == SIGNET_OK ? CTL_OK : fail_call(s->c, err);
}

/* 0: it is written. */
static int
stamp_file(struct ctl *c, const char *file, signet_hash hash)
{
	struct stamped s = {.c = c};
	struct digest d = {.alg = DIGEST_NONE};
	char *path = out_path(file, c->value[OPT_OUT], ".tst"), text[DIGEST_TEXT_MAX];
	struct hashes h;
	uint8_t nonce[NONCE_SIZE];
	int code, failed;

	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		abort();
	if (hash_file(&h, file, 1U << hash) != SIGNET_OK) {
		code = fail_text(CTL_FAILED, _("cannot read %s: %s"), file, strerror(errno));
		goto done;
	}
	if (!given(c, OPT_FORCE) && access(path, F_OK) == 0) {
		code = fail_text(CTL_FAILED, _("%s exists already: --force replaces it"), path);
		goto done;
	}
	d.alg = hash == SIGNET_SHA256 ? DIGEST_SHA256 : hash == SIGNET_SHA384 ? DIGEST_SHA384 : DIGEST_SHA512;
	memcpy(d.bytes, h.of[hash], signet_hash_size(hash));
	digest_format(&d, text);
	code = ask_for(&s, text, nonce);
	if (code == CTL_OK && !stamp_answers(s.token, s.size, hash_name(hash), d.bytes, nonce, sizeof(nonce)))
		code = fail_text(CTL_FAILED, _("the time-stamp that came is not about %s"), file);
	if (code != CTL_OK)
		goto done;
	failed = out_write(path, s.token, s.size, given(c, OPT_FORCE));
	if (failed != 0) {
		code = fail_text(CTL_FAILED, _("cannot write %s: %s"), path, strerror(failed));
		goto done;
	}
	print_safe(stdout, path);
	printf(_(": time-stamp, log entry %lld\n"), (long long)s.index);
done:
	free(s.token);
	free(path);
	return code;
}

int
verb_timestamp(struct ctl *c)
{
	const char *name = c->value[OPT_HASH];
	signet_hash hash = name == NULL ? SIGNET_SHA256 : hash_find(name);
	int code, worst = CTL_OK;

	if (hash == 0)
		return fail_text(CTL_USAGE, _("--hash is sha256, sha384 or sha512"));
	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	for (int i = 0; i < c->arg_count; i++) {
		code = stamp_file(c, c->args[i], hash);
		if (code != CTL_OK)
			worst = code;
	}
	return worst;
}
