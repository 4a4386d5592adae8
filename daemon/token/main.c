/*
 * signet-token: the process that owns one token, or (--watch MODULE) sees which
 * tokens a module has.
 *
 * Started by signetd with its lanes as descriptors from SIGNET_TOKEN_FD on, and
 * by nobody else. It reads one CONFIG, locks itself in, loads the vendor's
 * module, looks for the token and its keys, answers with one INFO, and serves
 * its lanes until the broker closes one of them. It never repairs itself: a
 * result says what is fatal, and a fresh process takes over.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "token/once.h"
#include "token/worker.h"

/* Certificates first: libp11 closes every session there is when it gives its slots back. */
static uint8_t
read_token(struct token *t, struct wire_info *info, struct token_certs *issuers)
{
	struct token_certs certs;
	signet_err err;
	CK_RV rv;

	/* where no session can be had, libp11 waits for one for ever */
	rv = t->p11->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->anchor);
	if (rv != CKR_OK) {
		text_printf(info->reason, sizeof(info->reason), "C_OpenSession: %s", ckr_name((uint32_t)rv));
		return WIRE_BROKEN;
	}
	(void)t->p11->C_CloseSession(t->anchor);
	err = certs_read(&certs, t, info->reason, sizeof(info->reason));
	if (err != SIGNET_OK)
		return WIRE_BROKEN;
	issuers_append(&certs, issuers);
	rv = t->p11->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->anchor);
	if (rv == CKR_OK)
		err = keys_read(t, info, &certs);
	else
		text_printf(info->reason, sizeof(info->reason), "C_OpenSession: %s", ckr_name((uint32_t)rv));
	certs_done(&certs);
	return rv == CKR_OK && err == SIGNET_OK ? WIRE_PRESENT : WIRE_BROKEN;
}

static uint8_t
set_up(struct token *t, struct wire_info *info)
{
	const struct wire_config *c = t->config;
	char *reason = info->reason;
	size_t size = sizeof(info->reason);
	struct token_certs issuers;
	uint8_t presence;

	issuers_read(&issuers, c); /* while their files can still be opened */
	if (c->confine && !confine_files(c, reason, size))
		return WIRE_BROKEN;
	t->p11 = module_load(c->module, c->lanes == 1, reason, size);
	if (t->p11 == NULL)
		return WIRE_BROKEN;
	if (c->confine && !confine_calls(reason, size))
		return WIRE_BROKEN;
	presence = token_find(t, reason, size);
	if (presence != WIRE_PRESENT)
		return presence;
	info_describe(info, &t->about);
	presence = token_lock(t, reason, size);
	return presence == WIRE_PRESENT ? read_token(t, info, &issuers) : presence;
}

static void
send_info(struct wire_info *info)
{
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX);
	info_put(&out, info);
	if (out.failed)
		_exit(EX_OSERR);
	lane_send(SIGNET_TOKEN_FD, out.data, out.len);
	buf_done(&out);
}

static void *
lane_thread(void *lane)
{
	lane_serve(lane);
}

/* Lane 0 stays with the main thread: a module that cannot lock has a single lane, and no other thread. */
static _Noreturn void
serve(struct token *t)
{
	struct lane *lanes = calloc(t->config->lanes, sizeof(*lanes));

	if (lanes == NULL)
		_exit(EX_OSERR);
	for (int i = 0; i < t->config->lanes; i++) {
		lanes[i].token = t;
		lanes[i].fd = SIGNET_TOKEN_FD + i;
		lane_block(lanes[i].fd);
		if (i > 0 && pthread_create(&lanes[i].thread, NULL, lane_thread, &lanes[i]) != 0)
			_exit(EX_OSERR);
	}
	lane_serve(&lanes[0]);
}

static _Noreturn void
own(const struct wire_config *config)
{
	static struct token token;
	struct wire_info *info;

	token_init(&token, config);
	info = calloc(1, sizeof(*info));
	if (info == NULL)
		_exit(EX_OSERR);
	info->key_count = config->key_count;
	info->presence = token.presence = set_up(&token, info);
	send_info(info);
	wire_info_done(info);
	free(info);
	serve(&token);
}

/*
 * signet-token NAME            own a token; its name, so that ps(1) tells the workers apart
 * signet-token --watch MODULE  watch a module; the frame says which, this is for ps(1) as well
 * signet-token --poll MODULE   the same without waiting for slot events
 * signet-token --once          answer one question about a module
 */
int
main(int argc, char **argv)
{
	bool by_polling = argc == 3 && strcmp(argv[1], "--poll") == 0;
	bool watches = by_polling || (argc == 3 && strcmp(argv[1], "--watch") == 0);
	struct wire_config *config;

	if (argc == 2 && strcmp(argv[1], "--once") == 0)
		once_serve();
	if (argc > 2 && !watches) {
		fputs("signet-token is started by signetd only\n", stderr);
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	confine_process(SIGNET_TOKEN_FD);
	lane_block(SIGNET_TOKEN_FD);
	config = receive_config();
	confine_descriptors(SIGNET_TOKEN_FD + config->lanes);
	if (watches)
		watch_serve(config, by_polling);
	own(config);
}
