/*
 * The parts of signet-token. One process owns one token: `struct token` is that
 * token, `struct lane` one socket with its thread and session.
 *
 * Who may touch what
 *   token->config, p11, slot, keys[] but for their atomics   written before the lanes start, then constant
 *   token->login (mutex)    C_Login, C_Logout, the kept PIN, the session they use, looking a key up
 *   a lane                  its own thread only
 * No lock is held during C_SignInit or C_Sign.
 */
#ifndef SIGNET_TOKEN_WORKER_H
#define SIGNET_TOKEN_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "format/cms.h"
#include "token/ckr.h"
#include "token/wire.h"

enum { TOKEN_ID_MAX = 256 }; /* longest CKA_ID and CKA_LABEL that are looked at */

struct token_key {
	uint8_t state;	   /* enum wire_key_state */
	uint8_t algorithm; /* enum wire_algorithm */
	uint16_t bits;
	P11KitUri *uri;
	EVP_PKEY *public; /* NULL unless the state is WIRE_KEY_FOUND */
	struct cms_signer *signer; /* NULL: it has no certificate, or makes bare signatures only */
	_Atomic(CK_OBJECT_HANDLE) handle; /* of the private key; CK_INVALID_HANDLE: not looked up since the login */
	atomic_bool always_auth;	  /* CKA_ALWAYS_AUTHENTICATE; known together with `handle` */
};

struct token {
	const struct wire_config *config;
	CK_FUNCTION_LIST *p11;
	uint8_t presence; /* enum wire_presence */
	CK_SLOT_ID slot;
	CK_TOKEN_INFO about;
	int lock_dir, lock; /* descriptors; -1 if none */
	/* Held open for the process' life: were the last session to close, Cryptoki would log the user out. */
	CK_SESSION_HANDLE anchor;
	pthread_mutex_t login;
	struct secret *kept;
	atomic_bool logged_in;
	_Atomic uint32_t flags; /* CKF_* as last read */
	struct token_key keys[WIRE_KEYS_MAX];
};

/* Contexts that verify one key's signatures, made at first use and kept. */
struct verifier {
	EVP_PKEY_CTX *plain;  /* PKCS#1 v1.5, ECDSA */
	EVP_PKEY_CTX *pss[3]; /* by digest algorithm */
	EVP_MD_CTX *eddsa;
};

struct lane {
	struct token *token;
	int fd;
	pthread_t thread;
	bool open; /* `session` is a session */
	CK_SESSION_HANDLE session;
	uint64_t verified; /* keys whose signature was verified in this session, a bit each */
	struct verifier verifiers[WIRE_KEYS_MAX];
	uint32_t usual_us[WIRE_KEYS_MAX]; /* what a signature took last; UINT32_MAX: not known yet */
	uint32_t waited_us; /* how long the oldest result in `out` has waited */
	struct buf out, container; /* results; the CMS of the one being made */
	size_t in_len;
	uint8_t in[16 * WIRE_JOB_MAX];
};
_Static_assert(WIRE_KEYS_MAX <= 64, "lane.verified has a bit for each key");

/* text.c: bytes from outside as UTF-8 without control characters, NUL-terminated, cut to fit. */
void text_clean(char *s);
void text_field(char *out, size_t size, const unsigned char *field, size_t n); /* blank-padded, of CK_TOKEN_INFO */
void text_printf(char *out, size_t size, const char *fmt, ...) printf_like(3, 4);

/* confine.c; false with a reason where the kernel does not offer it */
void confine_process(int broker_fd); /* dies with the broker, leaves no core, gains nothing by exec */
void confine_descriptors(unsigned first);
must_check bool confine_files(const struct wire_config *c, char *reason, size_t size);
must_check bool confine_calls(char *reason, size_t size);

/* module.c; NULL with a reason */
CK_FUNCTION_LIST *module_load(const char *path, bool one_thread, char *reason, size_t size);

/* find.c */
/* *slots is the caller's to free, also on failure. */
CK_RV slots_with_token(CK_FUNCTION_LIST *p11, CK_SLOT_ID **slots, CK_ULONG *count);
void token_init(struct token *t, const struct wire_config *c);
/* Sets presence; slot and about where it is WIRE_PRESENT. */
uint8_t token_find(struct token *t, char *reason, size_t size);
/* WIRE_PRESENT, or why this process may not use the token. */
uint8_t token_lock(struct token *t, char *reason, size_t size);

/* certs.c: the certificates of the token, through libp11. Before any session of ours is open. */
struct token_cert {
	X509 *x509;
	uint8_t id[TOKEN_ID_MAX];
	size_t id_len;
	char label[TOKEN_ID_MAX];
};
struct token_certs {
	size_t count;
	struct token_cert *list;
};
must_check signet_err certs_read(struct token_certs *c, const struct token *t, char *reason, size_t size);
void certs_done(struct token_certs *c);

