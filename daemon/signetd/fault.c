/*
 * Errors as the interface files declare them. fault_parameters() is checked
 * against those declarations by a test, code by code.
 */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

void
fault_set(struct fault *f, signet_err err, const char *subject, const char *fmt, ...)
{
	va_list ap;
	int n;

	memset(f, 0, sizeof(*f));
	f->err = err;
	f->index = -1;
	n = snprintf(f->subject, sizeof(f->subject), "%s", subject != NULL ? subject : "");
	text_tidy(f->subject, n >= (int)sizeof(f->subject));
	va_start(ap, fmt);
	n = vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	text_tidy(f->message, n >= (int)sizeof(f->message));
}

void
fault_set_reason(struct fault *f, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(f->reason, sizeof(f->reason), fmt, ap);
	va_end(ap);
	text_tidy(f->reason, n >= (int)sizeof(f->reason));
}

void
fault_set_holder(struct fault *f, const char *holder)
{
	int n = snprintf(f->holder, sizeof(f->holder), "%s", holder != NULL ? holder : "");

	text_tidy(f->holder, n >= (int)sizeof(f->holder));
}

static bool
is_service_error(signet_err err)
{
	switch (err) {
	case SIGNET_ERR_INTERFACE_NOT_FOUND:
	case SIGNET_ERR_METHOD_NOT_FOUND:
	case SIGNET_ERR_METHOD_NOT_IMPLEMENTED:
	case SIGNET_ERR_INVALID_PARAMETER:
	case SIGNET_ERR_PERMISSION_DENIED:
	case SIGNET_ERR_EXPECTED_MORE:
		return true;
	default:
		return false;
	}
}

void
fault_name(const struct fault *f, const char *interface, char *out, size_t size)
{
	const char *wire = err_wire_name(f->err);

	if (wire == NULL) /* a condition of our own that no client can act on */
		wire = "Busy";
	if (is_service_error(f->err))
		interface = "org.varlink.service";
	else if (strcmp(interface, "org.varlink.service") == 0) /* has none of ours, Busy among them */
		interface = "org.signetd.Signer";
	snprintf(out, size, "%s.%s", interface, wire);
}

const char *
fault_message(const struct fault *f)
{
	return f->message[0] != '\0' ? f->message : signet_strerror(f->err);
}

static json_t *
text_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

static json_t *
index_or_null(int64_t index)
{
	return index >= 0 ? json_integer(index) : json_null();
}

static json_t *
service_parameters(const struct fault *f)
{
	switch (f->err) {
	case SIGNET_ERR_INTERFACE_NOT_FOUND:
		return json_pack("{s:s}", "interface", f->subject);
	case SIGNET_ERR_METHOD_NOT_FOUND:
	case SIGNET_ERR_METHOD_NOT_IMPLEMENTED:
		return json_pack("{s:s}", "method", f->subject);
	case SIGNET_ERR_INVALID_PARAMETER:
		return json_pack("{s:s,s:s}", "parameter", f->subject, "message", fault_message(f));
	default:
		return json_object();
	}
}

json_t *
fault_parameters(const struct fault *f)
{
	const char *m = fault_message(f);

	if (is_service_error(f->err))
		return service_parameters(f);
	switch (f->err) {
	case SIGNET_ERR_KEY_NOT_FOUND:
	case SIGNET_ERR_SEAL_KEY:
		return json_pack("{s:s,s:s}", "key", f->subject, "message", m);
	case SIGNET_ERR_KEY_DISABLED:
		return json_pack("{s:s,s:s,s:s}", "key", f->subject, "reason", f->reason, "message", m);
	case SIGNET_ERR_NOT_PERMITTED:
		return json_pack("{s:o,s:s}", "rule", text_or_null(f->rule), "message", m);
	case SIGNET_ERR_TOKEN_NOT_FOUND:
	case SIGNET_ERR_PIN_REQUIRED:
	case SIGNET_ERR_PIN_INCORRECT:
	case SIGNET_ERR_PIN_LAST_TRY:
		return json_pack("{s:s,s:s}", "token", f->subject, "message", m);
	case SIGNET_ERR_PIN_BLOCKED:
		return json_pack("{s:s,s:o,s:s}", "token", f->subject, "contact", text_or_null(f->contact), "message", m);
	case SIGNET_ERR_TOKEN_ABSENT:
		return json_pack("{s:s,s:o,s:o,s:s}", "token", f->subject, "holder", text_or_null(f->holder), "lastSeen",
		    text_or_null(f->last_seen), "message", m);
	case SIGNET_ERR_TOKEN_FAILED:
		return json_pack("{s:s,s:s,s:o,s:s}", "token", f->subject, "reason", f->reason, "index",
		    index_or_null(f->index), "message", m);
	case SIGNET_ERR_OUTCOME_UNKNOWN:
		return json_pack("{s:I,s:s}", "index", (json_int_t)f->index, "message", m);
	case SIGNET_ERR_TIMEOUT:
	case SIGNET_ERR_REQUEST_ID_REUSED:
		return json_pack("{s:o,s:s}", "index", index_or_null(f->index), "message", m);
	case SIGNET_ERR_UNSUPPORTED:
		return json_pack("{s:s,s:s}", "what", f->subject, "message", m);
	case SIGNET_ERR_LOG_UNAVAILABLE:
	case SIGNET_ERR_CERTIFICATE_INVALID:
		return json_pack("{s:s,s:s}", "reason", f->reason, "message", m);
	case SIGNET_ERR_REJECTED:
		return json_pack("{s:o,s:s}", "reason", text_or_null(f->reason), "message", m);
	case SIGNET_ERR_PROMPT_NOT_FOUND:
	case SIGNET_ERR_PROMPT_CLOSED:
		return json_pack("{s:s,s:s}", "prompt", f->subject, "message", m);
	case SIGNET_ERR_BAD_DIGEST:
	case SIGNET_ERR_REQUEST_NOT_FOUND:
	case SIGNET_ERR_RELOAD_FAILED:
	case SIGNET_ERR_BACKUP_FAILED:
	case SIGNET_ERR_CLOCK_UNSYNCHRONIZED:
		return json_pack("{s:s}", "message", m);
	default: /* Busy, and what no client can act on */
		return json_pack("{s:i,s:s}", "retryAfterMs", f->retry_after_ms > 0 ? f->retry_after_ms : 1000,
		    "message", m);
	}
}
