/*
 * The signing log: what an entry says and in which order.
 *
 * An entry is one compact UTF-8 JSON object (no white space, integers only, at
 * most SIGNET_ENTRY_MAX bytes). These bytes are hashed as they are stored and
 * are never re-serialised: members stand in the order given here, absent ones
 * are left out, and a reader must take the bytes, not a re-encoding of them.
 *
 *   leaf hash = SHA-256(0x00 || entry)                       [RFC 6962, 2.1]
 *
 * Every entry begins
 *   v      1
 *   kind   one of SIGNET_LOG_KINDS
 *   time   when it was recorded, RFC 3339 UTC with microseconds
 *   boot   boot id of the machine, 32 hex digits
 *   index  its place in the log, from 0
 *   clock  "synchronised", "unsynchronised" or "unknown": what the kernel said of the clock
 *
 * and goes on with those members of SIGNET_LOG_FIELDS that apply, in that order.
 *
 * No free text and no personal name stands in an entry. A member marked `o` is
 * an opening: the entry has "sha256:<hex>" of SHA-256(salt || text) with a
 * random salt of 32 bytes; salt and text lie in a table of their own, can be
 * erased, and are readable only with the right `read-titles`.
 */
#ifndef SIGNET_LOG_H
#define SIGNET_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

#define SIGNET_ENTRY_MAX 65535 /* C2SP tlog-tiles: an entry bundle has 16-bit lengths */

/* X(name, meaning) */
#define SIGNET_LOG_KINDS(X)                                                                                  \
	X("start", "the daemon started: version, configuration hash, effective policy")                      \
	X("reload", "the configuration was read again: its hash, effective policy")                          \
	X("stop", "the daemon stopped in order")                                                             \
	X("sign", "one signature was asked for and not refused by policy")                                   \
	X("seal", "one seal was asked for and not refused by policy")                                        \
	X("timestamp", "one time-stamp was asked for and not refused by policy")                             \
	X("unlock", "a PIN was sent to a token outside a signature")                                         \
	X("lock", "a token was locked on request")                                                           \
	X("token", "a token came, went, failed or was blocked")                                              \
	X("refusal", "policy refused; repeats within ten minutes are counted in one entry")                  \
	X("clock", "the clock was stepped")                                                                  \
	X("key", "a key was generated, disabled or enabled, or its certificate changed")                     \
	X("approval", "a request was approved, rejected or expired")                                         \
	X("delegation", "a duty was delegated, or a delegation ended")                                       \
	X("withdrawal", "a signature was withdrawn by its holder")                                           \
	X("export", "an auditor read or exported entries")                                                   \
	X("erasure", "openings were erased")                                                                 \
	X("logkey", "the log key changed")                                                                   \
	X("origin", "this log continues another one")

/* X(name, type, meaning); type: i integer, s string, a array of strings or integers, o opening */
#define SIGNET_LOG_FIELDS(X)                                                                                 \
	X("uid", "i", "user of the peer, by SO_PEERCRED")                                                    \
	X("gid", "i", "its primary group")                                                                   \
	X("pid", "i", "its process; describes, proves nothing")                                              \
	X("exe", "s", "its program where readable; describes, proves nothing")                               \
	X("unit", "s", "its systemd unit; describes, proves nothing")                                        \
	X("rule", "s", "rule of the policy that decided")                                                    \
	X("proof", "s", "how the person is known: pin, agent, uid, claimed, credential")                     \
	X("verb", "s", "what was asked for, in a refusal")                                                   \
	X("method", "s", "method that was called, in a refusal")                                             \
	X("key", "s", "configured name of the key")                                                          \
	X("certSerial", "s", "serial number of its certificate, hex")                                        \
	X("certHash", "s", "\"sha256:<hex>\" of its certificate")                                            \
	X("token", "s", "configured name of the token")                                                      \
	X("tokenSerial", "s", "serial number of the token")                                                  \
	X("operation", "s", "sign, seal, timestamp, ...")                                                    \
	X("digest", "s", "\"<algorithm>:<hex>\" that was signed")                                            \
	X("format", "s", "raw, cades, pades")                                                                \
	X("level", "s", "b, t")                                                                              \
	X("scheme", "s", "pkcs1, pss, ecdsa, eddsa")                                                         \
	X("purpose", "s", "issue, copy, exception")                                                          \
	X("basis", "a", "indexes of the entries that a seal stands on")                                      \
	X("approvals", "a", "indexes of the approvals it stands on")                                         \
	X("documentTag", "s", "HMAC-SHA-256(installation key, number | date), hex")                          \
	X("number", "o", "document number")                                                                  \
	X("title", "o", "document title")                                                                    \
	X("date", "o", "document date")                                                                      \
	X("documentId", "o", "the client's own identifier")                                                  \
	X("mediaType", "s", "media type of the document")                                                    \
	X("capacity", "o", "capacity in which the person signed")                                            \
	X("onBehalfOf", "o", "person it was for, as claimed by the client")                                  \
	X("reason", "o", "reason given by a person")                                                         \
	X("requestId", "s", "the client's request id")                                                       \
	X("state", "s", "state of the token: absent, locked, ready, blocked, failed")                        \
	X("version", "s", "version of the daemon")                                                           \
	X("config", "s", "\"sha256:<hex>\" of the configuration files")                                      \
	X("policy", "s", "\"sha256:<hex>\" of the effective policy")                                         \
	X("rules", "a", "the effective policy, a rule a string, while it fits")                              \
	X("sandbox", "s", "\"off\" where the workers are not confined")                                      \
	X("first", "s", "time of the first repeat, in a folded refusal")                                     \
	X("repeated", "i", "how often it happened since the entry before")                                   \
	X("outcome", "s", "ok, failed, unknown, cancelled, refused")                                         \
	X("error", "s", "name of the error the caller got")                                                  \
	X("detail", "s", "a word of our own about the error: a CKR_* name, a stage")                         \
	X("signatureHash", "s", "\"sha256:<hex>\" of the signature value")

#ifdef __cplusplus
}
#endif

#endif
