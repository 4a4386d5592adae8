/*
 * libsignet: signatures by keys that live on the crypto tokens of a machine,
 * through its daemon signetd. The program names a key and hands over a digest;
 * it gets the signature and the entry of the signing log that was durable
 * before the reply was sent.
 *
 *	signet_conn *conn;
 *	signet_result *result;
 *
 *	if (signet_connect(&conn, NULL) != SIGNET_OK)
 *		... signet_error_message(NULL)
 *	if (signet_sign(conn, "office", SIGNET_SHA256, digest, NULL, &result) != SIGNET_OK)
 *		... signet_error_message(conn)
 *	... result->signature, result->signature_size
 *	signet_result_free(result);
 *	signet_close(conn);
 *
 * Text is UTF-8 and ends with a NUL. Times are RFC 3339 in UTC. What a function
 * hands to a callback is valid until the callback returns; what it gives back
 * by `**` belongs to the caller.
 *
 * Threads. A connection may be shared: it carries one call at a time, others
 * wait for it. Calls that shall run side by side need a connection each. A
 * callback must not use the connection that called it (SIGNET_ERR_ARGUMENT).
 *
 * Every call on a connection can also end with
 * SIGNET_ERR_ARGUMENT   an argument is NULL, out of range or not UTF-8; nothing was sent
 * SIGNET_ERR_MEMORY     nothing was sent, or the reply found no room
 * SIGNET_ERR_IO         the connection was lost, is dead, or belongs to the process that this one
 *                       was forked from
 * SIGNET_ERR_TIMEOUT    no answer in time: from the daemon, or (with two seconds of grace for
 *                       signatures) by the library's own clock
 * SIGNET_ERR_PROTOCOL   the daemon's answer was not understood. A newer daemon may also send an
 *                       error that this library has no code for: see signet_error_name()
 * and with what the daemon answers: its interface files *.varlink list that per method.
 *
 * A connection that was lost, that missed the library's own deadline or that
 * carried nonsense is dead: each further call on it is SIGNET_ERR_IO. Close it
 * and connect again. Whether the last request was signed is then known to the
 * log only: ask with signet_collect() before a retry. An error that the daemon
 * sent leaves the connection alive.
 *
 * The library never raises SIGPIPE, starts no thread, and reads no file but the
 * copies of logs that it is asked to verify [signet/log.h].
 */
#ifndef SIGNET_SIGNET_H
#define SIGNET_SIGNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <signet/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIGNET_DEFAULT_SOCKET "/run/signet/signet.sock"

enum {
	SIGNET_PIN_MAX = 255,		/* longest PIN in bytes [PKCS #11 2.40, 5.6] */
	SIGNET_BATCH_MAX = 1000,	/* items of one batch */
	SIGNET_TIMEOUT_MAX_MS = 600000, /* longest wait for a call */
	SIGNET_DIGEST_MAX = 64,		/* bytes of the longest digest */
};

typedef struct signet_conn signet_conn;

/* ---- connections ---- */

/*
 * Connect to the daemon.
 *
 * conn  out
 * path  the socket; NULL: the environment variable SIGNET_SOCKET (not in a set-uid program), else
 *       SIGNET_DEFAULT_SOCKET. At most 107 bytes [unix(7)]
 *
 * SIGNET_ERR_CONNECT   nobody answers there within five seconds, or the socket may not be opened
 * SIGNET_ERR_ARGUMENT, SIGNET_ERR_MEMORY
 * The text of these is signet_error_message(NULL).
 */
signet_err signet_connect(signet_conn **conn, const char *path);

/* Also after a fork, where it leaves the parent's connection alone. NULL is fine. No call may be under way. */
void signet_close(signet_conn *conn);

/*
 * How long calls on this connection wait.
 *
 * timeout_ms  1..SIGNET_TIMEOUT_MAX_MS; at first 60000. signet_options can say otherwise for one call
 */
signet_err signet_set_timeout(signet_conn *conn, unsigned timeout_ms);

/*
 * May a PIN be shown to whoever serves this socket? It may if the server (SO_PEERCRED: the process that
 * called listen, so root where systemd did) is root, our own effective user, or the owner of the directory
 * in which the socket lies (so that a daemon with a user of its own is trusted in its own directory). In a
 * user namespace that does not map the server's user this cannot be known: then only root and our own user
 * are trusted. Every function that takes a PIN asks this before the PIN is sent; a program asks it before it
 * asks a person for a PIN.
 *
 * SIGNET_ERR_UNTRUSTED  it may not
 */
