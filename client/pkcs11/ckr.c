/*
 * What a failed call of the daemon is in the words of PKCS #11 [2.40, 5.1].
 *
 * CKR_GENERAL_ERROR does not occur: it would say that the module is in a state
 * nobody knows, and that is never so.
 */
#include <string.h>

#include "bridge.h"

CK_RV
ckr_of_listing(signet_err err)
{
	switch (err) {
	case SIGNET_OK:
		return CKR_OK;
	case SIGNET_ERR_MEMORY:
		return CKR_HOST_MEMORY;
	default:
		return CKR_TOKEN_NOT_PRESENT;
	}
}

CK_RV
ckr_of_sign(signet_err err)
{
	switch (err) {
	case SIGNET_OK:
		return CKR_OK;
	case SIGNET_ERR_MEMORY:
		return CKR_HOST_MEMORY;
	case SIGNET_ERR_CONNECT:
	case SIGNET_ERR_IO:
	case SIGNET_ERR_TOKEN_ABSENT:
		return CKR_DEVICE_REMOVED;
	case SIGNET_ERR_TOKEN_FAILED:
	case SIGNET_ERR_TIMEOUT:
	case SIGNET_ERR_OUTCOME_UNKNOWN:
	case SIGNET_ERR_LOG_UNAVAILABLE:
	case SIGNET_ERR_BUSY:
		return CKR_DEVICE_ERROR;
	case SIGNET_ERR_PIN_REQUIRED:
	case SIGNET_ERR_PIN_BLOCKED:
	case SIGNET_ERR_PIN_LAST_TRY:
		return CKR_USER_NOT_LOGGED_IN;
	case SIGNET_ERR_PIN_INCORRECT:
		return CKR_PIN_INCORRECT;
	case SIGNET_ERR_KEY_NOT_FOUND:
	case SIGNET_ERR_NOT_PERMITTED:
	case SIGNET_ERR_SEAL_KEY:
	case SIGNET_ERR_CERTIFICATE_INVALID:
	case SIGNET_ERR_UNTRUSTED:
	case SIGNET_ERR_REJECTED:
		return CKR_FUNCTION_REJECTED;
	default:
		return CKR_FUNCTION_FAILED;
	}
}

CK_RV
ckr_of_login(signet_err err)
{
	switch (err) {
	case SIGNET_ERR_PIN_INCORRECT:
		return CKR_PIN_INCORRECT;
	case SIGNET_ERR_PIN_BLOCKED:
	case SIGNET_ERR_PIN_LAST_TRY: /* only the holder, who knows what he does, may go on: not a program */
		return CKR_PIN_LOCKED;
	case SIGNET_ERR_BUSY:
		return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	case SIGNET_ERR_TOKEN_NOT_FOUND:
		return CKR_FUNCTION_REJECTED;
	default:
		return ckr_of_sign(err);
	}
}

void
ck_text(CK_UTF8CHAR *out, size_t size, const char *text)
{
	size_t n = text == NULL ? 0 : strlen(text);

	if (n > size)
		for (n = size; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; n--)
			;
	memset(out, ' ', size);
	if (n > 0)
		memcpy(out, text, n);
}
