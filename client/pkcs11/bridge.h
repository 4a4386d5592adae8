/*
 * signet-pkcs11.so from inside: tokens, keys and signatures of the daemon as
 * PKCS #11 shows them [PKCS #11 2.40].
 *
 * Locking. There are two locks, both made by C_Initialize in the way the
 * program asked for (lock.c). LOCK_STATE guards all that `struct state` holds;
 * it is never held while anybody waits for the daemon. Whoever talks to the
 * daemon copies what he needs, leaves, talks, enters again and looks up anew:
 * sessions, objects and the whole state may have gone meanwhile, which
 * `generation` tells. LOCK_LOGIN is taken before LOCK_STATE and held over
 * C_Login and C_Logout, waiting included, so that one wrong PIN is one try.
 *
 * Handles are numbers that never come twice in a process. They name what this
 * process was shown, not a place in the daemon: they outlive its restarts.
 */
#ifndef SIGNET_PKCS11_BRIDGE_H
#define SIGNET_PKCS11_BRIDGE_H

#include <p11-kit/pkcs11.h>
#include <signet/signet.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/secret.h"

enum {
	SIGN_TIMEOUT_MS = 300000, /* a queue, a person at a PIN pad or with an agent */
	LIST_TIMEOUT_MS = 10000,  /* nothing there waits for a token */
	LOCK_TIMEOUT_MS = 5000,   /* C_Logout, and programs on their way out */
	RAW_MAX = 83,             /* input of a mechanism that does not hash: the DigestInfo of SHA-512 */
};

/* ---- der.c, cert.c, key.c: what certificates and keys are made of ---- */

struct slice {
	const uint8_t *p;
	size_t n;
};

/*
 * The next element of `in`, which is moved behind it: whole is tag, length and content, body the content. False: there
 * is none, or it is not DER with a length below 64 KiB and a tag of one byte.
 */
bool der_next(struct slice *in, uint8_t *tag, struct slice *whole, struct slice *body);
/* The same for an element that must have that tag. */
bool der_take(struct slice *in, uint8_t wanted, struct slice *whole, struct slice *body);
/* Content of an INTEGER that is positive, without the zero before a set top bit. */
bool der_unsigned(struct slice *in, struct slice *value);
/* ECDSA-Sig-Value to r || s, `half` bytes each. False: it is none, or a number does not fit. */
bool der_to_raw(const uint8_t *sig, size_t size, size_t half, uint8_t *raw);

enum key_kind { KEY_NONE, KEY_RSA, KEY_EC, KEY_ED25519 };

/* Slices point into bytes that the caller keeps. */
struct public_key {
	enum key_kind kind;
	unsigned bits;
	struct slice info;              /* SubjectPublicKeyInfo */
	struct slice modulus, exponent; /* RSA: without leading zeroes */
	struct slice params;            /* EC: the curve's name */
	struct slice point;             /* EC, Ed25519: the BIT STRING's bytes */
};

/* From a whole SubjectPublicKeyInfo. False: none of ours, or not well-formed. */
bool public_key_read(struct public_key *k, struct slice info);

struct certificate {
	struct slice serial, issuer, subject; /* whole elements */
	struct slice name;                    /* the subject's common name, as it lies; empty: none that is text */
	CK_DATE start, end;
	bool dated; /* start and end are set */
	struct slice info;
};

bool certificate_read(struct certificate *c, struct slice der);

/* "rsa-2048", "p-256", ... as the daemon names them. KEY_NONE: none of ours. */
enum key_kind key_kind_of(const char *algorithm, unsigned *bits);
/* Bytes of a signature as PKCS #11 has it. */
size_t key_signature_size(enum key_kind kind, unsigned bits);
/* Bytes of the order of the curve. */
size_t key_order_size(unsigned bits);
/* What CKA_EC_PARAMS shows; empty for RSA. */
struct slice key_params(enum key_kind kind, unsigned bits);

/* ---- listing.c: what the daemon shows, as plain data ---- */

struct bytes {
	uint8_t *p;
	size_t n;
};

struct listed_token {
	char *name, *state, *serial, *label, *manufacturer, *model;
	int64_t until; /* seconds since 1970 when the unlocking ends; 0: none */
	int64_t uses;  /* -1: not unlocked for this user */
	bool shared, pin_needed, prompted, count_low, final_try;
	unsigned pin_failures, max_uses, max_seconds;
};

struct listed_key {
	char *name, *token, *algorithm;
	struct bytes id, public; /* n 0: not known */
	struct bytes *certs; /* its own first */
	size_t cert_count;
};

struct listing {
	struct listed_token *tokens;
	size_t token_count;
	struct listed_key *keys;
	size_t key_count;
	bool failed; /* memory was short */
};

/* Ask. The result is complete or empty. */
must_check signet_err listing_read(struct listing *l, signet_conn *conn);
void listing_done(struct listing *l);
/* Seconds since 1970 of a time of the daemon; 0: NULL, or none. */
int64_t time_read(const char *text);

/* ---- objects ---- */