signet_err signet_server_trusted(signet_conn *conn);

/* ---- what went wrong ---- */

/*
 * About the last call that this thread made on `conn` (NULL: about its last signet_connect(), or a call
 * without a connection) and that failed. The texts stay as they are until the thread's next call on any
 * connection. Never NULL.
 *
 * message     one sentence for a person: the daemon's own where it sent one. It may quote what others wrote:
 *             escape it before it reaches a terminal
 * name        the error as it came, "org.signetd.Signer.KeyNotFound"; "" if it did not come from the daemon
 * parameters  what came with it, a JSON object as text ("token", "index", "retryAfterMs", ...); else "{}"
 */
const char *signet_error_message(const signet_conn *conn);
const char *signet_error_name(const signet_conn *conn);
const char *signet_error_parameters(const signet_conn *conn);

/* ---- PINs ---- */

/*
 * A PIN in memory that is locked where the limits allow, is in no core file and in no forked child, and is
 * wiped at the end. It goes to the wire from there without another copy that outlives the call.
 */
typedef struct signet_pin signet_pin;

/*
 * Move a PIN out of a buffer, which is wiped in any case.
 *
 * size  1..SIGNET_PIN_MAX bytes of UTF-8 without a NUL
 *
 * SIGNET_ERR_LIMIT     longer than that
 * SIGNET_ERR_ARGUMENT  empty, or not such text
 * SIGNET_ERR_MEMORY
 */
signet_err signet_pin_new(signet_pin **pin, void *bytes, size_t size);

/* Read a PIN from a descriptor to its end or the first newline, and nothing behind that. Also SIGNET_ERR_IO. */
signet_err signet_pin_read(signet_pin **pin, int fd);

/* NULL is fine. */
void signet_pin_free(signet_pin *pin);

/* ---- keys ---- */

/* As org.signetd.Signer has it; a member may be appended. Absent texts are NULL; lists end with NULL. */
typedef struct signet_key {
	const char *name;	    /* what the other functions take as `key` */
	const char *token;	    /* name of the token that holds it */
	const char *use;	    /* "personal", "seal", "timestamp", "log" */
	const char *holder;	    /* person, or NULL */
	const char *organisation;   /* or NULL */
	const char *algorithm;	    /* as the daemon names it, for people */
	const char *const *schemes; /* what `scheme` may be; the default first */
	const char *const *formats;
	const char *not_after;	    /* end of its certificate, or NULL */
	const char *state;	    /* "ready", "locked", "absent", "blocked", "failed", "ambiguous", "missing" */
	const char *reason;	    /* more about the state, for people, or NULL */
	size_t certificate_count;
	const uint8_t *const *certificates; /* DER, its own first */
	const size_t *certificate_sizes;
	const char *id;	     /* CKA_ID on its token, lower-case hexadecimal, or NULL */
	const uint8_t *public_key; /* SubjectPublicKeyInfo, DER [RFC 5280, 4.1.2.7]; NULL: not known */
	size_t public_key_size;
} signet_key;

typedef void signet_key_fn(void *arg, const signet_key *key);

/*
 * The keys that this process may see, one after the other. Never touches a token.
 *
 * name  one key only; NULL: all
 *
 * SIGNET_ERR_KEY_NOT_FOUND  there is no such key, or none at all that may be seen
 */
signet_err signet_keys(signet_conn *conn, const char *name, signet_key_fn *fn, void *arg);

/* ---- signatures ---- */

typedef enum signet_hash { SIGNET_SHA256 = 1, SIGNET_SHA384, SIGNET_SHA512 } signet_hash;

/* 32, 48, 64; 0 for anything else. */
size_t signet_hash_size(signet_hash hash);

/* What is signed, for people and the log; every member may be NULL. NFC, at most 512 bytes each, no controls. */
typedef struct signet_document {
	const char *number, *title, *date, *media_type, *id;
} signet_document;

