/* The two rights to read; `read-log` contains `read-own`. */
#include "log_right.h"

#include "broker.h"
#include "permit.h"

bool
log_right(struct request *r, struct log_right *right)
{
	struct verdict all = permit_again(r->broker, r->who, VERB_READ_LOG, NULL);
	struct verdict own = permit_again(r->broker, r->who, VERB_READ_OWN, NULL);
	struct fault f;

	right->all = all.permitted;
	right->titles = permit_again(r->broker, r->who, VERB_READ_TITLES, NULL).permitted;
	right->rule = all.permitted ? all.rule : own.rule;
	if (all.permitted || own.permitted)
		return true;
	if (!permit_whole(r->broker, r->who, r->method, &f)) /* says `read-own`, the smaller one */
		request_fail(r, &f);
	return false;
}
