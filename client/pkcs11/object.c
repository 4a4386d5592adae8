/*
 * The objects of all tokens: for each key its certificate, its public and its
 * private half, and once per token each certificate above.
 *
 * Invariant: the list is in the order of handles, and a handle means the same
 * bytes for ever: when the daemon shows something else, the old handle is gone.
 * An object that an operation still uses lives on behind its reference.
 */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

struct object *
object_ref(struct object *o)
{
	o->refs++;
	return o;
}

void
object_unref(struct object *o)
{
	if (o == NULL || --o->refs > 0)
		return;
	free(o->label.p);
	free(o->id.p);
	free(o->key);
	free(o->info.p);
	free(o->cert.p);
	free(o);
}

static bool
set(struct bytes *to, const void *bytes, size_t n)
{
	to->p = malloc(n + 1);
	if (to->p == NULL)
		return false;
	if (n > 0)
		memcpy(to->p, bytes, n);
	to->n = n;
	return true;
}

static bool
same(const struct bytes *a, const struct bytes *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

/* Is it the same thing, as far as anybody can see? */
static bool
alike(const struct object *a, const struct object *b)
{
	return a->slot == b->slot && a->class == b->class && a->public.kind == b->public.kind &&
	       a->public.bits == b->public.bits && a->always_auth == b->always_auth && same(&a->label, &b->label) && same(&a->id, &b->id) &&
	       same(&a->cert, &b->cert) && same(&a->info, &b->info);
}

struct maker {
	struct object_list *list;
	size_t room;
	bool failed;
};

static struct object *
add(struct maker *m, CK_OBJECT_CLASS class, size_t slot)
{
	struct object_list *l = m->list;
	struct object *o, **grown;

	if (l->count == m->room) {
		grown = reallocarray(l->at, m->room + 64, sizeof(struct object *));
		if (grown == NULL)
			return NULL;
		l->at = grown;
		m->room += 64;
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->refs = 1;
	o->class = class;
	o->slot = slot;
	l->at[l->count++] = o;
	return o;
}

/* The certificate's bytes, and what of them is shown. */
static bool
take_cert(struct object *o, const struct bytes *der)
{
	if (!set(&o->cert, der->p, der->n))
		return false;
	o->has_x = certificate_read(&o->x, (struct slice){o->cert.p, o->cert.n});
	return true;
}

/* The key's SubjectPublicKeyInfo: as the daemon tells it, or from the certificate. */
static struct slice
info_of(const struct listed_key *k)
{
	struct certificate x;

	if (k->public.n > 0)
		return (struct slice){k->public.p, k->public.n};
	if (k->cert_count > 0 && certificate_read(&x, (struct slice){k->certs[0].p, k->certs[0].n}))
		return x.info;
	return (struct slice){NULL, 0};
}

/* What is known of the public key. Kind and size are the daemon's word; what says otherwise adds nothing. */
static bool
take_public(struct object *o, const struct listed_key *k)
{
	struct slice info = info_of(k);
	struct public_key listed = {0};

	listed.kind = key_kind_of(k->algorithm, &listed.bits);
	if (!set(&o->info, info.p, info.n))
		return false;
	if (!public_key_read(&o->public, (struct slice){o->info.p, o->info.n}) || o->public.kind != listed.kind ||
	    o->public.bits != listed.bits)
		o->public = listed;
	return true;
}

/* One of a key's own objects. NULL: memory. */
static struct object *
add_own(struct maker *m, CK_OBJECT_CLASS class, size_t slot, const struct listed_key *k)
{
	struct object *o = add(m, class, slot);

	if (o != NULL)
		o->key = strdup(k->name);
	if (o == NULL || o->key == NULL || !set(&o->label, k->name, strlen(k->name)) ||
	    !set(&o->id, k->id.p, k->id.n) || !take_public(o, k) || (k->cert_count > 0 && !take_cert(o, &k->certs[0]))) {
		m->failed = true;
		return NULL;
	}
	return o;
}

static void
add_key(struct maker *m, size_t slot, const struct listed_key *k, bool pin_each_time)
{
	struct object *o;

	if (k->cert_count > 0)
		(void)add_own(m, CKO_CERTIFICATE, slot, k);
	o = add_own(m, CKO_PRIVATE_KEY, slot, k);
	if (o == NULL)
		return;
	o->always_auth = pin_each_time;
	if (o->public.info.n > 0)
		(void)add_own(m, CKO_PUBLIC_KEY, slot, k);
}

static void
add_above(struct maker *m, size_t slot, const struct bytes *der)
{
	struct object_list *l = m->list;
	struct object *o;

	for (size_t i = 0; i < l->count; i++)
		if (l->at[i]->class == CKO_CERTIFICATE && l->at[i]->slot == slot && same(&l->at[i]->cert, der))
			return;
	o = add(m, CKO_CERTIFICATE, slot);
	if (o == NULL || !take_cert(o, der) || !set(&o->id, NULL, 0) ||
	    !(o->x.name.n > 0 ? set(&o->label, o->x.name.p, o->x.name.n) : set(&o->label, "authority", 9)))
		m->failed = true;
}

/* A token whose every unlocking serves one signature wants the PIN for each. */
static bool
wants_pin_each_time(const struct listing *l, const char *token)
{
	for (size_t i = 0; i < l->token_count; i++)
		if (strcmp(l->tokens[i].name, token) == 0)
			return l->tokens[i].max_uses == 1 && l->tokens[i].pin_needed && !l->tokens[i].shared;
	return false;
}

bool
objects_make(struct object_list *out, const struct listing *l, size_t (*slot_of)(const char *token))
{
	struct maker m = {.list = out};

	*out = (struct object_list){0};
	for (size_t i = 0; i < l->key_count; i++) {
		const struct listed_key *k = &l->keys[i];
		size_t slot = slot_of(k->token);

		if (slot != SIZE_MAX)
			add_key(&m, slot, k, wants_pin_each_time(l, k->token));
	}
	/* behind all own ones, so that none of these is shown twice */
	for (size_t i = 0; i < l->key_count; i++)
		for (size_t c = 1; c < l->keys[i].cert_count && slot_of(l->keys[i].token) != SIZE_MAX; c++)
			add_above(&m, slot_of(l->keys[i].token), &l->keys[i].certs[c]);
	if (m.failed)
		objects_done(out);
	return !m.failed;
}

void
objects_done(struct object_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		object_unref(l->at[i]);
	free(l->at);
	*l = (struct object_list){0};
}

static int
by_handle(const void *a, const void *b)
{
	const struct object *const *x = a, *const *y = b;

	return ((*x)->handle > (*y)->handle) - ((*x)->handle < (*y)->handle);
}

/* The old object that this one is, which then stands in its place. */
static bool
keep_old(struct object_list *now, struct object **fresh)
{
	for (size_t i = 0; i < now->count; i++)
		if (now->at[i] != NULL && alike(now->at[i], *fresh)) {
			object_unref(*fresh);
			*fresh = now->at[i];
			now->at[i] = NULL;
			return true;
		}
	return false;
}

void
objects_replace(struct object_list *now, struct object_list *fresh, CK_ULONG *next)
{
	for (size_t i = 0; i < fresh->count; i++)
		if (!keep_old(now, &fresh->at[i]))
			fresh->at[i]->handle = (*next)++;
	if (fresh->count > 1)
		qsort(fresh->at, fresh->count, sizeof(struct object *), by_handle);
	objects_done(now);
	*now = *fresh;
	*fresh = (struct object_list){0};
}

struct object *
object_get(CK_OBJECT_HANDLE handle)
{
	struct object wanted = {.handle = handle}, *key = &wanted, **found;
	const struct object_list *l = &state->objects;

	if (l->count == 0)
		return NULL;
	found = bsearch(&key, l->at, l->count, sizeof(struct object *), by_handle);
	return found == NULL ? NULL : *found;
}
