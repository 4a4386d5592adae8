/*
 * Frames between the broker and a worker (signet-token): flat, bounded, checked.
 *
 *   u32 size of what follows (little-endian) | u8 type | fields in fixed order
 *
 * Strings and byte strings are a u16 length and the bytes. Nothing nests,
 * nothing recurses, nothing is optional: both ends come from the same build.
 * A frame that does not parse to its last byte ends the worker (or makes the
 * broker kill it).
 *
 * Lane 0 is the first descriptor, SIGNET_TOKEN_FD; lane n is SIGNET_TOKEN_FD + n. Lane 0
 * gets CONFIG first and answers it with INFO. Afterwards every lane takes SIGN;
 * LOGIN, LOGOUT and PROBE go to lane 0 while no other lane works (the broker
 * sees to it). Each of these is answered by exactly one RESULT on the same
 * lane, in order. A worker may read several frames at once, do them one after
 * the other and write their results together, but it never withholds a
 * finished result while the next job may take longer than a millisecond.
 *
 * A watcher (signet-token --watch MODULE) has lane 0 only, gets a CONFIG of which
 * module, confine and paths count, and says SEEN from then on.
 */
#ifndef SIGNET_TOKEN_WIRE_H
#define SIGNET_TOKEN_WIRE_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/secret.h"

enum {
	SIGNET_TOKEN_FD = 3,
	WIRE_FRAME_MAX = 512 * 1024, /* largest frame (INFO with certificates), size field included */
	WIRE_JOB_MAX = 1024,	     /* largest frame to a lane after CONFIG, size field included */
	WIRE_LANES_MAX = 16,
	WIRE_KEYS_MAX = 64,
	WIRE_CERTS_MAX = 8, /* certificates of one key, own first */
	WIRE_CERT_MAX = 8192,
	WIRE_ID_MAX = 255,   /* a longer CKA_ID is not told */
	WIRE_PUBLIC_MAX = 600, /* SubjectPublicKeyInfo of RSA 4096: 550 */
	WIRE_PATHS_MAX = 16,
	WIRE_ENV_MAX = 16,
	WIRE_PATH_SIZE = 1024,
	WIRE_SIG_MAX = 512, /* RSA 4096 */
	WIRE_CMS_MAX = 96 * 1024, /* what format/cms.h makes (CMS_MAX) */
	WIRE_SERIAL_SIZE = 20,
	WIRE_NONCE_MAX = 32,
	WIRE_POLICY_SIZE = 65,
	WIRE_SEEN_MAX = 256, /* tokens of one module */
};

enum wire_type {
	WIRE_CONFIG = 1, /* broker -> lane 0, once */
	WIRE_INFO,	 /* lane 0 -> broker, once, the answer to CONFIG */
	WIRE_SIGN,	 /* broker -> lane */
	WIRE_LOGIN,	 /* broker -> lane 0: check a PIN; logs out first if logged in */
	WIRE_LOGOUT,	 /* broker -> lane 0; forgets the kept PIN */
	WIRE_PROBE,	 /* broker -> lane 0: is the token still there? reads its flags, never a PIN */
	WIRE_RESULT,	 /* lane -> broker */
	WIRE_SEEN,	 /* watcher -> broker: after CONFIG, when it has changed, and every WIRE_BEAT_MS at least */
};

enum { WIRE_BEAT_MS = 10000 };

enum wire_verify { WIRE_VERIFY_ALWAYS, WIRE_VERIFY_FIRST };

/* Signature schemes; the numbers are the wire's. */
enum wire_scheme { WIRE_PKCS1 = 1, WIRE_PSS, WIRE_ECDSA, WIRE_EDDSA };

/* What is made of a signature; the numbers are those of format/cms.h. */
enum wire_format { WIRE_RAW, WIRE_CADES, WIRE_PADES, WIRE_TST };
enum wire_commitment { WIRE_COMMITMENT_NONE, WIRE_COMMITMENT_APPROVAL, WIRE_COMMITMENT_ORIGIN };