struct object {
	CK_OBJECT_HANDLE handle;
	unsigned refs;
	size_t slot;
	CK_OBJECT_CLASS class;
	struct bytes label, id;
	char *key; /* name of the key; NULL: a certificate above one */
	struct bytes info; /* SubjectPublicKeyInfo of a key */
	struct bytes cert;
	struct certificate x; /* into cert */
	bool has_x;
	bool always_auth; /* the token wants the PIN for each signature */
	struct public_key public; /* into info; kind and bits are always set for keys */
};

struct object *object_ref(struct object *o);
void object_unref(struct object *o);

struct object_list {
	struct object **at; /* by rising handle */
	size_t count;
};

/* The objects that `l` calls for, not yet numbered. False: memory. `slot_of` tells the slot of a token, or SIZE_MAX. */
bool objects_make(struct object_list *out, const struct listing *l, size_t (*slot_of)(const char *token));
/* Put `fresh` in the place of `now`: what is the same keeps its handle, what is new gets one from *next. */
void objects_replace(struct object_list *now, struct object_list *fresh, CK_ULONG *next);
void objects_done(struct object_list *l);
struct object *object_get(CK_OBJECT_HANDLE handle);

struct value {
	const void *p;
	size_t n;
	union {
		CK_ULONG number;
		CK_BBOOL truth;
		CK_DATE date;
		uint8_t bytes[140];
		CK_MECHANISM_TYPE list[13];
	} own;
};

/* CKR_OK, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE. v->p may point into v. */
CK_RV attribute_get(const struct object *o, bool private, CK_ATTRIBUTE_TYPE type, struct value *v);
bool attribute_matches(const struct object *o, bool private, const CK_ATTRIBUTE *a);

/* quirk.c: an object that this search leaves out for the sake of the program that searches */
bool quirk_hides(const struct object *o, const CK_ATTRIBUTE *wanted, CK_ULONG count);

/* ---- slots ---- */

struct slot {
	char *name; /* of the token in the daemon's configuration */
	char *serial, *label, *manufacturer, *model;
	bool listed;  /* the daemon shows it to us */
	bool present; /* and it is there */
	bool blocked;
	bool shared, pin_needed, prompted, count_low, final_try;
	int64_t uses;
	unsigned pin_failures, max_uses, max_seconds;
	uint64_t epoch;        /* of the daemon's life in which it was seen present */
	bool event;            /* for C_WaitForSlotEvent */
	bool logged_in;        /* the program is */
	int64_t until;          /* end of the unlocking that our C_Login made; 0: none */
	struct secret *refused; /* the PIN that the token refused last */
};

/* Does a private key need C_Login before it is shown? */
bool slot_needs_login(const struct slot *s);
bool slot_shows_private(const struct slot *s);
void slot_logout(struct slot *s);
/* Is this the end of the unlocking that our C_Login made? The daemon computes it anew for each answer. */
bool slot_is_ours(const struct slot *s, int64_t until);
/* Is the next wrong PIN perhaps the last that the token takes? */
bool slot_is_final(const struct slot *s);
/* NULL: there is no such slot. */
struct slot *slot_get(CK_SLOT_ID id);
/* Take over what the daemon said. */
void slots_update(struct listing *l);
/* One token's state, as Token.Watch tells it. */
void slots_update_one(struct listed_token *t);
/* The daemon cannot be reached: no token is there for now. */
void slots_unreachable(void);
void slots_done(void);

enum refresh { REFRESH_NOW, REFRESH_OLD };
/*
 * Ask the daemon what there is (REFRESH_OLD: unless that was done within the last second). Called with the
 * state locked; leaves and enters it. CKR_CRYPTOKI_NOT_INITIALIZED: no longer locked. A daemon that is not there is no
 * failure: nothing is present then.
 */
CK_RV refresh(enum refresh how);

/* ---- mechanism.c ---- */

enum scheme { SCHEME_PKCS1, SCHEME_PSS, SCHEME_ECDSA, SCHEME_EDDSA };

struct mechanism {
	CK_MECHANISM_TYPE type;
	enum scheme scheme;
	signet_hash hash; /* what the bridge hashes with; 0: the input is hashed already */
};

const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type);
enum key_kind mechanism_key(const struct mechanism *m);
const char *scheme_name(enum scheme scheme);
/* The mechanisms for that kind of key; returns their number. KEY_NONE: all. */
size_t mechanism_list(enum key_kind kind, CK_MECHANISM_TYPE *out);
enum { MECHANISMS_MAX = 13 };
/* *hash: the one that the parameters name, 0: none. CKR_MECHANISM_PARAM_INVALID. */
CK_RV mechanism_params(const struct mechanism *m, const CK_MECHANISM *given, signet_hash *hash);

/* ---- sessions ---- */

struct digest_run; /* digest.c */

struct sign_op {
	const struct mechanism *mechanism; /* NULL: no operation */
	struct object *key;
	signet_hash hash;     /* PSS without hashing: what the parameters name */
	struct digest_run *run;
	uint8_t raw[RAW_MAX];
	size_t raw_len;
	bool too_long;      /* more input than any digest has */
	bool updated;       /* C_SignUpdate was called */
	bool authenticated; /* by C_Login for this one operation */
	bool busy;          /* a thread is at it, and has taken all but `mechanism` */
};

