/*
 * Every way in which a call on Signet can end.
 *
 * The list is an X-macro so that the enum, the wire names and the texts can
 * never disagree: SIGNET_ERRORS(X) calls X(CODE, wire, text) for each code.
 * `wire` is the last component of the Varlink error ("KeyNotFound" in
 * "org.signetd.Signer.KeyNotFound"), or NULL for conditions that never cross
 * the wire. Codes are ABI: append only.
 */
#ifndef SIGNET_ERROR_H
#define SIGNET_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define SIGNET_ERRORS(X)                                                                                     \
	X(OK, NULL, "success")                                                                               \
	/* this side of the socket */                                                                        \
	X(MEMORY, NULL, "out of memory")                                                                     \
	X(ARGUMENT, NULL, "an argument is missing or out of range")                                          \
	X(LIMIT, NULL, "a stated limit was exceeded")                                                        \
	X(IO, NULL, "reading or writing failed; ask the log before a retry")                                 \
	X(CONNECT, NULL, "signetd does not answer on this socket; is it running?")                           \
	X(PROTOCOL, NULL, "the peer does not speak this protocol correctly")                                 \
	X(UNTRUSTED, NULL, "the socket is served by a user who must not see a PIN")                          \
	X(VERIFY, NULL, "the signature does not verify")                                                     \
	X(CONFIG, NULL, "the configuration is not valid")                                                    \
	/* org.varlink.service */                                                                            \
	X(INTERFACE_NOT_FOUND, "InterfaceNotFound", "the daemon does not know this interface")               \
	X(METHOD_NOT_FOUND, "MethodNotFound", "the daemon does not know this method")                        \
	X(METHOD_NOT_IMPLEMENTED, "MethodNotImplemented", "the daemon does not offer this method")           \
	X(INVALID_PARAMETER, "InvalidParameter", "a parameter is unknown, missing or of the wrong type")     \
	X(PERMISSION_DENIED, "PermissionDenied", "permission denied")                                        \
	X(EXPECTED_MORE, "ExpectedMore", "there are several replies: call again with `more`")                \
	/* org.signetd.* */                                                                                  \
	X(KEY_NOT_FOUND, "KeyNotFound", "no such key, or none that you may use")                             \
	X(TOKEN_NOT_FOUND, "TokenNotFound", "no such token, or none that you may use")                       \
	X(NOT_PERMITTED, "NotPermitted", "no rule of the policy permits this")                               \
	X(PIN_REQUIRED, "PinRequired", "the token is locked: unlock it or give its PIN")                     \
	X(PIN_INCORRECT, "PinIncorrect", "the token refused the PIN")                                        \
	X(PIN_BLOCKED, "PinBlocked", "the token's PIN is blocked")                                           \
	X(PIN_LAST_TRY, "PinLastTry", "another wrong PIN would block the token: only its holder may go on")  \
	X(TOKEN_ABSENT, "TokenAbsent", "the token is not there: insert it")                                  \
	X(TOKEN_FAILED, "TokenFailed", "the token or its driver failed")                                     \
	X(TIMEOUT, "Timeout", "no answer in time; ask the log before a retry")                               \
	X(BUSY, "Busy", "too much is waiting, or another person's PIN is in use: try again later")           \
	X(SEAL_KEY, "SealKey", "this is an organisation's seal: it only seals")                              \
	X(BAD_DIGEST, "BadDigest", "the digest is not <algorithm>:<lower-case hex> of the right length")     \
	X(UNSUPPORTED, "Unsupported", "the key or this daemon does not offer this")                          \
	X(REQUEST_ID_REUSED, "RequestIdReused", "this requestId was already used for another request")       \
	X(OUTCOME_UNKNOWN, "OutcomeUnknown", "an interruption hid whether this request was signed")          \
	X(LOG_UNAVAILABLE, "LogUnavailable", "the signing log cannot be written, so nothing is signed")      \
	X(RELOAD_FAILED, "ReloadFailed", "the new configuration is not valid; the old one stays")            \
	X(REQUEST_NOT_FOUND, "RequestNotFound", "nothing is known of this request, or it is not yours")      \
	X(CERTIFICATE_INVALID, "CertificateInvalid", "the key's certificate is not valid")                     \
	X(BACKUP_FAILED, "BackupFailed", "the copy of the log could not be made")                            \
	X(CLOCK_UNSYNCHRONIZED, "ClockUnsynchronized", "the clock is not known to be right, so nothing is stamped") \
	X(KEY_DISABLED, "KeyDisabled", "the key was disabled by an administrator") \
	X(REJECTED, "Rejected", "the person who was asked said no")                                          \
	X(PROMPT_NOT_FOUND, "PromptNotFound", "no such prompt, or none that is yours")                       \
	X(PROMPT_CLOSED, "PromptClosed", "this prompt is closed: it needs no answer any more")

typedef enum signet_err {
#define SIGNET_ERROR_CODE(code, wire, text) SIGNET_ERR_##code,
	SIGNET_ERRORS(SIGNET_ERROR_CODE)
#undef SIGNET_ERROR_CODE
	    SIGNET_ERR_COUNT
} signet_err;

#define SIGNET_OK SIGNET_ERR_OK

/* One sentence for a person, untranslated (msgid). Never NULL. */
const char *signet_strerror(signet_err err);

#ifdef __cplusplus
}
#endif

#endif
