/*
 * The configuration as one immutable, reference-counted value: read whole or
 * not at all. INI as systemd users know it (inih), signetd.conf and then
 * signetd.conf.d/<name>.conf in order of their names. Unknown sections and keys,
 * values out of range, dangling names and unsafe files are errors with file
 * and line. What a key means is written in signetd.conf(5).
 */
#ifndef SIGNET_SIGNETD_CONFIG_H
#define SIGNET_SIGNETD_CONFIG_H

#include <sys/types.h>

#include "base/base.h"
#include "policy.h"

enum {
	CONFIG_NAME_MAX = 48,	/* bytes of a section name: [a-z0-9] then [a-z0-9._-] */
	CONFIG_LINE_MAX = 198,	/* bytes of a line, as inih reads them; longer ones are refused, not cut */
	CONFIG_TOKENS_MAX = 64,
	CONFIG_KEYS_MAX = 256,	/* of all tokens; at most 64 on one (WIRE_KEYS_MAX) */
	CONFIG_LANES_MAX = 16,
	CONFIG_CERT_FILES_MAX = 8, /* of anchors, and of intermediates; together no more than WIRE_PATHS_MAX */
	CONFIG_TIMESTAMPS_MAX = 8,
	CONFIG_POLICY_MAX = 64, /* characters of an OID */
	CONFIG_HOLDER_USERS_MAX = 16, /* of one token */
};

enum key_use { USE_PERSONAL, USE_SEAL, USE_TIMESTAMP, USE_LOG };
enum key_scheme { SCHEME_DEFAULT, SCHEME_PKCS1, SCHEME_PSS, SCHEME_ECDSA, SCHEME_EDDSA };

enum config_trust { TRUST_OFF, TRUST_WARN, TRUST_STRICT };

struct config_list {
	char **words;
	size_t count;
};

struct config_place { /* where a section began, for messages and the log */
	char *file;
	int line;
};

struct config_token { /* [token NAME], [device NAME] */
	bool device;	   /* the dedicated secure device: seals and stamps, no personal keys */
	char *name;
	struct config_place at;
	char *module;	   /* absolute, root-owned (or our own where own-uid = yes), not writable by others */
	char *serial;	   /* exactly one of serial and label is set */
	char *label;
	char *holder;	   /* shown to people; may be NULL. A device's keeper */
	uid_t *holder_users; /* who are asked for its PIN; none: whoever calls */
	size_t holder_user_count;
	unsigned lanes;	   /* 1..16, default 1 */
	bool verify_first; /* verify = first; default always */
	bool lease_shared; /* lease = shared; default: of the person who entered the PIN */
	unsigned uses_max, seconds_max; /* of Unlock; defaults 1000 and 28800; limits 1..1000000, 1..86400 */
	char *credential;  /* name of a systemd credential with the PIN, may be NULL */
	bool pin_from_client; /* pin-from-client = yes (default) */
	unsigned sign_timeout_ms, login_timeout_ms; /* defaults 15 s; limits 100 ms..600 s; "15s", "500ms", "2min" */
	unsigned probe_interval_ms; /* of a device's health signature; default 1 h; 1 min..24 h */
	unsigned pinpad_timeout_ms; /* of a login by the token's own PIN pad; default 120 s; 1 s..600 s */
	char **paths;	   /* the worker may write below these; absolute */
	size_t path_count;
	char **environment; /* "NAME=VALUE" for the worker; never a PIN */
	size_t environment_count;
};

struct config_key { /* [key NAME] */
	char *name;
	struct config_place at;
	size_t token;	   /* index into tokens */
	char *uri;	   /* RFC 7512: token or serial, and id or object; no pin-value, pin-source, module-* */
	enum key_use use;  /* default personal */
	enum key_scheme scheme; /* for RSA: pkcs1 or pss; default by algorithm */
	char *organisation; /* may be NULL */
	char *holder;	   /* default: the token's */
	bool probe;	   /* makes its device's health signatures */
};

struct config_timestamp { /* [timestamp NAME] */
	char *name;
	struct config_place at;
	size_t key;	      /* index into keys; its use is timestamp */
	char *policy;	      /* OID in dots */
	unsigned accuracy_ms; /* default 1 s; 1 ms..60 s */
	bool any_clock;	      /* clock = any: stamp also where the clock is not known to be right */
};

struct config {
	unsigned refs;
	/* [daemon] */
	char *socket;	   /* default /run/signet/signet.sock */
	char *state;	   /* default /var/lib/signet */
	char *lock_directory; /* default /run/lock */
	char *token_program; /* default the installed signet-token */
	char *format_program; /* default the installed signet-format */
	bool own_uid;	   /* peers of our own uid are welcome; default no */
	bool sandbox;	   /* default yes */
	/* [limits] */
	unsigned connections;	       /* all; default 1024, 1..4096 */
	unsigned connections_per_uid;  /* default 256, 1..4096 */
	unsigned jobs_per_uid;	       /* default 1024, 1..65536 */
	unsigned queue_per_token;      /* default 4096, 1..65536 */
	uint64_t bytes_per_uid;	       /* of unread replies and unparsed calls; default 16M, 64K..1G */
	unsigned refusals_per_day;     /* entries per uid; default 200, 1..10000 */
	unsigned prompts;	       /* open, all; default 256, 1..4096 */
	unsigned prompts_per_uid;      /* caused by one user; default 32, 1..1024 */
	/* [log] */
	char *origin;	   /* default signet.invalid/<hostname>; no space, no '+' */
	uint64_t reserve;  /* default 64M, 1M..1G */
	char *log_credential; /* credential with the log key; NULL: log.key in the state directory */
	char *tiles;	   /* directory that the log is published to, may be NULL */
	char *anchor;	   /* file with a checkpoint that was kept elsewhere, may be NULL */

	/* [trust] */
	enum config_trust certificate_check;	 /* default warn */
	struct config_list anchors, intermediates; /* PEM files of authorities */
	char *crls;				 /* folder with CRLs, DER or PEM; may be NULL */

	char *contact; /* [contact] text: who helps with a blocked PIN; may be NULL */

	struct config_timestamp *timestamps;
	size_t timestamp_count;
	struct config_token *tokens;
	size_t token_count;
	struct config_key *keys;
	size_t key_count;
	struct policy *policy; /* the [rule]s, in order */

	uint8_t hash[32]; /* SHA-256 over names and bytes of all files read, in order */
};

/*
 * Read and check everything. SIGNET_ERR_CONFIG; `why` gets "FILE:LINE: what is wrong and what to do".
 * Checks users and groups against the system, modules and their folders against the file system.
 */
must_check signet_err config_load(struct config **out, const char *path, char *why, size_t why_size);
struct config *config_ref(struct config *c);
void config_unref(struct config *c);
const struct config_key *config_key_find(const struct config *c, const char *name);
const struct config_token *config_token_find(const struct config *c, const char *name);

/* The same section in two configurations says the same (file and line apart). */
bool config_token_equal(const struct config *a, const struct config_token *x, const struct config *b,
    const struct config_token *y); /* its keys included, with their order */

/*
 * RFC 7512 URI of a key. `token_serial` or `token_label` (one of them NULL) is the section's own. SIGNET_ERR_CONFIG.
 */
must_check signet_err config_check_uri(const char *uri, const char *token_serial, const char *token_label,
    char *why, size_t why_size);

#endif