struct session {
	CK_SESSION_HANDLE handle;
	struct session *next;
	size_t slot;
	CK_FLAGS flags;
	struct sign_op sign;
	CK_OBJECT_HANDLE *found; /* of a search; NULL: none is active */
	size_t found_count, found_next;
};

struct session *session_get(CK_SESSION_HANDLE handle);
void sessions_close(size_t slot);
void sessions_done(void);
void sign_op_done(struct sign_op *op);

/* ---- sign_input.c ---- */

struct to_sign {
	signet_hash hash;
	uint8_t digest[SIGNET_DIGEST_MAX];
};

/* What the daemon is asked to sign. CKR_DATA_INVALID, CKR_DATA_LEN_RANGE. */
CK_RV sign_input(struct to_sign *out, const struct mechanism *m, signet_hash pss_hash, const uint8_t *data, size_t n);

/* ---- digest.c ---- */

/* With the state locked, as the only one of these. NULL: no memory, or libcrypto has no such digest. */
struct digest_run *digest_start(signet_hash hash);
must_check bool digest_more(struct digest_run *r, const void *data, size_t n);
must_check bool digest_end(struct digest_run *r, uint8_t out[SIGNET_DIGEST_MAX]);
void digest_free(struct digest_run *r);
/* The child of a fork starts anew: another thread may have been in the middle of it. */
void digest_forked(void);

/* ---- link.c: connections to the daemon ---- */

struct link {
	signet_conn *conn;
	uint64_t epoch;
};

enum { IDLE_MAX = 8 };

struct links {
	signet_conn *idle[IDLE_MAX];
	size_t count;
	uint64_t epoch; /* counts the losses: another epoch may be another life of the daemon */
};

/* A code that no call of libsignet returns: C_Finalize came meanwhile, and the state is not locked any more. */
#define LINK_FINALISED SIGNET_ERR_RELOAD_FAILED

/* With the state locked; leaves and enters it where a new connection is made. As signet_connect(); LINK_FINALISED. */
must_check signet_err link_take(struct link *l, unsigned timeout_ms);
/* After the call on it, with the state locked: kept for the next one, or closed. */
void link_give(struct link *l);
/* A connection apart from the others, for Token.Watch. Not with the state locked. */
must_check signet_err link_open(signet_conn **conn, unsigned timeout_ms);
void link_close(signet_conn *conn);
void links_done(struct links *l);
/* Close what the parent process had. */
void links_forked(void);

/* ---- lock.c ---- */

enum lock { LOCK_LOGIN, LOCK_STATE, LOCK_COUNT };

/* CKR_ARGUMENTS_BAD, CKR_CANT_LOCK */
CK_RV locks_make(const CK_C_INITIALIZE_ARGS *args);
void locks_destroy(void);
void lock_take(enum lock lock);
void lock_give(enum lock lock);
void locks_forked(void);

/* ---- fork.c, host.c, module.c ---- */

struct waiter; /* event.c: a thread in C_WaitForSlotEvent */

struct state {
	struct state *older; /* what the processes before this one left: never touched, never freed */
	struct slot **slots;
	size_t slot_count;
	struct object_list objects;
	struct session *sessions;
	CK_ULONG next_handle;
	struct links links;
	struct waiter *waiters;
	int64_t listed_ms;   /* when the daemon was asked last; 0: never */
	uint64_t listing;    /* number of the question that is answered there */
	uint64_t listings;   /* questions asked */
	unsigned away;       /* threads that wait for the daemon */
};

extern struct state *state; /* NULL: not initialised */

/* Is this a process that C_Initialize has not seen? */
bool process_is_new(void);
void process_adopt(void);
/* signetd and its workers must not call themselves. */
bool host_is_refused(void);

/* CKR_OK: initialised, and the state is locked. CKR_CRYPTOKI_NOT_INITIALIZED. */
must_check CK_RV enter(void);
CK_RV leave(CK_RV rv); /* returns rv */
/* Leave to wait for the daemon, and come back: false: finalised meanwhile, and not locked. */
uint64_t step_out(void);
must_check bool step_in(uint64_t generation);

/* A forked child cannot rely on the lock of C_Initialize. */
void gate_forked(void);
/* C_Finalize: a thread in C_WaitForSlotEvent wakes. With the state locked. */
void event_wake(void);
/* C_Finalize: end the unlockings that C_Login made. Not with the state locked. */
void login_end_all(void);
/* The last session of a slot went. Not with the state locked. */
void login_end(size_t slot);

/* ---- ckr.c ---- */

CK_RV ckr_of_listing(signet_err err);
CK_RV ckr_of_sign(signet_err err);
CK_RV ckr_of_login(signet_err err);
/* Blank-padded, cut between characters. */
void ck_text(CK_UTF8CHAR *out, size_t size, const char *text);

#endif