/* How to sign. Begin with SIGNET_OPTIONS_INIT; what is left alone has the default. */
typedef struct signet_options {
	size_t size;	    /* of this struct, so that it can grow */
	const char *scheme; /* "pkcs1", "pss", "ecdsa", "eddsa"; NULL: the key's own */
	const char *format; /* "raw", "cades", "pades"; NULL: raw */
	const char *level;  /* "b", "t"; NULL: b */
	const signet_pin *pin;
	bool last_try;	    /* the token's holder knows that one more wrong PIN blocks the token */
	bool proof;	    /* the receipt shall carry a proof of inclusion */
	const signet_document *document; /* signet_sign() only */
	const char *request_id;		 /* signet_sign() only; 1..128 of A-Z a-z 0-9 . _ : - */
	const char *capacity;		 /* in which capacity, recorded as claimed */
	const char *on_behalf_of;	 /* for whom, recorded as claimed */
	unsigned timeout_ms; /* 0: the connection's, for a batch SIGNET_TIMEOUT_MAX_MS */
} signet_options;

/* clang-format off */
#define SIGNET_OPTIONS_INIT { .size = sizeof(signet_options) }
/* clang-format on */

/* What became of a request. Absent texts are NULL; a member may be appended. */
typedef struct signet_result {
	size_t item;	  /* of a batch, from 0 */
	signet_err error; /* of this item of a batch; elsewhere SIGNET_OK */
	const char *error_name; /* its last part as it came, "TokenAbsent", or NULL */
	const char *message;	/* one sentence about the error, or NULL */
	const char *state;	/* "done"; signet_collect(): also waiting, upgrading, refused, expired, unknown */
	const char *request;	/* what to collect later, where the state is not done */
	/*
	 * RSA: modulus size. ECDSA: DER, ECDSA-Sig-Value [RFC 3279, 2.2.3]. Ed25519: 64 bytes, of the digest's
	 * bytes as the message [RFC 8032, 5.1.6]. NULL where there is none (yet).
	 */
	const uint8_t *signature;
	size_t signature_size;
	/* The receipt. `entry` is NULL and the rest is empty where there is none (yet). */
	const char *log;	  /* origin of the log */
	uint64_t index;		  /* of the entry, from 0 */
	const char *time;
	const char *entry;	  /* the logged text, byte for byte */
	const uint8_t *leaf_hash; /* 32 bytes, SHA-256(0x00 || entry) [RFC 6962, 2.1] */
	const char *proof;	  /* C2SP tlog-proof */
} signet_result;

/*
 * Sign one digest.
 *
 * key      configured name of one key, as signet_keys() lists it
 * digest   raw bytes, signet_hash_size(hash) of them
 * options  may be NULL
 * result   out; signet_result_free(). Untouched on any error
 *
 * SIGNET_ERR_PIN_REQUIRED     the token is locked: again with `pin`, or after signet_unlock(); where the rules let
 *                             the token's holder be asked: nobody is there, or nobody answered in time
 * SIGNET_ERR_REJECTED         the person who was asked said no
 * SIGNET_ERR_PIN_LAST_TRY     the token's holder decides: again with `last_try`
 * SIGNET_ERR_UNTRUSTED        a PIN was given and the server may not see it; nothing was sent
 * SIGNET_ERR_KEY_NOT_FOUND, SIGNET_ERR_NOT_PERMITTED, SIGNET_ERR_LOG_UNAVAILABLE
 *                             nothing was signed
 * SIGNET_ERR_TOKEN_FAILED, SIGNET_ERR_TIMEOUT, SIGNET_ERR_IO
 *                             it may have been signed: ask the log before a retry, or retry with the
 *                             same request_id, which never signs twice
 */
signet_err signet_sign(signet_conn *conn, const char *key, signet_hash hash, const uint8_t *digest,
    const signet_options *options, signet_result **result);

/* NULL is fine. */
void signet_result_free(signet_result *result);

typedef struct signet_item {
	signet_hash hash;
	const uint8_t *digest;		 /* signet_hash_size(hash) bytes */
	const signet_document *document; /* may be NULL */
	const char *request_id;		 /* may be NULL */
} signet_item;

typedef void signet_result_fn(void *arg, const signet_result *result);

/*
 * Sign many digests with one key. A PIN is for the whole batch. Each result is handed over as it comes, in
 * any order, each item at most once; `error` tells what became of it, and one bad item does not end a batch.
 *
 * count  1..SIGNET_BATCH_MAX, and all together less than 1 MiB as JSON, else SIGNET_ERR_LIMIT
 * fn     not called for items whose fate is not known when the call ends early
 *
 * SIGNET_OK  every item had its result, good or bad. Otherwise as signet_sign()
 */
