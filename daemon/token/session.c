/*
 * One session per lane. A session that saw a failed operation is closed, never
 * repaired: what the module left active in it would answer the next signature
 * with CKR_OPERATION_ACTIVE. Closing it does not log out, because the token's
 * anchor session stays open.
 */
#include "token/worker.h"

CK_RV
session_open(struct lane *l)
{
	struct token *t = l->token;
	CK_RV rv;

	if (l->open)
		return CKR_OK;
	rv = t->p11->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &l->session);
	l->open = rv == CKR_OK;
	l->verified = 0;
	return rv;
}

void
session_close(struct lane *l)
{
	/* whether it can still be closed changes nothing: it is not used again */
	if (l->open)
		(void)l->token->p11->C_CloseSession(l->session);
	l->open = false;
}

void
session_lost(struct lane *l)
{
	l->open = false;
}
