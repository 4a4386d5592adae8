/* A token as its holders see it: the `Token` of org.signetd.Token. */
#ifndef SIGNET_SIGNETD_TOKEN_VIEW_H
#define SIGNET_SIGNETD_TOKEN_VIEW_H

#include <jansson.h>

#include "request.h"
#include "token.h"

/* {"token":..} for this caller; NULL without memory. */
json_t *token_view(struct request *r, struct token *t);
/* The same of one that he saw before and that is not his to see any more. */
json_t *token_view_gone(const char *name);
/* May he see it? Asked again whenever it counts. */
bool token_view_permitted(const struct request *r, const struct token *t);

#endif
