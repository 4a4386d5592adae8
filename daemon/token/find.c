/*
 * Which slot holds our token, and is it ours alone? A token is known by its
 * serial number or, without one, by its label, never by its slot: exactly one
 * slot must match. The owner holds an flock on a file named after the token
 * for as long as it lives, so that a worker which is slow to die and its
 * successor never log in side by side.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "token/worker.h"

enum { SLOTS_MAX = 1024 };

void
token_init(struct token *t, const struct wire_config *c)
{
	memset(t, 0, sizeof(*t));
	t->config = c;
	t->lock_dir = t->lock = -1;
	t->anchor = CK_INVALID_HANDLE;
	pthread_mutex_init(&t->login, NULL);
	/* before the files are confined: afterwards only what lies below is open to us */
	t->lock_dir = open(c->lock_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool
is_ours(const struct wire_config *c, const CK_TOKEN_INFO *about)
{
	bool by_serial = c->serial[0] != '\0';
	char want[64], is[64];

	text_field(want, sizeof(want), (const unsigned char *)(by_serial ? c->serial : c->label),
	    by_serial ? sizeof(c->serial) : sizeof(c->label));
	if (by_serial)
		text_field(is, sizeof(is), about->serialNumber, sizeof(about->serialNumber));
	else
		text_field(is, sizeof(is), about->label, sizeof(about->label));
	return want[0] != '\0' && strcmp(want, is) == 0;
}

/* Asks for the number first: some modules look for new readers only then. */
CK_RV
slots_with_token(CK_FUNCTION_LIST *p11, CK_SLOT_ID **slots, CK_ULONG *count)
{
	CK_RV rv;

	*slots = NULL;
	do {
		*count = 0;
		rv = p11->C_GetSlotList(CK_TRUE, NULL, count);
		if (rv != CKR_OK)
			return rv;
		if (*count > SLOTS_MAX)
			return CKR_GENERAL_ERROR;
		free(*slots);
		*slots = calloc(*count + 1, sizeof(**slots));
		if (*slots == NULL)
			return CKR_HOST_MEMORY;
		rv = p11->C_GetSlotList(CK_TRUE, *slots, count);
	} while (rv == CKR_BUFFER_TOO_SMALL); /* one was inserted in between */
	return rv;
}

uint8_t
token_find(struct token *t, char *reason, size_t size)
{
	CK_SLOT_ID *slots = NULL;
	CK_ULONG count = 0, matches = 0;
	CK_RV rv = slots_with_token(t->p11, &slots, &count);

	for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) {
		CK_TOKEN_INFO about;

		memset(&about, 0, sizeof(about));
		/* an unreadable card in another reader is not our trouble */
		if (t->p11->C_GetTokenInfo(slots[i], &about) != CKR_OK || !is_ours(t->config, &about))
			continue;
		matches++;
		t->slot = slots[i];
		t->about = about;
	}
	free(slots);
	if (rv != CKR_OK) {
		text_printf(reason, size, "C_GetSlotList: %s (0x%lx)", ckr_name((uint32_t)rv), rv);
		return WIRE_BROKEN;
	}
	if (matches > 1)
		text_printf(reason, size, "%lu tokens match", matches);
	atomic_store(&t->flags, (uint32_t)t->about.flags);
	return matches == 1 ? WIRE_PRESENT : matches == 0 ? WIRE_ABSENT : WIRE_AMBIGUOUS;
}

/* "<sha256 of manufacturer|model|serial>.lock"; the label stands in where there is no serial number. */
static bool
lock_name(const CK_TOKEN_INFO *about, char *out, size_t size)
{
	char maker[64], model[64], name[64], text[256], hex[2 * 32 + 1];
	uint8_t hash[32];

	text_field(maker, sizeof(maker), about->manufacturerID, sizeof(about->manufacturerID));
	text_field(model, sizeof(model), about->model, sizeof(about->model));
	text_field(name, sizeof(name), about->serialNumber, sizeof(about->serialNumber));
	if (wire_serial_is_none(name))
		text_field(name, sizeof(name), about->label, sizeof(about->label));
	snprintf(text, sizeof(text), "%s|%s|%s", maker, model, name);
	if (EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text), hash, NULL) != 1)
		return false;
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	snprintf(out, size, "%s.lock", hex);
	return true;
}

uint8_t
token_lock(struct token *t, char *reason, size_t size)
{
	char name[80];

	if (t->lock_dir < 0) {
		text_printf(reason, size, "the lock directory %s cannot be opened", t->config->lock_dir);
		return WIRE_BROKEN;
	}
	if (!lock_name(&t->about, name, sizeof(name))) {
		text_printf(reason, size, "SHA-256 is not available");
		return WIRE_BROKEN;
	}
	t->lock = openat(t->lock_dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->lock < 0) {
		text_printf(reason, size, "the lock file %s: %s", name, strerror(errno));
		return WIRE_BROKEN;
	}
	if (flock(t->lock, LOCK_EX | LOCK_NB) == 0)
		return WIRE_PRESENT;
	if (errno == EWOULDBLOCK) {
		text_printf(reason, size, "another process owns this token");
		return WIRE_OWNED;
	}
	text_printf(reason, size, "the lock file %s: %s", name, strerror(errno));
	return WIRE_BROKEN;
}
