/*
 * One question, under the same confinement as a worker's: the module is as
 * little trusted here. Whatever happens ends in one answer or none; the broker
 * has a deadline.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"

#include "token/once.h"

enum { REQUEST_MAX = 64 * 1024 };

static json_t *
receive_request(void)
{
	uint8_t head[4], *text;
	json_t *request = NULL;
	const char *why;
	size_t len;

	receive_exactly(head, sizeof(head));
	len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
	text = len == 0 || len > REQUEST_MAX ? NULL : malloc(len);
	if (text == NULL)
		_exit(EX_PROTOCOL);
	receive_exactly(text, len);
	if (json_read(&request, (const char *)text, len, &why) != SIGNET_OK)
		_exit(EX_PROTOCOL);
	wipe(text, len); /* it may have a PIN */
	free(text);
	return request;
}

static json_t *
answer_of(const struct wire_config *c, const json_t *request)
{
	const char *what = json_member_str(request, "operation");
	char reason[256] = "";
	static struct token token;

	token_init(&token, c); /* opens the folder of the locks, before files are out of reach */
	if (c->confine && !confine_files(c, reason, sizeof(reason)))
		return json_pack("{s:s}", "reason", reason);
	token.p11 = module_load(c->module, true, reason, sizeof(reason));
	if (token.p11 == NULL || (c->confine && !confine_calls(reason, sizeof(reason))))
		return json_pack("{s:s}", "reason", reason);
	if (what != NULL && strcmp(what, "scan") == 0)
		return scan_module(token.p11);
	return provision(&token, request);
}

_Noreturn void
once_serve(void)
{
	struct wire_config *c;
	json_t *request, *answer;
	char *text;

	json_wipe_freed_memory();
	signal(SIGPIPE, SIG_IGN);
	confine_process(SIGNET_TOKEN_FD);
	lane_block(SIGNET_TOKEN_FD);
	c = receive_config();
	confine_descriptors(SIGNET_TOKEN_FD + 1);
	request = receive_request();
	answer = answer_of(c, request);
	json_decref(request);
	text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
	if (text == NULL)
		_exit(EX_OSERR);
	lane_send(SIGNET_TOKEN_FD, (const uint8_t *)text, strlen(text));
	_exit(EX_OK); /* modules crash in exit handlers */
}
