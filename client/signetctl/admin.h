/* signetctl: the verbs that look after tokens, keys and certificates. */
#ifndef SIGNET_SIGNETCTL_ADMIN_H
#define SIGNET_SIGNETCTL_ADMIN_H

#include "ctl.h"

/*
 * One call of the daemon with one reply. `parameters` is stolen. CTL_OK and *reply (json_decref() it), or the exit code
 * after the fault was printed.
 */
int admin_call(struct ctl *c, const char *method, json_t *parameters, json_t **reply);

int verb_key_disable(struct ctl *c);
int verb_key_enable(struct ctl *c);
int verb_token_handover(struct ctl *c);

#endif