struct wire_config {
	char module[WIRE_PATH_SIZE]; /* absolute path */
	char serial[64];	     /* "" if the label decides; compared without trailing blanks */
	char label[64];
	char lock_dir[WIRE_PATH_SIZE];	/* the worker holds an flock here while it owns the token */
	uint8_t lanes, verify, confine; /* confine 0: sandbox = off */
	uint16_t path_count;
	char paths[WIRE_PATHS_MAX][WIRE_PATH_SIZE]; /* may be written; everything else is read-only or hidden */
	uint16_t issuer_count;
	char issuers[WIRE_PATHS_MAX][WIRE_PATH_SIZE]; /* files of certificates, PEM: for chains that the token lacks */
	uint16_t key_count;
	char uri[WIRE_KEYS_MAX][512]; /* RFC 7512, checked by the configuration */
};

enum wire_presence {
	WIRE_PRESENT = 1,
	WIRE_ABSENT,	/* no such token (yet) */
	WIRE_AMBIGUOUS, /* several tokens match */
	WIRE_OWNED,	/* another process holds its lock */
	WIRE_BROKEN,	/* the module does not load or initialise; `reason` says why */
};

enum wire_key_state { WIRE_KEY_ABSENT, WIRE_KEY_FOUND, WIRE_KEY_AMBIGUOUS, WIRE_KEY_UNUSABLE };

enum wire_algorithm { WIRE_ALG_NONE, WIRE_RSA, WIRE_P256, WIRE_P384, WIRE_P521, WIRE_ED25519 };

struct wire_cert {
	size_t len;
	uint8_t der[WIRE_CERT_MAX];
};

struct wire_key {
	uint8_t state, algorithm;
	uint16_t bits;		 /* RSA modulus */
	uint8_t always_auth;	 /* CKA_ALWAYS_AUTHENTICATE, known after a login only */
	int64_t not_before, not_after; /* of the own certificate, seconds since 1970; 0 if none */
	char cert_serial[48];	 /* hex */
	uint8_t cert_hash[32];	 /* SHA-256 of the DER */
	char reason[128];	 /* why it is unusable */
	uint8_t id_len;		 /* CKA_ID on the token; 0: none, or not known */
	uint8_t id[WIRE_ID_MAX];
	uint16_t public_len;	 /* SubjectPublicKeyInfo, DER; 0: not known */
	uint8_t public[WIRE_PUBLIC_MAX];
	uint32_t cms_room, tst_room; /* no CMS of level b, no time-stamp is longer; 0: it makes none */
	uint8_t cert_count;
	struct wire_cert *certs; /* cert_count of them, heap, owned */
};

struct wire_info {
	uint8_t presence;
	char reason[256];
	char serial[64], label[64], manufacturer[64], model[64];
	uint32_t flags;		 /* CKF_* of CK_TOKEN_INFO */
	uint8_t pin_min, pin_max;
	uint16_t key_count;
	struct wire_key keys[WIRE_KEYS_MAX]; /* in the order of wire_config.uri */
};

enum wire_job_flags {
	WIRE_WITH_PIN = 1,  /* SIGN: log out if logged in, log in with this PIN, then sign */
	WIRE_KEEP_PIN = 2,  /* keep this PIN under the lease (context logins, WIRE_RESTORE) */
	WIRE_THEN_LOGOUT = 4, /* log out before answering: the lease is spent */
	WIRE_RESTORE = 8,   /* if this PIN is wrong, log in again with the kept one (unless CKF_USER_PIN_FINAL_TRY) */
};

/* WIRE_TST: what the token says beside the imprint, which is the job's digest. */
struct wire_stamp {
	char policy[WIRE_POLICY_SIZE]; /* OID in dots */
	uint32_t accuracy_ms;	       /* 0: not stated */
	uint8_t cert_req;
	uint8_t serial[WIRE_SERIAL_SIZE];
	uint8_t nonce_len; /* 0: none */
	uint8_t nonce[WIRE_NONCE_MAX];
};

struct wire_job {
	uint8_t type; /* WIRE_SIGN, LOGIN, LOGOUT, PROBE */
	uint32_t job;
	uint8_t flags;
	uint16_t key;	/* index into wire_config.uri */
	uint8_t scheme; /* enum wire_scheme */
	uint8_t format; /* enum wire_format */
	uint8_t commitment; /* WIRE_CADES, WIRE_PADES: enum wire_commitment */
	int64_t time_us;    /* all but WIRE_RAW: what it says of the time; since 1970 */
	struct wire_stamp stamp; /* WIRE_TST */
	struct digest digest; /* of the document */
	const struct secret *pin; /* encode: borrowed, NULL without PIN */
	struct secret *pin_in;	  /* decode: owned by the receiver, who calls wire_job_done */
};