signet_err signet_sign_batch(signet_conn *conn, const char *key, const signet_item *items, size_t count,
    const signet_options *options, signet_result_fn *fn, void *arg);

/*
 * What became of a request of this user. Exactly one of the three is not NULL.
 *
 * request     as signet_result has it
 * request_id  as it was given to signet_sign() or an item
 * index       of its entry in the log
 *
 * SIGNET_ERR_REQUEST_NOT_FOUND  nothing is known of it, or it is not this user's
 */
signet_err signet_collect(signet_conn *conn, const char *request, const char *request_id, const uint64_t *index,
    signet_result **result);

/* ---- tokens, for their holders ---- */

/* As org.signetd.Token has it; a member may be appended. Absent texts are NULL; the list ends with NULL. */
typedef struct signet_token {
	const char *name;
	const char *state; /* "absent", "locked", "ready", "blocked", "failed" */
	const char *reason, *serial, *label, *manufacturer, *model, *holder;
	const char *const *keys;
	int64_t uses;	     /* signatures left of an unlocking; -1: not unlocked for this user */
	const char *until;   /* when it ends, or NULL */
	bool shared;	     /* everyone who may sign uses the same unlocking */
	unsigned pin_failures; /* wrong PINs since the last right one */
	unsigned waiting;    /* signatures in its queue */
	unsigned max_uses, max_seconds; /* most that an unlocking can ask for; 0: the daemon did not say */
	bool pin_needed;     /* it signs nothing without one; also where the daemon did not say */
	bool prompted;	     /* a call that lacks the PIN has a person asked for it */
	bool pin_count_low, pin_final_try; /* what the token says of wrong PINs, wherever they were entered */
} signet_token;

typedef void signet_token_fn(void *arg, const signet_token *token);

/* The tokens with a key that this process may see. As signet_keys(); SIGNET_ERR_TOKEN_NOT_FOUND. */
signet_err signet_tokens(signet_conn *conn, const char *name, signet_token_fn *fn, void *arg);

/*
 * Check a PIN on a token and keep it unlocked for this user.
 *
 * pin            NULL: the daemon asks this user's own agent, where the rule says so; the connection's timeout ends
 *                the wait
 * uses, seconds  how many signatures and how long, whichever ends first; 0: the daemon's default (1, 300)
 * granted_uses   out, may be NULL
 * until          out, may be NULL: 32 bytes of room for a time
 *
 * SIGNET_ERR_PIN_REQUIRED  none was given, and nobody can be asked or has answered
 * SIGNET_ERR_REJECTED      the person who was asked said no
 * SIGNET_ERR_PIN_INCORRECT, SIGNET_ERR_PIN_BLOCKED, SIGNET_ERR_PIN_LAST_TRY, SIGNET_ERR_UNTRUSTED
 */
signet_err signet_unlock(signet_conn *conn, const char *token, const signet_pin *pin, unsigned uses,
    unsigned seconds, bool last_try, unsigned *granted_uses, char *until);

/* End an unlocking: the token forgets that it knew the PIN. */
signet_err signet_lock(signet_conn *conn, const char *token);

/* ---- administration, and everything else ---- */

/* The state of the daemon, and reading its configuration again. `json`: out, an object as text; free() it. */
signet_err signet_status(signet_conn *conn, char **json);
signet_err signet_reload(signet_conn *conn, char **json);

enum {
	SIGNET_CALL_MORE = 1,	/* several replies are welcome */
	SIGNET_CALL_ONEWAY = 2, /* no reply at all: not even an error */
};

/* Return true to go on. After false the call ends with SIGNET_OK and the connection is dead. */
typedef bool signet_reply_fn(void *arg, const char *json, size_t size, bool continues);

/*
 * Call any method of the daemon.
 *
 * method      "org.signetd.Log.Head"
 * parameters  a JSON object as text, at most 1 MiB with all around it; NULL: none. It is copied in
 *             ways that leave traces: a member "pin" is SIGNET_ERR_ARGUMENT
 * pin         becomes the member "pin"; may be NULL
 * flags       SIGNET_CALL_*
 * fn          gets the parameters of each reply, a JSON object as text with a NUL behind its `size` bytes; may
 *             be NULL
 * With SIGNET_CALL_MORE the connection's time-out is for each reply, not for the call.
 */
signet_err signet_call(signet_conn *conn, const char *method, const char *parameters, const signet_pin *pin,
    unsigned flags, signet_reply_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif
