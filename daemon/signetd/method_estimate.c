/*
 * EstimateSize: room for a signature, before there is one. The worker has
 * measured the longest that its key can make; nothing is added up here that the
 * worker could know better.
 */
#include <string.h>

#include "broker.h"
#include "dispatch.h"
#include "permit.h"
#include "scheme.h"
#include "token.h"

/* The attribute around a time-stamp, and lengths that grow with it (CMS_ROOM_T of format/cms.h). */
enum { STAMP_ROOM = 64 };

/* Of a bare signature. ECDSA in DER: both integers with a sign byte. */
static unsigned
raw_room(const struct wire_key *k)
{
	switch (k->algorithm) {
	case WIRE_RSA:
		return (k->bits + 7u) / 8;
	case WIRE_P256:
		return 72;
	case WIRE_P384:
		return 104;
	case WIRE_P521:
		return 139;
	default:
		return 64; /* Ed25519 */
	}
}

static bool
was_seen(const struct key *k, struct fault *f)
{
	const char *name = k->token->conf->name;

	if (k->token->seen_us != 0)
		return true;
	fault_set(f, SIGNET_ERR_TOKEN_ABSENT, name, "token %s was not there since the daemon started: insert it", name);
	fault_set_holder(f, k->token->conf->holder);
	return false;
}

/* What the source of time-stamps adds, whatever the clock is like now. */
static bool
add_stamp_room(const struct broker *b, unsigned *room, struct fault *f)
{
	const struct key *source = broker_key(b, b->config->keys[b->config->timestamps[0].key].name);

	if (source == NULL || !was_seen(source, f) || !format_check(source, WIRE_TST, f))
		return false;
	*room += source->info.tst_room + STAMP_ROOM;
	return true;
}

static bool
room_of(const struct request *r, const struct key *k, unsigned *room, struct fault *f)
{
	enum wire_format format = format_parse(json_member_str(r->call.parameters, "format"));
	enum wire_scheme unused;
	const char *level;

	if (!was_seen(k, f) || !scheme_resolve(k, SCHEME_DEFAULT, &unused, f) || !format_check(k, format, f) ||
	    !level_check(r->broker, format, json_member_str(r->call.parameters, "level"), f))
		return false;
	*room = format == WIRE_RAW ? raw_room(&k->info) : k->info.cms_room;
	level = json_member_str(r->call.parameters, "level");
	return level == NULL || strcmp(level, "t") != 0 || add_stamp_room(r->broker, room, f);
}

void
method_estimate_size(struct request *r)
{
	struct fault f;
	const struct key *k = permit_key(r->broker, r->who, r->method, json_member_str(r->call.parameters, "key"), &f);
	unsigned room;

	if (k == NULL || !room_of(r, k, &room, &f))
		request_fail(r, &f);
	else
		request_reply(r, json_pack("{s:I}", "bytes", (json_int_t)room));
}