/* issuers.c: those of authorities, from files */
void issuers_read(struct token_certs *c, const struct wire_config *config);
/* Behind those of the token; `from` is empty afterwards. */
void issuers_append(struct token_certs *to, struct token_certs *from);

/* cert.c: one certificate. False, with k->reason, where it cannot be stated. */
must_check bool cert_describe(struct wire_key *k, X509 *own);
/* Own first, each followed by its issuer as far as the token has it. SIGNET_ERR_MEMORY */
must_check signet_err cert_chain(struct wire_key *k, X509 *own, const struct token_certs *pool);

/* public.c: a public key from an object by raw Cryptoki; NULL if it cannot be understood. */
EVP_PKEY *public_from_object(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object);
/* Algorithm and modulus size; WIRE_ALG_NONE with a reason for what is too weak or not known. */
uint8_t public_algorithm(EVP_PKEY *key, uint16_t *bits, char *reason, size_t size);

/* keys.c */
/* Public half of every configured key; fills info->keys. Before the lanes start. */
must_check signet_err keys_read(struct token *t, struct wire_info *info, const struct token_certs *certs);
/* The private key's handle, looked up once per login. CKR_OK, or err says what to answer (stage "find"). */
must_check signet_err key_handle(struct token *t, struct token_key *k, CK_OBJECT_HANDLE *handle, CK_RV *rv);
void keys_forget(struct token *t); /* after a logout */

/* info.c */
void info_describe(struct wire_info *info, const CK_TOKEN_INFO *a);
void info_put(struct buf *out, struct wire_info *info);

/* session.c */
must_check CK_RV session_open(struct lane *l);
void session_close(struct lane *l); /* and with it whatever operation was active */
void session_lost(struct lane *l);  /* the token closed it */

/* login.c: fills r->login, and r's error where it fails; the return value repeats that error */
signet_err login_with(struct token *t, const struct secret *pin, uint8_t flags, struct wire_result *r);
signet_err login_end(struct token *t, struct wire_result *r);
bool login_needed(const struct token *t);
/* Context-specific login of the active operation, with `pin` or else the kept one. */
must_check signet_err login_context(struct lane *l, const struct secret *pin, struct wire_result *r);
signet_err login_probe(struct token *t, struct wire_result *r);
/* The token says that nobody is logged in. */
void login_lost(struct token *t);

/* sign.c */
struct sign_input {
	CK_MECHANISM mechanism;
	CK_RSA_PKCS_PSS_PARAMS pss;
	size_t len;
	uint8_t bytes[DIGEST_MAX + 20]; /* DigestInfo of SHA-512: 19 + 64 */
};
/* SIGNET_ERR_UNSUPPORTED: this key does not sign that way */
must_check signet_err sign_prepare(struct sign_input *in, const struct token_key *k, uint8_t scheme,
    const struct digest *d);
/* The token's bytes as the wire's signature, in place; 0 if they cannot be one of this key. */
size_t sign_shape(const struct token_key *k, uint8_t *sig, size_t len);
void sign_job(struct lane *l, struct wire_job *j, struct wire_result *r);

/* verify.c */
must_check bool verify_signature(struct lane *l, size_t key, uint8_t scheme, const struct digest *d,
    const struct sign_input *in, const uint8_t *sig, size_t len);

/* container.c: what is made around a signature */
/* Signer and room for key and broker, from the chain in `info`. Where none can be made, both stay empty. */
void container_prepare(struct token_key *k, struct wire_key *info);
/* Step 1: j->digest becomes that of the signed attributes. *out stays NULL for a bare signature. */
must_check signet_err container_begin(struct lane *l, struct wire_job *j, struct cms **out, struct wire_result *r);
/* Step 2, around r->sig. Takes `c`. */
must_check signet_err container_finish(struct lane *l, struct cms *c, struct wire_result *r);

/* job.c */
void job_run(struct lane *l, struct wire_job *j, struct wire_result *r);
/* Notes an error once: the first one stays. Returns `err`. */
signet_err job_fail(struct wire_result *r, signet_err err, const char *stage, CK_RV rv);

/* watch.c: the other life of this program. `by_polling`: never wait for slot events. */
_Noreturn void watch_serve(const struct wire_config *c, bool by_polling);

/* service.c: the reader service (pcscd), where the module uses it */
/* A connection that breaks when the service ends or starts anew; -1: the module does not use it. */
int service_hold(bool *answers);

/* lane.c; each of these ends the process where it cannot go on */
void lane_block(int fd); /* the sockets of libuv do not block; a lane has nothing else to do */
void lane_send(int fd, const uint8_t *bytes, size_t len);
/* Serves until the broker closes it, then ends the process. */
_Noreturn void lane_serve(struct lane *l);

#endif
