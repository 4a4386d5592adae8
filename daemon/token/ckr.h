/* Cryptoki return values as names and as errors of ours. Part of signet_wire: the broker logs the names. */
#ifndef SIGNET_TOKEN_CKR_H
#define SIGNET_TOKEN_CKR_H

#include "base/base.h"

/* "CKR_DEVICE_ERROR"; "CKR_VENDOR_DEFINED" for any of a vendor's; "CKR_?" if nobody defined it. Never NULL. */
const char *ckr_name(uint32_t rv);
signet_err ckr_err(uint32_t rv);
/* Only a fresh process helps: the device, the session or the module itself is lost. */
bool ckr_fatal(uint32_t rv);

#endif
