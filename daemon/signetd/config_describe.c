/*
 * The configuration that was read, as one JSON object for programs that help an
 * administrator (`signetd --check --json`): what is where, never a secret, for
 * there is none in a configuration.
 */
#include "config_describe.h"

static json_t *
text_or_null(const char *s)
{
	return s != NULL ? json_string(s) : json_null();
}

static json_t *
words(char *const *list, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, json_string(list[i]));
	return out;
}

static json_t *
describe_token(const struct config_token *t)
{
	return json_pack("{s:s,s:s,s:i,s:s,s:o,s:o,s:o,s:o,s:o}", "name", t->name, "file", t->at.file, "line", t->at.line,
	    "module", t->module, "serial", text_or_null(t->serial), "label", text_or_null(t->label), "holder",
	    text_or_null(t->holder), "paths", words(t->paths, t->path_count), "environment",
	    words(t->environment, t->environment_count));
}

static json_t *
describe_key(const struct config *c, const struct config_key *k)
{
	static const char *const uses[] = {"personal", "seal", "timestamp", "log"};

	return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:o}", "name", k->name, "file", k->at.file, "line", k->at.line,
	    "token", c->tokens[k->token].name, "uri", k->uri, "use", uses[k->use], "organisation",
	    text_or_null(k->organisation));
}

static json_t *
hash_text(const uint8_t hash[32])
{
	static const char digit[] = "0123456789abcdef";
	char text[7 + 64 + 1] = "sha256:";

	for (size_t i = 0; i < 32; i++) {
		text[7 + 2 * i] = digit[hash[i] >> 4];
		text[8 + 2 * i] = digit[hash[i] & 15];
	}
	return json_string(text);
}

json_t *
config_describe(const struct config *c, const char *path)
{
	json_t *tokens = json_array(), *keys = json_array(), *rules = json_array();

	for (size_t i = 0; i < c->token_count; i++)
		json_array_append_new(tokens, describe_token(&c->tokens[i]));
	for (size_t i = 0; i < c->key_count; i++)
		json_array_append_new(keys, describe_key(c, &c->keys[i]));
	for (size_t i = 0; i < c->policy->rule_count; i++)
		json_array_append_new(rules, json_string(c->policy->rules[i].name));
	return json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:b,s:b,s:s,s:o,s:o,s:o,s:o}", "path", path, "config",
	    hash_text(c->hash), "socket", c->socket, "state",
	    c->state, "lockDirectory", c->lock_directory, "tokenProgram", c->token_program, "ownUid", c->own_uid, "sandbox",
	    c->sandbox, "origin", c->origin, "tiles", text_or_null(c->tiles), "tokens", tokens, "keys", keys, "rules", rules);
}