enum wire_login {
	WIRE_LOGIN_NONE,     /* no C_Login was sent */
	WIRE_LOGIN_OK,
	WIRE_LOGIN_REJECTED, /* CKR_PIN_INCORRECT: a try was spent */
	WIRE_LOGIN_BLOCKED,  /* CKR_PIN_LOCKED */
	WIRE_LOGIN_INVALID,  /* refused without a try: length, characters, not initialised, expired */
	WIRE_LOGIN_ERROR,    /* anything else: whether a try was spent is not known */
};

struct wire_result {
	uint32_t job;
	uint16_t err;	    /* signet_err of the whole */
	/*
	 * enum wire_login of the PIN in the frame; without one, of the kept PIN where a context login
	 * with it failed (a try may be spent, and the worker has forgotten it).
	 */
	uint8_t login;
	uint8_t logged_in;  /* state after the job */
	/*
	 * The worker should be replaced: device error, lost session that does not come back. Also beside
	 * SIGNET_OK: a signature after which the logout failed; a PROBE of a worker that found no token
	 * when there is one now.
	 */
	uint8_t fatal;
	uint32_t rv;	    /* CK_RV that decided, 0 if none */
	char stage[16];	    /* "login", "find", "sign", "verify", "format", "logout", "probe"; "" if OK */
	uint32_t flags;	    /* CKF_* after a login or probe, else the last known */
	uint32_t work_us;   /* time spent in this job */
	const uint8_t *cms; /* all but WIRE_RAW: the whole, DER; borrowed from the lane or the frame */
	uint32_t cms_len;
	uint16_t sig_len;
	uint8_t sig[WIRE_SIG_MAX]; /* RSA: modulus size; ECDSA: DER; Ed25519: 64 bytes */
};

/* A token that a watcher sees, whether anybody knows it or not. */
struct wire_seen_token {
	uint64_t slot; /* tells two of them apart; no identity */
	uint32_t flags; /* CKF_* of CK_TOKEN_INFO, when it came */
	char serial[64], label[64], manufacturer[64], model[64];
	char reader[128]; /* the slot's description */
};

enum wire_watch {
	WIRE_WATCHING = 1,
	WIRE_WATCH_BROKEN, /* the module does not load or initialise; `reason` says why. The watcher ends */
	WIRE_WATCH_LOST,   /* the reader service has gone; whoever used it starts anew. The watcher ends */
};

struct wire_seen {
	uint8_t state; /* enum wire_watch */
	uint8_t polling; /* 1: by asking once a second, 0: by the module's slot events */
	char reason[256];
	uint16_t count;
	struct wire_seen_token *tokens; /* count of them, heap, owned */
};

/*
 * One whole frame at the front of `bytes`? Its length with the size field, 0 if more is needed,
 * SIZE_MAX if it is larger than `max` or shorter than a type byte.
 */
size_t wire_next(const uint8_t *bytes, size_t len, size_t max);

/* Encoders append one frame. Decoders take exactly one frame, size field included; SIGNET_ERR_PROTOCOL otherwise. */
void wire_put_config(struct buf *out, const struct wire_config *c);
must_check signet_err wire_get_config(struct wire_config *c, const uint8_t *frame, size_t len);
/* Empty, or zeroes only, as all tokens of one TPM say: it tells no token from another, so the label stands in. */
bool wire_serial_is_none(const char *serial);
void wire_put_info(struct buf *out, const struct wire_info *i);
must_check signet_err wire_get_info(struct wire_info *i, const uint8_t *frame, size_t len);
void wire_info_done(struct wire_info *i); /* frees certs */
void wire_put_seen(struct buf *out, const struct wire_seen *s);
must_check signet_err wire_get_seen(struct wire_seen *s, const uint8_t *frame, size_t len);
void wire_seen_done(struct wire_seen *s); /* frees tokens */
/* `out` must be a secret buf if the job has a PIN. */
void wire_put_job(struct buf *out, const struct wire_job *j);
must_check signet_err wire_get_job(struct wire_job *j, uint8_t *frame, size_t len); /* wipes the PIN in `frame` */
void wire_job_done(struct wire_job *j);
void wire_put_result(struct buf *out, const struct wire_result *r);
must_check signet_err wire_get_result(struct wire_result *r, const uint8_t *frame, size_t len);

#endif
